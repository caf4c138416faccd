package tidemarkcmd

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/cmd/launch"
)

// progressLine shows how far a run is: on one line that is written over where
// the output is a terminal, else on a line of its own every few seconds.
type progressLine struct {
	total int64 // events in all; zero: not known

	mu       sync.Mutex
	w        io.Writer
	terminal bool
	width    int // of what stands on the terminal's line
	shown    time.Duration
	any      bool
}

// plainEvery is the time between two lines where the output is no terminal.
const plainEvery = time.Second

func newProgressLine(w io.Writer) *progressLine {
	l := &progressLine{w: w}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		l.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return l
}

func (l *progressLine) show(p launch.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.terminal && p.Elapsed-l.shown < plainEvery {
		return
	}
	l.shown = p.Elapsed
	text := l.text(p)
	if !l.terminal {
		_, _ = fmt.Fprintln(l.w, text)
		return
	}
	_, _ = fmt.Fprintf(l.w, "\r%s%s", text, strings.Repeat(" ", max(0, l.width-len(text))))
	l.width, l.any = len(text), true
}

func (l *progressLine) text(p launch.Progress) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%6.1fs  %d events", p.Elapsed.Seconds(), p.Events)
	if l.total > 0 {
		fmt.Fprintf(&b, " (%d%%)", p.Events*100/l.total)
	}
	fmt.Fprintf(&b, "  %.0f/s", p.EventsPerS)
	if c := p.Last; c != nil {
		fmt.Fprintf(&b, "  state %s  checkpoint %v: %d ms, %s new, %s reused", cli.BytesText(c.FullBytes), c.ID, c.Duration.Milliseconds(), cli.BytesText(c.NewBytes), cli.BytesText(c.ReusedBytes))
	}
	if p.Failed > 0 {
		fmt.Fprintf(&b, "  %d failed", p.Failed)
	}
	return b.String()
}

// end leaves the line as it is.
func (l *progressLine) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.terminal && l.any {
		_, _ = fmt.Fprintln(l.w)
		l.width = 0
	}
}

// above returns a writer to w whose lines stand above the progress line.
func (l *progressLine) above(w io.Writer) io.Writer { return aboveLine{l, w} }

type aboveLine struct {
	line *progressLine
	w    io.Writer
}

func (a aboveLine) Write(b []byte) (int, error) {
	a.line.mu.Lock()
	defer a.line.mu.Unlock()
	if a.line.terminal && a.line.width > 0 {
		_, _ = fmt.Fprintf(a.line.w, "\r%s\r", strings.Repeat(" ", a.line.width))
		a.line.width = 0
	}
	return a.w.Write(b)
}
