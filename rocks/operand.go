package rocks

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemark/tidemark/engine/state"
)

// An operand is an entry that is yet to be merged into the value below it, which
// RocksDB has, if there is one. It is when somebody asks for the value, and when
// it is written: RocksDB never has an operand. From then on it is spent. The
// table's entry is as good as none; adding to the key begins another.
//
// Nothing of a key but RocksDB's value is ever below its operand. One that is
// being written is not added to: it is made a value first.

// landing says whether RocksDB has the entries of a flight: all of them or none.
type landing struct {
	mu   sync.Mutex // held while they become visible
	done atomic.Bool
}

// publish has f make the entries visible.
func (l *landing) publish(f func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := f()
	if err == nil {
		l.done.Store(true)
	}
	return err
}

// landingOf returns that of the flight that has the blocks of an epoch; nil:
// there is none, any more or yet.
func (t *table) landingOf(epoch uint64) *landing {
	if epoch > t.clean {
		for i := range t.flights {
			if epoch <= t.flights[i].to() {
				return t.flights[i].landing
			}
		}
	}
	return nil
}

// spent reports whether a block is an operand that RocksDB has.
func (t *table) spent(b block) bool {
	if !b.operand() {
		return false
	}
	if b.epoch() <= t.clean {
		return true
	}
	l := t.landingOf(b.epoch())
	return l != nil && l.done.Load()
}

// folder makes values of operands. It belongs to one goroutine.
type folder struct {
	fold        state.Fold
	form        *state.CellForm
	older, cell []byte // reused
}

// value appends the value in the form of the table; nil as older: there is none.
func (f *folder) value(dst, older, operand []byte) (_ []byte, err error) {
	if older != nil && f.form != nil {
		if f.older, err = f.form.Decode(f.older[:0], older); err != nil {
			return dst, err
		}
		older = f.older
	}
	return f.fold(dst, older, operand)
}

// stored appends the value as RocksDB has it.
func (f *folder) stored(dst, older, operand []byte) (_ []byte, err error) {
	if f.form == nil {
		return f.value(dst, older, operand)
	}
	if f.cell, err = f.value(f.cell[:0], older, operand); err != nil {
		return dst, err
	}
	return f.form.Encode(dst, f.cell)
}

var _ state.OperandRows = byPlace{}

// Folds implements state.OperandRows.
func (r byPlace) Folds(f state.Fold) bool {
	t := &r.c.table
	if t.folder.fold != nil || r.cells != (t.form != nil) || t.rows != nil || t.index.entries > 0 {
		return false
	}
	t.folder, t.clock = folder{fold: f, form: t.form}, r.c.db.expiry.clock
	return true
}

// Find implements state.OperandRows.
func (r byPlace) Find(dst []byte, at state.Place) ([]byte, state.Known, error) {
	c, p := r.c, placeOf(at)
	if c.db.closed {
		return dst, state.KnownNothing, c.db.closedError("get")
	}
	t := &c.table
	_, b := t.index.find(t.arena.memory, p.hash, p.key, false)
	known := state.KnownValue
	switch {
	case b == nil || t.spent(b):
		if t.whole || c.absent(p) {
			return dst, state.KnownAbsent, nil
		}
		if b == nil || !b.again() {
			return dst, state.KnownNothing, nil
		}
		// To merge it again and again costs more than to keep the value.
		dst, found, err := c.getBelow(dst, p)
		return dst, knownValue(found), err
	case b.deleted():
		known = state.KnownAbsent
	case b.operand():
		if t.landingOf(b.epoch()) != nil {
			dst, found, err := c.resolve(dst, p, b)
			return dst, knownValue(found), err
		}
		known = state.KnownOperand
	}
	b.touch()
	return append(dst, b.value()...), known, nil
}

func knownValue(found bool) state.Known {
	if found {
		return state.KnownValue
	}
	return state.KnownAbsent
}

// PutOperand implements state.OperandRows.
func (r byPlace) PutOperand(at state.Place, operand []byte) (bool, error) {
	return r.c.trySet("put", placeOf(at), operand, flagOperand)
}

// resolve returns the value that an operand makes, and has its entry hold that.
func (c *column) resolve(dst []byte, p place, b block) (_ []byte, found bool, err error) {
	t := &c.table
	older, spent, err := c.readOlder(p, b)
	if err != nil {
		return dst, false, err
	}
	if spent {
		return c.getBelow(dst, p)
	}
	have := len(dst)
	if dst, err = t.folder.value(dst, older, b.value()); err != nil {
		return dst, false, err
	}
	value := dst[have:]
	for !t.set(p, value, 0) {
		if !c.db.findRoom(c, t.sizeOf(p, value)) {
			break // it stays an operand
		}
	}
	return dst, true, nil
}

// readOlder returns what RocksDB has below an operand; nil: nothing. spent: it has
// the operand, too.
func (c *column) readOlder(p place, b block) (older []byte, spent bool, err error) {
	if l := c.table.landingOf(b.epoch()); l != nil {
		l.mu.Lock() // it is written before or after
		defer l.mu.Unlock()
		if l.done.Load() {
			return nil, true, nil
		}
	}
	var found bool
	if c.older, found, err = c.read(c.older[:0], p.key); err != nil || !found {
		return nil, false, err
	}
	return c.older, false, nil
}

// tellable is the time that RocksDB may be told for what is not written yet: what
// lies below an operand is wanted if it had not expired when that began.
func (d *DB) tellable() int64 {
	now := d.expiry.now()
	for _, c := range d.columns {
		t := &c.table
		if t.folder.fold == nil {
			continue
		}
		for _, f := range t.flights {
			for _, p := range f.parts {
				now = min(now, p.since)
			}
		}
		for _, p := range t.dirty {
			now = min(now, p.since)
		}
	}
	return now
}

// begun is when a part begins, and with it the earliest of its operands may, in
// Unix milliseconds.
func begun(clock func() time.Time) int64 {
	if clock == nil {
		return 0
	}
	return clock().UnixMilli()
}
