package engine_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/enginetest"
	"github.com/tidemark/tidemark/engine/state"
)

type visit struct {
	User string
	At   time.Duration // since the beginning of 1970
}

// sessions numbers the visits of each user, from 1 again after half an hour
// without one.
type sessions struct{ visits state.Reducing[int64] }

func (s *sessions) Open(c engine.OpenContext) error {
	s.visits = state.NewReducing(c, "visits", func(a, b int64) int64 { return a + b }, state.TTL(30*time.Minute))
	return nil
}

func (s *sessions) Process(c engine.Context[string], _ visit, out engine.Out[int64]) error {
	if err := s.visits.Add(c, 1); err != nil {
		return err
	}
	n, _, err := s.visits.Get(c)
	out.Emit(n)
	return err
}

// timed sets a clock by its records.
type timed struct {
	sessions
	now *atomic.Int64
}

func (p *timed) Process(c engine.Context[string], v visit, out engine.Out[int64]) error {
	p.now.Store(int64(v.At))
	return p.sessions.Process(c, v, out)
}

// A job that lives by TTL is tested without waiting.
func TestClockOfAJob(t *testing.T) {
	var now atomic.Int64
	job := engine.NewJob("sessions")
	visits := engine.From(job, "visits", enginetest.FromSlice(
		visit{"ann", 0}, visit{"bob", time.Minute}, visit{"ann", 29 * time.Minute}, visit{"bob", 31 * time.Minute},
		visit{"ann", 58 * time.Minute}, visit{"ann", 88 * time.Minute}, visit{"bob", 89 * time.Minute},
	))
	sink, numbers := enginetest.Collect[int64]()
	engine.Process(engine.KeyBy(visits, func(v visit) string { return v.User }), "sessions",
		func() engine.Processor[string, visit, int64] { return &timed{now: &now} }).To("out", sink)
	enginetest.Run(t, job, enginetest.Parallelism(1), enginetest.Clock(func() time.Time { return time.Unix(0, now.Load()) }))
	if got, want := numbers(), []int64{1, 1, 2, 1, 3, 1, 1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
