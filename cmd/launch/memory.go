package launch

import (
	"log/slog"

	"github.com/tidemark/tidemark/engine"
)

// Memory is the greatest memory that a run may take, part by part, in bytes. A
// run states it when it begins, and reports it beside what it took (I12).
//
// It estimates what only the job knows: it takes records in queues for
// engine.RecordBytes each, beyond which fewer are queued, and leaves out the buffers of sources and sinks. It sets no limit on Go's heap:
// a job's own data lies there too, and with a limit below the live heap the collector
// would run without end. Garbage, which a limit could reduce, is bounded by GOGC: that
// is Headroom.
type Memory struct {
	Table    int64 `json:"table_bytes"`    // recent entries of all states
	Native   int64 `json:"native_bytes"`   // RocksDB's blocks, indexes, filters, write buffers and readers of files
	Queues   int64 `json:"queue_bytes"`    // records between subtasks
	Writing  int64 `json:"writing_bytes"`  // while entries become files, and files are compacted
	Headroom int64 `json:"headroom_bytes"` // garbage that Go lets pile up before it collects
	Program  int64 `json:"program_bytes"`  // code, stacks, and what RocksDB and Go need for themselves
	Total    int64 `json:"total_bytes"`
}

// LogValue implements slog.LogValuer.
func (m Memory) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Int64("total", m.Total), slog.Int64("table", m.Table), slog.Int64("native", m.Native), slog.Int64("queues", m.Queues),
		slog.Int64("writing", m.Writing), slog.Int64("headroom", m.Headroom), slog.Int64("program", m.Program),
	)
}

// What Memory assumes.
const (
	spareBatches = 2 // of a channel: one being filled, one being processed
	programBytes = 64 << 20
	// heapPercent of a table are, at most, indexes and lists on Go's heap; its
	// entries lie outside. The smallest have 40 bytes beside 25 of those.
	heapPercent = 40
)

// memory returns the most memory that the job may take.
func (c Config) memory(gcPercent int) Memory {
	graph, e, r := c.graph(), c.Engine.WithDefaults(c.Job), c.Rocks.WithDefaults()
	channels := 0
	for _, o := range graph.Operators {
		if o.Key == "" {
			continue
		}
		for _, in := range o.Inputs {
			if input, ok := graph.Operator(in.From); ok {
				channels += input.Parallelism * o.Parallelism
			}
		}
	}
	m := Memory{
		Table: r.TableBytes, Native: r.MemoryBytes, Program: programBytes,
		Queues:  int64(channels*(e.QueueBatches+spareBatches)*e.BatchRecords) * engine.RecordBytes,
		Writing: r.WorkingBytes(c.KeyedSubtasks()),
	}
	if gcPercent > 0 {
		m.Headroom = (m.Table*heapPercent/100 + m.Queues) * int64(gcPercent) / 100
	}
	m.Total = m.Table + m.Native + m.Queues + m.Writing + m.Headroom + m.Program
	return m
}
