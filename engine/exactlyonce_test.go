package engine_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/enginetest"
	"github.com/tidemark/tidemark/engine/state"
)

var seedFlag = flag.Uint64("seed", 0, "replay the random tests from this seed; 0: a new one")

func seed(t *testing.T) uint64 {
	s := *seedFlag
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("replay with -seed=%d", s)
	return s
}

type row struct {
	Key int
	Sum int
	N   int
}

// bomb fails the records that a countdown picks, as an error or as a panic.
// The zero bomb is a dud.
type bomb struct {
	armed bool
	left  atomic.Int64
}

var errBoom = errors.New("boom")

func (b *bomb) tick() error {
	if !b.armed {
		return nil
	}
	switch n := b.left.Add(-1); {
	case n == 0:
		return errBoom
	case n == -1000: // a later one
		panic(errBoom)
	}
	return nil
}

// summer sums the values of a key and tells the result at the end.
type summer struct {
	boom *bomb
	sum  state.Value[row]
}

func (s *summer) Open(c engine.OpenContext) error {
	s.sum = state.NewValue[row](c, "sum")
	return nil
}

func (s *summer) Process(c engine.Context[int], v int, out engine.Out[row]) error {
	if err := s.boom.tick(); err != nil {
		return err
	}
	r, _, err := s.sum.Get(c)
	if err != nil {
		return err
	}
	r.Key, r.Sum, r.N = c.Key(), r.Sum+v, r.N+1
	return s.sum.Set(c, r)
}

func (s *summer) FinishKey(c engine.Context[int], out engine.Out[row]) error {
	r, _, err := s.sum.Get(c)
	out.Emit(r)
	return err
}

// shapedJob is a job with every kind of exchange: two sources, a union, a
// broadcast, a rebalance, a filter, two keyed operators in a row, two sinks.
func shapedJob(boom *bomb, a, b []int, slow time.Duration, sums, raw engine.Sink[row]) *engine.Job {
	j := engine.NewJob("shaped")
	left := engine.From(j, "left", enginetest.FromSlice(a...))
	right := engine.From(j, "right", enginetest.FromSlice(b...).Slowly(7, slow), engine.Parallelism(1))
	spread := engine.Map(right.Rebalance(), "spread", func(v int) int { return v })
	twice := engine.FlatMap(engine.Union(left, spread), "twice", func(v int, out engine.Out[int]) {
		out.Emit(v)
		out.Emit(v + 1)
	})
	odd := engine.Filter(twice, "no-multiples-of-5", func(v int) bool { return v%5 != 0 })
	all := engine.Map(right.Broadcast(), "to-all", func(v int) int { return v }, engine.Parallelism(2))
	perKey := engine.Process(engine.KeyBy(engine.Union(odd, all), func(v int) int { return v % 17 * (v % 3) }), "sum",
		func() engine.Processor[int, int, row] { return &summer{boom: boom} })
	engine.Map(twice, "as-row", func(v int) row { return row{Key: v, N: 1} }).To("raw", raw)
	total := engine.Process(engine.KeyBy(engine.Map(perKey, "value", func(r row) int { return r.Sum }), func(v int) int { return v % 2 }), "total",
		func() engine.Processor[int, int, row] { return &summer{boom: &bomb{}} }, engine.Parallelism(1))
	engine.Union(perKey, total).To("sums", sums)
	return j
}

// counts is what came out, as a multiset.
func counts(rows []row) map[row]int {
	m := map[row]int{}
	for _, r := range rows {
		m[r]++
	}
	return m
}

func inputs(rng *rand.Rand, n int) []int {
	vs := make([]int, n)
	for i := range vs {
		vs[i] = rng.IntN(1000)
		if rng.IntN(3) == 0 {
			vs[i] = 34 // skew: a key that a third of all records have
		}
	}
	return vs
}

// I3, I8: whatever fails and whenever checkpoints are taken, the output equals
// that of a run without failures; also when the job is stopped and goes on at
// another parallelism (I9).
func TestExactlyOnceUnderFailures(t *testing.T) {
	s := seed(t)
	rounds := 40
	if testing.Short() {
		rounds = 8
	}
	restarts, restored := 0, 0
	for round := 0; round < rounds || round < 200 && (restarts == 0 || restored == 0); round++ {
		rng := rand.New(rand.NewPCG(s, uint64(round)))
		a, b := inputs(rng, 2000+rng.IntN(6000)), inputs(rng, rng.IntN(300))
		groups := 16

		sums, wantSums := enginetest.Collect[row]()
		raw, wantRaw := enginetest.Collect[row]()
		calm := shapedJob(&bomb{}, a, b, 0, sums, raw)
		calm.MaxParallelism = groups
		enginetest.Run(t, calm, enginetest.Parallelism(1))

		sums, gotSums := enginetest.Collect[row]()
		raw, gotRaw := enginetest.Collect[row]()
		boom := &bomb{armed: true}
		boom.left.Store(1 + rng.Int64N(3*int64(len(a))))
		j := shapedJob(boom, a, b, time.Duration(rng.IntN(200))*time.Microsecond, sums, raw)
		j.MaxParallelism = groups
		refuse := rand.New(rand.NewPCG(s, uint64(round)))
		co := &enginetest.Coordinator{
			Every: time.Duration(1+rng.IntN(1000)) * time.Microsecond,
			Commit: func(checkpoint.ID) error { // called one at a time
				if refuse.IntN(4) == 0 {
					return errors.New("refused by the test")
				}
				return nil
			},
		}
		var result engine.Result
		var err error
		for run := 0; ; run++ { // each run at a parallelism of its own, until one gets through
			opts := []enginetest.Option{
				enginetest.With(co), enginetest.Parallelism(1 + rng.IntN(4)), enginetest.Restarts(rng.IntN(2)),
				enginetest.Config(func(c *engine.Config) {
					c.BatchRecords, c.QueueBatches, c.ProfileLabels = 1+rng.IntN(64), 1+rng.IntN(3), rng.IntN(2) == 0
				}),
			}
			result, err = enginetest.Execute(t.Context(), j, opts...)
			restarts += result.Attempts - 1
			if result.Restored != 0 {
				restored++
			}
			if err == nil {
				break
			}
			if !errors.Is(err, errBoom) || run > 4 {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if got, want := counts(gotSums()), counts(wantSums()); !maps.Equal(got, want) {
			t.Fatalf("round %d: sums are %v, want %v", round, got, want)
		}
		if got, want := counts(gotRaw()), counts(wantRaw()); !maps.Equal(got, want) {
			t.Fatalf("round %d: raw output has %d distinct rows, want %d with the same counts", round, len(got), len(want))
		}
		if want := int64(len(a) + len(b)); result.Records != want {
			t.Fatalf("round %d: %d records were read, want %d over all restarts", round, result.Records, want)
		}
	}
	t.Logf("%d restarts, %d runs from a checkpoint", restarts, restored)
	if restarts == 0 || restored == 0 {
		t.Error("nothing was ever restarted: the test tests nothing")
	}
}

// At-least-once never loses a record: every sum is at least the true one.
func TestAtLeastOnceLosesNothing(t *testing.T) {
	s := seed(t)
	for round := range 10 {
		rng := rand.New(rand.NewPCG(s, uint64(round)))
		a, b := inputs(rng, 4000), inputs(rng, 200)
		boom := &bomb{armed: true}
		boom.left.Store(1 + rng.Int64N(int64(len(a))))
		sums, got := enginetest.Collect[row]()
		j := shapedJob(boom, a, b, 0, sums, enginetest.Discard[row]())
		enginetest.Run(t, j, enginetest.Checkpoints(200*time.Microsecond), enginetest.Restarts(3), enginetest.Parallelism(3),
			enginetest.Config(func(c *engine.Config) { c.Mode, c.BatchRecords = engine.AtLeastOnce, 16 }))
		want := map[int]int{} // by key, of the first keyed operator
		add := func(v int) { want[v%17*(v%3)]++ }
		for _, v := range append(append([]int{}, a...), b...) {
			for _, w := range []int{v, v + 1} {
				if w%5 != 0 {
					add(w)
				}
			}
		}
		for _, v := range b {
			add(v)
			add(v) // broadcast to 2
		}
		most := map[int]int{}
		for _, r := range got() {
			most[r.Key] = max(most[r.Key], r.N)
		}
		for k, n := range want {
			if most[k] < n {
				t.Fatalf("round %d: key %d has %d records, want at least %d", round, k, most[k], n)
			}
		}
	}
}

// The race between the end of the input and triggers: no checkpoint may hang,
// and the output is complete.
func TestDrainRacesTriggers(t *testing.T) {
	for i := range 200 {
		sums, got := enginetest.Collect[row]()
		j := shapedJob(&bomb{}, []int{1, 2, 3, 4, 6}, []int{7, 8}, 0, sums, enginetest.Discard[row]())
		co := &enginetest.Coordinator{}
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
					co.Trigger(context.Background())
				}
			}
		}()
		enginetest.Run(t, j, enginetest.With(co), enginetest.Parallelism(1+i%3))
		close(stop)
		<-done
		if len(got()) == 0 {
			t.Fatal("no output")
		}
		if last := co.Last(); last == nil || !last.Final {
			t.Fatalf("the last checkpoint is %+v, want a final one", last)
		}
	}
}

// A job that starts from a final checkpoint publishes what was pending and
// ends at once with the counts of before.
func TestStartFromFinal(t *testing.T) {
	flaky := &flakySink{}
	flaky.broken.Store(true)
	build := func() *engine.Job {
		j := engine.NewJob("final")
		engine.From(j, "in", enginetest.FromSlice(1, 2, 3)).To("out", flaky)
		return j
	}
	co := &enginetest.Coordinator{}
	if _, err := enginetest.Execute(t.Context(), build(), enginetest.With(co), enginetest.Parallelism(1)); !errors.Is(err, errBoom) {
		t.Fatalf("got %v, want the error of Publish", err)
	}
	flaky.broken.Store(false)
	r := enginetest.Run(t, build(), enginetest.With(co))
	if r.Records != 3 || r.Restored == 0 || fmt.Sprint(flaky.published) != "[3 records]" {
		t.Fatalf("result %+v, published %v", r, flaky.published)
	}
}

// flakySink counts records; while broken, nothing can be published.
type flakySink struct {
	broken    atomic.Bool
	prepareAt atomic.Int64 // this call of Prepare fails
	prepares  atomic.Int64
	reason    error // of a failing Prepare; nil: errBoom
	published []string
	n         int
}

func (s *flakySink) Recover(ctx context.Context, r engine.Recovery) error {
	return s.Publish(ctx, r.Pending)
}
func (s *flakySink) Open(engine.SinkContext) (engine.Writer[int], error) { return s, nil }
func (s *flakySink) Write(_ context.Context, batch []int) error          { s.n += len(batch); return nil }
func (s *flakySink) Prepare(context.Context, checkpoint.ID) ([]byte, error) {
	if s.prepares.Add(1) == s.prepareAt.Load() {
		return nil, cmp.Or(s.reason, errBoom)
	}
	if s.n == 0 {
		return nil, nil
	}
	defer func() { s.n = 0 }()
	return fmt.Appendf(nil, "%d records", s.n), nil
}
func (s *flakySink) Publish(_ context.Context, pending [][]byte) error {
	if s.broken.Load() && len(pending) > 0 {
		return engine.Permanent(errBoom)
	}
	for _, p := range pending {
		s.published = append(s.published, string(p))
	}
	return nil
}
func (s *flakySink) Close() error { return nil }

// I11: a Prepare that fails declines its checkpoint, and the job goes on.
func TestFailingPrepareDeclines(t *testing.T) {
	sink := &flakySink{}
	sink.prepareAt.Store(1)
	j := engine.NewJob("decline")
	engine.From(j, "in", enginetest.FromSlice(1, 2, 3)).To("out", sink)
	co := &enginetest.Coordinator{}
	enginetest.Run(t, j, enginetest.With(co), enginetest.Parallelism(1))
	if d := co.Declined(); len(d) != 1 || d[0].Code != checkpoint.DeclineSnapshot || !strings.Contains(d[0].Text, errBoom.Error()) {
		t.Fatalf("declined: %v", d)
	}
	if fmt.Sprint(sink.published) != "[3 records]" {
		t.Fatalf("published %v", sink.published)
	}
}

// A writer that cannot go on fails the attempt instead.
func TestBrokenWriterFailsTheAttempt(t *testing.T) {
	sink := &flakySink{reason: fmt.Errorf("disk is gone: %w", engine.ErrBroken)}
	sink.prepareAt.Store(1)
	j := engine.NewJob("broken")
	engine.From(j, "in", enginetest.FromSlice(1, 2, 3)).To("out", sink)
	if _, err := enginetest.Execute(t.Context(), j, enginetest.Parallelism(1)); !errors.Is(err, engine.ErrBroken) {
		t.Fatalf("got %v", err)
	}
}
