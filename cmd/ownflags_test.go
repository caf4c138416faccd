package tidemarkcmd_test

import (
	"bytes"
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"

	tidemarkcmd "github.com/tidemark/tidemark/cmd"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/enginetest"
)

// numbers is a job with flags of its own, and what it published when it was built last.
func numbers(published *func() []int) tidemarkcmd.Program {
	return func(flags *flag.FlagSet) func() (*engine.Job, error) {
		upTo := flags.Int("up-to", 3, "the last number")
		even := flags.Bool("even", false, "even numbers only")
		return func() (*engine.Job, error) {
			if *upTo < 1 {
				return nil, errors.New("--up-to: there must be a number")
			}
			var all []int
			for n := 1; n <= *upTo; n++ {
				all = append(all, n)
			}
			job := engine.NewJob("numbers")
			stream := engine.From(job, "numbers", enginetest.FromSlice(all...), engine.Parallelism(1))
			if *even {
				stream = engine.Filter(stream, "even", func(n int) bool { return n%2 == 0 })
			}
			out, rows := enginetest.Collect[int]()
			stream.To("out", out)
			*published = rows
			return job, nil
		}
	}
}

// The same arguments build the same job, and others another one, whatever was built
// before.
func TestFlagsOfOnesOwn(t *testing.T) {
	var published func() []int
	p := numbers(&published)
	for _, c := range []struct {
		args string
		want []int
	}{
		{"--up-to 5 --even", []int{2, 4}}, {"", []int{1, 2, 3}}, {"--up-to=2", []int{1, 2}}, {"--up-to 5 --even", []int{2, 4}},
	} {
		at := place{t.TempDir()}
		args := append([]string{"run", "--checkpoint-store", at.url(), "--state-dir", at.state()}, strings.Fields(c.args)...)
		var out bytes.Buffer
		code := tidemarkcmd.RunFlags(t.Context(), p, args, &out, &out)
		if code != 0 {
			t.Fatalf("numbers %s: exit code %d: %s", c.args, code, out.String())
		}
		got := published()
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("numbers %s: %v, want %v", c.args, got, c.want)
		}
	}
}

func TestFlagsOfOnesOwnInWords(t *testing.T) {
	var published func() []int
	p := numbers(&published)
	clash := func(names ...string) tidemarkcmd.Program {
		return func(flags *flag.FlagSet) func() (*engine.Job, error) {
			for _, name := range names {
				flags.Int(name, 0, "")
			}
			return p(flags)
		}
	}
	for _, c := range []struct {
		program tidemarkcmd.Program
		args    string
		code    int
		says    string
	}{
		{p, "run --help", 0, "--up-to int                     the last number (default 3)"},
		{p, "run --help", 0, "--interval duration "},
		{p, "run --upto 5", 2, `unknown flag: --upto: did you mean "--up-to"?`},
		{p, "run --intervall 5s", 2, `unknown flag: --intervall: did you mean "--interval"?`},
		{p, "run --nosuchflag", 2, "unknown flag: --nosuchflag (see numbers run --help)"},
		{p, "run --up-to x", 2, `invalid argument "x" for "--up-to" flag`},
		{p, "run --up-to 0", 2, "--up-to: there must be a number"},
		{p, "run 5", 2, "unknown command"},
		{clash("count", "interval", "help"), "run", 2, "flags of its own with names that every job's flags have: --help, --interval: give them other names"},
		{clash("h"), "version", 2, "--h"},
	} {
		var out bytes.Buffer
		if code := tidemarkcmd.RunFlags(t.Context(), c.program, strings.Fields(c.args), &out, &out); code != c.code || !strings.Contains(out.String(), c.says) {
			t.Errorf("numbers %s: exit code %d, want %d and %q: %s", c.args, code, c.code, c.says, out.String())
		}
	}
}
