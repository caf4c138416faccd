package bounds_test

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// cell is what was measured of one thing that is done with one state.
type cell struct {
	Does    string
	Steps   int64         // entries that were read or written
	Longest time.Duration // processor time of the record loop between two steps
	PerRow  time.Duration // the same of an operation on a row, for each of its entries
	Peak    int64         // the greatest memory of the process, in bytes
}

// meter measures the record loop. It belongs to the loop's goroutine, which must be
// locked to its thread.
type meter struct {
	cells []*cell
	often int64 // steps from one look at the clock to the next
	last  time.Duration
	steps atomic.Int64 // of all cells; any goroutine
	done  atomic.Bool  // no step follows; any goroutine
}

// begin ends a cell and begins another.
func (m *meter) begin(does string) error {
	if err := m.end(); err != nil {
		return err
	}
	// 5: the high-water mark becomes what is resident now.
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return err
	}
	m.cells = append(m.cells, &cell{Does: does})
	m.last = threadTime()
	return nil
}

func (m *meter) end() (err error) {
	if len(m.cells) > 0 {
		c := m.cells[len(m.cells)-1]
		c.Peak, err = highWater()
	}
	return err
}

func (m *meter) step() {
	m.steps.Add(1)
	c := m.cells[len(m.cells)-1]
	if c.Steps++; c.Steps%m.often == 0 {
		now := threadTime()
		c.Longest = max(c.Longest, now-m.last)
		m.last = now
	}
}

// row measures an operation on a row of n entries.
func (m *meter) row(n int64, operation func() error) error {
	before := threadTime()
	err := operation()
	m.last = threadTime()
	c := m.cells[len(m.cells)-1]
	c.PerRow = max(c.PerRow, (m.last-before)/time.Duration(n))
	return err
}

func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

func highWater() (int64, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	return kib << 10, err
}
