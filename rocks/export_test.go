package rocks

import (
	"strconv"

	"github.com/linxGnu/grocksdb"
)

// Failure is for tests of the classification.
var Failure = failure

// Bottom is the level of the oldest files.
const Bottom = levels - 1

// Compact compacts all that RocksDB has.
func (d *DB) Compact() {
	for _, h := range d.handles {
		d.db.CompactRangeCF(h, grocksdb.Range{})
	}
}

// FilesAt returns how many files a state has at a level.
func (d *DB) FilesAt(name string, level int) int {
	for _, h := range d.handles {
		if h.Name() == columnPrefix+name {
			n, _ := strconv.Atoi(d.db.GetPropertyCF("rocksdb.num-files-at-level"+strconv.Itoa(level), h))
			return n
		}
	}
	return 0
}

// Spill writes what is dirty of a state.
func (d *DB) Spill(name string) error { return d.columns[columnPrefix+name].Spill() }

// Merging is how a column merges: see merging.
type Merging struct {
	From, Widest  int
	All           bool  // all runs, if that is needed
	Bytes, Stated int64 // the memory of the widest merge
}

// MergingOf decides it for a number of runs with entries of that size.
func MergingOf(on Disk, entryBytes int64, runs int) Merging {
	d := disks[on]
	m := merging{from: sortedRuns, widest: widestOf(sortedRuns), percent: spacePercent}.forEntries(d, entryBytes).forRuns(runs)
	return Merging{m.from, m.widest, m.percent == spacePercent, int64(m.widest) * d.runBytes(entryBytes), d.mergeBytes()}
}
