package coordinator

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/memstore"
)

// cleaned is a store with a cleaner, and what a leader would know of head.
type cleaned struct {
	*rapid.T
	store *memstore.Store
	c     *cleaner
	next  checkpoint.ID
	head  []Ref // that is in the store
	known []Ref // to the leader
	files map[Ref][]incremental.File
}

func (w *cleaned) put(r Ref) incremental.File {
	name := incremental.NewObjectName(r.Epoch, r.ID, "op", 0, 1).String()
	if _, err := w.store.Put(w.Context(), name, upload.BodyFromBytes([]byte("x")), upload.PutOptions{IfAbsent: true}); err != nil {
		w.Fatal(err)
	}
	return incremental.File{Name: fmt.Sprintf("%06d.sst", r.ID), Immutable: true, Ref: incremental.FileRef{Object: name, Length: 1, CRC32C: upload.CRC32C([]byte("x"))}}
}

// manifest returns the next checkpoint, which reuses some of the newest one's files.
func (w *cleaned) manifest() (Ref, *incremental.Manifest) {
	ref := Ref{ID: w.next, Epoch: 1}
	w.next++
	files := []incremental.File{w.put(ref)}
	if n := len(w.head); n > 0 {
		for _, f := range w.files[w.head[n-1]] {
			if rapid.Bool().Draw(w.T, "reused") {
				files = append(files, f)
			}
		}
	}
	w.files[ref] = files
	h := &incremental.Handle{Operator: "op", Range: keygroup.Range{End: 8}, Checkpoint: ref.ID, Files: slices.Clone(files)}
	for _, f := range files {
		h.Objects = append(h.Objects, incremental.Object{Name: f.Ref.Object, Size: 1, CRC32C: f.Ref.CRC32C})
	}
	slices.SortFunc(h.Files, func(a, b incremental.File) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(h.Objects, func(a, b incremental.Object) int { return strings.Compare(a.Name, b.Name) })
	now := time.Now().UTC()
	return ref, &incremental.Manifest{
		Job: "j", Checkpoint: ref.ID, Epoch: ref.Epoch, Triggered: now, Created: now,
		Graph:    checkpoint.Graph{Job: "j", MaxParallelism: 8, Operators: []checkpoint.GraphOperator{{ID: "op", Type: "process", Parallelism: 1, Key: "int64"}}},
		Subtasks: []incremental.Subtask{{Operator: "op", Keyed: h}},
	}
}

// commit stores a checkpoint, and retains the newest few.
func (w *cleaned) commit() {
	ref, m := w.manifest()
	written, err := incremental.WriteManifest(w.Context(), w.store, m)
	if err != nil {
		w.Fatal(err)
	}
	if rapid.Bool().Draw(w.T, "remembered") {
		w.c.wrote(ref, written, m)
	}
	was := w.head
	w.head = append(slices.Clone(was), ref)
	w.head = w.head[max(0, len(w.head)-3):]
	w.known = w.head
	w.c.add(collect{dropped: slices.DeleteFunc(slices.Clone(was), func(r Ref) bool { return slices.Contains(w.head, r) }), kept: w.known})
}

func (w *cleaned) sweep() { w.c.add(sweep{w.known, scope{epoch: 1, next: w.next}}) }

// work does what waits, and reports whether anything did.
func (w *cleaned) work() bool {
	work, _ := w.c.take()
	if work != nil {
		w.c.work(w.Context(), work)
	}
	return work != nil
}

// missing lists what head reaches and the store lacks; left, what is in the
// store and head does not reach.
func (w *cleaned) missing() (missing, left []string) {
	there := map[string]bool{}
	for _, name := range w.store.Names() {
		there[name] = true
	}
	reached := map[string]bool{}
	for _, r := range w.head {
		reached[manifestName(r)] = true
		for _, f := range w.files[r] {
			reached[f.Ref.Object] = true
		}
	}
	for name := range reached {
		if !there[name] {
			missing = append(missing, name)
		}
	}
	for name := range there {
		if !reached[name] {
			left = append(left, name)
		}
	}
	return missing, left
}

// What this leader put as a manifest is compared, and not read.
func TestCleanerReadsNoManifestOfItsOwn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var count upload.Counters
		w := &cleaned{T: t, store: memstore.New(), next: 1, files: map[Ref][]incremental.File{}}
		w.c = newCleaner(Options{Store: upload.Counting(w.store, &count), Job: "j"}.withDefaults(), func(event) {})
		ref, m := w.manifest()
		written, err := incremental.WriteManifest(t.Context(), w.store, m)
		if err != nil {
			t.Fatal(err)
		}
		w.c.wrote(ref, written, m)
		if err := w.c.register(t.Context(), ref); err != nil || count.Get.Ops.Load() > 0 || count.Head.Ops.Load() != 1 {
			t.Fatalf("%v; %+v", err, count.Snapshot())
		}
	})
}

// I2, I5: whatever commits, aborts, sweeps and edits of head by a tool there
// are, the cleaner deletes nothing that head reaches, and a sweep after the last
// of them leaves nothing else. It works at any time after it was told.
func TestCleanerAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &cleaned{T: t, store: memstore.New(), next: 1, files: map[Ref][]incremental.File{}}
		w.c = newCleaner(Options{Store: w.store, Job: "j", DeletesPerSecond: 1 << 20}.withDefaults(), func(event) {})
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(*rapid.T) { w.commit() },
			"abort": func(t *rapid.T) {
				f := w.put(Ref{ID: w.next, Epoch: 1})
				w.next++
				if rapid.Bool().Draw(t, "acknowledged") {
					w.c.add(discard{[]string{f.Ref.Object}})
				}
			},
			"a tool drops one": func(t *rapid.T) {
				if len(w.head) > 1 {
					i := rapid.IntRange(0, len(w.head)-2).Draw(t, "which")
					w.head = slices.Delete(slices.Clone(w.head), i, i+1)
				}
			},
			"sweep": func(*rapid.T) { w.sweep() },
			"work":  func(*rapid.T) { w.work() },
			"": func(t *rapid.T) {
				if missing, _ := w.missing(); len(missing) > 0 {
					t.Fatalf("head reaches %v, which is gone", missing)
				}
			},
		})
		w.commit() // the leader learns what the tool did
		w.sweep()
		for w.work() {
		}
		if missing, left := w.missing(); len(missing)+len(left) > 0 {
			t.Fatalf("missing %v, left %v", missing, left)
		}
	})
}
