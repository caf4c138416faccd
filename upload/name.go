package upload

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds of an object's name, in bytes. The second is what file systems allow.
const (
	MaxNameBytes      = 900
	MaxComponentBytes = 250
)

// CheckName returns nil if name is legal in every store, else an ErrName that
// says why not. A name consists of components joined by single slashes. Each is
// printable UTF-8 and does not begin with a dot: stores use such names for
// themselves, and no name can lead out of a directory.
func CheckName(name string) error {
	bad := func(why string) error { return fmt.Errorf("%w %q: %s", ErrName, name, why) }
	switch {
	case name == "":
		return bad("empty")
	case len(name) > MaxNameBytes:
		return bad(fmt.Sprintf("longer than %d bytes", MaxNameBytes))
	case !utf8.ValidString(name):
		return bad("not UTF-8")
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f {
			return bad("holds a control character")
		}
	}
	for c := range strings.SplitSeq(name, "/") {
		switch {
		case c == "":
			return bad("has an empty component")
		case c[0] == '.':
			return bad("a component begins with a dot")
		case len(c) > MaxComponentBytes:
			return bad(fmt.Sprintf("a component is longer than %d bytes", MaxComponentBytes))
		}
	}
	return nil
}
