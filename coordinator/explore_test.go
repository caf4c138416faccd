package coordinator

import (
	"encoding/binary"
	"flag"
	"fmt"
	"hash/maphash"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
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
