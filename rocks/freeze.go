package rocks

import (
	"errors"
	"os"
	"slices"

	"github.com/tidemark/tidemark/rocks/table"
)

// Freeze begins a checkpoint of all writes that returned before, in constant
// time. write makes it, from any goroutine, beside the DB's own: dir, which
// must not exist and must lie on the same file system, becomes a database of
// its own, immutable files as hard links, the others copied. When it fails, dir
// is gone, the database goes on, and a later checkpoint may succeed. release
// gives up a checkpoint that is not wanted, and waits for a write that has
// begun. Either may be called again, to no further effect.
//
// A later call may need the checkpoint to be written first. It then writes it
// before write is called, which returns how that ended.
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

// Checkpoint is Freeze and write at once.
func (d *DB) Checkpoint(dir string) error {
	write, _, err := d.Freeze(dir)
	if err != nil {
		return err
	}
	return write()
}

// writer writes flushes, and a checkpoint after each to dir; empty: none.
func (d *DB) writer(dir string) table.Writer {
	return func(oldest int64) func(*table.Flush) error {
		s, handles := d.spiller, slices.Clone(d.handles)
		// What lies below an operand is needed if it had not expired when the operand
		// began. So RocksDB is not told a later time, nor one after this flush began:
		// other operands may begin before it is written.
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
