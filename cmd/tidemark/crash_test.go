package main

import (
	"strings"
	"testing"

	tidemarkcmd "github.com/tidemark/tidemark/cmd"
)

func TestBenchCrashUsage(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--jobs q99", `no job "q99": use "flights", "q18", "q17-changes"`},
		{"--n -1", "must be positive"},
		{"--input=", "flights needs an input"},
		{"--kills 3", "unknown flag: --kills"},
		{"q18", "unknown command"},
	} {
		var out, err strings.Builder
		code := tidemarkcmd.Run(t.Context(), nil, append([]string{"bench", "crash"}, strings.Fields(c.args)...), &out, &err, benchCommand())
		if code != 2 || !strings.Contains(err.String(), c.want) || out.Len() > 0 {
			t.Errorf("bench crash %s: exit code %d, %q and %q, want 2 and %q", c.args, code, out.String(), err.String(), c.want)
		}
	}
}
