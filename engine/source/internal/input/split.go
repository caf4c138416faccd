package input

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/engine"
)

// ErrSplit: a split is not one of the source.
var ErrSplit = errors.New("split does not fit the source")

// Split is a piece of a file, and the position in it. The units of Start, End
// and Position are the format's: bytes, or row groups and rows.
type Split struct {
	File       File
	Start, End int64 // half-open
	// Position is where the next record is looked for. Started: reading came to
	// it; else the division of the file put it there, and it may lie inside a
	// record.
	Position int64
	Started  bool
	Done     bool // all is read
}

// splitVersion is the first byte of an encoded split. What follows: the flags,
// the lengths (uvarint) and bytes of the format's name and of the path, and as
// varints size, time of change, start, end and position.
const splitVersion = 1

const (
	flagStarted = 1 << iota
	flagDone
)

// Encode renders the split for a source of the format.
func (s Split) Encode(format string) engine.Split {
	var flags byte
	if s.Started {
		flags |= flagStarted
	}
	if s.Done {
		flags |= flagDone
	}
	b := []byte{splitVersion, flags}
	for _, text := range [...]string{format, s.File.Path} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	for _, v := range [...]int64{s.File.Size, s.File.ModTimeNs, s.Start, s.End, s.Position} {
		b = binary.AppendVarint(b, v)
	}
	return b
}

// Decode reads what Encode wrote, and nothing else.
func Decode(format string, b engine.Split) (Split, error) {
	if len(b) < 2 || b[0] != splitVersion || b[1]&^(flagStarted|flagDone) != 0 {
		return Split{}, fmt.Errorf("%w: unknown encoding %.16x: the checkpoint is of another source or a newer version", ErrSplit, []byte(b))
	}
	s := Split{Started: b[1]&flagStarted != 0, Done: b[1]&flagDone != 0}
	rest := b[2:]
	var got string
	for _, text := range [...]*string{&got, &s.File.Path} {
		n, w := binary.Uvarint(rest)
		if w <= 0 || n > uint64(len(rest)-w) {
			return Split{}, fmt.Errorf("%w: cut short", ErrSplit)
		}
		*text, rest = string(rest[w:w+int(n)]), rest[w+int(n):]
	}
	if got != format {
		return Split{}, fmt.Errorf("%w: it is of a %s source, this one reads %s: start the job afresh, or with the source it had", ErrSplit, got, format)
	}
	for _, v := range [...]*int64{&s.File.Size, &s.File.ModTimeNs, &s.Start, &s.End, &s.Position} {
		n, w := binary.Varint(rest)
		if w <= 0 {
			return Split{}, fmt.Errorf("%w: cut short", ErrSplit)
		}
		*v, rest = n, rest[w:]
	}
	if len(rest) > 0 {
		return Split{}, fmt.Errorf("%w: %d bytes too long", ErrSplit, len(rest))
	}
	if s.Start < 0 || s.End < s.Start || s.Position < 0 || s.File.Size < 0 {
		return Split{}, fmt.Errorf("%w: position %d in [%d,%d) of %s", ErrSplit, s.Position, s.Start, s.End, s.File.Path)
	}
	return s, nil
}
