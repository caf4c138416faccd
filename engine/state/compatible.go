package state

import (
	"fmt"
	"strings"
)

var kindNames = []string{
	"none", "value", "list", "map", "reducing", "aggregating",
	"broadcast", "event timers", "processing timers", "panes", "sessions", "join side",
}

// String names the kind in lower case.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Fits returns nil where a state declared as d can read what one declared as
// old wrote. The error wraps ErrIncompatible and names every misfit.
func (d Descriptor) Fits(old Descriptor) error {
	var bad []string
	same := func(what, was, is string) {
		if was != is {
			bad = append(bad, fmt.Sprintf("its %s was %s and is %s", what, orNone(was), orNone(is)))
		}
	}
	same("name", old.Name, d.Name)
	same("kind", old.Kind.String(), d.Kind.String())
	same("key", old.Key, d.Key)
	same("namespace", old.Namespace, d.Namespace)
	same("map key", old.MapKey, d.MapKey)
	if err := Compatible(old.Value, d.Value); err != nil {
		bad = append(bad, strings.TrimPrefix(err.Error(), ErrIncompatible.Error()+": "))
	}
	if bad == nil {
		return nil
	}
	return fmt.Errorf("%w: state %q: %s", ErrIncompatible, d.Name, strings.Join(bad, "; "))
}

func orNone(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// Compatible returns nil where a codec with signature now can decode what one
// with signature old encoded: structs may have gained fields at their end, and
// integers of 16 bits or more may have grown. The error wraps ErrIncompatible,
// and says what changed and what to do.
func Compatible(old, now string) error {
	if old == now {
		return nil
	}
	was, err := parseSignature(old)
	if err != nil {
		return fmt.Errorf("%w: the type was %s and is %s: change it back, or give the state another name to start it empty", ErrIncompatible, orNone(old), orNone(now))
	}
	is, err := parseSignature(now)
	if err != nil {
		return fmt.Errorf("%w: the type was %s and is %s: change it back, or give the state another name to start it empty", ErrIncompatible, orNone(old), orNone(now))
	}
	if what := changed(was, is, "the type"); what != "" {
		return fmt.Errorf("%w: %s: change it back, or give the state another name to start it empty", ErrIncompatible, what)
	}
	return nil
}

// marshaler reports whether a type encodes itself. Its signature is its name.
func marshaler(s *signature) bool { return strings.HasPrefix(s.op, "binary(") }

// widens holds what an integer may become, its encoding being the same.
var widens = map[[2]string]bool{
	{"int16", "int32"}: true, {"int16", "int64"}: true, {"int32", "int64"}: true,
	{"uint16", "uint32"}: true, {"uint16", "uint64"}: true, {"uint32", "uint64"}: true,
}

// changed says what makes was unreadable as is; empty: nothing does.
func changed(was, is *signature, at string) string {
	if was.op != is.op || was.n != is.n {
		if widens[[2]string{was.op, is.op}] {
			return ""
		}
		what := fmt.Sprintf("%s was %v and is %v", at, was, is)
		if marshaler(was) && marshaler(is) {
			what += " (if it only has a new name or package, keep the old signature: WithCodec, with a codec whose Signature is the old one)"
		}
		return what
	}
	switch was.op {
	case "map":
		if what := changed(was.key, is.key, "a key of "+at); what != "" {
			return what
		}
		return changed(was.elem, is.elem, "an element of "+at)
	case "[]", "[n]":
		return changed(was.elem, is.elem, "an element of "+at)
	case "*":
		return changed(was.elem, is.elem, at)
	case "{}":
		for i, f := range was.fields {
			if i == len(is.fields) {
				return fmt.Sprintf("field %q of %s is gone (a struct may only gain fields, at its end)", f.name, at)
			}
			g := is.fields[i]
			if g.name != f.name {
				return fmt.Sprintf("field %d of %s was %q and is %q (new fields belong at the end; a renamed one keeps its name by the tag `state:%q`)", i+1, at, f.name, g.name, f.name)
			}
			if what := changed(f.typ, g.typ, fmt.Sprintf("field %q of %s", f.name, at)); what != "" {
				return what
			}
		}
	}
	return ""
}
