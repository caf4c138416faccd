package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one run of the program, in a child process.
type process struct {
	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr tail
	done   chan struct{} // closed once it ended; then err may be read
	err    error
}

// outcome is the part of the output of `tidemark run --json` that matters here.
type outcome struct {
	Events      int64   `json:"events"`
	ResumedFrom *uint64 `json:"resumed_from"`
}

// start starts the program. Its end closes done. When ctx ends it is killed.
func start(ctx context.Context, program, args, env []string, log *os.File) (*process, error) {
	p := &process{done: make(chan struct{})}
	line := append(program[1:len(program):len(program)], args...)
	p.cmd = exec.CommandContext(ctx, program[0], line...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout = &p.stdout
	p.stderr.log = log
	p.cmd.Stderr = &p.stderr
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program[0], err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// kill ends the process with SIGKILL, waits for its end, and reports whether
// the signal was what ended it.
func (p *process) kill() bool {
	_ = p.cmd.Process.Kill() // it may have ended by itself, which its state tells
	<-p.done
	var exit *exec.ExitError
	if !errors.As(p.err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// dump ends a process that hangs, with the stacks of its goroutines on its
// standard error.
func (p *process) dump() {
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		p.kill()
	}
}

// outcome returns how a process that ended by itself did.
func (p *process) outcome() (outcome, error) {
	var o outcome
	if p.err != nil {
		return o, fmt.Errorf("%w: %s", p.err, p.stderr.String())
	}
	if err := json.Unmarshal(p.stdout.Bytes(), &o); err != nil {
		return o, fmt.Errorf("its report %q: %w", p.stdout.String(), err)
	}
	return o, nil
}

// tail writes to a log and keeps the end of it.
type tail struct {
	log *os.File
	mu  sync.Mutex
	end []byte
}

const tailBytes = 2 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, b...)
	if extra := len(t.end) - tailBytes; extra > 0 {
		t.end = append(t.end[:0], t.end[extra:]...)
	}
	return t.log.Write(b)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.end))
}
