package table

// Table keeps recent entries of one column in memory, above a Below: dirty entries,
// which Below does not have yet, and clean ones, which were read or written lately.
// It belongs to the goroutine of its Tables.
//
// A freeze begins a new generation of the dirty set, and each block has the one in which
// it became dirty. Below has the generations up to clean; entries that were read from it
// have generation 0. The goroutines of flushes in flight read the blocks of theirs. Such
// a block is replaced, never changed, and its memory is reused only when they have ended.
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
	whole     bool    // Below has no entry that the table lacks
	hand      address // chunk where the next sweep begins
	evictions int64   // entries that were evicted
	reads     int64   // that the budget does not count yet

	dirty   []part      // in no flush, oldest first; the last one grows
	flushes []inFlight  // oldest first
	garbage [][]address // nobody reads them; freed a few at a time

	ended uint64 // the newest generation that has ended; writes belong to the next one
	clean uint64 // the newest generation that is in Below

	scratch, older []byte // values on their way from one form to another
	ahead          readAhead
}

// Options say how a table is used. With the zero Options a row has one entry, and
// values have Below's form.
type Options struct {
	// Grouped says that a row may have several entries.
	Grouped bool
	// Form converts between the table's form of values and Below's. Nil: they are
	// the same.
	Form *Form
	// Fold merges operands into values. Nil: PutOperand may not be called. A Grouped
	// table may not have one.
	Fold Fold
	// Since returns when an operand began, in Unix milliseconds. Needed with Fold.
	Since func(operand []byte) int64
}

// Open returns a table above b. It reads b to learn whether b is empty.
func (ts *Tables) Open(b Below, o Options) (*Table, error) {
	if ts.closed != nil {
		return nil, ts.closed
	}
	it := b.Scan(nil, nil, false)
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

// sizeOf is the size of an entry's block.
func (t *Table) sizeOf(p *Place, value []byte) int {
	n := headerBytes + len(p.Key) + len(value)
	if t.rows != nil {
		n += linkBytes
	}
	return n
}

// overhead is the memory that the table takes beside its arena, in bytes.
func (t *Table) overhead() int64 {
	n := 0
	for _, blocks := range t.garbage {
		n += cap(blocks)
	}
	count := func(parts []part) {
		for _, p := range parts {
			n += cap(p.blocks) + cap(p.dead)
		}
	}
	count(t.dirty)
	for _, f := range t.flushes {
		count(f.parts)
		n += cap(f.superseded)
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
	t.dirty, t.flushes, t.garbage = nil, nil, nil
	if t.rows != nil {
		t.rows = &rows{}
	}
}
