package parquet

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go/format"
)

var (
	corpora  = flag.String("corpora", "", "folder with parquet-testing, csv-spectrum and JSONTestSuite")
	expected = flag.String("expected", "", "what .ci/corpora.py wrote of it")
)

// knownRefusals are the columns of parquet-testing that are refused, or of which rows
// are malformed, though pyarrow reads them, and why.
var knownRefusals = map[string]string{
	"ARROW-GH-41317.parquet timestamp_us_no_tz": "page header",             // damaged on purpose
	"int96_from_spark.parquet a":                "ns of Julian day",        // of the year 290000, which wrapped around when it was written
	"column_chunk_key_value_metadata.parquet ":  "decoding thrift payload", // the library wants a value for each key
}

// typeOf returns the type that holds all values of an element.
func typeOf(e *element) reflect.Type {
	t := presentType(e)
	switch {
	case e.repeated():
		return reflect.SliceOf(t)
	case e.optional() && t.Kind() != reflect.Slice && t.Kind() != reflect.Map:
		return reflect.PointerTo(t)
	}
	return t
}

func presentType(e *element) reflect.Type {
	if repeated, item, ok := e.list(); ok {
		if item == nil {
			return reflect.SliceOf(presentType(repeated))
		}
		return reflect.SliceOf(typeOf(item))
	}
	if _, key, value, ok := e.entries(); ok {
		return reflect.MapOf(presentType(key), typeOf(value))
	}
	if e.children != nil {
		var fields []reflect.StructField
		for i, c := range e.children {
			fields = append(fields, reflect.StructField{Name: fmt.Sprint("F", i), Type: typeOf(c), Tag: reflect.StructTag(fmt.Sprintf("parquet:%q", c.Name))})
		}
		return reflect.StructOf(fields)
	}
	switch l := e.logical().(type) {
	case *format.TimestampType, *format.DateType:
		return timeType
	case *format.TimeType:
		return durationType
	case *format.DecimalType, *format.UUIDType, *format.StringType, *format.EnumType, *format.JsonType:
		return reflect.TypeFor[string]()
	case *format.Float16Type:
		return reflect.TypeFor[float32]()
	case *format.IntType:
		signed := map[int8]reflect.Type{8: reflect.TypeFor[int8](), 16: reflect.TypeFor[int16](), 32: reflect.TypeFor[int32](), 64: reflect.TypeFor[int64]()}
		unsigned := map[int8]reflect.Type{8: reflect.TypeFor[uint8](), 16: reflect.TypeFor[uint16](), 32: reflect.TypeFor[uint32](), 64: reflect.TypeFor[uint64]()}
		if t := unsigned[l.BitWidth]; t != nil && !l.IsSigned {
			return t
		} else if t := signed[l.BitWidth]; t != nil {
			return t
		}
	}
	return physicalType(e)
}

func physicalType(e *element) reflect.Type {
	if t := map[format.Type]reflect.Type{
		format.Boolean: reflect.TypeFor[bool](), format.Int32: reflect.TypeFor[int32](), format.Int64: reflect.TypeFor[int64](), format.Int96: timeType,
		format.Float: reflect.TypeFor[float32](), format.Double: reflect.TypeFor[float64](),
		format.ByteArray: reflect.TypeFor[[]byte](), format.FixedLenByteArray: reflect.TypeFor[[]byte](),
	}[e.SchemaElement.Type.V]; t != nil {
		return t
	}
	return reflect.TypeFor[string]() // no type holds it
}

// keysOf returns the only fields of a slice of structs.
func keysOf(s reflect.Value) reflect.Value {
	keys := reflect.MakeSlice(reflect.SliceOf(s.Type().Elem().Field(0).Type), s.Len(), s.Len())
	for i := range s.Len() {
		keys.Index(i).Set(s.Index(i).Field(0))
	}
	return keys
}

// agrees reports whether a value is what pyarrow read; see .ci/corpora.py.
func agrees(want any, got reflect.Value) bool {
	if got.Kind() == reflect.Pointer {
		return (want == nil) == got.IsNil() && (want == nil || agrees(want, got.Elem()))
	}
	number := func(v any) int64 {
		n, err := strconv.ParseInt(fmt.Sprint(v), 10, 64)
		if err != nil {
			return -1 << 62
		}
		return n
	}
	list, _ := want.([]any)
	object, _ := want.(map[string]any)
	switch v := got.Interface().(type) {
	case time.Time:
		return len(list) == 2 && number(list[0]) == v.Unix() && number(list[1]) == int64(v.Nanosecond())
	case time.Duration:
		return number(want) == int64(v)
	case []byte:
		b, err := base64.StdEncoding.DecodeString(fmt.Sprint(object["base64"]))
		return want == nil && v == nil || want != nil && err == nil && bytes.Equal(b, v)
	case string:
		if object != nil {
			return agrees(want, reflect.ValueOf([]byte(v)))
		}
		return want == v
	}
	switch got.Kind() {
	case reflect.Float32, reflect.Float64:
		n, err := strconv.ParseFloat(fmt.Sprint(want), 64)
		return err == nil && n == got.Float()
	case reflect.Slice:
		if got.Len() == len(list) && got.Type().Elem().Kind() == reflect.Struct && got.Type().Elem().NumField() == 1 && len(list) > 0 {
			if _, ok := list[0].(map[string]any); !ok { // of keys without values
				got = keysOf(got)
			}
		}
		if (want == nil) != got.IsNil() || len(list) != got.Len() {
			return false
		}
		for i := range list {
			if !agrees(list[i], got.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		entries, inside := want.([]any) // as pyarrow gives a map inside another value
		if !inside {
			entries, _ = object["map"].([]any)
		}
		if (want == nil) != got.IsNil() || len(entries) != got.Len() {
			return false
		}
		for _, e := range entries {
			found := false
			for it := got.MapRange(); it.Next(); {
				found = found || agrees(e.([]any)[0], it.Key()) && agrees(e.([]any)[1], it.Value())
			}
			if !found {
				return false
			}
		}
		return true
	case reflect.Struct:
		if object == nil && got.NumField() == 1 { // a map without values
			return agrees(want, got.Field(0))
		}
		for i := range got.NumField() {
			if !agrees(object[got.Type().Field(i).Tag.Get("parquet")], got.Field(i)) {
				return false
			}
		}
		return object != nil
	}
	return want != nil && fmt.Sprint(want) == fmt.Sprint(got)
}

// I16: each column of each file is read as pyarrow reads it, or refused by name.
func TestCorpora(t *testing.T) {
	if *corpora == "" || *expected == "" {
		t.Skip("no corpora: make corpora DIR=<folder with parquet-testing>")
	}
	equal, refusedCount := 0, 0
	err := filepath.WalkDir(*corpora, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.Contains(d.Name(), ".parquet") || strings.HasSuffix(d.Name(), ".json") {
			return err
		}
		name, err := filepath.Rel(*corpora, path)
		if err != nil {
			return err
		}
		var want struct {
			Error   string
			Columns map[string]struct {
				Error  string
				Values []any
			}
		}
		if text, err := os.ReadFile(filepath.Join(*expected, name+".json")); err == nil {
			d := json.NewDecoder(bytes.NewReader(text))
			d.UseNumber()
			if err := d.Decode(&want); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		} else {
			want.Error = "encrypted" // the script reads no such file
		}
		refused := func(column string, byPyarrow string, err error) {
			refusedCount++
			t.Logf("%s %s: refused: %.160v", name, column, err)
			if why := knownRefusals[filepath.Base(name)+" "+column]; byPyarrow == "" && (why == "" || !strings.Contains(err.Error(), why)) {
				t.Errorf("%s %s: pyarrow reads it; here: %v", name, column, err)
			}
		}
		f, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		meta, err := readFooter(bytes.NewReader(f), int64(len(f)))
		if err != nil {
			refused("", want.Error, err)
			return nil
		}
		root, err := schemaOf(meta.Schema)
		if err != nil {
			refused("", want.Error, err)
			return nil
		}
		for _, column := range root.children {
			is := want.Columns[column.Name]
			whole := reflect.StructOf([]reflect.StructField{{Name: "V", Type: typeOf(column), Tag: reflect.StructTag(fmt.Sprintf("parquet:%q", column.Name))}})
			err := check(whole, "record", nil)
			var got []reflect.Value
			bad := map[int64]error{}
			if err == nil {
				got, bad, err = readAny(path, whole)
			}
			if err != nil {
				refused(column.Name, want.Error+is.Error, err)
				continue
			}
			if want.Error+is.Error != "" {
				t.Logf("%s %s: %d rows; pyarrow: %.100s", name, column.Name, len(got), want.Error+is.Error)
				continue
			}
			equal++
			rows := len(got)
			if rows != len(is.Values) {
				t.Errorf("%s %s: %d rows, pyarrow has %d", name, column.Name, rows, len(is.Values))
				continue
			}
			for i, v := range got {
				if err := bad[int64(i)]; err != nil {
					text, _ := json.Marshal(is.Values[i])
					if !strings.Contains(string(text), `"float":`) {
						refused(column.Name, "", err)
						break
					}
				} else if !agrees(is.Values[i], v.Field(0)) {
					text, _ := json.Marshal(is.Values[i])
					t.Errorf("%s %s row %d: %+v, pyarrow has %s", name, column.Name, i, v.Field(0), text)
					break
				}
			}
		}
		return nil
	})
	if err != nil || equal == 0 {
		t.Errorf("%d columns are equal, %v", equal, err)
	}
	t.Logf("%d columns read as pyarrow does, %d refused by name", equal, refusedCount)
}
