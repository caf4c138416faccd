package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/enginetest"
	"github.com/tidemark/tidemark/engine/state"
)

// plain is a processor that declares states with open.
type plain struct {
	open func(c engine.OpenContext) error
}

func (p *plain) Open(c engine.OpenContext) error {
	if p.open == nil {
		return nil
	}
	return p.open(c)
}

func (p *plain) Process(engine.Context[int], int, engine.Out[row]) error { return nil }

type wrongFinishKey struct{ plain }

func (*wrongFinishKey) FinishKey(engine.Context[int], engine.Out[*row]) error { return nil }

type wrongFinish struct{ plain }

func (*wrongFinish) Finish(engine.Context[int], engine.Out[row]) error { return nil }

type byValue struct {
	engine.Processor[int, int, row]
}

func (*byValue) Finish(engine.Out[row]) error { return nil }

type named map[string]int

func (named) Open(engine.OpenContext) error                           { return nil }
func (named) Process(engine.Context[int], int, engine.Out[row]) error { return nil }

type hidden struct{ n int }

var (
	shared      = &plain{}
	sharedNamed = named{}
	errMissing  = errors.New("the rules are missing")
)

func opens(f func(c engine.OpenContext) error) func() engine.Processor[int, int, row] {
	return func() engine.Processor[int, int, row] { return &plain{f} }
}

// What a processor's type, its maker or its Open does wrong is a mistake of the
// job: it is found before anything runs, and no restart follows.
func TestMistakesOfProcessorsAreFoundBeforeTheJobRuns(t *testing.T) {
	for name, c := range map[string]struct {
		make func() engine.Processor[int, int, row]
		says []string
	}{
		"a FinishKey of another type": {func() engine.Processor[int, int, row] { return &wrongFinishKey{} },
			[]string{"method FinishKey that would never be called", "Out[*github.com/tidemark/tidemark/engine_test.row]) error", "Out[github.com/tidemark/tidemark/engine_test.row]) error"}},
		"a Finish of another type":     {func() engine.Processor[int, int, row] { return &wrongFinish{} }, []string{"method Finish that would never be called"}},
		"a Finish of the pointer only": {func() engine.Processor[int, int, row] { return byValue{&plain{}} }, []string{"byValue: use the pointer"}},
		"none is made":                 {func() engine.Processor[int, int, row] { return nil }, []string{"returned no processor"}},
		"a nil pointer is made":        {func() engine.Processor[int, int, row] { return (*plain)(nil) }, []string{"returned no processor"}},
		"one pointer for all":          {func() engine.Processor[int, int, row] { return shared }, []string{"returned one *engine_test.plain twice"}},
		"one map for all":              {func() engine.Processor[int, int, row] { return sharedNamed }, []string{"returned one engine_test.named twice"}},
		"a state without a codec": {opens(func(c engine.OpenContext) error { state.NewValue[hidden](c, "n"); return nil }),
			[]string{`state "n": unsupported type: field engine_test.hidden.n is not exported`}},
		"a doubled state": {opens(func(c engine.OpenContext) error {
			state.NewValue[int](c, "n")
			state.NewList[int](c, "n")
			return nil
		}), []string{`state "n": the operator has a state of this name`}},
		"a state without a name": {opens(func(c engine.OpenContext) error { state.NewMap[int, int](c, ""); return nil }), []string{`state "": bad name`}},
		"an operator state without a codec": {opens(func(c engine.OpenContext) error {
			state.NewOperatorList[hidden](c, "l", checkpoint.Split)
			return nil
		}), []string{"hidden.n is not exported"}},
		"a permanent error": {opens(func(engine.OpenContext) error { return engine.Permanent(errMissing) }), []string{errMissing.Error()}},
		"a panic":           {opens(func(engine.OpenContext) error { panic("no rules") }), []string{"panic: no rules"}},
	} {
		t.Run(name, func(t *testing.T) {
			j := engine.NewJob("j")
			s := engine.Process(engine.KeyBy(engine.From(j, "in", enginetest.FromSlice(1)), identity), "op", c.make)
			s.To("out", enginetest.Discard[row]())
			err := j.Validate()
			if err == nil || !engine.IsPermanent(err) {
				t.Fatalf("the job is valid: %v", err)
			}
			for _, want := range append(c.says, `operator "op"`) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
			r, err := enginetest.Execute(t.Context(), j, enginetest.Restarts(3))
			if err == nil || r.Attempts != 0 {
				t.Errorf("it ran: %d attempts, %v", r.Attempts, err)
			}
		})
	}
}

// An Open that fails for a reason of its own, which may pass, is for the run.
func TestATemporaryErrorOfOpenIsNoMistake(t *testing.T) {
	j := engine.NewJob("j")
	engine.Process(engine.KeyBy(engine.From(j, "in", enginetest.FromSlice(1)), identity), "op",
		opens(func(engine.OpenContext) error { return errMissing })).To("out", enginetest.Discard[row]())
	if err := j.Validate(); err != nil {
		t.Fatal(err)
	}
}

// The maker of a processor is passed as it is: Process knows the rest from it.
func TestProcessTakesTheMakerOfAnyType(t *testing.T) {
	j := engine.NewJob("j")
	newPlain := func() *plain { return &plain{} }
	engine.Process(engine.KeyBy(engine.From(j, "in", enginetest.FromSlice(1)), identity), "op", newPlain).To("out", enginetest.Discard[row]())
	enginetest.Run(t, j)
}

type uncheckedEnd struct{ engine.Source[int] }

func (uncheckedEnd) Validate(context.Context) error { return nil }

type uncheckedSink struct{ engine.Sink[int] }

func (uncheckedSink) Validate() bool { return true }

type checkedSink struct {
	engine.Sink[int]
	err error
}

func (c checkedSink) Validate() error { return c.err }

type checkedSource struct {
	engine.Source[int]
	err error
}

func (c checkedSource) Validate() error { return c.err }

// Sources and sinks are asked for their mistakes; a Validate that could not be
// asked is one.
func TestSourcesAndSinksAreValidated(t *testing.T) {
	j := engine.NewJob("j")
	engine.From[int](j, "in-1", checkedSource{err: errors.New("no path")}).To("out-1", checkedSink{err: errors.New("no directory")})
	engine.From[int](j, "in-2", uncheckedEnd{}).To("out-2", uncheckedSink{})
	err := j.Validate()
	for _, want := range []string{`"in-1": no path`, `"out-1": no directory`, `"in-2": engine_test.uncheckedEnd has a method Validate`, `"out-2": engine_test.uncheckedSink has a method Validate`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}
