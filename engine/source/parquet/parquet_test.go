package parquet_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source"
	"github.com/tidemark/tidemark/engine/source/parquet"
)

type stored struct {
	N    int64     `parquet:"n"`
	Text *string   `parquet:"text,optional,dict"`
	Time time.Time `parquet:"time,timestamp(microsecond)"`
	Rest float64   `parquet:"rest"`
}

// row reads some of the columns, in another order.
type row struct {
	Time time.Time `parquet:"time"`
	Text string    `parquet:"text"`
	N    int64     `parquet:"n"`
}

func (r *row) Validate() error {
	if r.N < 0 {
		return errors.New("n is negative")
	}
	return nil
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func writeFile(t *testing.T, path string, first, rows, perGroup int) (want []row) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := pq.NewGenericWriter[stored](f, pq.MaxRowsPerRowGroup(int64(perGroup)))
	for i := first; i < first+rows; i++ {
		s := stored{N: int64(i), Time: epoch.Add(time.Duration(i) * time.Second)}
		r := row{N: s.N, Time: s.Time}
		if i%3 != 0 {
			r.Text = fmt.Sprint("t", i%7)
			s.Text = &r.Text
		}
		if _, err := w.Write([]stored{s}); err != nil {
			t.Fatal(err)
		}
		want = append(want, r)
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return want
}

// I8: every row comes exactly once, wherever reading stops and goes on.
func TestEveryRowOnce(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("replay with SEED=%d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 10 {
		dir := t.TempDir()
		var want []row
		for f := range 1 + rnd.IntN(3) {
			want = append(want, writeFile(t, filepath.Join(dir, fmt.Sprintf("%d.parquet", f)), len(want), rnd.IntN(800), 1+rnd.IntN(400))...)
		}
		s := parquet.Files[row](dir)
		splits, err := s.Splits(context.Background(), 2)
		if err != nil {
			t.Fatal(err)
		}
		var got []row
		for ended := false; !ended; {
			r, err := s.Open(engine.SourceContext{}, splits)
			if err != nil {
				t.Fatal(err)
			}
			for reads := rnd.IntN(4); reads > 0 && err == nil; reads-- {
				var batch []row
				batch, err = r.Read(context.Background(), make([]row, 0, 1+rnd.IntN(500)))
				got = append(got, batch...)
			}
			if err != nil && err != io.EOF {
				t.Fatal(err)
			}
			ended = err == io.EOF
			splits = r.Splits()
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortFunc(got, func(a, b row) int { return int(a.N - b.N) })
		if len(got) != len(want) {
			t.Fatalf("%d rows of %d", len(got), len(want))
		}
		for i := range got {
			if got[i].N != want[i].N || got[i].Text != want[i].Text || !got[i].Time.Equal(want[i].Time) {
				t.Fatalf("row %d is %v, want %v", i, got[i], want[i])
			}
		}
	}
}

func readErr[T any](t *testing.T, pattern string, c engine.SourceContext, opts ...source.Options) ([]T, error) {
	t.Helper()
	s := parquet.Files[T](pattern, opts...)
	splits, err := s.Splits(context.Background(), 1)
	if err != nil {
		return nil, err
	}
	r, err := s.Open(c, splits)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	all, err := r.Read(context.Background(), make([]T, 0, 1000))
	if err == io.EOF {
		err = nil
	}
	return all, err
}

func TestColumnsMustFit(t *testing.T) {
	type narrow struct {
		N int32 `parquet:"n"`
	}
	type text struct {
		N string `parquet:"n"`
	}
	type whole struct {
		Rest int64 `parquet:"rest"`
	}
	type missing struct {
		M int64 `parquet:"m"`
	}
	path := filepath.Join(t.TempDir(), "a.parquet")
	writeFile(t, path, 0, 10, 10)
	check := func(err error, want string) {
		t.Helper()
		if !errors.Is(err, parquet.ErrColumns) || !engine.IsPermanent(err) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want it to name the file and say %q", err, want)
		}
	}
	_, err := readErr[narrow](t, path, engine.SourceContext{})
	check(err, `column "n"`)
	_, err = readErr[text](t, path, engine.SourceContext{})
	check(err, `column "n"`)
	_, err = readErr[whole](t, path, engine.SourceContext{})
	check(err, `column "rest"`)
	_, err = readErr[missing](t, path, engine.SourceContext{})
	check(err, `no column "m" in the file: use "n", "text", "time" or "rest"`)
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.parquet")
	if err := os.WriteFile(path, []byte("no parquet at all"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readErr[row](t, path, engine.SourceContext{}); err == nil || !engine.IsPermanent(err) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if _, err := readErr[row](t, filepath.Join(dir, "*.pq"), engine.SourceContext{}); !errors.Is(err, source.ErrNoFiles) {
		t.Errorf("got %v", err)
	}
}

func TestInvalidRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.parquet")
	writeFile(t, path, -2, 5, 3)
	_, err := readErr[row](t, path, engine.SourceContext{})
	if err == nil || !strings.Contains(err.Error(), path+" row 0: n is negative") {
		t.Errorf("refuse: %v", err)
	}
	counted := 0
	got, err := readErr[row](t, path, engine.SourceContext{Malformed: func(error) { counted++ }}, source.Options{OnMalformed: source.Skip})
	if err != nil || len(got) != 3 || counted != 2 {
		t.Errorf("skip: %d rows, %d counted, %v", len(got), counted, err)
	}
}

// readPieces reads a file in batches, from a reader opened anew for each.
func readPieces[T any](t *testing.T, pattern string, batch int) (all []T, err error) {
	t.Helper()
	s := parquet.Files[T](pattern)
	splits, err := s.Splits(context.Background(), 1)
	for err == nil {
		var r engine.Reader[T]
		if r, err = s.Open(engine.SourceContext{}, splits); err != nil {
			return nil, err
		}
		var got []T
		got, err = r.Read(context.Background(), make([]T, 0, batch))
		all = append(all, got...)
		splits = r.Splits()
		err = cmp.Or(err, r.Close())
	}
	if err == io.EOF {
		err = nil
	}
	return all, err
}
