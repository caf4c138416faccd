package source_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/enginetest"
	"github.com/tidemark/tidemark/engine/sink"
	"github.com/tidemark/tidemark/engine/source"
)

// kept returns what a quarantine holds, in the order of its places.
func kept(t *testing.T, dir string) []source.Quarantined {
	t.Helper()
	got, err := readAll(source.JSONL[source.Quarantined](dir, source.Options{Strict: true}), engine.SourceContext{})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b source.Quarantined) int {
		return strings.Compare(fmt.Sprintf("%s %010d", a.File, *a.Offset), fmt.Sprintf("%s %010d", b.File, *b.Offset))
	})
	return got
}

// I17: the directory of a quarantine is an output of its job: it is held before the job
// takes its lead, and no other job gets it meanwhile.
func TestQuarantineIsHeld(t *testing.T) {
	dir := t.TempDir()
	job := func() *engine.Job {
		j := engine.NewJob("held")
		engine.From(j, "in", source.Lines("nothing", source.Options{OnMalformed: source.Quarantine(dir)})).To("out", sink.Discard[string]())
		return j
	}
	if dirs := job().Directories(); !slices.Equal(dirs, []string{dir}) {
		t.Errorf("the job writes to %q, want %q", dirs, dir)
	}
	release, err := job().Hold(engine.Identity{ID: "first"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job().Hold(engine.Identity{ID: "second"}); !errors.Is(err, sink.ErrOutputInUse) || !engine.IsPermanent(err) {
		t.Errorf("a second job holds it: %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}

// I12: a barrier, which ends the context of Read, waits for no more malformed records
// than Read has room for.
func TestMalformedRecordsTakeRoom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	if err := os.WriteFile(path, []byte(strings.Repeat("x\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := source.JSONL[row](path, source.Options{OnMalformed: source.Skip})
	splits, err := s.Splits(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, barrier := context.WithCancel(t.Context())
	met := 0
	r, err := s.Open(engine.SourceContext{Malformed: func(error) {
		if met++; met == 100 {
			barrier()
		}
	}}, splits)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const room = 8
	if _, err := r.Read(ctx, make([]row, 0, room)); !errors.Is(err, context.Canceled) || met >= 100+room {
		t.Errorf("after %d malformed records: %v", met, err)
	}
}

// A quarantine keeps the bytes of each record that cannot be read, where it begins,
// and what is wrong with it.
func TestQuarantineKeepsRecords(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("{\"n\":1}\n{\"n\":\"x\"}\n"))
	_ = z.Close()
	for name, c := range map[string]struct {
		file, content string
		want          []string // offset, rest, and the record as it was
		rows          int
	}{
		"lines":    {"a.jsonl", "{\"n\":1}\n\n\n{\"n\":\r\n{\"n\":-3} \n{\"n\":4}", []string{"10 false {\"n\":", "17 false {\"n\":-3} "}, 2},
		"bytes":    {"a.jsonl", "{\"n\":1,\"text\":\"\xe9\x00\"}\n", []string{"0 false {\"n\":1,\"text\":\"\xe9\x00\"}"}, 0},
		"mark":     {"a.jsonl", "\xEF\xBB\xBFx\n{\"n\":1}\n", []string{"0 false x"}, 1},
		"too long": {"a.jsonl", "{\"n\":1,\"text\":\"" + strings.Repeat("x", 300_000) + "\"}\n{\"n\":2}", []string{"0 false {\"n\":1,\"text\":\"xx"}, 1},
		"CSV":      {"a.csv", "n,text\n1,a\n\nx,\"b\"\"\nc\"\r\n-5,d\n2,e,f\n", []string{"12 false x,\"b\"\"\nc\"", "23 false -5,d", "28 false 2,e,f"}, 1},
		"quote":    {"a.csv", "n,text\n1,a\n2,\"b\n3,c\n", []string{"11 true 2,\"b\n3,c"}, 1},
		"CSV long": {"a.csv", "n,text\n1,\"\n" + strings.Repeat("x", 300_000), []string{"7 true 1,\"\nxx"}, 0},
		"header":   {"a.csv", "n,txt\n1,a\n", []string{"0 true n,txt"}, 0},
		"gzip":     {"a.jsonl.gz", packed.String(), []string{"8 false {\"n\":\"x\"}"}, 1},
		"cut":      {"a.jsonl.gz", packed.String()[:packed.Len()-3], []string{"8 false {\"n\":\"x\"}", "18 true "}, 1},
		"UTF-16":   {"a.jsonl", "\xff\xfea\x00", []string{"0 true "}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			in, out := t.TempDir(), t.TempDir()
			writeRaw(t, in, c.file, []byte(c.content))
			open := source.JSONL[row]
			if strings.HasSuffix(c.file, "csv") {
				open = source.CSV[row]
			}
			job := engine.NewJob("j")
			rows, good := enginetest.Collect[row]()
			engine.From(job, "in", open(in, source.Options{OnMalformed: source.Quarantine(out), MaxRecordBytes: 1000})).To("out", rows)
			result := enginetest.Run(t, job, enginetest.Parallelism(1))
			var got []string
			for _, q := range kept(t, out) {
				record := q.Text + string(q.Bytes)
				if strings.Contains(record, "xxx") {
					record = record[:strings.Index(record, "xx")+2]
				}
				got = append(got, fmt.Sprint(*q.Offset, q.Rest, " ", record))
				if q.File != filepath.Join(in, c.file) || q.Reason == "" || q.Row != nil {
					t.Errorf("kept %+v", q)
				}
			}
			if !reflect.DeepEqual(got, c.want) || len(good()) != c.rows || result.Malformed != int64(len(c.want)) || result.Written != int64(c.rows) {
				t.Errorf("kept %q, %d good, result %+v, want %q and %d", got, len(good()), result, c.want, c.rows)
			}
		})
	}
}

// I3, I15: after restarts, and with splits that lie with other subtasks then, a
// quarantine holds each malformed record once.
func TestQuarantineIsExactlyOnce(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	var text strings.Builder
	bad := 0
	for i := range 3000 {
		switch {
		case i%7 == 3:
			fmt.Fprintf(&text, "{\"n\":\"%d\"}\n", i)
			bad++
		default:
			fmt.Fprintf(&text, "{\"n\":%d}\n", i)
		}
	}
	write(t, in, "a.jsonl", []byte(text.String()))
	coordinator := &enginetest.Coordinator{Every: time.Millisecond}
	for run, width := range []int{2, 3, 1} {
		var once sync.Once
		job := engine.NewJob("j")
		slow := engine.Map(engine.From(job, "in", source.JSONL[row](in, source.Options{OnMalformed: source.Quarantine(out), SplitBytes: 2000})), "slow", func(r row) row {
			time.Sleep(50 * time.Microsecond)
			if r.N == 700*(run+1) {
				once.Do(func() { panic("planned") })
			}
			return r
		})
		slow.To("out", enginetest.Discard[row]())
		_, err := enginetest.Execute(t.Context(), job, enginetest.Parallelism(width), enginetest.With(coordinator), enginetest.Config(func(c *engine.Config) { c.BatchRecords = 16 }))
		if panicked, planned := errors.AsType[*engine.PanicError](err); err != nil && !(planned && panicked.Value == "planned") {
			t.Fatal(err)
		}
	}
	job := engine.NewJob("j")
	engine.From(job, "in", source.JSONL[row](in, source.Options{OnMalformed: source.Quarantine(out)})).To("out", enginetest.Discard[row]())
	if r := enginetest.Run(t, job, enginetest.With(coordinator)); r.Malformed != int64(bad) || r.Records != 3000-int64(bad) {
		t.Errorf("result %+v, want %d malformed", r, bad)
	}
	seen := map[int64]bool{}
	for _, q := range kept(t, out) {
		if seen[*q.Offset] {
			t.Errorf("offset %d is there twice", *q.Offset)
		}
		seen[*q.Offset] = true
	}
	if len(seen) != bad {
		t.Errorf("%d records are kept, want %d", len(seen), bad)
	}
	entries, err := os.ReadDir(out)
	if err != nil || len(entries) < 3 {
		t.Errorf("%d entries in the directory, %v: were there no checkpoints between?", len(entries), err)
	}
}

// A quarantine that fails is a failure of the job, of the operator that it is.
func TestQuarantineFails(t *testing.T) {
	in := t.TempDir()
	write(t, in, "a.jsonl", []byte("x\n"))
	write(t, in, "file", nil)
	job := engine.NewJob("j")
	engine.From(job, "in", source.JSONL[row](filepath.Join(in, "a.jsonl"), source.Options{OnMalformed: source.Quarantine(filepath.Join(in, "file"))})).To("out", enginetest.Discard[row]())
	_, err := enginetest.Execute(t.Context(), job)
	if err == nil || !engine.IsPermanent(err) || !strings.Contains(err.Error(), `operator "in-malformed"`) {
		t.Errorf("got %v", err)
	}
}
