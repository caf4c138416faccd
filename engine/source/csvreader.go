package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// csvReader reads records of CSV. It is stricter than encoding/csv, which changes
// "\r\n" inside quotes to "\n", and bounded.
type csvReader struct {
	r        *bufio.Reader
	maxBytes int
	fields   int   // that a record must have; 0: any number
	start    int64 // where the record that was read last begins
	position int64 // behind it
	bytes    []byte
	ends     []int // of the fields in bytes
	record   []string
	whole    []byte // the record as it was found; it may be part of r's buffer
	kept     []byte // its lines, if it has several
}

// csvError is what is wrong with a record.
type csvError struct {
	offset int64
	rest   bool // where the next record begins is unknown
	err    error
}

func (e *csvError) Error() string { return e.err.Error() }
func (e *csvError) Unwrap() error { return e.err }

var (
	errBareQuote  = errors.New(`bare " in non-quoted-field`)
	errAfterQuote = errors.New(`extraneous or missing " in quoted-field`)
)

// last returns the record that was read last as it was found, without its end, or
// its beginning if it is too long. It is valid until the next read.
func (c *csvReader) last() []byte { return trimEnd(c.whole) }

// read returns the next record, whose fields share memory; io.EOF: there is none.
// After a *csvError without rest the next call reads the next record.
func (c *csvReader) read() ([]string, error) {
	var line []byte
	var err error
	c.bytes, c.ends, c.kept, c.whole = c.bytes[:0], c.ends[:0], c.kept[:0], nil
	for len(trimEnd(line)) == 0 { // blank lines are no records
		c.start = c.position
		if line, err = c.line(false); err != nil {
			return nil, err
		}
	}
	c.whole = line
	lines := 1 // of the record
	var bad error
	for end := false; !end && bad == nil; {
		if len(line) == 0 || line[0] != '"' {
			field := trimEnd(line)
			if i := bytes.IndexByte(field, ','); i >= 0 {
				field, line = field[:i], line[i+1:]
			} else {
				end = true
			}
			if bytes.IndexByte(field, '"') >= 0 {
				bad = errBareQuote
			}
			c.bytes = append(c.bytes, field...)
			c.ends = append(c.ends, len(c.bytes))
			continue
		}
		line = line[1:]
		for open := true; open; {
			i := bytes.IndexByte(line, '"')
			switch {
			case i < 0: // the field goes on in the next line
				c.bytes = append(c.bytes, line...)
				if lines == 1 {
					c.kept = append(c.kept, c.whole...)
				}
				c.whole = c.kept
				if line, err = c.line(true); err == io.EOF {
					return nil, &csvError{c.start, true, fmt.Errorf("a quote is never closed: it takes in all %d lines to the end of the file", lines)}
				} else if err != nil {
					return nil, err
				}
				lines++
				c.kept = append(c.kept, line...)
				c.whole = c.kept
			case i+1 < len(line) && line[i+1] == '"':
				c.bytes = append(c.bytes, line[:i+1]...)
				line = line[i+2:]
			default:
				c.bytes = append(c.bytes, line[:i]...)
				line = line[i+1:]
				open = false
			}
		}
		c.ends = append(c.ends, len(c.bytes))
		switch {
		case len(line) > 0 && line[0] == ',':
			line = line[1:]
		case len(trimEnd(line)) == 0:
			end = true
		default:
			bad = errAfterQuote
		}
	}
	if bad == nil && c.fields > 0 && len(c.ends) != c.fields {
		bad = fmt.Errorf("wrong number of fields: %d, the header has %d", len(c.ends), c.fields)
	}
	if bad != nil {
		if lines > 1 {
			bad = fmt.Errorf("%w, in a record of %d lines", bad, lines)
		}
		return nil, &csvError{c.start, false, bad}
	}
	c.record = c.record[:0]
	all, begin := string(c.bytes), 0
	for _, end := range c.ends {
		c.record = append(c.record, all[begin:end])
		begin = end
	}
	return c.record, nil
}

// line returns the next line with its end; the last one may have none. quoted: a
// quote is open.
func (c *csvReader) line(quoted bool) ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	c.position += int64(len(line))
	if err == bufio.ErrBufferFull {
		long := append([]byte(nil), line...)
		for err == bufio.ErrBufferFull && len(c.bytes)+len(long) <= c.maxBytes {
			line, err = c.r.ReadSlice('\n')
			c.position += int64(len(line))
			long = append(long, line...)
		}
		line = long
	}
	if len(c.bytes)+len(line) > c.maxBytes {
		c.whole = append(c.kept, line...)
		quoted = quoted || bytes.IndexByte(line, '"') >= 0
		for err == bufio.ErrBufferFull && !quoted {
			line, err = c.r.ReadSlice('\n')
			c.position += int64(len(line))
		}
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return nil, err
		}
		return nil, &csvError{c.start, quoted, fmt.Errorf("%w: more than %d bytes: is a quote missing? Else raise MaxRecordBytes", ErrTooLong, c.maxBytes)}
	}
	if err == io.EOF && len(line) > 0 {
		err = nil
	}
	return line, err
}

func trimEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'})
}
