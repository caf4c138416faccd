package source

import (
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/engine/source/internal/input"
)

// Errors of the file sources.
var (
	// ErrNoFiles: a pattern names no file.
	ErrNoFiles = input.ErrNoFiles
	// ErrChanged: a file has changed since the job began to read it.
	ErrChanged = input.ErrChanged
	// ErrSplit: a position in the checkpoint is not one of this source.
	ErrSplit = input.ErrSplit
	// ErrNotUTF8: a record is text of another encoding.
	ErrNotUTF8 = errors.New("not UTF-8")
	// ErrCompression and ErrEncoding: a file is compressed, or encoded, in a way
	// that is not read.
	ErrCompression = input.ErrCompression
	ErrEncoding    = input.ErrEncoding
	// ErrTooLong: a record is longer than Options.MaxRecordBytes.
	ErrTooLong = errors.New("record too long")
	// ErrOptions: an option makes no sense.
	ErrOptions = errors.New("source options")
)

// MalformedError says where a record lies that cannot be read, and why. One with
// Rest stands for all that follows in the file too, such as what a damaged gzip
// file does not give.
type MalformedError = input.MalformedError

// OnMalformed says what to do with a record that cannot be read. The zero value is
// Refuse.
type OnMalformed = input.OnMalformed

// The policies for malformed records.
var (
	// Refuse ends the job with the error. The job is not restarted.
	Refuse = input.Refuse
	// Skip drops the record and counts it, whatever is wrong with it. Where the rest
	// of a file cannot be read, that counts as one record.
	Skip = input.Skip
)

// Quarantine is Skip, and keeps each record in dir, as a line of JSON (Quarantined)
// with its place and what is wrong with it. The job gets a sink for that, with
// "-malformed" behind the source's name, and writes as sink.JSONL does: every record
// exactly once, in parts that appear after their checkpoint is committed.
func Quarantine(dir string) OnMalformed { return input.Quarantine(dir) }

// Quarantined is a record in a quarantine. JSONL[Quarantined] reads it.
type Quarantined = input.Quarantined

// DefaultMaxRecordBytes is the default of Options.MaxRecordBytes.
const DefaultMaxRecordBytes = 16 << 20

// Options of the file sources. The zero value refuses malformed records and
// takes the defaults.
type Options struct {
	OnMalformed OnMalformed
	// Complete makes a record malformed that has no value for a field of T: one
	// that is missing or null in JSON, or null in Parquet. A field that is a pointer,
	// slice or map, or that is tagged omitempty or omitzero, may be missing and null.
	// Without it the field is zero. A CSV record always has them all.
	Complete bool
	// Strict is Complete, and makes a JSON record malformed that has a field which
	// T does not have, or has one twice. Without it the last one counts, and what T
	// does not have is left out, as are columns that T does not name.
	Strict bool
	// MaxRecordBytes bounds the length of a record; a longer one is malformed.
	// Zero: DefaultMaxRecordBytes.
	MaxRecordBytes int
	// SplitBytes is the size of the splits of Lines and JSONL. Zero: several
	// splits a subtask, of 1 to 64 MiB.
	SplitBytes int64
}

// Validate reports the first option that makes no sense. The error wraps
// ErrOptions.
func (o Options) Validate() error {
	switch {
	case o.OnMalformed.Keeps() && o.OnMalformed.Dir() == "":
		return fmt.Errorf("%w: quarantine without a directory: give one, or use Skip", ErrOptions)
	case o.MaxRecordBytes < 0:
		return fmt.Errorf("%w: longest record of %d bytes: must be positive, or 0 for %d", ErrOptions, o.MaxRecordBytes, DefaultMaxRecordBytes)
	case o.SplitBytes < 0:
		return fmt.Errorf("%w: splits of %d bytes: must be positive, or 0 to choose by size", ErrOptions, o.SplitBytes)
	}
	return nil
}

func (o Options) maxRecordBytes() int {
	if o.MaxRecordBytes == 0 {
		return DefaultMaxRecordBytes
	}
	return o.MaxRecordBytes
}
