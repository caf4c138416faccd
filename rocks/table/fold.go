package table

// Form converts values from the table's form into Below's and back. Its functions
// append to dst. Any goroutine may call them.
type Form struct {
	Encode func(dst, cell []byte) ([]byte, error)
	Decode func(dst, stored []byte) (cell []byte, err error)
}

// Fold merges an operand into an older value (nil: there is none) and appends the
// result to dst. All of them have the table's form. Any goroutine may call it, any
// number of times.
type Fold func(dst, older, operand []byte) ([]byte, error)

// folder merges operands into values. It belongs to one goroutine.
type folder struct {
	fold        Fold
	form        *Form
	older, cell []byte // reused
}

// value appends the merged value in the table's form. older has Below's form; nil:
// there is none.
func (f *folder) value(dst, older, operand []byte) (_ []byte, err error) {
	if older != nil && f.form != nil {
		if f.older, err = f.form.Decode(f.older[:0], older); err != nil {
			return dst, err
		}
		older = f.older
	}
	return f.fold(dst, older, operand)
}

// stored appends the merged value in Below's form.
func (f *folder) stored(dst, older, operand []byte) (_ []byte, err error) {
	if f.form == nil {
		return f.value(dst, older, operand)
	}
	if f.cell, err = f.value(f.cell[:0], older, operand); err != nil {
		return dst, err
	}
	return f.form.Encode(dst, f.cell)
}
