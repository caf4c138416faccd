package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/deploy"
	"github.com/tidemark/tidemark/engine/enginetest"
	"github.com/tidemark/tidemark/engine/state"
)

func identity(v int) int { return v }

func sumProcessor() engine.Processor[int, int, row] { return &summer{boom: &bomb{}} }

// Every mistake is reported, with the operator's name, before anything runs.
func TestValidateReportsEveryMistake(t *testing.T) {
	j := engine.NewJob("Bad Name")
	j.MaxParallelism = 4
	in := engine.From(j, "in", enginetest.FromSlice(1))
	engine.From[int](j, "no-source", nil)
	engine.Map(in, "in", identity).To("out", enginetest.Discard[int]())
	engine.Map(in, "", identity).To("out2", enginetest.Discard[int]())
	engine.Map[int, int](in, "no-func", nil).To("no-sink", nil)
	engine.Filter(in, "loose-end", func(int) bool { return true })
	engine.Process(engine.KeyBy(in, func(v int) float64 { return float64(v) }), "float-key",
		func() engine.Processor[float64, int, row] { return nil }, engine.Parallelism(0)).To("out3", enginetest.Discard[row](), engine.Parallelism(5))
	engine.Process(engine.KeyBy(in.Broadcast(), identity), "broadcast-key", sumProcessor).To("out4", enginetest.Discard[row]())
	engine.Map(engine.Stream[int]{}, "zero-stream", identity)
	_, err := enginetest.Execute(t.Context(), j)
	if err == nil || !engine.IsPermanent(err) {
		t.Fatalf("got %v, want a permanent error", err)
	}
	for _, want := range []string{
		"Bad Name", `"no-source": the source is nil`, `"in": the name is taken`, `"": bad name`, `"no-func": the function is nil`,
		`"no-sink": the sink is nil`, `"loose-end": nothing consumes`, `"float-key": key: unsupported type`, `"float-key": parallelism 0`,
		`"out3": parallelism 5 exceeds`, `"broadcast-key": key: KeyBy`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing from:\n%v", want, err)
		}
	}
	if err := engine.NewJob("empty").Validate(); err == nil {
		t.Error("an empty job is valid")
	}
	if err := (engine.Config{Parallelism: -1, RateLimit: -1, Restart: engine.Exponential{Factor: 0.5}}).Validate(); err == nil || strings.Count(err.Error(), "config:") != 3 {
		t.Errorf("config: %v", err)
	}
}

func TestGraph(t *testing.T) {
	j := engine.NewJob("graph")
	in := engine.From(j, "in", enginetest.FromSlice(1), engine.Parallelism(3))
	m := engine.Map(in, "map", identity)
	engine.Process(engine.KeyBy(m, identity), "sum", sumProcessor).To("out", enginetest.Discard[row]())
	engine.Map(m.Rebalance(), "spread", identity).To("spread-out", enginetest.Discard[int]())
	want := []string{"in source 3 false []", "map map 3 false [{in 0 }]", "sum process 5 true [{map 3 }]", "out sink 5 false [{sum 0 }]", "spread map 5 false [{map 1 }]", "spread-out sink 5 false [{spread 0 }]"}
	if n := len(j.Graph(5).Operators); n != len(want) {
		t.Fatalf("%d operators, want %d", n, len(want))
	}
	for i, o := range j.Graph(5).Operators {
		if s := fmt.Sprintf("%s %s %d %v %v", o.ID, o.Type, o.Parallelism, o.Key != "", o.Inputs); s != want[i] {
			t.Errorf("operator %d is %q, want %q", i, s, want[i])
		}
	}
}

// A panic in the user's code is an error that names the operator; the process
// lives.
func TestPanicNamesTheOperator(t *testing.T) {
	boom := func(v int) int { panic("no such thing") }
	for name, build := range map[string]func(s engine.Stream[int]){
		"map": func(s engine.Stream[int]) { engine.Map(s, "culprit", boom).To("out", enginetest.Discard[int]()) },
		"filter": func(s engine.Stream[int]) {
			engine.Filter(s, "culprit", func(int) bool { panic("no such thing") }).To("out", enginetest.Discard[int]())
		},
		"key": func(s engine.Stream[int]) {
			engine.Process(engine.KeyBy(s, boom), "culprit", sumProcessor).To("out", enginetest.Discard[row]())
		},
		"make": func(s engine.Stream[int]) {
			engine.Process(engine.KeyBy(s, identity), "culprit", func() engine.Processor[int, int, row] { panic("no such thing") }).To("out", enginetest.Discard[row]())
		},
	} {
		t.Run(name, func(t *testing.T) {
			j := engine.NewJob("panics")
			build(engine.Map(engine.From(j, "in", enginetest.FromSlice(1, 2, 3)), "innocent", identity))
			_, err := enginetest.Execute(t.Context(), j)
			var p *engine.PanicError
			if !errors.As(err, &p) || p.Operator != "culprit" || !strings.Contains(err.Error(), "no such thing") {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// ctx ends a job cleanly: its cause is returned, and no goroutine is left
// (TestMain).
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("closing time")
		ctx, cancel := context.WithCancelCause(t.Context())
		j := engine.NewJob("endless")
		in := engine.From(j, "in", enginetest.FromSlice(make([]int, 1000)...).Slowly(1, time.Hour))
		engine.Process(engine.KeyBy(in, identity), "sum", sumProcessor).To("out", enginetest.Discard[row]())
		time.AfterFunc(90*time.Minute, func() { cancel(cause) })
		if _, err := enginetest.Execute(ctx, j, enginetest.Checkpoints(time.Minute), enginetest.Restarts(9)); err != cause {
			t.Fatalf("got %v, want the cause of ctx", err)
		}
	})
}

// A source that waits in Read is woken by a trigger: an hour's pause between
// records delays no checkpoint.
func TestTriggerWakesASource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		co := &enginetest.Coordinator{Every: time.Minute}
		j := engine.NewJob("sleepy")
		engine.From(j, "in", enginetest.FromSlice(1, 2).Slowly(1, time.Hour)).To("out", enginetest.Discard[int]())
		seen := 0
		co.Commit = func(checkpoint.ID) error { seen++; return nil }
		enginetest.Run(t, j, enginetest.With(co), enginetest.Parallelism(1))
		if seen < 1 {
			t.Fatal("no checkpoint")
		}
	})
}

// I12: a slow consumer holds its producer up: no more is read ahead than the
// queue and the batches at both ends hold.
func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made, seen, ahead atomic.Int64
		j := engine.NewJob("slow")
		in := engine.From(j, "in", enginetest.FromSlice(make([]int, 2000)...), engine.Parallelism(1))
		counted := engine.Map(in, "count", func(v int) int { made.Add(1); return v })
		slow := engine.Map(counted.Rebalance(), "slow", func(v int) int {
			time.Sleep(time.Millisecond)
			ahead.Store(max(ahead.Load(), made.Load()-seen.Add(1)))
			return v
		})
		slow.To("out", enginetest.Discard[int]())
		var m engine.Metrics
		enginetest.Run(t, j, enginetest.Parallelism(1), enginetest.Config(func(c *engine.Config) {
			c.BatchRecords, c.QueueBatches, c.Metrics = 10, 3, &m
		}))
		// In the queue 3 batches, with the consumer 1, with the producer 1 in
		// the map's output, 1 in the exchange.
		if n := ahead.Load(); n > 60 || n < 20 {
			t.Errorf("the producer was %d records ahead, want 20 to 60", n)
		}
		s := m.Snapshot()
		// In this clock only the consumer's sleep takes time.
		if p := s.Subtasks[checkpoint.SubtaskID{Vertex: "in"}]; p.Busy != 0 || p.Blocked < time.Second {
			t.Errorf("the producer: %+v", p)
		}
		if c := s.Subtasks[checkpoint.SubtaskID{Vertex: "slow"}]; c.Busy < 2*time.Second || c.Blocked != 0 {
			t.Errorf("the consumer: %+v", c)
		}
	})
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := engine.NewJob("paced")
		engine.From(j, "in", enginetest.FromSlice(make([]int, 5000)...)).To("out", enginetest.Discard[int]())
		r := enginetest.Run(t, j, enginetest.Config(func(c *engine.Config) { c.RateLimit = 1000 }))
		if r.Duration < 4900*time.Millisecond || r.Duration > 5500*time.Millisecond {
			t.Fatalf("5000 records at 1000/s took %v", r.Duration)
		}
	})
}

// Without a coordinator a bounded job publishes everything at its end.
func TestWithoutCheckpoints(t *testing.T) {
	sink, got := enginetest.Collect[row]()
	j := engine.NewJob("plain")
	in := engine.From(j, "in", enginetest.FromSlice(1, 2, 3, 1))
	engine.Process(engine.KeyBy(in, identity), "sum", sumProcessor).To("out", sink)
	enginetest.Run(t, j, enginetest.Config(func(c *engine.Config) { c.Coordinator = nil }))
	if m := counts(got()); len(m) != 3 || m[row{1, 2, 2}] != 1 {
		t.Fatalf("got %v", m)
	}
}

// A permanent error is not followed by a restart, another is as often as the
// strategy allows.
func TestRestarts(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{{errBoom, 4}, {engine.Permanent(errBoom), 1}, {checkpoint.ErrFenced, 1}, {fmt.Errorf("x: %w", state.ErrIncompatible), 1}} {
		j := engine.NewJob("failing")
		in := engine.From(j, "in", enginetest.FromSlice(1))
		engine.Process(engine.KeyBy(in, identity), "fail", func() engine.Processor[int, int, row] { return failing{c.err} }).To("out", enginetest.Discard[row]())
		r, err := enginetest.Execute(t.Context(), j, enginetest.Restarts(3))
		if r.Attempts != c.want || !errors.Is(err, c.err) || !strings.Contains(err.Error(), `operator "fail"`) {
			t.Errorf("%v: %d attempts, want %d; error %v", c.err, r.Attempts, c.want, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Open(engine.OpenContext) error                           { return nil }
func (f failing) Process(engine.Context[int], int, engine.Out[row]) error { return f.err }

func TestExponential(t *testing.T) {
	next := engine.Exponential{Initial: time.Second, Max: 5 * time.Second, Factor: 2, ResetAfter: time.Minute}.Begin()
	var got []time.Duration
	for _, ran := range []time.Duration{0, 0, 0, 0, 2 * time.Minute, 0} {
		d, ok := next(ran)
		if !ok {
			t.Fatal("gave up")
		}
		got = append(got, d/time.Second)
	}
	if want := []time.Duration{1, 2, 4, 5, 1, 2}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// A job that does not fit its checkpoint is refused for good.
func TestMisfitIsRefused(t *testing.T) {
	co := &enginetest.Coordinator{}
	for _, name := range []string{"sum", "renamed"} {
		j := engine.NewJob("misfit")
		in := engine.From(j, "in", enginetest.FromSlice(1, 2))
		engine.Process(engine.KeyBy(in, identity), name, sumProcessor).To("out", enginetest.Discard[row]())
		_, err := enginetest.Execute(t.Context(), j, enginetest.With(co), enginetest.Restarts(5))
		if name == "renamed" && !errors.Is(err, checkpoint.ErrGraphMismatch) {
			t.Fatalf("got %v", err)
		}
	}
}

// I11: when a checkpoint is aborted, the inputs that waited for its barrier go
// on. The right source is stuck until all of the left has been processed, so
// its barrier never comes while the left waits for it.
func TestAbortReleasesWaitingInputs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		co := &enginetest.Coordinator{}
		release := make(chan struct{})
		j := engine.NewJob("stuck")
		left := engine.From(j, "left", enginetest.FromSlice(make([]int, 100)...).Slowly(1, time.Second))
		right := engine.Map(engine.From(j, "right", enginetest.FromSlice(1)), "stuck", func(v int) int { <-release; return v })
		n := 0
		engine.Map(engine.Union(left, right), "both", func(v int) int {
			if n++; n == 100 {
				close(release)
			}
			return v
		}).To("out", enginetest.Discard[int]())
		gone := errors.New("timed out")
		time.AfterFunc(10500*time.Millisecond, func() {
			go func() {
				time.Sleep(20 * time.Second)
				co.Abort(gone)
			}()
			if _, err := co.Trigger(t.Context()); !errors.Is(err, gone) {
				t.Errorf("the checkpoint ended with %v, want it aborted", err)
			}
		})
		enginetest.Run(t, j, enginetest.With(co), enginetest.Parallelism(1))
	})
}

type poisoned struct{ plain }

func (*poisoned) Process(_ engine.Context[int], v int, _ engine.Out[row]) error {
	if v == 13 {
		unmade()[v] = deep(v)
	}
	return nil
}

func unmade() map[int]int { return nil }

func deep(v int) int { return v }

// A record that panics in each attempt ends the job after a few, whatever the
// restart strategy; the error is one line, with the key and the user's frames
// first, and the same in each attempt.
func TestAPoisonedRecordEndsTheJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := engine.NewJob("poisoned")
		in := engine.From(j, "in", enginetest.FromSlice(11, 12, 13, 14))
		engine.Process(engine.KeyBy(in, identity), "culprit", func() *poisoned { return &poisoned{} }).To("out", enginetest.Discard[row]())
		r, err := enginetest.Execute(t.Context(), j, enginetest.Config(func(c *engine.Config) { c.Restart = engine.Exponential{} }))
		if !errors.Is(err, deploy.ErrRepeated) || !engine.IsPermanent(err) || r.Attempts != engine.DefaultSameFailures {
			t.Fatalf("%d attempts, %v", r.Attempts, err)
		}
		var p *engine.PanicError
		if !errors.As(err, &p) || p.At != "process record of key 13" || len(p.Stack) == 0 {
			t.Fatalf("%+v", p)
		}
		for _, want := range []string{
			`operator "culprit": process record of key 13: panic: assignment to entry in nil map; in github.com/tidemark/tidemark/engine_test.(*poisoned).Process (run_test.go:`,
			"given up: failed 5 times",
		} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q lacks %q", err, want)
			}
		}
		if strings.ContainsAny(err.Error(), "\n\t") || len(err.Error()) > 500 {
			t.Errorf("%d characters: %q", len(err.Error()), err)
		}
	})
}
