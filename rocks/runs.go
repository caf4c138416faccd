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

// mergeFrom decides from how many sorted runs on a column merges some. It returns
// most, or less where that many runs would hold several copies of the state, on disk
// and in every checkpoint: runs of the size of the newest, whose keys other runs
// have too, by the share overwrites. It halves step by step, since each change of the
// setting has a price.
func mergeFrom(most int, newestBytes, largestBytes int64, overwrites float64) int {
	n := most
	if max(newestBytes, largestBytes) < smallBytes {
		n = min(n, smallRuns)
	}
	for n/2 >= fewestRuns && float64(n-1)*float64(newestBytes)*overwrites > copies*float64(largestBytes) {
		n /= 2
	}
	return n
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
	bytes      int64 // 0: few entries
	entries    int64 // without tombstones
	deletions  int64
	overwrites func() (float64, error) // the share of its keys that the column has; nil: not known
}

// prepare sets how a column merges, by mergeFrom and manyDeleted, before a run is added.
// It calls overwrites only where the answer matters.
func (s flusher) prepare(h *grocksdb.ColumnFamilyHandle, r run) error {
	if s.options.GetCompactionStyle() != grocksdb.UniversalCompactionStyle {
		return nil // overridden
	}
	now := C.tm_column_now(cDB(s.db), cColumn(h))
	largest := int64(now.largest_run)
	most, percent := s.options.GetLevel0FileNumCompactionTrigger(), int(C.tm_amplification(cOptions(s.options)))
	n := mergeFrom(most, r.bytes, largest, 1)
	switch {
	case manyDeleted(int64(now.entries)+r.entries, int64(now.deletions)+r.deletions):
		n, percent = 2, 0
	case r.overwrites != nil && n < mergeFrom(most, r.bytes, largest, 0):
		share, err := r.overwrites()
		if err != nil {
			return err
		}
		n = mergeFrom(most, r.bytes, largest, share)
	}
	if n == int(now.merge_from) && percent == int(now.amplification) {
		return nil
	}
	names := []string{"level0_file_num_compaction_trigger", "compaction_options_universal"}
	values := []string{strconv.Itoa(n), fmt.Sprintf("{max_size_amplification_percent=%d}", percent)}
	if err := s.db.SetOptionsCF(h, names, values); err != nil {
		return failure("write", s.dir, err.Error())
	}
	return nil
}

// overwrites is the share of a file's keys that the column has already, by a
// sample.
func (s flusher) overwrites(f *C.tm_file, h *grocksdb.ColumnFamilyHandle) (float64, error) {
	var share C.double
	if msg := C.tm_file_overwrites(f, cDB(s.db), cColumn(h), &share); msg != nil {
		return 0, failure("write", s.dir, taken(msg))
	}
	return float64(share), nil
}
