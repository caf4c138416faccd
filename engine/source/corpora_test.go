package source_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source"
)

var (
	corpora  = flag.String("corpora", "", "folder with parquet-testing, csv-spectrum and JSONTestSuite")
	expected = flag.String("expected", "", "what .ci/corpora.py wrote of it")
)

// anyJSON is any value, with the digits of its numbers.
type anyJSON struct{ v any }

func (a *anyJSON) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(&a.v)
}

// rounded makes numbers what Python's json makes of them.
func rounded(v any) any {
	switch v := v.(type) {
	case json.Number:
		if v == "-0" {
			return json.Number("0")
		}
		if f, err := strconv.ParseFloat(v.String(), 64); err == nil && strings.ContainsAny(v.String(), ".eE") {
			return f
		}
	case []any:
		for i := range v {
			v[i] = rounded(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = rounded(v[k])
		}
	}
	return v
}

// I16: JSONTestSuite's y_ files are read as Python reads them, its n_ files refused,
// and what is read of its i_ files is what Python reads.
func TestJSONTestSuite(t *testing.T) {
	if *corpora == "" || *expected == "" {
		t.Skip("no corpora: make corpora DIR=<folder with JSONTestSuite>")
	}
	paths, err := filepath.Glob(filepath.Join(*corpora, "JSONTestSuite", "test_parsing", "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no file, %v", err)
	}
	read := 0
	for _, path := range paths {
		name := filepath.Base(path)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(bytes.TrimSpace(text), []byte("\n")) || strings.Contains(name, "lonely_null") {
			continue // several lines, and null, are no record of JSON Lines
		}
		got, err := readAll(source.JSONL[anyJSON](path), engine.SourceContext{})
		var bad *source.MalformedError
		if err != nil && !errors.As(err, &bad) {
			t.Errorf("%s: %v, which is no malformed record", name, err)
		}
		switch {
		case name[0] == 'n' && len(got) > 0 || name[0] == 'y' && (err != nil || len(got) != 1):
			t.Errorf("%s: %d records, %v", name, len(got), err)
		case len(got) == 1:
			is, err := os.ReadFile(filepath.Join(*expected, "JSONTestSuite", "test_parsing", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			var want struct {
				Value anyJSON
				Error string
			}
			if err := json.Unmarshal(is, &want); err != nil || want.Error != "" {
				t.Logf("%s: read here, not by Python: %v %s", name, err, want.Error)
				continue
			}
			read++
			if a, b := rounded(got[0].v), rounded(want.Value.v); !reflect.DeepEqual(a, b) {
				t.Errorf("%s: %#v, Python reads %#v", name, a, b)
			}
		}
	}
	t.Logf("%d files, %d read as Python does", len(paths), read)
}

// I16: csv-spectrum is read as its own json folder has it.
func TestCSVSpectrum(t *testing.T) {
	if *corpora == "" {
		t.Skip("no corpora: make corpora DIR=<folder with csv-spectrum>")
	}
	type lower struct {
		A string `csv:"a" json:"a"`
		B string `csv:"b" json:"b"`
		C string `csv:"c" json:"c"`
	}
	type two struct {
		A string `csv:"a" json:"a"`
		B string `csv:"b" json:"b"`
	}
	type pair struct {
		Key   string `csv:"key" json:"key"`
		Value string `csv:"val" json:"val"`
	}
	type person struct {
		First   string `csv:"first" json:"first"`
		Last    string `csv:"last" json:"last"`
		Address string `csv:"address" json:"address"`
		City    string `csv:"city" json:"city"`
		Zip     string `csv:"zip" json:"zip"`
	}
	for name, test := range map[string]func(path, want string) error{
		"comma_in_quotes": spectrum[person], "empty": spectrum[lower], "empty_crlf": spectrum[lower], "escaped_quotes": spectrum[two],
		"json": spectrum[pair], "newlines": spectrum[lower], "newlines_crlf": spectrum[lower], "quotes_and_newlines": spectrum[two],
		"simple": spectrum[lower], "simple_crlf": spectrum[lower], "utf8": spectrum[lower],
	} {
		dir := filepath.Join(*corpora, "csv-spectrum")
		if err := test(filepath.Join(dir, "csvs", name+".csv"), filepath.Join(dir, "json", name+".json")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	type place struct {
		Location string `csv:"Location Coordinates"`
	}
	var bad *source.MalformedError
	if _, err := readAll(source.CSV[place](filepath.Join(*corpora, "csv-spectrum", "csvs", "location_coordinates.csv")), engine.SourceContext{}); !errors.As(err, &bad) {
		t.Errorf("location_coordinates is Latin-1, and has quotes inside fields: %v", err)
	}
}

func spectrum[T any](path, want string) error {
	text, err := os.ReadFile(want)
	if err != nil {
		return err
	}
	var records []T
	if err := json.Unmarshal(text, &records); err != nil {
		return err
	}
	got, err := readAll(source.CSV[T](path), engine.SourceContext{})
	if err == nil && !reflect.DeepEqual(got, records) {
		err = fmt.Errorf("got %+v, want %+v", got, records)
	}
	return err
}
