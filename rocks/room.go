package rocks

import "math"

// makeRoom makes the table of a column have room for a block. It waits for what
// is dirty to be written where nothing else is left: a producer that outruns
// the disk is held back. It fails where that cannot be written.
func (d *DB) makeRoom(c *column, size int) error {
	for !d.findRoom(c, size) {
		switch {
		case len(d.freezes) > 0:
			spill := d.freezes[0].dir == "" // why a checkpoint failed is for its own caller
			if err := d.settleOldest(); err != nil && spill {
				return err
			}
		case d.share.dirty > 0:
			d.beginSpill()
		default: // scans hold everything, or the block is larger than the budget
			c.table.arena.add(d.share.force(size, c.table.arena.bytes))
			return nil
		}
	}
	return nil
}

// findRoom is makeRoom without waiting: with memory of the budget, or with that
// of entries which RocksDB has and nobody wanted lately. False: there is none.
func (d *DB) findRoom(c *column, size int) bool {
	d.settleEnded()
	d.yieldMemory()
	t := &c.table
	t.collect(math.MaxInt)
	if t.arena.fits(size) || d.grow(c, size) {
		return true
	}
	if big := d.largest(); big != c && big.table.arena.bytes > 4*t.arena.bytes && big.table.giveBack(tries) && d.grow(c, size) {
		return true
	}
	if size <= chunkBytes && t.sweep(size) {
		return true
	}
	// What other columns have, or a large block of this one, may be all there is.
	for _, other := range d.columns {
		for other.table.giveBack(tries) {
			if d.grow(c, size) {
				return true
			}
		}
	}
	return false
}

// tries is how many chunks are looked at for one to give back.
const tries = 8

// grow gives a table another chunk, if the budget has memory for it.
func (d *DB) grow(c *column, size int) bool {
	d.account()
	chunk := d.share.take(size, c.table.arena.bytes)
	if chunk == nil {
		return false
	}
	c.table.arena.add(chunk)
	return true
}

// yieldMemory gives a chunk back that another database needs more, if there is one.
func (d *DB) yieldMemory() {
	if d.share.excess() {
		d.largest().table.giveBack(1)
	}
}

// account tells the budget what the tables take up beside their arenas.
func (d *DB) account() {
	n := int64(0)
	for _, c := range d.columns {
		n += c.table.overhead()
	}
	d.share.account(n)
}

func (d *DB) largest() *column {
	var big *column
	for _, c := range d.columns {
		if big == nil || c.table.arena.bytes > big.table.arena.bytes {
			big = c
		}
	}
	return big
}

// spillSoon has dirty entries written in the background, if that is not under
// way.
func (d *DB) spillSoon() {
	if d.settleEnded(); len(d.freezes) == 0 {
		d.beginSpill()
	}
	d.share.spillFrom = math.MaxInt64 // until it has landed, or memory is asked for again
}

// spillPart of what a database has in memory is spilled at a time: little
// enough for a write that has to wait for it, and much enough for a file.
const spillPart = 8

// beginSpill has what has been dirty longest, of the column that has most of
// it, written to RocksDB in a goroutine that settling waits for.
func (d *DB) beginSpill() {
	var most *column
	for _, c := range d.columns {
		if most == nil || c.table.dirtyBytes() > most.table.dirtyBytes() {
			most = c
		}
	}
	t := &most.table
	f := d.freeze("", []frozenColumn{{most, most.handle, t.takeOffFirst(t.partsFor(max(1, d.share.size()/spillPart)))}})
	go func() { _ = f.finish() }() // settling asks for the error
}

// spillNow writes what is dirty of one column.
func (d *DB) spillNow(c *column) error {
	d.settleAll()
	if len(c.table.dirty) == 0 {
		return nil
	}
	d.freeze("", []frozenColumn{{c, c.handle, c.table.takeOff()}})
	return d.settleOldest()
}
