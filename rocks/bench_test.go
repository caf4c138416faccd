package rocks_test

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/tidemark/tidemark/rocks"
)

// counter adds one to each of n keys in turn, spread over the key space.
func counter(b *testing.B, n uint64) {
	r, err := rocks.NewResources(rocks.Options{})
	check(b, err)
	defer r.Close()
	db := open(b, b.TempDir(), r, count)
	defer db.Close()
	c := column(b, db, count)
	var k, v [8]byte
	var got []byte
	i := uint64(0)
	for b.Loop() {
		binary.BigEndian.PutUint64(k[:], i*0x9E3779B97F4A7C15%n)
		i++
		var err error
		got, _, err = c.Get(got[:0], k[:])
		check(b, err)
		copy(v[:], got)
		binary.LittleEndian.PutUint64(v[:], binary.LittleEndian.Uint64(v[:])+1)
		check(b, c.Put(k[:], v[:]))
	}
}

// A Get and a Put of a key, by the number of keys: within the table's budget,
// and far beyond.
func BenchmarkCounter(b *testing.B) {
	for _, n := range []uint64{1_000, 50_000, 2_000_000} {
		b.Run(fmt.Sprint("keys=", n), func(b *testing.B) { counter(b, n) })
	}
}

// A checkpoint of 50,000 changed keys: what the barrier costs the records, and
// what is done beside them.
func BenchmarkCheckpoint(b *testing.B) {
	r, err := rocks.NewResources(rocks.Options{})
	check(b, err)
	defer r.Close()
	dir := b.TempDir()
	db := open(b, filepath.Join(dir, "db"), r, count)
	defer db.Close()
	c := column(b, db, count)
	var frozen, written time.Duration
	n := 0
	for b.Loop() {
		n++
		for i := range 50_000 {
			check(b, c.Put(key(i), key(n)))
		}
		start := time.Now()
		write, _, err := db.Freeze(filepath.Join(dir, fmt.Sprint(n)))
		check(b, err)
		frozen += time.Since(start)
		check(b, write())
		written += time.Since(start)
	}
	b.ReportMetric(float64(frozen.Microseconds())/float64(n), "µs-freeze")
	b.ReportMetric(float64(written.Milliseconds())/float64(n), "ms-write")
}

// A Get that the table cannot answer, by the number of sorted runs that RocksDB
// may have to look through, of a key that is there and of one that is not.
func BenchmarkMiss(b *testing.B) {
	const keys = 200_000
	for _, runs := range []int{1, 8, 16, 31} {
		r, err := rocks.NewResources(rocks.Options{TableBytes: 1 << 20})
		check(b, err)
		dir := b.TempDir()
		db := open(b, filepath.Join(dir, "db"), r, count)
		c := column(b, db, count)
		for i := range keys {
			check(b, c.Put(key(i), make([]byte, 100)))
		}
		check(b, db.Checkpoint(filepath.Join(dir, "first")))
		db.Compact()
		for n := 1; n < runs; n++ {
			for i := range keys / 100 {
				check(b, c.Put(key(i*100+n), make([]byte, 100)))
			}
			check(b, db.Checkpoint(filepath.Join(dir, fmt.Sprint(n))))
		}
		if m := db.Metrics(); m.Files != int64(runs) {
			b.Fatalf("%d files, want %d", m.Files, runs)
		}
		var got []byte
		for _, kind := range []struct{ name, suffix string }{{"present", ""}, {"absent", "x"}} {
			b.Run(fmt.Sprintf("runs=%d/%s", runs, kind.name), func(b *testing.B) {
				i := 0
				for b.Loop() {
					i = (i + 99_991) % keys
					got, _, err = c.Get(got[:0], append(key(i), kind.suffix...))
					check(b, err)
				}
			})
		}
		check(b, db.Close())
		check(b, r.Close())
	}
}
