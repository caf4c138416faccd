package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/enginetest"
	"github.com/tidemark/tidemark/engine/state"
)

var errStopped = errors.New("stopped behind a checkpoint")

// stages is a source that reads a record of each key, takes a checkpoint and fails. So
// each run of a job starts from the checkpoint of the one before.
type stages struct{ co *enginetest.Coordinator }

const stageKeys = 10

func (s stages) Splits(context.Context, int) ([]engine.Split, error) {
	return []engine.Split{{0}}, nil
}

func (s stages) Open(_ engine.SourceContext, splits []engine.Split) (engine.Reader[int], error) {
	return &stage{co: s.co, splits: splits, taken: make(chan error, 1)}, nil
}

type stage struct {
	co     *enginetest.Coordinator
	splits []engine.Split
	read   bool
	taken  chan error
	taking sync.WaitGroup
}

func (s *stage) Read(ctx context.Context, dst []int) ([]int, error) {
	if !s.read {
		s.read = true
		for k := range stageKeys {
			dst = append(dst, k)
		}
		s.taking.Go(func() {
			_, err := s.co.Trigger(context.Background())
			s.taken <- err
		})
		return dst, nil
	}
	select {
	case err := <-s.taken:
		return dst, engine.Permanent(errors.Join(errStopped, err))
	case <-ctx.Done():
		return dst, nil
	}
}

func (s *stage) Splits() []engine.Split { return s.splits }

func (s *stage) Close() error {
	s.taking.Wait()
	return nil
}

// version is a version of a job: the operator that counts, its states, and the sink's.
type version struct {
	operator      string
	states, lists []string
}

// run runs the version from the newest checkpoint to the next one, and returns what it
// counted: "state key" to count.
func (v version) run(t *testing.T, co *enginetest.Coordinator) (map[string]int, error) {
	j := engine.NewJob("versions")
	in := engine.From(j, "in", stages{co}, engine.Parallelism(1))
	counts := &countsOf{byName: map[string]int{}}
	engine.Process(engine.KeyBy(in, identity), v.operator,
		func() engine.Processor[int, int, row] { return &versioned{names: v.states, to: counts} }).To("out", remembering{v.lists})
	_, err := enginetest.Execute(t.Context(), j, enginetest.With(co), enginetest.Restarts(3))
	if errors.Is(err, errStopped) {
		err = nil
	}
	return counts.byName, err
}

type countsOf struct {
	sync.Mutex
	byName map[string]int
}

// versioned counts the records of each key, in each of the states.
type versioned struct {
	names  []string
	states []state.Value[int]
	to     *countsOf
}

func (p *versioned) Open(c engine.OpenContext) error {
	for _, name := range p.names {
		p.states = append(p.states, state.NewValue[int](c, name))
	}
	return nil
}

func (p *versioned) Process(c engine.Context[int], _ int, _ engine.Out[row]) error {
	for i, s := range p.states {
		n, _, err := s.Get(c)
		if err != nil {
			return err
		}
		if err := s.Set(c, n+1); err != nil {
			return err
		}
		p.to.Lock()
		p.to.byName[fmt.Sprint(p.names[i], " ", c.Key())] = n + 1
		p.to.Unlock()
	}
	return nil
}

// remembering is a sink with operator states.
type remembering struct{ names []string }

func (remembering) Recover(context.Context, engine.Recovery) error { return nil }

func (s remembering) Open(c engine.SinkContext) (engine.Writer[row], error) {
	for _, name := range s.names {
		if err := state.NewOperatorList[int](c, name, checkpoint.Split).Add(1); err != nil {
			return nil, err
		}
	}
	return enginetest.Discard[row]().Open(c)
}

// What a checkpoint holds by name is declared or dropped on purpose: a state, an
// operator state, all of an operator, what only the engine knows. Nothing is carried
// along unseen, to come back with old values.
func TestEveryNameOfACheckpointIsDeclared(t *testing.T) {
	first := version{"counter", []string{"m", "n"}, []string{"l"}}
	for name, c := range map[string]struct {
		next    version
		drop    string
		refused error // without drop
		says    string
		again   map[string]int // what the first version counts in the end
	}{
		"state":          {version{"counter", []string{"m"}, []string{"l"}}, "counter/n", state.ErrUndeclared, `["n"]`, map[string]int{"m": 3, "n": 1}},
		"operator state": {version{"counter", []string{"m", "n"}, nil}, "out/l", state.ErrUndeclared, `["l"]`, map[string]int{"m": 3, "n": 3}},
		"operator":       {version{"other", nil, []string{"l"}}, "counter", checkpoint.ErrGraphMismatch, `"counter" has state`, map[string]int{"m": 1, "n": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			co := &enginetest.Coordinator{}
			if _, err := first.run(t, co); err != nil {
				t.Fatal(err)
			}
			before := co.Last().Checkpoint
			counted, err := c.next.run(t, co)
			if !errors.Is(err, c.refused) || !engine.IsPermanent(err) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("undeclared: %v", err)
			}
			if co.Last().Checkpoint != before || len(counted) > 0 {
				t.Fatalf("refused, but it counted %v", counted)
			}
			drop, err := checkpoint.ParseDrop(c.drop)
			if err != nil {
				t.Fatal(err)
			}
			co.Drop = []checkpoint.Drop{drop}
			for range 2 { // the same command again is as good
				if _, err := c.next.run(t, co); err != nil {
					t.Fatal(err)
				}
			}
			co.Drop = []checkpoint.Drop{{Operator: "other"}} // which has a handle, though no state
			counted, err = first.run(t, co)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]int{}
			for state, n := range c.again {
				if n > 1 {
					n++ // of the second run with drop
				}
				for k := range stageKeys {
					want[fmt.Sprint(state, " ", k)] = n
				}
			}
			if !maps.Equal(counted, want) {
				t.Errorf("the first version again counted %v, want %v", counted, want)
			}
		})
	}
}

// A source's state that the engine does not know is not lost in silence either.
func TestUnknownStateOfASourceIsRefused(t *testing.T) {
	co := &enginetest.Coordinator{}
	v := version{"counter", []string{"n"}, nil}
	if _, err := v.run(t, co); err != nil {
		t.Fatal(err)
	}
	in := co.Last().Operators["in"]
	in[0].State = append(in[0].State, checkpoint.OperatorState{Name: "_later", Items: [][]byte{{1}}})
	if _, err := v.run(t, co); !errors.Is(err, state.ErrUndeclared) || !strings.Contains(err.Error(), `operator "in" subtask 0`) {
		t.Errorf("got %v", err)
	}
}
