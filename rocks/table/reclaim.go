package table

import "math"

// waitForSpace frees memory for a block of a table. If nothing can be evicted it waits
// until dirty entries are written, so a producer cannot outrun the disk. It fails if
// they cannot be written.
func (ts *Tables) waitForSpace(t *Table, size int) error {
	if ts.closed != nil {
		return ts.closed
	}
	for !ts.reclaim(t, size) {
		switch {
		case len(ts.flushes) > 0:
			spill := ts.flushes[0].spill // why another flush failed is for its own caller
			if err := ts.settleOldest(); err != nil && spill {
				return err
			}
		case ts.share.dirty > 0:
			ts.beginSpill()
		case t.arena.full():
			return errFull
		default: // the block is larger than the budget
			t.arena.add(ts.share.force(size, t.arena.bytes))
			return nil
		}
	}
	return nil
}

// reclaim is waitForSpace without waiting: it takes memory of the budget, or evicts
// clean entries that were not used lately. False: there are none.
func (ts *Tables) reclaim(t *Table, size int) bool {
	if ts.closed != nil {
		return false
	}
	ts.settleEnded()
	ts.yield(1)
	for len(t.garbage) > 0 && !t.arena.fits(size) {
		t.collect(collectedAtOnce)
	}
	if t.arena.fits(size) || ts.grow(t, size) {
		return true
	}
	if big := ts.largest(); big != t && big.arena.bytes > 4*t.arena.bytes && big.giveBack(tries) && ts.grow(t, size) {
		return true
	}
	if size <= chunkBytes && t.sweep(size) {
		return true
	}
	// Other tables, or a large block of this one, may have all that is left.
	for _, other := range ts.all {
		for other.giveBack(tries) {
			if ts.grow(t, size) {
				return true
			}
		}
	}
	return false
}

// collectedAtOnce is how much garbage is freed between looks at what it left free.
const collectedAtOnce = 256

// tries is how many chunks giveBack looks at.
const tries = 8

// grow gives a table another chunk, if the budget has memory for it.
func (ts *Tables) grow(t *Table, size int) bool {
	ts.account()
	if t.arena.full() {
		return false
	}
	chunk := ts.share.take(size, t.arena.bytes)
	if chunk == nil {
		return false
	}
	t.arena.add(chunk)
	return true
}

// idleChunks is how many chunks a database without writes gives back at a barrier, at
// most: the records that wait meanwhile wait for milliseconds.
const idleChunks = 64

// yield gives some chunks back if another database needs them more.
func (ts *Tables) yield(chunks int) {
	if !ts.share.asked() {
		return
	}
	for ; chunks > 0 && ts.share.excess(); chunks-- {
		ts.largest().giveBack(1)
	}
}

// account tells the budget what the tables take beside their arenas.
func (ts *Tables) account() {
	n := int64(0)
	for _, t := range ts.all {
		n += t.overhead()
	}
	for s := range ts.scans {
		n += int64(s.bytes)
	}
	ts.share.account(n)
}

// largest is the table with the largest arena.
func (ts *Tables) largest() *Table {
	var big *Table
	for _, t := range ts.all {
		if big == nil || t.arena.bytes > big.arena.bytes {
			big = t
		}
	}
	return big
}

// spillSoon spills in the background, unless a flush is in flight.
func (ts *Tables) spillSoon() {
	if ts.settleEnded(); len(ts.flushes) == 0 {
		ts.beginSpill()
	}
	ts.share.spillFrom = math.MaxInt64 // until that is settled, or memory is asked for again
}

// spillPart: 1/spillPart of the share is spilled at a time. A write that has to wait
// for it waits briefly, and it is enough for a file.
const spillPart = 8

// beginSpill begins to write the entries that have been dirty longest, of the table
// with the most dirty bytes, in a goroutine that settling waits for.
func (ts *Tables) beginSpill() {
	ts.endHolds()
	var most *Table
	for _, t := range ts.all {
		if most == nil || t.dirtyBytes() > most.dirtyBytes() {
			most = t
		}
	}
	f := ts.beginSpillOf(most, most.partsFor(max(1, ts.share.size()/spillPart)))
	go func() { _ = f.run() }() // settling asks for the error
}

func (ts *Tables) beginSpillOf(t *Table, parts int) *Flush {
	f := ts.begin(ts.spill, []*Entries{t.freeze(parts)}, []*Table{t})
	f.spill = true
	return f
}

// Spill writes the dirty entries of one table.
func (ts *Tables) Spill(t *Table) error {
	ts.SettleAll()
	if len(t.dirty) == 0 {
		return nil
	}
	ts.beginSpillOf(t, len(t.dirty))
	return ts.settleOldest()
}
