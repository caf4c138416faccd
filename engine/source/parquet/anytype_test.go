package parquet

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/internal/anytype"
	"github.com/tidemark/tidemark/engine/source"
	"github.com/tidemark/tidemark/engine/source/internal/input"
)

// readAny reads a file into records of a type that only reflection knows. bad are
// the rows that are malformed, by number.
func readAny(path string, t reflect.Type) (got []reflect.Value, bad map[int64]error, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	c := input.NewContent(f)
	meta, err := readFooter(c, info.Size())
	if err != nil {
		return nil, nil, err
	}
	bad = map[int64]error{}
	for g := range meta.RowGroups {
		r, err := open(input.Split{File: input.File{Path: path, Size: info.Size()}, Start: int64(g), End: int64(g) + 1}, c, t, &builder{})
		if err != nil {
			return got, bad, err
		}
		for {
			v := reflect.New(t)
			err = r.next(v.UnsafePointer())
			var malformed *source.MalformedError
			if errors.As(err, &malformed) {
				bad[malformed.Row], err = err, nil
			}
			if err != nil {
				break
			}
			got = append(got, v.Elem())
		}
		if closeErr := r.Close(); err != io.EOF || closeErr != nil {
			return got, bad, errors.Join(err, closeErr)
		}
	}
	return got, bad, nil
}

// writeAny writes records; not ok: the library does not write such a type.
func writeAny(path string, t reflect.Type, records []reflect.Value) (ok bool, err error) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	if wrong(t, false) {
		return false, nil
	}
	schema := parquet.SchemaOf(reflect.New(t).Interface())
	f, err := os.Create(path)
	if err != nil {
		return false, err
	}
	w := parquet.NewWriter(f, schema, parquet.MaxRowsPerRowGroup(3))
	for _, r := range records {
		if err := w.Write(r.Addr().Interface()); err != nil {
			return false, nil
		}
	}
	return true, errors.Join(w.Close(), f.Close())
}

// wrong reports whether the library writes values of the type wrongly, as pyarrow
// reads them too: pointers to structs in slices, in which pointers may come to be
// null, and arrays in maps, which get the bytes of another entry.
func wrong(t reflect.Type, inMap bool) bool {
	switch t.Kind() {
	case reflect.Map:
		return wrong(t.Key(), true) || wrong(t.Elem(), true)
	case reflect.Array:
		return inMap
	case reflect.Slice, reflect.Pointer:
		e := t.Elem()
		return t.Kind() == reflect.Slice && e.Kind() == reflect.Pointer && e.Elem().Kind() == reflect.Struct || wrong(e, inMap)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); t != timeType && f.Tag.Get("parquet") != "-" && wrong(f.Type, inMap) {
				return true
			}
		}
	}
	return false
}

// I16: of any struct, either each record comes back equal, or the type is refused
// when the job is built, or by name before any record.
func TestAnyTypeComesBackOrIsRefused(t *testing.T) {
	refused, unwritten, kept := 0, 0, 0
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		for i := range 20 {
			typ := anytype.Struct(rt, 2)
			if err := check(typ, typ.String(), nil); err != nil {
				if !errors.Is(err, source.ErrOptions) {
					rt.Fatalf("%v: %v", typ, err)
				}
				refused++
				continue
			}
			var sent []reflect.Value
			for range 4 {
				v := reflect.New(typ).Elem()
				anytype.Values{Finite: true, Text: true, Nanos: true}.Fill(rt, v)
				sent = append(sent, v)
			}
			path := filepath.Join(dir, fmt.Sprint(i))
			ok, err := writeAny(path, typ, sent)
			if err != nil {
				rt.Fatalf("%v: write: %v", typ, err)
			}
			if !ok {
				unwritten++
				continue
			}
			got, bad, err := readAny(path, typ)
			if errors.Is(err, ErrColumns) {
				refused++
				continue
			}
			if err != nil || len(bad) > 0 || len(got) != len(sent) {
				rt.Fatalf("%v: %d of %d records, %v, %v", typ, len(got), len(sent), bad, err)
			}
			kept++
			for i := range sent {
				if !anytype.Same(sent[i], got[i], "parquet") {
					all := cmp.Exporter(func(reflect.Type) bool { return true })
					rt.Fatalf("%v: sent and got:\n%s", typ, cmp.Diff(sent[i].Interface(), got[i].Interface(), all))
				}
			}
		}
	})
	t.Logf("%d types came back, %d were refused, %d not written", kept, refused, unwritten)
	if kept == 0 || refused == 0 {
		t.Errorf("%d types came back, %d were refused", kept, refused)
	}
}
