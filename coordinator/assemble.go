package coordinator

import (
	"cmp"
	"slices"
	"time"

	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// assemble makes the manifest of a checkpoint that all have acknowledged.
func (m *machine) assemble(now time.Time, p *pending) (*incremental.Manifest, error) {
	out := &incremental.Manifest{
		Job: m.job, Checkpoint: p.ID, Epoch: p.Epoch, Attempt: p.attempt, Base: p.base.ID, Kind: p.kind,
		Triggered: p.triggered.UTC(), Created: now.UTC(), Graph: m.attempt.graph, Writer: m.writer,
	}
	for _, a := range p.acks {
		for _, o := range a.Operators {
			h, err := handle(o)
			if err != nil {
				return nil, err
			}
			out.Subtasks = append(out.Subtasks, incremental.Subtask{Operator: o.Operator, Index: o.Index, State: o.State, Keyed: h, Timings: a.Timings})
		}
	}
	slices.SortFunc(out.Subtasks, func(a, b incremental.Subtask) int {
		return cmp.Or(cmp.Compare(a.Operator, b.Operator), cmp.Compare(a.Index, b.Index))
	})
	out.Stats = stats(p.Ref, out)
	return out, nil
}

// stats sums up a manifest.
func stats(ref Ref, m *incremental.Manifest) incremental.Stats {
	var s incremental.Stats
	own := map[string]struct{}{} // objects that this checkpoint uploaded
	for _, t := range m.Subtasks {
		if t.Keyed == nil {
			continue
		}
		s.FullBytes += t.Keyed.FullBytes()
		s.NewBytes += t.Keyed.NewBytes()
		for _, o := range t.Keyed.Objects {
			if uploadedFor(ref, o.Name) {
				own[o.Name] = struct{}{}
			}
		}
		for _, f := range t.Keyed.Files {
			s.Files++
			if _, ok := own[f.Ref.Object]; !ok {
				s.SharedFiles++
			}
		}
	}
	s.NewObjects = len(own)
	return s
}

// report describes the checkpoint at its end; why is nil if it completed.
func (p pending) report(now time.Time, c cause, why error) Report {
	r := Report{Err: why, Checkpoint: history.Checkpoint{
		ID: p.ID, Epoch: p.Epoch, Base: p.base.ID, Kind: p.kind, Trigger: p.trigger, Status: history.Completed,
		Triggered: p.triggered, Duration: now.Sub(p.triggered), Acked: len(p.parts), Subtasks: len(p.acks), Parts: p.parts,
	}}
	for _, part := range p.parts {
		r.Timings = r.Longest(part.Timings)
	}
	if why != nil {
		r.Status, r.Cause, r.Counted, r.Reason = history.Failed, string(c), c.counts(), why.Error()
		return r
	}
	r.FullBytes, r.NewBytes = p.stats.FullBytes, p.stats.NewBytes
	r.Files, r.SharedFiles, r.NewObjects = p.stats.Files, p.stats.SharedFiles, p.stats.NewObjects
	return r
}

// part describes a subtask's acknowledgement.
func part(now time.Time, a *checkpoint.Ack) history.Part {
	p := history.Part{Vertex: a.Subtask.Vertex, Index: a.Subtask.Index, Acked: now, Timings: history.Timings(a.Timings)}
	for _, o := range a.Operators {
		if o.Keyed != nil {
			p.FullBytes += o.Keyed.FullBytes()
			p.NewBytes += o.Keyed.NewBytes()
		}
	}
	return p
}
