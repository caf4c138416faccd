package parquet_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	pq "github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"
)

type point struct {
	X int32   `parquet:"x"`
	Y *uint16 `parquet:"y,optional"`
}

type wideRecord struct {
	B       bool             `parquet:"b"`
	I8      int8             `parquet:"i8"`
	I64     int64            `parquet:"i64"`
	U32     uint32           `parquet:"u32,dict"`
	U64     *uint64          `parquet:"u64,optional"`
	F32     float32          `parquet:"f32"`
	F64     float64          `parquet:"f64"`
	Text    string           `parquet:"text,dict"`
	Bytes   []byte           `parquet:"bytes"`
	Fixed   [3]byte          `parquet:"fixed"`
	Old     []int32          `parquet:"old"`
	List    []point          `parquet:"list,list"`
	Texts   []string         `parquet:"texts,list"`
	M       map[string]point `parquet:"m"`
	Group   point            `parquet:"group"`
	Perhaps *point           `parquet:"perhaps,optional"`
}

// I16: what is written with each codec comes back, record by record, wherever a
// reader is opened again.
func TestComesBack(t *testing.T) {
	codecs := []pq.WriterOption{pq.Compression(&pq.Uncompressed), pq.Compression(&pq.Snappy), pq.Compression(&pq.Gzip), pq.Compression(&pq.Zstd), pq.Compression(&pq.Lz4Raw), pq.Compression(&pq.Brotli)}
	rapid.Check(t, func(rt *rapid.T) {
		sent := rapid.SliceOfN(rapid.Make[wideRecord](), 1, 20).Draw(rt, "records")
		dir, err := os.MkdirTemp("", "")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		f, err := os.Create(filepath.Join(dir, "a.parquet"))
		if err != nil {
			rt.Fatal(err)
		}
		w := pq.NewGenericWriter[wideRecord](f, rapid.SampledFrom(codecs).Draw(rt, "codec"),
			pq.MaxRowsPerRowGroup(rapid.Int64Range(1, 15).Draw(rt, "group")),
			pq.DataPageVersion(rapid.IntRange(1, 2).Draw(rt, "version")), pq.PageBufferSize(rapid.IntRange(1, 200).Draw(rt, "page")))
		if _, err := w.Write(sent); err != nil {
			rt.Fatal(err)
		}
		if err := errors.Join(w.Close(), f.Close()); err != nil {
			rt.Fatal(err)
		}
		got, err := readPieces[wideRecord](t, dir, rapid.IntRange(1, 9).Draw(rt, "batch"))
		if diff := cmp.Diff(sent, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			rt.Fatalf("%v, sent and got:\n%s", err, diff)
		}
	})
}
