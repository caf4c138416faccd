package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"reflect"
	"unicode/utf8"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source/internal/input"
)

// CSV reads CSV files (RFC 4180, in UTF-8) into structs of type T. The first
// record of a file is its header. A field of T gets the column named by its tag
// `csv:"name"`, else the column of the field's own name; a field tagged
// `csv:"-"` gets none. The header must have every column that T names; other
// columns are ignored. Fields are exported, and are strings, finite numbers,
// booleans, or types that implement encoding.TextUnmarshaler themselves, such as
// time.Time. At most one Options may be given.
func CSV[T any](pattern string, opts ...Options) engine.Source[T] {
	o, err := oneOptions(opts)
	columns, columnsErr := columnsOf(reflect.TypeFor[T]())
	if err == nil {
		err = columnsErr
	}
	return &input.Source[T]{
		Format:      "csv",
		Patterns:    input.Patterns{pattern},
		OnMalformed: o.OnMalformed,
		Err:         err,
		Divide:      divideFiles,
		Records: func(s input.Split, c *input.Content) (input.Records[T], error) {
			return openCSV[T](s, c, o.maxRecordBytes(), columns)
		},
	}
}

type csvRecords[T any] struct {
	path    string
	r       *csvReader
	columns []column
	indexes []int // the index in a record of each column
}

func openCSV[T any](s input.Split, content *input.Content, maxBytes int, columns []column) (*csvRecords[T], error) {
	c := &csvRecords[T]{path: s.File.Path, columns: columns}
	r, err := input.Bytes(s, content, 0)
	if err != nil {
		return nil, err
	}
	b := bufio.NewReaderSize(r, readBytes)
	c.r = &csvReader{r: b, maxBytes: maxBytes}
	if mark, err := b.Peek(len(byteOrderMark)); err == nil && string(mark) == byteOrderMark {
		n, _ := b.Discard(len(mark))
		c.r.position = int64(n)
	}
	header, err := c.r.read()
	if err == io.EOF {
		return c, nil // an empty file has no records, and no header
	}
	if bad, ok := errors.AsType[*csvError](err); ok {
		return nil, c.noHeader(bad.offset, bad.err)
	}
	if err != nil {
		return nil, err
	}
	if c.indexes, err = locate(columns, header); err != nil {
		return nil, c.noHeader(c.r.start, err)
	}
	c.r.fields = len(header)
	if s.Position > c.r.position {
		if r, err = input.Bytes(s, content, s.Position); err != nil {
			return nil, err
		}
		b.Reset(r)
		c.r.position = s.Position
	}
	return c, nil
}

// noHeader says that the file has no header that T's columns are found in.
func (c *csvRecords[T]) noHeader(offset int64, err error) error {
	return &MalformedError{Path: c.path, Offset: offset, Err: fmt.Errorf("header: %w", err), Rest: true, Record: c.r.last()}
}

func (c *csvRecords[T]) Next(v *T) error {
	if c.indexes == nil {
		return io.EOF
	}
	record, err := c.r.read()
	if bad, ok := errors.AsType[*csvError](err); ok {
		return &MalformedError{Path: c.path, Offset: bad.offset, Err: bad.err, Rest: bad.rest}
	}
	if err != nil {
		return err
	}
	for i, column := range c.columns {
		text := record[c.indexes[i]]
		err := error(nil)
		if !utf8.ValidString(text) {
			err = notUTF8([]byte(text))
		} else {
			err = column.set(v, text)
		}
		if err != nil {
			return &MalformedError{Path: c.path, Offset: c.r.start, Err: fmt.Errorf("column %s: %.60q: %w", column.name, text, err)}
		}
	}
	return nil
}

func (c *csvRecords[T]) Position() int64 { return c.r.position }

func (c *csvRecords[T]) Start() int64 { return c.r.start }

func (c *csvRecords[T]) Record() []byte { return c.r.last() }

func (c *csvRecords[T]) Close() error { return nil }
