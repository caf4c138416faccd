package statetest

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
)

var seed = flag.Uint64("statetest.seed", 0, "seed of statetest's random test; 0: a new one each run")

// model is what the states must hold, by "key|namespace".
type model struct {
	value map[string]stats
	list  map[string][]int64
	table map[string]map[string]int64
	sum   map[string]int64
}

func newModel() *model {
	return &model{map[string]stats{}, map[string][]int64{}, map[string]map[string]int64{}, map[string]int64{}}
}

func (m *model) clone() *model {
	c := &model{maps.Clone(m.value), maps.Clone(m.list), map[string]map[string]int64{}, maps.Clone(m.sum)}
	for id, items := range c.list {
		c.list[id] = slices.Clone(items)
	}
	for id, table := range m.table {
		c.table[id] = maps.Clone(table)
	}
	return c
}

// modelled are the states of one subtask.
type modelled struct {
	value state.Value[stats]
	list  state.List[int64]
	table state.Map[string, int64]
	sum   state.Reducing[int64]
}

// inFlight is a checkpoint that is being persisted.
type inFlight struct {
	barrier checkpoint.Barrier
	model   *model
	handles []checkpoint.StateHandle
	errs    []error
	done    sync.WaitGroup
}

// random runs random operations on states and on a model of plain maps:
// writes, reads, overlapping checkpoints that commit or abort, crashes, and
// restores from any of the last checkpoints at another parallelism.
type random struct {
	t        *testing.T
	h        Harness
	r        *rand.Rand
	o        *op
	model    *model
	states   []modelled
	flying   []*inFlight
	retained []*stored
	models   map[checkpoint.ID]*model
	trace    []string // of the last operations
}

const (
	randomKeys = 80
	retain     = 3
)

var randomNamespaces = []string{"", "", "w1", "\x00"}

func testRandom(t *testing.T, h Harness) {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("replay with -statetest.seed=%d", s)
	steps := h.Steps
	if steps == 0 {
		steps = 3000
	}
	x := &random{t: t, h: h, r: rand.New(rand.NewPCG(s, 0)), o: newOp(t, h), model: newModel(), models: map[checkpoint.ID]*model{}}
	x.open(nil)
	for range steps {
		x.step()
	}
	x.land(len(x.flying))
	x.compareAll()
	x.o.stop()
}

func (x *random) open(from *stored) {
	parallelism := 1
	if !x.h.NoRescale {
		parallelism = 1 + x.r.IntN(4)
	}
	x.o.start(parallelism, from)
	x.states = nil
	for _, s := range x.o.subtasks {
		x.states = append(x.states, modelled{
			state.NewValue[stats](s, "value"),
			state.NewList[int64](s, "list"),
			state.NewMap[string, int64](s, "table"),
			state.NewReducing(s, "sum", func(a, b int64) int64 { return a + b }),
		})
		s.opened()
	}
}

func (x *random) step() {
	switch n := x.r.IntN(1000); {
	case n < 15 && len(x.flying) < 3:
		x.note("snapshot")
		x.takeOff()
	case n < 30:
		x.note("land")
		x.land(min(1, len(x.flying)))
	case n < 34:
		x.note("crash")
		x.crash()
	case n < 37:
		x.note("compare all")
		x.compareAll()
	default:
		x.access()
	}
}

func (x *random) note(format string, args ...any) {
	x.trace = append(x.trace, fmt.Sprintf(format, args...))
	if len(x.trace) > 40 {
		x.trace = x.trace[1:]
	}
}

func (x *random) fatal(format string, args ...any) {
	x.t.Helper()
	for _, line := range x.trace {
		x.t.Log(line)
	}
	x.t.Fatalf(format, args...)
}

func (x *random) check(err error) {
	x.t.Helper()
	if err != nil {
		x.fatal("%v", err)
	}
}

// access writes or reads one state of one key.
func (x *random) access() {
	k, ns := fmt.Sprint("k", x.r.IntN(randomKeys)), randomNamespaces[x.r.IntN(len(randomNamespaces))]
	at, id := keyIn(k, ns), k+"|"+ns
	s, m := x.states[slices.Index(x.o.subtasks, x.o.owner(at))], x.model
	v := x.r.Int64N(1000) - 500
	mk := string(rune('a' + x.r.IntN(8)))
	kind := x.r.IntN(16)
	x.note("%d on %q, %d, %s", kind, id, v, mk)
	switch kind {
	case 0, 1:
		w := stats{Count: v, Name: k, Mean: float64(v) / 2, Tags: slices.Repeat([]string{mk}, x.r.IntN(3))}
		m.value[id] = w
		x.check(s.value.Set(at, w))
	case 2:
		delete(m.value, id)
		x.check(s.value.Clear(at))
	case 3, 4:
		items := slices.Repeat([]int64{v}, x.r.IntN(3))
		if len(items) > 0 {
			m.list[id] = append(slices.Clone(m.list[id]), items...)
		}
		x.check(s.list.Add(at, items...))
	case 5:
		delete(m.list, id)
		if x.r.IntN(2) == 0 {
			x.check(s.list.Clear(at))
			break
		}
		m.list[id] = []int64{v, v + 1}
		x.check(s.list.Set(at, m.list[id]))
	case 6, 7, 8:
		if m.table[id] == nil {
			m.table[id] = map[string]int64{}
		}
		m.table[id][mk] = v
		x.check(s.table.Set(at, mk, v))
	case 9:
		delete(m.table[id], mk)
		x.check(s.table.Delete(at, mk))
	case 10:
		delete(m.table, id)
		x.check(s.table.Clear(at))
	case 11, 12:
		m.sum[id] += v
		x.check(s.sum.Add(at, v))
	case 13:
		delete(m.sum, id)
		x.check(s.sum.Clear(at))
	default:
		x.compare(k, ns)
	}
}

// compare compares all states of one key and namespace with the model.
func (x *random) compare(k, ns string) {
	x.t.Helper()
	at, id := keyIn(k, ns), k+"|"+ns
	s, m := x.states[slices.Index(x.o.subtasks, x.o.owner(at))], x.model
	value, found, err := s.value.Get(at)
	x.check(err)
	if want, there := m.value[id]; found != there || value.String() != want.String() {
		x.fatal("value of %q is %v, %v; want %v, %v", id, value, found, want, there)
	}
	list, err := s.list.Get(at)
	x.check(err)
	if !slices.Equal(list, m.list[id]) {
		x.fatal("list of %q is %v, want %v", id, list, m.list[id])
	}
	table := map[string]int64{}
	for e, err := range s.table.All(at) {
		x.check(err)
		table[e.Key] = e.Value
	}
	if !maps.Equal(table, m.table[id]) {
		x.fatal("map of %q is %v, want %v", id, table, m.table[id])
	}
	sum, found, err := s.sum.Get(at)
	x.check(err)
	if want, there := m.sum[id]; found != there || sum != want {
		x.fatal("sum of %q is %d, %v; want %d, %v", id, sum, found, want, there)
	}
}

func (x *random) compareAll() {
	x.t.Helper()
	var want []string
	for i := range randomKeys {
		k, there := fmt.Sprint("k", i), false
		for _, ns := range randomNamespaces {
			x.compare(k, ns)
			id := k + "|" + ns
			_, value := x.model.value[id]
			_, sum := x.model.sum[id]
			there = there || value || sum || len(x.model.list[id]) > 0 || len(x.model.table[id]) > 0
		}
		if there {
			want = append(want, k)
		}
	}
	slices.Sort(want)
	if got := x.o.visited(); !slices.Equal(got, want) {
		x.fatal("keys with state are %q, want %q", got, want)
	}
}

// takeOff starts a checkpoint.
func (x *random) takeOff() {
	b, pending := x.o.snapshot()
	f := &inFlight{barrier: b, model: x.model.clone(), handles: make([]checkpoint.StateHandle, len(pending)), errs: make([]error, len(pending))}
	for i, p := range pending {
		f.done.Go(func() { f.handles[i], f.errs[i] = p.Persist(x.t.Context()) })
	}
	x.flying = append(x.flying, f)
}

// land waits for the n oldest checkpoints in flight, and commits or aborts
// them; notices are sometimes doubled or lost (I6).
func (x *random) land(n int) {
	for _, f := range x.flying[:n] {
		f.done.Wait()
		for _, err := range f.errs {
			x.check(err)
		}
		if x.r.IntN(4) == 0 {
			for range x.r.IntN(3) {
				for _, s := range x.o.subtasks {
					s.registry.Aborted(f.barrier.ID)
				}
			}
			continue
		}
		c := &stored{f.barrier.ID, f.handles}
		if x.h.Reload != nil {
			for i := range c.handles {
				c.handles[i] = x.h.Reload(x.t, c.handles[i])
			}
		}
		for range x.r.IntN(3) {
			x.o.commit(c)
		}
		x.o.base = c.id
		x.models[c.id] = f.model
		x.retained = append(x.retained, c)
		if len(x.retained) > retain {
			delete(x.models, x.retained[0].id)
			x.retained = x.retained[1:]
		}
	}
	x.flying = x.flying[n:]
}

// crash drops what is in flight and all that is not in a checkpoint, and
// resumes from one of those that are retained.
func (x *random) crash() {
	for _, f := range x.flying {
		f.done.Wait()
	}
	x.flying = nil
	x.o.stop()
	if len(x.retained) == 0 {
		x.model = newModel()
		x.open(nil)
		return
	}
	i := x.r.IntN(len(x.retained))
	c := x.retained[i]
	x.model = x.models[c.id].clone()
	x.open(c)
	x.compareAll()
}
