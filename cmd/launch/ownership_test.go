package launch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/enginetest"
	"github.com/tidemark/tidemark/engine/sink"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/upload/filestore"
)

// tagged is a row that tells which job wrote it.
type tagged struct {
	Job string
	N   int
	Sum int64
}

// tagging keeps a sum, so that the job has keyed state.
type tagging struct {
	job string
	sum state.Value[int64]
}

func (p *tagging) Open(c engine.OpenContext) error {
	p.sum = state.NewValue[int64](c, "sum")
	return nil
}

func (p *tagging) Process(c engine.Context[int], n int, out engine.Out[tagged]) error {
	s, _, err := p.sum.Get(c)
	if err != nil {
		return err
	}
	s += int64(n)
	out.Emit(tagged{p.job, n, s})
	return p.sum.Set(c, s)
}

const taggedRows = 400

// spot is where a job runs.
type spot struct{ id, store, state, output string }

func (s spot) config(slow bool, wrap func(engine.Sink[tagged]) engine.Sink[tagged]) launch.Config {
	var numbers []int
	for n := range taggedRows {
		numbers = append(numbers, n)
	}
	source := enginetest.FromSlice(numbers...)
	if slow {
		source = source.Slowly(4, 10*time.Millisecond)
	}
	j := engine.NewJob("job") // two programs, both with one name for their job and sink
	in := engine.From(j, "in", source, engine.Parallelism(1))
	var out engine.Sink[tagged] = sink.JSONL[tagged](s.output)
	if wrap != nil {
		out = wrap(out)
	}
	engine.Process(engine.KeyBy(in, func(n int) int { return n % 10 }), "tag", func() engine.Processor[int, int, tagged] { return &tagging{job: s.id} }).To("out", out)
	c := launch.Config{
		Job: j, JobID: s.id, Store: s.store, StateDir: s.state, Interval: 30 * time.Millisecond, Checkpoints: coordinator.Options{MinPause: time.Millisecond},
		Rocks: rocks.Options{TableBytes: 4 << 20, MemoryBytes: 4 << 20}, Logger: slog.New(slog.DiscardHandler),
	}
	c.Engine.Parallelism, c.Engine.Restart = 1, engine.NoRestart{}
	if s.store == "" {
		c.Interval = 0
	}
	return c
}

// whole fails unless the output has every row of the job exactly once.
func (s spot) whole(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.output, "part-*"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, fmt.Sprintf(`"Job":%q`, s.id)) {
				rows[line]++
			}
		}
	}
	for line, n := range rows {
		if n != 1 {
			t.Fatalf("job %s has %d times %s", s.id, n, line)
		}
	}
	if len(rows) != taggedRows {
		t.Fatalf("job %s has %d of %d rows", s.id, len(rows), taggedRows)
	}
}

// begin runs a job until something of it is published, and longer.
func (s spot) begin(t *testing.T, ctx context.Context) (ended chan error) {
	t.Helper()
	ended = make(chan error, 1)
	go func() {
		_, err := launch.Run(ctx, s.config(true, nil))
		ended <- err
	}()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if files, _ := filepath.Glob(filepath.Join(s.output, "part-*")); len(files) > 0 {
			return ended
		}
		select {
		case err := <-ended:
			t.Fatalf("the first ended: %v", err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing is published")
		}
	}
}

// seconds are starts that come second in a place of the first.
var seconds = []struct {
	place string
	who   func(first spot, elsewhere func(string) string) spot
	wrap  func(engine.Sink[tagged]) engine.Sink[tagged]
	// while the first runs, and after it: the errors; nil: it runs
	beside, after error
}{
	{"everything: the same command", func(s spot, _ func(string) string) spot { return s }, nil, incremental.ErrInUse, nil},
	{"store and job", func(s spot, at func(string) string) spot { s.state = at("state"); return s }, nil, filestore.ErrHeld, nil},
	{"store and job, another output", func(s spot, at func(string) string) spot {
		s.state, s.output = at("state"), at("out")
		return s
	}, nil, filestore.ErrHeld, nil},
	{"state directory, another store", func(s spot, at func(string) string) spot {
		s.store, s.output = "file://"+at("store"), at("out")
		return s
	}, nil, incremental.ErrInUse, nil},
	{"output, another job on the store", func(s spot, _ func(string) string) spot { s.id = "other"; return s }, nil, sink.ErrOutputInUse, sink.ErrOutputInUse},
	{"output, the same job on another store", func(s spot, at func(string) string) spot {
		s.store, s.state = "file://"+at("store"), at("state")
		return s
	}, nil, sink.ErrOutputInUse, sink.ErrOutputInUse},
	{"output, another job without checkpoints", func(s spot, at func(string) string) spot {
		s.id, s.store, s.state = "other", "", at("state")
		return s
	}, nil, sink.ErrOutputInUse, sink.ErrOutputInUse},
	{"output, by way of a symbolic link and in a tee", func(s spot, at func(string) string) spot {
		link := at("link")
		if err := os.Symlink(s.output, link); err != nil {
			panic(err)
		}
		s.id, s.output = "other", link
		return s
	}, func(one engine.Sink[tagged]) engine.Sink[tagged] {
		return sink.Tee(sink.Discard[tagged](), one)
	}, sink.ErrOutputInUse, sink.ErrOutputInUse},
	{"nothing but the store and the parent of local state", func(s spot, at func(string) string) spot {
		s.id, s.output = "other", at("out")
		return s
	}, nil, nil, nil},
}

// I17: whoever comes second in a place is refused, or shares it, without harm to the
// first: while the first runs, after it was killed in the middle, and at its end.
func TestOwnership(t *testing.T) {
	for _, c := range seconds {
		t.Run(strings.ReplaceAll(c.place, " ", "_"), func(t *testing.T) {
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, "second", name) }
			if err := os.MkdirAll(filepath.Join(dir, "second"), 0o777); err != nil {
				t.Fatal(err)
			}
			first := spot{"first", "file://" + filepath.Join(dir, "store"), filepath.Join(dir, "state"), filepath.Join(dir, "out")}
			second := c.who(first, at)
			try := func(when string, want error) {
				t.Helper()
				_, err := launch.Run(t.Context(), second.config(false, c.wrap))
				switch {
				case want == nil && err != nil:
					t.Fatalf("%s: %v", when, err)
				case want == nil:
					second.whole(t)
				case !errors.Is(err, want):
					t.Fatalf("%s: %v, want %v", when, err, want)
				}
			}
			ctx, kill := context.WithCancel(t.Context())
			ended := first.begin(t, ctx)
			try("while the first runs", c.beside)
			kill()
			if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
				t.Fatalf("the first was disturbed: %v", err)
			}
			if c.after != nil {
				try("after the first was stopped in the middle", c.after)
			}
			if _, err := launch.Run(t.Context(), first.config(false, nil)); err != nil {
				t.Fatalf("the first cannot go on: %v", err)
			}
			first.whole(t)
			if c.after != nil {
				try("at the end of the first", c.after)
				first.whole(t)
			}
		})
	}
}

// I17: of jobs that begin in one output directory at the same moment one goes on, and
// all of its rows are there; the others say why they do not.
func TestOwnershipAtTheSameMoment(t *testing.T) {
	for round := range 8 {
		dir := t.TempDir()
		var all []spot
		ended := make(chan error, 3)
		for i := range 3 {
			s := spot{fmt.Sprintf("job-%d", i), "file://" + filepath.Join(dir, "store"), filepath.Join(dir, "state"), filepath.Join(dir, "out")}
			all = append(all, s)
			go func() {
				_, err := launch.Run(t.Context(), s.config(false, nil))
				if err == nil {
					ended <- nil
				} else {
					ended <- fmt.Errorf("%s: %w", s.id, err)
				}
			}()
		}
		var refused []string
		for range all {
			if err := <-ended; errors.Is(err, sink.ErrOutputInUse) {
				id, _, _ := strings.Cut(err.Error(), ":")
				refused = append(refused, id)
			} else if err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if len(refused) != 2 {
			t.Fatalf("round %d: refused are %q", round, refused)
		}
		for _, s := range all {
			if !slices.Contains(refused, s.id) {
				s.whole(t)
			}
		}
	}
}

// I17: a directory in which a job left no output is free for another; one of an earlier
// version, without a mark, belongs to the job whose checkpoint knows its parts.
func TestOwnershipOfUnmarkedOutput(t *testing.T) {
	dir := t.TempDir()
	first := spot{"first", "file://" + filepath.Join(dir, "store"), filepath.Join(dir, "state"), filepath.Join(dir, "out")}
	second := first
	second.id = "second"
	release, err := sink.JSONL[tagged](first.output).(engine.Placed).Places()[0].Hold(engine.Identity{ID: "nobody", Store: "elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	ctx, kill := context.WithCancel(t.Context())
	ended := first.begin(t, ctx)
	kill()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(first.output, "part-first.out.*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, f := range files {
		if err := os.Rename(f, strings.Replace(f, "part-first.out.", "part-out.", 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(first.output, ".owner")); err != nil {
		t.Fatal(err)
	}
	if _, err := launch.Run(t.Context(), second.config(false, nil)); !errors.Is(err, sink.ErrForeignOutput) {
		t.Fatalf("another job: %v", err)
	}
	c := first.config(false, nil)
	if _, err := launch.Run(t.Context(), c); err != nil && !errors.Is(err, sink.ErrOutputLost) {
		t.Fatalf("the job itself: %v", err)
	}
	if _, err := launch.Run(t.Context(), second.config(false, nil)); !errors.Is(err, sink.ErrOutputInUse) {
		t.Fatalf("another job, once the job has marked it: %v", err)
	}
}

// I17: none of local state, store and output lies in another, also not by way of a link.
func TestPlacesDoNotContainOneAnother(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Symlink(dir, at("link")); err != nil {
		t.Fatal(err)
	}
	good := spot{"job", "file://" + at("store"), at("state"), at("out")}
	if err := good.config(false, nil).Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*spot){
		"state in the store":        func(s *spot) { s.state = at("store/state") },
		"store in the state":        func(s *spot) { s.store = "file://" + at("state/job/store") },
		"output in the store":       func(s *spot) { s.output = at("store/out") },
		"output is the store":       func(s *spot) { s.output = at("store") },
		"store in the output":       func(s *spot) { s.store = "file://" + at("out/store") },
		"state in the output":       func(s *spot) { s.state = at("out/state") },
		"output in the state":       func(s *spot) { s.output = at("state/job/out") },
		"output in state by a link": func(s *spot) { s.output = at("link/state/job/out") },
		"everything in the output":  func(s *spot) { s.output = dir },
	} {
		s := good
		change(&s)
		if err := s.config(false, nil).Validate(); err == nil || !strings.Contains(err.Error(), "neither may lie in the other") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := good
	s.output = ""
	if err := s.config(false, nil).Validate(); err == nil || strings.Contains(err.Error(), "neither may lie in the other") || !strings.Contains(err.Error(), "no output directory is given") {
		t.Errorf("no output directory: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("something was made: %v, %v", entries, err)
	}
}
