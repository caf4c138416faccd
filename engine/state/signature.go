package state

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// A signature describes an encoding:
//
//	bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64
//	string time binary(name) []T [n]T map[K]V *T {name T,name T}
//
// where int and uint go by their 64-bit names.
type signature struct {
	op     string // "[]", "[n]", "map", "*", "{}", or the name of a scalar
	n      int    // of an array
	elem   *signature
	key    *signature // of a map
	fields []signatureField
}

type signatureField struct {
	name string
	typ  *signature
}

// String renders s as it is stored.
func (s *signature) String() string {
	switch s.op {
	case "[]", "*":
		return s.op + s.elem.String()
	case "[n]":
		return fmt.Sprintf("[%d]%v", s.n, s.elem)
	case "map":
		return fmt.Sprintf("map[%v]%v", s.key, s.elem)
	case "{}":
		parts := make([]string, len(s.fields))
		for i, f := range s.fields {
			parts[i] = f.name + " " + f.typ.String()
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	return s.op
}

// maxSignatureDepth bounds the recursion on a signature read from a manifest.
const maxSignatureDepth = 100

func parseSignature(text string) (*signature, error) {
	s, rest, err := cutSignature(text, 0)
	if err == nil && rest != "" {
		err = fmt.Errorf("%q follows it", rest)
	}
	if err != nil {
		return nil, fmt.Errorf("signature %q: %w", text, err)
	}
	return s, nil
}

func cutSignature(text string, depth int) (s *signature, rest string, err error) {
	if depth > maxSignatureDepth {
		return nil, "", fmt.Errorf("nested too deep")
	}
	if rest, ok := strings.CutPrefix(text, "[]"); ok {
		return cutElem(&signature{op: "[]"}, rest, depth)
	}
	if rest, ok := strings.CutPrefix(text, "*"); ok {
		return cutElem(&signature{op: "*"}, rest, depth)
	}
	if rest, ok := strings.CutPrefix(text, "["); ok {
		num, rest, _ := strings.Cut(rest, "]")
		n, err := strconv.Atoi(num)
		if err != nil || n < 0 {
			return nil, "", fmt.Errorf("%q is no array length", num)
		}
		return cutElem(&signature{op: "[n]", n: n}, rest, depth)
	}
	if rest, ok := strings.CutPrefix(text, "map["); ok {
		key, rest, err := cutSignature(rest, depth+1)
		if err != nil {
			return nil, "", err
		}
		rest, ok := strings.CutPrefix(rest, "]")
		if !ok {
			return nil, "", fmt.Errorf("%q where ']' should be", rest)
		}
		return cutElem(&signature{op: "map", key: key}, rest, depth)
	}
	if rest, ok := strings.CutPrefix(text, "{"); ok {
		return cutFields(rest, depth)
	}
	if strings.HasPrefix(text, "binary(") {
		name, rest, ok := strings.Cut(text, ")")
		if !ok {
			return nil, "", fmt.Errorf("%q does not end", text)
		}
		return &signature{op: name + ")"}, rest, nil
	}
	end := strings.IndexFunc(text, func(r rune) bool { return !isNameRune(r) })
	if end < 0 {
		end = len(text)
	}
	switch name := text[:end]; name {
	case "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "string", "time":
		return &signature{op: name}, text[end:], nil
	}
	return nil, "", fmt.Errorf("%q is no type", text)
}

func cutElem(s *signature, text string, depth int) (*signature, string, error) {
	var err error
	s.elem, text, err = cutSignature(text, depth+1)
	return s, text, err
}

func cutFields(text string, depth int) (*signature, string, error) {
	s := &signature{op: "{}"}
	if rest, ok := strings.CutPrefix(text, "}"); ok {
		return s, rest, nil
	}
	for {
		name, rest, ok := strings.Cut(text, " ")
		if !ok || !validFieldName(name) {
			return nil, "", fmt.Errorf("%q where a field should be", text)
		}
		typ, rest, err := cutSignature(rest, depth+1)
		if err != nil {
			return nil, "", err
		}
		s.fields = append(s.fields, signatureField{name, typ})
		if text, ok = strings.CutPrefix(rest, ","); ok {
			continue
		}
		if rest, ok = strings.CutPrefix(rest, "}"); ok {
			return s, rest, nil
		}
		return nil, "", fmt.Errorf("%q where ',' or '}' should be", rest)
	}
}

func validFieldName(name string) bool {
	return name != "" && strings.IndexFunc(name, func(r rune) bool { return !isNameRune(r) }) < 0
}

func isNameRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
