package tidemarkcmd_test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	tidemarkcmd "github.com/tidemark/tidemark/cmd"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/enginetest"
	"github.com/tidemark/tidemark/engine/state"
)

// counter counts in a state of that name.
type counter struct {
	name  string
	count state.Value[int64]
}

func (p *counter) Open(c engine.OpenContext) error {
	p.count = state.NewValue[int64](c, p.name)
	return nil
}

func (p *counter) Process(c engine.Context[int], _ int, _ engine.Out[int]) error {
	n, err := p.count.GetOr(c, 0)
	if err != nil {
		return err
	}
	return p.count.Set(c, n+1)
}

// A version of a job without a state of the checkpoint is refused, and says how to go
// on; dropped, the state is gone, and that is said.
func TestStateThatTheJobNoLongerHas(t *testing.T) {
	p := place{t.TempDir()}
	numbers := make([]int, 200)
	run := func(ctx context.Context, name string, args ...string) result {
		j := engine.NewJob("versions")
		in := engine.From(j, "in", enginetest.FromSlice(numbers...).Slowly(1, 10*time.Millisecond), engine.Parallelism(1))
		engine.Process(engine.KeyBy(in, func(v int) int { return v }), "counter", func() engine.Processor[int, int, int] { return &counter{name: name} }).
			To("out", enginetest.Discard[int]())
		var out, stderr bytes.Buffer
		args = append([]string{"run", "--interval", "20ms", "--checkpoint-store", p.url(), "--state-dir", p.state()}, args...)
		return result{tidemarkcmd.Run(ctx, j, args, &out, &stderr), out.String(), stderr.String()}
	}
	// stopped runs until another checkpoint is complete.
	stopped := func(name string, args ...string) result {
		ctx, cancel := context.WithCancel(t.Context())
		var watching sync.WaitGroup
		defer watching.Wait()
		defer cancel()
		before, _ := retained(t.Context(), p, "versions")
		watching.Go(func() {
			defer cancel()
			for ctx.Err() == nil {
				now, err := retained(ctx, p, "versions")
				if err == nil && len(now) > 0 && (len(before) == 0 || now[len(now)-1] > before[len(before)-1]) {
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
		return run(ctx, name, args...)
	}
	stopped("n")
	store := filepath.Join(p.root(), "versions")
	before := tree(t, filepath.Join(store, "manifests"), filepath.Join(store, "data"))
	r := run(t.Context(), "m")
	if r.code != 1 || !strings.Contains(r.stderr, `does not declare: ["n"]`) || !strings.Contains(r.stderr, "--drop-state <operator>/<state>") {
		t.Errorf("undeclared: %v", r)
	}
	if d := differences(before, tree(t, filepath.Join(store, "manifests"), filepath.Join(store, "data"))); len(d) > 0 {
		t.Errorf("something changed: %q", d)
	}
	const said = "state of the checkpoint is dropped"
	r = stopped("m", "--drop-state", "counter/n", "--drop-state", "gone")
	if !strings.Contains(r.stderr, said) || !strings.Contains(r.stderr, "state=n") {
		t.Errorf("dropped: %v", r)
	}
	if shown := ok(t, "checkpoints", "show", p.url()+"/versions"); strings.Contains(shown, " n ") || !strings.Contains(shown, " m ") {
		t.Errorf("the next checkpoint: %s", shown)
	}
	if r = stopped("m"); strings.Contains(r.stderr, said) || strings.Contains(r.stderr, "declare") {
		t.Errorf("again: %v", r)
	}
}
