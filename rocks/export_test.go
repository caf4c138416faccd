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
