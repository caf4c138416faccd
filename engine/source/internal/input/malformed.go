package input

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
)

// MalformedError is a record that cannot be read.
type MalformedError struct {
	Path string
	// Line is the number of the record's first line, from 1; 0: unknown.
	Line int64
	// Offset is where the record's first byte lies, in uncompressed bytes; -1 in
	// formats without lines.
	Offset int64
	// Row is the number of the record in formats without lines, from 0.
	Row int64
	// Rest: nothing behind the record can be read in its file, or row group.
	Rest bool
	// Record is the record as it was found, as far as it was read, where it is
	// to be kept: of lines without the last one's end, of Parquet as a JSON object
	// of its columns. It may be used until SourceContext.Malformed returns.
	Record []byte
	Err    error
}

// Error says where the record lies and what is wrong with it.
func (e *MalformedError) Error() string {
	var b strings.Builder
	b.WriteString("malformed record: " + e.Path)
	switch {
	case e.Offset < 0:
		fmt.Fprintf(&b, " row %d", e.Row)
	case e.Line > 0:
		fmt.Fprintf(&b, " line %d (byte %d)", e.Line, e.Offset)
	default:
		fmt.Fprintf(&b, " byte %d", e.Offset)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	if e.Rest {
		b.WriteString(" (from here on nothing is read of it)")
	}
	return b.String()
}

// Unwrap returns what is wrong with the record.
func (e *MalformedError) Unwrap() error { return e.Err }

// findLine sets Line where the record begins within the first most bytes.
func (e *MalformedError) findLine(most int64) {
	if e.Offset < 0 || e.Offset > most {
		return
	}
	f, err := os.Open(e.Path)
	if err != nil {
		return
	}
	defer f.Close()
	all, err := Bytes(Split{File: File{Path: e.Path, Size: math.MaxInt64}}, &Content{f}, 0)
	if err != nil {
		return
	}
	line, buf := int64(1), make([]byte, 64<<10)
	for r := io.LimitReader(all, e.Offset); ; {
		n, err := r.Read(buf)
		line += int64(bytes.Count(buf[:n], []byte{'\n'}))
		if err == io.EOF {
			e.Line = line
		}
		if err != nil {
			return
		}
	}
}
