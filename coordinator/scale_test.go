package coordinator_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/memstore"
)

// The large job: each checkpoint puts newObjects, and reaches those of lives checkpoints.
const (
	largeCheckpoints = 1000
	newObjects       = 100
	lives            = 10
	largeBytes       = 60 << 10 // of an object
)

// large is the store of a job of 1,000 checkpoints and 100,000 objects, and as many dead
// objects as a checkpoint puts. Its manifests lie on the disk, and its objects have names
// alone, so that it takes no memory itself. The store below it has head.
type large struct {
	upload.Store
	names []string // of data objects, sorted
	dir   string   // of manifests
}

func largeName(id checkpoint.ID, e checkpoint.Epoch, n int) string {
	return incremental.ObjectName{Epoch: e, Checkpoint: id, Operator: operator, Attempt: 1, Random: fmt.Sprintf("%016x", int(id)*newObjects+n)}.String()
}

// path is where the manifest lies.
func (s *large) path(id checkpoint.ID) string { return filepath.Join(s.dir, fmt.Sprint(id)) }

func (s *large) manifest(id checkpoint.ID) *incremental.Manifest {
	h := &incremental.Handle{
		Operator: operator, Range: keygroup.Range{End: 128}, Checkpoint: id,
		States: []state.Descriptor{{Name: "s", Kind: state.KindValue, Key: "string", Value: "int64"}},
	}
	var objects []string
	for by := max(1, int(id)-lives+1); by <= int(id); by++ {
		for n := range newObjects {
			objects = append(objects, largeName(checkpoint.ID(by), 2, n))
		}
	}
	slices.Sort(objects)
	for i, name := range objects {
		h.Objects = append(h.Objects, incremental.Object{Name: name, Size: largeBytes, CRC32C: 7, Adopted: largeBytes})
		h.Files = append(h.Files, incremental.File{Name: fmt.Sprintf("%06d.sst", i), Immutable: true, Ref: incremental.FileRef{Object: name, Length: largeBytes, CRC32C: 7}})
	}
	at := time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC)
	return &incremental.Manifest{
		Job: "j", Checkpoint: id, Epoch: 2, Attempt: 1, Base: id - 1, Triggered: at, Created: at, Writer: "test",
		Graph:    checkpoint.Graph{Job: "j", MaxParallelism: 128, Operators: []checkpoint.GraphOperator{{ID: operator, Type: "process", Parallelism: 1}}},
		Subtasks: []incremental.Subtask{{Operator: operator, Keyed: h}},
	}
}

func (s *large) Get(ctx context.Context, name string) (io.ReadCloser, upload.Info, error) {
	id, _, ok := incremental.ParseManifestName(name)
	if !ok {
		return s.Store.Get(ctx, name)
	}
	b, err := os.ReadFile(s.path(id))
	return io.NopCloser(bytes.NewReader(b)), upload.Info{Name: name, Size: int64(len(b)), Version: "v"}, err
}

func (s *large) Head(ctx context.Context, name string) (upload.Info, error) {
	if _, ok := incremental.ParseObjectName(name); ok {
		return upload.Info{Name: name, Size: largeBytes, Version: "v"}, nil
	}
	return s.Store.Head(ctx, name)
}

func (s *large) List(ctx context.Context, prefix string) iter.Seq2[upload.Info, error] {
	return func(yield func(upload.Info, error) bool) {
		if prefix != "" {
			return // there is no history
		}
		for _, name := range s.names {
			if !yield(upload.Info{Name: name, Size: largeBytes, Version: "v"}, nil) {
				return
			}
		}
		for info, err := range s.Store.List(ctx, "") {
			if !yield(info, err) {
				return
			}
		}
		for id := range largeCheckpoints {
			if !yield(upload.Info{Name: incremental.ManifestName(checkpoint.ID(id+1), 2), Size: 1 << 17, Version: "v"}, nil) {
				return
			}
		}
	}
}

// peak runs do, and returns how long it took and the most memory that the process had
// from the system meanwhile, in bytes.
func peak(do func()) (time.Duration, uint64) {
	used := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		top := uint64(0)
		for {
			metrics.Read(used)
			top = max(top, used[0].Value.Uint64()-used[1].Value.Uint64())
			select {
			case <-stop:
				most <- top
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	begin := time.Now()
	do()
	took := time.Since(begin)
	close(stop)
	return took, <-most
}

// I12: gc and explain on 1,000 checkpoints and 100,000 objects take less than 30 s and 256
// MiB, and read each manifest once.
func TestScale(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	s := &large{Store: memstore.New(), dir: t.TempDir()}
	for id := range largeCheckpoints {
		for n := range newObjects {
			s.names = append(s.names, largeName(checkpoint.ID(id+1), 2, n))
		}
		b, err := incremental.EncodeManifest(s.manifest(checkpoint.ID(id + 1)))
		if err == nil {
			err = os.WriteFile(s.path(checkpoint.ID(id+1)), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := range newObjects {
		s.names = append(s.names, largeName(5000, 1, n))
	}
	slices.Sort(s.names)
	at := time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC)
	head := coordinator.Head{
		Version: 1, Edit: "e", Job: "j", Epoch: 2, NextID: largeCheckpoints + 1, Writer: "w",
		Policy: &coordinator.RetentionPolicy{Newest: largeCheckpoints, OnCancel: coordinator.SurviveAll, OnFinish: coordinator.SurviveAll},
	}
	for id := range largeCheckpoints {
		head.Retained = append(head.Retained, coordinator.Retained{ID: checkpoint.ID(id + 1), Epoch: 2, Base: checkpoint.ID(id), Triggered: at, Created: at, KeptBy: []string{"count"}})
	}
	b, err := coordinator.EncodeHead(head)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), incremental.HeadName, upload.BodyFromBytes(b), upload.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		do       func(upload.Store) error
		get, all int64
	}{
		"gc": {func(s upload.Store) error {
			swept, err := coordinator.Sweep(t.Context(), s, coordinator.SweepOptions{DryRun: true})
			if len(swept.Orphans) != newObjects || swept.Stored.Objects != (largeCheckpoints+1)*newObjects+largeCheckpoints+1 {
				t.Errorf("gc found %d orphans of %+v", len(swept.Orphans), swept.Stored)
			}
			return err
		}, largeCheckpoints + 1, largeCheckpoints + 4}, // head, and listings of objects, uploads and versions
		"explain": {func(s upload.Store) error {
			e, err := coordinator.Explain(t.Context(), s, largeName(500, 2, 7))
			if len(e.Uses) != lives || e.Fate != coordinator.FateKept {
				t.Errorf("explain found %d uses, %s", len(e.Uses), e.Fate)
			}
			return err
		}, largeCheckpoints + 1, largeCheckpoints + 2}, // head, and the object's size
	} {
		counters := new(upload.Counters)
		took, memory := peak(func() {
			if err := c.do(upload.Counting(s, counters)); err != nil {
				t.Fatal(err)
			}
		})
		all := int64(0)
		for _, op := range counters.Snapshot() {
			all += op.Ops
		}
		t.Logf("%s of %d checkpoints and %d objects: %v, %d MiB, %d operations, %d of them GET", name, largeCheckpoints, len(s.names), took.Round(time.Millisecond), memory>>20, all, counters.Get.Ops.Load())
		if took > 30*time.Second || memory > 256<<20 || counters.Get.Ops.Load() != c.get || all != c.all {
			t.Errorf("%s: at most 30s, 256 MiB, %d operations, %d of them GET", name, c.all, c.get)
		}
	}
}
