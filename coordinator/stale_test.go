package coordinator

import (
	"errors"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// I4, I6, I13: what a subtask of another execution says changes nothing, though
// all the rest of it fits. Nor does a second acknowledgement of one subtask, or
// that of a subtask which the attempt does not have.
func TestWordsOfOtherExecutionsChangeNothing(t *testing.T) {
	two := Ref{ID: 2, Epoch: 1}
	second := checkpoint.Execution{Epoch: 1, Attempt: 2}
	ack := func(change func(*checkpoint.Ack)) acked {
		a := ackOf(two)
		a.Attempt = 2
		change(&a.Ack)
		return a
	}
	decline := func(change func(*checkpoint.Decline)) declined {
		d := declineOf(2, checkpoint.DeclinePersist, "no")
		d.Attempt = 2
		change(&d.Decline)
		return d
	}
	for name, c := range map[string]struct {
		event event
		heard bool
	}{
		"ack":                        {ack(func(*checkpoint.Ack) {}), true},
		"ack of an earlier attempt":  {ack(func(a *checkpoint.Ack) { a.Attempt = 1 }), false},
		"ack of a later attempt":     {ack(func(a *checkpoint.Ack) { a.Attempt = 3 }), false},
		"ack of an earlier epoch":    {ack(func(a *checkpoint.Ack) { a.Epoch = 0 }), false},
		"ack of a later epoch":       {ack(func(a *checkpoint.Ack) { a.Epoch = 2 }), false},
		"ack of an unknown subtask":  {ack(func(a *checkpoint.Ack) { a.Subtask.Index = 1 }), false},
		"ack of another checkpoint":  {ack(func(a *checkpoint.Ack) { a.Checkpoint = 3 }), false},
		"decline":                    {decline(func(*checkpoint.Decline) {}), true},
		"decline of another attempt": {decline(func(d *checkpoint.Decline) { d.Attempt = 1 }), false},
		"decline of another epoch":   {decline(func(d *checkpoint.Decline) { d.Epoch = 2 }), false},
	} {
		t.Run(name, func(t *testing.T) {
			d := direct(t, func(s *settings) { s.interval = 0 })
			d.leadAndStart()
			d.tell(0, asked{})
			d.tell(0, detached{}) // ends checkpoint 1
			d.tell(0, attached{testGraph, 2})
			d.tell(0, started{second, []checkpoint.SubtaskID{{Vertex: "op"}}})
			d.tell(0, asked{})
			before := d.m.pending[0].missing
			out := d.tell(0, c.event)
			if heard := len(out) > 0; heard != c.heard {
				t.Errorf("heard: %v\n%s", heard, &d.trace)
			}
			if !c.heard && (len(d.m.pending) != 1 || d.m.pending[0].missing != before) {
				t.Errorf("checkpoint 2 changed\n%s", &d.trace)
			}
		})
	}

	d := direct(t, func(s *settings) { s.interval = 0 })
	d.tell(0, opened{})
	d.tell(0, headRead{absent: true})
	d.tell(0, probed{})
	d.tell(0, swapped{outcome: won, etag: "e1"})
	d.tell(0, attached{checkpoint.Graph{Operators: []checkpoint.GraphOperator{{ID: "op", Parallelism: 2}}}, 1})
	d.tell(0, started{checkpoint.Execution{Epoch: 1, Attempt: 1}, []checkpoint.SubtaskID{{Vertex: "op"}, {Vertex: "op", Index: 1}}})
	d.tell(0, asked{})
	d.tell(0, ackOf(Ref{ID: 1, Epoch: 1}))
	if out := d.tell(0, ackOf(Ref{ID: 1, Epoch: 1})); len(out) > 0 || d.m.pending[0].missing != 1 {
		t.Errorf("a second acknowledgement counted\n%s", &d.trace)
	}
}

// I2: while the outcome of a commit is not known, the end of the checkpoint's
// time aborts and deletes nothing. It counts as a failure once for each minute,
// and the swap that is found to have won completes the checkpoint.
func TestTimeoutOfACommitInDoubtDeletesNothing(t *testing.T) {
	d := direct(t, func(s *settings) { s.interval, s.tolerable = 0, -1 })
	one := Ref{ID: 1, Epoch: 1}
	d.leadAndStart()
	d.tell(0, asked{})
	d.tell(0, ackOf(one))
	d.tell(0, manifestWritten{ref: one})
	d.tell(0, swapped{outcome: unknown, err: errors.New("no answer")})
	for range 200 {
		d.now = d.m.wake()
		for _, e := range []event{ticked{}, headRead{err: errors.New("no answer")}} {
			for _, a := range d.tell(0, e) {
				switch a.(type) {
				case aborted, ended, discard, collect, sweep, moved, swapHead:
					t.Fatalf("after %v: %s", d.now.Sub(beginning), describeAction(a))
				}
			}
		}
	}
	if passed := d.now.Sub(beginning); d.m.failures != int(passed/time.Minute) || d.m.failures == 0 {
		t.Errorf("%d failures in %v", d.m.failures, passed)
	}
	completed := false
	d.now = d.m.wake()
	d.tell(0, ticked{})
	for _, a := range d.tell(0, headRead{head: d.m.commit.next, etag: "e2"}) {
		if e, ok := a.(ended); ok {
			completed = e.Err == nil
		}
	}
	if !completed {
		t.Errorf("the checkpoint did not complete\n%s", &d.trace)
	}
}

// An end counts as a failure if checkpointing is at fault, and not if the attempt
// ended, a newer checkpoint overtook it, or it completed.
func TestWhatCountsAsFailure(t *testing.T) {
	one := Ref{ID: 1, Epoch: 1}
	for name, c := range map[string]struct {
		play    func(*director) []action
		counted bool
	}{
		"declined": {func(d *director) []action { return d.tell(0, declineOf(1, checkpoint.DeclinePersist, "no")) }, true},
		"draining": {func(d *director) []action { return d.tell(0, declineOf(1, checkpoint.DeclineDraining, "no")) }, false},
		"timeout":  {func(d *director) []action { return d.tell(10*time.Hour, ticked{}) }, true},
		"detached": {func(d *director) []action { return d.tell(0, detached{}) }, false},
		"manifest": {func(d *director) []action {
			d.tell(0, ackOf(one))
			return d.tell(0, manifestWritten{ref: one, err: errors.New("no")})
		}, true},
		"completed": {func(d *director) []action {
			d.tell(0, ackOf(one))
			d.tell(0, manifestWritten{ref: one})
			return d.tell(0, swapped{outcome: won, etag: "e2"})
		}, false},
	} {
		d := direct(t, func(s *settings) { s.interval, s.tolerable = 0, -1 })
		d.leadAndStart()
		d.tell(0, asked{})
		ends := 0
		for _, a := range c.play(d) {
			if e, ok := a.(ended); ok {
				ends++
				if e.Counted != c.counted || (d.m.failures > 0) != c.counted {
					t.Errorf("%s: counted: %v, %d failures\n%s", name, e.Counted, d.m.failures, &d.trace)
				}
			}
		}
		if ends != 1 {
			t.Errorf("%s: %d ends\n%s", name, ends, &d.trace)
		}
	}
}
