package source

import (
	"bufio"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/internal/anytype"
)

// asText is how a program would write a field into a column.
func asText(v reflect.Value) string {
	if m, ok := v.Addr().Interface().(encoding.TextMarshaler); ok {
		b, err := m.MarshalText()
		if err != nil {
			panic(err)
		}
		return string(b)
	}
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits())
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10)
	}
	return strconv.FormatInt(v.Int(), 10)
}

// I16: of any struct, either each record comes back equal from CSV, or the type is
// refused when the job is built, with the field.
func TestAnyTypeComesBackOrIsRefused(t *testing.T) {
	refused, kept := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		for range 50 {
			typ := anytype.Struct(t, rapid.IntRange(0, 1).Draw(t, "depth"))
			columns, err := columnsOf(typ)
			if err != nil {
				if !errors.Is(err, ErrOptions) || typ.NumField() > 0 && !strings.Contains(err.Error(), "field") {
					t.Fatalf("%v: %v", typ, err)
				}
				refused++
				continue
			}
			kept++
			sent := reflect.New(typ)
			anytype.Values{Finite: true, Text: true, Years: true}.Fill(t, sent.Elem())
			var text strings.Builder
			for i := range typ.NumField() {
				f := sent.Elem().Field(i)
				if typ.Field(i).Tag.Get("csv") != "-" {
					fmt.Fprintf(&text, `"%s",`, strings.ReplaceAll(asText(f), `"`, `""`))
				}
			}
			text.WriteString("\"\"\r\n")
			r := &csvReader{r: bufio.NewReader(strings.NewReader(text.String())), maxBytes: 1 << 20}
			record, err := r.read()
			if err != nil || len(record) != len(columns)+1 {
				t.Fatalf("%v: read %q: %q, %v", typ, text.String(), record, err)
			}
			got := reflect.New(typ)
			for i, c := range columns {
				if err := c.set(got.Interface(), record[i]); err != nil {
					t.Fatalf("%v: column %s: %q: %v", typ, c.name, record[i], err)
				}
			}
			if !anytype.Same(sent.Elem(), got.Elem(), "csv") {
				t.Fatalf("%v: %+v came back as %+v, by %q", typ, sent.Elem(), got.Elem(), text.String())
			}
		}
	})
	if refused == 0 || kept == 0 {
		t.Errorf("%d types were refused, %d were not", refused, kept)
	}
}
