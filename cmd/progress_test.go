package tidemarkcmd

import (
	"strings"
	"testing"
	"time"
)

func TestTransferText(t *testing.T) {
	for want, c := range map[string]struct {
		bytes, total int64
		elapsed      time.Duration
	}{
		"x: 0B of 4GiB": {0, 4 << 30, time.Second},
		"x: 1GiB of 4GiB (25%), 102.4MiB/s, 30s left": {1 << 30, 4 << 30, 10 * time.Second},
		"x: 4GiB of 4GiB (100%), 4GiB/s, 0s left":     {4 << 30, 4 << 30, time.Second},
		"x: 5B of 4B": {5, 4, time.Second}, // an object that is longer than it should be
		"x: 0B of 0B": {0, 0, 0},
	} {
		if got := transferText("x", c.bytes, c.total, c.elapsed); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Where the output is no terminal, a line comes from time to time.
func TestProgressLines(t *testing.T) {
	var out strings.Builder
	l := newProgressLine(&out, 10*time.Second)
	for _, s := range []int{1, 9, 10, 11, 19, 20, 35} {
		l.show(time.Duration(s)*time.Second, time.Duration(s*int(time.Second)).String())
	}
	l.end()
	if out.String() != "10s\n20s\n35s\n" {
		t.Errorf("%q", out.String())
	}
}
