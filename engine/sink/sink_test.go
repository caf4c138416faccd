package sink_test

import (
	"bytes"
	"context"
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
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/sink"
	"github.com/tidemark/tidemark/engine/state"
)

type row struct {
	N int    `json:"n"`
	S string `json:"s,omitempty"`
}

func (r row) Hash() uint64 { return uint64(r.N)*0x9E3779B97F4A7C15 + 1 }

var ctx = context.Background()

func recovered[T any](t *testing.T, s engine.Sink[T], restored checkpoint.ID, pending ...[]byte) {
	t.Helper()
	if err := s.Recover(ctx, engine.Recovery{Operator: "out", Epoch: 3, Restored: restored, Pending: pending}); err != nil {
		t.Fatal(err)
	}
}

func opened[T any](t *testing.T, s engine.Sink[T], index int, attempt checkpoint.Attempt, restored ...checkpoint.OperatorState) (engine.Writer[T], *state.Registry) {
	t.Helper()
	reg := state.NewRegistry(nil, "", restored)
	w, err := s.Open(engine.SinkContext{Context: ctx, Operator: "out", Index: index, Parallelism: 2, Epoch: 3, Attempt: attempt, States: reg})
	if err != nil {
		t.Fatal(err)
	}
	return w, reg
}

func wrote[T any](t *testing.T, w engine.Writer[T], rows ...T) {
	t.Helper()
	if err := w.Write(ctx, rows); err != nil {
		t.Fatal(err)
	}
}

func prepared[T any](t *testing.T, w engine.Writer[T], id checkpoint.ID) []byte {
	t.Helper()
	pending, err := w.Prepare(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return pending
}

// output reads the rows that are visible in a directory, sorted.
func output(t *testing.T, dir string) (rows []int) {
	t.Helper()
	parts, err := filepath.Glob(filepath.Join(dir, "part-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		b, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			var r row
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("%s: %q: %v", part, line, err)
			}
			rows = append(rows, r.N)
		}
	}
	slices.Sort(rows)
	return rows
}

func temps(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, ".pending"))
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// I6: rows are invisible until they are published, and published once however
// often that is asked for.
func TestJSONLPublishes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := sink.JSONL[row](dir, sink.Options{PartBytes: 1 << 10})
	recovered(t, s, 0)
	w, _ := opened(t, s, 0, 1)
	if p := prepared(t, w, 1); p != nil {
		t.Errorf("nothing was written and %x is pending", p)
	}
	var want []int
	long := strings.Repeat("<&>", 300<<10) // several buffers, so several parts
	for n := range 3 {
		wrote(t, w, row{N: n, S: long})
		want = append(want, n)
	}
	p := prepared(t, w, 2)
	wrote(t, w, row{N: 9}) // belongs to the next checkpoint
	if got := output(t, dir); got != nil {
		t.Fatalf("before publishing %v is visible", got)
	}
	for range 3 {
		if err := w.Publish(ctx, [][]byte{p, p}); err != nil {
			t.Fatal(err)
		}
		if got := output(t, dir); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	if parts, _ := filepath.Glob(filepath.Join(dir, "part-out.00000002-3-1-0000-*.jsonl")); len(parts) != 3 {
		t.Errorf("parts are %v, want 3 of checkpoint 2", parts)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if left := temps(t, dir); len(left) > 0 {
		t.Errorf("close left %v", left)
	}
}

// I3, I6: a job of two subtasks crashes between any two steps, with notices of
// commits lost, doubled or late; each attempt starts from the newest committed
// checkpoint. The output is that of a run without a crash.
func TestJSONLSurvivesCrashes(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("replay with SEED=%d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	type committed struct {
		id      checkpoint.ID
		rows    int // that went into it
		pending [][]byte
	}
	for range 15 {
		dir := t.TempDir()
		s := sink.JSONL[row](dir)
		var last committed
		var nextID checkpoint.ID
		var want []int
		for attempt := checkpoint.Attempt(1); attempt <= 8; attempt++ {
			recovered(t, s, last.id, last.pending...)
			if got := output(t, dir); len(got) != last.rows {
				t.Fatalf("checkpoint %d holds %d rows, and %d are visible after recovery", last.id, last.rows, len(got))
			}
			var writers [2]engine.Writer[row]
			var held [2][][]byte // not published yet
			for i := range writers {
				writers[i], _ = opened(t, s, i, attempt)
			}
			rows := last.rows
			for steps := rnd.IntN(40); steps > 0; steps-- {
				if rnd.IntN(4) > 0 {
					wrote(t, writers[rnd.IntN(2)], row{N: rows})
					rows++
					continue
				}
				nextID++
				for i, w := range writers {
					if p := prepared(t, w, nextID); p != nil {
						held[i] = append(held[i], p)
					}
				}
				if rnd.IntN(3) == 0 {
					continue // aborted: what was prepared goes with the next
				}
				last = committed{nextID, rows, append(slices.Clone(held[0]), held[1]...)}
				for i, w := range writers {
					for range rnd.IntN(3) { // lost, once, or twice
						if err := w.Publish(ctx, held[i]); err != nil {
							t.Fatal(err)
						}
					}
					if rnd.IntN(2) == 0 { // told, or not
						if err := w.Publish(ctx, held[i]); err != nil {
							t.Fatal(err)
						}
						held[i] = nil
					}
				}
			}
			if rnd.IntN(2) == 0 { // an orderly end, or a crash
				for _, w := range writers {
					if err := w.Close(); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		recovered(t, s, last.id, last.pending...)
		for n := range last.rows {
			want = append(want, n)
		}
		if got := output(t, dir); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		if left := temps(t, dir); len(left) > 0 {
			t.Fatalf("recovery left %v", left)
		}
	}
}

// I3: output that the restored checkpoint cannot know is not added to.
func TestJSONLRefusesForeignOutput(t *testing.T) {
	dir := t.TempDir()
	s := sink.JSONL[row](dir)
	recovered(t, s, 0)
	w, _ := opened(t, s, 0, 1)
	for id := checkpoint.ID(4); id <= 5; id++ {
		wrote(t, w, row{N: int(id)})
		if err := w.Publish(ctx, [][]byte{prepared(t, w, id)}); err != nil {
			t.Fatal(err)
		}
	}
	for restored, want := range map[checkpoint.ID]string{0: "2 parts, such as part-out.00000004", 4: "1 parts, such as part-out.00000005"} {
		err := s.Recover(ctx, engine.Recovery{Operator: "out", Epoch: 3, Restored: restored})
		if !errors.Is(err, sink.ErrForeignOutput) || !engine.IsPermanent(err) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("from checkpoint %d: %v, want it to say %q", restored, err, want)
		}
	}
	recovered(t, s, 5)
	recovered(t, s, 6)
	// Another operator's parts are none of this one's.
	if err := s.Recover(ctx, engine.Recovery{Operator: "ou", Epoch: 3}); err != nil {
		t.Error(err)
	}
}

// I4: a process that was fenced and does not know it yet takes away nothing of
// the one that leads.
func TestJSONLKeepsLaterEpochsTemps(t *testing.T) {
	dir := t.TempDir()
	s := sink.JSONL[row](dir)
	recovered(t, s, 0)
	w, _ := opened(t, s, 0, 1) // of epoch 3
	wrote(t, w, row{N: 1})
	p := prepared(t, w, 1)
	if err := s.Recover(ctx, engine.Recovery{Operator: "out", Epoch: 2}); err != nil {
		t.Fatal(err)
	}
	if err := w.Publish(ctx, [][]byte{p}); err != nil {
		t.Error(err)
	}
}

func TestJSONLKeepsOtherOperatorsTemps(t *testing.T) {
	dir := t.TempDir()
	s := sink.JSONL[row](dir)
	recovered(t, s, 0)
	w, _ := opened(t, s, 0, 1)
	wrote(t, w, row{N: 1})
	p := prepared(t, w, 1)
	if err := s.Recover(ctx, engine.Recovery{Operator: "ou", Epoch: 3}); err != nil {
		t.Fatal(err)
	}
	if err := w.Publish(ctx, [][]byte{p}); err != nil {
		t.Error(err)
	}
}

// Output that has gone is an error that says which, not silence.
func TestJSONLOutputLost(t *testing.T) {
	for name, harm := range map[string]func(file string) error{
		"removed": os.Remove,
		"cut":     func(file string) error { return os.Truncate(file, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := sink.JSONL[row](dir)
			recovered(t, s, 0)
			w, _ := opened(t, s, 0, 1)
			wrote(t, w, row{N: 1})
			p := prepared(t, w, 1)
			if err := harm(filepath.Join(dir, ".pending", temps(t, dir)[0].Name())); err != nil {
				t.Fatal(err)
			}
			err := s.Recover(ctx, engine.Recovery{Operator: "out", Epoch: 3, Restored: 1, Pending: [][]byte{p}})
			if !errors.Is(err, sink.ErrOutputLost) || !engine.IsPermanent(err) || !strings.Contains(err.Error(), "part-out.00000001") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// I11: a Prepare that cannot write loses nothing; the next one has it all.
func TestJSONLPreparesAgain(t *testing.T) {
	dir := t.TempDir()
	s := sink.JSONL[row](dir)
	recovered(t, s, 0)
	w, _ := opened(t, s, 0, 1)
	wrote(t, w, row{N: 1})
	pendingDir := filepath.Join(dir, ".pending")
	if err := os.Rename(pendingDir, pendingDir+"x"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Prepare(ctx, 1); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
	if err := os.Rename(pendingDir+"x", pendingDir); err != nil {
		t.Fatal(err)
	}
	wrote(t, w, row{N: 2})
	if err := w.Publish(ctx, [][]byte{prepared(t, w, 2)}); err != nil {
		t.Fatal(err)
	}
	if got := output(t, dir); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("got %v", got)
	}
}

func TestJSONLBadInput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := sink.JSONL[row](file).Recover(ctx, engine.Recovery{Operator: "out", Epoch: 3}); err == nil || !engine.IsPermanent(err) || !strings.Contains(err.Error(), file) {
		t.Errorf("a file for a directory: %v", err)
	}
	if err := sink.JSONL[row]("").Recover(ctx, engine.Recovery{Operator: "out", Epoch: 3}); err == nil || !engine.IsPermanent(err) {
		t.Errorf("no directory: %v", err)
	}
	if long := filepath.Join(t.TempDir(), strings.Repeat("x", 300)); !engine.IsPermanent(sink.JSONL[row](long).Recover(ctx, engine.Recovery{Operator: "out", Epoch: 3})) {
		t.Error("a name that is too long is tried again")
	}
	dir := t.TempDir()
	if err := sink.JSONL[func()](dir).Recover(ctx, engine.Recovery{Operator: "out", Epoch: 3}); !errors.Is(err, sink.ErrLossy) || !engine.IsPermanent(err) {
		t.Errorf("a row that is no JSON: %v", err)
	}
	good := sink.JSONL[row](dir)
	for _, p := range [][]byte{{}, {9}, {1}, {1, 1}, {1, 0, 0}} {
		if err := good.Recover(ctx, engine.Recovery{Operator: "out", Epoch: 3, Restored: 1, Pending: [][]byte{p}}); !errors.Is(err, sink.ErrPending) {
			t.Errorf("pending %x: %v", p, err)
		}
	}
}

// I16: a row with text that JSON cannot hold is refused and leaves nothing behind;
// what only looks like that is written.
func TestJSONLRefusesLostText(t *testing.T) {
	dir := t.TempDir()
	s := sink.JSONL[row](dir)
	recovered(t, s, 0)
	w, _ := opened(t, s, 0, 1)
	for _, text := range []string{"caf\xe9", "a\xffb", `\` + "\xff", "\xed\xa0\x80"} {
		if err := w.Write(ctx, []row{{N: 1, S: text}}); err == nil || !engine.IsPermanent(err) || !strings.Contains(err.Error(), "not UTF-8") {
			t.Errorf("%q: %v", text, err)
		}
	}
	wrote(t, w, row{N: 2, S: "\ufffd"}, row{N: 3, S: `\ufffd`}, row{N: 4, S: `\\ufffd`})
	if err := w.Publish(ctx, [][]byte{prepared(t, w, 1)}); err != nil {
		t.Fatal(err)
	}
	if got := output(t, dir); !slices.Equal(got, []int{2, 3, 4}) {
		t.Errorf("got %v", got)
	}
}

// stampedRow and appendedRow have methods that leave out N.
type (
	stampedRow struct {
		time.Time
		N int
	}
	appender    struct{}
	appendedRow struct {
		appender
		N int
	}
)

func (appender) AppendJSON(dst []byte) []byte { return append(dst, "{}"...) }

// I16: a row type that would lose fields is refused when the sink is made, by each
// sink of JSON and by a Tee of them.
func TestRefusesLossyRows(t *testing.T) {
	for name, s := range map[string]any{
		"JSONL": sink.JSONL[stampedRow](t.TempDir()), "Print": sink.Print[stampedRow](io.Discard),
		"appender": sink.Print[appendedRow](io.Discard), "Tee": sink.Tee(sink.Discard[stampedRow](), sink.Print[stampedRow](io.Discard)),
	} {
		if err := s.(interface{ Validate() error }).Validate(); !errors.Is(err, sink.ErrLossy) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The digest depends on no order and no division of the rows, counts what is
// committed, and survives restarts and rescaling.
func TestDigest(t *testing.T) {
	var want uint64
	for n := range 30 {
		want += row{N: n}.Hash()
	}
	var result sink.DigestResult
	s := sink.Digest[row](&result)
	recovered(t, s, 0)
	a, regA := opened(t, s, 0, 1)
	b, regB := opened(t, s, 1, 1)
	for n := 0; n < 10; n += 2 {
		wrote(t, a, row{N: n})
		wrote(t, b, row{N: n + 1})
	}
	if _, rows := result.Sum(); rows != 0 {
		t.Fatalf("%d rows before a commit", rows)
	}
	pending := [][]byte{prepared(t, a, 1), prepared(t, b, 1)}
	states := [][]checkpoint.OperatorState{regA.OperatorStates(), regB.OperatorStates()}
	for range 2 { // I6
		for i, w := range []engine.Writer[row]{a, b} {
			if err := w.Publish(ctx, pending[i:i+1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, rows := result.Sum(); rows != 10 {
		t.Fatalf("%d rows, want 10", rows)
	}
	wrote(t, a, row{N: 99}) // lost with the attempt
	// A process that restores the checkpoint knows it without any record.
	var again sink.DigestResult
	s = sink.Digest[row](&again)
	recovered(t, s, 1, pending...)
	if _, rows := again.Sum(); rows != 10 {
		t.Fatalf("%d rows restored, want 10", rows)
	}
	var last [][]byte
	for i, restored := range redistribute(states, 3) {
		w, _ := opened(t, s, i, 2, restored...)
		for n := 10 + i; n < 30; n += 3 {
			wrote(t, w, row{N: n})
		}
		last = append(last, prepared(t, w, 2))
		if err := w.Publish(ctx, [][]byte{last[i], pending[0]}); err != nil {
			t.Fatal(err)
		}
	}
	if sum, rows := again.Sum(); sum != want || rows != 30 {
		t.Errorf("got %x of %d rows, want %x of 30", sum, rows, want)
	}
}

// redistribute deals operator state out round-robin.
func redistribute(old [][]checkpoint.OperatorState, n int) [][]checkpoint.OperatorState {
	states := make([][]checkpoint.OperatorState, n)
	next := 0
	for _, subtask := range old {
		for _, s := range subtask {
			for _, item := range s.Items {
				one := s
				one.Items = [][]byte{item}
				states[next%n] = append(states[next%n], one)
				next++
			}
		}
	}
	return states
}

func TestTee(t *testing.T) {
	dir := t.TempDir()
	var result sink.DigestResult
	var printed bytes.Buffer
	s := sink.Tee(sink.Digest[row](&result), sink.JSONL[row](dir), sink.Print[row](&printed), sink.Discard[row]())
	recovered(t, s, 0)
	w, _ := opened(t, s, 0, 1)
	wrote(t, w, row{N: 1}, row{N: 2, S: "<&>"})
	// A Prepare that fails in a later sink loses nothing of an earlier one.
	pendingDir := filepath.Join(dir, ".pending")
	if err := os.Rename(pendingDir, pendingDir+"x"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Prepare(ctx, 1); err == nil {
		t.Fatal("prepared without a directory")
	}
	if err := os.Rename(pendingDir+"x", pendingDir); err != nil {
		t.Fatal(err)
	}
	p := prepared(t, w, 2)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		recovered(t, s, 2, p)
	}
	if _, rows := result.Sum(); rows != 2 || !slices.Equal(output(t, dir), []int{1, 2}) {
		t.Errorf("%d rows in the digest, %v in the files", rows, output(t, dir))
	}
	if want := "{\"n\":1}\n{\"n\":2,\"s\":\"<&>\"}\n"; printed.String() != want {
		t.Errorf("printed %q, want %q", printed.String(), want)
	}
	fewer := sink.Tee(sink.Digest[row](&result))
	if err := fewer.Recover(ctx, engine.Recovery{Operator: "out", Epoch: 3, Restored: 2, Pending: [][]byte{p}}); !errors.Is(err, sink.ErrPending) {
		t.Errorf("a tee of fewer sinks: %v", err)
	}
}
