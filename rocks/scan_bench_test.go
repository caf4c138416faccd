package rocks_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/engine/state/statetest"
	"github.com/tidemark/tidemark/rocks"
)

// A scan of a map of four entries, by the number of sorted runs that RocksDB may have to
// look through: of maps that the table does not have (cold), of maps that it does
// (again), and of maps without entries.
func BenchmarkScanMiss(b *testing.B) {
	const maps, entries = 50_000, 4
	for _, runs := range []int{1, 31} {
		r, err := rocks.NewResources(rocks.Options{TableBytes: 4 << 20})
		check(b, err)
		dir := b.TempDir()
		db := open(b, filepath.Join(dir, "db"), r)
		of := func(db *rocks.DB) state.Map[int64, int64] {
			o := statesOf(db, &statetest.Clock{})
			m := state.NewMap[int64, int64](o, "entries")
			check(b, o.registry.Err())
			return m
		}
		m := of(db)
		fill := func(run, every int) {
			for i := run; i < maps; i += every {
				for e := range int64(entries) {
					check(b, m.Set(on(fmt.Sprint(i)), e, int64(i)))
				}
			}
			check(b, db.Checkpoint(filepath.Join(dir, fmt.Sprint(run))))
		}
		fill(0, 1)
		db.Compact()
		for n := 1; n < runs; n++ {
			fill(n, 100)
		}
		for _, kind := range []struct {
			name, suffix string
			maps, want   int
		}{{"cold", "", maps, entries}, {"again", "", 1000, entries}, {"empty", "x", 1000, 0}} {
			b.Run(fmt.Sprintf("runs=%d/%s", runs, kind.name), func(b *testing.B) {
				scan := func(i int) {
					got := 0
					for _, err := range m.All(on(fmt.Sprint(i%kind.maps, kind.suffix))) {
						check(b, err)
						got++
					}
					if got != kind.want {
						b.Fatalf("%d entries", got)
					}
				}
				if kind.maps < maps {
					for i := range kind.maps {
						scan(i)
					}
				}
				i := 0
				for b.Loop() {
					i += 9_973
					scan(i)
				}
			})
		}
		check(b, db.Close())
		check(b, r.Close())
	}
}

// Clear of a map of a million entries, most of them in RocksDB, and what the flush of
// that takes beside the records.
func BenchmarkClear(b *testing.B) {
	const entries = 1_000_000
	r, err := rocks.NewResources(rocks.Options{TableBytes: 8 << 20})
	check(b, err)
	defer r.Close()
	dir := b.TempDir()
	db := open(b, filepath.Join(dir, "db"), r)
	defer db.Close()
	o := statesOf(db, &statetest.Clock{})
	m := state.NewMap[int64, int64](o, "entries")
	check(b, o.registry.Err())
	n := 0
	for b.Loop() {
		n++
		b.StopTimer()
		for e := range int64(entries) {
			check(b, m.Set(on("key"), e*7919%entries, e))
		}
		check(b, db.Checkpoint(filepath.Join(dir, fmt.Sprint(n))))
		b.StartTimer()
		check(b, m.Clear(on("key")))
	}
	b.ReportMetric(float64(r.Memory().Table)/(1<<20), "MiB-table")
}
