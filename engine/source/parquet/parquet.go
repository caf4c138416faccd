package parquet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"unsafe"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source"
	"github.com/tidemark/tidemark/engine/source/internal/input"
)

// ErrColumns: the columns of a file are not those that the records need.
var ErrColumns = errors.New("parquet columns do not fit the record")

// Files reads the rows of Parquet files into structs of type T. The pattern is a
// file, a directory or a glob. A field of T gets the column named by its tag
// `parquet:"name"`. Lists are read into slices, maps into maps, groups into
// structs. A null becomes zero (with Options.Complete it is malformed), or nil where
// the field is a pointer, slice or map.
//
// Every value comes over exactly, or the column is refused before any record:
//
//	integers                  an integer type that holds them all, or such a float
//	FLOAT, DOUBLE, FLOAT16    a float type that holds them all; NaN and infinities are malformed
//	STRING, ENUM, JSON        string or []byte; malformed if it is not UTF-8
//	bytes, fixed or not       string, []byte, or [n]byte
//	UUID                      string in the usual form, [16]byte, []byte
//	DECIMAL                   string with all digits; an integer if the scale is 0
//	DATE, TIMESTAMP, INT96    time.Time in UTC; a timestamp also int64 with the tag option
//	                          timestamp(millisecond), (microsecond) or (nanosecond), a date
//	                          also int32 with the tag option date
//	TIME                      time.Duration since midnight
//
// At most one Options may be given; OnMalformed and Complete matter.
func Files[T any](pattern string, opts ...source.Options) engine.Source[T] {
	s := &input.Source[T]{
		Format:   "parquet",
		Patterns: input.Patterns{pattern},
		Rows:     true,
	}
	var o source.Options
	switch len(opts) {
	case 0:
	case 1:
		o, s.Err = opts[0], opts[0].Validate()
	default:
		s.Err = fmt.Errorf("%w: given %d times: give one", source.ErrOptions, len(opts))
	}
	t := reflect.TypeFor[T]()
	if s.Err == nil && t.Kind() != reflect.Struct {
		s.Err = fmt.Errorf("%w: parquet: records are of type %v, which is not a struct", source.ErrOptions, t)
	}
	if s.Err == nil {
		s.Err = check(t, t.String(), nil)
	}
	s.OnMalformed = o.OnMalformed
	s.Divide = func(ctx context.Context, files []input.File, _ int) ([]input.Split, error) {
		return divide(ctx, files, o.OnMalformed.Skips())
	}
	s.Records = func(split input.Split, c *input.Content) (input.Records[T], error) {
		r, err := open(split, c, t, &builder{complete: o.Complete || o.Strict, keep: o.OnMalformed.Keeps()})
		if err != nil {
			return nil, err
		}
		return records[T]{r}, nil
	}
	return s
}

// divide makes each row group a split. skip: a file without a footer is one split,
// for its reader to find that out and count it.
func divide(ctx context.Context, files []input.File, skip bool) ([]input.Split, error) {
	var splits []input.Split
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		groups, err := rowGroups(file)
		var disk *input.DiskError
		if err != nil && skip && !errors.As(err, &disk) {
			groups, err = 1, nil
		}
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
	meta, err := readFooter(input.NewContent(f), file.Size)
	if err != nil {
		return 0, fmt.Errorf("read parquet footer: %w", err)
	}
	return len(meta.RowGroups), nil
}

// records are the rows of a row group as records of type T.
type records[T any] struct{ *rows }

func (r records[T]) Next(v *T) error { return r.next(unsafe.Pointer(v)) }

// rows reads a row group.
type rows struct {
	path    string
	columns *builder
	read    readFunc
	at, end int64 // the next row, and the number of rows
	before  int64 // rows of the file before the row group
	last    int64 // the row that was read last, in the file
}

// open opens a row group, for records of the type.
func open(s input.Split, c *input.Content, t reflect.Type, b *builder) (r *rows, err error) {
	meta, err := readFooter(c, s.File.Size)
	if err != nil {
		return nil, fmt.Errorf("read parquet footer: %w", err)
	}
	if s.Start >= int64(len(meta.RowGroups)) {
		return nil, engine.Permanent(fmt.Errorf("%w: row group %d of %d", source.ErrSplit, s.Start, len(meta.RowGroups)))
	}
	root, err := schemaOf(meta.Schema)
	if err != nil {
		return nil, err
	}
	r = &rows{path: s.File.Path, columns: b, at: s.Position, end: meta.RowGroups[s.Start].NumRows}
	for _, g := range meta.RowGroups[:s.Start] {
		r.before += g.NumRows
	}
	if r.end == 0 {
		return r, nil
	}
	if b.view, b.chunks, err = openPlain(c, meta, int(s.Start)); err != nil {
		return nil, fmt.Errorf("read row group %d: %w", s.Start, err)
	}
	if r.read, _, err = b.structure(root, t, t.String()); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	for _, column := range b.open {
		if err := column.skipRows(s.Position); err != nil {
			return nil, errors.Join(fmt.Errorf("skip to row %d of row group %d: %w", s.Position, s.Start, err), r.Close())
		}
		column.keep = b.keep
	}
	return r, nil
}

// next reads the next row into the record at p, which is zero.
func (r *rows) next(p unsafe.Pointer) error {
	r.last = r.before + r.at
	if err := r.columns.begin(r.at < r.end); err != nil || r.at >= r.end {
		return cmp.Or(err, io.EOF)
	}
	if err := r.read(p); err != nil {
		return err
	}
	r.at++
	if bad := r.columns.bad; bad != nil {
		return &source.MalformedError{Path: r.path, Offset: -1, Row: r.last, Err: bad}
	}
	return nil
}

func (r *rows) Start() int64 { return r.last }

func (r *rows) Record() []byte { return r.columns.record() }

func (r *rows) Position() int64 { return r.at }

func (r *rows) Close() error {
	var errs []error
	for _, c := range r.columns.open {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}
