package table

import "encoding/binary"

// rows finds the entries of a row. The blocks of a row form a list, whose first
// block an index knows. The links lie at the end of each block, which only the
// owner reads:
//
//	previous (4) next (4) hash of the row (4)
type rows struct{ index index }

const linkBytes = 12

func links(b block) []byte               { return b[len(b)-linkBytes:] }
func previousOf(b block) address         { return address(binary.NativeEndian.Uint32(links(b))) }
func nextOf(b block) address             { return address(binary.NativeEndian.Uint32(links(b)[4:])) }
func rowHashOf(b block) uint32           { return binary.NativeEndian.Uint32(links(b)[8:]) }
func setPrevious(b block, a address)     { binary.NativeEndian.PutUint32(links(b), uint32(a)) }
func setNext(b block, a address)         { binary.NativeEndian.PutUint32(links(b)[4:], uint32(a)) }
func setRowHash(b block, rowHash uint32) { binary.NativeEndian.PutUint32(links(b)[8:], rowHash) }

// add puts a new block behind the first one of its row.
func (r *rows) add(m memory, p *Place, at address, b block) {
	setRowHash(b, p.rowHash())
	first, fb := r.index.find(m, p.rowHash(), p.rowKey(), true)
	if first == noAddress {
		setPrevious(b, noAddress)
		setNext(b, noAddress)
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
	if previous := previousOf(fb); previous != noAddress {
		setNext(m.at(previous), to)
		return
	}
	r.index.replace(rowHashOf(fb), from, to)
}

// remove takes a block out of its row.
func (r *rows) remove(m memory, at address, b block) {
	previous, next := previousOf(b), nextOf(b)
	if next != noAddress {
		setPrevious(m.at(next), previous)
	}
	switch {
	case previous != noAddress:
		setNext(m.at(previous), next)
	case next != noAddress:
		r.index.replace(rowHashOf(b), at, next)
	default:
		r.index.remove(rowHashOf(b), at)
	}
}

// each yields the blocks of a row, in no order.
func (r *rows) each(m memory, p *Place) func(yield func(address) bool) {
	return func(yield func(address) bool) {
		at, b := r.index.find(m, p.rowHash(), p.rowKey(), true)
		for at != noAddress && yield(at) {
			if at = nextOf(b); at != noAddress {
				b = m.at(at)
			}
		}
	}
}
