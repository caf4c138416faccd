package deploy

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

func execution(epoch checkpoint.Epoch, attempt checkpoint.Attempt) checkpoint.Execution {
	return checkpoint.Execution{Epoch: epoch, Attempt: attempt}
}

// I6, I13: a host obeys its newest execution and nothing older, whatever comes
// late, twice or out of order.
func TestGuard(t *testing.T) {
	type step struct {
		x          checkpoint.Execution
		c          Command
		want       Verdict
		superseded bool
	}
	one, two, later := execution(1, 1), execution(1, 2), execution(2, 1)
	for name, steps := range map[string][]step{
		"in order": {
			{one, Deployment{}, Obey, true}, {one, Begin{}, Obey, false}, {one, Drain{}, Obey, false},
			{one, Cancel{}, Obey, false}, {two, Deployment{}, Obey, true}, {two, Begin{}, Obey, false},
		},
		"doubled": {
			{one, Deployment{}, Obey, true}, {one, Deployment{}, Repeat, false}, {one, Cancel{}, Obey, false}, {one, Cancel{}, Repeat, false},
		},
		"late": {
			{two, Deployment{}, Obey, true}, {one, Deployment{}, Ignore, false}, {one, Committed{}, Ignore, false}, {one, Cancel{}, Ignore, false},
			{two, Begin{}, Obey, false},
		},
		"of a dead epoch": {
			{later, Deployment{}, Obey, true}, {two, Committed{checkpoint.Ref{ID: 7, Epoch: 1}}, Ignore, false}, {later, Begin{}, Obey, false},
		},
		"nothing is deployed": {
			{one, Begin{}, Ignore, true}, {one, Deployment{}, Obey, false}, {one, Begin{}, Obey, false},
		},
		"cancelled before it was deployed": {
			{one, Cancel{}, Obey, true}, {one, Deployment{}, Ignore, false}, {one, Begin{}, Ignore, false},
		},
		"a newer one is cancelled first": {
			{one, Deployment{}, Obey, true}, {two, Cancel{}, Obey, true}, {one, Begin{}, Ignore, false}, {two, Deployment{}, Ignore, false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var g Guard
			for i, s := range steps {
				if v, superseded := g.Admit(s.x, s.c); v != s.want || superseded != s.superseded {
					t.Fatalf("step %d, %T of %v: verdict %d, superseded %v; want %d, %v", i, s.c, s.x, v, superseded, s.want, s.superseded)
				}
			}
		})
	}
}

// I13: whatever the order of commands, those obeyed never belong to an older
// execution than one seen before.
func TestGuardNeverGoesBack(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	commands := []Command{Deployment{}, Begin{}, Trigger{}, Committed{}, Aborted{}, Drain{}, Stop{}, Cancel{}}
	for range 2000 {
		var g Guard
		var newest checkpoint.Execution
		deployed, history := false, ""
		for range 12 {
			x, c := execution(checkpoint.Epoch(1+r.IntN(2)), checkpoint.Attempt(1+r.IntN(3))), commands[r.IntN(len(commands))]
			v, superseded := g.Admit(x, c)
			history += fmt.Sprintf("%v %T %d %v\n", x, c, v, superseded)
			if superseded != (x.Compare(newest) > 0) || v != Ignore && x.Compare(newest) < 0 {
				t.Fatal(history)
			}
			if superseded {
				newest, deployed = x, false
			}
			if _, ok := c.(Deployment); ok && v == Obey {
				if deployed {
					t.Fatalf("deployed twice:\n%s", history)
				}
				deployed = true
			}
		}
	}
}
