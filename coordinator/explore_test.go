package coordinator

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/maphash"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload"
)

// The exploration drives real machines through every interleaving, within
// small bounds, of coordinators that boot, lead, sweep, close, crash and are
// fenced, of their subtasks, of a tool that edits head, and of a sweep by
// somebody who does not lead, over a store whose requests are applied late,
// after the client gave up on them, or never.
//
// Deletes need no steps of their own. A doomed object may be deleted at once,
// late, or twice, also after its coordinator crashed; so a checkpoint can lose
// an object exactly if the object is doomed and reachable at the same time.
// Doomed objects are therefore only ever added to, and a reachable one is a
// breach. Likewise a read of head is answered with head as it is when the
// answer arrives, since the machine does nothing else meanwhile that depends
// on it, and a swap that can never be applied any more is forgotten once
// nobody waits for it. A coordinator whose epoch has passed, and which does
// not know it yet, may still learn of a swap that it won, sweep and crash; it
// finds nothing but its end in head, and what it triggers, gathers or aborts
// has names that no head can ever hold, so those steps are left out. What no
// head, swap, base or pending checkpoint names any more can never be reached
// again, and is forgotten.

// bounds limit an exploration: every process that boots may lead one epoch.
type bounds struct {
	epochs, ids int
	edits       int  // of head by the tool
	sweepsLate  bool // a sweep is carried out at any time after its decision, not at once
	outputs     bool // subtasks hold outputs and publish them
	forgetful   bool // the tool does not raise head's version
}

func (b bounds) String() string {
	s := fmt.Sprintf("%d epochs, %d checkpoints each, %d edits of head", b.epochs, b.ids, b.edits)
	if b.sweepsLate {
		s += ", late sweeps"
	}
	if b.outputs {
		s += ", outputs"
	}
	if b.forgetful {
		s += " by a forgetful tool"
	}
	return s
}

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

// key is a canonical rendering of the world's state.
func (w *world) key(b []byte) []byte {
	content := func(h Head) {
		if h.Writer == "" {
			b = append(b, 0)
			return
		}
		c := contentOf(h)
		b = append(append(b, byte(len(c))), c...)
	}
	flag := func(is bool) {
		if is {
			b = append(b, 1)
			return
		}
		b = append(b, 0)
	}
	content(w.head)
	b = binary.LittleEndian.AppendUint64(b, uint64(w.exists))
	b = binary.LittleEndian.AppendUint64(b, uint64(w.doomed))
	for i, m := range w.manifests {
		if m != 0 {
			b = binary.LittleEndian.AppendUint64(append(b, byte(i)), uint64(m))
		}
	}
	b = append(b, 0xff, byte(w.boots))
	flag(w.swept)
	b = append(b, byte(w.edited))
	if w.outputs {
		b = binary.LittleEndian.AppendUint64(b, uint64(w.held))
		b = binary.LittleEndian.AppendUint64(b, uint64(w.won))
		b = binary.LittleEndian.AppendUint64(b, uint64(w.published))
	}
	slices.SortFunc(w.net, func(x, y request) int {
		if x.boot != y.boot {
			return x.boot - y.boot
		}
		if c := strings.Compare(x.ifMatch, y.ifMatch); c != 0 {
			return c
		}
		return strings.Compare(contentOf(x.head), contentOf(y.head))
	})
	for _, r := range w.net {
		b = append(append(b, byte(r.boot), byte(len(r.ifMatch))), r.ifMatch...)
		content(r.head)
		flag(r.waited)
		flag(r.applied)
		flag(r.again)
	}
	scoped := func(s *scope) {
		if flag(s != nil); s == nil {
			return
		}
		b = append(b, byte(s.epoch), byte(s.next), byte(len(s.spared)))
		for _, r := range s.spared {
			b = append(b, byte(r.ID))
		}
	}
	for k, p := range w.procs {
		b = append(b, 0xfe)
		if p == nil {
			continue
		}
		m := &p.m
		if w.passed(p) {
			content(m.head)
			if w.wonUnawares(k) {
				content(m.commit.next)
			}
			scoped(p.sweep)
			continue
		}
		b = append(b, byte(m.phase), byte(m.attempt.stage), byte(m.next), byte(m.base.ID), byte(m.base.Epoch), byte(m.commit.stage), byte(m.commit.ref.ID))
		content(m.lead.sent)
		content(m.head)
		b = append(append(b, byte(len(m.etag))), m.etag...)
		content(m.commit.next)
		b = append(b, byte(m.commit.sends))
		flag(m.commit.denied)
		flag(m.lineage)
		flag(p.reading)
		flag(m.closing)
		scoped(p.sweep)
		for _, q := range m.pending {
			b = append(b, byte(q.ID), byte(q.base.ID), byte(q.state), byte(q.missing))
		}
		b = append(b, 0xfd)
		for _, id := range m.aborts {
			b = append(b, byte(id))
		}
		b = append(b, 0xfc)
		for _, t := range p.tasks {
			b = binary.LittleEndian.AppendUint64(append(b, byte(t.ref.ID)), uint64(t.names))
			flag(t.done)
		}
	}
	return b
}

// settle forgets what cannot matter any more.
func (w *world) settle() {
	// Versions never fall, and an ETag begins with one.
	w.net = slices.DeleteFunc(w.net, func(r request) bool { return !r.waited && r.ifMatch[0] < byte(w.head.Version) })
	for k, p := range w.procs {
		if p != nil && w.passed(p) && !w.wonUnawares(k) {
			w.net = slices.DeleteFunc(w.net, func(r request) bool { return r.boot == k })
		}
		if p != nil && p.sweep == nil && (p.m.phase == stopped || w.passed(p) && !w.wonUnawares(k)) {
			w.procs[k] = nil // nothing follows
		}
	}
	if w.rules.off == 0 {
		w.forget()
	}
	for _, p := range w.procs {
		if p == nil || p.m.phase != leads {
			continue
		}
		for i, t := range p.tasks {
			// What became of a checkpoint that was decided is in the manifests.
			if _, ok := p.m.find(t.ref.ID); !ok && t.done {
				p.tasks[i].names = 0
			}
		}
	}
}

// forget clears what is known of objects that nothing can reach again.
func (w *world) forget() {
	named := dataOf // of checkpoints
	var refs, reached set
	add := func(h Head) {
		for _, r := range h.Retained {
			refs |= named(r.Ref())
		}
	}
	add(w.head)
	for _, r := range w.net {
		add(r.head)
	}
	for _, p := range w.procs {
		if p == nil {
			continue
		}
		add(p.m.head)
		add(p.m.commit.next)
		if w.passed(p) {
			continue
		}
		if p.m.base.ID != 0 {
			refs |= named(p.m.base.Ref)
		}
		for _, q := range p.m.pending {
			refs |= named(q.Ref)
			reached |= dataOf(q.Ref) | manifestOf(q.Ref)
			if q.base.ID != 0 {
				refs |= named(q.base.Ref)
			}
		}
		for _, t := range p.tasks {
			if q, ok := p.m.find(t.ref.ID); ok && q.Ref == t.ref {
				reached |= t.names
			}
		}
	}
	for i := range w.manifests {
		if refs&named(refAt(i)) == 0 {
			w.manifests[i] = 0
		}
		reached |= w.manifests[i]
	}
	w.exists &= reached
	w.doomed &= reached
}

// explore visits every state within the bounds, or up to the first breach,
// to which it returns the shortest way. With a rule off, only the loss of what
// a retained checkpoint reaches counts.
func explore(r rules, b bounds) (states int, trace []string) {
	start := &world{rules: r, bounds: b, head: Head{Version: 1, Epoch: 1, NextID: 2, Writer: "-", Retained: []Retained{{ID: 1, Epoch: 1}}}}
	start.exists = dataOf(Ref{ID: 1, Epoch: 1}) | manifestOf(Ref{ID: 1, Epoch: 1})
	start.manifests[0] = start.exists
	type node struct {
		parent int32
		label  label
	}
	seeds := [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	seen := map[[2]uint64]struct{}{}
	nodes := []node{{-1, label{}}}
	type item struct {
		w  *world
		at int32
	}
	layer := []item{{start, 0}}
	var buf []byte
	var found []string
	for len(layer) > 0 && found == nil {
		var following []item
		for _, it := range layer {
			it.w.next(func(c *world, l label) {
				if found != nil {
					return
				}
				c.settle()
				buf = c.key(buf[:0])
				k := [2]uint64{maphash.Bytes(seeds[0], buf), maphash.Bytes(seeds[1], buf)}
				if _, ok := seen[k]; ok {
					return
				}
				seen[k] = struct{}{}
				nodes = append(nodes, node{it.at, l})
				following = append(following, item{c, int32(len(nodes) - 1)})
				if what, lost := c.breach(r.off != 0); lost != 0 {
					found = []string{fmt.Sprintf("%s the %v", what, lost)}
					for i := int32(len(nodes) - 1); i > 0; i = nodes[i].parent {
						found = append(found, nodes[i].label.String())
					}
					slices.Reverse(found)
				}
			})
			if found != nil {
				break
			}
		}
		layer = following
	}
	return len(nodes), found
}

// exploredShort are the bounds of a short run, explored those of every other
// besides, and exploredLong those of make explore.
var (
	exploredShort = []bounds{
		{epochs: 2, ids: 1, outputs: true},
		{epochs: 1, ids: 2, sweepsLate: true},
		{epochs: 1, ids: 2, edits: 1},
	}
	explored = []bounds{
		{epochs: 1, ids: 3, sweepsLate: true},
		{epochs: 1, ids: 2, edits: 2},
		{epochs: 2, ids: 1, edits: 2},
		{epochs: 1, ids: 2, edits: 2, forgetful: true},
		{epochs: 2, ids: 2},
	}
	exploredLong = []bounds{
		{epochs: 1, ids: 3, edits: 1},
		{epochs: 1, ids: 3, edits: 2},
	}
	long = flag.Bool("long", false, "explore the long bounds, too: 320,000 states more")
)

// I1, I2, I4, I15: within the bounds no interleaving loses an object, or
// publishes what was not committed.
func TestExploreAllRulesOn(t *testing.T) {
	all := exploredShort
	if !testing.Short() {
		all = slices.Concat(all, explored)
	}
	if *long {
		all = slices.Concat(all, exploredLong)
	}
	for _, b := range all {
		start := time.Now()
		n, trace := explore(rules{}, b)
		t.Logf("%v: %d states in %v", b, n, time.Since(start).Round(time.Millisecond))
		for _, s := range trace {
			t.Error(s)
		}
	}
}

// breaches are the bounds within which the lack of a rule shows.
var breaches = map[string]struct {
	off    rule
	bounds bounds
}{
	"baseNamed":      {baseNamed, bounds{epochs: 1, ids: 3}},
	"baseKept":       {baseKept, bounds{epochs: 1, ids: 3}},
	"headDecides":    {headDecides, bounds{epochs: 1, ids: 3}},
	"deadEpochsOnly": {deadEpochsOnly, bounds{epochs: 1, ids: 3}},
	"namesOnce":      {namesOnce, bounds{epochs: 1, ids: 3}},
	"ownCommit":      {ownCommit, bounds{epochs: 1, ids: 3}},
	"sparesPending":  {sparesPending, bounds{epochs: 1, ids: 3}},
	"closesLast":     {closesLast, bounds{epochs: 1, ids: 3}},
	"deniedFirst":    {deniedFirst, bounds{epochs: 1, ids: 3}},
	"rebasesOnBase":  {rebasesOnBase, bounds{epochs: 1, ids: 2, edits: 2}},
	"sameHead":       {sameHead, bounds{epochs: 1, ids: 2, edits: 2, forgetful: true}},
	"executionNamed": {executionNamed, bounds{epochs: 2, ids: 1, outputs: true}},
}

// I1, I2, I15: each of the rules is needed; without it the exploration finds
// how to lose an object, or to publish what was not committed.
func TestExploreEachRuleOff(t *testing.T) {
	for name, c := range breaches {
		t.Run(name, func(t *testing.T) {
			n, trace := explore(rules{off: c.off}, c.bounds)
			if trace == nil {
				t.Fatalf("nothing is lost in %d states without the rule: it is not needed, or the exploration misses it", n)
			}
			t.Logf("%v: broken after %d states", c.bounds, n)
			for i, s := range trace {
				t.Logf("%3d %s", i+1, s)
			}
		})
	}
}

// Every rule in rules.go is explored, and explained in PROTOCOL.md.
func TestRulesAreExplained(t *testing.T) {
	code, err := os.ReadFile("rules.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	rules := regexp.MustCompile(`(?m)^\t// (\w+): `).FindAllSubmatch(code, -1)
	if len(rules) != len(breaches) {
		t.Errorf("%d rules are documented, and %d explored", len(rules), len(breaches))
	}
	for _, r := range rules {
		if name := string(r[1]); !strings.Contains(string(text), "\n| `"+name+"` | ") || breaches[name].off == 0 {
			t.Errorf("rule %s is not in PROTOCOL.md or not explored", name)
		}
	}
}
