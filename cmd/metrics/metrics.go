package metrics

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload"
)

// NativeEvery is how long figures of the local store are kept before they are asked for
// again.
const NativeEvery = 10 * time.Second

// Job is what is measured of a job.
type Job struct {
	ID, Name string
	Graph    checkpoint.Graph
	Started  time.Time
	Engine   *engine.Metrics
	// Coordinator leads the job. Nil: checkpoints are off.
	Coordinator Coordinator
	// Requests count what was asked of the store, each try. Nil: checkpoints are off.
	Requests *upload.Counters
	Prices   upload.Prices
	// Memory returns memory in use, and its bound, by part. Cheap.
	Memory func() []Memory
	// Native returns figures of the local store, by name. It is called at most every
	// NativeEvery.
	Native func() []Figure
}

// Coordinator is what is asked of a job's coordinator.
type Coordinator interface {
	Status() coordinator.Status
	History() history.History
}

// Memory is a part of the process's memory. Bytes.
type Memory struct {
	Part  string
	Used  int64
	Limit int64 // zero: none of its own
}

// Figure is a number of the local store.
type Figure struct {
	Name, Help string // the name in full: "tidemark_rocksdb_live_bytes"
	Counter    bool
	Value      float64
}

// Handler serves the metrics of a job, those of Go's runtime, and those of the process.
func Handler(j Job) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &collector{job: j})
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{Registry: r, MaxRequestsInFlight: 4, ErrorHandling: promhttp.ContinueOnError})
}

// collector makes the metrics of a job at each scrape.
type collector struct {
	job Job

	mu     sync.Mutex
	native []Figure
	asked  time.Time // when native was; zero: never
}

// Describe implements prometheus.Collector: what is exported depends on the job.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	s := sender{to: to, labels: []string{"job_id", "job_name"}, values: []string{c.job.ID, c.job.Name}}
	now := time.Now()
	c.engine(s, now)
	if c.job.Coordinator != nil {
		st, h := c.job.Coordinator.Status(), c.job.Coordinator.History()
		flink(s, st, h)
		checkpoints(s, st, h, now)
		c.store(s, st)
	}
	for _, m := range c.job.Memory() {
		s.gauge("tidemark_memory_bytes", "memory in use, by part", float64(m.Used), "part", m.Part)
		if m.Limit > 0 {
			s.gauge("tidemark_memory_limit_bytes", "most memory that a part may take", float64(m.Limit), "part", m.Part)
		}
	}
	for _, f := range c.figures(now) {
		s.send(f.Name, f.Help, f.Value, f.Counter)
	}
}

// figures are those of the local store, not older than NativeEvery.
func (c *collector) figures(now time.Time) []Figure {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked.IsZero() || now.Sub(c.asked) >= NativeEvery {
		c.native, c.asked = c.job.Native(), now
	}
	return c.native
}

// sender makes metrics with the labels of the job.
type sender struct {
	to             chan<- prometheus.Metric
	labels, values []string
}

func (s sender) gauge(name, help string, v float64, labels ...string) {
	s.send(name, help, v, false, labels...)
}

func (s sender) counter(name, help string, v float64, labels ...string) {
	s.send(name, help, v, true, labels...)
}

// send sends a metric. labels are names and values in turn.
func (s sender) send(name, help string, v float64, counter bool, labels ...string) {
	names, values := s.labels[:len(s.labels):len(s.labels)], s.values[:len(s.values):len(s.values)]
	for i := 0; i < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	kind := prometheus.GaugeValue
	if counter {
		kind = prometheus.CounterValue
	}
	desc := prometheus.NewDesc(name, help, names, nil)
	m, err := prometheus.NewConstMetric(desc, kind, v, values...)
	if err != nil { // a label that is not UTF-8: a panic here would end the job
		m = prometheus.NewInvalidMetric(desc, err)
	}
	s.to <- m
}
