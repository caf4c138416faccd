package table

import "encoding/binary"

// rows finds the entries of a row. The blocks of a row form a list, whose first
// block an index knows. The links lie at the end of each block, which only the
// owner reads:
//
//	previous (4) next (4) hash of the row (4)
//
// A row is complete if Below has no entry of it that the table lacks, or will have none
// when a flush has deleted them (clear.go). Its first block then has the mark complete
// for its previous one. To evict an entry of a row takes the mark away.
type rows struct{ index index }

const linkBytes = 12

// complete is the address of no block.
const complete = noAddress + 1

func links(b block) []byte               { return b[len(b)-linkBytes:] }
func previousOf(b block) address         { return address(binary.NativeEndian.Uint32(links(b))) }
func nextOf(b block) address             { return address(binary.NativeEndian.Uint32(links(b)[4:])) }
func rowHashOf(b block) uint32           { return binary.NativeEndian.Uint32(links(b)[8:]) }
func setPrevious(b block, a address)     { binary.NativeEndian.PutUint32(links(b), uint32(a)) }
func setNext(b block, a address)         { binary.NativeEndian.PutUint32(links(b)[4:], uint32(a)) }
func setRowHash(b block, rowHash uint32) { binary.NativeEndian.PutUint32(links(b)[8:], rowHash) }

// isFirst reports whether a block is the first one of its row.
func isFirst(b block) bool { return previousOf(b) <= complete }

// first returns the first block of a row; noAddress: the table has none.
func (r *rows) first(m memory, p *Place) (address, block) {
	return r.index.find(m, p.rowHash(), p.rowKey(), true)
}

// add puts a new block behind the first one of its row. If it is the first one, mark
// says whether the row is complete.
func (r *rows) add(m memory, p *Place, at address, b block, mark bool) {
	setRowHash(b, p.rowHash())
	first, fb := r.first(m, p)
	if first == noAddress {
		setPrevious(b, noAddress)
		setNext(b, noAddress)
		if mark {
			setPrevious(b, complete)
		}
		r.index.add(p.rowHash(), at)
		return
	}
	next := nextOf(fb)
	setPrevious(b, first)
	setNext(b, next)
	setNext(fb, at)
	if next != noAddress {
		setPrevious(m.at(next), at)
	}
}

// replace puts a block in the place of another one.
func (r *rows) replace(m memory, from address, fb block, to address, tb block) {
	copy(links(tb), links(fb))
	if next := nextOf(fb); next != noAddress {
		setPrevious(m.at(next), to)
	}
	if isFirst(fb) {
		r.index.replace(rowHashOf(fb), from, to)
		return
	}
	setNext(m.at(previousOf(fb)), to)
}

// remove takes a block out of its row. The mark stays with the row.
func (r *rows) remove(m memory, at address, b block) {
	previous, next := previousOf(b), nextOf(b)
	if next != noAddress {
		setPrevious(m.at(next), previous)
	}
	switch {
	case !isFirst(b):
		setNext(m.at(previous), next)
	case next != noAddress:
		r.index.replace(rowHashOf(b), at, next)
	default:
		r.index.remove(rowHashOf(b), at)
	}
}

// complete reports whether a row is known to be complete.
func (r *rows) complete(m memory, p *Place) bool {
	_, b := r.first(m, p)
	return b != nil && previousOf(b) == complete
}

// mark marks a row complete, or with noAddress takes the mark away; false: the table has
// no block of it.
func (r *rows) mark(m memory, p *Place, mark address) bool {
	_, b := r.first(m, p)
	if b != nil {
		setPrevious(b, mark)
	}
	return b != nil
}

// unmark takes the mark from the row of a block. Of a block only the hash of its row is
// known, so a row of the same hash may lose its mark, too; but not one that a flush of a
// generation after clean has to delete in Below.
func (r *rows) unmark(m memory, b block, clean uint64) {
	for at := range r.index.withHash(rowHashOf(b)) {
		if b := m.at(at); previousOf(b) == complete && (!b.head() || b.generation() <= clean) {
			setPrevious(b, noAddress)
		}
	}
}

// each yields the blocks of a row, in no order. The block that was yielded last may be
// removed.
func (r *rows) each(m memory, p *Place) func(yield func(address, block) bool) {
	return func(yield func(address, block) bool) {
		at, b := r.first(m, p)
		for at != noAddress {
			next := nextOf(b)
			if !yield(at, b) {
				return
			}
			if at = next; at != noAddress {
				b = m.at(at)
			}
		}
	}
}
