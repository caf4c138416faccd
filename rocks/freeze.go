package rocks

import (
	"errors"
	"os"
	"slices"

	"github.com/tidemark/tidemark/rocks/table"
)

// Freeze begins a local checkpoint of all writes that returned before. It takes
// constant time, and waits for no other checkpoint.
//
// write makes the checkpoint, in any goroutine, while the DB is used. dir must not
// exist and must lie on the same file system. It becomes a database of its own:
// immutable files are hard links, the others copies. If write fails, dir is gone, the
// DB stays usable, and a later checkpoint may succeed. release gives up a checkpoint
// that nobody needs, and waits for a write that has begun. Both may be called more
// than once; only the first call of each has an effect.
//
// Checkpoints are written in the order in which they began. So write first makes those
// that began before and are not written yet, and fails with none of them. The DB itself
// writes checkpoints, too, when it needs memory, or for a scan. Then write does nothing
// but return the outcome.
func (d *DB) Freeze(dir string) (write func() error, release func(), err error) {
	if d.closed {
		return nil, nil, d.closedError("checkpoint")
	}
	f := d.tables.Begin(d.writer(dir))
	write = func() error {
		err := f.Finish()
		if errors.Is(err, table.ErrReleased) {
			return &Error{Op: "checkpoint", Dir: d.dir, Message: err.Error(), Err: ErrUsage}
		}
		return err
	}
	return write, f.Release, nil
}

// Checkpoint calls Freeze, and then write.
func (d *DB) Checkpoint(dir string) error {
	write, _, err := d.Freeze(dir)
	if err != nil {
		return err
	}
	return write()
}

// writer returns a Writer that makes a local checkpoint in dir after the entries;
// an empty dir: none.
func (d *DB) writer(dir string) table.Writer {
	return func(oldest int64) func(*table.Flush) error {
		s, handles := d.flusher, slices.Clone(d.handles)
		// A value below an operand is needed if it had not expired when the operand
		// began. So RocksDB must not get a later time than that, nor a later one than
		// the beginning of this flush: other operands may begin before it is written.
		now := min(s.expiry.now(), oldest)
		return func(f *table.Flush) error {
			checkpoint := dir != "" && !f.Released()
			if checkpoint {
				if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
					return &Error{Op: "checkpoint", Dir: s.dir, Message: dir + " is in the way", Err: ErrUsage}
				}
			}
			s.expiry.tell(now)
			if err := s.roomFor(handles, f.Bytes()); err != nil {
				return err
			}
			if err := f.Write(); err != nil || !checkpoint {
				return err
			}
			if err := s.checkpoint(dir); err != nil {
				return errors.Join(err, os.RemoveAll(dir))
			}
			return nil
		}
	}
}
