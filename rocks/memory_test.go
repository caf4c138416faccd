package rocks_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime/metrics"
	"strconv"
	"testing"

	"github.com/tidemark/tidemark/rocks"
)

// nativeBytes is the memory of this process beside Go's and files'.
func nativeBytes(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	anonymous := regexp.MustCompile(`RssAnon:\s+(\d+) kB`).FindSubmatch(status)
	if err != nil || anonymous == nil {
		t.Skipf("the system does not tell how much memory the process has: %v", err)
	}
	kb, err := strconv.ParseInt(string(anonymous[1]), 10, 64)
	check(t, err)
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return kb<<10 - int64(s[0].Value.Uint64()-s[1].Value.Uint64())
}

// Blocks of many sizes come and go, many times as many as the cache holds, and
// files are merged: native memory stays within what the options say (I12).
func TestNativeMemoryIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector's own memory would count")
	}
	const keys, rewrites, reads, seed = 30_000, 3, 100_000, 1
	r := resources(t, func(o *rocks.Options) { o.ColumnBufferBytes, o.FileBytes = 1<<20, 8<<20 })
	before := nativeBytes(t)
	db := open(t, t.TempDir(), r, count)
	c := column(t, db, count)
	o := r.Options()
	bound, most := o.MemoryBytes+o.TableBytes+o.WorkingBytes(1), int64(0)
	look := func(i int) {
		if i%1000 == 0 {
			most = max(most, nativeBytes(t)-before)
		}
	}
	random := rand.New(rand.NewPCG(seed, seed))
	value := make([]byte, 8000)
	for i := range value {
		value[i] = byte(random.Uint32())
	}
	dir := t.TempDir()
	for i := range keys * rewrites {
		check(t, c.Put(key(i%keys), value[:100+random.IntN(len(value)-100)]))
		if i%5000 == 4999 {
			at := filepath.Join(dir, strconv.Itoa(i))
			check(t, db.Checkpoint(at))
			check(t, os.RemoveAll(at))
		}
		look(i)
	}
	for i := range reads {
		_, found, err := c.Get(nil, key(random.IntN(keys)))
		check(t, err)
		if !found {
			t.Fatal("a key is gone")
		}
		look(i)
	}
	check(t, db.Close())
	t.Logf("seed %d: %d MiB of native memory, at most %d by the options", seed, most>>20, bound>>20)
	if most > bound+bound/10 {
		t.Errorf("native memory of %d bytes, at most %d by the options %+v", most, bound, o)
	}
}
