package state

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// appendJSON reads the value that src starts with, and appends it as JSON: structs and
// maps with keys of strings or numbers as objects, other maps as arrays of [key, value],
// []byte as base64. Fields that the value was stored without are left out.
func (s *signature) appendJSON(dst, src []byte) (_, rest []byte, err error) {
	switch s.op {
	case "bool":
		if len(src) == 0 || src[0] > 1 {
			return dst, nil, corrupt("no bool: %.8x", src)
		}
		return strconv.AppendBool(dst, src[0] == 1), src[1:], nil
	case "int8", "uint8":
		if len(src) == 0 {
			return dst, nil, errShort(s.op)
		}
		if s.op == "int8" {
			return strconv.AppendInt(dst, int64(int8(src[0])), 10), src[1:], nil
		}
		return strconv.AppendUint(dst, uint64(src[0]), 10), src[1:], nil
	case "int16", "int32", "int64":
		x, rest, err := varint(src)
		return strconv.AppendInt(dst, x, 10), rest, err
	case "uint16", "uint32", "uint64":
		x, rest, err := uvarint(src)
		return strconv.AppendUint(dst, x, 10), rest, err
	case "float32":
		b, rest, err := block(src, 4, s.op)
		if err != nil {
			return dst, nil, err
		}
		return appendFloat(dst, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 32), rest, nil
	case "float64":
		b, rest, err := block(src, 8, s.op)
		if err != nil {
			return dst, nil, err
		}
		return appendFloat(dst, math.Float64frombits(binary.LittleEndian.Uint64(b)), 64), rest, nil
	case "string":
		b, rest, err := prefixed(src, s.op)
		return appendQuoted(dst, b), rest, err
	case "time":
		sec, rest, err := varint(src)
		if err != nil {
			return dst, nil, err
		}
		ns, rest, err := uvarint(rest)
		if err != nil || ns >= uint64(time.Second) {
			return dst, nil, corrupt("time with %d ns in a second", ns)
		}
		return append(time.Unix(sec, int64(ns)).UTC().AppendFormat(append(dst, '"'), time.RFC3339Nano), '"'), rest, nil
	case "[]":
		return s.appendSliceJSON(dst, src)
	case "[n]":
		return s.elem.appendArrayJSON(dst, src, s.n)
	case "map":
		return s.appendMapJSON(dst, src)
	case "*":
		if len(src) == 0 || src[0] > 1 {
			return dst, nil, corrupt("no pointer: %.8x", src)
		}
		if src[0] == 0 {
			return append(dst, "null"...), src[1:], nil
		}
		return s.elem.appendJSON(dst, src[1:])
	case "{}":
		return s.appendStructJSON(dst, src)
	}
	b, rest, err := prefixed(src, s.op) // binary(name)
	return appendBase64(dst, b), rest, err
}

// appendFloat appends a number, or a string where JSON has no number.
func appendFloat(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(strconv.AppendFloat(append(dst, '"'), f, 'g', -1, bits), '"')
	}
	return strconv.AppendFloat(dst, f, 'g', -1, bits)
}

// notText marks a string of JSON that stands for bytes which are not UTF-8: their base64
// follows it.
const notText = "base64:"

// appendQuoted appends a string. JSON has no place for bytes that are not UTF-8; they, and
// what looks like them, follow notText.
func appendQuoted(dst, b []byte) []byte {
	if !utf8.Valid(b) || bytes.HasPrefix(b, []byte(notText)) {
		b = base64.StdEncoding.AppendEncode([]byte(notText), b)
	}
	quoted, _ := json.Marshal(string(b)) // a string can always be marshaled
	return append(dst, quoted...)
}

func (s *signature) appendSliceJSON(dst, src []byte) (_, rest []byte, err error) {
	n, rest, err := uvarint(src)
	switch {
	case err != nil:
		return dst, nil, err
	case n == 0:
		return append(dst, "null"...), rest, nil
	case s.elem.op == "uint8":
		b, rest, err := block(rest, n-1, "[]uint8")
		return appendBase64(dst, b), rest, err
	case n-1 > uint64(len(rest)): // an element has at least one byte
		return dst, nil, corrupt("%v of %d elements, but only %d bytes are left", s, n-1, len(rest))
	}
	return s.elem.appendArrayJSON(dst, rest, int(n-1))
}

// maxEmpty bounds how many elements without bytes are believed in.
const maxEmpty = 1 << 16

// appendArrayJSON appends n elements of type s.
func (s *signature) appendArrayJSON(dst, src []byte, n int) (_, rest []byte, err error) {
	dst, rest = append(dst, '['), src
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		before := len(rest)
		if dst, rest, err = s.appendJSON(dst, rest); err != nil {
			return dst, nil, err
		}
		if before == len(rest) && n > maxEmpty {
			return dst, nil, corrupt("%d elements of type %v, which take no bytes", n, s)
		}
	}
	return append(dst, ']'), rest, nil
}

func (s *signature) appendMapJSON(dst, src []byte) (_, rest []byte, err error) {
	n, rest, err := uvarint(src)
	switch {
	case err != nil:
		return dst, nil, err
	case n == 0:
		return append(dst, "null"...), rest, nil
	case n-1 > uint64(len(rest)):
		return dst, nil, corrupt("%v of %d entries, but only %d bytes are left", s, n-1, len(rest))
	}
	open, between, end, quote := `[`, "],[", "]", false
	switch s.key.op {
	case "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64":
		quote = true
		fallthrough
	case "string":
		open, between, end = "{", ",", "}"
	default:
		if n > 1 {
			open, end = "[[", "]]"
		}
	}
	dst = append(dst, open...)
	for i := range n - 1 {
		if i > 0 {
			dst = append(dst, between...)
		}
		if quote {
			dst = append(dst, '"')
		}
		if dst, rest, err = s.key.appendJSON(dst, rest); err != nil {
			return dst, nil, err
		}
		if quote {
			dst = append(dst, '"')
		}
		if end == "}" {
			dst = append(dst, ':')
		} else {
			dst = append(dst, ',')
		}
		if dst, rest, err = s.elem.appendJSON(dst, rest); err != nil {
			return dst, nil, err
		}
	}
	return append(dst, end...), rest, nil
}

func (s *signature) appendStructJSON(dst, src []byte) (_, rest []byte, err error) {
	n, rest, err := uvarint(src)
	if err == nil && n > uint64(len(s.fields)) {
		err = corrupt("%v with %d fields", s, n)
	}
	if err != nil {
		return dst, nil, err
	}
	dst = append(dst, '{')
	for i, f := range s.fields[:n] {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, []byte(f.name)), ':')
		if dst, rest, err = f.typ.appendJSON(dst, rest); err != nil {
			return dst, nil, err
		}
	}
	return append(dst, '}'), rest, nil
}
