package crash

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// row is a row of output: the directory of its part below the output
// directory, a space, and the line.
type row string

// json returns the line.
func (r row) json() string {
	_, line, _ := strings.Cut(string(r), " ")
	return line
}

// rows are sorted rows.
type rows []row

const (
	pendingDir = ".pending" // of the file sinks
	partPrefix = "part-"
	ownerName  = ".owner"
)

// published is what an output directory holds.
type published struct {
	rows    rows
	pending []string       // files that wait to be published, or are left over
	parts   map[uint64]int // parts of each checkpoint
}

// readOutput reads an output directory; one that does not exist is empty. Rows
// are read only if withRows.
func readOutput(dir string, withRows bool) (published, error) {
	p := published{parts: map[uint64]int{}}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // not begun, or published at this moment
		}
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		sub, name := filepath.Split(filepath.ToSlash(rel))
		if strings.HasSuffix(sub, pendingDir+"/") {
			p.pending = append(p.pending, rel)
			return nil
		}
		if name == ownerName {
			return nil
		}
		id, ok := partCheckpoint(name)
		if !ok {
			return fmt.Errorf("output %s: not a part", path)
		}
		p.parts[id]++
		if !withRows {
			return nil
		}
		return p.readRows(path, sub)
	})
	if err != nil {
		return p, fmt.Errorf("read output %s: %w", dir, err)
	}
	slices.Sort(p.rows)
	return p, nil
}

func (p *published) readRows(path, sub string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		p.rows = append(p.rows, row(sub+" "+lines.Text()))
	}
	return lines.Err()
}

// partCheckpoint reads the checkpoint from the name of a published part:
// part-<job>.<operator>.<checkpoint>-….
func partCheckpoint(name string) (id uint64, ok bool) {
	rest, ok := strings.CutPrefix(name, partPrefix)
	_, rest, _ = strings.Cut(rest, ".")
	_, rest, dot := strings.Cut(rest, ".")
	digits, _, dash := strings.Cut(rest, "-")
	id, err := strconv.ParseUint(digits, 10, 64)
	return id, ok && dot && dash && err == nil
}
