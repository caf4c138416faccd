package rocks_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/rocks"
)

// sizes returns the files of a checkpoint that never change, by name.
func sizes(t *testing.T, db *rocks.DB, dir string) map[string]int64 {
	t.Helper()
	files, err := os.ReadDir(dir)
	check(t, err)
	all := map[string]int64{}
	for _, f := range files {
		info, err := f.Info()
		check(t, err)
		if db.Immutable(f.Name()) {
			all[f.Name()] = info.Size()
		}
	}
	return all
}

// idle waits until nothing is compacted.
func idle(t *testing.T, db *rocks.DB) {
	t.Helper()
	quiet := 0
	for deadline := time.Now().Add(time.Minute); quiet < 3; time.Sleep(2 * time.Millisecond) {
		if m := db.Metrics(); m.RunningJobs == 0 {
			quiet++ // a job may be about to start
		} else if quiet = 0; time.Now().After(deadline) {
			t.Fatalf("still compacting: %+v", m)
		}
	}
}

// One entry in a hundred changes between two checkpoints, for as long as it
// takes to rewrite the state more than once: the new files of a checkpoint stay
// in proportion to what changed, and files and bytes on disk bounded (I12).
func TestNewFilesInProportionToChanges(t *testing.T) {
	t.Run("in files", func(t *testing.T) { proportion(t, 40_000) })
	t.Run("through the write buffer", func(t *testing.T) { proportion(t, 20_000) })
}

func proportion(t *testing.T, keys int) {
	const checkpoints, valueBytes = 120, 100
	perCheckpoint := keys / 100
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "db"), resources(t), count)
	defer db.Close()
	c := column(t, db, count)
	put := func(k int) {
		value := make([]byte, valueBytes)
		for i := range value {
			value[i] = byte(random.Uint32())
		}
		check(t, c.Put(key(k*2654435761), value))
	}
	for k := range keys {
		put(k)
	}
	known := map[string]int64{}
	var created int64
	for n := range checkpoints {
		if n > 0 {
			for range perCheckpoint {
				put(random.IntN(keys))
			}
		}
		at := filepath.Join(dir, fmt.Sprint("checkpoint-", n))
		check(t, db.Checkpoint(at))
		now := sizes(t, db, at)
		if n > 0 { // the first holds all
			for name, size := range now {
				if _, old := known[name]; !old {
					created += size
				}
			}
		}
		known = now
		check(t, os.RemoveAll(at))
		idle(t, db)
		if m := db.Metrics(); m.Files > 100 || m.LiveBytes > int64(4*keys*(valueBytes+20)) {
			t.Fatalf("after checkpoint %d: %+v", n, m)
		}
	}
	changed := float64((checkpoints - 1) * perCheckpoint * (valueBytes + 8))
	ratio := float64(created) / changed
	t.Logf("new bytes / changed bytes: %.2f", ratio)
	if ratio > 5 {
		t.Errorf("%.2f new bytes a changed byte", ratio)
	}
}

// A state that is written anew between any two checkpoints does not lie on disk,
// and in checkpoints, as often as it may have runs (I12).
func TestFewCopiesOfAStateWrittenAnew(t *testing.T) {
	const keys, valueBytes = 5_000, 100
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "db"), resources(t, func(o *rocks.Options) { o.TableBytes = 4 << 20 }), count)
	defer db.Close()
	c := column(t, db, count)
	most, files := int64(0), int64(0)
	for n := range 40 {
		for k := range keys {
			value := make([]byte, valueBytes)
			for i := range value {
				value[i] = byte(random.Uint32())
			}
			check(t, c.Put(key(k), value))
		}
		check(t, db.Checkpoint(filepath.Join(dir, fmt.Sprint("checkpoint-", n))))
		idle(t, db)
		m := db.Metrics()
		most, files = max(most, m.LiveBytes), max(files, m.Files)
	}
	copies := float64(most) / (keys * (valueBytes + 9))
	t.Logf("at most %.1f copies in %d files", copies, files)
	if copies > 16 { // compaction may be late; more runs would be 31
		t.Errorf("at most %.1f copies", copies)
	}
}

// deletions returns how many tombstones and entries the files of a new checkpoint have.
func deletions(t *testing.T, db *rocks.DB) (deletions, entries uint64) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "checkpoint")
	check(t, db.Checkpoint(dir))
	c, err := db.Contents(dir)
	check(t, err)
	for _, f := range c.Tables {
		deletions += f.Deletions
		entries += f.Entries - f.Deletions
	}
	return deletions, entries
}

// I12: tombstones do not stay until their runs happen to be merged: scans would pass
// them. Columns whose entries come and go do not pile them up, and a large state is not
// rewritten for a few.
func TestTombstonesAreCompacted(t *testing.T) {
	r := resources(t, func(o *rocks.Options) { o.TableBytes = 4 << 20 })
	for _, size := range []int{100, 2000} { // through the write buffer; as files
		t.Run(fmt.Sprint("a queue of ", size), func(t *testing.T) {
			db := open(t, t.TempDir(), r, count)
			defer func() { check(t, db.Close()) }()
			c := column(t, db, count)
			for round := range 12 {
				for i := range size {
					check(t, c.Put(key(round*size+i), []byte("queued")))
					if round > 0 {
						check(t, c.Delete(key((round-1)*size+i)))
					}
				}
				check(t, db.Checkpoint(filepath.Join(t.TempDir(), "checkpoint")))
				idle(t, db)
			}
			check(t, c.Put(key(0), nil))
			if d, e := deletions(t, db); d > uint64(256+2*size) || e > uint64(4*size) {
				t.Errorf("%d tombstones and %d entries, for %d that live", d, e, size)
			}
		})
	}
	t.Run("a few of many", func(t *testing.T) {
		db := open(t, t.TempDir(), r, count)
		defer func() { check(t, db.Close()) }()
		c := column(t, db, count)
		const many = 10_000
		for i := range many {
			check(t, c.Put(key(i), []byte("stays")))
		}
		var files map[string]int64
		for round := range 5 {
			dir := filepath.Join(t.TempDir(), "checkpoint")
			check(t, db.Checkpoint(dir))
			idle(t, db)
			now := sizes(t, db, dir)
			for name := range files {
				if _, ok := now[name]; !ok {
					t.Errorf("%s was rewritten in round %d", name, round)
				}
			}
			files = now
			for i := range many / 10 {
				check(t, c.Delete(key(round*many/10+i)))
			}
		}
	})
}

// What RocksDB writes when it is told to keep values in files of their own is
// part of checkpoints as well.
func TestOverride(t *testing.T) {
	r := resources(t, func(o *rocks.Options) {
		o.Override = "enable_blob_files=true;min_blob_size=0;block_based_table_factory={block_size=4096}"
	})
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "db"), r, count)
	c := column(t, db, count)
	for i := range 100 { // few: they take the way through the write buffer
		check(t, c.Put(key(i), []byte(strings.Repeat("x", 100))))
	}
	at := filepath.Join(dir, "checkpoint")
	check(t, db.Checkpoint(at))
	kinds := map[string]int{}
	for name := range sizes(t, db, at) {
		kinds[filepath.Ext(name)]++
	}
	if kinds[".blob"] == 0 || kinds[".sst"] == 0 {
		t.Errorf("immutable files of the checkpoint: %v", kinds)
	}
	check(t, db.Close())
	db = open(t, at, r, count)
	defer db.Close()
	v, found, err := column(t, db, count).Get(nil, key(7))
	check(t, err)
	if !found || len(v) != 100 {
		t.Errorf("got %q, %v", v, found)
	}
}
