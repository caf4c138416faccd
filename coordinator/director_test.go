package coordinator

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// director feeds a machine and writes down what it says.
type director struct {
	t     *testing.T
	m     *machine
	now   time.Time
	trace strings.Builder
}

var beginning = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func direct(t *testing.T, change func(*settings)) *director {
	s := &settings{
		job: "j", nonce: "n", pace: pace{interval: 10 * time.Second, maxConcurrent: 1}, timeout: time.Minute, tolerable: 2, policy: RetentionPolicy{Newest: 1},
	}
	if change != nil {
		change(s)
	}
	return &director{t: t, m: &machine{settings: s}, now: beginning}
}

// tell steps the machine after a while.
func (d *director) tell(after time.Duration, e event) []action {
	d.now = d.now.Add(after)
	fmt.Fprintf(&d.trace, "%v %s\n", d.now.Sub(beginning), describeEvent(e))
	out := d.m.step(d.now, e)
	for _, a := range out {
		fmt.Fprintf(&d.trace, "\t%s\n", describeAction(a))
	}
	return out
}

// leadAndStart brings the machine to where it waits for its first checkpoint.
func (d *director) leadAndStart() {
	d.tell(0, opened{})
	d.tell(0, headRead{absent: true})
	d.tell(0, probed{})
	d.tell(0, swapped{outcome: won, etag: "e1"})
	d.tell(0, attached{testGraph, 1})
	d.tell(0, started{checkpoint.Execution{Epoch: 1, Attempt: 1}, []checkpoint.SubtaskID{{Vertex: "op"}}})
}

// commit lets all of a checkpoint succeed from its acknowledgement on.
func (d *director) commit(r Ref, etag string) {
	d.tell(0, ackOf(r))
	d.tell(0, manifestWritten{ref: r})
	d.tell(0, swapped{outcome: won, etag: etag})
}

// testGraph is of one operator with one subtask.
var testGraph = checkpoint.Graph{Operators: []checkpoint.GraphOperator{{ID: "op", Parallelism: 1}}}

func object(r Ref) incremental.Object {
	return incremental.Object{Name: incremental.ObjectName{Epoch: r.Epoch, Checkpoint: r.ID, Operator: "op", Attempt: 1, Random: "0123456789abcdef"}.String(), Size: 1}
}

func ackOf(r Ref, more ...incremental.Object) acked {
	return acked{checkpoint.Ack{Checkpoint: r.ID, Execution: checkpoint.Execution{Epoch: r.Epoch, Attempt: 1}, Subtask: checkpoint.SubtaskID{Vertex: "op"}, Operators: []checkpoint.OperatorSnapshot{{
		Operator: "op", Keyed: &incremental.Handle{Operator: "op", Checkpoint: r.ID, Objects: append([]incremental.Object{object(r)}, more...)},
	}}}}
}

func declineOf(id checkpoint.ID, code checkpoint.DeclineCode, text string) declined {
	return declined{checkpoint.Decline{Checkpoint: id, Execution: checkpoint.Execution{Epoch: 1, Attempt: 1}, Subtask: checkpoint.SubtaskID{Vertex: "op"}, Code: code, Text: text}}
}

func headLine(h Head) string {
	s := fmt.Sprintf("version %d, epoch %d, next %d, retained", h.Version, h.Epoch, h.NextID)
	for _, r := range h.Retained {
		s += fmt.Sprintf(" %v%v", r.Ref(), r.KeptBy)
	}
	if h.Stopped != nil {
		s += fmt.Sprintf(", stopped at %d: %s", h.Stopped.Checkpoint, h.Stopped.Reason)
	}
	return s
}

func describeEvent(e event) string {
	switch e := e.(type) {
	case headRead:
		if e.absent || e.err != nil {
			return fmt.Sprintf("headRead absent=%v err=%v", e.absent, e.err)
		}
		return fmt.Sprintf("headRead %s: %s", e.etag, headLine(e.head))
	case swapped:
		return fmt.Sprintf("swapped %s %s %v", []string{"unknown", "won", "refused", "denied"}[e.outcome], e.etag, e.err)
	case acked:
		return fmt.Sprintf("acked %d by attempt %d", e.Checkpoint, e.Attempt)
	case declined:
		return fmt.Sprintf("declined %d (%v): %s", e.Checkpoint, e.Code, e.Text)
	case manifestWritten:
		return fmt.Sprintf("manifestWritten %v %v", e.ref, e.err)
	case probed:
		return fmt.Sprintf("probed %q %v", e.found, e.err)
	case manifestRead:
		return fmt.Sprintf("manifestRead %v %v", e.ref, e.err)
	}
	if e, ok := e.(deletion); ok {
		return fmt.Sprintf("deletion err=%v halted=%v", e.err, e.halted)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", e), "coordinator.")
}

func describeAction(a action) string {
	switch a := a.(type) {
	case swapHead:
		return fmt.Sprintf("swapHead if %q: %s", a.etag, headLine(a.head))
	case writeManifest:
		return fmt.Sprintf("writeManifest %d-%d base %d", a.manifest.Checkpoint, a.manifest.Epoch, a.manifest.Base)
	case trigger:
		return fmt.Sprintf("trigger %d of epoch %d on base %d, %v", a.ID, a.Epoch, a.Base, a.Kind)
	case moved:
		return fmt.Sprintf("moved %d to %v", a.id, a.to)
	case ended:
		return fmt.Sprintf("ended %d %v %s after %v: %v", a.ID, a.Status, a.Cause, a.Duration, a.Err)
	case attachDone:
		if a.manifest != nil {
			return fmt.Sprintf("attachDone from %d-%d", a.manifest.Checkpoint, a.manifest.Epoch)
		}
		return fmt.Sprintf("attachDone empty, err %v", a.err)
	case aborted:
		return fmt.Sprintf("aborted %v: %v", a.ref, a.reason)
	case fail:
		return fmt.Sprintf("fail: %v", a.err)
	case lead:
		if a.cleared != nil {
			return fmt.Sprintf("lead{epoch:%d} of a job that was stopped at %d: %s", a.epoch, a.cleared.Checkpoint, a.cleared.Reason)
		}
		return fmt.Sprintf("lead{epoch:%d}", a.epoch)
	case startDone:
		return fmt.Sprintf("startDone{err:%v}", a.err)
	case stopDone:
		return fmt.Sprintf("stopDone %d: %v", a.id, a.err)
	case stop:
		return fmt.Sprintf("stop: %v", a.err)
	case finished:
		return fmt.Sprintf("finished: %v", a.err)
	case unasked:
		return fmt.Sprintf("unasked: %v", a.err)
	case alarmed:
		if a.Cleared {
			return fmt.Sprintf("alarm %s is over", a.Code)
		}
		return fmt.Sprintf("alarm %s: %s", a.Code, a.Text)
	case overdue:
		return fmt.Sprintf("overdue %d: %v", a.id, a.err)
	case doubt:
		return fmt.Sprintf("doubt about %d: %v", a.id, a.err)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T%+v", a, a), "coordinator.")
}
