package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload"
)

// label says what a step was.
type label struct {
	what uint8
	a, b uint8
}

var labels = []string{
	"coordinator %[1]d boots, and sends its swap to lead",
	"the swap of coordinator %[1]d is applied",
	"coordinator %[1]d learns that its swap won",
	"coordinator %[1]d learns that its swap was refused",
	"coordinator %[1]d gives up waiting for its swap",
	"coordinator %[1]d reads head",
	"coordinator %[1]d triggers checkpoint %[2]d, which reuses nothing",
	"coordinator %[1]d triggers checkpoint %[2]d, which reuses its base",
	"the subtask uploads and acknowledges checkpoint %[2]d of coordinator %[1]d",
	"the subtask uploads and acknowledges checkpoint %[2]d of coordinator %[1]d; its manifest cannot be written",
	"the subtask declines checkpoint %[2]d of coordinator %[1]d",
	"checkpoint %[2]d of coordinator %[1]d times out",
	"coordinator %[1]d crashes",
	"coordinator %[1]d sweeps, as it decided",
	"somebody who does not lead sweeps",
	"coordinator %[1]d triggers checkpoint %[2]d, which reuses another than its base",
	"coordinator %[1]d decides to sweep",
	"coordinator %[1]d is told to close",
	"coordinator %[1]d learns that its swap was denied",
	"the edit of the tool is applied",
	"the tool reads head, and sends it with a pin on checkpoint %[2]d",
	"the tool reads head, and sends it without its pin",
	"the tool reads head, and sends it without checkpoint %[2]d",
}

const (
	boots uint8 = iota
	applies
	learnsWon
	learnsRefused
	givesUp
	reads
	triggersNone
	triggersBase
	acks
	acksBadly
	declines
	timesOut
	crashes
	sweeps
	outsiderSweeps
	triggersOther
	decidesSweep
	closes
	learnsDenied
	appliesEdit
	pins
	unpins
	drops
)

func (l label) String() string {
	s := fmt.Sprintf(labels[l.what], l.a, l.b)
	if i := strings.Index(s, "%!("); i >= 0 {
		s = s[:i]
	}
	return s
}

// next yields every state that one step leads to.
func (w *world) next(yield func(*world, label)) {
	if slot := slices.Index(w.procs[:], nil); w.boots < w.epochs && slot >= 0 && w.head.Epoch <= checkpoint.Epoch(w.epochs) {
		w.boot(yield)
	}
	for i := range w.net {
		w.deliver(i, yield)
	}
	for k, p := range w.procs {
		if p != nil {
			w.process(k, p, yield)
		}
	}
	if !w.swept {
		c := w.fork()
		c.swept = true
		c.sweepAll(c.retained(), deadBefore(c.head.Epoch, c.rules))
		if c.doomed != w.doomed {
			yield(c, label{outsiderSweeps, 0, 0})
		}
	}
	if w.edited < w.edits {
		w.edit(yield)
	}
}

// boot yields the start of a coordinator.
func (w *world) boot(yield func(*world, label)) {
	c := w.fork()
	k := w.boots
	c.boots++
	c.procs[k] = &process{m: machine{settings: &settings{
		graph: testGraph, nonce: string(rune('a' + k)), pace: pace{maxConcurrent: explorePending}, tolerable: -1, timeout: never,
		policy: RetentionPolicy{Newest: exploreRetain}, rules: w.rules,
	}}}
	c.tell(k, opened{}, nil, false)
	c.procs[k].reading = false
	c.tell(k, headRead{head: c.head, etag: contentOf(c.head)}, nil, false)
	yield(c, label{boots, uint8(k), 0})
}

// deliver yields what may become of request i.
func (w *world) deliver(i int, yield func(*world, label)) {
	r := w.net[i]
	k := r.boot
	remove := func(c *world) { c.net = slices.Delete(c.net, i, i+1) }
	matches := !r.applied && r.ifMatch == contentOf(w.head)
	if matches {
		c := w.fork()
		if r.head.Epoch < w.head.Epoch {
			panic("I4: an older epoch commits")
		}
		c.head = r.head
		if c.outputs {
			for _, t := range r.head.Retained {
				c.won |= dataOf(t.Ref())
			}
		}
		c.net[i].applied = true
		if !r.waited {
			remove(c)
		}
		what := applies
		if k == tool {
			what = appliesEdit
		}
		yield(c, label{what, uint8(k), 0})
	}
	if !r.waited {
		return
	}
	answer := func(what uint8, e swapped, forget bool) {
		c := w.fork()
		c.own(k)
		c.net[i].waited, c.net[i].again = false, false
		if forget {
			remove(c)
		}
		c.tell(k, e, nil, false)
		yield(c, label{what, uint8(k), 0})
	}
	lost := swapped{outcome: unknown, err: errors.New("no answer")}
	switch {
	case r.applied:
		answer(learnsWon, swapped{outcome: won, etag: contentOf(r.head)}, true)
		answer(learnsDenied, swapped{outcome: denied, err: upload.ErrDenied}, true)
		answer(givesUp, lost, true)
	case matches:
		answer(givesUp, lost, false)
	default:
		answer(learnsRefused, lost, false)
	}
	if p := w.procs[k]; !r.applied && p.m.phase == leads && !w.passed(p) {
		answer(learnsDenied, swapped{outcome: denied, err: upload.ErrDenied}, !r.again)
	}
}

// process yields the steps of process k and of its subtasks.
func (w *world) process(k int, p *process, yield func(*world, label)) {
	if !w.passed(p) && (p.reading || p.m.commit.stage == resting) {
		c := w.fork()
		q := c.own(k)
		if !q.reading {
			c.tell(k, ticked{}, nil, false)
		}
		q.reading = false
		if q.m.phase != opening || w.head.Epoch <= checkpoint.Epoch(w.epochs) || w.head.Writer == q.m.nonce { // else others lead the last epoch
			c.tell(k, headRead{head: c.head, etag: contentOf(c.head)}, nil, false)
			yield(c, label{reads, uint8(k), 0})
		}
	}
	c := w.fork()
	c.procs[k] = nil
	for i := range c.net {
		if c.net[i].boot == k {
			c.net[i].waited = false
		}
	}
	c.net = slices.DeleteFunc(c.net, func(r request) bool { return r.boot == k && r.applied })
	yield(c, label{crashes, uint8(k), 0})
	if p.sweep != nil {
		c := w.fork()
		c.own(k).sweep = nil
		c.sweepAll(c.reach(p.m.head.refs()), *p.sweep)
		yield(c, label{sweeps, uint8(k), 0})
	}
	if p.m.phase != leads || w.passed(p) {
		return
	}
	if p.m.commit.stage != resting { // then a tick looks at head
		c := w.fork()
		c.own(k)
		c.tell(k, ticked{}, nil, false)
		yield(c, label{decidesSweep, uint8(k), 0})
	}
	if !p.m.closing {
		c := w.fork()
		c.own(k)
		c.tell(k, closing{}, nil, false)
		yield(c, label{closes, uint8(k), 0})
	}
	w.trigger(k, yield)
	for i, t := range p.tasks {
		if t.done {
			continue
		}
		for _, what := range []uint8{acks, acksBadly} {
			c := w.fork()
			q := c.own(k)
			q.tasks[i].done = true
			c.exists |= dataOf(t.ref)
			if c.outputs {
				c.held |= dataOf(t.ref)
			}
			before := c.exists
			c.tell(k, acked{checkpoint.Ack{Checkpoint: t.ref.ID, Execution: checkpoint.Execution{Epoch: t.ref.Epoch, Attempt: 1}, Subtask: checkpoint.SubtaskID{Vertex: "op"},
				Operators: []checkpoint.OperatorSnapshot{{Operator: "op", Keyed: c.handle(t.ref, t.names)}}}}, nil, what == acksBadly)
			if what == acks || c.exists != before { // else no manifest was to be written
				yield(c, label{what, uint8(k), uint8(t.ref.ID)})
			}
		}
	}
	for _, q := range p.m.pending {
		c := w.fork()
		c.own(k)
		c.tell(k, declined{checkpoint.Decline{Checkpoint: q.ID, Execution: checkpoint.Execution{Epoch: q.Epoch, Attempt: 1}, Code: checkpoint.DeclineSnapshot}}, nil, false)
		yield(c, label{declines, uint8(k), uint8(q.ID)})
	}
	for i, q := range p.m.pending {
		c := w.fork()
		c.own(k).m.pending[i].deadline = dawn
		c.tell(k, deadline{}, nil, false)
		yield(c, label{timesOut, uint8(k), uint8(q.ID)})
	}
}

// edit yields the edits of head that the tool may send: it adds a pin, takes
// one away, or drops a checkpoint other than the newest.
func (w *world) edit(yield func(*world, label)) {
	send := func(what uint8, id checkpoint.ID, change func(*Head)) {
		c := w.fork()
		c.edited++
		h := w.head
		if !w.forgetful {
			h.Version++
		}
		change(&h)
		c.net = append(c.net, request{boot: tool, ifMatch: contentOf(w.head), head: h})
		yield(c, label{what, 0, uint8(id)})
	}
	if len(w.head.Pins) > 0 {
		send(unpins, 0, func(h *Head) { h.Pins = nil })
	}
	for i, r := range w.head.Retained {
		if len(w.head.Pins) == 0 {
			send(pins, r.ID, func(h *Head) { h.Pins = []Pin{{Name: "p", Checkpoint: r.ID}} })
		}
		if i < len(w.head.Retained)-1 && !slices.ContainsFunc(w.head.Pins, func(p Pin) bool { return p.Checkpoint == r.ID }) {
			send(drops, r.ID, func(h *Head) { h.Retained = slices.Delete(slices.Clone(h.Retained), i, i+1) })
		}
	}
}

// trigger yields the starts of a checkpoint by process k.
func (w *world) trigger(k int, yield func(*world, label)) {
	p := w.procs[k]
	used := 0
	for _, t := range p.tasks {
		used = max(used, int(t.ref.ID-p.firstID())+1)
	}
	if !p.m.triggerable() || w.rules.on(namesOnce) && used >= w.ids {
		return
	}
	reuse := func(what uint8, choose func(checkpoint.Barrier) set) {
		c := w.fork()
		q := c.own(k)
		n := len(q.m.pending)
		c.tell(k, asked{}, choose, false)
		id := q.m.pending[n].ID
		if int(id-q.firstID()) < w.ids {
			yield(c, label{what, uint8(k), uint8(id)})
		}
	}
	data := func(r Ref) set { return w.manifests[index(r)] &^ manifestOf(r) }
	reuse(triggersNone, func(checkpoint.Barrier) set { return 0 })
	if w.rules.on(baseNamed) {
		reuse(triggersBase, func(b checkpoint.Barrier) set {
			if r, ok := p.m.head.find(b.Base); ok {
				return data(r.Ref())
			}
			return 0
		})
		return
	}
	for i, m := range w.manifests {
		if r := refAt(i); m != 0 && r.Epoch <= p.m.head.Epoch {
			reuse(triggersOther, func(checkpoint.Barrier) set { return data(r) })
		}
	}
}

// firstID is the first id of the process's epoch.
func (p *process) firstID() checkpoint.ID { return p.m.lead.sent.NextID }
