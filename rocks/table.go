package rocks

import (
	"slices"
	"time"

	"github.com/tidemark/tidemark/engine/state"
)

// table holds recent entries of a column in memory: what was written and is
// not in RocksDB yet, and what was read or written lately and may be wanted
// again. It belongs to the DB's goroutine.
//
// A block says in which epoch it became dirty: 0, or an epoch up to clean, and
// RocksDB has the same. Epochs up to that of the newest flight, which writes
// blocks to RocksDB in another goroutine, and up to sealed while there are scans,
// may be looked at by somebody else (mutable). Such blocks are replaced, never
// changed, and go back to the arena when nobody looks any more. Operands are
// values that are yet to be merged into what RocksDB has (operand.go).
type table struct {
	form    *state.CellForm  // of its values; nil: as in RocksDB
	folder  folder           // without a fold, there are no operands
	clock   func() time.Time // nil: nobody needs to know when parts begin
	share   *share           // where the arena's memory is from
	arena   arena
	index   index
	rows    *rows   // nil: every row is one entry
	whole   bool    // what the table has not, RocksDB has not
	hand    address // the chunk where the next sweep begins
	forgets int64   // entries that were dropped

	dirty   []part      // not in RocksDB, and of no flight, oldest first; the last one grows
	flights []flight    // under way, oldest first
	held    []address   // replaced, but maybe looked at by a scan
	garbage [][]address // nobody looks at them: taken back some at a time
	scans   int         // under way

	sealed uint64 // the greatest epoch that has ended; what becomes dirty now has the next one
	clean  uint64 // the greatest epoch that is in RocksDB
}

// part is entries that became dirty in the same epochs. Parts are spilled
// one by one: what has been dirty longest first.
type part struct {
	to     uint64    // the greatest epoch of it
	blocks []address // dead ones among them
	buried []address // replaced, and marked dead in blocks
	bytes  int64     // of the blocks that are not dead
	since  int64     // see begun: none of its operands began earlier
}

// flight is what a freeze has fixed of a table, until that is in RocksDB.
type flight struct {
	parts      []part
	superseded []address // replaced since, but maybe still looked at
	landing    *landing
}

func (f flight) to() uint64 { return f.parts[len(f.parts)-1].to }

// overhead is what the table takes up beside its arena.
func (t *table) overhead() int64 {
	n := cap(t.held)
	for _, blocks := range t.garbage {
		n += cap(blocks)
	}
	count := func(parts []part) {
		for _, p := range parts {
			n += cap(p.blocks) + cap(p.buried)
		}
	}
	count(t.dirty)
	for _, f := range t.flights {
		count(f.parts)
		n += cap(f.superseded)
	}
	bytes := t.index.bytes + 4*int64(n)
	if t.rows != nil {
		bytes += t.rows.index.bytes
	}
	return bytes
}

// place says where an entry is: its key, so much of which is that of its row,
// and the hashes of both.
type place struct {
	key           []byte
	row           int
	hash, rowHash uint32
}

// sizeOf is the size of an entry's block.
func (t *table) sizeOf(p place, value []byte) int {
	n := headerBytes + len(p.key) + len(value)
	if t.rows != nil {
		n += linkBytes
	}
	return n
}

// find returns the block of a key; nil: the table knows nothing of it.
func (t *table) find(p place) block {
	_, b := t.index.find(t.arena.memory, p.hash, p.key, false)
	if b == nil || t.spent(b) {
		return nil
	}
	b.touch()
	return b
}

// remember adds an entry that RocksDB has, and the table has not, unless it is an
// operand that is spent. False: there is no memory for it.
func (t *table) remember(p place, value []byte) bool {
	at, b := noAddress, block(nil)
	size := t.sizeOf(p, value)
	if t.folder.fold != nil {
		at, b = t.index.find(t.arena.memory, p.hash, p.key, false)
		if at != noAddress && size <= len(b) && t.mutable(b.epoch()) {
			b.setValue(value, 0)
			return true
		}
	}
	t.collect(collected)
	now, nb := t.arena.allocate(size)
	if now == noAddress {
		return false
	}
	nb.begin(p.hash, p.key)
	nb.setValue(value, 0)
	t.put(p, at, b, now, nb)
	return true
}

// set writes a value, an operand, or a deletion, as the flags say. False: there
// is no memory for it.
func (t *table) set(p place, value []byte, flags byte) bool {
	at, b := t.index.find(t.arena.memory, p.hash, p.key, false)
	size := t.sizeOf(p, value)
	if flags&flagOperand != 0 && at != noAddress && (b.again() || t.spent(b)) {
		flags |= flagAgain
	}
	if at != noAddress && size <= len(b) && t.mutable(b.epoch()) {
		b.setValue(value, flags)
		if b.epoch() <= t.clean {
			b.setEpoch(t.sealed + 1)
			t.soil(at, b)
		}
		return true
	}
	t.collect(collected)
	now, nb := t.arena.allocate(size)
	if now == noAddress {
		return false
	}
	nb.begin(p.hash, p.key)
	nb.setValue(value, flags)
	nb.setEpoch(t.sealed + 1)
	t.soil(now, nb)
	if at == noAddress {
		nb.untouch() // to come once is not to be wanted again
	}
	t.put(p, at, b, now, nb)
	return true
}

// put makes a new block known, in the place of another if there is one.
func (t *table) put(p place, from address, fb block, to address, tb block) {
	if from != noAddress {
		t.index.replace(p.hash, from, to)
		if t.rows != nil {
			t.rows.replace(t.arena.memory, from, fb, to, tb)
		}
		t.supersede(from, fb)
		return
	}
	t.index.add(p.hash, to)
	if t.rows != nil {
		t.rows.add(t.arena.memory, p, to, tb)
	}
}

// soil notes that a block, which was written in the epoch that is to be sealed
// next, is dirty.
func (t *table) soil(at address, b block) {
	n := len(t.dirty)
	if n == 0 || t.dirty[n-1].bytes > t.share.partBytes {
		t.seal()
		b.setEpoch(t.sealed + 1)
		t.dirty = append(t.dirty, part{since: begun(t.clock)})
		n++
	}
	p := &t.dirty[n-1]
	p.to = t.sealed + 1
	p.blocks = append(p.blocks, at)
	t.stain(p, int64(len(b)))
}

// stain counts dirty bytes.
func (t *table) stain(p *part, n int64) {
	p.bytes += n
	t.share.dirty += n
}

// dirtyBytes is how much is dirty, and of no flight.
func (t *table) dirtyBytes() (n int64) {
	for _, p := range t.dirty {
		n += p.bytes
	}
	return n
}

// partOf returns which of some parts has the blocks of an epoch.
func partOf(parts []part, epoch uint64) *part {
	i := slices.IndexFunc(parts, func(p part) bool { return epoch <= p.to })
	return &parts[i]
}

// sealedTo is the greatest epoch of a flight; 0: there is none.
func (t *table) sealedTo() uint64 {
	if n := len(t.flights); n > 0 {
		return t.flights[n-1].to()
	}
	return 0
}

// mutable reports whether nobody looks at the blocks of an epoch.
func (t *table) mutable(epoch uint64) bool {
	switch {
	case epoch > t.sealed:
		return true
	case t.scans > 0:
		return false
	}
	return epoch <= t.clean || epoch > t.sealedTo()
}

// supersede puts away a block that was replaced.
func (t *table) supersede(at address, b block) {
	e := b.epoch()
	switch {
	case e > t.clean && e > t.sealedTo():
		p := partOf(t.dirty, e)
		if b.operand() { // what takes its place is older than its part
			last := &t.dirty[len(t.dirty)-1]
			last.since = min(last.since, p.since)
		}
		b.setDead()
		t.stain(p, -int64(len(b)))
		p.buried = append(p.buried, at)
		t.exhume(p)
	case t.mutable(e):
		t.release(at)
	case len(t.flights) > 0:
		f := &t.flights[len(t.flights)-1]
		f.superseded = append(f.superseded, at)
	default:
		t.held = append(t.held, at)
	}
}

// exhume takes dead blocks out of a part, once they are many.
func (t *table) exhume(p *part) {
	if t.scans > 0 || len(p.buried) < 1024+len(p.blocks)/2 {
		return
	}
	p.blocks = slices.DeleteFunc(p.blocks, func(a address) bool { return t.arena.memory.at(a).dead() })
	t.discard(p.buried)
	p.buried = nil
}

// discard makes garbage of blocks that no flight looks at.
func (t *table) discard(blocks []address) {
	switch {
	case t.scans > 0:
		t.held = append(t.held, blocks...)
	case len(blocks) > 0:
		t.garbage = append(t.garbage, blocks)
	}
}

// collected is how many blocks of garbage a write takes back: more than it
// makes, and so few that no record waits for them.
const collected = 4

func (t *table) collect(n int) {
	for ; n > 0 && len(t.garbage) > 0; n-- {
		list := len(t.garbage) - 1
		blocks := t.garbage[list]
		last := len(blocks) - 1
		t.release(blocks[last])
		if t.garbage[list] = blocks[:last]; last == 0 {
			t.garbage[list] = nil
			t.garbage = t.garbage[:list]
		}
	}
}

func (t *table) release(at address) {
	if chunk := t.arena.release(at); chunk != nil {
		t.share.give(chunk)
	}
}

// seal ends an epoch.
func (t *table) seal() { t.sealed++ }

// beginScan keeps every block as it is until endScan.
func (t *table) beginScan() {
	t.seal()
	t.scans++
}

func (t *table) endScan() {
	if t.scans--; t.scans == 0 {
		held := t.held
		t.held = nil
		t.discard(held)
	}
}

// takeOff fixes the dirty entries for a flight, in a time that depends on neither
// their number nor their size.
func (t *table) takeOff() entries { return t.takeOffFirst(len(t.dirty)) }

// takeOffFirst is takeOff for the first parts only.
func (t *table) takeOffFirst(n int) entries {
	if n == len(t.dirty) {
		t.seal()
	}
	parts := t.dirty[:n:n]
	t.dirty = t.dirty[n:]
	if n == 0 {
		parts = []part{{to: t.sealed}}
	}
	f := flight{parts: parts, landing: &landing{}}
	t.flights = append(t.flights, f)
	e := t.entriesOf(parts)
	e.landing = f.landing
	for i := range parts {
		t.share.dirty -= parts[i].bytes
	}
	e.seal = sealOf(e)
	return e
}

// partsFor is how many parts, the oldest ones, have so many dirty bytes, or all.
func (t *table) partsFor(bytes int64) (n int) {
	for n < len(t.dirty) && bytes > 0 {
		bytes -= t.dirty[n].bytes
		n++
	}
	return n
}

// land ends the oldest flight: RocksDB has all of it.
func (t *table) land() {
	f := t.flights[0]
	t.flights = slices.Delete(t.flights, 0, 1)
	t.clean = f.to()
	t.discard(f.superseded)
	for _, p := range f.parts {
		t.discard(p.buried)
	}
}

// turnBack ends all flights: what could not be written is dirty again, unless
// it was written anew.
func (t *table) turnBack() {
	for len(t.flights) > 0 && t.flights[0].landing.done.Load() {
		t.land() // what failed came after it
	}
	var parts []part
	var superseded []address
	for _, f := range t.flights {
		parts = append(parts, f.parts...)
		superseded = append(superseded, f.superseded...)
	}
	t.flights = nil
	for i := range parts {
		t.share.dirty += parts[i].bytes
	}
	var clean []address
	for _, a := range superseded {
		b := t.arena.memory.at(a)
		if b.epoch() <= t.clean {
			clean = append(clean, a)
			continue
		}
		p := partOf(parts, b.epoch())
		b.setDead()
		t.stain(p, -int64(len(b)))
		p.buried = append(p.buried, a)
	}
	t.discard(clean)
	t.dirty = append(parts, t.dirty...)
}

func (t *table) entriesOf(parts []part) entries {
	e := entries{memory: t.arena.memory, form: t.form, fold: t.folder.fold}
	for _, p := range parts {
		e.parts = append(e.parts, p.blocks)
	}
	return e
}

// unwritten are the dirty entries, dead ones among them. There are no flights.
func (t *table) unwritten() entries { return t.entriesOf(t.dirty) }

// all are the entries of the table.
func (t *table) all() entries {
	return entries{memory: t.arena.memory, parts: [][]address{t.index.addresses(t.arena.memory)}, form: t.form}
}

// reset forgets all entries. None is dirty, and nobody looks at any.
func (t *table) reset() {
	fresh := table{form: t.form, folder: t.folder, clock: t.clock, share: t.share, sealed: t.sealed, clean: t.sealed, forgets: t.forgets + 1}
	if t.rows != nil {
		fresh.rows = &rows{}
	}
	t.free()
	*t = fresh
}

// free gives all memory back. Nobody looks at it any more, nor will.
func (t *table) free() {
	for _, chunk := range t.arena.memory {
		if chunk != nil {
			t.share.give(chunk)
		}
	}
	t.arena, t.index = arena{}, index{}
}
