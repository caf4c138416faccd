package state

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// appendKeyJSON reads the key that src starts with, and appends it as JSON.
func (s *signature) appendKeyJSON(dst, src []byte) (_, rest []byte, err error) {
	switch s.op {
	case "bool":
		return s.appendJSON(dst, src)
	case "int8", "int16", "int32", "int64":
		size := intBytes[s.op]
		x, rest, err := bigEndian(src, size)
		return strconv.AppendInt(dst, signExtend(x^1<<(8*size-1), size), 10), rest, err
	case "uint8", "uint16", "uint32", "uint64":
		x, rest, err := bigEndian(src, intBytes[s.op])
		return strconv.AppendUint(dst, x, 10), rest, err
	case "string":
		raw, rest, err := cutString(src)
		return appendQuoted(dst, unescaped(raw)), rest, err
	case "[n]":
		dst, rest = append(dst, '['), src
		for i := range s.n {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, rest, err = s.elem.appendKeyJSON(dst, rest); err != nil {
				return dst, nil, err
			}
		}
		return append(dst, ']'), rest, nil
	case "{}":
		dst, rest = append(dst, '{'), src
		for i, f := range s.fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendQuoted(dst, []byte(f.name)), ':')
			if dst, rest, err = f.typ.appendKeyJSON(dst, rest); err != nil {
				return dst, nil, err
			}
		}
		return append(dst, '}'), rest, nil
	}
	return dst, nil, corrupt("a %v is no key", s)
}

// appendKeyOf encodes a key that was decoded from JSON, with numbers as json.Number.
func (s *signature) appendKeyOf(dst []byte, v any) ([]byte, error) {
	misfit := func() error { return fmt.Errorf("%v is no %v", v, s) }
	switch s.op {
	case "bool":
		b, ok := v.(bool)
		if !ok {
			return dst, misfit()
		}
		if b {
			return append(dst, 1), nil
		}
		return append(dst, 0), nil
	case "int8", "int16", "int32", "int64":
		n, _ := v.(json.Number)
		size := intBytes[s.op]
		x, err := strconv.ParseInt(n.String(), 10, 8*size)
		if err != nil {
			return dst, misfit()
		}
		return appendBigEndian(dst, uint64(x)^1<<(8*size-1), size), nil
	case "uint8", "uint16", "uint32", "uint64":
		n, _ := v.(json.Number)
		size := intBytes[s.op]
		x, err := strconv.ParseUint(n.String(), 10, 8*size)
		if err != nil {
			return dst, misfit()
		}
		return appendBigEndian(dst, x, size), nil
	case "string":
		text, ok := v.(string)
		if !ok {
			return dst, misfit()
		}
		if encoded, ok := strings.CutPrefix(text, notText); ok {
			b, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				return dst, misfit()
			}
			text = string(b)
		}
		return appendStringKey(dst, text), nil
	case "[n]":
		elems, ok := v.([]any)
		if !ok || len(elems) != s.n {
			return dst, misfit()
		}
		var err error
		for _, e := range elems {
			if dst, err = s.elem.appendKeyOf(dst, e); err != nil {
				return dst, err
			}
		}
		return dst, nil
	case "{}":
		fields, ok := v.(map[string]any)
		if !ok {
			return dst, misfit()
		}
		return s.appendFieldsOf(dst, fields)
	}
	return dst, corrupt("a %v is no key", s)
}

func (s *signature) appendFieldsOf(dst []byte, fields map[string]any) ([]byte, error) {
	var names []string
	var err error
	for _, f := range s.fields {
		v, ok := fields[f.name]
		if !ok {
			return dst, fmt.Errorf("field %s is missing", f.name)
		}
		if dst, err = f.typ.appendKeyOf(dst, v); err != nil {
			return dst, fmt.Errorf("field %s: %w", f.name, err)
		}
		names = append(names, f.name)
	}
	for name := range fields {
		if !slices.Contains(names, name) {
			return dst, errors.New("there is no field " + name + ", only " + strings.Join(names, ", "))
		}
	}
	return dst, nil
}
