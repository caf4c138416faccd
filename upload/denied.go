package upload

import "errors"

// DeniedNames returns the names, with their store's prefix, that a Delete which failed with
// err was not permitted to remove, as those that are locked. It returns false if anything
// else failed, too: then it is not known what was removed.
func DeniedNames(err error) (names []string, ok bool) {
	switch e := err.(type) { //nolint:errorlint // it looks at all that is joined, not at the first
	case nil:
		return nil, false
	case *Error:
		return []string{e.Name}, errors.Is(e, ErrDenied)
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			more, ok := DeniedNames(one)
			if !ok {
				return nil, false
			}
			names = append(names, more...)
		}
		return names, true
	default:
		return DeniedNames(errors.Unwrap(err))
	}
}
