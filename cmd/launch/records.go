package launch

import (
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine"
)

// countEvery is how often the coordinator is told of records.
const countEvery = 50 * time.Millisecond

// countRecords tells the coordinator of the records that the sources read, until the
// function that it returns is called.
func countRecords(m *engine.Metrics, to *coordinator.Coordinator) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(countEvery)
		defer tick.Stop()
		var last int64
		for {
			select {
			case <-tick.C:
				// A new attempt begins with fewer than the one before ended with.
				now := m.Snapshot().SourceRecords
				if now > last {
					to.Progress(now - last)
				}
				last = now
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}
