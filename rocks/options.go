package rocks

import (
	"errors"
	"fmt"
	"time"

	"github.com/tidemark/tidemark/rocks/table"
)

// Defaults of Options, for a process that runs one job.
const (
	DefaultMemoryBytes = 128 * mebibyte
	DefaultTableBytes  = 384 * mebibyte
)

// Options bound what the databases of a process may use: all of them together, unless
// a field says otherwise. The zero value of a field means its default.
type Options struct {
	// MemoryBytes bounds the native memory of all databases: blocks read from
	// disk, indexes, filters and write buffers. Default
	// DefaultMemoryBytes.
	MemoryBytes int64
	// WriteBufferBytes is the part of MemoryBytes that writes not yet on disk
	// may take. Beyond it they are written out early, into smaller files; a
	// burst may exceed it for as long as that takes. Default: half of
	// MemoryBytes.
	WriteBufferBytes int64
	// ColumnBufferBytes is how much one state of one database buffers before
	// it writes it out. Default 16 MiB, or less where WriteBufferBytes is small.
	ColumnBufferBytes int64
	// TableBytes bounds the memory in which all databases keep recent entries,
	// read or not yet written, above RocksDB. One entry may exceed it by its own
	// size. Default DefaultTableBytes.
	TableBytes int64
	// Disk is the kind of disk that holds the databases. Default SSD.
	Disk Disk
	// FileBytes is the size of files that compaction writes. Default 64 MiB.
	FileBytes int64
	// OpenFiles bounds the file descriptors of one database. With more files than half
	// of these, reads begin to open files anew, which doubles their time. Default 1024.
	OpenFiles int
	// RewriteAfter is the age at which a file is rewritten even if no compaction needs
	// it, so that expired values leave the coldest files too, on disk and in
	// checkpoints. Default 30 days.
	RewriteAfter time.Duration
	// Clock is the clock by which values of states expire: that of
	// engine.Config.Clock. Any goroutine may call it. Default time.Now.
	Clock func() time.Time
	// BackgroundThreads flush and compact. Default: 2 on SSD, 1 on HDD, 4 on
	// Network.
	BackgroundThreads int
	// Override sets options by RocksDB's own names, and overrides all of the above:
	// "max_subcompactions=2;compaction_options_universal={size_ratio=10}". Validate
	// refuses unknown names and values of the wrong syntax. It does not check whether
	// a value is sensible.
	Override string
}

const (
	mebibyte       = 1 << 20
	minMemoryBytes = 4 * mebibyte
	minBufferBytes = 64 << 10
	minTableBytes  = 64 << 10
	minFileBytes   = 64 << 10
	minOpenFiles   = 16
	maxThreads     = 64
)

// WithDefaults returns o with its zero values replaced by their defaults.
func (o Options) WithDefaults() Options {
	if o.MemoryBytes == 0 {
		o.MemoryBytes = DefaultMemoryBytes
	}
	if o.WriteBufferBytes == 0 {
		o.WriteBufferBytes = o.MemoryBytes / 2
	}
	if o.ColumnBufferBytes == 0 {
		o.ColumnBufferBytes = max(minBufferBytes, min(16*mebibyte, o.WriteBufferBytes/4))
	}
	if o.TableBytes == 0 {
		o.TableBytes = DefaultTableBytes
	}
	if o.Disk == "" {
		o.Disk = SSD
	}
	if o.FileBytes == 0 {
		o.FileBytes = 64 * mebibyte
	}
	if o.OpenFiles == 0 {
		o.OpenFiles = 1024
	}
	if o.RewriteAfter == 0 {
		o.RewriteAfter = 30 * 24 * time.Hour
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if d, ok := disks[o.Disk]; ok && o.BackgroundThreads == 0 {
		o.BackgroundThreads = d.backgroundThreads
	}
	return o
}

// Validate returns an error that names every field with an invalid value.
func (o Options) Validate() error {
	o = o.WithDefaults()
	var errs []error
	if _, err := ParseDisk(string(o.Disk)); err != nil {
		errs = append(errs, fmt.Errorf("Disk: %w", err))
		o.BackgroundThreads = max(1, o.BackgroundThreads)
	}
	if err := validateOverride(o.Override); err != nil {
		errs = append(errs, err)
	}
	least := func(field string, value, bound int64) {
		if value < bound {
			errs = append(errs, fmt.Errorf("%s is %d, must be at least %d", field, value, bound))
		}
	}
	least("MemoryBytes", o.MemoryBytes, minMemoryBytes)
	least("WriteBufferBytes", o.WriteBufferBytes, minBufferBytes)
	least("ColumnBufferBytes", o.ColumnBufferBytes, minBufferBytes)
	least("TableBytes", o.TableBytes, minTableBytes)
	least("FileBytes", o.FileBytes, minFileBytes)
	least("OpenFiles", int64(o.OpenFiles), minOpenFiles)
	least("BackgroundThreads", int64(o.BackgroundThreads), 1)
	if o.RewriteAfter < time.Second {
		errs = append(errs, fmt.Errorf("RewriteAfter is %v, must be at least 1s", o.RewriteAfter))
	}
	if o.TableBytes > table.MaxBytes {
		errs = append(errs, fmt.Errorf("TableBytes is %d, must be at most %d", o.TableBytes, int64(table.MaxBytes)))
	}
	if o.WriteBufferBytes > o.MemoryBytes {
		errs = append(errs, fmt.Errorf("WriteBufferBytes is %d, must not exceed the %d of MemoryBytes", o.WriteBufferBytes, o.MemoryBytes))
	}
	if o.BackgroundThreads > maxThreads {
		errs = append(errs, fmt.Errorf("BackgroundThreads is %d, must be at most %d", o.BackgroundThreads, maxThreads))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("rocks options: %w", err)
	}
	return nil
}
