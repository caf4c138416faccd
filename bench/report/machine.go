package report

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Machine is what a figure was measured on.
type Machine struct {
	Cores  int    `json:"cores"`
	CPU    string `json:"cpu,omitempty"`
	Memory string `json:"memory,omitempty"`
	System string `json:"system"`
	Go     string `json:"go"`
	// Load are the load averages of 1, 5 and 15 minutes.
	Load string `json:"load"`
}

// Inspect tells about this machine, now. What the system does not tell is
// empty, or "unknown".
func Inspect() Machine {
	return Machine{
		Cores: runtime.GOMAXPROCS(0), CPU: field("/proc/cpuinfo", "model name"), Memory: field("/proc/meminfo", "MemTotal"),
		System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Load: Load(),
	}
}

// Load returns the load averages of 1, 5 and 15 minutes.
func Load() string {
	b, err := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(b))
	if err != nil || len(f) < 3 {
		return "unknown"
	}
	return strings.Join(f[:3], " ")
}

func field(path, name string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		key, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// String renders the machine without its load.
func (m Machine) String() string {
	s := fmt.Sprintf("%d cores", m.Cores)
	for _, v := range []string{m.CPU, m.Memory, m.System, m.Go} {
		if v != "" {
			s += ", " + v
		}
	}
	return s
}
