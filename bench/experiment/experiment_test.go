package experiment_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/measure"
	tidemarkcmd "github.com/tidemark/tidemark/cmd"
)

// programEnv makes the test's binary the program that the arms run.
const programEnv = "TIDEMARK_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) == "1" {
		tidemarkcmd.Main(nil)
		return
	}
	_ = os.Setenv(programEnv, "1") // for children
	os.Exit(m.Run())
}

// constant is an arm whose value is what its rounds say.
func constant(name, digest string, ran *[]string, values ...float64) experiment.Arm {
	round := 0
	return experiment.Arm{Name: name, Run: func(context.Context) (experiment.Sample, error) {
		*ran = append(*ran, name)
		round++
		return experiment.Sample{Digest: digest, Values: map[string]float64{"v": values[round-1]}}, nil
	}}
}

func TestExperiment(t *testing.T) {
	var ran []string
	e := experiment.Experiment{
		Name: "e", Arms: []experiment.Arm{constant("a", "d", &ran, 2, 4, 3), constant("b", "d", &ran, 1, 1, 1)},
		Compare: []experiment.Comparison{
			{Value: "v", Arm: "a", Against: "b", Bar: measure.Bar{AtLeast: 2}}, {Value: "v", Label: "own", Arm: "a"}, {Value: "none", Arm: "a"},
		},
	}
	r, err := e.Run(context.Background(), 3, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(ran, ""); got != "abbaab" {
		t.Errorf("arms ran as %s, want abbaab: interleaved", got)
	}
	if len(r.Rows) != 2 || r.Rows[0].Ratio.Median != 3 || r.Rows[0].Verdict != measure.Reached || r.Rows[1].Figure != "own" || r.Rows[1].Ratio.Max != 4 {
		t.Errorf("rows %+v", r.Rows)
	}
	if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.HasPrefix(n, "no figure: none") }) {
		t.Errorf("notes %q do not tell of the figure without a value", r.Notes)
	}
}

// Arms that disagree on the result end an experiment, and so does one that
// fails; the rounds until then are told.
func TestExperimentErrors(t *testing.T) {
	var ran []string
	for name, e := range map[string]experiment.Experiment{
		"arms":  {Arms: []experiment.Arm{constant("a", "1", &ran, 1), constant("b", "2", &ran, 1)}},
		"known": {Digest: "3", Arms: []experiment.Arm{constant("a", "1", &ran, 1)}},
		"fails": {Arms: []experiment.Arm{constant("a", "", &ran, 1), {Name: "b", Run: func(context.Context) (experiment.Sample, error) { return experiment.Sample{}, io.ErrUnexpectedEOF }}}},
		"begin": {Begin: func(context.Context) (func() error, error) { return nil, io.ErrUnexpectedEOF }},
		"end":   {Begin: func(context.Context) (func() error, error) { return func() error { return io.ErrUnexpectedEOF }, nil }},
	} {
		r, err := e.Run(context.Background(), 1, io.Discard)
		if err == nil || r.Error != err.Error() {
			t.Errorf("%s: error %v, reported as %q", name, err, r.Error)
		}
	}
}

// The memory of a run is its own, however much who starts it has.
func TestMemoryIsOfTheProgramAlone(t *testing.T) {
	const ours = 256 << 20
	ballast := make([]byte, ours)
	for i := 0; i < len(ballast); i += os.Getpagesize() {
		ballast[i] = 1
	}
	s, err := experiment.Child{Dir: t.TempDir()}.Run(t.Context(), "q0", "--events=10000", "--interval=0", "--table-memory=16MiB", "--native-memory=16MiB")
	if err != nil {
		t.Fatal(err)
	}
	if rss := s.Values[experiment.RSSBytes]; rss < 1<<20 || rss >= ours {
		t.Errorf("a small run takes %.0f bytes, started by a process of %d", rss, ours)
	}
	runtime.KeepAlive(ballast)
}

// A run that fails says what it was and what it printed.
func TestChildError(t *testing.T) {
	_, err := experiment.Child{}.Run(context.Background(), "nojob")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(fmt.Sprint(err), "nojob") {
		t.Errorf("error %v", err)
	}
}
