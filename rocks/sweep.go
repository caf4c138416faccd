package rocks

// sweep makes room for a block: it forgets entries that RocksDB has and that
// nobody wanted since the last sweep passed them, chunk by chunk, and joins what
// is free. It ends when there is room, or when it has passed everything twice.
func (t *table) sweep(size int) bool {
	for range 2 * len(t.arena.memory) {
		if t.nextChunk() {
			t.sweepChunk(t.hand, false)
			if t.arena.fits(size) {
				return true
			}
		}
	}
	return false
}

// sweepChunk forgets what it may of a chunk, wanted or not if that is all the
// same, and joins the free blocks. True: nothing is left, and the chunk is out
// of the arena.
func (t *table) sweepChunk(number address, wanted bool) (emptied bool) {
	chunk := t.arena.memory[number]
	start := number << chunkBits
	if first := t.arena.memory.at(start); first.units() > chunkUnits {
		if !t.forget(start, first, wanted) {
			return false
		}
		t.share.give(t.arena.drop(number))
		return true
	}
	end := start + address(len(chunk)/unitBytes)
	var run address // the beginning of free units that are not linked yet
	units := 0
	for at := start; at < end; {
		b := t.arena.memory.at(at)
		n := b.units()
		switch {
		case b.free():
			t.arena.unlink(at, b)
		case !t.forget(at, b, wanted):
			if units > 0 {
				t.arena.link(run, units)
				units = 0
			}
			at += address(n)
			continue
		}
		if units == 0 {
			run = at
		}
		units += n
		at += address(n)
	}
	if units == len(chunk)/unitBytes && wanted {
		t.share.give(t.arena.drop(number))
		return true
	}
	if units > 0 {
		t.arena.link(run, units)
	}
	return false
}

// forget drops an entry, if RocksDB has it, nobody looks at it, and nobody
// wanted it since it was last passed.
func (t *table) forget(at address, b block, wanted bool) bool {
	if b.epoch() > t.clean || t.scans > 0 {
		return false
	}
	if b.touched() && !wanted {
		b.untouch()
		return false
	}
	// What the index does not have was replaced, and is put away elsewhere.
	if !t.index.remove(b.hash(), at) {
		return false
	}
	if t.rows != nil {
		t.rows.remove(t.arena.memory, at, b)
	}
	t.whole = false
	t.forgets++
	return true
}

// giveBack returns a chunk to the budget, if of the next few there is one all of
// which can be forgotten.
func (t *table) giveBack(tries int) bool {
	for range min(len(t.arena.memory), tries) {
		if t.nextChunk() && t.sweepChunk(t.hand, true) {
			return true
		}
	}
	return false
}

// nextChunk moves the hand; false: to where there is no chunk.
func (t *table) nextChunk() bool {
	if t.hand++; int(t.hand) >= len(t.arena.memory) {
		t.hand = 1
	}
	return int(t.hand) < len(t.arena.memory) && t.arena.memory[t.hand] != nil
}
