package incremental

import (
	"fmt"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental/format"
)

// Every enum of the schema begins with "unspecified", which is never written. So
// its numbers are those of a Go type that begins at zero, plus one.

// bodyOf renders m, which must be valid, as a message.
func bodyOf(m *Manifest) *format.Manifest {
	b := &format.Manifest{
		Job: m.Job, Checkpoint: uint64(m.Checkpoint), Epoch: uint64(m.Epoch), Attempt: uint32(m.Attempt), Base: uint64(m.Base),
		Kind: format.Kind(m.Kind) + 1, TriggeredNs: m.Triggered.UnixNano(), CreatedNs: m.Created.UnixNano(), Writer: m.Writer,
		Graph: graphBody(m.Graph),
		Sources: mapped(m.Sources, func(s Source) *format.Source {
			return &format.Source{Operator: string(s.Operator), Codec: s.Codec, Enumerator: s.Enumerator, Unassigned: mapped(s.Unassigned, splitBody)}
		}),
	}
	if s := m.Stats; s != (Stats{}) {
		b.Stats = &format.Stats{
			FullBytes: uint64(s.FullBytes), NewBytes: uint64(s.NewBytes), NewObjects: uint64(s.NewObjects),
			Files: uint64(s.Files), SharedFiles: uint64(s.SharedFiles),
		}
	}
	k := newKeyedWriter(m.Subtasks)
	for _, s := range m.Subtasks {
		b.Subtasks = append(b.Subtasks, subtaskBody(k, s))
	}
	b.Keyed = k.body()
	return b
}

func graphBody(g checkpoint.Graph) *format.Graph {
	return &format.Graph{
		Job: g.Job, Name: g.Name, MaxParallelism: uint32(g.MaxParallelism),
		Operators: mapped(g.Operators, func(o checkpoint.GraphOperator) *format.Operator {
			return &format.Operator{
				Id: string(o.ID), Name: o.Name, Type: o.Type, Parallelism: uint32(o.Parallelism), Key: o.Key,
				Inputs: mapped(o.Inputs, func(in checkpoint.GraphInput) *format.Input {
					return &format.Input{Operator: string(in.From), Exchange: format.Exchange(in.Exchange) + 1, Side: in.Side}
				}),
			}
		}),
	}
}

func splitBody(s Split) *format.Split {
	return &format.Split{Id: s.ID, Position: s.Position, FromMs: s.From, LatestMs: s.Latest, Idle: s.Idle}
}

func subtaskBody(k *keyedWriter, s Subtask) *format.Subtask {
	b := &format.Subtask{
		Operator: string(s.Operator), Index: uint32(s.Index),
		State: mapped(s.State, func(o checkpoint.OperatorState) *format.OperatorState {
			return &format.OperatorState{Name: o.Name, Redistribution: format.Redistribution(o.Redistribution) + 1, Codec: o.Codec, Items: o.Items}
		}),
		Splits: mapped(s.Splits, splitBody),
		Progress: mapped(s.Progress, func(p Progress) *format.Progress {
			return &format.Progress{Groups: groupsBody(p.Groups), WatermarkMs: p.Watermark, FiredEventMs: p.FiredEvent, FiredProcessingMs: p.FiredProcessing}
		}),
	}
	if t := s.Timings; t != (checkpoint.Timings{}) {
		b.Timings = &format.Timings{StartNs: uint64(t.Start), AlignNs: uint64(t.Align), SyncNs: uint64(t.Sync), AsyncNs: uint64(t.Async)}
	}
	if s.Keyed != nil {
		b.Keyed = true
		k.add(s.Keyed)
	}
	for _, f := range s.InFlight {
		b.InFlight = append(b.InFlight, inFlightBody(k, f))
	}
	return b
}

func inFlightBody(k *keyedWriter, f InFlight) *format.InFlight {
	b := &format.InFlight{
		Direction: format.Direction(f.Direction), Peer: string(f.Peer), PeerIndex: uint32(f.PeerIndex), Input: uint32(f.Input), Codec: f.Codec,
	}
	for _, e := range f.Elements {
		kind := format.ElementKind_ELEMENT_KIND_RECORD
		if e.Watermark {
			kind = format.ElementKind_ELEMENT_KIND_WATERMARK
		}
		b.Kinds, b.TimesMs, b.Records = append(b.Kinds, kind), append(b.TimesMs, e.Time), append(b.Records, e.Record)
	}
	if p := f.Piece; p != (Piece{}) {
		b.Piece = &format.Piece{Object: k.object(p.Object), Offset: uint64(p.Offset), Bytes: uint64(p.Length), Crc32C: p.CRC32C, Elements: uint64(p.Elements)}
	}
	return b
}

// manifestOf reads what bodyOf rendered. The manifest still has to be validated.
func manifestOf(b *format.Manifest) (*Manifest, error) {
	m := &Manifest{
		Job: b.Job, Checkpoint: checkpoint.ID(b.Checkpoint), Epoch: checkpoint.Epoch(b.Epoch), Attempt: checkpoint.Attempt(b.Attempt), Base: checkpoint.ID(b.Base),
		Kind: checkpoint.Kind(b.Kind - 1), Triggered: time.Unix(0, b.TriggeredNs).UTC(), Created: time.Unix(0, b.CreatedNs).UTC(), Writer: b.Writer,
		Stats: Stats{
			FullBytes: int64(b.Stats.GetFullBytes()), NewBytes: int64(b.Stats.GetNewBytes()), NewObjects: int(b.Stats.GetNewObjects()),
			Files: int(b.Stats.GetFiles()), SharedFiles: int(b.Stats.GetSharedFiles()),
		},
		Graph: graphOf(b.Graph),
		Sources: mapped(b.Sources, func(s *format.Source) Source {
			return Source{Operator: checkpoint.OperatorID(s.Operator), Codec: s.Codec, Enumerator: s.Enumerator, Unassigned: mapped(s.Unassigned, splitOf)}
		}),
	}
	k, err := newKeyedReader(b.Keyed)
	if err != nil {
		return nil, err
	}
	for _, t := range b.Subtasks {
		s, err := subtaskOf(k, t)
		if err != nil {
			return nil, fmt.Errorf("subtask %s/%d: %w", t.Operator, t.Index, err)
		}
		m.Subtasks = append(m.Subtasks, s)
	}
	return m, k.done()
}

func graphOf(b *format.Graph) checkpoint.Graph {
	return checkpoint.Graph{
		Job: b.GetJob(), Name: b.GetName(), MaxParallelism: int(b.GetMaxParallelism()),
		Operators: mapped(b.GetOperators(), func(o *format.Operator) checkpoint.GraphOperator {
			return checkpoint.GraphOperator{
				ID: checkpoint.OperatorID(o.Id), Name: o.Name, Type: o.Type, Parallelism: int(o.Parallelism), Key: o.Key,
				Inputs: mapped(o.Inputs, func(in *format.Input) checkpoint.GraphInput {
					return checkpoint.GraphInput{From: checkpoint.OperatorID(in.Operator), Exchange: checkpoint.Exchange(in.Exchange - 1), Side: in.Side}
				}),
			}
		}),
	}
}

func splitOf(b *format.Split) Split {
	return Split{ID: b.Id, Position: b.Position, From: b.FromMs, Latest: b.LatestMs, Idle: b.Idle}
}

func subtaskOf(k *keyedReader, b *format.Subtask) (s Subtask, err error) {
	s = Subtask{
		Operator: checkpoint.OperatorID(b.Operator), Index: int(b.Index),
		State: mapped(b.State, func(o *format.OperatorState) checkpoint.OperatorState {
			return checkpoint.OperatorState{Name: o.Name, Redistribution: checkpoint.Redistribution(o.Redistribution - 1), Codec: o.Codec, Items: o.Items}
		}),
		Timings: checkpoint.Timings{
			Start: time.Duration(b.Timings.GetStartNs()), Align: time.Duration(b.Timings.GetAlignNs()),
			Sync: time.Duration(b.Timings.GetSyncNs()), Async: time.Duration(b.Timings.GetAsyncNs()),
		},
		Splits: mapped(b.Splits, splitOf),
		Progress: mapped(b.Progress, func(p *format.Progress) Progress {
			return Progress{Groups: groupsOf(p.Groups), Watermark: p.WatermarkMs, FiredEvent: p.FiredEventMs, FiredProcessing: p.FiredProcessingMs}
		}),
	}
	if b.Keyed {
		if s.Keyed, err = k.next(); err != nil {
			return s, err
		}
	}
	for _, f := range b.InFlight {
		in, err := inFlightOf(k, f)
		if err != nil {
			return s, err
		}
		s.InFlight = append(s.InFlight, in)
	}
	return s, nil
}

func inFlightOf(k *keyedReader, b *format.InFlight) (f InFlight, err error) {
	f = InFlight{Direction: Direction(b.Direction), Peer: checkpoint.OperatorID(b.Peer), PeerIndex: int(b.PeerIndex), Input: int(b.Input), Codec: b.Codec}
	if len(b.TimesMs) != len(b.Kinds) || len(b.Records) != len(b.Kinds) {
		return f, fmt.Errorf("records in flight: %d kinds, %d times, %d records", len(b.Kinds), len(b.TimesMs), len(b.Records))
	}
	for i, kind := range b.Kinds {
		f.Elements = append(f.Elements, Element{kind == format.ElementKind_ELEMENT_KIND_WATERMARK, b.TimesMs[i], b.Records[i]})
	}
	if p := b.Piece; p != nil {
		f.Piece = Piece{Offset: int64(p.Offset), Length: int64(p.Bytes), CRC32C: p.Crc32C, Elements: int64(p.Elements)}
		f.Piece.Object, err = k.object(p.Object)
	}
	return f, err
}

// mapped returns f of each element, nil of none.
func mapped[A, B any](in []A, f func(A) B) []B {
	if len(in) == 0 {
		return nil
	}
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = f(a)
	}
	return out
}
