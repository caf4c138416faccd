package launch

import (
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine"
)

// Progress is how far a run has come.
type Progress struct {
	Elapsed    time.Duration
	Events     int64
	EventsPerS float64             // since the last Progress
	Last       *coordinator.Report // the newest completed checkpoint; nil: none yet
	Failed     int                 // checkpoints
}

// watch calls show about every so often until the function that it returns is
// called; that waits until no call is under way. show may be nil.
func watch(show func(Progress), every time.Duration, m *engine.Metrics, coord *coordinator.Coordinator) (stop func()) {
	if show == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	begin := time.Now()
	var last Progress
	report := func() {
		p := Progress{Elapsed: time.Since(begin), Events: m.Snapshot().SourceRecords}
		if dt := p.Elapsed - last.Elapsed; dt > 0 && p.Events >= last.Events {
			p.EventsPerS = float64(p.Events-last.Events) / dt.Seconds()
		}
		if coord != nil {
			st := coord.Status()
			p.Last, p.Failed = st.Last, st.Failed
		}
		last = p
		show(p)
	}
	go func() {
		defer close(ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				report()
			case <-done:
				report()
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}
