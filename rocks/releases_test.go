package rocks_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/rocks"
)

var writeDatabase = flag.Bool("write-database", false, "write testdata/databases/VERSION with the RocksDB that is linked")

// fill writes rounds of entries, some of them over and over, and some deleted. After
// each it calls barrier.
func fill(t *testing.T, columns []state.Column, barrier func(round int)) {
	t.Helper()
	for round := range 4 {
		for i, c := range columns {
			n := 20 // through the write buffer
			if round%2 == i%2 {
				n = 2000 // as a file
			}
			for k := round; k < n; k += 1 + round {
				if k%7 == round {
					check(t, c.Delete(key(k)))
				} else {
					check(t, c.Put(key(k), fmt.Appendf(nil, "round %d column %d", round, i)))
				}
			}
		}
		barrier(round)
	}
}

// release returns the first two numbers of a version.
func release(t *testing.T, version string) (r [2]int) {
	t.Helper()
	_, err := fmt.Sscanf(version, "%d.%d", &r[0], &r[1])
	check(t, err)
	return r
}

// mapColumn is a column that is a map.
type mapColumn struct {
	state.Column
	m map[string]string
}

func (c mapColumn) Put(k, v []byte) error { c.m[string(k)] = string(v); return nil }
func (c mapColumn) Delete(k []byte) error { delete(c.m, string(k)); return nil }

// RocksDB opens what its older releases wrote, goes on from there, and opens that again
// (I3). testdata/databases has a local checkpoint of each release that was tested.
func TestOpensWhatOlderReleasesWrote(t *testing.T) {
	const databases = "testdata/databases"
	states := []state.Descriptor{count, {Name: "second", Kind: state.KindMap}}
	columns := func(db *rocks.DB) []state.Column {
		return []state.Column{column(t, db, states[0]), column(t, db, states[1])}
	}
	if *writeDatabase {
		check(t, os.MkdirAll(databases, 0o755))
		dir := filepath.Join(databases, rocks.Linked().Version)
		db := open(t, t.TempDir(), resources(t), states...)
		fill(t, columns(db), func(round int) {
			check(t, os.RemoveAll(dir))
			check(t, db.Checkpoint(dir))
		})
		check(t, db.Close())
	}

	want := []mapColumn{{m: map[string]string{}}, {m: map[string]string{}}}
	fill(t, []state.Column{want[0], want[1]}, func(int) {})
	holds := func(t *testing.T, db *rocks.DB) {
		t.Helper()
		for i, c := range columns(db) {
			got, it := map[string]string{}, c.Scan(nil, nil)
			for it.Next() {
				got[string(it.Key())] = string(it.Value())
			}
			check(t, it.Err())
			check(t, it.Close())
			if !maps.Equal(got, want[i].m) {
				t.Fatalf("column %d has %d entries, want %d: %v", i, len(got), len(want[i].m), slices.Sorted(maps.Keys(got)))
			}
		}
	}
	entries, err := os.ReadDir(databases)
	check(t, err)
	linked := release(t, rocks.Linked().Version)
	for _, e := range entries {
		t.Run(e.Name(), func(t *testing.T) {
			if was := release(t, e.Name()); slices.Compare(was[:], linked[:]) > 0 {
				t.Skip("a newer release wrote it")
			}
			r, dir := resources(t), t.TempDir()
			check(t, os.CopyFS(filepath.Join(dir, "old"), os.DirFS(filepath.Join(databases, e.Name()))))
			db := open(t, filepath.Join(dir, "old"), r)
			holds(t, db)
			fill(t, columns(db), func(round int) { check(t, db.Checkpoint(filepath.Join(dir, fmt.Sprint(round)))) })
			check(t, db.Close())
			db = open(t, filepath.Join(dir, "3"), r)
			holds(t, db)
			check(t, db.Close())
		})
	}
}
