package source_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
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

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source"
)

// row is a record that tells which one it is.
type row struct {
	N    int    `json:"n" csv:"n"`
	Text string `json:"text" csv:"text"`
}

func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	if s := os.Getenv("SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("replay with SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// randomText holds what formats may stumble over.
func randomText(rnd *rand.Rand) string {
	pieces := []string{"", "a", "é", "\"", ",", " ", "\\", "long " + strings.Repeat("x", rnd.IntN(300))}
	var b strings.Builder
	for range rnd.IntN(5) {
		b.WriteString(pieces[rnd.IntN(len(pieces))])
	}
	return b.String()
}

func write(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	switch filepath.Ext(name) {
	case ".gz":
		content = packed(t, "gzip", string(content))
	case ".zst":
		content = packed(t, "zstd", string(content))
	}
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func render(t *testing.T, rnd *rand.Rand, format string, rows []row) []byte {
	var b bytes.Buffer
	end := []string{"\n", "\r\n"}[rnd.IntN(2)]
	if rnd.IntN(3) == 0 {
		b.WriteString("\xEF\xBB\xBF")
	}
	switch format {
	case "lines":
		for _, r := range rows {
			b.WriteString(fmt.Sprintf("%d %s", r.N, r.Text) + end)
		}
	case "jsonl":
		for _, r := range rows {
			j, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(append(j, end...))
			if rnd.IntN(5) == 0 {
				b.WriteString(end)
			}
		}
	case "csv":
		w := csv.NewWriter(&b)
		w.UseCRLF = end == "\r\n"
		_ = w.Write([]string{"other", "text", "n"})
		for _, r := range rows {
			_ = w.Write([]string{"x\ny", r.Text, fmt.Sprint(r.N)})
		}
		w.Flush()
	}
	if len(rows) > 0 && rnd.IntN(2) == 0 {
		return bytes.TrimRight(b.Bytes(), "\r\n")
	}
	return b.Bytes()
}

// readInPieces reads a source at changing parallelism, opening it again from
// its splits at random positions.
func readInPieces[T any](t *testing.T, rnd *rand.Rand, s engine.Source[T]) (all []T) {
	t.Helper()
	splits, err := s.Splits(context.Background(), 1+rnd.IntN(9))
	if err != nil {
		t.Fatal(err)
	}
	for ended := false; !ended; {
		ended = true
		p := 1 + rnd.IntN(9)
		dealt := make([][]engine.Split, p)
		for i, split := range splits {
			dealt[i%p] = append(dealt[i%p], split)
		}
		splits = nil
		for _, mine := range dealt {
			r, err := s.Open(engine.SourceContext{}, mine)
			if err != nil {
				t.Fatal(err)
			}
			err = nil
			for reads := rnd.IntN(6); reads > 0 && err == nil; reads-- {
				var got []T
				got, err = r.Read(context.Background(), make([]T, 0, 1+rnd.IntN(60)))
				all = append(all, got...)
			}
			if err != nil && err != io.EOF {
				t.Fatal(err)
			}
			ended = ended && err == io.EOF
			splits = append(splits, r.Splits()...)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}

// I8: every record comes exactly once, whatever the size of the splits and
// wherever reading stops and goes on.
func TestEveryRecordOnce(t *testing.T) {
	for _, format := range []string{"lines", "jsonl", "csv"} {
		t.Run(format, func(t *testing.T) {
			rnd := seeded(t)
			for range 40 {
				dir := t.TempDir()
				var rows []row
				for f := range 1 + rnd.IntN(3) {
					first := len(rows)
					for range rnd.IntN(150) {
						rows = append(rows, row{len(rows), randomText(rnd)})
					}
					name := fmt.Sprintf("in%d.%s", f, format)
					name += []string{"", "", "", "", ".gz", ".zst"}[rnd.IntN(6)]
					write(t, dir, name, render(t, rnd, format, rows[first:]))
				}
				pattern := []string{dir, filepath.Join(dir, "in*")}[rnd.IntN(2)]
				o := source.Options{SplitBytes: 1 + rnd.Int64N(200)}
				var got []row
				switch format {
				case "lines":
					for _, line := range readInPieces(t, rnd, source.Lines(pattern, o)) {
						var r row
						_, r.Text, _ = strings.Cut(line, " ")
						if _, err := fmt.Sscan(line, &r.N); err != nil {
							t.Fatalf("line %q: %v", line, err)
						}
						got = append(got, r)
					}
				case "jsonl":
					got = readInPieces(t, rnd, source.JSONL[row](pattern, o))
				case "csv":
					got = readInPieces(t, rnd, source.CSV[row](pattern, o))
				}
				slices.SortFunc(got, func(a, b row) int { return a.N - b.N })
				if !slices.Equal(got, rows) {
					t.Fatalf("got %d rows, want %d:\n%+v\n%+v", len(got), len(rows), got, rows)
				}
			}
		})
	}
}

// readAll reads a source whole.
func readAll[T any](s engine.Source[T], c engine.SourceContext) ([]T, error) {
	splits, err := s.Splits(context.Background(), 1)
	if err != nil {
		return nil, err
	}
	r, err := s.Open(c, splits)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var all []T
	for {
		got, err := r.Read(context.Background(), make([]T, 0, 10))
		all = append(all, got...)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// Validate makes row a record that knows which values are wrong.
func (r *row) Validate() error {
	if r.N < 0 {
		return errors.New("n is negative")
	}
	return nil
}

func TestMalformed(t *testing.T) {
	long := strings.Repeat("x", 300_000)
	for name, c := range map[string]struct {
		file, content string
		max           int
		want          string // after the path
		good          []int  // with Skip
	}{
		"no JSON":       {"a.jsonl", "{\"n\":1}\n\n{\"n\":\n{\"n\":3}\n", 0, " line 3 (byte 9): unexpected end of JSON input", []int{1, 3}},
		"wrong type":    {"a.jsonl", "{\"n\":\"1\"}\n{\"n\":2}", 0, " line 1 (byte 0): json: cannot unmarshal string", []int{2}},
		"null":          {"a.jsonl", "null\n{\"n\":2}", 0, " line 1 (byte 0): null is no record", []int{2}},
		"wrong value":   {"a.jsonl", "{\"n\":1}\n{\"n\":-1}\n{\"n\":3}", 0, " line 2 (byte 8): n is negative", []int{1, 3}},
		"long line":     {"a.jsonl", "{\"n\":1}\n{\"n\":2,\"text\":\"" + long + "\"}\n{\"n\":3}", 1000, " line 2 (byte 8): record too long: 300018 bytes, the most is 1000", []int{1, 3}},
		"longish line":  {"a.jsonl", "{\"n\":1,\"text\":\"abc\"}\n{\"n\":3}", 10, " line 1 (byte 0): record too long: 21 bytes, the most is 10", []int{3}},
		"CSV number":    {"a.csv", "n,text\n1,a\nx,\"\nb\"\n3,c\n", 0, " line 3 (byte 11): column n: \"x\": invalid syntax", []int{1, 3}},
		"CSV range":     {"a.csv", "n,text\n99999999999999999999,a\n", 0, " line 2 (byte 7): column n: \"99999999999999999999\": value out of range", []int{}},
		"CSV fields":    {"a.csv", "n,text\n1,a\n2\n3,c", 0, " line 3 (byte 11): wrong number of fields", []int{1, 3}},
		"CSV quote":     {"a.csv", "n,text\n1,a\n2,b\"\n3,c", 0, " line 3 (byte 11): bare \" in non-quoted-field", []int{1, 3}},
		"CSV long":      {"a.csv", "n,text\n1,a\n2,\"" + long + long, 1000, " line 3 (byte 11): record too long: more than 1000 bytes: is a quote missing?", []int{1}},
		"CSV long cell": {"a.csv", "n,text\n1,a\n2," + long + "\n3,c", 1000, " line 3 (byte 11): record too long", []int{1, 3}},
		"CSV stray":     {"a.csv", "n,text\n1,a\n\"x,b\n3,c\n4,d\n", 0, " line 3 (byte 11): a quote is never closed: it takes in all 3 lines to the end of the file", []int{1}},
		"CSV Latin-1":   {"a.csv", "n,text\n1,caf\xe9\n2,b", 0, " line 2 (byte 7): column text: \"caf\\xe9\": not UTF-8: byte 3 of the text is e9", []int{2}},
		"Latin-1":       {"a.jsonl", "{\"n\":1,\"text\":\"caf\xe9\"}\n{\"n\":2}", 0, " line 1 (byte 0): not UTF-8", []int{2}},
		"half escape":   {"a.jsonl", "{\"n\":1,\"text\":\"\\ud83d\"}\n{\"n\":2,\"text\":\"\\ud83d\\ude00\\\\ud83d\"}", 0, " line 1 (byte 0): not UTF-8: the escape \\ud83d is half a character", []int{2}},
		"JSON array":    {"a.jsonl", "[\n{\"n\":2}", 0, " line 1 (byte 0): unexpected end of JSON input: does the file hold one JSON array?", []int{2}},
		"other half":    {"a.jsonl", "{\"n\":1,\"text\":\"a\\uDC00\"}\n{\"n\":2}", 0, " line 1 (byte 0): not UTF-8: the escape \\uDC00 is half", []int{2}},
		"UTF-16":        {"a.jsonl", "\xff\xfea\x00", 0, " byte 0: unsupported encoding: the file is UTF-16: convert it to UTF-8", []int{}},
		"xz":            {"a.csv", "\xfd7zXZ\x00abc", 0, " byte 0: unsupported compression: the file is xz", []int{}},
		"CSV no column": {"a.csv", "n,txt\n1,a\n", 0, " line 1 (byte 0): header: no column \"text\": did you mean \"txt\"?", []int{}},
		"CSV twice":     {"a.csv", "n,text,n\n1,a,2\n", 0, " line 1 (byte 0): header: the header has column \"n\" twice", []int{}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, c.file, []byte(c.content))
			path := filepath.Join(dir, c.file)
			open := source.JSONL[row]
			if strings.HasSuffix(path, "csv") {
				open = source.CSV[row]
			}
			_, err := readAll(open(path, source.Options{MaxRecordBytes: c.max}), engine.SourceContext{})
			if err == nil || !strings.Contains(err.Error(), path+c.want) || !engine.IsPermanent(err) {
				t.Errorf("refuse: got %v, want a permanent error with %q", err, path+c.want)
			}
			var counted int
			count := engine.SourceContext{Malformed: func(err error) {
				counted++
				var bad *source.MalformedError
				if !errors.As(err, &bad) || bad.Path != path {
					t.Errorf("counted %v", err)
				}
			}}
			got, err := readAll(open(path, source.Options{MaxRecordBytes: c.max, OnMalformed: source.Skip}), count)
			ns := []int{}
			for _, r := range got {
				ns = append(ns, r.N)
			}
			if err != nil || counted != 1 || !slices.Equal(ns, c.good) {
				t.Errorf("skip: got %v, %v and %d counted, want %v and one", ns, err, counted, c.good)
			}
		})
	}
}

// I3: a position in a file is of no use once the file is another.
func TestRefusesChangedFiles(t *testing.T) {
	const content = "one\ntwo\nthree\nfour\n"
	for name, change := range map[string]func(path string) error{
		"shrunk":    func(path string) error { return os.Truncate(path, 9) },
		"grown":     func(path string) error { return os.WriteFile(path, []byte(content+"five\n"), 0o644) },
		"rewritten": func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "a", []byte(content))
			s := source.Lines(filepath.Join(dir, "a"))
			splits, err := s.Splits(context.Background(), 1)
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Open(engine.SourceContext{}, splits)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Read(context.Background(), make([]string, 0, 1)); err != nil {
				t.Fatal(err)
			}
			splits = r.Splits()
			if err := change(filepath.Join(dir, "a")); err != nil {
				t.Fatal(err)
			}
			_, err = r.Read(context.Background(), make([]string, 0, 1)) // at once, not at its end
			if !errors.Is(err, source.ErrChanged) {
				t.Errorf("the open reader: %v", err)
			}
			r2, err := s.Open(engine.SourceContext{}, splits)
			if err != nil {
				t.Fatal(err)
			}
			_, err = r2.Read(context.Background(), make([]string, 0, 10))
			if !errors.Is(err, source.ErrChanged) || !engine.IsPermanent(err) || !strings.Contains(err.Error(), filepath.Join(dir, "a")) {
				t.Errorf("a new reader: %v", err)
			}
			_ = r.Close()
			_ = r2.Close()
		})
	}
}

func TestFilesMissing(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "_hidden", []byte("x"))
	for _, pattern := range []string{filepath.Join(dir, "no"), filepath.Join(dir, "*.csv"), dir} {
		_, err := source.Lines(pattern).Splits(context.Background(), 1)
		if !errors.Is(err, source.ErrNoFiles) || !strings.Contains(err.Error(), pattern) || !engine.IsPermanent(err) {
			t.Errorf("%s: %v", pattern, err)
		}
	}
	write(t, dir, "a", []byte("x\n"))
	s := source.Lines(dir)
	splits, err := s.Splits(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(engine.SourceContext{}, splits)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(context.Background(), make([]string, 0, 1)); !errors.Is(err, os.ErrNotExist) || !engine.IsPermanent(err) {
		t.Errorf("a file that is gone: %v", err)
	}
}

// A compressed file that was cut short is no end of input.
func TestTruncatedGzip(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.gz", []byte(strings.Repeat("some line\n", 1000)))
	path := filepath.Join(dir, "a.gz")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-10); err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(source.Lines(path), engine.SourceContext{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

func TestRefusesForeignSplits(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.txt", []byte("x\n"))
	write(t, dir, "b.csv", []byte("x\n"))
	s := source.Lines(filepath.Join(dir, "*.txt"))
	good, err := s.Splits(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	others, err := source.Lines(dir).Splits(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	foreign := map[string]engine.Split{
		"too long":                  append(slices.Clone(good[0]), 0),
		"unknown encoding":          append(engine.Split{7}, good[0][1:]...),
		"matches none of":           others[1],
		"split does not fit the so": {},
	}
	for want, split := range foreign {
		if _, err := s.Open(engine.SourceContext{}, []engine.Split{split}); !errors.Is(err, source.ErrSplit) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
	if _, err := source.JSONL[row](dir).Open(engine.SourceContext{}, good); !errors.Is(err, source.ErrSplit) {
		t.Errorf("another format: %v", err)
	}
	for i := range good[0] {
		if _, err := s.Open(engine.SourceContext{}, []engine.Split{good[0][:i]}); !errors.Is(err, source.ErrSplit) {
			t.Errorf("first %d bytes: %v", i, err)
		}
	}
}

func TestOptions(t *testing.T) {
	type bad struct{ M map[string]int }
	type hidden struct {
		n int `csv:"n"`
	}
	_ = hidden{n: 1}
	for name, s := range map[string]interface {
		Splits(context.Context, int) ([]engine.Split, error)
	}{
		"quarantine":   source.Lines("x", source.Options{OnMalformed: source.Quarantine("")}),
		"longest":      source.Lines("x", source.Options{MaxRecordBytes: -1}),
		"splits of":    source.Lines("x", source.Options{SplitBytes: -1}),
		"2 times":      source.Lines("x", source.Options{}, source.Options{}),
		"field M":      source.CSV[bad]("x"),
		"not exported": source.CSV[hidden]("x"),
		"not a struct": source.CSV[int]("x"),
		"no field":     source.CSV[struct{}]("x"),
	} {
		if _, err := s.Splits(context.Background(), 1); !errors.Is(err, source.ErrOptions) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A byte order mark is no line, even where nothing follows it.
func TestByteOrderMarkAlone(t *testing.T) {
	for content, want := range map[string]int{"\xEF\xBB\xBF": 0, "\xEF\xBB\xBF\n": 1, "\xEF\xBB\xBFa": 1, "": 0} {
		dir := t.TempDir()
		write(t, dir, "a", []byte(content))
		write(t, dir, "b", []byte("x\n"))
		got, err := readAll(source.Lines(dir), engine.SourceContext{})
		if err != nil || len(got) != want+1 {
			t.Errorf("%q: lines %q, %v", content, got, err)
		}
	}
}

// A job that resumes can tell which files it does not read.
func TestOverlooked(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a", []byte("one\ntwo\nthree\n"))
	write(t, dir, "b", []byte("one\n"))
	s := source.Lines(dir, source.Options{SplitBytes: 5})
	splits, err := s.Splits(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(engine.SourceContext{}, splits)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	overlooked := func(want ...string) {
		t.Helper()
		for i, name := range want {
			want[i] = filepath.Join(dir, name)
		}
		got, err := s.(engine.Overlooker).Overlooked(context.Background(), r.Splits())
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	overlooked()
	write(t, dir, "c", nil)
	write(t, dir, "d", []byte("x"))
	write(t, dir, "_e", []byte("x"))
	overlooked("d")
	if _, err := r.Read(context.Background(), make([]string, 0, 4)); err != nil {
		t.Fatal(err) // all of a, which then is read to its end, and some of b
	}
	if err := os.Chtimes(filepath.Join(dir, "a"), time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(dir, "b"), time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err) // Read refuses it
	}
	overlooked("a (changed since it was read)", "d")
}
