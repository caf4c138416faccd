package parquet_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source"
	"github.com/tidemark/tidemark/engine/source/parquet"
)

const written = "../../../testdata/parquet/"

// folders are the files that are kept, and those that make written has just made.
func folders(t *testing.T) []string {
	fresh := os.Getenv("TIDEMARK_WRITTEN")
	if fresh == "" {
		t.Log("TIDEMARK_WRITTEN is not set: no fresh files of pyarrow and DuckDB are read")
		return []string{written}
	}
	return []string{written, fresh + "/"}
}

// types has a field for each column of types.parquet.
type types struct {
	I8    *int8          `json:"i8" parquet:"i8"`
	I16   *int16         `json:"i16" parquet:"i16"`
	I32   *int32         `json:"i32" parquet:"i32"`
	I64   *int64         `json:"i64" parquet:"i64"`
	U8    *uint8         `json:"u8" parquet:"u8"`
	U16   *uint16        `json:"u16" parquet:"u16"`
	U32   *uint32        `json:"u32" parquet:"u32"`
	U64   *uint64        `json:"u64" parquet:"u64"`
	F16   *float32       `json:"f16" parquet:"f16"`
	F32   *float32       `json:"f32" parquet:"f32"`
	F64   *float64       `json:"f64" parquet:"f64"`
	Flag  *bool          `json:"flag" parquet:"flag"`
	Str   *string        `json:"str" parquet:"str"`
	Bin   []byte         `json:"bin" parquet:"bin"`
	Fixed []byte         `json:"fixed" parquet:"fixed"`
	Dec   *string        `json:"dec" parquet:"dec"`
	Dec9  *string        `json:"dec9" parquet:"dec9"`
	Big   *string        `json:"big" parquet:"big"`
	Date  *time.Time     `json:"date" parquet:"date"`
	Ms    *time.Time     `json:"ms" parquet:"ms"`
	Us    *time.Time     `json:"us" parquet:"us"`
	Ns    *time.Time     `json:"ns" parquet:"ns"`
	T32   *time.Duration `json:"t32" parquet:"t32"`
	T64   *time.Duration `json:"t64" parquet:"t64"`
	UUID  *string        `json:"uuid" parquet:"uuid"`
}

// wide reads some of them into the next wider types.
type wide struct {
	I8  *int64   `json:"i8" parquet:"i8"`
	I32 *int64   `json:"i32" parquet:"i32"`
	U8  *int16   `json:"u8" parquet:"u8"`
	U32 *int64   `json:"u32" parquet:"u32"`
	I16 *float32 `json:"i16" parquet:"i16"`
	U16 *float64 `json:"u16" parquet:"u16"`
	F16 *float64 `json:"f16" parquet:"f16"`
	F32 *float64 `json:"f32" parquet:"f32"`
}

type nested struct {
	ID    int64            `json:"id" parquet:"id"`
	List  []*int32         `json:"list" parquet:"list"`
	Lists [][]string       `json:"lists" parquet:"lists"`
	Map   map[string]int64 `json:"map" parquet:"map"`
	Group *struct {
		A *int64 `json:"a" parquet:"a"`
		B []struct {
			C string `json:"c" parquet:"c"`
		} `json:"b" parquet:"b"`
	} `json:"group" parquet:"group"`
}

type one[T any] struct {
	V T `json:"v" parquet:"v"`
}

// equal reads a file whole, and in pieces with a reader opened at each, and
// compares the rows with those that its writer reads.
func equal[T any](t *testing.T, name string) {
	for _, folder := range folders(t) {
		equalIn[T](t, folder, name)
	}
}

func equalIn[T any](t *testing.T, folder, name string) {
	t.Run(name, func(t *testing.T) {
		t.Helper()
		text, err := os.ReadFile(folder + name + ".jsonl")
		if err != nil {
			t.Fatal(err)
		}
		want := []T{}
		for d := json.NewDecoder(bytes.NewReader(text)); d.More(); {
			var v T
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			want = append(want, v)
		}
		for _, batch := range []int{1000, 7} {
			got, err := readPieces[T](t, folder+name+".parquet", batch)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) {
				t.Fatalf("%d rows, want %d", len(got), len(want))
			}
			for i := range got {
				if !reflect.DeepEqual(got[i], want[i]) {
					g, _ := json.Marshal(got[i])
					w, _ := json.Marshal(want[i])
					t.Fatalf("row %d is\n%s, want\n%s", i, g, w)
				}
			}
		}
	})
}

// I16: what pyarrow wrote comes back as pyarrow reads it.
func TestReadsWhatPyarrowWrote(t *testing.T) {
	equal[types](t, "types")
	equal[wide](t, "types")
	equal[nested](t, "nested")
	equal[one[*time.Time]](t, "int96")
	equal[one[string]](t, "lz4-v1")
	equal[one[string]](t, "lz4-v2")
	equal[one[*float32]](t, "nulls")
	equal[one[int64]](t, "empty")
}

// duckdbTypes has a field for each column of duckdb-types.parquet.
type duckdbTypes struct {
	I8   *int8          `json:"i8" parquet:"i8"`
	I16  *int16         `json:"i16" parquet:"i16"`
	I32  *int32         `json:"i32" parquet:"i32"`
	I64  *int64         `json:"i64" parquet:"i64"`
	U8   *uint8         `json:"u8" parquet:"u8"`
	U16  *uint16        `json:"u16" parquet:"u16"`
	U32  *uint32        `json:"u32" parquet:"u32"`
	U64  *uint64        `json:"u64" parquet:"u64"`
	F32  *float32       `json:"f32" parquet:"f32"`
	F64  *float64       `json:"f64" parquet:"f64"`
	Flag *bool          `json:"flag" parquet:"flag"`
	Str  *string        `json:"str" parquet:"str"`
	Bin  []byte         `json:"bin" parquet:"bin"`
	Dec  *string        `json:"dec" parquet:"dec"`
	Dec9 *string        `json:"dec9" parquet:"dec9"`
	Date *time.Time     `json:"date" parquet:"date"`
	Ms   *time.Time     `json:"ms" parquet:"ms"`
	Us   *time.Time     `json:"us" parquet:"us"`
	Ns   *time.Time     `json:"ns" parquet:"ns"`
	Ts   *time.Time     `json:"ts" parquet:"ts"`
	T64  *time.Duration `json:"t64" parquet:"t64"`
	UUID *string        `json:"uuid" parquet:"uuid"`
	Enum *string        `json:"enum" parquet:"enum"`
}

// I16: what DuckDB wrote comes back as DuckDB reads it.
func TestReadsWhatDuckDBWrote(t *testing.T) {
	equal[duckdbTypes](t, "duckdb-types")
	equal[nested](t, "duckdb-nested")
	for _, name := range []string{"uncompressed-v1", "snappy-v1", "snappy-v2", "gzip-v1", "zstd-v2", "lz4_raw-v1", "lz4_raw-v2", "brotli-v2"} {
		equal[one[string]](t, "duckdb-"+name)
	}
	equal[one[int64]](t, "duckdb-empty")
}

// I16: a column whose values a field cannot hold is refused by name, before any
// record.
func TestRefusesLossyFields(t *testing.T) {
	type (
		i64u struct {
			V uint64 `parquet:"i64"`
		}
		u64i struct {
			V int64 `parquet:"u64"`
		}
		u32i struct {
			V int32 `parquet:"u32"`
		}
		i64f struct {
			V float64 `parquet:"i64"`
		}
		f64f struct {
			V float32 `parquet:"f64"`
		}
		i32f struct {
			V float32 `parquet:"i32"`
		}
		deci struct {
			V int64 `parquet:"dec"`
		}
		dec9i struct {
			V int64 `parquet:"dec9"`
		}
		dec9f struct {
			V float64 `parquet:"dec9"`
		}
		t32t struct {
			V time.Time `parquet:"t32"`
		}
		t64i struct {
			V int64 `parquet:"t64"`
		}
		usi struct {
			V int64 `parquet:"us"`
		}
		datei struct {
			V int32 `parquet:"date"`
		}
		f16i struct {
			V int32 `parquet:"f16"`
		}
		stri struct {
			V int64 `parquet:"str"`
		}
		fixedi struct {
			V [4]byte `parquet:"fixed"`
		}
		i64s struct {
			V string `parquet:"i64"`
		}
		i64l struct {
			V []int64 `parquet:"i64"`
		}
	)
	lossy[i64u](t, "i64", "use an int64")
	lossy[u64i](t, "u64", "use a uint64")
	lossy[u32i](t, "u32", "use a uint32 or an int64")
	lossy[i64f](t, "i64", "use an int64")
	lossy[f64f](t, "f64", "use a float64")
	lossy[i32f](t, "i32", "use an int32 or an int64")
	lossy[deci](t, "dec", "use a string")
	lossy[dec9i](t, "dec9", "use a string")
	lossy[dec9f](t, "dec9", "use a string")
	lossy[t32t](t, "t32", "use time.Duration")
	lossy[t64i](t, "t64", "use time.Duration")
	lossy[usi](t, "us", "use time.Time")
	lossy[datei](t, "date", "use time.Time")
	lossy[f16i](t, "f16", "use a float32")
	lossy[stri](t, "str", "use a string")
	lossy[fixedi](t, "fixed", "[3]byte")
	lossy[i64s](t, "i64", "use an int64")
	lossy[i64l](t, "i64", "use an int64")
	type scalar struct {
		V int32 `parquet:"list"`
	}
	_, err := readErr[scalar](t, written+"nested.parquet", engine.SourceContext{})
	refused(t, err, `column "list" is a list, and field parquet_test.scalar.V is a int32: use a slice`)
	type deep struct {
		Group struct{ X int64 } `parquet:"group"`
	}
	_, err = readErr[deep](t, written+"nested.parquet", engine.SourceContext{})
	refused(t, err, `no column "X" in column "group": use "a" or "b" (correct the parquet tag of field parquet_test.deep.Group.X)`)
}

// lossy expects that the field V of T is refused the column.
func lossy[T any](t *testing.T, column, hint string) {
	t.Helper()
	_, err := readErr[T](t, written+"types.parquet", engine.SourceContext{})
	refused(t, err, `column "`+column+`" is `, "and field "+reflect.TypeFor[T]().String()+".V is a ", hint)
}

func refused(t *testing.T, err error, want ...string) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(err, parquet.ErrColumns) || !engine.IsPermanent(err) || !strings.Contains(err.Error(), w) {
			t.Errorf("got %v, want it to say %q", err, w)
		}
	}
}

// Options.Complete makes a null malformed where the field cannot be nil.
func TestNullsOfCompleteRecords(t *testing.T) {
	type row struct {
		I64 int64 `parquet:"i64"`
	}
	got, err := readErr[row](t, written+"types.parquet", engine.SourceContext{})
	if err != nil || len(got) != 3 || got[2].I64 != 0 {
		t.Errorf("without: %v, %v", got, err)
	}
	_, err = readErr[row](t, written+"types.parquet", engine.SourceContext{}, source.Options{Complete: true})
	if err == nil || !engine.IsPermanent(err) || !strings.Contains(err.Error(), `types.parquet row 2: column "i64": null, and the field parquet_test.row.I64 is no pointer`) {
		t.Errorf("with: %v", err)
	}
}

// Whatever byte of a file is damaged, its reader does not panic, and with Skip it
// comes to the end.
func TestDamagedFiles(t *testing.T) {
	for _, name := range []string{"types", "nested", "lz4-v1", "lz4-v2", "int96"} {
		whole, err := os.ReadFile(written + name + ".parquet")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "a.parquet")
		step := 1 + len(whole)/60
		for at := 0; at < len(whole); at += step {
			b := bytes.Clone(whole)
			b[at] ^= 0xff
			if at%2 == 0 {
				b = b[:at] // cut short
			}
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			var counted []error
			skip := engine.SourceContext{Malformed: func(err error) { counted = append(counted, err) }}
			switch name {
			case "types":
				_, err = readErr[types](t, path, skip, source.Options{OnMalformed: source.Skip})
			case "nested":
				_, err = readErr[nested](t, path, skip, source.Options{OnMalformed: source.Skip})
			case "int96":
				_, err = readErr[one[*time.Time]](t, path, skip, source.Options{OnMalformed: source.Skip})
			default:
				_, err = readErr[one[string]](t, path, skip, source.Options{OnMalformed: source.Skip})
			}
			if err != nil && !errors.Is(err, parquet.ErrColumns) {
				t.Errorf("%s, byte %d: %v", name, at, err)
			}
			if at%2 == 0 && (err != nil || len(counted) != 1) {
				t.Errorf("%s, cut at %d: %v, counted %v", name, at, err, counted)
			}
		}
	}
}

// I16: a field that is not exported would stay zero without a word.
func TestRefusesHiddenFields(t *testing.T) {
	type hidden struct {
		A int64 `parquet:"a"`
		B []struct {
			c int64 `parquet:"c"`
		} `parquet:"b"`
	}
	_, err := readErr[hidden](t, written+"nested.parquet", engine.SourceContext{})
	if !errors.Is(err, source.ErrOptions) || !strings.Contains(err.Error(), "hidden.B[].c: the field is not exported") {
		t.Errorf("got %v", err)
	}
}
