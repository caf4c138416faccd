package input

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Errors of finding files.
var (
	ErrNoFiles = errors.New("no input")
	ErrChanged = errors.New("input file changed")
)

// File is a file with its fingerprint.
type File struct {
	Path      string
	Size      int64
	ModTimeNs int64
}

// Patterns name the files of a source: files, directories, and globs as of
// path/filepath, in which "**" stands for any number of directories, also none. A
// directory stands for its files, without subdirectories. Names that begin with
// '.' or '_' are found by a pattern that spells this byte, and by no other.
type Patterns []string

// validate fails where there is no pattern, or an empty one.
func (p Patterns) validate() error {
	if len(p) == 0 || slices.Contains(p, "") {
		return fmt.Errorf("%w: the path of the input is empty: name a file, a directory or a glob", ErrNoFiles)
	}
	return nil
}

// Files lists the files, each once, in the order of their names. A pattern that
// matches none is an error that wraps ErrNoFiles.
func (p Patterns) Files() ([]File, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	var all []File
	for _, pattern := range p {
		paths, err := expand(pattern)
		if err != nil {
			return nil, fmt.Errorf("list input %q: %w", pattern, err)
		}
		found := len(all)
		for _, path := range paths {
			info, err := os.Stat(path)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil, fmt.Errorf("list input %q: %w: is it a broken link? remove it, or narrow the pattern", pattern, err)
			case err != nil:
				return nil, fmt.Errorf("list input %q: %w", pattern, err)
			case info.IsDir():
			case !info.Mode().IsRegular():
				return nil, fmt.Errorf("list input %q: %s is no regular file (%v): remove it, or narrow the pattern", pattern, path, info.Mode().Type())
			default:
				all = append(all, File{path, info.Size(), info.ModTime().UnixNano()})
			}
		}
		if len(all) == found {
			hint := "check the path (relative ones start at the working directory)"
			if strings.Contains(pattern, "://") {
				hint = "inputs are paths of local files, not URLs"
			}
			return nil, fmt.Errorf("%w: no file matches %q: %s", ErrNoFiles, pattern, hint)
		}
	}
	slices.SortFunc(all, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return slices.CompactFunc(all, func(a, b File) bool { return a.Path == b.Path }), nil
}

// expand lists what a pattern names: the path itself, or what it matches.
func expand(pattern string) ([]string, error) {
	info, err := os.Stat(pattern)
	switch {
	case err == nil && info.IsDir():
		return walk(filepath.Clean(pattern), []string{"*"}, nil)
	case err == nil:
		return []string{filepath.Clean(pattern)}, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if _, err := filepath.Match(pattern, ""); err != nil {
		return nil, err
	}
	dir, elements := split(pattern)
	return walk(dir, elements, nil)
}

const separator = string(filepath.Separator)

// split cuts a pattern into where it starts and its elements.
func split(pattern string) (dir string, elements []string) {
	clean := filepath.Clean(pattern)
	if filepath.IsAbs(clean) {
		dir = separator
	}
	return dir, strings.Split(strings.TrimPrefix(clean, separator), separator)
}

// walk appends the paths below dir that match the elements.
func walk(dir string, elements []string, found []string) ([]string, error) {
	if len(elements) == 0 {
		return append(found, dir), nil
	}
	first, rest := elements[0], elements[1:]
	if !strings.ContainsAny(first, `*?[\`) {
		path := filepath.Join(dir, first)
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return found, nil
		}
		return walk(path, rest, found)
	}
	entries, err := os.ReadDir(cmp.Or(dir, "."))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	if first == "**" && len(rest) > 0 {
		if found, err = walk(dir, rest, found); err != nil {
			return nil, err
		}
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case !matchElement(first, e.Name()):
		case first == "**" && e.IsDir():
			found, err = walk(path, elements, found)
		case first == "**" && len(rest) > 0:
		default:
			found, err = walk(path, rest, found)
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func matchElement(pattern, name string) bool {
	if (name[0] == '.' || name[0] == '_') && pattern[0] != name[0] {
		return false
	}
	ok, err := filepath.Match(pattern, name)
	return ok && err == nil
}

// match reports whether the patterns may name path.
func (p Patterns) match(path string) bool {
	return slices.ContainsFunc(p, func(pattern string) bool {
		clean := filepath.Clean(pattern)
		if path == clean || filepath.Dir(path) == clean {
			return path == clean || matchElement("*", filepath.Base(path))
		}
		from, elements := split(pattern)
		start, names := split(path)
		return from == start && matchElements(elements, names)
	})
}

func matchElements(elements, names []string) bool {
	switch {
	case len(elements) == 0 || len(names) == 0:
		return len(elements) == len(names)
	case elements[0] == "**":
		return len(elements) > 1 && matchElements(elements[1:], names) ||
			matchElement("*", names[0]) && (len(elements) == 1 && len(names) == 1 || matchElements(elements, names[1:]))
	}
	return matchElement(elements[0], names[0]) && matchElements(elements[1:], names[1:])
}

// check compares the file with its fingerprint.
func (f File) check(info fs.FileInfo) error {
	if info.Size() == f.Size && info.ModTime().UnixNano() == f.ModTimeNs {
		return nil
	}
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
	return fmt.Errorf("%w: %s has %d bytes of %s; its positions are of %d bytes of %s: "+
		"put the file back as it was (with its time of change), or start afresh, without the checkpoint",
		ErrChanged, f.Path, info.Size(), stamp(info.ModTime()), f.Size, stamp(time.Unix(0, f.ModTimeNs)))
}
