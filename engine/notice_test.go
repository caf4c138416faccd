package engine

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/deploy"
	"github.com/tidemark/tidemark/engine/state"
)

// logWriter says what was published.
type logWriter struct{ published []string }

func (w *logWriter) Write(context.Context, []int) error { return nil }
func (w *logWriter) Prepare(_ context.Context, id checkpoint.ID) ([]byte, error) {
	return []byte(id.String()), nil
}
func (w *logWriter) Publish(_ context.Context, pending [][]byte) error {
	w.published = append(w.published, fmt.Sprintf("%s", pending))
	return nil
}
func (w *logWriter) Close() error { return nil }

// I6: notices may come late, twice and out of order: what is published is what
// the newest of them covers, once, and nothing that is not committed.
func TestSinkPublishesWhatIsCommitted(t *testing.T) {
	w := &logWriter{}
	o := &sinkOp[int]{opInfo: &opInfo{id: "out"}, writer: w, registry: state.NewRegistry(nil, "", nil)}
	for id := range checkpoint.ID(5) {
		snap, err := o.snapshot(t.Context(), checkpoint.Barrier{ID: id + 1, Epoch: 2})
		if err != nil {
			t.Fatal(err)
		}
		if held := snap.state[len(snap.state)-1]; held.Name != statePending || len(held.Items) != int(id)+1 {
			t.Fatalf("snapshot %d holds %+v, want all that is not published", id+1, held)
		}
	}
	for _, id := range []checkpoint.ID{1, 1, 4, 3, 4, 2} {
		if err := o.committed(t.Context(), checkpoint.Ref{ID: id, Epoch: 2}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"[1]", "[2 3 4]"}; !reflect.DeepEqual(w.published, want) {
		t.Fatalf("published %v, want %v", w.published, want)
	}
}

// I13, I15: IDs recur over epochs, so a late notice of a dead epoch publishes
// nothing of what is held for the same ID of this one.
func TestNoticeOfADeadEpochPublishesNothing(t *testing.T) {
	w := &logWriter{}
	o := &sinkOp[int]{opInfo: &opInfo{id: "out"}, writer: w, registry: state.NewRegistry(nil, "", nil)}
	if _, err := o.snapshot(t.Context(), checkpoint.Barrier{ID: 7, Epoch: 2}); err != nil {
		t.Fatal(err)
	}
	for _, dead := range []checkpoint.Ref{{ID: 7, Epoch: 1}, {ID: 9, Epoch: 1}, {ID: 7, Epoch: 3}} {
		if err := o.committed(t.Context(), dead); err != nil || len(w.published) > 0 {
			t.Fatalf("the notice of checkpoint %v published %v; %v", dead, w.published, err)
		}
	}
	if err := o.committed(t.Context(), checkpoint.Ref{ID: 7, Epoch: 2}); err != nil || len(w.published) != 1 {
		t.Fatalf("published %v; %v", w.published, err)
	}
}

// recorder is a fleet that keeps what is posted to each host.
type recorder map[deploy.WorkerID][]deploy.Command

func (r recorder) post(to deploy.WorkerID, _ checkpoint.Execution, c deploy.Command) {
	r[to] = append(r[to], c)
}

// Triggers and the drain reach all hosts in one order.
func TestTriggersAndDrainKeepOneOrder(t *testing.T) {
	for range 200 {
		got := recorder{}
		ts := &tasks{driver: &driver{fleet: got}, workers: []deploy.WorkerID{"a", "b", "c"}}
		var posted sync.WaitGroup
		begin := make(chan struct{})
		for id := range checkpoint.ID(4) {
			posted.Go(func() { <-begin; ts.Trigger(checkpoint.Barrier{ID: id}) })
			posted.Go(func() { <-begin; ts.post(deploy.Drain{}) })
		}
		close(begin)
		posted.Wait()
		if len(got["a"]) != 8 || !reflect.DeepEqual(got["a"], got["b"]) || !reflect.DeepEqual(got["a"], got["c"]) {
			t.Fatalf("the hosts got %v", got)
		}
	}
}

// Records are dealt out to all subtasks, not to one.
func TestDealExchangeTakesTurns(t *testing.T) {
	s := newSubtask(t.Context(), checkpoint.SubtaskID{}, nil, nil, nil)
	x := &dealExchange[int]{}
	var gates []*gate[struct{}, int]
	for range 3 {
		g := newGate[struct{}, int](ExactlyOnce, 1, 100, 10, make(chan struct{}, 1))
		g.allowed.Store(1000)
		gates = append(gates, g)
		x.ports = append(x.ports, &port[struct{}, int]{op: &opInfo{sub: s, counters: &counters{}}, gate: g})
	}
	for i := range 60 {
		if err := x.push(make([]int, 5)); err != nil {
			t.Fatal(err)
		}
		if i%4 == 0 {
			if err := x.flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := x.flush(); err != nil {
		t.Fatal(err)
	}
	for i, g := range gates {
		n := 0
		for ev, b := g.poll(); ev.kind == eventWorked; ev, b = g.poll() {
			n += len(b.records)
		}
		if n < 80 || n > 120 {
			t.Errorf("subtask %d got %d of 300 records", i, n)
		}
	}
}
