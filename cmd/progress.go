package tidemarkcmd

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/tidemark/tidemark/cmd/internal/cli"
)

// progressLine shows how far a verb is: on one line that is written over where the
// output is a terminal, else on lines of their own, from time to time.
type progressLine struct {
	every time.Duration // between two lines where the output is no terminal

	mu       sync.Mutex
	w        io.Writer
	terminal bool
	width    int // of what stands on the terminal's line
	shown    time.Duration
	any      bool
}

func newProgressLine(w io.Writer, every time.Duration) *progressLine {
	return &progressLine{w: w, every: every, terminal: cli.Terminal(w)}
}

// show shows the text, if it is time for it.
func (l *progressLine) show(elapsed time.Duration, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.terminal && elapsed-l.shown < l.every {
		return
	}
	l.shown = elapsed
	if !l.terminal {
		_, _ = fmt.Fprintln(l.w, text)
		return
	}
	_, _ = fmt.Fprintf(l.w, "\r%s%s", text, strings.Repeat(" ", max(0, l.width-len(text))))
	l.width, l.any = len(text), true
}

// transfer shows how far a verb is that moves many bytes.
type transfer struct {
	line  *progressLine
	begin time.Time
}

func newTransfer(w io.Writer) *transfer {
	return &transfer{newProgressLine(w, 10*time.Second), time.Now()}
}

func (t *transfer) show(what string, bytes, total int64) {
	elapsed := time.Since(t.begin)
	t.line.show(elapsed, transferText(what, bytes, total, elapsed))
}

// transferText words how far a transfer is: bytes, rate, and the time left at that rate.
func transferText(what string, bytes, total int64, elapsed time.Duration) string {
	text := fmt.Sprintf("%s: %s of %s", what, cli.BytesText(bytes), cli.BytesText(total))
	if bytes == 0 || bytes > total || elapsed < time.Millisecond {
		return text
	}
	rate := float64(bytes) / elapsed.Seconds()
	left := time.Duration(float64(total-bytes) / rate * float64(time.Second))
	return fmt.Sprintf("%s (%d%%), %s/s, %v left", text, bytes*100/total, cli.BytesText(int64(rate)), left.Round(time.Second))
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
