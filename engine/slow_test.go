package engine_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/enginetest"
)

// sleeper takes some time for each record.
type sleeper struct{ each func(int) time.Duration }

func (s *sleeper) Open(engine.OpenContext) error { return nil }
func (s *sleeper) Process(_ engine.Context[int], v int, out engine.Out[int]) error {
	time.Sleep(s.each(v))
	out.Emit(v)
	return nil
}

// I12: a barrier passes an operator that is slow within some seconds, with the defaults
// of the queues, wherever the operator stands. Where an operator becomes slow, the
// barriers pass later as long as the records are there that were sent before.
func TestBarrierPassesASlowOperator(t *testing.T) {
	always := func(each time.Duration) func(int) time.Duration { return func(int) time.Duration { return each } }
	slow := func(in engine.Stream[int], id string, each func(int) time.Duration) engine.Stream[int] {
		return engine.Process(engine.KeyBy(in, func(v int) int { return v }), id, func() engine.Processor[int, int, int] { return &sleeper{each} })
	}
	mapped := func(in engine.Stream[int], id string, each func(int) time.Duration) engine.Stream[int] {
		return engine.Map(in, id, func(v int) int { time.Sleep(each(v)); return v })
	}
	for name, c := range map[string]struct {
		build   func(in engine.Stream[int]) engine.Stream[int]
		records int
		warm    time.Duration // checkpoints that were triggered before it do not count
		longest time.Duration
	}{
		"keyed": {func(in engine.Stream[int]) engine.Stream[int] { return slow(in, "slow", always(60*time.Millisecond)) }, 4000, 0, 4 * time.Second},
		"chained to the source": {func(in engine.Stream[int]) engine.Stream[int] {
			return mapped(in, "slow", always(60*time.Millisecond))
		}, 4000, 0, 4 * time.Second},
		"behind a buffer": {func(in engine.Stream[int]) engine.Stream[int] {
			return mapped(engine.Map(in, "fast", func(v int) int { return v }), "slow", always(60*time.Millisecond))
		}, 4000, 0, 4 * time.Second},
		"the second of two": {func(in engine.Stream[int]) engine.Stream[int] {
			return slow(slow(in, "fast", always(0)), "slow", always(60*time.Millisecond))
		}, 4000, 0, 8 * time.Second},
		"two, one after the other": {func(in engine.Stream[int]) engine.Stream[int] {
			return slow(slow(in, "slow", always(20*time.Millisecond)), "slower", always(60*time.Millisecond))
		}, 4000, 0, 8 * time.Second},
		"more records come out than went in": {func(in engine.Stream[int]) engine.Stream[int] {
			many := engine.FlatMap(in, "many", func(v int, out engine.Out[int]) {
				for i := range 20 {
					out.Emit(v*20 + i)
				}
			})
			return slow(many, "slow", always(60*time.Millisecond))
		}, 200, 0, 8 * time.Second},
		"one record of a hundred": {func(in engine.Stream[int]) engine.Stream[int] {
			return slow(in, "slow", func(v int) time.Duration {
				if v%100 == 0 {
					return 5 * time.Second
				}
				return 0
			})
		}, 8000, 20 * time.Second, 60 * time.Second},
		"from some time on": {func(in engine.Stream[int]) engine.Stream[int] {
			return slow(in, "slow", func(v int) time.Duration {
				if v%10_000 > 2500 { // each source has a part of the records
					return 60 * time.Millisecond
				}
				return 10 * time.Microsecond
			})
		}, 40_000, 0, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := engine.NewJob("slow")
				c.build(engine.From(j, "in", enginetest.FromSlice(numbersTo(c.records)...))).To("out", enginetest.Discard[int]())
				begun := time.Now()
				taken := 0
				co := &enginetest.Coordinator{}
				stop := make(chan struct{})
				var taking sync.WaitGroup
				taking.Go(func() {
					for {
						select {
						case <-stop:
							return
						case <-time.After(time.Second):
						}
						start := time.Now()
						_, err := co.Trigger(t.Context())
						if took := time.Since(start); err == nil && start.Sub(begun) >= c.warm {
							if taken++; took > c.longest {
								t.Errorf("the checkpoint that began after %v took %v", start.Sub(begun), took)
							}
						}
					}
				})
				enginetest.Run(t, j, enginetest.Parallelism(4), enginetest.With(co))
				close(stop)
				taking.Wait()
				if taken < 5 {
					t.Errorf("%d checkpoints were taken", taken)
				}
				t.Logf("%s: %d checkpoints in %v", name, taken, time.Since(begun))
			})
		})
	}
}

// numbersTo returns the numbers from 0 to n-1.
func numbersTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// A checkpoint that timed out says in the log which subtask its barrier waits for, and
// how many records are queued there.
func TestTimedOutBarrierNamesItsQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := engine.NewJob("slow")
		in := engine.From(j, "in", enginetest.FromSlice(numbersTo(100)...), engine.Parallelism(1))
		engine.Process(engine.KeyBy(in, func(v int) int { return v }), "slow", func() engine.Processor[int, int, int] {
			return &sleeper{func(int) time.Duration { return time.Second }}
		}).To("out", enginetest.Discard[int]())
		co := &enginetest.Coordinator{}
		var log bytes.Buffer
		var taking sync.WaitGroup
		taking.Go(func() {
			time.Sleep(10500 * time.Millisecond)
			go func() { _, _ = co.Trigger(t.Context()) }()
			time.Sleep(time.Millisecond)
			co.Abort(fmt.Errorf("%w: for the test", checkpoint.ErrTimedOut))
		})
		enginetest.Run(t, j, enginetest.Parallelism(1), enginetest.With(co), enginetest.Config(func(c *engine.Config) {
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		}))
		taking.Wait()
		if got := log.String(); strings.Count(got, "timed out") != 1 || !strings.Contains(got, "subtask=slow/0 queued_records=") {
			t.Errorf("the log says %s", got)
		}
	})
}
