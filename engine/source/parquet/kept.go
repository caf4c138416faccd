package parquet

import (
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

// begin forgets the record before. In each column another one begins, or, without
// more, none.
func (b *builder) begin(more bool) error {
	b.bad = nil
	for _, c := range b.open {
		c.kept = c.kept[:0]
		if c.flat && more {
			continue // its next value is the record's
		}
		switch v, err := c.peek(); {
		case err != nil:
			return err
		case v != nil && !more:
			return fmt.Errorf("column %q has more values than its row group has rows", c.name)
		case v != nil && v.RepetitionLevel() != 0:
			return fmt.Errorf("column %q goes on with the record before, which has ended", c.name)
		}
	}
	return nil
}

// record returns the current record's values as a JSON object, by column: as the
// file has them, before they become fields. nil: they are not kept.
func (b *builder) record() []byte {
	if !b.keep {
		return nil
	}
	columns := map[string]any{}
	for _, c := range b.open {
		values := []any{}
		for i := range c.kept {
			values = append(values, jsonOf(&c.kept[i]))
		}
		if columns[c.name] = values; c.flat && len(values) == 1 {
			columns[c.name] = values[0]
		}
	}
	text, _ := json.Marshal(columns) // of kinds that JSON has
	return text
}

// jsonOf returns a value of a column for JSON: bytes that are no text as an array.
func jsonOf(v *parquet.Value) any {
	switch v.Kind() {
	case parquet.Boolean:
		return v.Boolean()
	case parquet.Int32:
		return v.Int32()
	case parquet.Int64:
		return v.Int64()
	case parquet.Float:
		return number(float64(v.Float()), 32)
	case parquet.Double:
		return number(v.Double(), 64)
	case parquet.Int96:
		x := v.Int96()
		return x[:]
	case parquet.ByteArray, parquet.FixedLenByteArray:
		if utf8.Valid(v.ByteArray()) {
			return string(v.ByteArray())
		}
		bytes := []int{}
		for _, b := range v.ByteArray() {
			bytes = append(bytes, int(b))
		}
		return bytes
	}
	return nil
}

// number is a number of JSON, or text where JSON has none.
func number(x float64, bits int) any {
	text := strconv.FormatFloat(x, 'g', -1, bits)
	if finite(x) != nil {
		return text
	}
	return json.Number(text)
}
