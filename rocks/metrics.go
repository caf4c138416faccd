package rocks

// #include "shim.h"
import "C"

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
)

// openHandles counts databases and iterators that were not closed.
var openHandles atomic.Int64

// OpenHandles returns how many databases and iterators of this process are
// open. Zero after all were closed (I12).
func OpenHandles() int64 { return openHandles.Load() }

// Memory is what all databases that share resources take up, in bytes.
type Memory struct {
	Cache       int64 // blocks, indexes and filters, and the write buffers' charge
	CachePinned int64 // of Cache, in use at this moment
	CacheLimit  int64
	WriteBuffer int64 // not yet on disk, or on the way there
	Table       int64 // recent entries
	TableLimit  int64
}

// Memory returns what is in use now. Any goroutine.
func (r *Resources) Memory() Memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return Memory{}
	}
	return Memory{
		Cache: int64(r.cache.GetUsage()), CachePinned: int64(r.cache.GetPinnedUsage()),
		CacheLimit: int64(r.cache.GetCapacity()), WriteBuffer: int64(C.tm_budget_usage(r.budget)),
		Table: r.tables.Used(), TableLimit: r.tables.Limit(),
	}
}

// Reads returns how many entries of states were asked for, and how many of them RocksDB
// had to answer. Any goroutine.
func (r *Resources) Reads() (all, below int64) { return r.tables.Reads() }

// Metrics are sizes of one database, over all its columns, or of several.
type Metrics struct {
	LiveBytes         int64 // in the files of the newest version
	DiskBytes         int64 // in all files, with old ones that something still reads
	Files             int64 // of the newest version, at all levels
	EstimatedKeys     int64
	MemtableBytes     int64
	TableReaderBytes  int64 // outside the cache
	PendingCompaction int64 // bytes that compaction has to rewrite
	RunningJobs       int64 // flushes and compactions
	WriteStopped      bool  // compaction is behind: writes wait
	BackgroundErrors  int64
	ExpiredFlushed    int64 // entries that had expired before they were written to RocksDB
	ExpiredCompacted  int64 // entries that compactions dropped
}

// add adds up databases.
func (m *Metrics) add(o Metrics) {
	m.LiveBytes += o.LiveBytes
	m.DiskBytes += o.DiskBytes
	m.Files += o.Files
	m.EstimatedKeys += o.EstimatedKeys
	m.MemtableBytes += o.MemtableBytes
	m.TableReaderBytes += o.TableReaderBytes
	m.PendingCompaction += o.PendingCompaction
	m.RunningJobs += o.RunningJobs
	m.WriteStopped = m.WriteStopped || o.WriteStopped
	m.BackgroundErrors += o.BackgroundErrors
	m.ExpiredFlushed += o.ExpiredFlushed
	m.ExpiredCompacted += o.ExpiredCompacted
}

// Metrics returns the sums over all open databases. It asks RocksDB for some fifteen
// properties a column, so it is not for every second. Any goroutine.
func (r *Resources) Metrics() (m Metrics) {
	r.mu.Lock()
	open := slices.Collect(maps.Keys(r.open))
	r.mu.Unlock()
	for _, d := range open {
		m.add(d.Metrics())
	}
	return m
}

// Metrics returns the sizes now; zero once the database is closed. Any
// goroutine.
func (d *DB) Metrics() Metrics {
	d.mu.Lock()
	defer d.mu.Unlock()
	var m Metrics
	if d.closed {
		return m
	}
	whole := func(property string) int64 {
		v, _ := d.db.GetIntProperty("rocksdb." + property)
		return int64(v)
	}
	m.RunningJobs = whole("num-running-flushes") + whole("num-running-compactions")
	m.WriteStopped = whole("is-write-stopped") != 0
	m.BackgroundErrors = whole("background-errors")
	m.ExpiredFlushed, m.ExpiredCompacted = d.expiry.flushed.Load(), d.expiry.compacted()
	for _, h := range d.handles {
		sum := func(to *int64, property string) {
			v, _ := d.db.GetIntPropertyCF("rocksdb."+property, h)
			*to += int64(v)
		}
		sum(&m.LiveBytes, "live-sst-files-size")
		sum(&m.DiskBytes, "total-sst-files-size")
		sum(&m.LiveBytes, "live-blob-file-size")
		sum(&m.DiskBytes, "total-blob-file-size")
		sum(&m.EstimatedKeys, "estimate-num-keys")
		sum(&m.MemtableBytes, "cur-size-all-mem-tables")
		sum(&m.TableReaderBytes, "estimate-table-readers-mem")
		sum(&m.PendingCompaction, "estimate-pending-compaction-bytes")
		for level := range levels {
			n, _ := strconv.ParseInt(d.db.GetPropertyCF(fmt.Sprintf("rocksdb.num-files-at-level%d", level), h), 10, 64)
			m.Files += n
		}
	}
	return m
}
