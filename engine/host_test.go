package engine

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/deploy"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/engine/state/memstate"
)

// slowly opens backends that take a second to close, and says when they open
// and close.
type slowly struct {
	mu   sync.Mutex
	said []string
}

func (f *slowly) say(s string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said = append(f.said, s)
}

func (f *slowly) Open(ctx context.Context, r state.OpenRequest) (state.Backend, error) {
	b, err := memstate.Factory{}.Open(ctx, r)
	f.say("open")
	return slowBackend{b, f}, err
}

type slowBackend struct {
	state.Backend
	f *slowly
}

func (b slowBackend) Close() error {
	time.Sleep(time.Second)
	b.f.say("close")
	return b.Backend.Close()
}

// nothing is a source, a processor and a sink without records.
type nothing struct{}

func (nothing) Splits(context.Context, int) ([]Split, error)           { return nil, nil }
func (nothing) Recover(context.Context, Recovery) error                { return nil }
func (nothing) Read(context.Context, []int) ([]int, error)             { return nil, io.EOF }
func (nothing) Process(Context[int], int, Out[int]) error              { return nil }
func (nothing) Write(context.Context, []int) error                     { return nil }
func (nothing) Prepare(context.Context, checkpoint.ID) ([]byte, error) { return nil, nil }
func (nothing) Publish(context.Context, [][]byte) error                { return nil }
func (nothing) Close() error                                           { return nil }

type nothingSource struct{ nothing }

func (nothingSource) Open(SourceContext, []Split) (Reader[int], error) { return nil, nil }

type nothingSink struct{ nothing }

func (nothingSink) Open(SinkContext) (Writer[int], error) { return nothing{}, nil }

type nothingProcessor struct{ nothing }

func (nothingProcessor) Open(OpenContext) error { return nil }

// I13: a newer execution opens nothing before the older one has let go of
// everything; what is late, or of an execution that was cancelled before it
// came, begins nothing.
func TestHostRunsOneExecution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := NewJob("idle")
		Process(KeyBy(From(j, "in", nothingSource{}), func(v int) int { return v }), "sum",
			func() Processor[int, int, int] { return nothingProcessor{} }).To("out", nothingSink{})
		backends := &slowly{}
		cfg := Config{Parallelism: 1, Backends: backends, Logger: slog.New(slog.DiscardHandler)}.WithDefaults(j)
		var stopped []checkpoint.Execution
		var mu sync.Mutex
		h := newHost(t.Context(), "host", j, &cfg, &links{}, func(r deploy.Report) {
			if _, ok := r.Event.(deploy.Stopped); ok {
				mu.Lock()
				defer mu.Unlock()
				stopped = append(stopped, r.Execution)
			}
		})
		d := deploy.Deployment{Parallelism: 1, Placement: deploy.Placement{Slots: []deploy.WorkerID{"host"}}, Subtasks: []deploy.Subtask{
			{ID: checkpoint.SubtaskID{Vertex: "in"}, Operators: []deploy.Operator{{ID: "in"}}},
			{ID: checkpoint.SubtaskID{Vertex: "sum"}, Operators: []deploy.Operator{{ID: "sum"}, {ID: "out"}}},
		}}
		x := func(epoch checkpoint.Epoch, n checkpoint.Attempt) checkpoint.Execution {
			return checkpoint.Execution{Epoch: epoch, Attempt: n}
		}
		h.command(x(1, 1), d)
		synctest.Wait()
		h.command(x(2, 1), d)
		h.command(x(1, 2), d)               // late
		h.command(x(1, 1), deploy.Begin{})  // late
		h.command(x(1, 1), deploy.Cancel{}) // late
		h.command(x(2, 1), d)               // doubled
		time.Sleep(time.Minute)
		h.command(x(2, 2), deploy.Cancel{}) // overtakes its deployment
		h.command(x(2, 2), d)
		time.Sleep(time.Minute)
		h.command(x(2, 2), deploy.Cancel{}) // doubled
		h.close()
		if want := []string{"open", "close", "open", "close"}; !slices.Equal(backends.said, want) {
			t.Errorf("backends: %v, want %v", backends.said, want)
		}
		if want := []checkpoint.Execution{x(1, 1), x(2, 2), x(2, 1), x(2, 2)}; !slices.Equal(stopped, want) {
			t.Errorf("stopped: %v, want %v", stopped, want)
		}
	})
}

// countingOp counts what its subtask makes it do.
type countingOp struct {
	stateless
	finished, snapshots int
}

func (o *countingOp) finish(context.Context) error { o.finished++; return nil }
func (o *countingOp) snapshot(context.Context, checkpoint.Barrier) (opSnapshot, error) {
	o.snapshots++
	return opSnapshot{}, nil
}

// counted is the owner of a subtask, and counts its end.
type counted struct{ ends int }

func (c *counted) exhausted()                 {}
func (c *counted) ended()                     { c.ends++ }
func (c *counted) ack(checkpoint.Ack)         {}
func (c *counted) decline(checkpoint.Decline) {}

// I6: a trigger and the drain that come twice act once: else a sink that is
// chained to a source would prepare output that no acknowledged state holds.
func TestDoubledMessagesActOnce(t *testing.T) {
	end := &counted{}
	s := newSubtask(t.Context(), checkpoint.SubtaskID{Vertex: "in"}, end, slog.New(slog.DiscardHandler), make(chan struct{}, 1))
	op := &countingOp{stateless: stateless{&opInfo{id: "in", sub: s, counters: &counters{}}}}
	s.ops, s.source = []operator{op}, true
	trigger := func(id checkpoint.ID, k checkpoint.Kind) message {
		return message{kind: messageTrigger, barrier: checkpoint.Barrier{ID: id, Kind: k}}
	}
	for _, m := range []message{
		trigger(1, checkpoint.Periodic), trigger(1, checkpoint.Periodic), trigger(3, checkpoint.Periodic), trigger(2, checkpoint.Periodic),
		{kind: messageDrain}, {kind: messageDrain}, trigger(4, checkpoint.Final), trigger(4, checkpoint.Final),
	} {
		if err := s.handle(m); err != nil {
			t.Fatal(err)
		}
	}
	s.persist.wait.Wait()
	if op.snapshots != 3 || op.finished != 1 || end.ends != 1 {
		t.Fatalf("%d snapshots, finished %d times, ended %d times", op.snapshots, op.finished, end.ends)
	}
}

// I3: a source reads nothing behind the last checkpoint before a stop, unless that is
// aborted.
func TestAStopHoldsTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubtask(t.Context(), checkpoint.SubtaskID{Vertex: "in"}, &counted{}, slog.New(slog.DiscardHandler), make(chan struct{}, 1))
		s.ops, s.source = []operator{&countingOp{stateless: stateless{&opInfo{id: "in", sub: s, counters: &counters{}}}}}, true
		reads := &countingHead{}
		s.head = reads
		ended := make(chan error, 1)
		go func() { ended <- s.run() }()
		tell := func(m message, reading bool) {
			t.Helper()
			s.mailbox.post(m)
			synctest.Wait()
			reads.n.Store(0)
			time.Sleep(time.Hour)
			if n := reads.n.Load(); n > 0 != reading {
				t.Errorf("%d reads in an hour", n)
			}
		}
		stop := message{kind: messageTrigger, barrier: checkpoint.Barrier{ID: 7, Epoch: 1, Kind: checkpoint.Manual, Stop: true}}
		tell(message{kind: messageTrigger, barrier: checkpoint.Barrier{ID: 6, Epoch: 1}}, true)
		tell(stop, false)
		tell(message{kind: messageAborted, ref: checkpoint.Ref{ID: 6, Epoch: 1}}, false)
		tell(message{kind: messageAborted, ref: checkpoint.Ref{ID: 7, Epoch: 1}}, true)
		stop.barrier.ID = 8
		tell(stop, false)
		tell(message{kind: messageCommitted, ref: checkpoint.Ref{ID: 8, Epoch: 1}}, false)
		tell(message{kind: messageStop}, false)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.persist.wait.Wait()
	})
}

// countingHead is a source that has a record a minute.
type countingHead struct{ n atomic.Int64 }

func (h *countingHead) step() (event, error) {
	h.n.Add(1)
	return event{kind: eventIdle, wait: time.Minute}, nil
}
func (h *countingHead) abort(checkpoint.ID) {}
func (h *countingHead) queued() int         { return 0 }

// What a host that is lost still counts does not show in the attempts after it.
func TestMetricsOfADeadAttempt(t *testing.T) {
	var m Metrics
	m.begin(1)
	m.operator(1, "in", 0).out.Add(1)
	m.begin(2)
	m.operator(1, "in", 0).out.Add(10)
	m.operator(2, "in", 0).out.Add(100)
	if n := m.Snapshot().Operators["in"].Out; n != 100 {
		t.Fatalf("%d records", n)
	}
}
