package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// cause sorts the reasons for which a checkpoint is aborted.
type cause string

const (
	byDecline   cause = "declined"
	byTimeout   cause = "timeout"
	byManifest  cause = "manifest"  // it could not be written
	byCommit    cause = "commit"    // head could not be written
	byAck       cause = "bad-ack"   // an acknowledgement that cannot be accepted
	byBase      cause = "base"      // a tool dropped its base from head
	byOvertaken cause = "overtaken" // a newer one was committed first
	byDetach    cause = "detached"
	byFence     cause = "fenced"
	byDrain     cause = "draining" // triggered when all input had ended
)

// counts reports whether it is a failure of checkpointing itself.
func (c cause) counts() bool {
	switch c {
	case byDecline, byTimeout, byManifest, byCommit, byAck:
		return true
	}
	return false
}

// Reasons for an abort.
var (
	errDetached  = errors.New("the attempt ended")
	errOvertaken = errors.New("a newer checkpoint was committed first")
	errBaseGone  = errors.New("the base is no longer in head")
)

// maxAborts bounds the aborted checkpoints whose late acknowledgements are
// recognised; a sweep finds what older ones leave behind.
const maxAborts = 1024

func (m *machine) move(p *pending, to State) {
	p.state = to
	m.do(moved{p.ID, to})
}

// expire aborts checkpoints that have been pending for too long, and gives the next one
// twice the time: otherwise one that is too slow for the timeout would never complete.
// A checkpoint whose commit is in doubt cannot be aborted, and counts as one more failure
// for each minute, or timeout if that is less.
func (m *machine) expire(now time.Time) {
	for _, p := range slices.Clone(m.pending) {
		if now.Before(p.deadline) {
			continue
		}
		if !m.commit.sent(p.ID) {
			m.patience = max(m.patience, m.bounded(2*p.deadline.Sub(p.triggered)))
			m.abort(now, p.ID, byTimeout, fmt.Errorf("%w after %v, the next may take %v: %s", checkpoint.ErrTimedOut, now.Sub(p.triggered), m.patience, m.waitsFor(&p)))
			continue
		}
		q, _ := m.find(p.ID)
		q.deadline = now.Add(min(m.timeout, doubtToAlarm))
		m.do(overdue{p.ID, m.commit.cause})
		m.failed(now, p, byTimeout, fmt.Errorf("the outcome of its commit is not known: %w", m.commit.cause))
	}
}

// maxPatience bounds how long a checkpoint may take, unless the timeout is longer.
const maxPatience = 7 * 24 * time.Hour

func (m *machine) bounded(d time.Duration) time.Duration { return min(d, max(maxPatience, m.timeout)) }

// waitsFor says what a checkpoint waits for. A subtask behind another one that is
// missing has not got the barrier yet, so it is not named.
func (m *machine) waitsFor(p *pending) string {
	if p.missing == 0 {
		return "all subtasks have acknowledged, and its manifest is not written"
	}
	missing := map[checkpoint.OperatorID][]checkpoint.SubtaskID{} // by vertex
	for s, i := range m.attempt.subtasks {
		if p.acks[i] == nil {
			missing[s.Vertex] = append(missing[s.Vertex], s)
		}
	}
	vertex := map[checkpoint.OperatorID]checkpoint.OperatorID{}
	for v, chain := range m.attempt.chains {
		for _, o := range chain {
			vertex[o] = v
		}
	}
	var first []checkpoint.SubtaskID
	for _, o := range m.attempt.graph.Operators {
		if !slices.ContainsFunc(o.Inputs, func(in checkpoint.GraphInput) bool { return missing[vertex[in.From]] != nil }) {
			first = append(first, missing[o.ID]...)
		}
	}
	slices.SortFunc(first, checkpoint.SubtaskID.Compare)
	var names []string
	for _, s := range first[:min(len(first), namedSubtasks)] {
		names = append(names, s.String())
	}
	if more := len(first) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("waiting for %s; %d of %d subtasks have acknowledged", strings.Join(names, ", "), len(p.acks)-p.missing, len(p.acks))
}

// namedSubtasks is how many subtasks an error names.
const namedSubtasks = 4

// abort ends a checkpoint for good: no swap that could commit it was sent, or
// none can win any more.
func (m *machine) abort(now time.Time, id checkpoint.ID, c cause, reason error) {
	q, ok := m.find(id)
	if !ok {
		return
	}
	p := *q
	var names []string
	for _, a := range p.acks {
		if a != nil {
			names = append(names, ownObjects(p.Ref, a)...)
		}
	}
	if m.commit.ref == p.Ref {
		if m.commit.stage > writing { // else its manifest is discarded once it was written
			names = append(names, manifestName(p.Ref))
		}
		m.settled()
	}
	if m.aborts = append(slices.Clone(m.aborts), p.ID); len(m.aborts) > maxAborts {
		m.aborts = m.aborts[1:]
	}
	m.pending = slices.DeleteFunc(m.pending, func(p pending) bool { return p.ID == id })
	m.end(now, p, Aborted, c, reason)
	m.discard(names)
	m.sweepBy(now.Add(sweepAfterAbort))
	if c.counts() {
		m.failed(now, p, c, reason)
	}
	if m.isLast(p) {
		m.retryLast(now, reason)
	}
}

// end reports a checkpoint's end to the subtasks and the listener.
func (m *machine) end(now time.Time, p pending, to State, c cause, reason error) {
	m.lastEnd = now
	m.do(moved{p.ID, to})
	if m.attempt.stage == running && m.attempt.number == p.attempt {
		if to == Completed {
			m.do(committed{p.Ref})
		} else {
			m.do(aborted{p.Ref, reason})
		}
	}
	m.do(ended{p.report(now, c, reason)})
}

// failed counts a failure. The first one beyond the tolerated number ends the
// attempt. A timeout does not: a restart mends nothing that is slow, and would throw
// away what was processed since the newest checkpoint.
func (m *machine) failed(now time.Time, p pending, c cause, reason error) {
	m.failures++
	m.refusals++
	if !errors.Is(reason, checkpoint.ErrRefused) {
		m.refusals = 0
	}
	if c == byTimeout {
		m.late++
	}
	if m.failures >= failuresToAlarm {
		m.raise(now, 0, CheckpointsFailing, fmt.Sprintf("%d checkpoints in a row failed; the last was %d: %v", m.failures, p.ID, reason))
	}
	if m.intolerable() && m.attempt.stage == running && !m.attempt.failing {
		m.attempt.failing = true
		m.do(fail{fmt.Errorf("%d checkpoints in a row failed, and %d are tolerated; the last was %d: %w", m.failures-m.late, m.tolerable, p.ID, reason)})
	}
}

// intolerable reports whether too many checkpoints in a row failed.
func (m *machine) intolerable() bool { return m.tolerable >= 0 && m.failures-m.late > m.tolerable }

// discard deletes objects that no checkpoint can ever reach.
func (m *machine) discard(names []string) {
	if len(names) > 0 {
		m.do(discard{names})
	}
}

// backoff is the pause before something is tried again that failed n times.
func backoff(n int) time.Duration {
	return min(100*time.Millisecond<<min(n, 10), 10*time.Second)
}
