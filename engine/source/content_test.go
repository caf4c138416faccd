package source_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source"
)

func packed(t *testing.T, kind, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if kind == "zstd" {
		w, _ = zstd.NewWriter(&b)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A file is compressed as its first bytes say, whatever its name; two members are
// read as one.
func TestCompressionByFirstBytes(t *testing.T) {
	for _, kind := range []string{"gzip", "zstd"} {
		for _, name := range []string{"a.txt", "a.txt.gz", "a.txt.zst"} {
			dir := t.TempDir()
			writeRaw(t, dir, name, append(packed(t, kind, "one\ntwo\n"), packed(t, kind, "three\n")...))
			got, err := readAll(source.Lines(dir), engine.SourceContext{})
			misnamed := name == "a.txt.gz" && kind != "gzip" || name == "a.txt.zst" && kind != "zstd"
			if misnamed {
				if !errors.Is(err, source.ErrCompression) || !engine.IsPermanent(err) {
					t.Errorf("%s in %s: got %q, %v", kind, name, got, err)
				}
			} else if err != nil || !slices.Equal(got, []string{"one", "two", "three"}) {
				t.Errorf("%s in %s: got %q, %v", kind, name, got, err)
			}
		}
	}
}

func writeRaw(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// What is wrong with a compressed file is permanent, and with Skip the rest of the
// file is counted as one record, with its place.
func TestDamagedCompression(t *testing.T) {
	text := strings.Repeat("some line that is not like the others: 1\nand 2\n", 3000)
	for _, kind := range []string{"gzip", "zstd"} {
		whole := packed(t, kind, text)
		name := "a" + map[string]string{"gzip": ".gz", "zstd": ".zst"}[kind]
		changed := bytes.Clone(whole)
		changed[len(changed)-2] ^= 0xff
		for what, content := range map[string][]byte{
			"cut":      whole[:len(whole)-3],
			"checksum": changed,
			"garbage":  append(bytes.Clone(whole), "garbage"...),
			"empty":    {},
			"header":   whole[:3],
		} {
			dir := t.TempDir()
			writeRaw(t, dir, name, content)
			writeRaw(t, dir, "b", []byte("last\n"))
			_, err := readAll(source.Lines(dir), engine.SourceContext{})
			if err == nil || !engine.IsPermanent(err) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s %s: got %v, want a permanent error", kind, what, err)
			}
			var counted []error
			got, err := readAll(source.Lines(dir, source.Options{OnMalformed: source.Skip}), engine.SourceContext{Malformed: func(err error) { counted = append(counted, err) }})
			var bad *source.MalformedError
			if err != nil || len(counted) != 1 || !errors.As(counted[0], &bad) || !bad.Rest || got[len(got)-1] != "last" {
				t.Errorf("%s %s, skipped: %d lines, %v, counted %v", kind, what, len(got), err, counted)
			}
		}
	}
}

// A pattern finds what it says: "**" is any depth, and hidden names only by their
// first byte.
func TestPatterns(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"a.txt", "b.csv", "_c.txt", ".d.txt", "s/e.txt", "s/t/f.txt", "_u/g.txt"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		writeRaw(t, dir, path, []byte(path+"\n"))
	}
	for pattern, want := range map[string][]string{
		"":            {"a.txt", "b.csv"},
		"*":           {"a.txt", "b.csv"},
		"*.txt":       {"a.txt"},
		"_*":          {"_c.txt"},
		".d.txt":      {".d.txt"},
		"**/*.txt":    {"a.txt", "s/e.txt", "s/t/f.txt"},
		"**":          {"a.txt", "b.csv", "s/e.txt", "s/t/f.txt"},
		"s/**/f.txt":  {"s/t/f.txt"},
		"*/*.txt":     {"s/e.txt"},
		"**/t/*":      {"s/t/f.txt"},
		"[ab].*":      {"a.txt", "b.csv"},
		"_u/../a.txt": {"a.txt"},
	} {
		got, err := readAll(source.Lines(filepath.Join(dir, "x")[:len(dir)+1]+pattern), engine.SourceContext{})
		slices.Sort(got)
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", pattern, got, err, want)
		}
	}
	for _, pattern := range []string{"s3://bucket/x.csv", "file:///x"} {
		_, err := source.Lines(pattern).Splits(context.Background(), 1)
		if !errors.Is(err, source.ErrNoFiles) || !strings.Contains(err.Error(), "not URLs") {
			t.Errorf("%s: %v", pattern, err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "gone"), filepath.Join(dir, "s", "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Lines(filepath.Join(dir, "s")).Splits(context.Background(), 1); err == nil || !engine.IsPermanent(err) || !strings.Contains(err.Error(), "broken link") {
		t.Errorf("a broken link: %v", err)
	}
}

// Complete and Strict say what a JSON record must have.
func TestCompleteAndStrict(t *testing.T) {
	type inner struct {
		C int `json:"c"`
	}
	type record struct {
		A int            `json:"a"`
		B *int           `json:"b"`
		I []inner        `json:"i"`
		M map[string]int `json:"m"`
		O string         `json:"o,omitempty"`
		inner2
	}
	for line, want := range map[string][2]string{ // with Complete, with Strict
		`{"a":1,"d":2}`: {},
		`{"a":1,"d":2,"b":null,"i":null,"m":null}`: {},
		`{"A":1,"d":2}`:                   {},
		`{"d":2}`:                         {`field "a" is missing`, `field "a" is missing`},
		`{"a":1}`:                         {`field "d" is missing`, `field "d" is missing`},
		`{"a":null,"d":2}`:                {`field "a" is null`, `field "a" is null`},
		`{"a":1,"d":2,"i":[{"c":1},{}]}`:  {`field "c" is missing in i[1]`, `field "c" is missing in i[1]`},
		`{"a":1,"d":2,"x":{"y":[1]}}`:     {``, `unknown field "x"`},
		`{"a":1,"d":2,"a":1}`:             {``, `field "a" is twice`},
		`{"a":1,"d":2,"m":{"k":1,"k":2}}`: {``, `field "k" is twice in m`},
	} {
		dir := t.TempDir()
		writeRaw(t, dir, "a.jsonl", []byte(line))
		for i, o := range []source.Options{{Complete: true}, {Strict: true}, {}} {
			_, err := readAll(source.JSONL[record](dir, o), engine.SourceContext{})
			switch {
			case i == 2 || want[i] == "":
				if err != nil {
					t.Errorf("%s with %+v: %v", line, o, err)
				}
			case err == nil || !strings.Contains(err.Error(), want[i]):
				t.Errorf("%s with %+v: got %v, want %q", line, o, err, want[i])
			}
		}
	}
	dir := t.TempDir()
	writeRaw(t, dir, "a.jsonl", []byte("[1,2,3]\n[1,2]"))
	got, err := readAll(source.JSONL[[2]int](dir, source.Options{OnMalformed: source.Skip}), engine.SourceContext{Malformed: func(error) {}})
	if err != nil || len(got) != 1 || got[0] != [2]int{1, 2} {
		t.Errorf("an array: got %v, %v", got, err)
	}
}

type inner2 struct {
	D int `json:"d"`
}

// What RFC 4180 lets stand inside quotes comes back as it was.
func TestCSVQuotes(t *testing.T) {
	dir := t.TempDir()
	writeRaw(t, dir, "a.csv", []byte("n,text\r\n1,\"x\r\ny\"\r\n\r\n2,\"say \"\"hi\"\", \n\"\n3,\n"))
	got, err := readAll(source.CSV[row](dir), engine.SourceContext{})
	want := []row{{1, "x\r\ny"}, {2, "say \"hi\", \n"}, {3, ""}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestCSVNotFinite(t *testing.T) {
	type number struct{ N float64 }
	dir := t.TempDir()
	writeRaw(t, dir, "a.csv", []byte("N\nNaN\n1.5\n-Inf\n"))
	counted := 0
	got, err := readAll(source.CSV[number](dir, source.Options{OnMalformed: source.Skip}), engine.SourceContext{Malformed: func(error) { counted++ }})
	if err != nil || counted != 2 || len(got) != 1 || got[0].N != 1.5 {
		t.Errorf("got %v, %v, counted %d", got, err, counted)
	}
}

type stamped struct {
	time.Time
	N int
}

type ownText struct{ stamped }

func (o *ownText) UnmarshalText(b []byte) error {
	_, err := fmt.Sscan(string(b), &o.N)
	return err
}

// I16: a field that a column would not fill is refused by name, when the job is built.
func TestCSVRefusesLossyFields(t *testing.T) {
	type twice struct {
		A int `csv:"n"`
		N int `csv:"n"`
	}
	type hidden struct {
		A int
		b int
	}
	_ = hidden{b: 1}
	refused := func(err error, says string) {
		t.Helper()
		if !errors.Is(err, source.ErrOptions) || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
	refused(mistake(source.CSV[struct{ At stamped }]("x")), "source_test.stamped has the method UnmarshalText of the embedded time.Time")
	refused(mistake(source.CSV[struct{ At []stamped }]("x")), "field At of")
	refused(mistake(source.CSV[struct{ At *time.Time }]("x")), "no text becomes a *time.Time")
	refused(mistake(source.CSV[twice]("x")), `field N of source_test.twice: the column "n" is read into another field`)
	refused(mistake(source.CSV[hidden]("x")), "field b of source_test.hidden: it is not exported")
	dir := t.TempDir()
	writeRaw(t, dir, "a.csv", []byte("Time,N,Own\n2001-02-03T04:05:06Z,7,8\n"))
	got, err := readAll(source.CSV[stamped](dir), engine.SourceContext{})
	if err != nil || len(got) != 1 || got[0].N != 7 || got[0].Year() != 2001 {
		t.Errorf("got %v, %v", got, err)
	}
	own, err := readAll(source.CSV[struct{ Own ownText }](dir), engine.SourceContext{})
	if err != nil || len(own) != 1 || own[0].Own.N != 8 {
		t.Errorf("got %v, %v", own, err)
	}
}

func mistake[T any](s engine.Source[T]) error { return s.(engine.Validator).Validate() }

// A file that is not text is refused by name, also inside a compressed one.
func TestNotText(t *testing.T) {
	tar := "a.txt" + strings.Repeat("\x00", 252) + "ustar\x0000" + strings.Repeat("\x00", 248) + "line\n"
	for content, says := range map[string]string{
		"o\x00n\x00e\x00\n\x00":                                       "the file is UTF-16",
		"\x00o\x00n\x00e\x00\n":                                       "the file is UTF-16",
		string(packed(t, "gzip", tar)):                                "it holds a tar archive",
		string(packed(t, "zstd", "\xff\xfea")):                        "the file is UTF-16",
		string(packed(t, "gzip", string(packed(t, "zstd", "one\n")))): "compressed again (zstd)",
		"a\x00b\x00c\x00\n":                                           "",
		"\x00\x00\x00\x00\x00\x00\x00\x00\n":                          "",
		string(packed(t, "gzip", "")):                                 "",
		string(packed(t, "gzip", "a\nb")):                             "",
	} {
		dir := t.TempDir()
		writeRaw(t, dir, "a", []byte(content))
		_, err := readAll(source.Lines(dir), engine.SourceContext{})
		if says == "" && err != nil || says != "" && (err == nil || !engine.IsPermanent(err) || !strings.Contains(err.Error(), says)) {
			t.Errorf("%.40q: %v, want %q", content, err, says)
		}
	}
}
