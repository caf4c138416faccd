package table

import (
	"errors"
	"runtime"
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
// a flush holds what was put before Begin, and nothing newer (I8).
type Flush struct {
	spill    bool
	write    func(*Flush) error
	previous *Flush
	entries  []*Entries
	tables   []*Table // by entries; for the goroutine of the tables

	once     sync.Once
	started  atomic.Bool
	released atomic.Bool
	done     chan struct{} // closed when err is known
	err      error
}

// Begin begins a flush of all dirty entries. It takes a time that does not depend on
// their number, unless the last flush that Begin began is still in flight: then it
// first waits for that one, or writes it if nobody does.
func (ts *Tables) Begin(w Writer) *Flush {
	ts.settleEnded()
	if n := len(ts.flushes); n > 0 && !ts.flushes[n-1].spill {
		ts.SettleAll()
	}
	if ts.share.dirty == 0 {
		ts.yield() // it sweeps a chunk; tables with writes do so between records
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
	for _, e := range f.entries {
		n += e.Bytes()
	}
	return n
}

// Write calls Below.Write for the entries of each table, several at a time. The
// function that a Writer returned calls it.
func (f *Flush) Write() error {
	// Half of the processors at most: the others have records to process.
	var writers errgroup.Group
	writers.SetLimit(max(1, runtime.GOMAXPROCS(0)/2))
	for _, e := range f.entries {
		writers.Go(func() error {
			if err := e.below.Write(e); err != nil {
				return err
			}
			e.seal.check(e.blocks)
			return nil
		})
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
		defer close(f.done) // even if it panics,
		f.err = errPanicked // and then it has failed
		f.err = f.make()
		f.previous = nil
	})
	return f.err
}

func (f *Flush) make() error {
	if f.previous != nil {
		if err := f.previous.run(); err != nil {
			return err
		}
	}
	return f.write(f)
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

// settleOldest waits for the oldest flush, or writes it. If it fails, the later ones
// fail too, since their entries are newer, and the entries of all are dirty again.
func (ts *Tables) settleOldest() error {
	f := ts.flushes[0]
	var err error
	if f.Released() && len(ts.flushes) == 1 {
		f.abandon() // nobody needs it
		err = f.err
	} else {
		err = f.run()
	}
	if err == nil {
		ts.flushes = ts.flushes[1:]
		for _, t := range f.tables {
			t.landed()
		}
		ts.account()
		return nil
	}
	for _, later := range ts.flushes[1:] {
		_ = later.run()
	}
	ts.flushes = nil
	for _, t := range ts.all {
		t.revert()
	}
	if f.Released() {
		return nil
	}
	return err
}
