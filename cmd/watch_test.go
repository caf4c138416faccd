package tidemarkcmd_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	tidemarkcmd "github.com/tidemark/tidemark/cmd"
	"github.com/tidemark/tidemark/coordinator"
)

// watch watches the example, while it loses its second checkpoint, and returns what it said
// and its exit code.
func (x *example) watch(more ...string) (string, int) {
	x.t.Helper()
	ctx, cancel := context.WithCancel(x.t.Context())
	defer cancel()
	out, in := io.Pipe()
	code := make(chan int, 1)
	go func() {
		c := tidemarkcmd.Run(ctx, nil, append([]string{"checkpoints", "watch", x.url, "--every", "1ms"}, more...), in, io.Discard)
		_ = in.Close() // of a pipe: never fails
		code <- c
	}()
	var text strings.Builder
	lines := bufio.NewScanner(out)
	for n := 1; lines.Scan(); n++ {
		text.WriteString(lines.Text() + "\n")
		switch n {
		case 3: // what there was
			if _, err := coordinator.EditHead(x.t.Context(), x.store, coordinator.Remove(2)); err != nil {
				x.t.Error(err)
				cancel()
			}
		case 4:
			cancel()
		}
	}
	return text.String(), <-code
}

// On a pipe watch prints a line for each checkpoint that comes or goes, and ends well when it
// is interrupted. A store that cannot be read ends it as any verb.
func TestWatch(t *testing.T) {
	text, code := newExample(t).watch()
	if want := `checkpoint 1 of 2026-11-21 04:01:00: 5.9KiB, 5.9KiB new, 250 ms, kept by count, tag:release
checkpoint 2 of 2026-11-21 04:02:00: 6.9KiB, 1020B new, 250 ms, kept by count
checkpoint 3 of 2026-11-21 04:03:00: 6.7KiB, 6.7KiB new, 250 ms, kept by newest, count
checkpoint 2 was dropped
`; text != want || code != 0 {
		t.Errorf("exit code %d\n%swant\n%s", code, text, want)
	}
	text, code = newExample(t).watch("--json")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) != 4 || code != 0 {
		t.Fatalf("exit code %d, %s", code, text)
	}
	var dropped struct {
		Time       time.Time
		Event      string
		Checkpoint uint64
		KeptBy     []string `json:"kept_by"`
	}
	if err := json.Unmarshal([]byte(lines[3]), &dropped); err != nil || dropped.Event != "dropped" || dropped.Checkpoint != 2 || len(dropped.KeptBy) != 0 || time.Since(dropped.Time) > time.Minute {
		t.Errorf("%s, %v: want checkpoint 2, dropped just now", lines[3], err)
	}
	for _, d := range damages {
		x := newExample(t)
		d.do(x)
		if _, ok := x.content()["head"]; ok && !strings.HasSuffix(d.name, " head") {
			continue // it reads head alone
		}
		watched, listed := tidemark(t, "checkpoints", "watch", x.url), tidemark(t, "checkpoints", "ls", x.url)
		if watched.code != listed.code || watched.stderr != listed.stderr || watched.code == 0 || !bytes.Contains([]byte(watched.stderr), []byte("tidemark: ")) {
			t.Errorf("%s: %v, and ls says %v", d.name, watched, listed)
		}
	}
}
