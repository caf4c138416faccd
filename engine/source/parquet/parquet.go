package parquet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source"
	"github.com/tidemark/tidemark/engine/source/internal/input"
)

// ErrColumns: the columns of a file are not those that the records need.
var ErrColumns = errors.New("parquet columns do not fit the record")

// Files reads the rows of Parquet files into structs of type T. The pattern is a
// file, a directory or a glob. A field of T gets the column named by its tag
// `parquet:"name"`. A null becomes zero, or nil where the field is a pointer.
// Timestamps are converted to the field's unit, or to a time.Time. At most one
// Options may be given; only OnMalformed matters, for rows that T's Validate
// refuses.
func Files[T any](pattern string, opts ...source.Options) engine.Source[T] {
	s := &input.Source[T]{
		Format:   "parquet",
		Patterns: input.Patterns{pattern},
		Divide:   divide,
		Records: func(s input.Split, f *os.File) (input.Records[T], error) {
			return open[T](s, f)
		},
	}
	switch len(opts) {
	case 0:
	case 1:
		s.Skip, s.Err = opts[0].OnMalformed == source.Skip, opts[0].Validate()
	default:
		s.Err = fmt.Errorf("%w: given %d times: give one", source.ErrOptions, len(opts))
	}
	return s
}

func openFile(f *os.File, size int64) (*parquet.File, error) {
	p, err := parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, engine.Permanent(fmt.Errorf("read parquet footer: %w", err))
	}
	return p, nil
}

// divide makes each row group a split.
func divide(ctx context.Context, files []input.File, _ int) ([]input.Split, error) {
	var splits []input.Split
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		groups, err := rowGroups(file)
		if err != nil {
			return nil, fmt.Errorf("divide input %s: %w", file.Path, err)
		}
		for g := range int64(groups) {
			splits = append(splits, input.Split{File: file, Start: g, End: g + 1})
		}
	}
	return splits, nil
}

func rowGroups(file input.File) (int, error) {
	f, err := os.Open(file.Path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	p, err := openFile(f, file.Size)
	if err != nil {
		return 0, err
	}
	return len(p.RowGroups()), nil
}

// rows reads a row group in batches.
type rows[T any] struct {
	r     *parquet.GenericReader[T]
	batch []T // read, and not yet returned by Next
	buf   []T
	next  int64
	end   bool
}

const batchRows = 256

func open[T any](s input.Split, f *os.File) (*rows[T], error) {
	p, err := openFile(f, s.File.Size)
	if err != nil {
		return nil, err
	}
	groups := p.RowGroups()
	if s.Start >= int64(len(groups)) {
		return nil, fmt.Errorf("%w: row group %d of %d", source.ErrSplit, s.Start, len(groups))
	}
	if err := fit(parquet.SchemaOf(new(T)), p.Schema()); err != nil {
		return nil, engine.Permanent(err)
	}
	r := parquet.NewGenericRowGroupReader[T](groups[s.Start])
	if err := r.SeekToRow(s.Position); err != nil {
		return nil, errors.Join(fmt.Errorf("seek to row %d of row group %d: %w", s.Position, s.Start, err), r.Close())
	}
	return &rows[T]{r: r, buf: make([]T, batchRows), next: s.Position}, nil
}

func (r *rows[T]) Next(v *T) error {
	for len(r.batch) == 0 {
		if r.end {
			return io.EOF
		}
		n, err := r.r.Read(r.buf)
		r.batch, r.end = r.buf[:n], err == io.EOF
		if err != nil && err != io.EOF {
			return fmt.Errorf("row %d of its row group: %w", r.next, err)
		}
	}
	*v, r.batch = r.batch[0], r.batch[1:]
	r.next++
	return nil
}

// Row is the number, in its row group, of the row that Next returned last.
func (r *rows[T]) Row() int64 { return r.next - 1 }

func (r *rows[T]) Position() int64 { return r.next }

func (r *rows[T]) Close() error { return r.r.Close() }

// fit checks that the file has the columns that T needs, and that each field can
// hold every value of its column.
func fit(want, file *parquet.Schema) error {
	for _, path := range want.Columns() {
		field, _ := want.Lookup(path...)
		column, ok := file.Lookup(path...)
		if !ok {
			var has []string
			for _, p := range file.Columns() {
				has = append(has, strings.Join(p, "."))
			}
			return fmt.Errorf("%w: no column %q; the file has %q: correct the field's parquet tag", ErrColumns, strings.Join(path, "."), has)
		}
		if a, b := column.Node.Type(), field.Node.Type(); !holds(b, a) {
			return fmt.Errorf("%w: column %q is %v, too much for a field of %v: widen the field", ErrColumns, strings.Join(path, "."), a, b)
		}
	}
	return nil
}

// holds reports whether a field holds every value of a column.
func holds(field, column parquet.Type) bool {
	text := []parquet.Kind{parquet.ByteArray, parquet.FixedLenByteArray}
	f, c := field.Kind(), column.Kind()
	switch {
	case slices.Contains(text, f) || slices.Contains(text, c):
		return slices.Contains(text, f) == slices.Contains(text, c)
	case integer(f) && integer(c):
		return bits(field) >= bits(column)
	case integer(f):
		return false
	case f == parquet.Float:
		return c == parquet.Float
	case f == parquet.Double:
		return c == parquet.Float || c == parquet.Double || c == parquet.Int32
	}
	return f == c
}

func integer(k parquet.Kind) bool { return k == parquet.Int32 || k == parquet.Int64 }

func bits(t parquet.Type) int {
	if l := t.LogicalType(); l != nil {
		if i, ok := l.Value.(*format.IntType); ok {
			return int(i.BitWidth)
		}
	}
	if t.Kind() == parquet.Int32 {
		return 32
	}
	return 64
}
