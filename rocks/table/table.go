package table

import (
	"github.com/zeebo/xxh3"
)

// Table keeps recent entries of one column in memory, above a Below: dirty ones,
// which Below does not have yet, and clean ones, which were read or written lately
// and may be wanted again. It belongs to the goroutine of its Tables.
//
// Each block says in which epoch it became dirty. Epochs up to clean are in Below,
// and so is epoch 0. Other goroutines may read the blocks of some epochs (mutable):
// those up to the newest flush in flight, and, while scans are open, those up to
// sealed. Such a block is replaced, never changed, and its memory is reused only
// when nobody reads it any more.
type Table struct {
	owner *Tables
	share *share // owner's, where the arena's chunks are from
	below Below
	form  *Form
	since func(operand []byte) int64

	folder    folder
	arena     arena
	index     index
	rows      *rows   // nil: every row is one entry
	whole     bool    // an entry that the table lacks, Below lacks too
	hand      address // chunk where the next sweep begins
	evictions int64   // entries that were evicted

	dirty   []part      // in no flush, oldest first; the last one grows
	flushes []*Entries  // in flight, oldest first
	held    []address   // replaced, but open scans may read them
	garbage [][]address // nobody reads them; freed a few at a time
	scans   int         // open ones that read blocks of the table

	sealed uint64 // the newest epoch that has ended; writes belong to the next one
	clean  uint64 // the newest epoch that is in Below

	scratch, older []byte // values on their way from one form to another
	ahead          readAhead
}

// Options say how a table is used. The zero Options are those of a table whose
// rows have one entry each, with values as Below has them.
type Options struct {
	// Grouped says that a row may have several entries.
	Grouped bool
	// Form is the form of the table's values. Nil: as Below has them.
	Form *Form
	// Fold turns operands into values. Without one, none may be put, and with one
	// the table may not be Grouped.
	Fold Fold
	// Since returns when an operand began, in Unix milliseconds. Needed with Fold.
	Since func(operand []byte) int64
}

// Form turns a table's values into those of Below and back. Its functions append
// to dst. Any goroutine may call them.
type Form struct {
	Encode func(dst, cell []byte) ([]byte, error)
	Decode func(dst, stored []byte) (cell []byte, err error)
}

// Place says where an entry is. A row is the entries of one key of the user's,
// whose keys share a prefix that no other row's begin with.
type Place struct {
	Key []byte
	Row int // length of the row's part of Key
	// Hash and RowHash are hashes of Key and Key[:Row], the same at each access. A
	// table uses the lower half of each, since the upper half has chosen the
	// table's key groups.
	Hash, RowHash uint64
}

// PlaceOf returns the place of a key that is a row of its own, of which no better
// hash is known.
func PlaceOf(key []byte) *Place {
	h := xxh3.Hash(key)
	return &Place{key, len(key), h, h}
}

// hash returns the hash that the index uses.
func (p *Place) hash() uint32    { return uint32(p.Hash) }
func (p *Place) rowHash() uint32 { return uint32(p.RowHash) }
func (p *Place) rowKey() []byte  { return p.Key[:p.Row] }

// Open returns a table above b. It reads b to learn whether that is empty.
func (ts *Tables) Open(b Below, o Options) (*Table, error) {
	if ts.closed != nil {
		return nil, ts.closed
	}
	it := b.Scan(nil, nil)
	whole := !it.Next()
	if err := it.Err(); err != nil {
		_ = it.Close() // the error of the read says more
		return nil, err
	}
	if err := it.Close(); err != nil {
		return nil, err
	}
	t := &Table{owner: ts, share: ts.share, below: b, form: o.Form, since: o.Since, folder: folder{fold: o.Fold, form: o.Form}, whole: whole}
	if o.Grouped {
		t.rows = &rows{}
	}
	ts.all = append(ts.all, t)
	return t, nil
}

// Get appends the value of an entry, in the table's form.
func (t *Table) Get(dst []byte, p *Place) (value []byte, found bool, err error) {
	if p.Row == len(p.Key) {
		t.ahead.used++
	}
	switch b := t.find(p); {
	case b == nil:
		return t.getBelow(dst, p)
	case b.operand():
		return t.resolve(dst, p, b)
	default:
		return append(dst, b.value()...), !b.deleted(), nil
	}
}

// Put writes the value of an entry, in the table's form.
func (t *Table) Put(p *Place, value []byte) error {
	_, err := t.store(p, value, 0)
	return err
}

// Delete deletes an entry. That it is absent is no error.
func (t *Table) Delete(p *Place) error {
	_, err := t.store(p, nil, flagDeleted)
	return err
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
	if t.whole || t.absent(p) {
		return dst, false, nil
	}
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

// remember adds an entry that Below has. Without memory for it, it does nothing.
func (t *Table) remember(p *Place, value []byte) {
	for !t.tryRemember(p, value) {
		if !t.owner.reclaim(t, t.sizeOf(p, value)) {
			return
		}
	}
}

// store writes a value, an operand or a tombstone, as flags say. When memory is short
// it frees some, for which dirty entries may be flushed. An operand is not stored
// then (false): it may be based on one of them.
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

// sizeOf is the size of an entry's block.
func (t *Table) sizeOf(p *Place, value []byte) int {
	n := headerBytes + len(p.Key) + len(value)
	if t.rows != nil {
		n += linkBytes
	}
	return n
}

// tryRemember adds an entry that Below has and the table has not, unless as a spent
// operand. False: there is no memory for it.
func (t *Table) tryRemember(p *Place, value []byte) bool {
	at, b := noAddress, block(nil)
	size := t.sizeOf(p, value)
	if t.folder.fold != nil {
		at, b = t.index.find(t.arena.memory, p.hash(), p.Key, false)
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
	if flags&flagOperand != 0 && at != noAddress && (b.again() || t.spent(b)) {
		flags |= flagAgain
	}
	if at != noAddress && size <= len(b) && t.mutable(b.epoch()) {
		b.setValue(value, flags)
		if b.epoch() <= t.clean {
			b.setEpoch(t.sealed + 1)
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
	nb.setEpoch(t.sealed + 1)
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
		t.rows.add(t.arena.memory, p, to, tb)
	}
}

// overhead is the memory that the table takes beside its arena, in bytes.
func (t *Table) overhead() int64 {
	n := cap(t.held)
	for _, blocks := range t.garbage {
		n += cap(blocks)
	}
	count := func(parts []part) {
		for _, p := range parts {
			n += cap(p.blocks) + cap(p.dead)
		}
	}
	count(t.dirty)
	for _, e := range t.flushes {
		count(e.parts)
		n += cap(e.superseded)
	}
	bytes := t.index.bytes + 4*int64(n)
	if t.rows != nil {
		bytes += t.rows.index.bytes
	}
	return bytes
}

// close gives all memory back. Nobody reads blocks any more. Accesses fail from
// now on, since they come to below or to memory.
func (t *Table) close(reason error) {
	for _, chunk := range t.arena.memory {
		if chunk != nil {
			t.share.give(chunk)
		}
	}
	t.arena, t.index, t.ahead, t.whole, t.below = arena{}, index{}, readAhead{}, false, closedBelow{reason}
	t.dirty, t.flushes, t.held, t.garbage = nil, nil, nil, nil
	if t.rows != nil {
		t.rows = &rows{}
	}
}
