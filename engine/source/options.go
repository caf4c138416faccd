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
	// ErrChanged: a file is not the one that the job began to read.
	ErrChanged = input.ErrChanged
	// ErrSplit: the checkpoint's position is not one of this source.
	ErrSplit = input.ErrSplit
	// ErrTooLong: a record is longer than Options.MaxRecordBytes.
	ErrTooLong = errors.New("record too long")
	// ErrOptions: an option cannot be.
	ErrOptions = errors.New("source options")
)

// MalformedError is a record that cannot be read: where it lies, and what is
// wrong with it.
type MalformedError = input.MalformedError

// OnMalformed says what becomes of a record that cannot be read.
type OnMalformed uint8

// The policies for malformed records.
const (
	// Refuse ends the job with the error; restarting would not help.
	Refuse OnMalformed = iota
	// Skip leaves the record out and counts it.
	Skip
)

// DefaultMaxRecordBytes is the default of Options.MaxRecordBytes.
const DefaultMaxRecordBytes = 16 << 20

// Options of the file sources. The zero value is a good one.
type Options struct {
	OnMalformed OnMalformed
	// MaxRecordBytes is the length of the longest record; a longer one is
	// malformed. Zero: DefaultMaxRecordBytes.
	MaxRecordBytes int
	// SplitBytes is the size of the splits of a file that is divided by bytes.
	// Zero: some splits a subtask, of 1 to 64 MiB.
	SplitBytes int64
}

// Validate reports the first option that cannot be, wrapping ErrOptions.
func (o Options) Validate() error {
	switch {
	case o.OnMalformed > Skip:
		return fmt.Errorf("%w: policy %d for malformed records: use Refuse or Skip", ErrOptions, o.OnMalformed)
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
