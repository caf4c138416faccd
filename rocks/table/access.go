package table

// Get appends the value of an entry to dst, in the table's form.
func (t *Table) Get(dst []byte, p *Place) (value []byte, found bool, err error) {
	if p.Row == len(p.Key) {
		t.ahead.used++
	}
	t.countRead()
	switch b := t.find(p); {
	case b == nil:
		return t.getBelow(dst, p)
	case b.operand():
		return t.resolve(dst, p, b)
	default:
		return append(dst, b.value()...), !b.deleted(), nil
	}
}

// countRead notes that an entry was asked for.
func (t *Table) countRead() {
	if t.reads++; t.reads == countReads {
		t.share.budget.reads.Add(countReads)
		t.reads = 0
	}
}

// Put writes the value of an entry, in the table's form.
func (t *Table) Put(p *Place, value []byte) error {
	_, err := t.store(p, value, 0)
	return err
}

// Delete deletes an entry. That it is absent is no error. An entry that never came to
// Below leaves nothing.
func (t *Table) Delete(p *Place) error {
	switch at, b := t.index.find(t.arena.memory, p.hash(), p.Key, false); {
	case b == nil && t.absent(p), b != nil && b.deleted():
		return nil
	case b != nil && t.newBelow(b) != 0:
		t.remove(at, b)
		return nil
	}
	_, err := t.store(p, nil, flagDeleted)
	return err
}

// newBelow returns flagNew if Below has no entry of a block's key, and gets none from
// a flush in flight.
func (t *Table) newBelow(b block) byte {
	switch g := b.generation(); {
	case g <= t.clean && b.deleted():
		return flagNew
	case g <= t.clean || g <= t.frozen():
		return 0
	}
	return b[20] & flagNew
}

// remove takes a block out of the table.
func (t *Table) remove(at address, b block) {
	t.unlink(at, b)
	t.retire(at, b)
}

// unlink takes a block out of the index and its row; false: it was replaced before.
func (t *Table) unlink(at address, b block) bool {
	if b.head() {
		if first, _ := t.rows.index.find(t.arena.memory, rowHashOf(b), b.key(), true); first != at {
			return false
		}
	} else if !t.index.remove(b.hash(), at) {
		return false
	}
	if t.rows != nil {
		t.rows.remove(t.arena.memory, at, b)
	}
	return true
}

// find returns the block of an entry; nil: the table does not have it.
func (t *Table) find(p *Place) block {
	_, b := t.index.find(t.arena.memory, p.hash(), p.Key, false)
	if b == nil || t.spent(b) {
		return nil
	}
	b.markRecent()
	return b
}

// getBelow is Get for an entry that the table does not have. It keeps what it
// reads.
func (t *Table) getBelow(dst []byte, p *Place) ([]byte, bool, error) {
	if t.absent(p) {
		return dst, false, nil
	}
	t.share.budget.misses.Add(1)
	have := len(dst)
	var found bool
	var err error
	if t.form == nil {
		dst, found, err = t.below.Get(dst, p.Key)
	} else {
		if t.older, found, err = t.below.Get(t.older[:0], p.Key); found && err == nil {
			dst, err = t.form.Decode(dst, t.older)
		}
	}
	if err == nil && found {
		t.remember(p, dst[have:])
	}
	return dst, found, err
}

// remember adds an entry that Below has; false: there is no memory for it.
func (t *Table) remember(p *Place, value []byte) bool {
	for !t.tryRemember(p, value) {
		if !t.owner.reclaim(t, t.sizeOf(p, value)) {
			return false
		}
	}
	return true
}

// store writes a value, an operand or a tombstone, as flags say. When memory is short
// it first frees some, and may flush dirty entries for that. Then it does not store an
// operand (false): the operand may be based on one of those entries.
func (t *Table) store(p *Place, value []byte, flags byte) (done bool, err error) {
	size := t.sizeOf(p, value)
	if size > maxEntryBytes {
		return false, tooLarge(p, value)
	}
	for !t.tryStore(p, value, flags) {
		if err := t.owner.waitForSpace(t, size); err != nil || flags == flagOperand {
			return false, err
		}
	}
	if s := t.share; s.dirty > s.spillFrom {
		t.owner.spillSoon()
	}
	return true, nil
}

// tryRemember adds an entry that Below has and the table has not, unless as a spent
// operand. False: there is no memory for it.
func (t *Table) tryRemember(p *Place, value []byte) bool {
	at, b := noAddress, block(nil)
	size := t.sizeOf(p, value)
	if t.folder.fold != nil {
		at, b = t.index.find(t.arena.memory, p.hash(), p.Key, false)
		if at != noAddress && size <= len(b) && t.mutable(b.generation()) {
			b.setValue(value, 0)
			return true
		}
	}
	t.collect(collected)
	now, nb := t.arena.allocate(size)
	if now == noAddress {
		return false
	}
	nb.begin(p.hash(), p.Key)
	nb.setValue(value, 0)
	t.link(p, at, b, now, nb)
	return true
}

// tryStore writes a value, an operand or a tombstone. False: there is no memory
// for it.
func (t *Table) tryStore(p *Place, value []byte, flags byte) bool {
	at, b := t.index.find(t.arena.memory, p.hash(), p.Key, false)
	size := t.sizeOf(p, value)
	switch {
	case at != noAddress:
		flags |= t.newBelow(b)
	case t.absent(p):
		flags |= flagNew
	}
	if at != noAddress && size <= len(b) && t.mutable(b.generation()) {
		b.setValue(value, flags)
		if b.generation() <= t.clean {
			b.setGeneration(t.ended + 1)
			t.markDirty(at, b)
		}
		return true
	}
	t.collect(collected)
	now, nb := t.arena.allocate(size)
	if now == noAddress {
		return false
	}
	nb.begin(p.hash(), p.Key)
	nb.setValue(value, flags)
	nb.setGeneration(t.ended + 1)
	t.markDirty(now, nb)
	if at == noAddress {
		nb.clearRecent() // one write is no sign that the entry will be wanted again
	}
	t.link(p, at, b, now, nb)
	return true
}

// link points index and rows at a new block, which replaces another if from is
// one.
func (t *Table) link(p *Place, from address, fb block, to address, tb block) {
	if from != noAddress {
		t.index.replace(p.hash(), from, to)
		if t.rows != nil {
			t.rows.replace(t.arena.memory, from, fb, to, tb)
		}
		t.retire(from, fb)
		return
	}
	t.index.add(p.hash(), to)
	if t.rows != nil {
		t.rows.add(t.arena.memory, p, to, tb, t.whole)
	}
}
