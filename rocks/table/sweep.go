package table

// sweep makes space for a block: chunk by chunk, like a clock, it evicts clean
// entries that were not used since it last passed them, and joins free blocks. It
// returns true when there is space, false when it has passed every chunk twice.
func (t *Table) sweep(size int) bool {
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

// sweepChunk evicts clean entries of a chunk, with evenRecent recently used ones
// too, and joins free blocks. With evenRecent, a chunk without blocks in use goes
// back to the budget: true.
func (t *Table) sweepChunk(number address, evenRecent bool) (emptied bool) {
	chunk := t.arena.memory[number]
	start := number << chunkBits
	if first := t.arena.memory.at(start); first.units() > chunkUnits {
		if !t.evict(start, first, evenRecent) {
			return false
		}
		t.share.give(t.arena.drop(number))
		return true
	}
	end := start + address(len(chunk)/unitBytes)
	var run address // where free units begin that are not linked yet
	units := 0
	for at := start; at < end; {
		b := t.arena.memory.at(at)
		n := b.units()
		switch {
		case b.free():
			t.arena.unlink(at, b)
		case !t.evict(at, b, evenRecent):
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
	if units == len(chunk)/unitBytes && evenRecent {
		t.share.give(t.arena.drop(number))
		return true
	}
	if units > 0 {
		t.arena.link(run, units)
	}
	return false
}

// evict drops an entry that is clean, that nobody else reads, and that was not used
// since the sweep last passed it.
func (t *Table) evict(at address, b block, evenRecent bool) bool {
	if b.generation() > t.clean {
		return false
	}
	if b.recent() && !evenRecent {
		b.clearRecent()
		return false
	}
	// A block that the index lacks was replaced, and is in a list of retired blocks.
	if !t.unlink(at, b) {
		return false
	}
	if !b.deleted() { // of a tombstone, Below has no more than the table
		t.whole = false
		t.evictions++
		if t.rows != nil {
			t.rows.unmark(t.arena.memory, b, t.clean)
		}
	}
	return true
}

// giveBack returns a chunk to the budget, if there is one among the next few from
// which everything can be evicted.
func (t *Table) giveBack(tries int) bool {
	for range min(len(t.arena.memory), tries) {
		if t.nextChunk() && t.sweepChunk(t.hand, true) {
			return true
		}
	}
	return false
}

// nextChunk moves the hand; false: there is no chunk at the new number.
func (t *Table) nextChunk() bool {
	if t.hand++; int(t.hand) >= len(t.arena.memory) {
		t.hand = 1
	}
	return int(t.hand) < len(t.arena.memory) && t.arena.memory[t.hand] != nil
}
