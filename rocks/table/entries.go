package table

import (
	"sync"
	"sync/atomic"
)

// Entries are the dirty entries of one table in a flush. They do not change. The
// goroutine of the flush reads them by the exported methods.
type Entries struct {
	below  Below
	form   *Form
	fold   Fold
	blocks blocks
	seal   seal

	publishing sync.Mutex // held while the entries become visible in Below
	published  atomic.Bool
}

// Len is an upper bound of the number of entries: some may have been replaced before
// the flush began. It does not count what DeletesRows is about.
func (e *Entries) Len() int { return e.blocks.count() }

// DeletesRows reports whether rows are deleted as a whole. Then Each reads Below, to pass
// on the deletion of each of their entries, of which there may be none or any number.
func (e *Entries) DeletesRows() bool {
	for _, b := range e.blocks.each() {
		if b.head() && !b.dead() {
			return true
		}
	}
	return false
}

// Bytes is an upper bound of the length of keys and values together.
func (e *Entries) Bytes() (n int64) {
	for _, b := range e.blocks.each() {
		n += int64(b.keyLen() + b.valueLen())
	}
	return n
}

// write calls Below.Write.
func (e *Entries) write() error {
	err := guard(func() error { return e.below.Write(e) })
	if err == nil {
		e.published.Store(true) // also where there was nothing to publish
		e.seal.check(e.blocks)
	}
	return err
}

// Publish calls write, which must make all entries visible in Below, or none and
// return an error. From its success on, and never before, the operands among the
// entries count as merged.
func (e *Entries) Publish(write func() error) error {
	e.publishing.Lock()
	defer e.publishing.Unlock()
	err := write()
	if err == nil {
		e.published.Store(true)
	}
	return err
}

// foldedAtOnce is the number of entries whose values below are read together: in order,
// so that neighbours are found in the same block of a file.
const foldedAtOnce = 1024

// Each calls f with each entry, in the order of keys. Values have Below's form, and
// operands are merged into the values that Below has. key and stored are valid until
// f returns. Each ends with f's first error.
func (e *Entries) Each(f func(key, stored []byte, deleted bool) error) error {
	out := encoder{form: e.form, folder: folder{fold: e.fold, form: e.form}, to: f}
	order := e.blocks.sort()
	if e.fold == nil {
		for b := order.step(); b != nil; {
			var err error
			if b.head() {
				b, err = e.deleteRow(b, order, &out)
			} else {
				err = out.add(b, nil)
				b = order.step()
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	below := e.below.Reader()
	var window, operands []block
	for {
		window, operands = window[:0], operands[:0]
		for len(window) < foldedAtOnce {
			b := order.step()
			if b == nil {
				break
			}
			window = append(window, b)
			if b.operand() {
				operands = append(operands, b)
			}
		}
		if len(window) == 0 {
			return nil
		}
		next := 0 // in window
		values := func() error {
			for ; next < len(window) && !window[next].operand(); next++ {
				if err := out.add(window[next], nil); err != nil {
					return err
				}
			}
			return nil
		}
		if err := values(); err != nil {
			return err
		}
		key := func(i int) []byte { return operands[i].key() }
		err := below.Read(len(operands), key, func(i int, older []byte) error {
			next++
			if err := out.add(operands[i], older); err != nil {
				return err
			}
			return values()
		})
		if err != nil {
			return err
		}
	}
}

// encoder passes entries on in Below's form.
type encoder struct {
	form   *Form
	folder folder
	stored []byte // reused
	to     func(key, stored []byte, deleted bool) error
}

// add passes an entry on. older is the value below it, if it is an operand.
func (e *encoder) add(b block, older []byte) (err error) {
	switch {
	case b.deleted():
		return e.to(b.key(), nil, true)
	case b.operand():
		e.stored, err = e.folder.stored(e.stored[:0], older, b.value())
	case e.form != nil:
		e.stored, err = e.form.Encode(e.stored[:0], b.value())
	default:
		return e.to(b.key(), b.value(), false)
	}
	if err != nil {
		return err
	}
	return e.to(b.key(), e.stored, false)
}
