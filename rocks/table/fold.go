package table

// Form turns a table's values into those of Below and back. Its functions append
// to dst. Any goroutine may call them.
type Form struct {
	Encode func(dst, cell []byte) ([]byte, error)
	Decode func(dst, stored []byte) (cell []byte, err error)
}

// Fold appends to dst the value that an operand makes of an older one, both in the
// table's form; nil: there is no older one. Any goroutine may call it, any number
// of times.
type Fold func(dst, older, operand []byte) ([]byte, error)

// folder makes values of operands. It belongs to one goroutine.
type folder struct {
	fold        Fold
	form        *Form
	older, cell []byte // reused
}

// value appends the value in the table's form. older is in Below's form; nil: there
// is none.
func (f *folder) value(dst, older, operand []byte) (_ []byte, err error) {
	if older != nil && f.form != nil {
		if f.older, err = f.form.Decode(f.older[:0], older); err != nil {
			return dst, err
		}
		older = f.older
	}
	return f.fold(dst, older, operand)
}

// stored appends the value in Below's form.
func (f *folder) stored(dst, older, operand []byte) (_ []byte, err error) {
	if f.form == nil {
		return f.value(dst, older, operand)
	}
	if f.cell, err = f.value(f.cell[:0], older, operand); err != nil {
		return dst, err
	}
	return f.form.Encode(dst, f.cell)
}
