package deploy

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

var update = flag.Bool("update", false, "rewrite the golden traces")

// drive tells a driver what happens and writes down what it does.
type drive struct {
	d     *Driver
	now   time.Time
	trace strings.Builder
}

func newDrive(checkpoints bool, restarts int) *drive {
	restart := func(ran time.Duration) (time.Duration, bool) {
		restarts--
		return time.Second, restarts >= 0
	}
	return &drive{d: NewDriver(planOf(3), checkpoints, restart, 3), now: time.Unix(0, 0).UTC()}
}

func (v *drive) tell(after time.Duration, inputs ...Input) {
	v.now = v.now.Add(after)
	for _, in := range inputs {
		fmt.Fprintf(&v.trace, "%v %s\n", v.now.Sub(time.Unix(0, 0)), describe(in))
		for _, a := range v.d.Step(v.now, in) {
			fmt.Fprintf(&v.trace, "\t%s\n", describe(a))
		}
	}
}

// all lets workers a, b and c report an event of an attempt.
func (v *drive) all(attempt checkpoint.Attempt, e Event) {
	for _, w := range []WorkerID{"a", "b", "c"} {
		v.tell(0, v.of(w, attempt, e))
	}
}

func (v *drive) of(w WorkerID, attempt checkpoint.Attempt, e Event) Report {
	epoch := checkpoint.Epoch(0)
	if v.d.checkpoints {
		epoch = 4
	}
	return Report{w, execution(epoch, attempt), e}
}

// running brings an attempt to where records move.
func (v *drive) running(attempt checkpoint.Attempt) {
	v.tell(0, Attached{Epoch: 4}, Prepared{})
	v.all(attempt, Opened{})
}

func (v *drive) join(ids ...WorkerID) {
	for _, id := range ids {
		v.tell(0, Joined{Worker{ID: id, Incarnation: 1, Slots: 1}})
	}
}

// describe names an input or an action and what it holds, without its package.
func describe(m any) string {
	switch m := m.(type) {
	case Report:
		return fmt.Sprintf("%s reports of %v: %s", m.Worker, m.Execution, describe(m.Event))
	case Post:
		return fmt.Sprintf("Post to %v of %v: %s", m.To, m.Execution, describe(m.Command))
	case Lost:
		return fmt.Sprintf("Lost %s, incarnation %d", m.Worker, m.Incarnation)
	case Joined:
		return fmt.Sprintf("Joined %s, incarnation %d", m.Worker.ID, m.Worker.Incarnation)
	case Retry:
		return fmt.Sprintf("Retry after attempt %d in %v: %s", m.Attempt, m.Delay, text(m.Failure))
	case Done:
		return fmt.Sprintf("Done: %s", text(m.Failure))
	case Failed:
		return fmt.Sprintf("Failed: %s", text(m.Failure))
	case GivenUp:
		return fmt.Sprintf("GivenUp of %v: %s", m.Execution, text(m.Failure))
	case Attached:
		return fmt.Sprintf("Attached in epoch %d: %s", m.Epoch, text(m.Failure))
	case Prepared:
		return fmt.Sprintf("Prepared, done %v: %s", m.Done, text(m.Failure))
	case Finished:
		return fmt.Sprintf("Finished: %s", text(m.Failure))
	}
	s := strings.TrimPrefix(fmt.Sprintf("%T", m), "deploy.")
	if v := fmt.Sprintf("%+v", m); v != "{}" {
		s += v
	}
	return s
}

func text(f *Failure) string {
	if f == nil {
		return "well"
	}
	return fmt.Sprintf("%v: %s", f.Kind, f.Text)
}

// I3, I10, I13: what the driver does, from the first worker to the last.
func TestGoldenTraces(t *testing.T) {
	boom := &Failure{Kind: FailureOther, Operator: "op0", Text: "boom"}
	for name, script := range map[string]func() *drive{
		"to the end": func() *drive {
			v := newDrive(true, 0)
			v.join("a", "b", "c")
			v.tell(0, Run{})
			v.running(1)
			v.all(1, Exhausted{})
			v.all(1, Ended{})
			v.tell(time.Second, Finished{})
			v.all(1, Stopped{})
			return v
		},
		"without checkpoints": func() *drive {
			v := newDrive(false, 0)
			v.join("a", "b", "c")
			v.tell(0, Run{}, Prepared{})
			v.all(1, Opened{})
			v.all(1, Exhausted{})
			v.all(1, Ended{})
			v.all(1, Stopped{})
			return v
		},
		"from a final checkpoint": func() *drive {
			v := newDrive(true, 0)
			v.tell(0, Run{}, Attached{Epoch: 4}, Prepared{Done: true})
			return v
		},
		"waits for workers": func() *drive {
			v := newDrive(true, 0)
			v.tell(0, Run{}, Attached{Epoch: 4}, Prepared{})
			v.join("a", "b")
			v.tell(0, Lost{"b", 1})
			v.join("c", "b")
			v.all(1, Opened{})
			return v
		},
		"a worker is replaced, and its loss is told late": func() *drive {
			v := newDrive(true, 0)
			v.join("a", "b", "c")
			v.tell(0, Joined{Worker{ID: "b", Incarnation: 2, Slots: 1}}, Lost{"b", 1}, Run{})
			v.running(1)
			v.tell(0, Lost{"b", 1}, Lost{"d", 1})
			return v
		},
		"a subtask fails": func() *drive {
			v := newDrive(true, 1)
			v.join("a", "b", "c")
			v.tell(0, Run{})
			v.running(1)
			v.tell(time.Minute, v.of("b", 1, Failed{boom}), v.of("a", 1, Failed{&Failure{Text: "a second one"}}))
			v.all(1, Stopped{})
			v.tell(500*time.Millisecond, Tick{})
			v.tell(500*time.Millisecond, Tick{})
			v.tell(0, v.of("c", 1, Opened{}), v.of("c", 1, Failed{boom})) // late
			v.running(2)
			v.tell(0, v.of("b", 2, Failed{boom}))
			v.all(2, Stopped{})
			return v
		},
		"a worker is lost": func() *drive {
			v := newDrive(true, 3)
			v.join("a", "b", "c")
			v.tell(0, Run{})
			v.running(1)
			v.tell(time.Minute, Lost{"b", 1}, v.of("a", 1, Stopped{}), v.of("c", 1, Stopped{}))
			v.tell(time.Second, Tick{}, Attached{Epoch: 4}, Prepared{})
			v.join("d")
			for _, w := range []WorkerID{"d", "a", "c"} {
				v.tell(0, v.of(w, 2, Opened{}))
			}
			v.tell(0, v.of("b", 2, Exhausted{})) // it has no part
			return v
		},
		"a worker restarts": func() *drive {
			v := newDrive(true, 3)
			v.join("a", "b", "c")
			v.tell(0, Run{})
			v.running(1)
			v.tell(time.Minute, Joined{Worker{ID: "b", Incarnation: 2, Slots: 1}}, v.of("a", 1, Stopped{}), v.of("c", 1, Stopped{}))
			v.tell(time.Second, Tick{})
			v.running(2)
			return v
		},
		"all are lost while they are cancelled": func() *drive {
			v := newDrive(true, 3)
			v.join("a", "b", "c")
			v.tell(0, Run{})
			v.running(1)
			v.tell(0, v.of("b", 1, Failed{boom}), Lost{"a", 1}, Lost{"b", 1}, Lost{"c", 1})
			return v
		},
		"a worker is lost at the end": func() *drive {
			v := newDrive(true, 3)
			v.join("a", "b", "c")
			v.tell(0, Run{})
			v.running(1)
			v.all(1, Exhausted{})
			v.all(1, Ended{})
			v.tell(0, Finished{}, v.of("a", 1, Stopped{}), Lost{"a", 1}, Lost{"b", 1}, v.of("c", 1, Stopped{}))
			v.tell(time.Second, Tick{}, Attached{Epoch: 4}, Prepared{Done: true})
			return v
		},
		"permanent": func() *drive {
			v := newDrive(true, 3)
			v.join("a", "b", "c")
			v.tell(0, Run{}, Attached{Epoch: 4}, Prepared{Failure: &Failure{Kind: FailureGraph, Text: "it does not fit"}})
			return v
		},
		"fenced": func() *drive {
			v := newDrive(true, 3)
			v.join("a", "b", "c")
			v.tell(0, Run{})
			v.running(1)
			v.tell(0, GivenUp{execution(4, 9), boom}, GivenUp{execution(4, 1), &Failure{Kind: FailureFenced, Text: "fenced"}})
			v.all(1, Stopped{})
			return v
		},
		"stopped": func() *drive {
			v := newDrive(true, 3)
			v.join("a", "b", "c")
			v.tell(0, Run{})
			v.running(1)
			v.tell(0, GivenUp{execution(4, 1), &Failure{Kind: FailureStopped, Text: "stopped"}})
			v.all(1, Stopped{})
			return v
		},
		"stopped while a sink fails": func() *drive {
			v := newDrive(true, 3)
			v.join("a", "b", "c")
			v.tell(0, Run{})
			v.running(1)
			v.tell(0, GivenUp{execution(4, 1), &Failure{Kind: FailureStopped, Text: "stopped"}}, v.of("b", 1, Failed{boom}))
			v.all(1, Stopped{})
			v.tell(time.Second, Tick{}, Attached{Failure: &Failure{Kind: FailureStopped, Text: "stopped"}})
			return v
		},
		"stopped at the end of its input": func() *drive {
			v := newDrive(true, 3)
			v.join("a", "b", "c")
			v.tell(0, Run{})
			v.running(1)
			v.all(1, Exhausted{})
			v.tell(0, GivenUp{execution(4, 1), &Failure{Kind: FailureStopped, Text: "stopped"}})
			v.all(1, Ended{})
			v.tell(0, Finished{})
			v.all(1, Stopped{})
			return v
		},
		"stopped before it runs": func() *drive {
			v := newDrive(true, 3)
			v.join("a", "b", "c")
			v.tell(0, Run{}, Attached{Epoch: 4}, Prepared{}, GivenUp{execution(4, 1), &Failure{Kind: FailureStopped, Text: "stopped"}})
			v.all(1, Stopped{})
			return v
		},
		"cancelled": func() *drive {
			v := newDrive(true, 3)
			v.join("a", "b", "c")
			v.tell(0, Run{})
			v.running(1)
			v.tell(0, GivenUp{execution(4, 1), &Failure{Kind: FailureCancelled, Text: "cancelled"}})
			v.all(1, Stopped{})
			return v
		},
		"the same failure again and again": func() *drive {
			v := newDrive(true, 99)
			v.join("a", "b", "c")
			v.tell(0, Run{})
			other := &Failure{Kind: FailureOther, Operator: "op0", Text: "another record"}
			for i, f := range []*Failure{boom, other, boom, boom, boom, boom} {
				attempt := checkpoint.Attempt(i + 1)
				restored := checkpoint.ID(0)
				if i > 2 { // a checkpoint between: it counts from the beginning
					restored = 7
				}
				v.tell(0, Attached{Epoch: 4}, Prepared{Restored: restored})
				v.all(attempt, Opened{})
				v.tell(0, v.of("a", attempt, Failed{f}), v.of("b", attempt, Failed{f}))
				v.all(attempt, Stopped{})
				v.tell(time.Second, Tick{})
			}
			return v
		},
		"the same failure before a record moves": func() *drive {
			v := newDrive(true, 99)
			v.tell(0, Run{})
			for range 3 {
				v.tell(0, Attached{Epoch: 4}, Prepared{Failure: boom})
				v.tell(time.Second, Tick{})
			}
			return v
		},
		"attach fails": func() *drive {
			v := newDrive(true, 1)
			v.tell(0, Run{}, Attached{Failure: boom})
			v.tell(time.Second, Tick{})
			return v
		},
		"told to end": func() *drive {
			v := newDrive(true, 3)
			v.join("a", "b", "c")
			v.tell(0, Run{})
			v.running(1)
			v.tell(0, Quit{}, Quit{})
			v.all(1, Stopped{})
			return v
		},
		"told to end while a call is under way": func() *drive {
			v := newDrive(true, 3)
			v.tell(0, Run{}, Quit{}, Attached{Epoch: 4})
			return v
		},
		"told to end while it backs off": func() *drive {
			v := newDrive(true, 3)
			v.tell(0, Run{}, Attached{Failure: boom}, Quit{})
			return v
		},
		"told to end during the final checkpoint": func() *drive {
			v := newDrive(true, 3)
			v.join("a", "b", "c")
			v.tell(0, Run{})
			v.running(1)
			v.all(1, Exhausted{})
			v.all(1, Ended{})
			v.tell(0, Quit{})
			v.all(1, Stopped{})
			v.tell(0, Finished{})
			return v
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := script().trace.String()
			file := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".trace")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, []byte(got)) {
				t.Errorf("trace differs from %s (rewrite it with -update):\n%s", file, got)
			}
		})
	}
}
