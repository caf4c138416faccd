package coordinator_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/faultstore"
	"github.com/tidemark/tidemark/upload/memstore"
)

var editSeed = flag.Uint64("edits.seed", 0, "seed of the one sequence of edits to run; 0: new ones each run")

// ledger is a store that knows, as sets of names, what the job may not lose. It fails
// the test at the request that breaks a promise.
type ledger struct {
	upload.Store
	t *testing.T

	mu     sync.Mutex
	head   coordinator.Head
	states map[coordinator.Ref]map[string]incremental.Object // what a manifest states; it never changes (I7)
	bytes  map[string]uint32                                 // the checksum of all that was ever put, but head
}

func newLedger(t *testing.T) *ledger {
	return &ledger{Store: memstore.New(), t: t, states: map[coordinator.Ref]map[string]incremental.Object{}, bytes: map[string]uint32{}}
}

// Put refuses to believe in a head of a past epoch or version (I4), in ids that fall and
// in names that get other bytes (I7).
func (l *ledger) Put(ctx context.Context, name string, body upload.Body, o upload.PutOptions) (upload.Info, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	info, err := l.Store.Put(ctx, name, body, o)
	if err != nil {
		return info, err
	}
	if name != incremental.HeadName {
		if was, ok := l.bytes[name]; ok && was != info.CRC32C {
			l.t.Errorf("%s is put with other bytes", name)
		}
		l.bytes[name] = info.CRC32C
		return info, nil
	}
	was := l.head
	now := l.read()
	if now.Epoch < was.Epoch || now.Version <= was.Version || now.NextID < was.NextID {
		l.t.Errorf("head of epoch %d, version %d, next id %d replaces that of %d, %d, %d", now.Epoch, now.Version, now.NextID, was.Epoch, was.Version, was.NextID)
	}
	had := map[coordinator.Ref]bool{}
	for _, r := range was.Retained {
		had[r.Ref()] = true
	}
	for _, r := range now.Retained {
		if !had[r.Ref()] && (r.Epoch != was.Epoch || r.ID < was.NextID) {
			l.t.Errorf("checkpoint %d of epoch %d is committed in epoch %d, whose next id was %d", r.ID, r.Epoch, was.Epoch, was.NextID)
		}
	}
	return info, nil
}

// Delete is told of nothing that a retained checkpoint reaches (I2, I10).
func (l *ledger) Delete(ctx context.Context, names ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	reachable := l.reachable()
	for _, name := range names {
		if id, ok := reachable[name]; ok {
			l.t.Errorf("%s is deleted, and checkpoint %d reaches it", name, id)
		}
	}
	return l.Store.Delete(ctx, names...)
}

func (l *ledger) read() coordinator.Head {
	h, _, err := coordinator.ReadHead(context.Background(), l.Store)
	if err != nil {
		l.t.Fatal(err)
	}
	l.head = h
	return h
}

// reachable is what must be there, each with a checkpoint that needs it.
func (l *ledger) reachable() map[string]checkpoint.ID {
	out := map[string]checkpoint.ID{}
	for _, r := range l.head.Retained {
		out[incremental.ManifestName(r.ID, r.Epoch)] = r.ID
		if _, ok := l.states[r.Ref()]; !ok {
			m, err := incremental.ReadManifest(context.Background(), l.Store, r.ID, r.Epoch)
			if err != nil {
				l.t.Fatalf("checkpoint %d is in head: %v", r.ID, err)
			}
			l.states[r.Ref()] = m.Objects()
		}
		for _, o := range l.states[r.Ref()] {
			out[o.Name] = r.ID
		}
	}
	return out
}

// whole returns head, once everything that its checkpoints state is there (I1).
func (l *ledger) whole() coordinator.Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reachable()
	for _, r := range l.head.Retained {
		for _, o := range l.states[r.Ref()] {
			info, err := l.Store.Head(context.Background(), o.Name)
			if err != nil || info.Size != o.Size || info.CRC32C != o.CRC32C {
				l.t.Errorf("checkpoint %d states %+v, and there is %+v: %v", r.ID, o, info, err)
			}
		}
	}
	return l.head
}

// I1, I2, I4, I5, I6, I7, I10: pins, tags, removals, policies and sweeps of tools, at
// random, beside leaders that come, are overtaken and crash, with requests of all that fail
// before or after they are applied, are applied late or twice, or read a flipped byte. After
// every step head holds what was asked for, and every retained checkpoint is whole; in the
// end nothing dead is left.
func TestRandomEdits(t *testing.T) {
	n, first := uint64(20_000), uint64(time.Now().UnixNano())
	if testing.Short() {
		n = 40
	}
	if *editSeed != 0 {
		n, first = 1, *editSeed
	}
	percent := debug.SetGCPercent(800) // small heaps, made anew for each sequence
	t.Cleanup(func() { debug.SetGCPercent(percent) })
	shards := min(n, uint64(runtime.GOMAXPROCS(0)))
	for shard := range shards {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			for seed := first + shard; seed < first+n && !t.Failed(); seed += shards {
				synctest.Test(t, func(t *testing.T) { randomEdits(t, seed) })
				if t.Failed() {
					t.Logf("replay with -edits.seed=%d", seed)
				}
			}
		})
	}
}

// tooled is a job whose head tools edit, and what they asked for.
type tooled struct {
	t          *testing.T
	r          *rand.Rand
	mem        *ledger
	tool       *faultstore.Store // the tools' way to the store
	faults     func(stream uint64) faultstore.Injector
	leaders    []*leader // the last one leads, unless its lead failed
	late       []*faultstore.Store
	attempt    checkpoint.Attempt
	pins, tags map[string]checkpoint.ID
	removed    []checkpoint.ID
	newest     checkpoint.ID
	log        []string
}

// leader is a coordinator with its subtasks, and its way to the store.
type leader struct {
	store *faultstore.Store
	c     *coordinator.Coordinator
	w     *crew
}

func randomEdits(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	x := &tooled{t: t, r: r, mem: newLedger(t), pins: map[string]checkpoint.ID{}, tags: map[string]checkpoint.ID{}}
	faults := []faultstore.Fault{{Before: errTest}, {After: errTest}, {Late: errTest}, {Twice: true}, {Flip: true, FlipAt: 20}}
	often := r.IntN(4)                                   // of 20 requests
	x.faults = func(stream uint64) faultstore.Injector { // a store asks under a lock of its own
		r := rand.New(rand.NewPCG(seed, stream))
		return faultstore.InjectorFunc(func(faultstore.Op) faultstore.Fault {
			if r.IntN(20) >= often {
				return faultstore.Fault{}
			}
			return faults[r.IntN(len(faults))]
		})
	}
	x.tool = faultstore.Wrap(x.mem, x.faults(1))
	x.late = append(x.late, x.tool)
	x.lead(true)
	for range 25 {
		x.step()
		if t.Failed() {
			for _, line := range x.log {
				t.Log(line)
			}
			break
		}
	}
	for len(x.leaders) > 0 {
		x.stop()
	}
	x.arriveLate()
	x.lead(false) // an attempt begins with a sweep
	x.trigger()
	time.Sleep(time.Minute)
	x.stop()
	x.check()
	tidy(t, x.mem)
}

// arriveLate applies the writes that were given up.
func (x *tooled) arriveLate() {
	for _, s := range x.late {
		s.ApplyLate(context.Background())
	}
}

func (x *tooled) lead(faulty bool) {
	for {
		x.attempt++
		l := &leader{store: faultstore.Wrap(x.mem, nil)}
		if faulty {
			l.store.Set(x.faults(uint64(x.attempt) + 1))
		}
		x.late = append(x.late, l.store)
		c, err := tryOpen(x.t, l.store, func(o *coordinator.Options) {
			o.RequestTimeout, o.TolerableFailures, o.Retention.Newest = time.Second, -1, 2
		})
		if err != nil {
			continue
		}
		r, err := c.Attach(x.t.Context(), jobGraph(), x.attempt)
		if err != nil {
			closed(x.t, c)
			continue
		}
		l.c, l.w = c, newCrew(x.t, l.store, c, x.attempt, r)
		c.Start(l.w.execution(), l.w)
		x.leaders = append(x.leaders, l)
		return
	}
}

// stop ends the oldest leader.
func (x *tooled) stop() {
	l := x.leaders[0]
	x.leaders = x.leaders[1:]
	l.w.end()
	closed(x.t, l.c)
}

// crash cuts a leader off from the store; its last writes may arrive later.
func (x *tooled) crash() {
	x.leaders[0].store.Set(faultstore.First(
		faultstore.When(func(op faultstore.Op) bool { return op.Kind.Writes() && op.Index%3 == 0 }, faultstore.Fault{Late: errTest}),
		faultstore.When(func(faultstore.Op) bool { return true }, faultstore.Fault{Before: errTest}),
	))
	x.stop()
}

func (x *tooled) trigger() {
	x.leaders[x.r.IntN(len(x.leaders))].c.Trigger(x.t.Context()) // what became of it, head says
}

func (x *tooled) step() {
	newest := x.newest
	name, id := string(rune('a'+x.r.IntN(3))), newest-min(newest, checkpoint.ID(x.r.IntN(5)))
	var err error
	edit := func(e coordinator.Edit) bool {
		ctx, cancel := x.t.Context(), func() {}
		if x.r.IntN(10) == 0 { // the tool is killed in the middle
			ctx, cancel = context.WithTimeout(ctx, time.Duration(x.r.IntN(100))*time.Millisecond)
		}
		defer cancel()
		var beside sync.WaitGroup
		if x.r.IntN(2) == 0 {
			beside.Go(x.trigger) // a commit meanwhile, perhaps between two tries of the edit
		}
		_, err = coordinator.EditHead(ctx, x.tool, e)
		beside.Wait()
		return err == nil
	}
	what := ""
	switch x.r.IntN(14) {
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
		what = "retain"
		edit(coordinator.ApplyPolicy)
	case 7:
		what = "sweep"
		_, err = coordinator.Sweep(x.t.Context(), x.tool, coordinator.SweepOptions{})
	case 8:
		what = "another leader"
		switch x.r.IntN(3) {
		case 0:
			x.stop()
		case 1:
			x.crash()
		default: // both run
			if len(x.leaders) > 2 {
				x.stop()
			}
		}
		x.lead(true)
	case 9:
		what = "time passes"
		time.Sleep(time.Duration(x.r.IntN(90)) * time.Minute)
	default:
		what = "checkpoint"
		x.trigger()
	}
	if x.r.IntN(4) == 0 {
		x.arriveLate()
	}
	x.log = append(x.log, fmt.Sprintf("%s: %v", what, err))
	h := x.mem.whole()
	unknown := errors.Is(err, coordinator.ErrHeadBusy) || errors.Is(err, context.DeadlineExceeded)
	if err != nil && !unknown && !slices.ContainsFunc([]error{
		coordinator.ErrHoldExists, coordinator.ErrHeld, coordinator.ErrNoSuchHold, coordinator.ErrNotRetained, errTest, coordinator.ErrHeadFormat, upload.ErrCorrupt,
	}, func(is error) bool { return errors.Is(err, is) }) {
		x.t.Errorf("%s: %v", what, err)
	}
	for is, must := range map[error]bool{
		coordinator.ErrHoldExists: x.pins[name] != id || x.tags[name] != id,
		coordinator.ErrHeld:       id >= newest || slices.Contains(slices.Collect(maps.Values(x.pins)), id) || slices.Contains(slices.Collect(maps.Values(x.tags)), id),
	} {
		if errors.Is(err, is) && !must {
			x.t.Errorf("%s: %v", what, err)
		}
	}
	if unknown {
		x.arriveLate()
		h = x.mem.whole()
		x.pins, x.tags = byName(h.Pins), byName(h.Tags)
	}
	x.check()
}

func byName(pins []coordinator.Pin) map[string]checkpoint.ID {
	out := map[string]checkpoint.ID{}
	for _, p := range pins {
		out[p.Name] = p.Checkpoint
	}
	return out
}

// check compares head with what was asked for.
func (x *tooled) check() {
	h := x.mem.whole()
	have := map[checkpoint.ID]bool{}
	for _, r := range h.Retained {
		have[r.ID] = true
	}
	for kind, held := range map[string]struct {
		want map[string]checkpoint.ID
		got  []coordinator.Pin
	}{"pins": {x.pins, h.Pins}, "tags": {x.tags, h.Tags}} {
		if got := byName(held.got); !maps.Equal(got, held.want) {
			x.t.Errorf("%s are %v, want %v", kind, got, held.want)
		}
		for name, id := range held.want {
			if !have[id] {
				x.t.Errorf("%s: checkpoint %d of %s is not retained", kind, id, name)
			}
		}
	}
	for _, id := range x.removed {
		if have[id] {
			x.t.Errorf("checkpoint %d was removed, and is retained", id)
		}
	}
	if len(h.Retained) == 0 {
		return
	}
	newest := h.Retained[len(h.Retained)-1].ID
	if newest < x.newest {
		x.t.Errorf("checkpoint %d, the newest, is not retained", x.newest)
	}
	x.newest = newest
}
