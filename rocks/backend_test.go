package rocks_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/engine/state/statetest"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/memstore"
)

// A DB is what package incremental takes for a local store.
var _ incremental.Base = (*rocks.DB)(nil)

// opener opens databases with the resources.
func opener(r *rocks.Resources) func(string, []state.Descriptor) (incremental.Base, error) {
	return func(dir string, states []state.Descriptor) (incremental.Base, error) {
		return rocks.Open(dir, r, states)
	}
}

func factory(t testing.TB, dir string, s upload.Store, openBase func(string, []state.Descriptor) (incremental.Base, error)) *incremental.Factory {
	t.Helper()
	f, err := incremental.NewFactory(incremental.Options{
		Dir: dir, Store: s, Parallel: 2, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		OpenBase: openBase,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, f.Close()) })
	return f
}

// The whole state backend: RocksDB under incremental checkpoints.
func TestStates(t *testing.T) {
	clock := &statetest.Clock{}
	r := resources(t, func(o *rocks.Options) { o.Clock = clock.Now })
	statetest.Run(t, statetest.Harness{
		Clock:   clock,
		Factory: func(t *testing.T) state.Factory { return factory(t, t.TempDir(), memstore.New(), opener(r)) },
		Leaks: func(t *testing.T) {
			if n := rocks.OpenHandles(); n != 0 { // I12
				t.Errorf("%d databases or iterators were not closed", n)
			}
		},
	})
}

func openBackend(t testing.TB, f state.Factory, attempt checkpoint.Attempt, groups keygroup.Range, handles ...checkpoint.StateHandle) state.Backend {
	t.Helper()
	q := state.OpenRequest{Operator: "op", Attempt: attempt, KeyGroups: groups, Handles: handles}
	if len(handles) > 0 {
		q.Restored = handles[0].(*incremental.Handle).Checkpoint
	}
	b, err := f.Open(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func persist(t testing.TB, b state.Backend, id, base checkpoint.ID) *incremental.Handle {
	t.Helper()
	p, err := b.Snapshot(context.Background(), checkpoint.Barrier{ID: id, Epoch: 1, Base: base})
	check(t, err)
	h, err := p.Persist(context.Background())
	check(t, err)
	b.Committed(id)
	return h.(*incremental.Handle)
}

func groupKey(i int) []byte {
	return fmt.Appendf(keygroup.AppendPrefix(nil, keygroup.KeyGroup(i%128)), "%08d", i)
}

// A large state that changes little costs little to checkpoint; compactions
// included, a checkpoint stays far below a full one, and every one is complete
// in the store (I1).
func TestCheckpointsAreIncremental(t *testing.T) {
	r, s := resources(t), memstore.New()
	f := factory(t, t.TempDir(), s, opener(r))
	all := keygroup.Range{Start: 0, End: 128}
	b := openBackend(t, f, 1, all)
	c, err := b.Column(count)
	check(t, err)
	value := func(i, round int) []byte { return fmt.Appendf(nil, "%d in round %d: %x", i, round, i*2654435761) }
	const n = 60_000
	for i := range n {
		check(t, c.Put(groupKey(i*7919%n), value(i, 0)))
	}
	h := persist(t, b, 1, 0)
	full := h.FullBytes()
	var uploaded int64
	const rounds = 20
	for id := checkpoint.ID(2); id < 2+rounds; id++ {
		for i := range 100 {
			check(t, c.Put(groupKey((int(id)*1000+i)%n), value(i, int(id))))
		}
		h = persist(t, b, id, id-1)
		uploaded += h.Uploaded
		report, err := incremental.Verify(t.Context(), s, manifest(h), incremental.VerifyOptions{})
		check(t, err)
		if !report.OK() {
			t.Fatalf("checkpoint %d: %+v", id, report)
		}
	}
	// Four new files set off a compaction, which may rewrite a state as small as
	// this one: a quarter of it, then, is to be expected of each checkpoint.
	if uploaded > full*rounds/2 {
		t.Errorf("%d checkpoints uploaded %d bytes, a full one is %d", rounds, uploaded, full)
	}
	t.Logf("full %d bytes in %d objects, then %d bytes a checkpoint", full, len(h.Objects), uploaded/rounds)

	want := dump(t, c)
	check(t, b.Close())
	b = openBackend(t, f, 2, all, h)
	c, err = b.Column(count)
	check(t, err)
	if !maps.Equal(dump(t, c), want) {
		t.Error("restored state differs")
	}
	// I7: the restored database goes on with the files of the checkpoint. Those
	// that a compaction has left go up again only where their object is given up.
	again := persist(t, b, 100, h.Checkpoint)
	kept := map[string]bool{}
	for _, o := range again.Objects {
		kept[o.Name] = true
	}
	for _, f := range h.Files {
		i := slices.IndexFunc(again.Files, func(g incremental.File) bool { return f.Immutable && g.Name == f.Name })
		if i >= 0 && again.Files[i].Ref != f.Ref && kept[f.Ref.Object] {
			t.Errorf("%s went up again after a restore, though %s is still in use", f.Name, f.Ref.Object)
		}
	}
	check(t, b.Close())
}

func manifest(h *incremental.Handle) *incremental.Manifest {
	return &incremental.Manifest{
		Job: "job", Checkpoint: h.Checkpoint, Epoch: 1,
		Graph:    checkpoint.Graph{Job: "job", MaxParallelism: 128},
		Subtasks: []incremental.Subtask{{Operator: h.Operator, Index: h.Index, Keyed: h}},
	}
}

func dump(t testing.TB, c state.Column) map[string]string {
	t.Helper()
	m := map[string]string{}
	it := c.Scan(nil, nil)
	for it.Next() {
		m[string(it.Key())] = string(it.Value())
	}
	check(t, errors.Join(it.Err(), it.Close()))
	return m
}

// I10: nothing corrupt reaches RocksDB, and no file of it is left open.
func TestCorruptObjectIsRefused(t *testing.T) {
	r, s := resources(t), memstore.New()
	dir := t.TempDir()
	f := factory(t, dir, s, opener(r))
	all := keygroup.Range{Start: 0, End: 128}
	b := openBackend(t, f, 1, all)
	c, err := b.Column(count)
	check(t, err)
	for i := range 1000 {
		check(t, c.Put(groupKey(i), []byte("value")))
	}
	h := persist(t, b, 1, 0)
	check(t, b.Close())
	name := h.Objects[0].Name
	s.Damage(name, func(b []byte) []byte { b[len(b)/2] ^= 4; return b })
	_, err = f.Open(t.Context(), state.OpenRequest{Operator: "op", Attempt: 2, KeyGroups: all, Restored: 1, Handles: []checkpoint.StateHandle{h}})
	if damaged, ok := errors.AsType[*incremental.CorruptStateError](err); !ok || damaged.Object != name {
		t.Errorf("restore: %v", err)
	}
	if n := rocks.OpenHandles(); n != 0 {
		t.Errorf("%d databases are open", n)
	}
}

// An oracle that is not ours: RocksDB's own tool reads what a checkpoint put
// into the store.
func TestToolsReadARestoredCheckpoint(t *testing.T) {
	tool, err := exec.LookPath("ldb")
	if err != nil {
		t.Skip("RocksDB's ldb is not installed")
	}
	r, s := resources(t), memstore.New()
	f := factory(t, t.TempDir(), s, opener(r))
	b := openBackend(t, f, 1, keygroup.Range{Start: 0, End: 128})
	c, err := b.Column(count)
	check(t, err)
	const n = 3000
	for i := range n {
		check(t, c.Put(key(i), fmt.Appendf(nil, "value%d", i)))
	}
	check(t, c.Delete(key(7)))
	h := persist(t, b, 1, 0)
	check(t, b.Close())

	dir := t.TempDir()
	for _, file := range h.Files {
		body, err := s.GetRange(t.Context(), file.Ref.Object, file.Ref.Offset, file.Ref.Length)
		check(t, err)
		bytes, err := io.ReadAll(body)
		check(t, errors.Join(err, body.Close()))
		check(t, os.WriteFile(filepath.Join(dir, file.Name), bytes, 0o644))
	}
	// A checkpoint has no record of options, and the tool has fewer levels by itself.
	options := "[Version]\n  rocksdb_version=" + rocks.Linked().Version + "\n  options_file_version=1.1\n[DBOptions]\n"
	for _, column := range []string{"default", "s-count"} {
		options += fmt.Sprintf("[CFOptions %q]\n  num_levels=40\n[TableOptions/BlockBasedTable %[1]q]\n", column)
	}
	check(t, os.WriteFile(filepath.Join(dir, "OPTIONS-000001"), []byte(options), 0o644))
	out, err := exec.Command(tool, "--db="+dir, "--try_load_options", "--column_family=s-count", "scan").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	read := strings.ReplaceAll(string(out), " ==> ", " : ") // as RocksDB 9 writes it
	lines := strings.Count(read, " : value")
	if lines != n-1 || !strings.Contains(read, "key000042 : value42\n") || strings.Contains(read, "key000007 ") {
		t.Errorf("the tool reads %d entries, want %d:\n%.500s", lines, n-1, out)
	}
	out, err = exec.Command(tool, "--db="+dir, "--try_load_options", "checkconsistency").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "OK") {
		t.Errorf("checkconsistency: %v: %s", err, out)
	}
}

// A handle says of every SST what RocksDB knows of it, and of every state where
// it lies.
func TestHandlesDescribeTheirFiles(t *testing.T) {
	f := factory(t, t.TempDir(), memstore.New(), opener(resources(t, func(*rocks.Options) {})))
	all := keygroup.Range{Start: 0, End: 128}
	b, err := f.Open(t.Context(), state.OpenRequest{Operator: "op", Attempt: 1, KeyGroups: all})
	check(t, err)
	defer func() { check(t, b.Close()) }()
	d := state.Descriptor{Name: "total", Kind: state.KindValue, Key: "string", Value: "string"}
	empty := state.Descriptor{Name: "unused", Kind: state.KindValue, Key: "string", Value: "string"}
	c, err := b.Column(d)
	check(t, err)
	_, err = b.Column(empty)
	check(t, err)
	var last *incremental.Handle
	newest := uint64(0)
	for round := range 8 { // compactions among them
		for i := range 1000 {
			key := keygroup.AppendPrefix(nil, keygroup.KeyGroup(3+i%100))
			check(t, c.Put(fmt.Appendf(key, "%04d", i), fmt.Appendf(nil, "%d in round %d", i, round)))
		}
		h := persist(t, b, checkpoint.ID(round+1), checkpoint.ID(round))
		if h.Backend.Name != "rocksdb" || h.Backend.Version != rocks.Linked().Version || h.Backend.Format != 5 {
			t.Errorf("backend %+v", h.Backend)
		}
		if want := []incremental.Shard{{State: "total", Column: "s-total", Groups: all}, {State: "unused", Column: "s-unused", Groups: all}}; !slices.Equal(h.Shards, want) {
			t.Errorf("shards %+v", h.Shards)
		}
		entries := uint64(0)
		for _, file := range h.Files {
			table := file.Table
			if (table != nil) != strings.HasSuffix(file.Name, ".sst") {
				t.Fatalf("%s: table %+v", file.Name, table)
			}
			if table == nil {
				continue
			}
			if table.Column != "s-total" || table.Groups != (keygroup.Range{Start: 3, End: 103}) || string(table.Smallest[2:]) != "0000" || string(table.Largest[2:]) != "0999" || table.CreatedUnix == 0 {
				t.Errorf("%s: %+v", file.Name, table)
			}
			entries += table.Entries
			newest = max(newest, table.LargestSeqno)
		}
		if entries < 1000 || entries > 1000*uint64(round+1) {
			t.Errorf("round %d: %d entries", round, entries)
		}
		if last != nil {
			for _, file := range h.Files {
				i := slices.IndexFunc(last.Files, func(f incremental.File) bool { return f.Name == file.Name && f.Immutable })
				if i >= 0 && last.Files[i].Table != file.Table {
					t.Errorf("%s is described anew: %+v, before %+v", file.Name, file.Table, last.Files[i].Table)
				}
			}
		}
		last = h
		b.Committed(checkpoint.ID(round + 1))
	}
	if newest == 0 {
		t.Error("no file has a sequence number")
	}
}

// A state that is dropped leaves nothing in the next checkpoint and on the disk,
// whether its files are opened or copied.
func TestDroppedStateLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	f := factory(t, dir, memstore.New(), opener(resources(t)))
	all, half := keygroup.Range{Start: 0, End: 128}, keygroup.Range{Start: 0, End: 64}
	b := openBackend(t, f, 1, all)
	descriptor := func(name string) state.Descriptor {
		return state.Descriptor{Name: name, Kind: state.KindValue, Key: "string", Value: "string"}
	}
	for _, name := range []string{"kept", "gone"} {
		c, err := b.Column(descriptor(name))
		check(t, err)
		for i := range 1000 {
			check(t, c.Put(groupKey(i), fmt.Appendf(nil, "a value of the state that is %s", name)))
		}
	}
	h := persist(t, b, 1, 0)
	check(t, b.Close())
	for i, groups := range []keygroup.Range{all, half} {
		b, err := f.Open(t.Context(), state.OpenRequest{
			Operator: "op", Attempt: checkpoint.Attempt(2 + i), KeyGroups: groups, Handles: []checkpoint.StateHandle{h}, Restored: 1, Drop: []string{"gone"},
		})
		check(t, err)
		if names := b.Unopened(); !slices.Equal(names, []string{"kept"}) {
			t.Errorf("groups %v: not opened: %q", groups, names)
		}
		next := persist(t, b, checkpoint.ID(2+i), 1)
		if len(next.States) != 1 || len(next.Shards) != 1 || next.Shards[0].State != "kept" {
			t.Errorf("groups %v: states %v in shards %v", groups, next.States, next.Shards)
		}
		var held, there []string
		for _, file := range next.Files {
			if file.Table != nil {
				held = append(held, file.Name)
			}
		}
		check(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if strings.HasSuffix(path, ".sst") {
				there = append(there, filepath.Base(path))
			}
			return err
		}))
		slices.Sort(held)
		slices.Sort(there)
		if !slices.Equal(held, there) {
			t.Errorf("groups %v: the checkpoint holds %q, the disk %q", groups, held, there)
		}
		check(t, b.Close())
	}
}
