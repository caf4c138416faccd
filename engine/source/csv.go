package source

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source/internal/input"
)

// CSV reads CSV files (RFC 4180) into structs of type T. The first record of a
// file is its header. A field of T gets the column named by its tag
// `csv:"name"`, else the column of the field's own name; a field tagged
// `csv:"-"` gets none. The header must have every column that T names; other
// columns are ignored. Fields are strings, numbers, booleans, or types that
// implement encoding.TextUnmarshaler, such as time.Time. At most one Options
// may be given.
func CSV[T any](pattern string, opts ...Options) engine.Source[T] {
	o, err := oneOptions(opts)
	columns, columnsErr := columnsOf[T]()
	if err == nil {
		err = columnsErr
	}
	return &input.Source[T]{
		Format:   "csv",
		Patterns: input.Patterns{pattern},
		Skip:     o.OnMalformed == Skip,
		Err:      err,
		Divide:   divideFiles,
		Records: func(s input.Split, f *os.File) (input.Records[T], error) {
			return openCSV[T](s, f, o.maxRecordBytes(), columns)
		},
	}
}

type csvRecords[T any] struct {
	path    string
	r       *csv.Reader
	bounded *bounded
	start   int64 // where in the file r began
	columns []column
	indexes []int // the index in a record of each column
}

func openCSV[T any](s input.Split, f *os.File, maxBytes int, columns []column) (*csvRecords[T], error) {
	c := &csvRecords[T]{path: s.File.Path, columns: columns}
	if err := c.reset(s, f, 0, maxBytes); err != nil {
		return nil, err
	}
	header, err := c.read()
	if err == io.EOF {
		return c, nil // an empty file has no records, and no header
	}
	if err != nil {
		return nil, engine.Permanent(fmt.Errorf("read header: %w", err))
	}
	fields := len(header)
	if c.indexes, err = locate(columns, header); err != nil {
		return nil, engine.Permanent(err)
	}
	if s.Position > c.Position() {
		if err := c.reset(s, f, s.Position, maxBytes); err != nil {
			return nil, err
		}
	}
	c.r.FieldsPerRecord = fields
	return c, nil
}

// reset starts reading at an offset.
func (c *csvRecords[T]) reset(s input.Split, f *os.File, offset int64, maxBytes int) error {
	r, err := input.Bytes(s, f, offset)
	if err != nil {
		return err
	}
	b := bufio.NewReaderSize(r, readBytes)
	if mark, _ := b.Peek(len(byteOrderMark)); offset == 0 && string(mark) == byteOrderMark {
		offset = int64(len(mark))
		if _, err := b.Discard(len(mark)); err != nil {
			return err
		}
	}
	c.start = offset
	c.bounded = &bounded{r: b, max: int64(maxBytes)}
	c.r = csv.NewReader(c.bounded)
	c.r.ReuseRecord = true
	return nil
}

// read reads the next record. After a *MalformedError the reader can go on,
// unless the record was too long: where it ends is unknown then.
func (c *csvRecords[T]) read() ([]string, error) {
	offset := c.r.InputOffset()
	c.bounded.next(offset)
	record, err := c.r.Read()
	var parse *csv.ParseError
	switch {
	case errors.Is(err, ErrTooLong):
		bad := &MalformedError{Path: c.path, Offset: c.start + offset, Err: err}
		return nil, engine.Permanent(fmt.Errorf("%w: is a quote missing? Else raise MaxRecordBytes", error(unskippable{bad})))
	case errors.As(err, &parse):
		return nil, &MalformedError{Path: c.path, Offset: c.start + offset, Err: parse.Err}
	}
	return record, err
}

// unskippable hides a MalformedError from the policy for malformed records.
type unskippable struct{ bad *MalformedError }

func (u unskippable) Error() string { return u.bad.Error() }
func (u unskippable) Unwrap() error { return u.bad.Err }

func (c *csvRecords[T]) Next(v *T) error {
	if c.indexes == nil {
		return io.EOF
	}
	offset := c.Position()
	record, err := c.read()
	if err != nil {
		return err
	}
	for i, column := range c.columns {
		text := record[c.indexes[i]]
		if err := column.set(v, text); err != nil {
			return &MalformedError{Path: c.path, Offset: offset, Err: fmt.Errorf("column %s: %.60q: %w", column.name, text, err)}
		}
	}
	return nil
}

func (c *csvRecords[T]) Position() int64 { return c.start + c.r.InputOffset() }

func (c *csvRecords[T]) Close() error { return nil }

// bounded fails a record longer than max bytes. Otherwise a quote that is never
// closed would read the whole file into memory.
type bounded struct {
	r         io.Reader
	max       int64
	read, end int64
}

// next notes that a record begins at the offset.
func (b *bounded) next(offset int64) { b.end = offset + b.max }

func (b *bounded) Read(p []byte) (int, error) {
	// The csv.Reader reads ahead by one buffer, which does not count.
	if b.read > b.end+readBytes {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrTooLong, b.max)
	}
	n, err := b.r.Read(p)
	b.read += int64(n)
	return n, err
}
