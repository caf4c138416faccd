package deploy

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// The same failure ends the job after a number of times with no checkpoint
// between, whatever else fails meanwhile; what is not the job's own doing, and
// what already ends it, is never counted.
func TestRepeatedFailuresEndTheJob(t *testing.T) {
	boom := Failure{Kind: FailureOther, Operator: "op", Text: "boom", Cause: errors.New("boom")}
	vary := func(edit func(*Failure)) Failure { f := boom; edit(&f); return f }
	for name, c := range map[string]struct {
		tolerated int
		steps     []any // a Failure, or what an attempt starts from
		ends      bool  // with the last one, and not before
	}{
		"three times":          {3, []any{boom, boom, boom}, true},
		"twice":                {3, []any{boom, boom}, false},
		"once is enough":       {1, []any{boom}, true},
		"any number":           {-1, []any{boom, boom, boom, boom, boom, boom}, false},
		"the same start":       {2, []any{7, boom, 7, boom}, true},
		"a checkpoint between": {2, []any{7, boom, 8, boom}, false},
		"another between":      {2, []any{boom, vary(func(f *Failure) { f.Text = "bang" }), boom}, true},
		"another text":         {2, []any{boom, vary(func(f *Failure) { f.Text = "bang" })}, false},
		"another operator":     {2, []any{boom, vary(func(f *Failure) { f.Operator = "op2" })}, false},
		"another kind":         {2, []any{boom, vary(func(f *Failure) { f.Kind = FailurePanic })}, false},
		"another subtask":      {2, []any{boom, vary(func(f *Failure) { f.Index = 3 })}, true},
		"a lost host":          {1, []any{vary(func(f *Failure) { f.Kind = FailureLost })}, false},
		"a broken connection":  {1, []any{vary(func(f *Failure) { f.Kind = FailurePeer })}, false},
		"permanent already":    {1, []any{vary(func(f *Failure) { f.Kind = FailurePermanent })}, false},
	} {
		r := repeats{tolerated: c.tolerated}
		for i, s := range c.steps {
			f, ok := s.(Failure)
			if !ok {
				r.startsFrom(checkpoint.ID(s.(int)))
				continue
			}
			got := r.add(&f)
			ends := c.ends && i == len(c.steps)-1
			if (got.Kind == FailureRepeated) != ends || got.Operator != f.Operator || got.Index != f.Index {
				t.Errorf("%s: step %d gives %v %q", name, i, got.Kind, got.Text)
			}
			if ends && (!errors.Is(got, ErrRepeated) || !errors.Is(got, boom.Cause) || !got.Kind.Permanent()) {
				t.Errorf("%s: %v", name, got)
			}
		}
	}
}

// What is remembered of failures that all differ is bounded (I12).
func TestDifferentFailuresTakeBoundedMemory(t *testing.T) {
	r := repeats{tolerated: 5}
	for i := range 10 * mostSeen {
		r.startsFrom(0)
		r.add(&Failure{Text: fmt.Sprint("boom ", i)})
		if len(r.seen) > mostSeen {
			t.Fatalf("%d failures are remembered", len(r.seen))
		}
	}
}
