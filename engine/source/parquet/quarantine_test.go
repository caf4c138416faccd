package parquet_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	pq "github.com/parquet-go/parquet-go"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/enginetest"
	"github.com/tidemark/tidemark/engine/source"
	"github.com/tidemark/tidemark/engine/source/parquet"
)

// A quarantine keeps a row as the file has it, by its number in the file.
func TestQuarantineKeepsRows(t *testing.T) {
	type row struct {
		F    float64  `parquet:"f"`
		Text string   `parquet:"text"`
		List []string `parquet:"list,list"`
		P    *int64   `parquet:"p,optional"`
		More string   `parquet:"more"` // is not read
	}
	n := int64(7)
	rows := []row{{F: 1}, {F: 2}, {F: 3}, {F: math.NaN(), Text: "x", List: []string{"a", "b"}}, {F: 5, Text: "caf\xe9", P: &n}, {F: 6}}
	in, out := t.TempDir(), t.TempDir()
	path := filepath.Join(in, "a.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := pq.NewGenericWriter[row](f, pq.MaxRowsPerRowGroup(2))
	for i := range rows {
		if _, err := w.Write(rows[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(in, "b.parquet"), []byte("PAR1 is not enough"), 0o644); err != nil {
		t.Fatal(err)
	}
	type read struct {
		F    float64  `parquet:"f"`
		Text string   `parquet:"text"`
		List []string `parquet:"list"`
		P    *int64   `parquet:"p"`
	}
	job := engine.NewJob("j")
	collected, good := enginetest.Collect[read]()
	engine.From(job, "in", parquet.Files[read](in, source.Options{OnMalformed: source.Quarantine(out)})).To("out", collected)
	enginetest.Run(t, job)

	job = engine.NewJob("quarantine")
	all, kept := enginetest.Collect[source.Quarantined]()
	engine.From(job, "in", source.JSONL[source.Quarantined](out)).To("out", all)
	enginetest.Run(t, job)
	var got []string
	for _, q := range kept() {
		if q.Offset != nil || q.Row == nil || q.Reason == "" {
			t.Errorf("kept %+v", q)
			continue
		}
		got = append(got, filepath.Base(q.File)+" "+string(rune('0'+*q.Row))+" "+q.Text)
	}
	slices.Sort(got)
	want := []string{
		`a.parquet 3 {"f":"NaN","list.list.element":["a","b"],"p":null,"text":"x"}`,
		`a.parquet 4 {"f":5,"list.list.element":[null],"p":7,"text":[99,97,102,233]}`,
		`b.parquet 0 `,
	}
	if !slices.Equal(got, want) || len(good()) != 4 {
		t.Errorf("kept %q, %d good", got, len(good()))
	}
}
