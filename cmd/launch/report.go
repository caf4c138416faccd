package launch

import (
	"slices"
	"sync"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine"
)

// Report is what a run did. Its JSON form is what `tidemark run --json` ends
// with.
type Report struct {
	Job    string `json:"job"` // the job's id
	Events int64  `json:"events"`
	// Rows is how many rows the sinks have taken since the job's beginning.
	Rows   int64  `json:"rows"`
	Digest string `json:"digest"` // 16 hexadecimal digits; empty: not asked for
	// WallS and CPUS are seconds from the start of Run; CPUS is that of the
	// process, RocksDB's threads included.
	WallS       float64 `json:"wall_s"`
	CPUS        float64 `json:"cpu_s"`
	ResumedFrom *uint64 `json:"resumed_from"` // null: it started from nothing
	// Newest is the newest checkpoint in the store; zero: none.
	Newest uint64 `json:"newest_checkpoint"`
	// Stopped: the job was stopped on purpose, behind a last checkpoint or cancelled.
	Stopped     bool        `json:"stopped"`
	Attempts    int         `json:"attempts"`
	Malformed   int64       `json:"malformed"`
	Checkpoints Checkpoints `json:"checkpoints"`
	Usage
	// Memory is the most memory that the run could take, as it was stated before.
	Memory Memory `json:"memory_bound"`
	// Series are points a quarter of a second apart, further in runs of more
	// than five minutes; the last is that of the end of the input.
	Series []Point `json:"series,omitempty"`
}

// add fills in the engine's result.
func (r *Report) add(e engine.Result) {
	r.Events, r.Malformed, r.Rows, r.Attempts = e.Records, e.Malformed, e.Written, e.Attempts
	if e.Restored != 0 {
		r.ResumedFrom = new(uint64(e.Restored))
	}
}

// Checkpoints sums up the checkpoints of a run.
type Checkpoints struct {
	Completed   int         `json:"completed"`
	Failed      int         `json:"failed"`
	NewBytes    int64       `json:"new_bytes"`
	ReusedBytes int64       `json:"reused_bytes"`
	SyncMS      Percentiles `json:"sync_ms"`     // the slowest subtask's
	DurationMS  Percentiles `json:"duration_ms"` // from the trigger to the commit
}

// Percentiles of a series; all zero where it is empty.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// percentiles uses the nearest rank.
func percentiles(v []float64) Percentiles {
	if len(v) == 0 {
		return Percentiles{}
	}
	v = slices.Sorted(slices.Values(v))
	at := func(percent int) float64 { return v[max(0, (percent*len(v)+99)/100-1)] }
	return Percentiles{P50: at(50), P99: at(99), Max: v[len(v)-1]}
}

// history gathers the completed checkpoints of a run.
type history struct {
	mu       sync.Mutex
	sync     []float64 // ms
	duration []float64 // ms
	reused   int64
}

func (h *history) add(r coordinator.Report) {
	if r.Err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sync = append(h.sync, milliseconds(r.Sync))
	h.duration = append(h.duration, milliseconds(r.Duration))
	h.reused += r.ReusedBytes()
}

func (h *history) summary(s coordinator.Status) Checkpoints {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Checkpoints{
		Completed: s.Completed, Failed: s.Failed, NewBytes: s.NewBytes, ReusedBytes: h.reused,
		SyncMS: percentiles(h.sync), DurationMS: percentiles(h.duration),
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
