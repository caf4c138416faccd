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
	h := d.columns[columnPrefix+name].handle
	n, _ := strconv.Atoi(d.db.GetPropertyCF("rocksdb.num-files-at-level"+strconv.Itoa(level), h))
	return n
}

// Worthwhile returns what is decided for batches of keys one after another, by how
// many are expected and how many of them are then wanted.
func Worthwhile(blind bool, batches [][2]int) (read []bool) {
	var e expected
	for _, b := range batches {
		read = append(read, e.worthwhile(b[0], wantedShareOf(blind)))
		e.wanted += b[1]
	}
	return read
}
