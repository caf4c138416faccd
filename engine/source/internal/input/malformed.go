package input

import (
	"bytes"
	"fmt"
	"io"
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
	Err error
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
	return b.String()
}

// Unwrap returns what is wrong with the record.
func (e *MalformedError) Unwrap() error { return e.Err }

// maxCount is how far into a file the lines are counted for an error.
const maxCount = 1 << 30

// findLine sets Line where counting lines is cheap enough.
func (e *MalformedError) findLine() {
	if e.Offset < 0 || e.Offset > maxCount || compressed(e.Path) {
		return
	}
	f, err := os.Open(e.Path)
	if err != nil {
		return
	}
	defer f.Close()
	line, buf := int64(1), make([]byte, 64<<10)
	for r := io.LimitReader(f, e.Offset); ; {
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
