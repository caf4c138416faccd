package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

const operator = checkpoint.OperatorID("sum")

func jobGraph() checkpoint.Graph {
	return checkpoint.Graph{Job: "j", MaxParallelism: 8, Operators: []checkpoint.GraphOperator{{ID: operator, Type: "process", Parallelism: 2, Key: "int64"}}}
}

// crew is an attempt of a job: subtasks that upload one small object a
// checkpoint, reuse those of the base that they hold, and acknowledge. A
// script decides what becomes of each acknowledgement.
type crew struct {
	t     *testing.T
	store upload.Store
	c     *coordinator.Coordinator
	n     checkpoint.Attempt
	// script, when set, is called instead of sending what a subtask has to say.
	script func(a checkpoint.Ack, send func())

	mu        sync.Mutex
	handles   map[checkpoint.ID]map[int]*incremental.Handle
	triggered []checkpoint.Barrier
	committed []checkpoint.ID
	aborted   map[checkpoint.ID]error
	failed    []error
	wg        sync.WaitGroup
}

// begin attaches and starts an attempt.
func begin(t *testing.T, store upload.Store, c *coordinator.Coordinator, n checkpoint.Attempt) (*crew, *checkpoint.Restored) {
	t.Helper()
	r, err := c.Attach(t.Context(), jobGraph(), n)
	if err != nil {
		t.Fatal(err)
	}
	w := newCrew(t, store, c, n, r)
	c.Start(w.execution(), w)
	return w, r
}

func newCrew(t *testing.T, store upload.Store, c *coordinator.Coordinator, n checkpoint.Attempt, r *checkpoint.Restored) *crew {
	w := &crew{t: t, store: store, c: c, n: n, handles: map[checkpoint.ID]map[int]*incremental.Handle{}, aborted: map[checkpoint.ID]error{}}
	if r != nil {
		w.handles[r.Checkpoint] = map[int]*incremental.Handle{}
		for _, s := range r.Operators[operator] {
			w.handles[r.Checkpoint][s.Index] = s.Keyed.(*incremental.Handle)
		}
	}
	return w
}

func (w *crew) execution() checkpoint.Execution {
	return checkpoint.Execution{Epoch: w.c.Epoch(), Attempt: w.n}
}

func (w *crew) Subtasks() []checkpoint.SubtaskID {
	return []checkpoint.SubtaskID{{Vertex: operator, Index: 0}, {Vertex: operator, Index: 1}}
}

func (w *crew) Trigger(b checkpoint.Barrier) {
	w.mu.Lock()
	w.triggered = append(w.triggered, b)
	w.mu.Unlock()
	for i := range 2 {
		w.wg.Go(func() { w.snapshot(b, i) })
	}
}

// snapshot uploads and acknowledges. It keeps the newest two objects of its
// base, so that objects die after a while.
func (w *crew) snapshot(b checkpoint.Barrier, i int) {
	h, err := w.upload(b, i)
	if err != nil {
		d := checkpoint.Decline{Checkpoint: b.ID, Execution: w.execution(), Subtask: w.Subtasks()[i], Code: checkpoint.DeclinePersist, Text: err.Error()}
		if partial, ok := errors.AsType[*state.PersistError](err); ok {
			d.Objects = partial.Objects
		}
		w.c.Decline(d)
		return
	}
	a := checkpoint.Ack{
		Checkpoint: b.ID, Execution: w.execution(), Subtask: w.Subtasks()[i],
		Operators: []checkpoint.OperatorSnapshot{{Operator: operator, Index: i, Keyed: h}},
		Timings:   checkpoint.Timings{Sync: time.Duration(i+1) * time.Millisecond, Async: time.Second},
	}
	send := func() { w.c.Ack(a) }
	if w.script != nil {
		w.script(a, send)
		return
	}
	send()
}

// backend is the local store of the tasks.
var backend = incremental.BackendInfo{Name: "rocksdb", Version: "7.8.3", Format: 5}

func (w *crew) upload(b checkpoint.Barrier, i int) (*incremental.Handle, error) {
	name := incremental.NewObjectName(b.Epoch, b.ID, operator, i, w.n).String()
	content := fmt.Appendf(nil, "state of subtask %d at checkpoint %d of epoch %d", i, b.ID, b.Epoch)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := w.store.Put(ctx, name, upload.BodyFromBytes(content), upload.PutOptions{IfAbsent: true}); err != nil {
		return nil, &state.PersistError{Checkpoint: b.ID, Operator: operator, Index: i, Objects: []string{name}, Err: err}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	crc, size := upload.CRC32C(content), int64(len(content))
	h := &incremental.Handle{Operator: operator, Index: i, Range: keygroup.Assign(8, 2, i), Checkpoint: b.ID, Uploaded: size, Backend: backend}
	if base := w.handles[b.Base][i]; base != nil {
		old := base.Files[max(0, len(base.Files)-2):]
		for _, f := range old {
			h.Files = append(h.Files, f)
			h.Objects = append(h.Objects, base.Objects[slices.IndexFunc(base.Objects, func(o incremental.Object) bool { return o.Name == f.Ref.Object })])
		}
	}
	h.Files = append(h.Files, incremental.File{
		Name: fmt.Sprintf("%06d.sst", b.ID), Immutable: true,
		Ref: incremental.FileRef{Object: name, Length: size, CRC32C: crc},
	})
	h.Objects = append(h.Objects, incremental.Object{Name: name, Size: size, CRC32C: crc})
	slices.SortFunc(h.Objects, func(a, b incremental.Object) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	if w.handles[b.ID] == nil {
		w.handles[b.ID] = map[int]*incremental.Handle{}
	}
	w.handles[b.ID][i] = h
	return h, nil
}

func (w *crew) Committed(r checkpoint.Ref) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.committed = append(w.committed, r.ID)
}

func (w *crew) Aborted(r checkpoint.Ref, reason error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.aborted[r.ID] = reason
}

func (w *crew) Fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = append(w.failed, err)
}

// seen returns copies of what the attempt was told.
func (w *crew) seen() (triggered []checkpoint.Barrier, committed []checkpoint.ID, aborted map[checkpoint.ID]error, failed []error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.triggered), slices.Clone(w.committed), maps.Clone(w.aborted), slices.Clone(w.failed)
}

// end detaches and waits for the subtasks.
func (w *crew) end() {
	w.c.Detach()
	w.wg.Wait()
}

func open(t *testing.T, store upload.Store, change func(*coordinator.Options)) *coordinator.Coordinator {
	t.Helper()
	c, err := tryOpen(t, store, change)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tryOpen(t *testing.T, store upload.Store, change func(*coordinator.Options)) (*coordinator.Coordinator, error) {
	o := coordinator.Options{Store: store, Job: "j", Graph: jobGraph(), Writer: "test", Logger: quiet}
	if change != nil {
		change(&o)
	}
	return coordinator.Open(t.Context(), o)
}

func closed(t *testing.T, c *coordinator.Coordinator) {
	t.Helper()
	if err := c.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// intact checks that everything that a retained manifest states is there, with
// its size and checksum (I1).
func intact(t *testing.T, store upload.Store) {
	t.Helper()
	h, _, err := coordinator.ReadHead(context.Background(), store)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range h.Retained {
		m, err := incremental.ReadManifest(context.Background(), store, r.ID, r.Epoch)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range m.Objects() {
			b, _, err := upload.ReadAll(context.Background(), store, o.Name, 1<<20)
			if err != nil {
				t.Fatalf("checkpoint %d: %v", r.ID, err)
			}
			if int64(len(b)) != o.Size || upload.CRC32C(b) != o.CRC32C {
				t.Fatalf("checkpoint %d: %s is not what the manifest states", r.ID, o.Name)
			}
		}
	}
}

// tidy checks that the store holds exactly what is reachable (I5).
func tidy(t *testing.T, store upload.Store) {
	t.Helper()
	reachable, err := coordinator.Reachable(context.Background(), store)
	if err != nil {
		t.Fatal(err)
	}
	for info, err := range store.List(context.Background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := reachable[info.Name]; !ok && info.Name != incremental.HeadName {
			t.Errorf("%s is left although nothing reaches it", info.Name)
		}
		delete(reachable, info.Name)
	}
	for name, by := range reachable {
		t.Errorf("%s is missing although it is kept by %v", name, by)
	}
}

var errTest = errors.New("made up")
