package source_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/sink"
	"github.com/tidemark/tidemark/engine/source"
)

type kind string

type point struct {
	X, Y int32
}

// wideRecord has a field of each shape that JSON takes.
type wideRecord struct {
	point
	B     bool              `json:"b"`
	I8    int8              `json:"i8,omitempty"`
	I64   int64             `json:"i64,string"`
	U64   uint64            `json:"u64"`
	F32   float32           `json:"f32"`
	F64   float64           `json:"f64"`
	Text  string            `json:"text"`
	Kind  kind              `json:"kind"`
	Bytes []byte            `json:"bytes"`
	Array [2]point          `json:"array"`
	List  []*point          `json:"list"`
	ByKey map[kind][]string `json:"by_key"`
	ByInt map[int8]point    `json:"by_int"`
	P     *string           `json:"p,omitempty"`
	Skip  int               `json:"-"`
}

// I16: what the sink of JSON Lines writes, the source reads, record by record.
func TestJSONLComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent := rapid.SliceOfN(rapid.Make[wideRecord](), 1, 5).Draw(t, "records")
		for i := range sent {
			sent[i].Skip = 0
		}
		dir, err := os.MkdirTemp("", "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		s := sink.JSONL[wideRecord](dir)
		if err := s.Recover(t.Context(), engine.Recovery{Operator: "out", Epoch: 1}); err != nil {
			t.Fatal(err)
		}
		w, err := s.Open(engine.SinkContext{Operator: "out", Epoch: 1, Attempt: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(t.Context(), sent); err != nil {
			t.Fatal(err)
		}
		pending, err := w.Prepare(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Publish(t.Context(), [][]byte{pending}); err != nil {
			t.Fatal(err)
		}
		got, err := readAll(source.JSONL[wideRecord](dir, source.Options{Strict: true}), engine.SourceContext{})
		if diff := cmp.Diff(sent, got, cmp.AllowUnexported(wideRecord{})); err != nil || diff != "" {
			t.Fatalf("%v, sent and got:\n%s", err, diff)
		}
	})
}

type flat struct {
	Text string  `csv:"text"`
	Kind kind    `csv:"kind"`
	I64  int64   `csv:"i64"`
	U8   uint8   `csv:"u8"`
	F32  float32 `csv:"f32"`
	F64  float64 `csv:"f64"`
	B    bool    `csv:"b"`
}

// I16: what encoding/csv writes, the source reads, record by record.
func TestCSVComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent := rapid.SliceOfN(rapid.Make[flat](), 1, 9).Draw(t, "records")
		hard := rapid.StringOf(rapid.SampledFrom([]rune("\",\r\n a")))
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		_ = w.Write([]string{"kind", "text", "i64", "u8", "f32", "f64", "b"})
		for i := range sent {
			r := &sent[i]
			if rapid.Bool().Draw(t, "hard") {
				r.Text = hard.Draw(t, "text")
			}
			_ = w.Write([]string{string(r.Kind), r.Text, fmt.Sprint(r.I64), fmt.Sprint(r.U8), fmt.Sprint(r.F32), fmt.Sprint(r.F64), fmt.Sprint(r.B)})
		}
		w.Flush()
		dir, err := os.MkdirTemp("", "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		if err := os.WriteFile(filepath.Join(dir, "a.csv"), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := readAll(source.CSV[flat](dir), engine.SourceContext{})
		if diff := cmp.Diff(sent, got); err != nil || diff != "" {
			t.Fatalf("%v, sent and got of %q:\n%s", err, b.Bytes(), diff)
		}
	})
}
