package statetest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
)

var seed = flag.Uint64("statetest.seed", 0, "seed of the one random sequence that statetest runs; 0: new ones each run")

// modelled are the states of one subtask.
type modelled struct {
	value  state.Value[stats]
	number state.Value[int64]
	sum    state.Reducing[int64]
	joined state.Reducing[string]
	mean   state.Aggregating[int64, [2]int64, int64]
	list   state.List[int64]
	table  state.Map[string, int64]

	coming *state.Expectation
}

// RandomStates are the states of Random, by their names alone.
func RandomStates() []state.Descriptor {
	var all []state.Descriptor
	for _, name := range []string{"value", "number", "sum", "joined", "mean", "list", "table"} {
		all = append(all, state.Descriptor{Name: name})
	}
	return all
}

// ttls are the options of modelled states.
type ttls struct{ value, number, sum, joined, mean, list, table ttl }

func (l *ttls) each() []*ttl {
	return []*ttl{&l.value, &l.number, &l.sum, &l.joined, &l.mean, &l.list, &l.table}
}

// inFlight is a checkpoint that is being persisted.
type inFlight struct {
	barrier checkpoint.Barrier
	model   *model
	broken  bool // it may fail, and is given up
	cancel  context.CancelFunc
	handles []checkpoint.StateHandle
	errs    []error
	done    sync.WaitGroup
}

// random runs a sequence of random operations on states and on a model of
// plain maps: writes, reads, the passing of time, overlapping checkpoints that
// commit, abort or fail, compactions, crashes, and restores from any of the last
// checkpoints with another parallelism and other TTLs.
type random struct {
	t        *testing.T
	h        Harness
	r        *rand.Rand
	o        *op
	model    *model
	ttls     ttls
	states   []modelled
	flying   []*inFlight
	retained []*stored
	models   map[checkpoint.ID]*model
	trace    []string // of the last operations
}

const (
	sequenceSteps = 250
	randomKeys    = 12
	retain        = 3
)

var randomNamespaces = []string{"", "", "w1", "\x00"}

// Random runs only the random test of Run: Harness.Sequences, each with a seed of
// its own.
func Random(t *testing.T, h Harness) {
	first, n := uint64(time.Now().UnixNano()), max(1, h.Sequences)
	if testing.Short() {
		n = max(1, n/20)
	}
	if *seed != 0 {
		first, n = *seed, 1
	}
	t.Logf("%d sequences from -statetest.seed=%d on", n, first)
	for s := first; s < first+uint64(n); s++ {
		if !t.Run(fmt.Sprint(s), func(t *testing.T) { runSequence(t, h, s) }) {
			t.Fatalf("replay with -statetest.seed=%d", s)
		}
	}
}

func runSequence(t *testing.T, h Harness, seed uint64) {
	x := &random{t: t, h: h, r: rand.New(rand.NewPCG(seed, 0)), o: newOp(t, h), model: newModel(), models: map[checkpoint.ID]*model{}}
	for _, l := range x.ttls.each() {
		*l = x.anyTTL()
	}
	x.open(nil)
	for range sequenceSteps {
		x.step()
	}
	x.land(len(x.flying))
	x.compareAll()
	x.o.stop()
}

func (x *random) now() int64 { return x.o.clock.Now().UnixMilli() }

func (x *random) anyTTL() ttl {
	if x.r.IntN(3) == 0 {
		return ttl{}
	}
	return ttl{[]int64{5, 30, 300}[x.r.IntN(3)], x.r.IntN(2) == 0}
}

// options returns those of a state.
func (l ttl) options() []state.Option {
	refresh := state.RefreshOnWrite
	if l.onRead {
		refresh = state.RefreshOnRead
	}
	if l.millis == 0 {
		return nil
	}
	return []state.Option{state.TTL(time.Duration(l.millis)*time.Millisecond, refresh)}
}

func (x *random) open(from *stored) {
	parallelism := 1
	if !x.h.NoRescale && x.r.IntN(2) == 0 {
		parallelism = 1 + x.r.IntN(4)
	}
	x.o.start(parallelism, from)
	x.states = nil
	for _, s := range x.o.subtasks {
		x.states = append(x.states, modelled{
			state.NewValue[stats](s, "value", x.ttls.value.options()...),
			state.NewValue[int64](s, "number", x.ttls.number.options()...),
			state.NewReducing(s, "sum", add, x.ttls.sum.options()...),
			state.NewReducing(s, "joined", join, x.ttls.joined.options()...),
			state.NewAggregating(s, "mean", mean, x.ttls.mean.options()...),
			state.NewList[int64](s, "list", x.ttls.list.options()...),
			state.NewMap[string, int64](s, "table", x.ttls.table.options()...),
			&state.Expectation{},
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
	case n < 38:
		x.note("crash")
		x.crash()
	case n < 41:
		x.note("compare all")
		x.compareAll()
	case n < 46:
		if x.h.Compact != nil {
			x.note("compact")
			x.h.Compact()
		}
	case n < 100:
		x.expect(x.r.IntN(len(x.states)))
	case n < 250:
		d := time.Duration(1+x.r.IntN([]int{3, 3, 3, 100}[x.r.IntN(4)])) * time.Millisecond
		x.note("%v pass", d)
		x.o.clock.Advance(d)
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
	x.t.Logf("TTLs: %+v; now %d", x.ttls, x.now())
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

// takeOff starts a checkpoint, which the harness may break.
func (x *random) takeOff() {
	f := &inFlight{model: x.model.clone()}
	for _, before := range x.flying {
		f.broken = f.broken || before.broken // it may take others with it
	}
	if x.h.Break != nil && x.r.IntN(4) == 0 {
		way := x.r.IntN(8)
		x.note("broken in way %d", way)
		x.h.Break(way)
		f.broken = true
	}
	var pending []state.Pending
	f.barrier, pending = x.o.snapshot()
	f.handles, f.errs = make([]checkpoint.StateHandle, len(pending)), make([]error, len(pending))
	ctx, cancel := context.WithCancel(x.t.Context())
	f.cancel = cancel
	for i, p := range pending {
		f.done.Go(func() { f.handles[i], f.errs[i] = p.Persist(ctx) })
	}
	x.flying = append(x.flying, f)
}

// land ends the n oldest checkpoints in flight: it commits or aborts them, some
// while they are still being persisted. Notices are sometimes doubled or lost
// (I6). What happens to a checkpoint does not depend on its progress, so that a
// seed replays.
func (x *random) land(n int) {
	for _, f := range x.flying[:n] {
		if x.r.IntN(8) == 0 {
			f.cancel()
			f.broken = true
		}
		f.done.Wait()
		f.cancel()
		if !f.broken {
			x.check(errors.Join(f.errs...))
		}
		if f.broken || x.r.IntN(4) == 0 {
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
	x.flying = slices.Clone(x.flying[n:])
}

// crash drops what is in flight and what no checkpoint holds, and resumes from a
// retained checkpoint, perhaps with other TTLs.
func (x *random) crash() {
	for _, f := range x.flying {
		if x.r.IntN(2) == 0 {
			f.cancel()
		}
		f.done.Wait()
		f.cancel()
	}
	x.flying = nil
	x.o.stop()
	for _, l := range x.ttls.each() {
		if x.r.IntN(3) == 0 {
			*l = x.anyTTL()
		}
	}
	if len(x.retained) == 0 {
		x.model = newModel()
		x.open(nil)
		return
	}
	c := x.retained[x.r.IntN(len(x.retained))]
	x.model = x.models[c.id].clone()
	x.open(c)
	x.compareAll()
}
