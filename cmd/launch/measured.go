package launch

import (
	"time"

	"github.com/tidemark/tidemark/cmd/metrics"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/upload"
)

// measured is what is told of the job to Prometheus.
func (p *parts) measured(c Config) metrics.Job {
	j := metrics.Job{
		ID: c.JobID, Name: c.Job.Name(), Graph: c.graph(), Started: time.Now(), Engine: &p.metrics, Prices: upload.S3Prices,
		Memory: func() []metrics.Memory { return memoryParts(p.resources.Memory()) },
		Native: func() []metrics.Figure { return nativeFigures(p.resources) },
	}
	if p.coordinator != nil {
		j.Coordinator, j.Requests = p.coordinator, &p.requests
	}
	return j
}

func memoryParts(m rocks.Memory) []metrics.Memory {
	return []metrics.Memory{
		{Part: "table", Used: m.Table, Limit: m.TableLimit},
		{Part: "cache", Used: m.Cache, Limit: m.CacheLimit},
		{Part: "cache_pinned", Used: m.CachePinned},
		{Part: "write_buffer", Used: m.WriteBuffer},
	}
}

// nativeFigures are the sums over the databases of all subtasks.
func nativeFigures(r *rocks.Resources) []metrics.Figure {
	m := r.Metrics()
	reads, misses := r.Reads()
	stopped := int64(0)
	if m.WriteStopped {
		stopped = 1
	}
	var all []metrics.Figure
	gauge := func(name, help string, v int64) {
		all = append(all, metrics.Figure{Name: "tidemark_rocksdb_" + name, Help: help, Value: float64(v)})
	}
	counter := func(name, help string, v int64) {
		all = append(all, metrics.Figure{Name: "tidemark_" + name, Help: help, Value: float64(v), Counter: true})
	}
	counter("table_reads_total", "entries of states that were asked for", reads)
	counter("table_misses_total", "entries that were read from RocksDB, also ahead of their use", misses)
	gauge("live_bytes", "bytes of the newest version of all columns", m.LiveBytes)
	gauge("disk_bytes", "bytes of all files, with old ones that something still reads", m.DiskBytes)
	gauge("files", "files of the newest version", m.Files)
	gauge("estimated_keys", "keys, as RocksDB estimates them", m.EstimatedKeys)
	gauge("memtable_bytes", "bytes of write buffers", m.MemtableBytes)
	gauge("table_reader_bytes", "memory of open files outside the cache", m.TableReaderBytes)
	gauge("pending_compaction_bytes", "bytes that compaction has to rewrite", m.PendingCompaction)
	gauge("running_jobs", "flushes and compactions that run", m.RunningJobs)
	gauge("write_stopped", "1: compaction is behind, and writes wait", stopped)
	gauge("background_errors", "errors of flushes and compactions", m.BackgroundErrors)
	gauge("expired_entries", "entries of open databases that expired before they were written, or were dropped by compactions", m.ExpiredFlushed+m.ExpiredCompacted)
	return all
}
