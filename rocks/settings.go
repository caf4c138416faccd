package rocks

// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"

	"github.com/linxGnu/grocksdb"
)

// How files are compacted. What compaction writes, the next checkpoint uploads:
// TUNING.md has the figures behind these numbers.
const (
	// sortedRuns is how many sorted runs of files a column has before some are
	// merged. Many are cheap: filters answer most reads of a run, and the table
	// above answers most reads.
	sortedRuns = 32
	// With more runs than these, RocksDB slows down and then stops what goes through
	// the write buffer. Compaction stays below them unless the disk is too slow.
	slowRuns, stopRuns = 3 * sortedRuns, 4 * sortedRuns
	// spacePercent is by how much the newer runs may exceed the oldest before
	// all are merged.
	spacePercent = 150
	// levels exceeds the number of merged runs. A run at level 0 is one file of any
	// size; files below are cut to FileBytes.
	levels = 40
	// manifestBytes is the size at which RocksDB begins a new MANIFEST, if that of a
	// new one, manifestFileBytes a file, is not near it. Every checkpoint uploads one.
	manifestBytes, manifestFileBytes = 16 << 10, 90
)

// manifestLimit is the size at which RocksDB begins a new MANIFEST, of a database that
// has so many files and columns when it is opened: twice what a new one has once the
// columns have some files each. With a lower limit RocksDB writes it anew with every
// change. RocksDB does not change the limit of an open database.
func manifestLimit(files, columns int) uint64 {
	return uint64(max(manifestBytes, 2*manifestFileBytes*max(files, smallRuns*columns)))
}

const (
	bloomBitsPerKey = 10
	// metadataBytes is the size of the blocks that an index and a filter are cut
	// into.
	metadataBytes = 16 << 10
)

// newOptions renders the resources' options in RocksDB's terms.
func (r *Resources) newOptions() *grocksdb.Options {
	o := r.options
	disk := disks[o.Disk]
	table := grocksdb.NewDefaultBlockBasedTableOptions()
	defer table.Destroy()
	table.SetBlockCache(r.cache)
	table.SetBlockSize(disk.blockBytes)
	table.SetFormatVersion(tableFormat)
	table.SetFilterPolicy(grocksdb.NewBloomFilterFull(bloomBitsPerKey))
	// Indexes and filters count against the cache, or memory would have no bound.
	// They are cut into blocks, and a read takes the block that it needs. As a
	// whole those of a file of gigabytes do not fit in the cache, and would be read
	// again, megabytes at a time, for each key.
	table.SetCacheIndexAndFilterBlocks(true)
	table.SetCacheIndexAndFilterBlocksWithHighPriority(true)
	table.SetIndexType(grocksdb.KTwoLevelIndexSearchIndexType)
	table.SetPartitionFilters(true)
	table.SetMetadataBlockSize(metadataBytes)
	table.SetPinTopLevelIndexAndFilter(true)
	C.tm_charge(cTableOptions(table))

	g := grocksdb.NewDefaultOptions()
	g.SetCreateIfMissing(true)
	g.SetCreateIfMissingColumnFamilies(true)
	g.SetBlockBasedTableFactory(table)
	g.SetCompression(grocksdb.LZ4Compression)

	g.SetWriteBufferSize(uint64(o.ColumnBufferBytes))
	g.SetArenaBlockSize(uint64(max(16<<10, min(256<<10, o.ColumnBufferBytes/8))))
	g.SetMaxWriteBufferNumber(3)
	g.SetMaxBackgroundJobs(o.BackgroundThreads)
	g.SetMaxOpenFiles(o.OpenFiles)
	g.SetMaxFileOpeningThreads(1)
	g.CompactionReadaheadSize(disk.readaheadBytes)
	g.SetBytesPerSync(disk.syncBytes)

	runs := grocksdb.NewDefaultUniversalCompactionOptions()
	// Merging runs of similar size only would write less where all are equal,
	// and without bound where they are not.
	runs.SetStopStyle(grocksdb.CompactionStopStyleTotalSize)
	runs.SetSizeRatio(0)
	runs.SetMaxSizeAmplificationPercent(spacePercent)
	runs.SetMaxMergeWidth(uint(widestOf(sortedRuns)))
	g.SetCompactionStyle(grocksdb.UniversalCompactionStyle)
	g.SetUniversalCompactionOptions(runs) // frees runs
	g.SetLevel0FileNumCompactionTrigger(sortedRuns)
	g.SetLevel0SlowdownWritesTrigger(slowRuns)
	g.SetLevel0StopWritesTrigger(stopRuns)
	g.SetNumLevels(levels)
	g.SetTargetFileSizeBase(uint64(o.FileBytes))
	g.SetManifestPreallocationSize(0)

	g.SetInfoLogLevel(grocksdb.WarnInfoLogLevel)
	g.SetMaxLogFileSize(mebibyte)
	g.SetKeepLogFileNum(2)
	g.SetStatsDumpPeriodSec(0)
	g.SetStatsPersistPeriodSec(0)
	C.tm_use_files(cOptions(g))
	C.tm_configure(cOptions(g), r.budget)
	return g
}

// override sets the options that text names in RocksDB's syntax; "" names none.
func override(o *grocksdb.Options, text string) error {
	if text == "" {
		return nil
	}
	b := []byte(text)
	if msg := C.tm_override(cOptions(o), bytesOf(b), C.size_t(len(b))); msg != nil {
		return errors.New(taken(msg))
	}
	return nil
}

// validateOverride fails where a text names an option that RocksDB does not
// have, or gives one a value that it cannot have.
func validateOverride(text string) error {
	o := grocksdb.NewDefaultOptions()
	defer o.Destroy()
	if err := override(o, text); err != nil {
		return fmt.Errorf("Override %q: %w", text, err)
	}
	return nil
}
