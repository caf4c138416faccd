package sink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tidemark/tidemark/engine"
)

// DefaultPartBytes is the default of Options.PartBytes.
const DefaultPartBytes = 256 << 20

// Options of the file sinks. The zero value takes the defaults.
type Options struct {
	// PartBytes is the size at which a part is finished and the next one begun,
	// between checkpoints. Each checkpoint finishes a part. Zero:
	// DefaultPartBytes.
	PartBytes int64
}

// Validate reports an option that makes no sense.
func (o Options) Validate() error {
	if o.PartBytes < 0 {
		return fmt.Errorf("sink options: parts of %d bytes: must be positive, or 0 for %d", o.PartBytes, int64(DefaultPartBytes))
	}
	return nil
}

// JSONL writes every row exactly once, as a line of JSON, to part files in dir,
// which it creates. A T that JSON would lose values of is refused (ErrLossy); so is
// a row with a NaN, an infinity, or a string that is not UTF-8. The package's comment
// says how parts are named and when they appear. Nobody else may write, rename or remove
// parts in dir while a retained checkpoint may still publish them.
func JSONL[T any](dir string, opts ...Options) engine.Sink[T] {
	s := &jsonl[T]{dir: dir, partBytes: DefaultPartBytes}
	for _, o := range opts {
		s.err = errors.Join(s.err, o.Validate())
		if o.PartBytes > 0 {
			s.partBytes = o.PartBytes
		}
	}
	if dir == "" {
		s.err = errors.Join(s.err, errors.New("sink: no output directory is given"))
	}
	s.err = errors.Join(s.err, checkRows[T]())
	return s
}

type jsonl[T any] struct {
	dir       string
	partBytes int64
	err       error
}

// Validate reports a mistake in how the sink was made.
func (s *jsonl[T]) Validate() error { return s.err }

func pendingDir(dir string) string { return filepath.Join(dir, ".pending") }

// Places implements engine.Placed.
func (s *jsonl[T]) Places() []engine.Place {
	return []engine.Place{{Dir: s.dir, Hold: s.hold}}
}

func (s *jsonl[T]) hold(j engine.Identity) (release func() error, err error) {
	if s.err != nil {
		return nil, engine.Permanent(s.err)
	}
	release, err = hold(s.dir, j)
	return release, lasting(err)
}

// Recover implements engine.Sink.
func (s *jsonl[T]) Recover(ctx context.Context, r engine.Recovery) error {
	if s.err != nil {
		return engine.Permanent(s.err)
	}
	return lasting(s.bring(ctx, r))
}

// lasting marks errors that a restart does not mend: those of what a directory is.
func lasting(err error) error {
	for _, what := range []error{fs.ErrPermission, syscall.ENOTDIR, syscall.EROFS, syscall.ENAMETOOLONG, syscall.ELOOP} {
		if errors.Is(err, what) {
			return engine.Permanent(err)
		}
	}
	return err
}

// bring makes the directory hold what the restored checkpoint does.
func (s *jsonl[T]) bring(ctx context.Context, r engine.Recovery) error {
	if err := os.MkdirAll(pendingDir(s.dir), 0o777); err != nil {
		return fmt.Errorf("make output directory: %w: choose one that can be written to", err)
	}
	if err := s.refuseForeign(r); err != nil {
		return err
	}
	if err := claim(s.dir, r.Job); err != nil {
		return err
	}
	if err := publish(ctx, s.dir, writer{r.Job.ID, r.Operator}, r.Pending); err != nil {
		return err
	}
	return s.removeTemps(r)
}

// refuseForeign fails if dir has parts that the restored checkpoint does not
// know: their rows would be written a second time.
func (s *jsonl[T]) refuseForeign(r engine.Recovery) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("list output directory: %w", err)
	}
	var foreign []string
	for _, e := range entries {
		if id, ok := checkpointOf(e.Name(), writer{r.Job.ID, r.Operator}); ok && !known(id, r.Restored) {
			foreign = append(foreign, e.Name())
		}
	}
	if foreign == nil {
		return nil
	}
	start := "starts from nothing"
	if r.Restored != 0 {
		start = fmt.Sprintf("starts from checkpoint %d", r.Restored)
	}
	return engine.Permanent(fmt.Errorf("%w: %s has %d parts, such as %s, and the job %s: "+
		"move them away, choose another directory, or start from the checkpoint that wrote them",
		ErrForeignOutput, s.dir, len(foreign), foreign[0], start))
}

// removeTemps removes what dead attempts left unpublished. Parts of a later epoch
// stay: that epoch may commit them, and this one commits nothing any more (I4).
func (s *jsonl[T]) removeTemps(r engine.Recovery) error {
	entries, err := os.ReadDir(pendingDir(s.dir))
	if err != nil {
		return fmt.Errorf("list pending output: %w", err)
	}
	for _, e := range entries {
		if epoch, ok := epochOfTemp(e.Name(), writer{r.Job.ID, r.Operator}); !ok || epoch > r.Epoch {
			continue
		}
		if err := os.Remove(filepath.Join(pendingDir(s.dir), e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove pending output of a dead attempt: %w", err)
		}
	}
	return nil
}

// Open implements engine.Sink.
func (s *jsonl[T]) Open(c engine.SinkContext) (engine.Writer[T], error) {
	if s.err != nil {
		return nil, engine.Permanent(s.err)
	}
	return &jsonlWriter[T]{
		dir:       s.dir,
		partBytes: s.partBytes,
		rows:      newEncoder[T](),
		next:      part{writer: writer{c.Job.ID, c.Operator}, epoch: c.Epoch, attempt: c.Attempt, index: c.Index},
	}, nil
}

// publish renames the parts that pending describes into dir.
func publish(ctx context.Context, dir string, w writer, pending [][]byte) error {
	published := false
	for _, b := range pending {
		parts, err := decodeParts(b, w)
		if err != nil {
			return engine.Permanent(fmt.Errorf("publish to %s: %w", dir, err))
		}
		for _, p := range parts {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			if err := publishPart(dir, p); err != nil {
				return err
			}
			published = true
		}
	}
	if !published {
		return nil
	}
	// Even where every part was there already: the process may have crashed
	// before it synced the directory.
	return syncDir(dir)
}

func publishPart(dir string, p part) error {
	temp, final := filepath.Join(pendingDir(dir), p.tempName()), filepath.Join(dir, p.finalName())
	info, err := os.Stat(final)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.Rename(temp, final); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("publish output: %w", err)
		}
		info, err = os.Stat(final)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return engine.Permanent(fmt.Errorf("%w: neither %s nor %s exists, with %d bytes of checkpoint %d: bring back one of them, or start from another checkpoint",
			ErrOutputLost, temp, final, p.bytes, p.checkpoint))
	case err != nil:
		return fmt.Errorf("publish output: %w", err)
	case info.Size() != p.bytes:
		return engine.Permanent(fmt.Errorf("%w: %s has %d bytes and was written with %d: bring it back as it was, or start from another checkpoint",
			ErrOutputLost, final, info.Size(), p.bytes))
	}
	return nil
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync output directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync output directory: %w", err)
	}
	return nil
}
