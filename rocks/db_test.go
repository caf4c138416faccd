package rocks_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/rocks"
)

var count = state.Descriptor{Name: "count", Kind: state.KindValue}

// resources returns small resources that are closed, and checked for leaks, at
// the end of the test.
func resources(t testing.TB, more ...func(*rocks.Options)) *rocks.Resources {
	t.Helper()
	o := rocks.Options{
		MemoryBytes: 16 << 20, ColumnBufferBytes: 256 << 10, TableBytes: 128 << 10, FileBytes: 256 << 10, BackgroundThreads: 1, OpenFiles: 64,
	}
	for _, change := range more {
		change(&o)
	}
	r, err := rocks.NewResources(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := rocks.OpenHandles(); n != 0 { // I12
			t.Errorf("%d databases or iterators were not closed", n)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func open(t testing.TB, dir string, r *rocks.Resources, states ...state.Descriptor) *rocks.DB {
	t.Helper()
	db, err := rocks.Open(dir, r, states)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func column(t testing.TB, db *rocks.DB, d state.Descriptor) state.Column {
	t.Helper()
	c, err := db.Column(d)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func key(i int) []byte { return fmt.Appendf(nil, "key%06d", i) }

// all renders a scan as "key=value key=value".
func all(t testing.TB, it state.Iterator) string {
	t.Helper()
	var s []string
	for it.Next() {
		s = append(s, fmt.Sprintf("%s=%s", it.Key(), it.Value()))
	}
	check(t, it.Err())
	check(t, it.Close())
	return strings.Join(s, " ")
}

func TestColumnIsASortedMap(t *testing.T) {
	db := open(t, t.TempDir(), resources(t), count)
	defer db.Close()
	c := column(t, db, count)
	for _, k := range []string{"b", "a", "d", "c"} {
		check(t, c.Put([]byte(k), []byte(strings.ToUpper(k))))
	}
	check(t, c.Put([]byte("a"), []byte("A2")))
	check(t, c.Put([]byte("empty"), nil))
	check(t, c.Delete([]byte("c")))
	check(t, c.Delete([]byte("absent")))

	v, ok, err := c.Get([]byte("was "), []byte("a"))
	if string(v) != "was A2" || !ok || err != nil {
		t.Errorf("get a: %q %v %v", v, ok, err)
	}
	if v, ok, err := c.Get(nil, []byte("empty")); len(v) != 0 || !ok || err != nil {
		t.Errorf("get empty: %q %v %v", v, ok, err)
	}
	if v, ok, err := c.Get([]byte("was "), []byte("c")); string(v) != "was " || ok || err != nil {
		t.Errorf("get deleted: %q %v %v", v, ok, err)
	}
	for _, s := range []struct{ start, end, want string }{
		{"", "", "a=A2 b=B d=D empty="},
		{"b", "", "b=B d=D empty="},
		{"b", "d", "b=B"},
		{"bb", "zz", "d=D empty="},
		{"x", "", ""},
		{"d", "b", ""},
	} {
		var end []byte
		if s.end != "" {
			end = []byte(s.end)
		}
		if got := all(t, c.Scan([]byte(s.start), end)); got != s.want {
			t.Errorf("scan [%s, %s): %s, want %s", s.start, s.end, got, s.want)
		}
	}
	if got := all(t, c.Scan(nil, []byte{})); got != "" {
		t.Errorf("an empty end is before everything, but the scan found %s", got)
	}
}

// Values and keys longer than the buffers that reads begin with.
func TestLargeEntries(t *testing.T) {
	db := open(t, t.TempDir(), resources(t), count)
	defer db.Close()
	c := column(t, db, count)
	want := map[string][]byte{}
	for i, n := range []int{0, 255, 256, 257, 4000, 4096, 100_000, 3 << 20, 1} {
		k := append(key(i), bytes.Repeat([]byte{'k'}, n%5000)...)
		want[string(k)] = bytes.Repeat([]byte{byte(i)}, n)
		check(t, c.Put(k, want[string(k)]))
	}
	for k, v := range want {
		got, ok, err := c.Get(nil, []byte(k))
		if !ok || err != nil || !bytes.Equal(got, v) {
			t.Errorf("get of %d bytes: %d bytes, %v, %v", len(v), len(got), ok, err)
		}
	}
	it, n := c.Scan(nil, nil), 0
	for ; it.Next(); n++ {
		if v, ok := want[string(it.Key())]; !ok || !bytes.Equal(v, it.Value()) {
			t.Errorf("scan found a key of %d bytes with %d bytes, want %d", len(it.Key()), len(it.Value()), len(v))
		}
	}
	check(t, errors.Join(it.Err(), it.Close()))
	if n != len(want) {
		t.Errorf("scan found %d of %d entries", n, len(want))
	}
}

// Entries that are gone before the barrier leave nothing to write, whatever their
// number and size: no file, and no error.
func TestNothingIsLeftToWrite(t *testing.T) {
	for _, c := range []struct{ entries, bytes int }{{1, 10}, {1, 1 << 20}, {1000, 10}} {
		db := open(t, filepath.Join(t.TempDir(), "db"), resources(t), count)
		defer db.Close()
		col := column(t, db, count)
		for range 2 {
			for i := range c.entries {
				check(t, col.Put(key(i), make([]byte, c.bytes)))
			}
			for i := range c.entries {
				check(t, col.Delete(key(i)))
			}
			at := filepath.Join(t.TempDir(), "checkpoint")
			check(t, db.Checkpoint(at))
			if tables, err := filepath.Glob(filepath.Join(at, "*.sst")); err != nil || len(tables) > 0 {
				t.Errorf("%d entries of %d bytes came and went: the checkpoint has %v (%v)", c.entries, c.bytes, tables, err)
			}
		}
	}
}

func TestScanSeesTheColumnAsItWas(t *testing.T) {
	db := open(t, t.TempDir(), resources(t), count)
	defer db.Close()
	c := column(t, db, count)
	const n = 5000 // more than one batch
	for i := range n {
		check(t, c.Put(key(i), []byte("old")))
	}
	it, seen := c.Scan(nil, nil), 0
	for it.Next() {
		if string(it.Value()) != "old" {
			t.Fatalf("%s is %s", it.Key(), it.Value())
		}
		seen++
		check(t, c.Put(it.Key(), []byte("new")))
		check(t, c.Delete(key(seen+1)))
		check(t, c.Put(append(key(seen), 'x'), []byte("later")))
	}
	check(t, errors.Join(it.Err(), it.Close()))
	if seen != n {
		t.Errorf("scan saw %d entries, want %d", seen, n)
	}
}

// I8: a checkpoint holds the writes before it, in every column, and none after.
func TestCheckpointHoldsWhatWasWrittenBefore(t *testing.T) {
	r, dir := resources(t), t.TempDir()
	second := state.Descriptor{Name: "second", Kind: state.KindMap}
	db := open(t, filepath.Join(dir, "db"), r, count)
	defer db.Close()
	a, b := column(t, db, count), column(t, db, second)
	for i := range 20_000 {
		check(t, a.Put(key(i), fmt.Appendf(nil, "value %d of the first column", i)))
	}
	check(t, b.Put([]byte("x"), []byte("1")))
	at := filepath.Join(dir, "at")
	check(t, db.Checkpoint(at))
	check(t, a.Put(key(1), []byte("changed")))
	check(t, b.Put([]byte("y"), []byte("2")))

	sizes := map[string]int64{}
	entries, err := os.ReadDir(at)
	check(t, err)
	for _, e := range entries {
		info, err := e.Info()
		check(t, err)
		sizes[e.Name()] = info.Size()
		ok := e.Name() == "CURRENT" || strings.HasPrefix(e.Name(), "MANIFEST-") || strings.HasSuffix(e.Name(), ".sst")
		if !ok || db.Immutable(e.Name()) != strings.HasSuffix(e.Name(), ".sst") {
			t.Errorf("a checkpoint holds %s, immutable %v", e.Name(), db.Immutable(e.Name()))
		}
	}
	if len(sizes) < 4 {
		t.Errorf("files of the checkpoint: %v", sizes)
	}

	// I7: what both directories hold under one immutable name has one content.
	// Before the copy is opened: it compacts, and removes what it has merged.
	for name := range sizes {
		if !db.Immutable(name) {
			continue
		}
		was, err := os.ReadFile(filepath.Join(at, name))
		check(t, err)
		is, err := os.ReadFile(filepath.Join(dir, "db", name))
		if err == nil && !bytes.Equal(was, is) {
			t.Errorf("%s changed", name)
		}
	}

	copied := open(t, at, r)
	defer copied.Close()
	if got := copied.States(); !slices.Equal(got, []string{"count", "second"}) {
		t.Errorf("states %v", got)
	}
	if v, _, err := column(t, copied, count).Get(nil, key(1)); string(v) != "value 1 of the first column" || err != nil {
		t.Errorf("in the checkpoint key 1 is %q, %v", v, err)
	}
	if got := all(t, column(t, copied, second).Scan(nil, nil)); got != "x=1" {
		t.Errorf("second column: %s", got)
	}
	n, it := 0, column(t, copied, count).Scan(nil, nil)
	for it.Next() {
		n++
	}
	check(t, errors.Join(it.Err(), it.Close()))
	if n != 20_000 {
		t.Errorf("first column has %d entries", n)
	}
}

func TestCheckpointFailureLeavesTheDatabaseUsable(t *testing.T) {
	r, dir := resources(t), t.TempDir()
	db := open(t, filepath.Join(dir, "db"), r, count)
	defer db.Close()
	c := column(t, db, count)
	check(t, c.Put(key(1), []byte("1")))

	taken := filepath.Join(dir, "taken")
	check(t, os.Mkdir(taken, 0o755))
	if err := db.Checkpoint(taken); !errors.Is(err, rocks.ErrUsage) {
		t.Errorf("checkpoint into what is there: %v", err)
	}
	if err := db.Checkpoint(filepath.Join(dir, "no", "such", "parent")); err == nil {
		t.Error("checkpoint below nothing succeeded")
	}
	check(t, c.Put(key(2), []byte("2")))
	check(t, db.Checkpoint(filepath.Join(dir, "good")))
}

func TestClosed(t *testing.T) {
	r := resources(t)
	db := open(t, t.TempDir(), r, count)
	c := column(t, db, count)
	check(t, c.Put(key(1), nil))
	it := c.Scan(nil, nil)
	if err := r.Close(); !errors.Is(err, rocks.ErrBusy) {
		t.Errorf("resources of an open database closed: %v", err)
	}
	if err := db.Close(); !errors.Is(err, rocks.ErrUsage) || !strings.Contains(err.Error(), "1 iterators") {
		t.Errorf("close with an open iterator: %v", err)
	}
	if it.Next() || !errors.Is(it.Err(), rocks.ErrClosed) {
		t.Errorf("iterator of a closed database: %v", it.Err())
	}
	check(t, it.Close())
	_, _, getErr := c.Get(nil, key(1))
	_, columnErr := db.Column(count)
	scan := c.Scan(nil, nil)
	if scan.Next() {
		t.Error("scan of a closed database found something")
	}
	for op, err := range map[string]error{
		"get": getErr, "put": c.Put(key(1), nil), "delete": c.Delete(key(1)), "scan": scan.Err(), "column": columnErr,
		"checkpoint": db.Checkpoint(filepath.Join(t.TempDir(), "x")), "close": db.Close(),
	} {
		if !errors.Is(err, rocks.ErrClosed) {
			t.Errorf("%s of a closed database: %v", op, err)
		}
	}
	if m := db.Metrics(); m != (rocks.Metrics{}) {
		t.Errorf("metrics of a closed database: %+v", m)
	}
}

// I10: damage is a typed error, when the database is opened or when the bytes
// are read.
func TestCorruption(t *testing.T) {
	r, dir := resources(t), t.TempDir()
	db := open(t, filepath.Join(dir, "db"), r, count)
	c := column(t, db, count)
	for i := range 5000 {
		check(t, c.Put(key(i), fmt.Appendf(nil, "%d is a value that takes some room", i*7919)))
	}
	for _, name := range []string{"data", "manifest", "current"} {
		check(t, db.Checkpoint(filepath.Join(dir, name)))
	}
	check(t, db.Close())

	spoil := func(at, pattern string, where func(size int) int) {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(dir, at, pattern))
		check(t, err)
		if len(names) == 0 {
			t.Fatalf("no %s in %s", pattern, at)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			check(t, err)
			b[where(len(b))] ^= 0x40
			check(t, os.Remove(name)) // it may be a link
			check(t, os.WriteFile(name, b, 0o644))
		}
	}
	// In the content of the first record: RocksDB takes one whose length was
	// spoilt for the last, cut short by a crash. What restores a checkpoint
	// compares the checksums of whole files first.
	spoil("manifest", "MANIFEST-*", func(int) int { return 12 })
	if db, err := rocks.Open(filepath.Join(dir, "manifest"), r, nil); !errors.Is(err, rocks.ErrCorruption) {
		t.Errorf("open with a spoilt MANIFEST: %v, %v", db, err)
	}
	spoil("data", "*.sst", func(size int) int { return size / 2 })
	damaged, err := rocks.Open(filepath.Join(dir, "data"), r, nil)
	if err == nil {
		it := column(t, damaged, count).Scan(nil, nil)
		for it.Next() {
		}
		err = it.Err()
		check(t, it.Close())
		check(t, damaged.Close())
	}
	if !errors.Is(err, rocks.ErrCorruption) {
		t.Errorf("read of a spoilt file: %v", err)
	}
	check(t, os.WriteFile(filepath.Join(dir, "current", "CURRENT"), nil, 0o644))
	if db, err := rocks.Open(filepath.Join(dir, "current"), r, nil); !errors.Is(err, rocks.ErrCorruption) {
		t.Errorf("open with an empty CURRENT: %v, %v", db, err)
	}
}

// I12: the write buffers of all databases together stay near their budget, and
// nothing is left when they are closed.
func TestMemoryIsBounded(t *testing.T) {
	r := resources(t)
	var dbs []*rocks.DB
	for range 4 {
		db := open(t, t.TempDir(), r, count)
		dbs = append(dbs, db)
		c := column(t, db, count)
		value := bytes.Repeat([]byte("0123456789abcdef"), 16)
		for i := range 20_000 {
			check(t, c.Put(key(i*7919%20_000), value))
			if m := r.Memory(); i%1000 == 0 && m.WriteBuffer > 16<<20 {
				t.Fatalf("write buffers take %d bytes", m.WriteBuffer)
			}
		}
		check(t, db.Checkpoint(filepath.Join(t.TempDir(), "x")))
		if m := db.Metrics(); m.Files == 0 || m.LiveBytes == 0 || m.EstimatedKeys == 0 || m.BackgroundErrors != 0 {
			t.Errorf("metrics %+v", m)
		}
	}
	if m := r.Memory(); m.Cache > m.CacheLimit+8<<20 || m.CacheLimit != 16<<20 {
		t.Errorf("memory %+v", m)
	}
	for _, db := range dbs {
		check(t, db.Close())
	}
	if m := r.Memory(); m.WriteBuffer != 0 {
		t.Errorf("after all databases were closed: %+v", m)
	}
}

func TestOptionsValidate(t *testing.T) {
	for _, c := range []struct {
		o    rocks.Options
		says string
	}{
		{rocks.Options{}, ""},
		{rocks.Options{MemoryBytes: 8 << 20}, ""},
		{rocks.Options{MemoryBytes: -1}, "MemoryBytes is -1"},
		{rocks.Options{MemoryBytes: 8 << 20, WriteBufferBytes: 9 << 20}, "must not exceed"},
		{rocks.Options{OpenFiles: 1}, "OpenFiles is 1"},
		{rocks.Options{TableBytes: 32 << 30}, "TableBytes is 34359738368, must be at most"},
		{rocks.Options{RewriteAfter: time.Millisecond}, "RewriteAfter is 1ms"},
		{rocks.Options{BackgroundThreads: 1000}, "at most 64"},
		{rocks.Options{Disk: rocks.HDD}, ""},
		{rocks.Options{Disk: "floppy"}, `Disk: unknown kind of disk "floppy"`},
		{rocks.Options{Override: "max_subcompactions=2;compaction_options_universal={size_ratio=10}"}, ""},
		{rocks.Options{Override: "max_subcompaction=2"}, "max_subcompaction"},
		{rocks.Options{Override: "max_subcompactions=many"}, "max_subcompactions"},
		{rocks.Options{Override: "compaction_options_universal={size=10}"}, "size"},
	} {
		err := c.o.Validate()
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.says)
		}
	}
}

// The library that is linked is the one that the build chose its binding for.
func TestLinkedNamesTheLibrary(t *testing.T) {
	l := rocks.Linked()
	out, err := exec.CommandContext(t.Context(), "../.ci/binding", "version").Output()
	check(t, err)
	if l.Version != strings.TrimSpace(string(out)) || !strings.Contains(l.String(), l.Version) {
		t.Errorf("linked: %v; installed: %s", l, out)
	}
	t.Log(l)
}
