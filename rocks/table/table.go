package table

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
	flushes []inFlight  // oldest first
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
	t.dirty, t.flushes, t.held, t.garbage = nil, nil, nil, nil
	if t.rows != nil {
		t.rows = &rows{}
	}
}
