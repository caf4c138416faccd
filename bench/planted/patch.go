package planted

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Patch plants one bug.
type Patch struct {
	Path     string   // of its file, from the root of the tree
	Property string   // what the bug breaks
	Package  string   // whose test must fail, from the root of the tree
	Test     string   // the test that must fail, with its subtests
	Files    []string // that it changes, from the root of the tree
	Slow     bool     // it is left out of the samples
}

var errHeader = errors.New("the header must hold Property, Package and Test, and may hold Slow")

var changes = regexp.MustCompile(`(?m)^\+\+\+ b/(\S+)$`)

// ReadPatch reads a patch: lines "Name: text" with its header, an empty line,
// and a unified diff. A line of the header that begins with a space continues
// the one before.
func ReadPatch(root, path string) (Patch, error) {
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return Patch{}, fmt.Errorf("read patch: %w", err)
	}
	p := Patch{Path: path}
	head, diff, _ := strings.Cut(string(b), "\n\n")
	for line := range strings.Lines(strings.ReplaceAll(head, "\n ", " ")) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "Property":
			p.Property = text
		case "Package":
			p.Package = text
		case "Test":
			p.Test = text
		case "Slow":
			p.Slow = true
		default:
			return Patch{}, fmt.Errorf("patch %s: line %q: %w", path, line, errHeader)
		}
	}
	if p.Property == "" || p.Package == "" || p.Test == "" {
		return Patch{}, fmt.Errorf("patch %s: %w", path, errHeader)
	}
	for _, m := range changes.FindAllStringSubmatch(diff, -1) {
		p.Files = append(p.Files, m[1])
	}
	return p, nil
}

// Apply applies the patch to copies below dir of the files that it changes.
func (p Patch) Apply(ctx context.Context, root, dir string) (Overlay, error) {
	o := Overlay{}
	for _, f := range p.Files {
		b, err := os.ReadFile(filepath.Join(root, f))
		if err != nil {
			return nil, fmt.Errorf("patch %s: %w", p.Path, err)
		}
		o[f] = filepath.Join(dir, f)
		if err := errors.Join(os.MkdirAll(filepath.Dir(o[f]), 0o777), os.WriteFile(o[f], b, 0o666)); err != nil {
			return nil, fmt.Errorf("patch %s: %w", p.Path, err)
		}
	}
	patch, err := filepath.Abs(filepath.Join(root, p.Path))
	if err != nil {
		return nil, fmt.Errorf("patch %s: %w", p.Path, err)
	}
	git := exec.CommandContext(ctx, "git", "apply", patch)
	git.Dir = dir
	git.Env = append(os.Environ(), "GIT_DIR="+filepath.Join(dir, "none")) // dir may lie within a work tree
	if out, err := git.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("patch %s does not apply: %w: %s", p.Path, err, bytes.TrimSpace(out))
	}
	return o, nil
}
