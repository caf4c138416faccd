package rocks_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/engine/state/statetest"
	"github.com/tidemark/tidemark/rocks"
)

// expiring is a value as package state stores it.
func expiring(unixMillis int64, payload string) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{state.ExpiringHeader}, uint64(unixMillis)), payload...)
}

// reopened is a database that is made of a checkpoint of db, whose table knows
// nothing.
func reopened(t *testing.T, db *rocks.DB, r *rocks.Resources) *rocks.DB {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "checkpoint")
	check(t, db.Checkpoint(dir))
	return open(t, dir, r)
}

// The native filter, and the spill, drop what state.Expiry says has expired, to
// the millisecond, and nothing else, however it looks.
func TestExpiredValuesLeave(t *testing.T) {
	const before, now = -1000, 1_000_000 // Unix milliseconds
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	values := [][]byte{nil}
	for _, at := range []int64{before + 1, -1, 0, 1, now - 1, now, now + 1, 1 << 32, math.MaxInt64} {
		whole := expiring(at, "")
		values = append(values, whole, expiring(at, "payload"), whole[:8], append([]byte{0x10}, whole[1:]...), append([]byte{0x12}, whole[1:]...))
	}
	for range 500 {
		values = append(values, expiring(now-100+random.Int64N(200), "random"))
	}
	expired := func(v []byte) bool {
		at, expires := state.Expiry(v)
		return expires && at <= now
	}
	want := int64(0)
	for _, v := range values {
		if expired(v) {
			want++
		}
	}
	for _, inRocksDB := range []bool{false, true} {
		t.Run(fmt.Sprintf("in RocksDB %v", inRocksDB), func(t *testing.T) {
			clock := &statetest.Clock{}
			clock.Advance(before * time.Millisecond)
			r := resources(t, func(o *rocks.Options) { o.Clock = clock.Now })
			db := open(t, t.TempDir(), r, count)
			defer func() { check(t, db.Close()) }()
			c := column(t, db, count)
			for i, v := range values {
				check(t, c.Put(key(i), v))
			}
			if inRocksDB {
				check(t, db.Checkpoint(filepath.Join(t.TempDir(), "early")))
			}
			clock.Advance((now - before) * time.Millisecond)
			check(t, db.Checkpoint(filepath.Join(t.TempDir(), "late"))) // tells the time
			db.Compact()
			m := db.Metrics()
			if got := [2]int64{m.ExpiredFlushed, m.ExpiredCompacted}; got != [2]int64{want, 0} && !inRocksDB || inRocksDB && got != [2]int64{0, want} {
				t.Errorf("%d dropped in the table and %d in RocksDB, want %d", got[0], got[1], want)
			}
			copied := reopened(t, db, r)
			defer func() { check(t, copied.Close()) }()
			c = column(t, copied, count)
			for i, v := range values {
				got, found, err := c.Get(nil, key(i))
				check(t, err)
				if found == expired(v) || found && string(got) != string(v) {
					t.Errorf("%x is there: %v, as %x", v, found, got)
				}
			}
		})
	}
}

// An older version of a key, which lies below the one that expires, stays hidden
// when that leaves: at a spill, and in compactions that do not reach down to it.
func TestOlderVersionsStayHidden(t *testing.T) {
	clock := &statetest.Clock{}
	r := resources(t, func(o *rocks.Options) {
		o.Clock, o.FileBytes = clock.Now, 64<<10
		o.Override = "level0_file_num_compaction_trigger=4" // soon, and not of all files
	})
	db := open(t, t.TempDir(), r, count)
	defer func() { check(t, db.Close()) }()
	c := column(t, db, count)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	noise := func(words int) string {
		var b []byte
		for range words {
			b = binary.NativeEndian.AppendUint64(b, random.Uint64())
		}
		return string(b)
	}
	const n = 40_000
	for i := range n {
		check(t, c.Put(key(i), []byte("older "+noise(20))))
	}
	spill := func() { check(t, db.Checkpoint(filepath.Join(t.TempDir(), "flush"))) }
	spill()
	db.Compact()

	// Half of them expire in RocksDB, the others in the table.
	above := 0
	for round := range 12 {
		for i := round; i < n; i += 24 {
			check(t, c.Put(key(i), expiring(clock.Now().UnixMilli()+10, noise(2))))
		}
		spill()
		for i := round + 12; i < n; i += 24 {
			check(t, c.Put(key(i), expiring(clock.Now().UnixMilli(), "")))
		}
		clock.Advance(time.Second)
		spill()
		above = max(above, db.FilesAt("count", rocks.Bottom-1)+db.FilesAt("count", rocks.Bottom-2))
	}
	for m := db.Metrics(); m.RunningJobs > 0 || m.PendingCompaction > 0; m = db.Metrics() {
		time.Sleep(time.Millisecond)
	}
	m := db.Metrics()
	if above == 0 || m.ExpiredCompacted == 0 || m.ExpiredFlushed == 0 {
		t.Fatalf("%d files above the bottom, %d entries expired in RocksDB, %d in the table: the test shows nothing", above, m.ExpiredCompacted, m.ExpiredFlushed)
	}
	hidden := func(db *rocks.DB) (left int) {
		t.Helper()
		c := column(t, db, count)
		for i := range n {
			v, found, err := c.Get(nil, key(i))
			check(t, err)
			if _, expires := state.Expiry(v); found && !expires {
				t.Fatalf("%s is %.20q again", key(i), v)
			}
			if found {
				left++
			}
		}
		return left
	}
	copied := reopened(t, db, r)
	left := hidden(copied)
	db.Compact()
	check(t, copied.Close())
	copied = reopened(t, db, r)
	if end := hidden(copied); end > 0 {
		t.Errorf("%d entries are left in the end", end)
	}
	t.Logf("%d files above the bottom; %d entries dropped in the table, %d in RocksDB, %d left before the last compaction",
		above, m.ExpiredFlushed, m.ExpiredCompacted, left)
	check(t, copied.Close())
}

// Files that nothing else rewrites lose what has expired, once they are old.
func TestColdFilesAreRewritten(t *testing.T) {
	clock := &statetest.Clock{}
	r := resources(t, func(o *rocks.Options) { o.Clock, o.RewriteAfter = clock.Now, time.Second })
	db := open(t, t.TempDir(), r, count)
	defer func() { check(t, db.Close()) }()
	c := column(t, db, count)
	const n = 1000
	for i := range n {
		check(t, c.Put(key(i), expiring(1, "")))
	}
	check(t, db.Checkpoint(filepath.Join(t.TempDir(), "first")))
	db.Compact()
	clock.Advance(time.Second)
	// RocksDB looks at the ages of files when others come, and by its own clock.
	for deadline := time.Now().Add(30 * time.Second); db.Metrics().ExpiredCompacted < n; {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d entries have left", db.Metrics().ExpiredCompacted, n)
		}
		time.Sleep(100 * time.Millisecond)
		check(t, c.Put([]byte("z"), []byte(time.Now().String())))
		check(t, db.Checkpoint(filepath.Join(t.TempDir(), "later")))
	}
}

// A machine whose clock runs ahead when the job starts again, and is set right later,
// loses no value that had not expired: neither in RocksDB nor on its way there.
func TestAClockThatRunsAheadDropsNothing(t *testing.T) {
	const decade = 10 * 365 * 24 * time.Hour
	clock := &statetest.Clock{}
	clock.Advance(time.Duration(time.Now().UnixMilli()) * time.Millisecond)
	r := resources(t, func(o *rocks.Options) { o.Clock = clock.Now })
	first := open(t, t.TempDir(), r, count)
	c := column(t, first, count)
	value := expiring(clock.Now().Add(time.Hour).UnixMilli(), "value")
	for i := range 100 {
		check(t, c.Put(key(i), value))
	}
	dir := filepath.Join(t.TempDir(), "before")
	check(t, first.Checkpoint(dir))
	check(t, first.Close())
	clock.Advance(decade)
	db := open(t, dir, r)
	defer func() { check(t, db.Close()) }()
	c = column(t, db, count)
	check(t, c.Put(key(100), value))
	for _, pause := range []time.Duration{0, time.Minute, 30 * time.Minute} {
		clock.Advance(pause)
		check(t, db.Checkpoint(filepath.Join(t.TempDir(), "checkpoint")))
		db.Compact()
	}
	for i := range 101 {
		if _, found, err := c.Get(nil, key(i)); err != nil || !found {
			t.Fatalf("key %d: %v, %v", i, found, err)
		}
	}
	clock.Advance(time.Hour) // the clock stood the test
	check(t, db.Checkpoint(filepath.Join(t.TempDir(), "checkpoint")))
	db.Compact()
	if m := db.Metrics(); m.ExpiredCompacted != 101 {
		t.Errorf("%d values were dropped", m.ExpiredCompacted)
	}
}
