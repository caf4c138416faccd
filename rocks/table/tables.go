package table

import (
	"errors"
	"fmt"
)

// ErrTooLarge: an entry is larger than any table can hold.
var ErrTooLarge = errors.New("entry is too large")

func tooLarge(p *Place, value []byte) error {
	return fmt.Errorf("%w: a key of %d bytes with a value of %d; both together may have up to %d MiB", ErrTooLarge, len(p.Key), len(value), maxEntryBytes>>20)
}

// errFull: a table has no address left. A budget is too small for that, unless it is
// unlimited.
var errFull = errors.New("the table has no free address: it can have 32 GiB")

// Tables are the tables of one database, with its share of a budget and its flushes.
// They belong to one goroutine, that of the database.
type Tables struct {
	share   *share
	spill   Writer
	all     []*Table
	flushes []*Flush // not settled, oldest first
	scans   map[*scan]struct{}
	closed  error // nil: not closed
}

// NewTables returns the tables of a database, none yet. When memory is short they
// begin flushes by themselves (spills), and call spill for each.
func (b *Budget) NewTables(spill Writer) *Tables {
	return &Tables{share: b.newShare(), spill: spill, scans: map[*scan]struct{}{}}
}

// Close frees all tables, and gives up flushes that nobody has begun to write. All
// accesses fail with reason from then on. Scans should be closed before; Close closes
// those that are open, and returns their number.
func (ts *Tables) Close(reason error) (openScans int) {
	ts.closed = reason
	openScans = len(ts.scans)
	for s := range ts.scans {
		_ = s.end(reason) // what goes wrong with the scan no longer matters
	}
	for _, f := range ts.flushes {
		f.abandon()
	}
	for _, t := range ts.all {
		t.close(reason)
	}
	ts.share.close()
	ts.flushes, ts.all = nil, nil
	return openScans
}

// Drop writes the dirty entries of a table, and closes it.
func (ts *Tables) Drop(t *Table) error {
	if err := ts.Spill(t); err != nil {
		return err
	}
	for i, other := range ts.all {
		if other == t {
			ts.all = append(ts.all[:i], ts.all[i+1:]...)
			t.close(errors.New("the table was dropped"))
			break
		}
	}
	ts.account()
	return nil
}

// Failed returns an iterator that ends at once, with an error.
func Failed(err error) Iterator { return &scan{err: err} }

// closedBelow is what a closed table lies above: it fails.
type closedBelow struct{ err error }

func (b closedBelow) Get(dst, _ []byte) ([]byte, bool, error) { return dst, false, b.err }
func (b closedBelow) Reader() Reader                          { return b }
func (b closedBelow) Scan(_, _ []byte, _ bool) Iterator       { return Failed(b.err) }
func (b closedBelow) Write(*Entries) error                    { return b.err }

func (b closedBelow) Read(int, func(int) []byte, func(int, []byte) error) error { return b.err }
