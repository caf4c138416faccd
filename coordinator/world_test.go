package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// What the exploration (explore_test.go) drives: a store, the requests on their
// way to it, and the processes that sent them.

const (
	exploreRetain  = 1
	explorePending = 2
	slots          = 8 // ids of an epoch
)

// set is a set of objects: bit 2i is checkpoint i's data, 2i+1 its manifest.
type set uint64

// index numbers checkpoints: the one that every run begins with, of epoch 1,
// and those of later epochs.
func index(r Ref) int {
	if r.Epoch == 1 {
		return 0
	}
	return 1 + int(r.Epoch-2)*slots + int(r.ID-2)
}

func refAt(i int) Ref {
	if i == 0 {
		return Ref{ID: 1, Epoch: 1}
	}
	return Ref{ID: checkpoint.ID((i-1)%slots + 2), Epoch: checkpoint.Epoch((i-1)/slots + 2)}
}

func dataOf(r Ref) set     { return 1 << (2 * index(r)) }
func manifestOf(r Ref) set { return 2 << (2 * index(r)) }

const universe = 1 + 2*slots

var (
	objectNames [universe]string
	objectByID  = map[string]set{}
)

func init() {
	for i := range universe {
		r := refAt(i)
		n := incremental.ObjectName{Epoch: r.Epoch, Checkpoint: r.ID, Operator: "op", Attempt: 1, Random: "0123456789abcdef"}
		objectNames[i] = n.String()
		objectByID[n.String()], objectByID[manifestName(r)] = dataOf(r), manifestOf(r)
	}
}

func (s set) String() string {
	var out []string
	for i := range universe {
		for kind, bit := range map[string]set{"data": dataOf(refAt(i)), "manifest": manifestOf(refAt(i))} {
			if s&bit != 0 {
				out = append(out, fmt.Sprintf("%s of checkpoint %d of epoch %d", kind, refAt(i).ID, refAt(i).Epoch))
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// world is a state of everything.
type world struct {
	bounds
	rules     rules
	head      Head
	exists    set
	doomed    set
	manifests [universe]set // what each manifest states, itself included
	boots     int
	procs     [2]*process
	net       []request
	swept     bool // somebody who does not lead swept
	edited    int  // how often the tool sent an edit of head

	// With outputs: what subtasks hold to publish, and what was ever in head.
	held, won, published set
}

// process is a coordinator that runs, and its subtasks.
type process struct {
	m       machine
	reading bool
	sweep   *scope // decided, and not carried out yet
	tasks   []task
}

// task is the subtask's work on one checkpoint.
type task struct {
	ref   Ref
	names set
	done  bool
}

// request is a swap of head on its way.
type request struct {
	boot    int
	ifMatch string
	head    Head
	waited  bool // its process waits for the answer
	applied bool
	again   bool // an earlier copy of it may be on its way, too
}

// tool is the boot of the tool that edits head.
const tool = 9

// contentOf renders all of a head that differs between two heads.
func contentOf(h Head) string {
	b := []byte{byte(h.Version), byte(h.Epoch), byte(h.NextID), h.Writer[0]}
	for _, r := range h.Retained {
		b = append(b, byte(r.ID), byte(r.Epoch))
	}
	for _, p := range h.Pins {
		b = append(b, 0xf0, byte(p.Checkpoint))
	}
	return string(b)
}

func (w *world) reach(refs []Ref) set {
	var s set
	for _, r := range refs {
		s |= w.manifests[index(r)]
	}
	return s
}

func (w *world) retained() set { return w.reach(w.head.refs()) }

// breach returns what is lost in this state.
func (w *world) breach(retainedOnly bool) (string, set) {
	if lost := w.retained() & (w.doomed | ^w.exists); lost != 0 {
		return "I1: a retained checkpoint loses", lost
	}
	if early := w.published &^ w.won; early != 0 {
		return "I15: published without a commit is", early
	}
	for _, p := range w.procs {
		if retainedOnly || p == nil || p.m.phase != leads || p.m.head.Epoch != w.head.Epoch {
			continue
		}
		for _, t := range p.tasks {
			q, ok := p.m.find(t.ref.ID)
			if !ok || q.Ref != t.ref || p.m.commit.inDoubt() && t.ref.ID < p.m.commit.ref.ID {
				continue // aborted, or overtaken if the swap in doubt wins
			}
			if q.base.ID != 0 && !w.head.has(q.base.Ref) && p.m.head.has(q.base.Ref) {
				continue // the tool dropped its base, which its coordinator learns before it can commit it
			}
			if lost := t.names & w.doomed; lost != 0 {
				return "I2: a pending checkpoint loses", lost
			}
		}
	}
	return "", 0
}

// fork copies the world; processes are shared until own is called.
func (w *world) fork() *world {
	c := *w
	c.net = slices.Clone(w.net)
	return &c
}

// own returns a copy of process k that may be changed.
func (w *world) own(k int) *process {
	p := *w.procs[k]
	p.m.pending = slices.Clone(p.m.pending)
	for i := range p.m.pending {
		p.m.pending[i].acks = slices.Clone(p.m.pending[i].acks)
	}
	p.m.aborts = slices.Clip(p.m.aborts)
	p.tasks = slices.Clone(p.tasks)
	w.procs[k] = &p
	return &p
}

// dawn is when everything happens. Pauses and deadlines decide nothing here:
// what could happen after one may happen at any time.
var dawn = time.Unix(1, 0)

// never is when a checkpoint times out, unless that is the step.
const never = 1000 * time.Hour

// deadline tells a machine the time at which one of its checkpoints times out.
type deadline struct{}

func (deadline) isEvent() {}

// tell steps the machine of process k and does what it says. choose is what
// the subtask reuses if a checkpoint starts; unwritable fails manifests.
func (w *world) tell(k int, e event, choose func(checkpoint.Barrier) set, unwritable bool) {
	p := w.procs[k]
	now := dawn
	if _, ok := e.(ticked); ok {
		now = dawn.Add(sweepEvery)
		if p.m.commit.stage == resting {
			now = p.m.commit.again
		}
	}
	for _, a := range p.m.step(now, e) {
		switch a := a.(type) {
		case readHead:
			p.reading = true
		case swapHead:
			n := len(w.net)
			w.net = slices.DeleteFunc(w.net, func(r request) bool { // the very same, sent again
				return r.boot == k && r.ifMatch == a.etag && contentOf(r.head) == contentOf(a.head)
			})
			w.net = append(w.net, request{boot: k, ifMatch: a.etag, head: a.head, waited: true, again: len(w.net) < n})
		case lead:
			w.tell(k, attached{testGraph, 1}, nil, false)
		case readManifest:
			w.tell(k, manifestRead{ref: a.ref, manifest: w.manifest(a.ref)}, nil, false)
		case attachDone:
			if a.err == nil {
				w.tell(k, started{checkpoint.Execution{Epoch: p.m.head.Epoch, Attempt: 1}, []checkpoint.SubtaskID{{Vertex: "op"}}}, nil, false)
			}
		case sweep:
			if w.sweepsLate {
				p.sweep = &a.dead
			} else {
				w.sweepAll(w.reach(a.kept), a.dead)
			}
		case trigger:
			r := Ref{ID: a.ID, Epoch: a.Epoch}
			p.tasks = slices.DeleteFunc(p.tasks, func(t task) bool { return t.ref == r })
			p.tasks = append(p.tasks, task{ref: r, names: choose(a.Barrier) | dataOf(r)})
		case writeManifest:
			r := Ref{ID: a.manifest.Checkpoint, Epoch: a.manifest.Epoch}
			var err error
			w.exists |= manifestOf(r) // a write that failed may be applied all the same
			if unwritable {
				err = errors.New("not written")
			} else {
				s := manifestOf(r)
				for name := range a.manifest.Objects() {
					s |= objectByID[name]
				}
				w.manifests[index(r)] = s
			}
			w.tell(k, manifestWritten{ref: r, err: err}, nil, false)
		case committed:
			w.publish(a.ref)
		case collect:
			w.doomed |= w.reach(a.dropped) &^ w.reach(a.kept)
		case discard:
			for _, n := range a.names {
				w.doomed |= objectByID[n]
			}
		case stop:
			w.procs[k] = nil
		}
	}
	if w.procs[k] == nil {
		return
	}
	// What decides nothing but pauses, alarms and giving up.
	m := &p.m
	m.lead.tries, m.lead.found, m.commit.tries, m.commit.cause, m.failures, m.late, m.patience, m.alarms = 0, headRead{}, 0, nil, 0, 0, 0, nil
	m.commit.sends = min(m.commit.sends, 2)
	if m.sound {
		m.sweepAt = dawn.Add(sweepEvery)
	}
	for i := range m.pending {
		m.pending[i].deadline = dawn.Add(never)
	}
}

// publish is the notice of a commit as it reaches all subtasks that still hold
// an output, also those of a dead execution. Each follows executionNamed.
func (w *world) publish(ref Ref) {
	for i := range universe {
		r := refAt(i)
		if w.held&dataOf(r) != 0 && (r == ref || !w.rules.on(executionNamed) && r.ID == ref.ID) {
			w.held &^= dataOf(r)
			w.published |= dataOf(r)
		}
	}
}

// The following are made once for each set of names.
var (
	handles   = map[set]*incremental.Handle{}
	sweepings = map[sweeping]set{}
)

type sweeping struct {
	exists, kept, spared set
	epoch                checkpoint.Epoch
	next                 checkpoint.ID
}

// manifest makes a manifest that states what was written.
func (w *world) manifest(r Ref) *incremental.Manifest {
	return &incremental.Manifest{Checkpoint: r.ID, Epoch: r.Epoch, Graph: testGraph, Subtasks: []incremental.Subtask{{Operator: "op", Keyed: w.handle(r, w.manifests[index(r)])}}}
}

func (w *world) handle(r Ref, names set) *incremental.Handle {
	names |= 1 << 63 >> r.ID // the handle states its checkpoint
	if h := handles[names]; h != nil {
		return h
	}
	h := &incremental.Handle{Operator: "op", Checkpoint: r.ID}
	handles[names] = h
	for i := range universe {
		if names&dataOf(refAt(i)) != 0 {
			h.Objects = append(h.Objects, incremental.Object{Name: objectNames[i], Size: 1})
		}
	}
	return h
}

// passed reports whether the epoch that a process leads is over, which it need
// not know yet.
func (w *world) passed(p *process) bool {
	return p.m.phase == leads && p.m.head.Epoch < w.head.Epoch
}

// wonUnawares reports whether a swap of process k was applied and the process
// waits for the answer.
func (w *world) wonUnawares(k int) bool {
	return slices.ContainsFunc(w.net, func(r request) bool { return r.boot == k && r.waited && r.applied })
}

// sweepAll dooms what the real decision picks from a listing.
func (w *world) sweepAll(kept set, dead scope) {
	memo := sweeping{exists: w.exists &^ w.doomed, kept: kept, epoch: dead.epoch, next: dead.next}
	for _, r := range dead.spared {
		memo.spared |= dataOf(r)
	}
	if doomed, ok := sweepings[memo]; ok {
		w.doomed |= doomed
		return
	}
	defer func() { sweepings[memo] = w.doomed & memo.exists }()
	for name, bit := range objectByID {
		if w.exists&bit&^w.doomed != 0 && judge(name, func(o string) bool { return kept&objectByID[o] != 0 }, dead) == doom {
			w.doomed |= bit
		}
	}
}
