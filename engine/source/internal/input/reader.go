package input

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/tidemark/tidemark/engine"
)

// Records reads the records of one split.
type Records[T any] interface {
	// Next reads the next record into v, which is zero. It returns io.EOF after
	// the last one. A *MalformedError is for one record alone: Next may be called
	// again.
	Next(v *T) error
	// Position is right after the last record that Next read or skipped.
	Position() int64
	Close() error
}

// Validator is implemented by pointers to records that may be well formed and
// still be wrong.
type Validator interface{ Validate() error }

// Source is the engine.Source of a file format.
type Source[T any] struct {
	Format   string
	Patterns Patterns
	Skip     bool  // skip and count malformed records
	Err      error // a mistake in how the source was made; every method returns it
	// Divide makes the splits of the files.
	Divide func(ctx context.Context, files []File, parallelism int) ([]Split, error)
	// Records opens a split whose file has been checked.
	Records func(s Split, f *os.File) (Records[T], error)
}

// Validate reports a mistake in the source's making.
func (s *Source[T]) Validate() error { return s.Err }

// Splits implements engine.Source.
func (s *Source[T]) Splits(ctx context.Context, parallelism int) ([]engine.Split, error) {
	if s.Err != nil {
		return nil, engine.Permanent(s.Err)
	}
	files, err := s.Patterns.Files()
	if err != nil {
		return nil, engine.Permanent(err)
	}
	splits, err := s.Divide(ctx, files, parallelism)
	if err != nil {
		return nil, err
	}
	encoded := make([]engine.Split, len(splits))
	for i, split := range splits {
		encoded[i] = split.Encode(s.Format)
	}
	return encoded, nil
}

// Open implements engine.Source.
func (s *Source[T]) Open(c engine.SourceContext, splits []engine.Split) (engine.Reader[T], error) {
	if s.Err != nil {
		return nil, engine.Permanent(s.Err)
	}
	r := &reader[T]{source: s, malformed: c.Malformed, encoded: make([]engine.Split, len(splits)), splits: make([]Split, len(splits))}
	copy(r.encoded, splits)
	for i, b := range splits {
		split, err := Decode(s.Format, b)
		if err != nil {
			return nil, engine.Permanent(fmt.Errorf("open input split: %w", err))
		}
		if !s.Patterns.match(split.File.Path) {
			return nil, engine.Permanent(fmt.Errorf("open input split: %w: file %s matches none of %q: start the job afresh, or with the pattern it had", ErrSplit, split.File.Path, []string(s.Patterns)))
		}
		r.splits[i] = split
	}
	return r, nil
}

// reader reads splits one after the other.
type reader[T any] struct {
	source    *Source[T]
	malformed func(error)
	splits    []Split
	encoded   []engine.Split // splits, encoded; the current one's is out of date
	current   int
	file      *os.File
	records   Records[T] // of the current split; nil: not open
}

func (r *reader[T]) Read(ctx context.Context, dst []T) ([]T, error) {
	for len(dst) < cap(dst) {
		if err := ctx.Err(); err != nil {
			return dst, err
		}
		if r.current == len(r.splits) {
			return dst, io.EOF
		}
		var err error
		if dst, err = r.readSplit(dst); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// readSplit reads on in the current split, and steps to the next at its end.
func (r *reader[T]) readSplit(dst []T) ([]T, error) {
	split := &r.splits[r.current]
	if split.Done {
		r.current++
		return dst, nil
	}
	if r.records == nil {
		if err := r.open(*split); err != nil {
			return dst, err
		}
	}
	for n := len(dst); n < cap(dst); {
		dst = dst[:n+1]
		v := &dst[n]
		var zero T
		*v = zero
		before := r.records.Position()
		err := r.records.Next(v)
		if err == nil {
			if checked, ok := any(v).(Validator); ok {
				if bad := checked.Validate(); bad != nil {
					err = r.at(before, bad)
				}
			}
		}
		var bad *MalformedError
		switch {
		case err == nil:
			n++
		case err == io.EOF:
			return dst[:n], r.finish()
		case !errors.As(err, &bad):
			if changed := r.check(); changed != nil {
				return dst[:n], changed
			}
			return dst[:n], fmt.Errorf("read input %s: %w", split.File.Path, err)
		case !r.source.Skip:
			bad.findLine()
			return dst[:n], engine.Permanent(fmt.Errorf("%w: correct the input, or let the source skip and count such records", bad))
		case r.malformed != nil:
			r.malformed(bad)
		}
		dst = dst[:n]
	}
	return dst, nil
}

// at is the MalformedError of a well-formed record.
func (r *reader[T]) at(position int64, err error) *MalformedError {
	path := r.splits[r.current].File.Path
	if rows, ok := r.records.(interface{ Row() int64 }); ok {
		return &MalformedError{Path: path, Offset: -1, Row: rows.Row(), Err: err}
	}
	return &MalformedError{Path: path, Offset: position, Err: err}
}

// open opens the split's file, and checks it.
func (r *reader[T]) open(split Split) error {
	f, err := os.Open(split.File.Path)
	if err != nil {
		return fmt.Errorf("open input: %w: the job has to read it from byte or row %d on: put the file back", err, split.Position)
	}
	r.file = f
	if err := r.check(); err != nil {
		return err
	}
	records, err := r.source.Records(split, f)
	if err != nil {
		return fmt.Errorf("open input %s: %w", split.File.Path, err)
	}
	r.records = records
	return nil
}

func (r *reader[T]) check() error {
	info, err := r.file.Stat()
	if err != nil {
		return fmt.Errorf("check input: %w", err)
	}
	return engine.Permanent(r.splits[r.current].File.check(info))
}

// finish ends the current split, if its file is still what it was.
func (r *reader[T]) finish() error {
	if err := r.check(); err != nil {
		return err
	}
	r.save()
	r.splits[r.current].Done = true
	r.encoded[r.current] = r.splits[r.current].Encode(r.source.Format)
	r.current++
	return r.closeSplit()
}

// save brings the position of the current split up to date.
func (r *reader[T]) save() {
	if r.records == nil {
		return
	}
	split := &r.splits[r.current]
	split.Position, split.Started = r.records.Position(), true
	r.encoded[r.current] = split.Encode(r.source.Format)
}

func (r *reader[T]) Splits() []engine.Split {
	r.save()
	return append([]engine.Split(nil), r.encoded...)
}

func (r *reader[T]) closeSplit() error {
	var errs []error
	if r.records != nil {
		errs = append(errs, r.records.Close())
	}
	if r.file != nil {
		errs = append(errs, r.file.Close())
	}
	r.records, r.file = nil, nil
	return errors.Join(errs...)
}

func (r *reader[T]) Close() error { return r.closeSplit() }

// compressed reports whether a file is gzip, by its name.
func compressed(path string) bool { return strings.HasSuffix(path, ".gz") }

// Divisible reports whether reading can begin inside the file.
func (f File) Divisible() bool { return !compressed(f.Path) }

// Bytes returns the file's uncompressed bytes from offset on. Where the file is
// shorter than the split says, reading gives io.ErrUnexpectedEOF.
func Bytes(s Split, f *os.File, offset int64) (io.Reader, error) {
	if !compressed(s.File.Path) {
		return &exact{io.NewSectionReader(f, offset, s.File.Size-offset), s.File.Size - offset}, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, z, offset); err != nil {
		return nil, fmt.Errorf("skip to byte %d: %w", offset, err)
	}
	return z, nil
}

// exact reads left bytes and turns an earlier end into an error.
type exact struct {
	r    io.Reader
	left int64
}

func (e *exact) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	e.left -= int64(n)
	if err == io.EOF && e.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
