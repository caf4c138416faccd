package rocks_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/engine/state/statetest"
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

// threadTime is the processor time of this thread.
func threadTime(b *testing.B) time.Duration {
	var t unix.Timespec
	check(b, unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t))
	return time.Duration(t.Nano())
}

// Accesses to keys that the table has, through the states: what a record pays.
func BenchmarkHot(b *testing.B) {
	r, err := rocks.NewResources(rocks.Options{TableBytes: 256 << 20})
	check(b, err)
	defer r.Close()
	db := open(b, b.TempDir(), r)
	defer db.Close()
	o := statesOf(db, &statetest.Clock{})
	number := state.NewValue[int64](o, "number")
	text := state.NewValue[string](o, "text")
	sum := state.NewReducing(o, "sum", func(older, newer int64) int64 { return older + newer })
	entries := state.NewMap[int64, int64](o, "entries")
	check(b, o.registry.Err())
	const many = 200_000
	var keys []*onKey
	for i := range many {
		k := on(fmt.Sprint(i))
		keys = append(keys, k)
		check(b, number.Set(k, 1))
		check(b, text.Set(k, "some text of thirty characters"))
		check(b, sum.Add(k, 1))
		check(b, entries.Set(k, 7, 1))
	}
	for _, c := range []struct {
		name   string
		access func(k *onKey) error
	}{
		{"count", func(k *onKey) error {
			n, _, err := number.Get(k)
			if err != nil {
				return err
			}
			return number.Set(k, n+1)
		}},
		{"text", func(k *onKey) error {
			s, _, err := text.Get(k)
			if err != nil {
				return err
			}
			return text.Set(k, s)
		}},
		{"add", func(k *onKey) error { return sum.Add(k, 1) }},
		{"map", func(k *onKey) error {
			n, _, err := entries.Get(k, 7)
			if err != nil {
				return err
			}
			return entries.Set(k, 7, n+1)
		}},
	} {
		for _, n := range []int{1000, many} {
			b.Run(fmt.Sprintf("%s/keys=%d", c.name, n), func(b *testing.B) {
				b.ReportAllocs()
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				const slice = 10_000 // the least of many is the one that nothing disturbed
				least := time.Duration(math.MaxInt64)
				for i := 0; i < b.N; i += slice {
					before := threadTime(b)
					for j := i; j < i+slice; j++ {
						check(b, c.access(keys[j*7919%n]))
					}
					least = min(least, threadTime(b)-before)
				}
				b.ReportMetric(float64(least.Nanoseconds())/slice, "least-cpu-ns/op")
			})
		}
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

// usage is what the process has used so far.
type usage struct {
	cpu   time.Duration
	bytes int64 // read from files
	reads int64
}

func usageNow(b *testing.B) (u usage) {
	var r unix.Rusage
	check(b, unix.Getrusage(unix.RUSAGE_SELF, &r))
	u.cpu = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	io, err := os.ReadFile("/proc/self/io")
	check(b, err)
	var written int64
	_, err = fmt.Sscanf(string(io), "rchar: %d\nwchar: %d\nsyscr: %d", &u.bytes, &written, &u.reads)
	check(b, err)
	return u
}

// Adding to keys of a state several times the size of its table, in batches of
// which the keys are told ahead, as the engine does: without reading, and by a
// state that has to read; with a checkpoint every so many; with a share of Gets,
// right behind the Add, or of any key.
func BenchmarkAdds(b *testing.B) {
	for _, bench := range []struct {
		name       string
		zipf       bool
		checkpoint int // after so many
		gets       int // percent
		any        bool
	}{
		{"uniform/checkpoint=50k", false, 50_000, 0, false},
		{"uniform/checkpoint=250k", false, 250_000, 0, false},
		{"uniform/spills", false, 0, 0, false},
		{"zipf/checkpoint=50k", true, 50_000, 0, false},
		{"uniform/checkpoint=50k/gets=100", false, 50_000, 100, false},
		{"uniform/checkpoint=50k/gets=20any", false, 50_000, 20, true},
		{"uniform/checkpoint=50k/gets=40any", false, 50_000, 40, true},
	} {
		for _, blind := range []bool{true, false} {
			name := bench.name + "/reading"
			if blind {
				name = bench.name + "/blind"
			}
			b.Run(name, func(b *testing.B) { benchAdds(b, bench.zipf, bench.checkpoint, bench.gets, bench.any, blind) })
		}
	}
}

func benchAdds(b *testing.B, zipf bool, checkpoint, gets int, anyKey, blind bool) {
	const keys, batch = 1_000_000, 64
	r, err := rocks.NewResources(rocks.Options{TableBytes: 16 << 20, MemoryBytes: 40 << 20, WriteBufferBytes: 8 << 20, FileBytes: 2 << 20})
	check(b, err)
	defer func() { check(b, r.Close()) }()
	dir := b.TempDir()
	db := open(b, filepath.Join(dir, "first"), r)
	defer func() { check(b, db.Close()) }()
	type acc [8]uint64 // which does not compress
	add := func(a acc, v uint64) acc {
		for i := range a {
			a[i] += v
			v = v*0x9E3779B97F4A7C15 + 1
		}
		return a
	}
	sum := func(db *rocks.DB) (opening, state.Aggregating[uint64, acc, uint64]) {
		a := state.Aggregate[uint64, acc, uint64]{Add: add, Result: func(a acc) uint64 { return a[0] }}
		if blind {
			a.Merge = func(a, b acc) acc {
				for i := range a {
					a[i] += b[i]
				}
				return a
			}
		}
		o := statesOf(db, &statetest.Clock{})
		s := state.NewAggregating(o, "sum", a)
		check(b, o.registry.Err())
		return o, s
	}
	_, s := sum(db)
	at := func(n uint64) *onKey { return on(fmt.Sprint(n * 0x9E3779B97F4A7C15 % keys)) }
	for n := range uint64(keys) {
		check(b, s.Add(at(n), n))
	}
	check(b, db.Checkpoint(filepath.Join(dir, "below")))
	check(b, db.Close())
	db = open(b, filepath.Join(dir, "below"), r)
	db.Compact()
	o, s := sum(db)
	random := rand.New(rand.NewPCG(1, 2))
	hot := rand.NewZipf(random, 1.1, 1, keys-1)
	next := func() *onKey {
		if zipf {
			return at(hot.Uint64())
		}
		return at(random.Uint64N(keys))
	}
	var coming state.Expectation
	var contexts []*onKey
	done := make(chan error, 1)
	done <- nil
	before, n := usageNow(b), 0
	for b.Loop() {
		if n%batch == 0 {
			coming.Reset()
			contexts = contexts[:0]
			for range batch {
				c := next()
				contexts = append(contexts, c)
				coming.Add(c.cur.Hash, c.cur.Group, func(dst []byte) []byte { return append(dst, c.cur.Key...) })
			}
			if o.registry.Expects() {
				check(b, o.registry.Expect(&coming))
			}
		}
		c := contexts[n%batch]
		n++
		get := random.IntN(100) < gets
		if !get || !anyKey {
			check(b, s.Add(c, uint64(n)))
		}
		if get {
			_, _, err := s.Get(c)
			check(b, err)
		}
		if checkpoint > 0 && n%checkpoint == 0 {
			check(b, <-done)
			write, _, err := db.Freeze(filepath.Join(dir, fmt.Sprint(n)))
			check(b, err)
			go func() { done <- write() }()
		}
	}
	check(b, <-done)
	check(b, db.Checkpoint(filepath.Join(dir, "last")))
	after := usageNow(b)
	b.ReportMetric(float64((after.cpu-before.cpu).Nanoseconds())/float64(n)/1e3, "cpu-µs/op")
	b.ReportMetric(float64(after.bytes-before.bytes)/float64(n), "read-B/op")
	b.ReportMetric(float64(after.reads-before.reads)/float64(n), "reads/op")
}
