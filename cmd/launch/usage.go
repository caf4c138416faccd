package launch

import (
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Usage says what a run used, beside processor time.
type Usage struct {
	// Allocs and AllocBytes count what was allocated on Go's heap.
	Allocs     int64 `json:"allocs"`
	AllocBytes int64 `json:"alloc_bytes"`
	// GCCPUS are the processor seconds of Go's collector, as the runtime
	// estimates them: pauses count all processors, and what follows the last
	// collection does not count.
	GCCPUS float64 `json:"gc_cpu_s"`
	// MaxRSSBytes is the greatest memory of the process since it began.
	MaxRSSBytes int64 `json:"max_rss_bytes"`
}

const (
	metricObjects = "/gc/heap/allocs:objects"
	metricTiny    = "/gc/heap/tiny/allocs:objects"
	metricBytes   = "/gc/heap/allocs:bytes"
	metricGC      = "/cpu/classes/gc/total:cpu-seconds"
	metricMapped  = "/memory/classes/total:bytes"
	metricGone    = "/memory/classes/heap/released:bytes"
	metricPercent = "/gc/gogc:percent"
)

// read returns the values of the runtime's metrics, in the order of the names.
func read(names ...string) []float64 {
	samples := make([]metrics.Sample, len(names))
	for i, name := range names {
		samples[i].Name = name
	}
	metrics.Read(samples)
	values := make([]float64, len(names))
	for i, s := range samples {
		switch s.Value.Kind() {
		case metrics.KindUint64:
			values[i] = float64(s.Value.Uint64())
		case metrics.KindFloat64:
			values[i] = s.Value.Float64()
		}
	}
	return values
}

// usage returns what the process took until now.
func usage() Usage {
	v := read(metricObjects, metricTiny, metricBytes, metricGC)
	return Usage{Allocs: int64(v[0] + v[1]), AllocBytes: int64(v[2]), GCCPUS: v[3], MaxRSSBytes: maxRSS()}
}

// since returns what was taken after before.
func (u Usage) since(before Usage) Usage {
	u.Allocs -= before.Allocs
	u.AllocBytes -= before.AllocBytes
	u.GCCPUS -= before.GCCPUS
	return u
}

// goBytes is the memory that Go's runtime has from the system.
func goBytes() int64 {
	v := read(metricMapped, metricGone)
	return int64(v[0] - v[1])
}

// gcPercent is how much garbage Go lets pile up before it collects, in percent of the
// live heap; negative: it collects at its memory limit only.
func gcPercent() int { return int(int64(read(metricPercent)[0])) }

// maxRSS is zero if the system does not report it. Rusage's figure is no substitute: it
// begins with the memory of the parent process.
func maxRSS() int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" && f[2] == "kB" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

// rss is the memory of the process now; zero if the system does not report it.
func rss() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	f := strings.Fields(string(b))
	if err != nil || len(f) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// processCPU is the user and system time of this process until now.
func processCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// meter measures a run.
type meter struct {
	wall  time.Time
	cpu   time.Duration
	usage Usage
}

func startMeter() meter { return meter{time.Now(), processCPU(), usage()} }

// elapsed returns seconds of wall and processor time.
func (m meter) elapsed() (wall, cpu float64) {
	return time.Since(m.wall).Seconds(), (processCPU() - m.cpu).Seconds()
}
