package rocks

// #include "shim.h"
import "C"

import (
	"fmt"
	"strconv"

	"github.com/linxGnu/grocksdb"
)

const (
	// fewestRuns is how many sorted runs a column keeps even where each is a
	// copy of the whole state.
	fewestRuns = 4
	// copies bounds by how many times its size the others may overwrite the largest
	// run.
	copies = 3
	// smallRuns is how many runs a column keeps while none has smallBytes. To merge
	// them costs next to nothing, and each run has its share of every checkpoint: a file,
	// and lines in the MANIFEST and in the manifest.
	smallRuns, smallBytes = 8, 64 << 10
	// fewDeletions are too few to merge for: a scan passes them in microseconds.
	fewDeletions = 256
)

// merging is how a column merges sorted runs.
type merging struct {
	from    int // once there are so many
	widest  int // at most so many at once, except where all are merged
	percent int // all, once the newer ones have so many percent of the oldest
}

// neverAll is a percentage that newer runs do not reach. RocksDB multiplies it by the
// bytes of the oldest run, in 64 bits.
const neverAll = 10_000_000

// widestOf returns how many runs a column merges at most if it merges from so many on: a
// few more, since runs are added while others are merged.
func widestOf(from int) int { return from + from/4 }

// forEntries bounds the memory of a merge, which holds a piece of each run: a column with
// large entries merges fewer runs at once, and so it merges earlier (I12). It halves step
// by step, since each change of the setting has a price.
func (m merging) forEntries(d diskSettings, entryBytes int64) merging {
	most := max(d.mergeBytes(), int64(m.widest)*d.runBytes(0)) // overridden, runs may be more
	for m.from/2 >= fewestRuns && int64(m.widest)*d.runBytes(entryBytes) > most {
		m.from /= 2
		m.widest = widestOf(m.from)
	}
	return m
}

// forCopies merges earlier where so many runs would hold several copies of the state,
// on disk and in every checkpoint: runs of the size of the newest, whose keys other runs
// have too, by the share overwrites. It halves step by step, too.
func (m merging) forCopies(newestBytes, largestBytes int64, overwrites float64) merging {
	if max(newestBytes, largestBytes) < smallBytes {
		m.from = min(m.from, smallRuns)
	}
	for m.from/2 >= fewestRuns && float64(m.from-1)*float64(newestBytes)*overwrites > copies*float64(largestBytes) {
		m.from /= 2
	}
	return m
}

// forRuns allows a merge of all runs only while there are few. If compaction fell behind,
// it first merges some at a time.
func (m merging) forRuns(runs int) merging {
	if runs > m.widest {
		m.percent = neverAll
	}
	return m
}

// manyDeleted decides whether all runs of a column are merged for the sake of their
// tombstones, which scans have to pass: once these outnumber what lives. A tombstone is
// of an older entry, mostly. So it costs a few entries rewritten, whatever the size of
// the state.
func manyDeleted(entries, deletions int64) bool {
	return deletions >= fewDeletions && deletions > entries-deletions
}

// run is what is about to become a sorted run of a column.
type run struct {
	bytes        int64 // 0: few entries
	entries      int64 // without tombstones
	deletions    int64
	largestEntry int64                   // bytes of its value
	overwrites   func() (float64, error) // the share of its keys that the column has; nil: not known
}

// prepare sets how the column merges before a run is added. It calls overwrites only
// where the answer matters.
func (f family) prepare(r run) error {
	if f.options.GetCompactionStyle() != grocksdb.UniversalCompactionStyle {
		return nil // overridden
	}
	now := C.tm_column_now(cDB(f.db), cColumn(f.handle))
	*f.largestEntry = max(*f.largestEntry, r.largestEntry, int64(now.entry_bytes))
	most := mergingOf(C.tm_merging_of(cOptions(f.options)))
	most.widest = widestOf(most.from)
	most = most.forEntries(f.disk, *f.largestEntry)
	largest := int64(now.largest_run)
	m := most.forCopies(r.bytes, largest, 1)
	switch {
	case manyDeleted(int64(now.entries)+r.entries, int64(now.deletions)+r.deletions):
		m.from, m.percent = 2, 0
	case r.overwrites != nil && m.from < most.forCopies(r.bytes, largest, 0).from:
		share, err := r.overwrites()
		if err != nil {
			return err
		}
		m = most.forCopies(r.bytes, largest, share)
	}
	m = m.forRuns(int(now.runs) + 1)
	if m == mergingOf(now.merging) {
		return nil
	}
	names := []string{"level0_file_num_compaction_trigger", "compaction_options_universal"}
	values := []string{strconv.Itoa(m.from), fmt.Sprintf("{max_merge_width=%d;max_size_amplification_percent=%d}", m.widest, m.percent)}
	if err := f.db.SetOptionsCF(f.handle, names, values); err != nil {
		return failure("write", f.dir, err.Error())
	}
	return nil
}

func mergingOf(m C.tm_merging) merging {
	return merging{from: int(m.from), widest: int(m.widest), percent: int(m.percent)}
}

// overwrites is the share of a file's keys that the column has already, by a
// sample.
func (f family) overwrites(file *C.tm_file) (float64, error) {
	var share C.double
	if msg := C.tm_file_overwrites(file, cDB(f.db), cColumn(f.handle), &share); msg != nil {
		return 0, failure("write", f.dir, taken(msg))
	}
	return float64(share), nil
}
