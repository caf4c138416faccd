package format

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Bounds of a message. They keep a hostile message from taking more memory than a
// large one that Marshal wrote.
const (
	maxDepth   = 10
	maxScalars = 64 << 20 // in packed fields
	maxParts   = 8 << 20  // strings, byte strings and messages in repeated fields
)

// Marshal encodes a message. Equal messages have equal bytes.
func Marshal(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// Unmarshal decodes what Marshal encoded. It refuses everything else: fields
// and enum values that the schema does not have, and any other spelling of the
// same message (fields out of order or doubled, zeros that are written out,
// numbers longer than need be, lists that are not packed). Whatever it accepts,
// Marshal encodes with the same bytes.
func Unmarshal(b []byte, m proto.Message) error {
	var c checker
	if err := c.message(b, m.ProtoReflect().Descriptor(), 0); err != nil {
		return err
	}
	return proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, m)
}

// checker counts what a message holds.
type checker struct{ scalars, parts int }

func (c *checker) message(b []byte, md protoreflect.MessageDescriptor, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s: nested deeper than %d", md.Name(), maxDepth)
	}
	fields := md.Fields()
	var last protowire.Number
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%s: %w", md.Name(), protowire.ParseError(n))
		}
		fd := fields.ByNumber(num)
		switch {
		case fd == nil:
			return fmt.Errorf("%s: unknown field %d", md.Name(), num)
		case n != protowire.SizeTag(num):
			return fmt.Errorf("%s.%s: not in canonical form: a long tag", md.Name(), fd.Name())
		case num < last, num == last && (!fd.IsList() || fd.IsPacked()):
			return fmt.Errorf("%s.%s: not in canonical form: out of order or doubled", md.Name(), fd.Name())
		case typ != wireType(fd):
			return fmt.Errorf("%s.%s: not in canonical form: wire type %d", md.Name(), fd.Name(), typ)
		}
		last = num
		used, err := c.field(b[n:], fd, depth)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", md.Name(), fd.Name(), err)
		}
		b = b[n+used:]
	}
	return nil
}

// field checks one value, or one packed list, and returns its length.
func (c *checker) field(b []byte, fd protoreflect.FieldDescriptor, depth int) (int, error) {
	if wireType(fd) != protowire.BytesType {
		n, zero, err := scalar(b, fd)
		if err == nil && zero {
			err = errCanonical("a zero that is written out")
		}
		return n, err
	}
	v, n := protowire.ConsumeBytes(b)
	if n < 0 {
		return 0, protowire.ParseError(n)
	}
	if n != protowire.SizeBytes(len(v)) {
		return 0, errCanonical("a long length")
	}
	if len(v) == 0 && (!fd.IsList() || fd.IsPacked()) {
		return 0, errCanonical("an empty value that is written out")
	}
	switch {
	case fd.IsPacked():
		return n, c.packed(v, fd)
	case fd.IsList():
		if c.parts++; c.parts > maxParts {
			return 0, fmt.Errorf("more than %d values", maxParts)
		}
	}
	if fd.Kind() == protoreflect.MessageKind {
		return n, c.message(v, fd.Message(), depth+1)
	}
	return n, nil
}

func (c *checker) packed(v []byte, fd protoreflect.FieldDescriptor) error {
	for len(v) > 0 {
		n, _, err := scalar(v, fd)
		if err != nil {
			return err
		}
		v = v[n:]
		if c.scalars++; c.scalars > maxScalars {
			return fmt.Errorf("more than %d numbers", maxScalars)
		}
	}
	return nil
}

// scalar checks one number, and returns its length and whether it is zero.
func scalar(b []byte, fd protoreflect.FieldDescriptor) (n int, zero bool, err error) {
	var v uint64
	most := uint64(math.MaxUint64)
	switch kind := fd.Kind(); kind {
	case protoreflect.Fixed32Kind:
		x, n := protowire.ConsumeFixed32(b)
		return n, x == 0, parsed(n)
	case protoreflect.Fixed64Kind:
		x, n := protowire.ConsumeFixed64(b)
		return n, x == 0, parsed(n)
	default:
		if v, n = protowire.ConsumeVarint(b); n < 0 {
			return n, false, parsed(n)
		}
		switch kind {
		case protoreflect.BoolKind:
			most = 1
		case protoreflect.Uint32Kind:
			most = math.MaxUint32
		case protoreflect.EnumKind:
			if v > math.MaxInt32 || fd.Enum().Values().ByNumber(protoreflect.EnumNumber(v)) == nil {
				return n, false, fmt.Errorf("unknown value %d", v)
			}
			if v == 0 {
				return n, false, fmt.Errorf("no value")
			}
		}
	}
	if n != protowire.SizeVarint(v) || v > most {
		return n, false, errCanonical("a number that is too long")
	}
	return n, v == 0, nil
}

func parsed(n int) error {
	if n < 0 {
		return protowire.ParseError(n)
	}
	return nil
}

func errCanonical(what string) error { return fmt.Errorf("not in canonical form: %s", what) }

// wireType is how Marshal writes a field.
func wireType(fd protoreflect.FieldDescriptor) protowire.Type {
	if fd.IsPacked() {
		return protowire.BytesType
	}
	switch fd.Kind() {
	case protoreflect.Fixed32Kind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind:
		return protowire.Fixed64Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	}
	return protowire.VarintType
}
