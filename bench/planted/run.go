package planted

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Overlay maps files of the tree, from its root, to those that take their place.
type Overlay map[string]string

// Run is one run of the tests of a package.
type Run struct {
	Package string
	Test    string        // a pattern of -run; empty: all of them
	Short   bool          // with -short
	Timeout time.Duration // of the tests; a test that hangs has failed
}

// Outcome is what the tests said.
type Outcome int

// Outcomes of a run.
const (
	Passed Outcome = iota
	Failed
	NotBuilt
)

// Go runs the tests of the tree at root with an overlay. It returns the end of
// their output besides.
func (r Run) Go(ctx context.Context, root string, o Overlay) (Outcome, string, error) {
	dir, err := os.MkdirTemp("", "planted")
	if err != nil {
		return 0, "", fmt.Errorf("run tests of %s: %w", r.Package, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	replace := map[string]string{}
	for from, to := range o {
		abs, err := filepath.Abs(filepath.Join(root, from))
		if err != nil {
			return 0, "", fmt.Errorf("run tests of %s: %w", r.Package, err)
		}
		replace[abs] = to
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "overlay.json"), b, 0o666)
	}
	if err != nil {
		return 0, "", fmt.Errorf("run tests of %s: %w", r.Package, err)
	}
	// A bug may allocate without end: the address space is bounded.
	args := []string{
		"test", "-tags", "grocksdb_clean_link", "-overlay", filepath.Join(dir, "overlay.json"), "-exec", "prlimit --as=17179869184",
		"-count=1", "-failfast", "-vet=off", "-timeout", r.Timeout.String(),
	}
	defer forget(filepath.Join(root, r.Package, "testdata/rapid"))()
	cmd := exec.CommandContext(ctx, "go", append(args, "-run", r.Test, "-short="+strconv.FormatBool(r.Short), "./"+r.Package)...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return 0, "", fmt.Errorf("run tests of %s: %w", r.Package, ctx.Err())
	}
	text := tail(out, 4000)
	switch {
	case err == nil && bytes.Contains(out, []byte("no tests to run")):
		return 0, text, fmt.Errorf("package %s: %w %q", r.Package, errNoTest, r.Test)
	case err == nil:
		return Passed, text, nil
	case bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]")):
		return NotBuilt, text, nil
	case bytes.Contains(out, []byte("FAIL\t")):
		return Failed, text, nil
	}
	return 0, text, fmt.Errorf("run tests of %s: %w: %s", r.Package, err, text)
}

// forget returns what removes a directory, if there is none yet: tests that draw
// random cases keep those that fail.
func forget(dir string) func() {
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return func() {}
	}
	return func() { _ = os.RemoveAll(dir) } // else it is found by git status
}

var errNoTest = errors.New("there is no test")

func tail(b []byte, n int) string {
	return strings.TrimSpace(string(b[max(0, len(b)-n):]))
}
