package table

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

var (
	// ErrReleased: a flush was released before it was written.
	ErrReleased = errors.New("released before it was written")
	errPanicked = errors.New("writing panicked")
)

// Writer returns the function that writes a flush. The tables call the Writer in their
// own goroutine when a flush begins. The function that it returns calls f.Write, and
// may do more before and after. It runs once, in any goroutine, after the flushes that
// began before have been written.
//
// Operands that Below does not have yet will be merged into the values below them.
// oldest is when the first of these operands began, in Unix milliseconds;
// math.MaxInt64: there is none. Until the flush has ended, Below must keep every value
// that had not expired at that time.
type Writer func(oldest int64) (write func(f *Flush) error)

// Flush is a set of dirty entries on their way to Below, frozen when it began: for a
// checkpoint, or for a spill, because memory was short. Flushes are written in the
// order in which they began. So a checkpoint that is made right after the entries of
// a flush holds what was put before Begin, and nothing newer (I8). A flush first writes
// the entries that the flushes before it could not write, so it does not fail with them.
type Flush struct {
	spill    bool
	write    func(*Flush) error
	previous *Flush
	left     []*Entries // of the flushes before, in order
	entries  []*Entries
	holder   *scan // nil: no scan reads the entries
	// tables are those whose oldest flights it ends, in order, also those of flushes
	// before it that failed. For the goroutine of the tables.
	tables []*Table

	once     sync.Once
	started  atomic.Bool
	released atomic.Bool
	done     chan struct{} // closed when err is known
	err      error
}

// Begin begins a flush of all dirty entries. It takes a time that does not depend on
// their number, and waits for no other flush. Only what open scans of columns hold is
// written first.
func (ts *Tables) Begin(w Writer) *Flush {
	ts.settleEnded()
	ts.endHolds()
	if ts.share.dirty == 0 {
		ts.yield(idleChunks) // tables with writes do so between records
	}
	var entries []*Entries
	for _, t := range ts.all {
		entries = append(entries, t.freeze(len(t.dirty)))
	}
	return ts.begin(w, entries, append([]*Table(nil), ts.all...))
}

func (ts *Tables) begin(w Writer, entries []*Entries, tables []*Table) *Flush {
	oldest := int64(never)
	for _, t := range ts.all {
		oldest = min(oldest, t.oldestOperand())
	}
	f := &Flush{write: w(oldest), entries: entries, tables: tables, done: make(chan struct{})}
	if n := len(ts.flushes); n > 0 {
		f.previous = ts.flushes[n-1]
	}
	ts.flushes = append(ts.flushes, f)
	return f
}

// Bytes is an upper bound of the length of all keys and values.
func (f *Flush) Bytes() (n int64) {
	for _, list := range [][]*Entries{f.left, f.entries} {
		for _, e := range list {
			n += e.Bytes()
		}
	}
	return n
}

// Write calls Below.Write for the entries of each table, several at a time. The
// function that a Writer returned calls it.
func (f *Flush) Write() error {
	for _, e := range f.left { // rare, and several may be of one table: one at a time
		if err := e.write(); err != nil {
			return err
		}
	}
	// Half of the processors at most: the others have records to process.
	var writers errgroup.Group
	writers.SetLimit(max(1, runtime.GOMAXPROCS(0)/2))
	for _, e := range f.entries {
		writers.Go(e.write)
	}
	return writers.Wait()
}

// Released reports whether Release was called. The function of the Writer should
// still write the entries, but can leave out what it does besides.
func (f *Flush) Released() bool { return f.released.Load() }

// Finish writes the flush, and those that began before it, unless that was done
// already. It returns the flush's error. Any goroutine may call it, more than once. It
// fails with ErrReleased once Release was called.
func (f *Flush) Finish() error {
	err := f.run()
	if err == nil && f.Released() {
		return ErrReleased
	}
	return err
}

// Release says that nobody needs the flush, and waits for it if it is being written.
// Its entries may be written nevertheless. Any goroutine may call it, more than once.
func (f *Flush) Release() {
	f.released.Store(true)
	if f.started.Load() {
		<-f.done
	}
}

// run is Finish for a caller that needs no more than the entries.
func (f *Flush) run() error {
	f.once.Do(func() {
		f.started.Store(true)
		defer close(f.done)
		if p := f.previous; p != nil {
			_ = p.run() // its caller gets the error
			f.left = p.unpublished()
			f.previous = nil
		}
		f.err = guard(func() error { return f.write(f) })
	})
	return f.err
}

// unpublished are the entries of an ended flush that Below does not have.
func (f *Flush) unpublished() (all []*Entries) {
	for _, list := range [][]*Entries{f.left, f.entries} {
		for _, e := range list {
			if !e.published.Load() {
				all = append(all, e)
			}
		}
	}
	return all
}

// guard calls f, and returns an error if it panics.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v; in %s", errPanicked, v, panicked())
		}
	}()
	return f()
}

// panicked names the function that panicked, for the deferred function of guard.
func panicked() string {
	callers := make([]uintptr, 32)
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers)])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") || !more {
			return f.Function
		}
	}
}

// abandon ends the flush: if it is not being written, it never will be.
func (f *Flush) abandon() {
	f.once.Do(func() {
		f.err = ErrReleased
		close(f.done)
	})
	<-f.done
}

func (f *Flush) ended() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// settleEnded settles the flushes that have ended. The error of one that failed goes
// to the caller of its Finish, or to the write that waits for memory.
func (ts *Tables) settleEnded() {
	for len(ts.flushes) > 0 && ts.flushes[0].ended() {
		_ = ts.settleOldest()
	}
}

// SettleAll waits for all flushes, and writes those that nobody writes.
func (ts *Tables) SettleAll() {
	for len(ts.flushes) > 0 {
		_ = ts.settleOldest()
	}
}

// settleOldest waits for the oldest flush, or writes it. If it fails, the next flush
// takes over its entries; if there is none, they are dirty again.
func (ts *Tables) settleOldest() error {
	f := ts.flushes[0]
	var err error
	if f.Released() && len(ts.flushes) == 1 {
		f.abandon() // nobody needs it
		err = f.err
	} else {
		err = f.run()
	}
	ts.flushes = ts.flushes[1:]
	if f.holder != nil {
		f.holder.written(err)
	}
	switch {
	case err == nil:
		for _, t := range f.tables {
			t.landed()
		}
		ts.account()
		return nil
	case len(ts.flushes) > 0:
		next := ts.flushes[0]
		next.tables = append(f.tables, next.tables...)
		return nil
	}
	for _, t := range ts.all {
		t.revert()
	}
	if f.Released() {
		return nil
	}
	return err
}
