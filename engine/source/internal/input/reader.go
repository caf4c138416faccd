package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"syscall"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/internal/optional"
)

// Records reads the records of one split.
type Records[T any] interface {
	// Next reads the next record into v, which is zero. It returns io.EOF after
	// the last one. After a *MalformedError without Rest, Next may be called
	// again. Any other error ends the split; unless it is a DiskError or
	// permanent, it follows from what the file holds.
	Next(v *T) error
	// Position is right after the last record that Next read or skipped.
	Position() int64
	// Start is where the record begins that Next was called for last.
	Start() int64
	// Record returns its bytes, as MalformedError.Record has them. They are valid
	// until the next call.
	Record() []byte
	Close() error
}

// Validator is implemented by pointers to records that may be well formed and
// still be wrong.
type Validator interface{ Validate() error }

// Source is the engine.Source of a file format.
type Source[T any] struct {
	Format      string
	Patterns    Patterns
	OnMalformed OnMalformed
	Rows        bool  // Records.Start counts rows, and not bytes
	Err         error // a mistake in how the source was made; every method returns it
	// Divide makes the splits of the files.
	Divide func(ctx context.Context, files []File, parallelism int) ([]Split, error)
	// Records opens a split whose file has been checked.
	Records func(s Split, c *Content) (Records[T], error)
}

// Validate reports a mistake in the source's making, and a T whose Validate is
// not that of a Validator.
func (s *Source[T]) Validate() error {
	return errors.Join(s.Err, s.Patterns.validate(), optional.Check[Validator](reflect.TypeFor[*T]()))
}

// Quarantine implements engine.Quarantiner.
func (s *Source[T]) Quarantine() engine.Sink[error] { return s.OnMalformed.sink() }

// Splits implements engine.Source.
func (s *Source[T]) Splits(ctx context.Context, parallelism int) ([]engine.Split, error) {
	if s.Err != nil {
		return nil, engine.Permanent(s.Err)
	}
	files, err := s.Patterns.Files()
	if err != nil {
		return nil, lasting(err)
	}
	splits, err := s.Divide(ctx, files, parallelism)
	if err != nil {
		return nil, lasting(err)
	}
	encoded := make([]engine.Split, len(splits))
	for i, split := range splits {
		encoded[i] = split.Encode(s.Format)
	}
	return encoded, nil
}

// Overlooked implements engine.Overlooker: new files, and those that have changed
// since they were read to their end.
func (s *Source[T]) Overlooked(ctx context.Context, splits []engine.Split) ([]string, error) {
	known, done := map[string]File{}, map[string]bool{}
	for _, b := range splits {
		split, err := Decode(s.Format, b)
		if err != nil {
			return nil, nil //nolint:nilerr // Open says so
		}
		path := split.File.Path
		_, seen := known[path]
		known[path], done[path] = split.File, split.Done && (done[path] || !seen)
	}
	files, err := s.Patterns.Files()
	if errors.Is(err, ErrNoFiles) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		was, seen := known[f.Path]
		switch {
		case !seen:
			// One without records has no split, and nobody misses it.
			if divided, err := s.Divide(ctx, []File{f}, 1); err != nil || len(divided) > 0 {
				names = append(names, f.Path)
			}
		case was != f && done[f.Path]:
			names = append(names, f.Path+" (changed since it was read)")
		}
	}
	return names, nil
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
	located   int // malformed records whose line was looked for
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
		if err := r.openRecords(*split); err != nil {
			return dst, r.settle(err)
		}
	} else if err := r.check(); err != nil {
		return dst, err
	}
	n := len(dst)
	for range cap(dst) - n { // what is malformed counts, too: a barrier waits meanwhile
		dst = dst[:n+1]
		v := &dst[n]
		var zero T
		*v = zero
		err := r.records.Next(v)
		if err == nil {
			if checked, ok := any(v).(Validator); ok {
				if bad := checked.Validate(); bad != nil {
					err = r.at(r.records.Start(), bad)
				}
			}
		}
		switch {
		case err == nil:
			n++
			continue
		case err == io.EOF:
			return dst[:n], r.finish()
		}
		dst = dst[:n]
		if err := r.settle(err); err != nil || r.records == nil {
			return dst, err
		}
	}
	return dst, nil
}

// settle applies the policy for what cannot be read: the error ends the reader, or
// the record or the rest of the split is counted and left out.
func (r *reader[T]) settle(err error) error {
	path := r.splits[r.current].File.Path
	var bad *MalformedError
	if !errors.As(err, &bad) {
		if changed := r.check(); changed != nil {
			return changed
		}
		var disk *DiskError
		if errors.As(err, &disk) || engine.IsPermanent(err) {
			return fmt.Errorf("read input %s: %w", path, err)
		}
		position := r.splits[r.current].Position
		if r.records != nil {
			position = r.records.Start()
		}
		bad = r.at(position, err)
		bad.Rest = true
	} else if r.records != nil && r.source.OnMalformed.Keeps() {
		bad.Record = r.records.Record()
	}
	if !r.source.OnMalformed.Skips() {
		bad.findLine(maxCount)
		return engine.Permanent(fmt.Errorf("%w: correct the input, or let the source skip or quarantine such records", bad))
	}
	if r.malformed != nil {
		if r.located++; r.located <= maxLocated {
			bad.findLine(maxCount / maxLocated)
		}
		r.malformed(bad)
	}
	if bad.Rest {
		return r.finish()
	}
	return nil
}

// How far into a file lines are counted for an error, and for how many of the
// malformed records that are skipped.
const (
	maxCount   = 1 << 30
	maxLocated = 10
)

// at is the MalformedError of a well-formed record.
func (r *reader[T]) at(position int64, err error) *MalformedError {
	path := r.splits[r.current].File.Path
	if r.source.Rows {
		return &MalformedError{Path: path, Offset: -1, Row: position, Err: err}
	}
	return &MalformedError{Path: path, Offset: position, Err: err}
}

// open opens the split's file, and checks it.
func (r *reader[T]) open(split Split) error {
	f, err := os.Open(split.File.Path)
	if err != nil {
		return lasting(fmt.Errorf("open input: %w: the job has to read it from byte or row %d on: put the file back", err, split.Position))
	}
	r.file = f
	return r.check()
}

func (r *reader[T]) openRecords(split Split) error {
	records, err := r.source.Records(split, &Content{r.file})
	if err == nil {
		r.records = records
	}
	return err
}

// lasting marks errors that a restart does not mend: all but those of the disk.
func lasting(err error) error {
	var path *fs.PathError
	var disk *DiskError
	switch {
	case errors.As(err, &disk):
		return err
	case errors.As(err, &path) && !slices.ContainsFunc(ofName, func(name error) bool { return errors.Is(err, name) }):
		return err
	}
	return engine.Permanent(err)
}

// ofName are errors that follow from a file's name or its mode.
var ofName = []error{fs.ErrNotExist, fs.ErrPermission, fs.ErrInvalid, syscall.ENOTDIR, syscall.EISDIR, syscall.ENAMETOOLONG, syscall.ELOOP}

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
