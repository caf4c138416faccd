package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/deploy"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// uploaded is a handle of one object.
type uploaded string

func (uploaded) KeyGroups() keygroup.Range { return keygroup.Range{} }
func (uploaded) FullBytes() int64          { return 1 }
func (uploaded) NewBytes() int64           { return 1 }
func (u uploaded) NewObjects() []string    { return []string{string(u)} }

// snapshotOf uploads an object, then waits for release or the end of ctx.
type snapshotOf struct {
	object string
	done   chan struct{}
}

func (s snapshotOf) Persist(ctx context.Context) (checkpoint.StateHandle, error) {
	select {
	case <-s.done: // even if ctx has ended, too
		return uploaded(s.object), nil
	default:
	}
	select {
	case <-s.done:
		return uploaded(s.object), nil
	case <-ctx.Done():
		return nil, &state.PersistError{Objects: []string{s.object}, Err: context.Cause(ctx)}
	}
}
func (s snapshotOf) Release() {}

// refusedSnapshot is one that the store refuses.
type refusedSnapshot struct{}

func (refusedSnapshot) Persist(context.Context) (checkpoint.StateHandle, error) {
	return nil, checkpoint.Refused(errors.New("access denied"))
}
func (refusedSnapshot) Release() {}

// declines is the owner of a subtask, and keeps what is declined.
type declines chan checkpoint.Decline

func (c declines) exhausted()                   {}
func (c declines) ended()                       {}
func (c declines) ack(checkpoint.Ack)           {}
func (c declines) decline(d checkpoint.Decline) { c <- d }

// I5: a checkpoint that is aborted while it is persisted is declined, and the
// decline names all that its operators have uploaded, finished or not.
func TestAbortedPersistNamesItsObjects(t *testing.T) {
	got := make(declines, 1)
	s := newSubtask(t.Context(), checkpoint.SubtaskID{Vertex: "sum"}, got, nil, nil)
	s.ops = []operator{stateless{&opInfo{id: "sum", sub: s, counters: &counters{}}}, stateless{&opInfo{id: "out", sub: s, counters: &counters{}}}}
	ready := make(chan struct{})
	close(ready)
	b := checkpoint.Barrier{ID: 5, Epoch: 3}
	s.persistAsync(b, []opSnapshot{{pending: snapshotOf{"first", ready}}, {pending: snapshotOf{"second", nil}}}, checkpoint.Timings{})
	s.persist.cancel(checkpoint.Ref{ID: 5, Epoch: 2}) // of a dead epoch
	select {
	case d := <-got:
		t.Fatalf("a dead epoch's notice cancelled: %+v", d)
	case <-time.After(time.Millisecond):
	}
	s.persist.cancel(b.Ref())
	s.persist.wait.Wait()
	d := <-got
	if d.Checkpoint != b.ID || d.Code != checkpoint.DeclinePersist || !reflect.DeepEqual(d.Objects, []string{"first", "second"}) {
		t.Fatalf("declined with %+v", d)
	}
	s.persistAsync(b, []opSnapshot{{pending: refusedSnapshot{}}}, checkpoint.Timings{})
	s.persist.wait.Wait()
	if d := <-got; d.Code != checkpoint.DeclineRefused {
		t.Fatalf("a refused snapshot: %+v", d)
	}
	if len(s.persist.running) != 0 {
		t.Fatal("it is still counted as being persisted")
	}
}

// slowToStop ends a while after its context.
type slowToStop struct{ running *atomic.Int32 }

func (s slowToStop) Persist(ctx context.Context) (checkpoint.StateHandle, error) {
	s.running.Add(1)
	<-ctx.Done()
	time.Sleep(time.Minute)
	s.running.Add(-1)
	return nil, context.Cause(ctx)
}
func (slowToStop) Release() {}

// I12: once a subtask is closed none of its uploads runs: what they read lies in
// directories that are about to go, and the next attempt starts without them.
func TestNoUploadOutlivesItsSubtask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubtask(t.Context(), checkpoint.SubtaskID{Vertex: "sum"}, make(declines, maxPersisting), nil, nil)
		s.ops = []operator{stateless{&opInfo{id: "sum", sub: s, counters: &counters{}}}}
		var running atomic.Int32
		for id := range checkpoint.ID(maxPersisting) {
			s.persistAsync(checkpoint.Barrier{ID: id + 1, Epoch: 3}, []opSnapshot{{pending: slowToStop{&running}}}, checkpoint.Timings{})
		}
		synctest.Wait()
		if n := running.Load(); n != maxPersisting {
			t.Fatalf("%d uploads run", n)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		if n := running.Load(); n != 0 {
			t.Errorf("%d uploads run after the end of their subtask", n)
		}
	})
}

// I12: the same of an attempt: its end is reported after that of its uploads.
func TestNoUploadOutlivesItsAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running atomic.Int32
		s := newSubtask(t.Context(), checkpoint.SubtaskID{Vertex: "sum"}, make(declines, 1), nil, nil)
		s.ops = []operator{stateless{&opInfo{id: "sum", sub: s, counters: &counters{}}}}
		e := &execution{began: make(chan struct{}), done: make(chan struct{}), log: slog.New(slog.DiscardHandler), report: func(deploy.Event) {}}
		e.ctx, e.cancel = context.WithCancelCause(t.Context())
		s.ctx = e.ctx
		e.hold([]*subtask{s})
		s.persistAsync(checkpoint.Barrier{ID: 1, Epoch: 3}, []opSnapshot{{pending: slowToStop{&running}}}, checkpoint.Timings{})
		synctest.Wait()
		go e.cancel(errCancelled)
		e.run(map[checkpoint.SubtaskID][]opening{s.id: make([]opening, 1)})
		if n := running.Load(); n != 0 {
			t.Errorf("%d uploads run after the end of their attempt", n)
		}
	})
}

// reusing is a reader that gives out the same bytes each time.
type reusing struct{ at []byte }

func (r *reusing) Read(_ context.Context, dst []int) ([]int, error) {
	r.at[0]++
	return append(dst, int(r.at[0])), nil
}
func (r *reusing) Splits() []Split { return []Split{r.at, r.at[:1]} }
func (r *reusing) Close() error    { return nil }

// I8: what a reader does to the bytes of its splits after the barrier does not reach a
// snapshot that is still being persisted.
func TestSnapshotOwnsItsSplits(t *testing.T) {
	r := &reusing{at: []byte{7, 7, 7}}
	o := &sourceOp[int]{reader: r}
	snap, err := o.snapshot(t.Context(), checkpoint.Barrier{ID: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	splits := snap.state[len(snap.state)-1]
	if splits.Name != StateSplits || !reflect.DeepEqual(splits.Items, [][]byte{{7, 7, 7}, {7}}) {
		t.Errorf("the snapshot holds %v", splits)
	}
}

// I3: where the output of several checkpoints was pending in several subtasks, the
// sink's recovery gets it by rising checkpoint, and of one checkpoint by subtask.
func TestPendingOutputIsRecoveredByCheckpoint(t *testing.T) {
	held := func(subtask int, ids ...checkpoint.ID) checkpoint.OperatorSnapshot {
		var all []prepared
		for _, id := range ids {
			all = append(all, prepared{checkpoint.Ref{ID: id, Epoch: 1}, fmt.Appendf(nil, "%d/%d", id, subtask)})
		}
		return checkpoint.OperatorSnapshot{Operator: "out", Index: subtask, State: []checkpoint.OperatorState{countState(stateRecords, 1), heldState(all)}}
	}
	pending, err := restoredPending([]checkpoint.OperatorSnapshot{held(0, 5, 300), held(1, 4, 5, 6), held(2), held(3, 6, 299)})
	want := []string{"4/1", "5/0", "5/1", "6/1", "6/3", "299/3", "300/0"}
	var got []string
	for _, p := range pending {
		got = append(got, string(p))
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("recovery gets %q, want %q; %v", got, want, err)
	}
}
