package rocks_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/rocks"
)

func numbered(n int) (states []state.Descriptor) {
	for i := range n {
		states = append(states, state.Descriptor{Name: fmt.Sprint("state", i)})
	}
	return states
}

// touch writes a few entries of each state.
func touch(t testing.TB, db *rocks.DB, states []state.Descriptor, round int) {
	t.Helper()
	for _, s := range states {
		c := column(t, db, s)
		for i := range 3 {
			check(t, c.Put(key(i), fmt.Append(nil, "value ", round)))
		}
	}
}

// I12: what many states cost is in proportion to their number: no record of all columns'
// options with each new one, few files for each, and a MANIFEST that grows by what
// changes instead of being written anew by every change.
func TestManyStates(t *testing.T) {
	r, dir, states := resources(t), t.TempDir(), numbered(100)
	names := func(dir, pattern string) []string {
		t.Helper()
		all, err := filepath.Glob(filepath.Join(dir, pattern))
		check(t, err)
		return all
	}
	db := open(t, filepath.Join(dir, "db"), r, states[:50]...)
	for round := range 20 {
		touch(t, db, states, round)
		check(t, db.Checkpoint(filepath.Join(dir, fmt.Sprint(round))))
	}
	idle(t, db)
	if n := db.Metrics().Files; n > 100*8 {
		t.Errorf("%d files", n)
	}
	linked := release(t, rocks.Linked().Version)
	insists := slices.Compare(linked[:], []int{10, 2}) >= 0 // on a record of options
	if all := names(filepath.Join(dir, "db"), "OPTIONS-*"); len(all) > 0 && !insists {
		t.Errorf("records of options: %v", all)
	}
	check(t, db.Close())

	home := filepath.Join(dir, "19")
	if n := len(names(home, "*.sst")); n < 200 {
		t.Fatalf("%d files are too few for this test", n)
	}
	db = open(t, home, r, states...)
	defer func() { check(t, db.Close()) }()
	manifest := names(home, "MANIFEST-*")
	for round := range 5 {
		touch(t, db, states, 20+round)
		check(t, db.Checkpoint(filepath.Join(dir, fmt.Sprint("second", round))))
	}
	if now := names(home, "MANIFEST-*"); len(now) != 1 || now[0] != manifest[0] {
		t.Errorf("%v became %v in five checkpoints", manifest, now)
	}
	for _, s := range states {
		if v, _, err := column(t, db, s).Get(nil, key(1)); string(v) != "value 24" || err != nil {
			t.Errorf("%s is %q, %v", s.Name, v, err)
		}
	}
}

// BenchmarkManyStates opens databases of many states, and makes checkpoints in which each
// state has a few changed entries.
func BenchmarkManyStates(b *testing.B) {
	for _, n := range []int{1, 20, 200} {
		b.Run(fmt.Sprint("states=", n), func(b *testing.B) {
			r, err := rocks.NewResources(rocks.Options{})
			check(b, err)
			defer func() { check(b, r.Close()) }()
			states := numbered(n)
			var opened, written time.Duration
			const checkpoints = 30
			files := int64(0)
			for b.Loop() {
				dir := b.TempDir()
				start := usageNow(b).cpu
				db := open(b, filepath.Join(dir, "db"), r, states...)
				opened += usageNow(b).cpu - start
				for round := range checkpoints {
					touch(b, db, states, round)
					start := usageNow(b).cpu
					check(b, db.Checkpoint(filepath.Join(dir, fmt.Sprint(round))))
					written += usageNow(b).cpu - start
				}
				files += db.Metrics().Files
				check(b, db.Close())
			}
			b.ReportMetric(float64(opened.Microseconds())/float64(b.N)/1e3, "cpu-ms-open")
			b.ReportMetric(float64(written.Microseconds())/float64(b.N*checkpoints)/1e3, "cpu-ms-checkpoint")
			b.ReportMetric(float64(files)/float64(b.N), "files")
		})
	}
}
