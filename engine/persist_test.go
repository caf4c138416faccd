package engine

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
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
