package bounds_test

import (
	gocontext "context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/upload"
)

// The bounds. Memory may exceed the statement by a fifth, as cmd/OPERATIONS.md says. A
// step is one entry. What it costs follows from the size of a value; what the record loop
// does beside it (a barrier, a full table) costs the same for all sizes.
const (
	longestStep = 250 * time.Millisecond
	perEntry    = 50 * time.Microsecond // of a row that is cleared
)

// asChild names the kind and size that this process measures.
const asChild = "TIDEMARK_BOUNDS_OF"

func TestMain(m *testing.M) {
	if of := os.Getenv(asChild); of != "" {
		if err := child(of); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// result is what a process measured.
type result struct {
	Cells             []*cell
	Stated            launch.Memory
	Overlapped, Stuck int64 // see slowly
}

// child runs the job of a kind and a size, and prints what it measured.
func child(of string) error {
	var name string
	var valueBytes int
	if _, err := fmt.Sscan(of, &name, &valueBytes); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(os.Getenv("TMPDIR"), "bounds-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var m meter
	slow := slowly{meter: &m}
	for _, k := range kinds {
		if k.name != name {
			continue
		}
		job := jobOf(k.open, name == "list" || name == "map", valueBytes, &m)
		report, err := launch.Run(gocontext.Background(), launch.Config{
			Job: job, Store: "file://" + filepath.Join(dir, "store"), StateDir: filepath.Join(dir, "state"), Interval: 200 * time.Millisecond,
			Checkpoints: coordinator.Options{MaxConcurrent: 2, Retention: coordinator.RetentionPolicy{Newest: 1}},
			Decorate:    func(s upload.Store) upload.Store { slow.Store = s; return &slow },
			Rocks:       rocks.Options{TableBytes: 8 << 20, MemoryBytes: 16 << 20},
			Engine:      engine.Config{Parallelism: 1, BatchRecords: 16, Restart: engine.NoRestart{}},
			Logger:      slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		})
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(result{m.cells, report.Memory, slow.overlapped.Load(), slow.stuck.Load()})
	}
	return fmt.Errorf("no kind %q", name)
}

// slowly is a store that writes a data object only once records went on meanwhile, or
// there are no more.
type slowly struct {
	upload.Store
	meter      *meter
	overlapped atomic.Int64 // uploads during which records went on
	stuck      atomic.Int64 // and those for which they did not
}

const (
	stepsDuring = 4           // that an upload waits for
	patience    = time.Minute // and for how long, where the record loop waits for the upload
)

func (s *slowly) Put(ctx gocontext.Context, name string, body upload.Body, o upload.PutOptions) (upload.Info, error) {
	if strings.HasPrefix(name, "data/") {
		deadline := time.Now().Add(patience)
		for before := s.meter.steps.Load(); !s.meter.done.Load() && ctx.Err() == nil; time.Sleep(time.Millisecond) {
			if s.meter.steps.Load() >= before+stepsDuring {
				s.overlapped.Add(1)
				break
			}
			if time.Now().After(deadline) {
				s.stuck.Add(1)
				break
			}
		}
	}
	return s.Store.Put(ctx, name, body, o)
}

// I12: whatever the kind of state, the size of a value and what is done with it, memory
// stays below what is stated, and the record loop goes on.
func TestMemoryAndStallsAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("it writes gigabytes")
	}
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Skip("the system does not reset the high-water mark: ", err)
	}
	var mu sync.Mutex
	overlapped := int64(0)
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "state\tvalue\tdoes\tsteps\tlongest step\tan entry of a row\tpeak MiB\tstated MiB\t")
	t.Run("matrix", func(t *testing.T) {
		for _, k := range kinds {
			for _, valueBytes := range []int{16, 1 << 10, 32 << 10, 1 << 20} {
				t.Run(fmt.Sprintf("%s/%d", k.name, valueBytes), func(t *testing.T) {
					t.Parallel()
					r := measure(t, fmt.Sprint(k.name, " ", valueBytes))
					if r.Stuck > 0 {
						t.Errorf("the record loop waited for %d uploads", r.Stuck)
					}
					mu.Lock()
					defer mu.Unlock()
					overlapped += r.Overlapped
					for _, c := range r.Cells {
						_, _ = fmt.Fprintf(table, "%s\t%d\t%s\t%d\t%v\t%v\t%d\t%d\t\n", k.name, valueBytes, c.Does, c.Steps, c.Longest.Round(time.Microsecond), c.PerRow, c.Peak>>20, r.Stated.Total>>20)
						if c.Peak > r.Stated.Total+r.Stated.Total/5 {
							t.Errorf("%s: %d MiB, stated are %d", c.Does, c.Peak>>20, r.Stated.Total>>20)
						}
						if c.Longest > longestStep {
							t.Errorf("%s: the record loop worked %v between two entries", c.Does, c.Longest)
						}
						if c.PerRow > perEntry+time.Duration(valueBytes)*10 {
							t.Errorf("%s: %v for each entry of the row", c.Does, c.PerRow)
						}
					}
				})
			}
		}
	})
	_ = table.Flush() // into memory
	t.Logf("records went on during %d uploads\n%s", overlapped, text.String())
	if overlapped == 0 {
		t.Error("no upload while records went on")
	}
}

// measure runs a process that measures.
func measure(t *testing.T, of string) (r result) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), asChild+"="+of, "TMPDIR="+t.TempDir())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	return r
}
