package coordinator_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/faultstore"
	"github.com/tidemark/tidemark/upload/memstore"
)

var editSeed = flag.Uint64("edits.seed", 0, "seed of the one sequence of edits to run; 0: new ones each run")

// guarded fails the test when a reachable object is deleted.
type guarded struct {
	upload.Store
	t *testing.T
}

func (g guarded) Delete(ctx context.Context, names ...string) error {
	reachable, err := coordinator.Reachable(ctx, g.Store)
	if err != nil {
		g.t.Errorf("delete %q: what is reachable is not known: %v", names, err)
	}
	for _, name := range names {
		if by, ok := reachable[name]; ok {
			g.t.Errorf("%s is deleted, and kept by %v", name, by)
		}
	}
	return g.Store.Delete(ctx, names...)
}

// I1, I2, I4, I5, I6: pins, tags, removals, policies and sweeps of tools, at random,
// beside leaders that come and go, with requests of both that fail before or after they
// are applied, or are applied late. After every step head holds what was asked for, and
// every retained checkpoint is whole; in the end nothing dead is left.
func TestRandomEdits(t *testing.T) {
	n, first := 300, uint64(time.Now().UnixNano())
	if testing.Short() {
		n = 40
	}
	if *editSeed != 0 {
		n, first = 1, *editSeed
	}
	for seed := first; seed < first+uint64(n) && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) { randomEdits(t, seed) })
		if t.Failed() {
			t.Logf("replay with -edits.seed=%d", seed)
		}
	}
}

// tooled is a job whose head tools edit, and what they asked for.
type tooled struct {
	t          *testing.T
	r          *rand.Rand
	mem        upload.Store
	tool       *faultstore.Store // the tools' way to the store
	leader     *faultstore.Store
	c          *coordinator.Coordinator
	w          *crew
	attempt    checkpoint.Attempt
	pins, tags map[string]checkpoint.ID
	removed    []checkpoint.ID
	newest     checkpoint.ID
	log        []string
}

func randomEdits(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	x := &tooled{t: t, r: r, mem: guarded{memstore.New(), t}, pins: map[string]checkpoint.ID{}, tags: map[string]checkpoint.ID{}}
	faults := []faultstore.Fault{{Before: errTest}, {After: errTest}, {Late: errTest}, {Twice: true}}
	often := r.IntN(4)                                  // of 20 requests
	inject := func(stream uint64) faultstore.Injector { // a store asks under a lock of its own
		r := rand.New(rand.NewPCG(seed, stream))
		return faultstore.InjectorFunc(func(faultstore.Op) faultstore.Fault {
			if r.IntN(20) >= often {
				return faultstore.Fault{}
			}
			return faults[r.IntN(len(faults))]
		})
	}
	x.tool, x.leader = faultstore.Wrap(x.mem, inject(1)), faultstore.Wrap(x.mem, inject(2))
	x.lead()
	for range 25 {
		x.step()
		if t.Failed() {
			for _, line := range x.log {
				t.Log(line)
			}
			break
		}
	}
	x.tool.Set(nil)
	x.leader.Set(nil)
	x.late()
	x.stop()
	x.lead() // an attempt begins with a sweep
	x.trigger()
	time.Sleep(time.Minute)
	x.stop()
	x.check()
	tidy(t, x.mem)
}

func (x *tooled) late() {
	x.tool.ApplyLate(context.Background())
	x.leader.ApplyLate(context.Background())
}

func (x *tooled) lead() {
	for {
		c, err := tryOpen(x.t, x.leader, func(o *coordinator.Options) {
			o.RequestTimeout, o.TolerableFailures, o.Retention.Newest = time.Second, -1, 2
		})
		if err != nil {
			continue
		}
		x.attempt++
		r, err := c.Attach(x.t.Context(), jobGraph(), x.attempt)
		if err != nil {
			closed(x.t, c)
			continue
		}
		x.c, x.w = c, newCrew(x.t, x.leader, c, x.attempt, r)
		c.Start(x.w.execution(), x.w)
		return
	}
}

func (x *tooled) stop() {
	x.w.end()
	closed(x.t, x.c)
}

func (x *tooled) trigger() {
	if id, err := x.c.Trigger(x.t.Context()); err == nil {
		x.newest = id
	}
}

func (x *tooled) step() {
	name, id := string(rune('a'+x.r.IntN(3))), x.newest-min(x.newest, checkpoint.ID(x.r.IntN(5)))
	newest := x.newest
	var err error
	edit := func(e coordinator.Edit) bool {
		var leader sync.WaitGroup
		if x.r.IntN(2) == 0 {
			leader.Go(x.trigger) // a commit meanwhile, perhaps between two tries of the edit
		}
		_, err = coordinator.EditHead(x.t.Context(), x.tool, e)
		leader.Wait()
		return err == nil
	}
	what := ""
	switch x.r.IntN(12) {
	case 0:
		what = fmt.Sprintf("pin %s %d", name, id)
		if edit(coordinator.AddPin(coordinator.Pin{Name: name, Checkpoint: id, Reason: "test"})) {
			x.pins[name] = id
		}
	case 1:
		what = "unpin " + name
		if edit(coordinator.RemovePin(name)) {
			delete(x.pins, name)
		}
	case 2:
		what = fmt.Sprintf("tag %s %d", name, id)
		if edit(coordinator.AddTag(coordinator.Tag{Name: name, Checkpoint: id, Reason: "test"})) {
			x.tags[name] = id
		}
	case 3:
		what = "untag " + name
		if edit(coordinator.RemoveTag(name)) {
			delete(x.tags, name)
		}
	case 4:
		what = fmt.Sprintf("rm %d", id)
		if edit(coordinator.Remove(id)) {
			x.removed = append(x.removed, id)
		}
	case 5:
		p := coordinator.RetentionPolicy{Newest: 1 + x.r.IntN(4), Hourly: x.r.IntN(3)}
		what = "policy " + p.String()
		edit(coordinator.SetPolicy(p))
	case 6:
		what = "sweep"
		_, err = coordinator.Sweep(x.t.Context(), x.tool, coordinator.SweepOptions{})
	case 7:
		what = "another leader"
		x.stop()
		x.lead()
	case 8:
		what = "time passes"
		time.Sleep(time.Duration(x.r.IntN(90)) * time.Minute)
	default:
		what = "checkpoint"
		x.trigger()
	}
	if x.r.IntN(4) == 0 {
		x.late()
	}
	x.log = append(x.log, fmt.Sprintf("%s: %v", what, err))
	for is, must := range map[error]bool{
		coordinator.ErrHeadBusy:   true, // the outcome is not known: read it
		coordinator.ErrHoldExists: x.pins[name] != id || x.tags[name] != id,
		coordinator.ErrHeld:       id >= newest || slices.Contains(slices.Collect(maps.Values(x.pins)), id) || slices.Contains(slices.Collect(maps.Values(x.tags)), id),
	} {
		if errors.Is(err, is) && !must {
			x.t.Errorf("%s: %v", what, err)
		}
	}
	if errors.Is(err, coordinator.ErrHeadBusy) {
		x.learn()
	}
	x.check()
}

// learn takes from head what an edit whose outcome is not known did.
func (x *tooled) learn() {
	h, _, err := coordinator.ReadHead(context.Background(), x.mem)
	if err != nil {
		x.t.Fatal(err)
	}
	clear(x.pins)
	clear(x.tags)
	for _, p := range h.Pins {
		x.pins[p.Name] = p.Checkpoint
	}
	for _, p := range h.Tags {
		x.tags[p.Name] = p.Checkpoint
	}
}

func (x *tooled) check() {
	h, _, err := coordinator.ReadHead(context.Background(), x.mem)
	if err != nil {
		x.t.Fatal(err)
	}
	intact(x.t, x.mem)
	have := map[checkpoint.ID]bool{}
	for _, r := range h.Retained {
		have[r.ID] = true
	}
	for kind, held := range map[string]struct {
		want map[string]checkpoint.ID
		got  []coordinator.Pin
	}{"pins": {x.pins, h.Pins}, "tags": {x.tags, h.Tags}} {
		got := map[string]checkpoint.ID{}
		for _, p := range held.got {
			got[p.Name] = p.Checkpoint
			if !have[p.Checkpoint] {
				x.t.Errorf("%s: checkpoint %d of %s is not retained", kind, p.Checkpoint, p.Name)
			}
		}
		if !maps.Equal(got, held.want) {
			x.t.Errorf("%s are %v, want %v", kind, got, held.want)
		}
	}
	for _, id := range x.removed {
		if have[id] {
			x.t.Errorf("checkpoint %d was removed, and is retained", id)
		}
	}
	if x.newest != 0 && !have[x.newest] {
		x.t.Errorf("checkpoint %d, the newest, is not retained", x.newest)
	}
}
