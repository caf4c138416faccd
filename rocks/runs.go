package rocks

// #include "shim.h"
import "C"

import (
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

// allowRuns sets from how many runs on the column merges, by mergeFrom, before a run
// of that many bytes is added. It calls overwrites only where the answer matters.
func (s flusher) allowRuns(h *grocksdb.ColumnFamilyHandle, bytes int64, overwrites func() (float64, error)) error {
	if s.options.GetCompactionStyle() != grocksdb.UniversalCompactionStyle {
		return nil // overridden
	}
	var largest C.int64_t
	var now C.int
	C.tm_runs(cDB(s.db), cColumn(h), &largest, &now)
	most := s.options.GetLevel0FileNumCompactionTrigger()
	n := mergeFrom(most, bytes, int64(largest), 1)
	if overwrites != nil && n < mergeFrom(most, bytes, int64(largest), 0) {
		share, err := overwrites()
		if err != nil {
			return err
		}
		n = mergeFrom(most, bytes, int64(largest), share)
	}
	if n == int(now) {
		return nil
	}
	if err := s.db.SetOptionsCF(h, []string{"level0_file_num_compaction_trigger"}, []string{strconv.Itoa(n)}); err != nil {
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
