package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/enginetest"
)

// I3: a source that a job did not have when its checkpoint was taken is read from
// its beginning; the others go on from where they were. The same for a sink.
func TestNewSourceIsReadFromItsBeginning(t *testing.T) {
	old, extra := make([]int, 200), []int{1001, 1002, 1003, 1004, 1005}
	for i := range old {
		old[i] = i
	}
	out, got := enginetest.Collect[int]()
	later, gotLater := enginetest.Collect[int]()
	build := func(pause time.Duration, more bool) *engine.Job {
		j := engine.NewJob("grows")
		in := engine.From(j, "in", enginetest.FromSlice(old...).Slowly(1, pause))
		if more {
			in = engine.Union(in, engine.From(j, "extra", enginetest.FromSlice(extra...)))
			in.To("later", later)
		}
		in.To("out", out)
		return j
	}
	co := &enginetest.Coordinator{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := enginetest.Execute(ctx, build(time.Millisecond, false), enginetest.With(co))
		ended <- err
	}()
	for len(got()) < 5 { // output is visible once a checkpoint is committed
		if _, err := co.Trigger(ctx); errors.Is(err, enginetest.ErrNotRunning) {
			time.Sleep(time.Millisecond)
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) || co.Last().Final {
		t.Fatalf("the first run ended with %v, its last checkpoint %+v", err, co.Last())
	}

	r := enginetest.Run(t, build(0, true), enginetest.With(co))
	want := slices.Concat(old, extra)
	if all := got(); !slices.Equal(slices.Sorted(slices.Values(all)), want) {
		t.Errorf("got %v", all)
	}
	since := gotLater()
	slices.Sort(since)
	if n := len(since) - len(extra); n < 0 || len(since) > len(want)-5 || !slices.Equal(since[n:], extra) {
		t.Errorf("the new sink got %v", since)
	}
	if r.Restored == 0 || r.Records != int64(len(want)) {
		t.Errorf("result %+v", r)
	}
}
