package table

// An operand is an entry that is yet to be merged into the older value, which
// Below has, if there is one. That happens when somebody asks for the value, and
// when a flush writes the entry: Below never gets an operand. Then the operand is
// spent: the table's entry counts for nothing, and the next addition to the key
// begins a new operand.
//
// Only Below's value is ever under an operand. An operand in flight cannot be added
// to: it is made a value first.

// Known says what Find knows of an entry.
type Known uint8

// What a table may know: nothing, that there is no value, the value, or an operand
// that is yet to be merged into whatever there is.
const (
	KnownNothing Known = iota
	KnownAbsent
	KnownValue
	KnownOperand
)

func knownValue(found bool) Known {
	if found {
		return KnownValue
	}
	return KnownAbsent
}

// Find is Get without reading Below, where that can be avoided: it appends the value
// or the operand that the table has. It reads Below only for an operand in flight,
// which it makes a value.
func (t *Table) Find(dst []byte, p *Place) ([]byte, Known, error) {
	t.countRead()
	_, b := t.index.find(t.arena.memory, p.hash(), p.Key, false)
	known := KnownValue
	switch {
	case b == nil || t.spent(b):
		if t.absent(p) {
			return dst, KnownAbsent, nil
		}
		return dst, KnownNothing, nil
	case b.deleted():
		known = KnownAbsent
	case b.operand():
		if t.flushOf(b.generation()) != nil {
			dst, found, err := t.resolve(dst, p, b)
			return dst, knownValue(found), err
		}
		known = KnownOperand
	}
	b.markRecent()
	return append(dst, b.value()...), known, nil
}

// PutOperand stores an operand. It must follow a Find of the same place that returned
// KnownNothing, or KnownOperand with an operand that this one includes and whose
// beginning it has. False: the table had to free memory, and may have flushed what
// Find returned. Nothing was stored; call Find again.
func (t *Table) PutOperand(p *Place, operand []byte) (done bool, err error) {
	return t.store(p, operand, flagOperand)
}

// flushOf returns the flush in flight that has the blocks of a generation; nil: none
// has.
func (t *Table) flushOf(generation uint64) *Entries {
	if generation > t.clean {
		for i := range t.flushes {
			if generation <= t.flushes[i].to() {
				return t.flushes[i].Entries
			}
		}
	}
	return nil
}

// spent reports whether a block is an operand that Below has.
func (t *Table) spent(b block) bool {
	if !b.operand() {
		return false
	}
	if b.generation() <= t.clean {
		return true
	}
	e := t.flushOf(b.generation())
	return e != nil && e.published.Load()
}

// resolve appends the value that an operand makes, and replaces the operand by it.
func (t *Table) resolve(dst []byte, p *Place, b block) (_ []byte, found bool, err error) {
	older, spent, err := t.readOlder(p, b)
	if err != nil {
		return dst, false, err
	}
	if spent {
		return t.getBelow(dst, p)
	}
	have := len(dst)
	if dst, err = t.folder.value(dst, older, b.value()); err != nil {
		return dst, false, err
	}
	value := dst[have:]
	for !t.tryStore(p, value, 0) {
		if !t.owner.reclaim(t, t.sizeOf(p, value)) {
			break // it stays an operand
		}
	}
	return dst, true, nil
}

// readOlder returns the value below an operand; nil: there is none. spent: Below
// has the operand, too.
func (t *Table) readOlder(p *Place, b block) (older []byte, spent bool, err error) {
	if e := t.flushOf(b.generation()); e != nil {
		e.publishing.Lock() // the operand is published before or after this read
		defer e.publishing.Unlock()
		if e.published.Load() {
			return nil, true, nil
		}
	}
	t.share.budget.misses.Add(1)
	var found bool
	if t.older, found, err = t.below.Get(t.older[:0], p.Key); err != nil || !found {
		return nil, false, err
	}
	if t.older == nil {
		t.older = []byte{} // nil would say that there is no value
	}
	return t.older, false, nil
}

// oldestOperand is when the oldest operand began that Below does not have, in Unix
// milliseconds; never: there is none.
func (t *Table) oldestOperand() int64 {
	oldest := int64(never)
	for _, f := range t.flushes {
		for _, p := range f.parts {
			oldest = min(oldest, p.since)
		}
	}
	for _, p := range t.dirty {
		oldest = min(oldest, p.since)
	}
	return oldest
}
