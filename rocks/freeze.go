package rocks

import (
	"errors"
	"os"
	"sync"

	"github.com/linxGnu/grocksdb"
)

// freeze is a checkpoint that has begun: the writes that belong to it are
// fixed, but not all are on disk yet. Until they are, and the checkpoint is
// made, nothing newer may reach RocksDB (I8).
type freeze struct {
	dir     string // of the checkpoint
	spiller spiller
	columns []frozenColumn
	handles []*grocksdb.ColumnFamilyHandle // all, also those without entries

	once sync.Once
	err  error
}

type frozenColumn struct {
	column  *column // for its goroutine only
	handle  *grocksdb.ColumnFamilyHandle
	entries entries
}

// errReleased: a checkpoint was given up before it was made.
var errReleased = errors.New("released before it was written")

// Freeze begins a checkpoint of all writes that returned before, in constant
// time. write makes it, from any goroutine, beside the DB's own: dir, which
// must not exist and must lie on the same file system, becomes a database of
// its own, immutable files as hard links, the others copied. When it fails, dir
// is gone, the database goes on, and a later checkpoint may succeed. release
// gives up a checkpoint that is not wanted. Either may be called again, to no
// further effect; only the first counts.
//
// A Scan, or writes beyond the table's budget, may make the checkpoint before
// write is called, and then write returns how that ended.
func (d *DB) Freeze(dir string) (write func() error, release func(), err error) {
	if d.closed {
		return nil, nil, d.closedError("checkpoint")
	}
	d.settle()
	f := &freeze{dir: dir, spiller: d.spiller(), handles: append([]*grocksdb.ColumnFamilyHandle(nil), d.handles...)}
	for _, c := range d.columns {
		f.columns = append(f.columns, frozenColumn{c, c.handle, c.live.freeze()})
	}
	d.frozen = f
	return f.write, f.release, nil
}

// Checkpoint is Freeze and write at once.
func (d *DB) Checkpoint(dir string) error {
	write, _, err := d.Freeze(dir)
	if err != nil {
		return err
	}
	return write()
}

func (f *freeze) write() error {
	f.once.Do(func() { f.err = f.make() })
	return f.err
}

func (f *freeze) release() {
	f.once.Do(func() {
		f.err = &Error{Op: "checkpoint", Dir: f.spiller.dir, Message: errReleased.Error(), Err: ErrUsage}
	})
}

func (f *freeze) make() error {
	if _, err := os.Lstat(f.dir); !errors.Is(err, os.ErrNotExist) {
		return &Error{Op: "checkpoint", Dir: f.spiller.dir, Message: f.dir + " is in the way", Err: ErrUsage}
	}
	if err := f.spiller.roomFor(f.handles, f.dirtyBytes()); err != nil {
		return err
	}
	for _, c := range f.columns {
		if err := f.spiller.spill(c.handle, c.entries); err != nil {
			return err
		}
	}
	if err := f.spiller.checkpoint(f.dir); err != nil {
		return errors.Join(err, os.RemoveAll(f.dir))
	}
	return nil
}

func (f *freeze) dirtyBytes() int64 {
	var n int64
	for _, c := range f.columns {
		n += c.entries.bytes()
	}
	return n
}

// settle ends the checkpoint that has begun, if there is one. What it failed to
// write is the table's again; that it failed, write says.
func (d *DB) settle() {
	f := d.frozen
	if f == nil {
		return
	}
	d.frozen = nil
	written := f.write() == nil
	for _, c := range f.columns {
		c.column.live.thaw(written)
	}
}
