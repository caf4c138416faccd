package rocks

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/linxGnu/grocksdb"
	"golang.org/x/sync/errgroup"
)

// freeze is entries that are fixed, but not all on disk yet: those of a
// checkpoint that has begun, or of a spill. Freezes are written in the order in
// which they began, so that a checkpoint holds what was written before it and
// nothing newer (I8).
type freeze struct {
	dir      string // of the checkpoint; empty: a spill
	previous *freeze
	spiller  spiller
	columns  []frozenColumn
	handles  []*grocksdb.ColumnFamilyHandle // all, also those without entries

	once     sync.Once
	started  atomic.Bool
	unwanted atomic.Bool   // there is to be no checkpoint
	done     chan struct{} // closed when err is known
	err      error
}

type frozenColumn struct {
	column  *column // for its goroutine only
	handle  *grocksdb.ColumnFamilyHandle
	entries entries
}

// errReleased: a checkpoint was given up before it was made.
var errReleased = errors.New("released before it was written")

// errPanicked: writing it did not come to an end.
var errPanicked = errors.New("writing panicked")

// Freeze begins a checkpoint of all writes that returned before, in constant
// time. write makes it, from any goroutine, beside the DB's own: dir, which
// must not exist and must lie on the same file system, becomes a database of
// its own, immutable files as hard links, the others copied. When it fails, dir
// is gone, the database goes on, and a later checkpoint may succeed. release
// gives up a checkpoint that is not wanted, and waits for a write that has
// begun. Either may be called again, to no further effect.
//
// What comes later may need the checkpoint to be written first, and so make it
// before write is called, which then returns how that ended.
func (d *DB) Freeze(dir string) (write func() error, release func(), err error) {
	if d.closed {
		return nil, nil, d.closedError("checkpoint")
	}
	d.settleEnded()
	if n := len(d.freezes); n > 0 && d.freezes[n-1].dir != "" {
		d.settleAll() // one checkpoint at a time
	}
	if d.share.dirty == 0 {
		d.yieldMemory() // it sweeps a chunk; who is written to does so between records
	}
	var all []frozenColumn
	for _, c := range d.columns {
		all = append(all, frozenColumn{c, c.handle, c.table.takeOff()})
	}
	f := d.freeze(dir, all)
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

// freeze has what was taken off written in its turn.
func (d *DB) freeze(dir string, columns []frozenColumn) *freeze {
	f := &freeze{dir: dir, spiller: d.spiller(), columns: columns, handles: append([]*grocksdb.ColumnFamilyHandle(nil), d.handles...), done: make(chan struct{})}
	if n := len(d.freezes); n > 0 {
		f.previous = d.freezes[n-1]
	}
	d.freezes = append(d.freezes, f)
	return f
}

// write makes the checkpoint.
func (f *freeze) write() error {
	err := f.finish()
	if err == nil && f.unwanted.Load() {
		return f.released()
	}
	return err
}

// finish has the entries written, if they are not yet, and those of the freezes
// before.
func (f *freeze) finish() error {
	f.once.Do(func() {
		f.started.Store(true)
		defer close(f.done) // even if it panics
		f.err = errPanicked // and then it has not written its entries
		f.err = f.make()
		f.previous = nil
	})
	return f.err
}

// release gives the checkpoint up. Its entries may be written all the same.
func (f *freeze) release() {
	f.unwanted.Store(true)
	if f.started.Load() {
		<-f.done
	}
}

// abandon ends the freeze: nothing is written any more.
func (f *freeze) abandon() {
	f.once.Do(func() {
		f.err = f.released()
		close(f.done)
	})
	<-f.done
}

func (f *freeze) released() error {
	return &Error{Op: "checkpoint", Dir: f.spiller.dir, Message: errReleased.Error(), Err: ErrUsage}
}

// ended reports whether the freeze was written, or has failed.
func (f *freeze) ended() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

func (f *freeze) make() error {
	if f.previous != nil {
		if err := f.previous.finish(); err != nil {
			return err
		}
	}
	checkpoint := f.dir != "" && !f.unwanted.Load()
	if checkpoint {
		if _, err := os.Lstat(f.dir); !errors.Is(err, os.ErrNotExist) {
			return &Error{Op: "checkpoint", Dir: f.spiller.dir, Message: f.dir + " is in the way", Err: ErrUsage}
		}
	}
	f.spiller.expiry.tell(f.spiller.told)
	if err := f.spiller.roomFor(f.handles, f.dirtyBytes()); err != nil {
		return err
	}
	// Half of the processors at most: the others have records to process.
	var writers errgroup.Group
	writers.SetLimit(max(1, runtime.GOMAXPROCS(0)/2))
	for _, c := range f.columns {
		writers.Go(func() error {
			if err := f.spiller.spill(c.handle, c.entries); err != nil {
				return err
			}
			c.entries.seal.check(c.entries)
			return nil
		})
	}
	if err := writers.Wait(); err != nil || !checkpoint {
		return err
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

// settleEnded settles the freezes that have ended. Why one failed is for its
// own caller, or for whoever needs the room.
func (d *DB) settleEnded() {
	for len(d.freezes) > 0 && d.freezes[0].ended() {
		_ = d.settleOldest()
	}
}

// settleAll ends all freezes.
func (d *DB) settleAll() {
	for len(d.freezes) > 0 {
		_ = d.settleOldest()
	}
}

// settleOldest ends the oldest freeze, and waits for it. If it failed, so do
// those behind it: what they hold is newer. All of it is dirty again then.
func (d *DB) settleOldest() error {
	f := d.freezes[0]
	var err error
	if f.unwanted.Load() && len(d.freezes) == 1 {
		f.abandon() // nobody needs it
		err = f.err
	} else {
		err = f.finish()
	}
	if err == nil {
		d.freezes = d.freezes[1:]
		for _, c := range f.columns {
			c.column.table.land()
		}
		d.account()
		return nil
	}
	for _, later := range d.freezes[1:] {
		_ = later.finish()
	}
	d.freezes = nil
	for _, c := range d.columns {
		c.table.turnBack()
	}
	if f.unwanted.Load() {
		return nil
	}
	return err
}
