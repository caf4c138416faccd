package input

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// Patterns name the files of a source: files, globs as of path/filepath, and
// directories. A directory stands for its files, without subdirectories and
// without names that begin with '.' or '_'.
type Patterns []string

// Files lists the files, each once, in the order of their names. A pattern that
// matches none is an error that wraps ErrNoFiles.
func (p Patterns) Files() ([]File, error) {
	if len(p) == 0 {
		return nil, fmt.Errorf("%w: no pattern is given: name a file, a directory or a glob", ErrNoFiles)
	}
	var all []File
	for _, pattern := range p {
		paths, err := expand(pattern)
		if err != nil {
			return nil, err
		}
		found := len(all)
		for _, path := range paths {
			info, err := os.Stat(path)
			if err != nil {
				return nil, fmt.Errorf("list input %q: %w", pattern, err)
			}
			if info.Mode().IsRegular() {
				all = append(all, File{path, info.Size(), info.ModTime().UnixNano()})
			}
		}
		if len(all) == found {
			return nil, fmt.Errorf("%w: no file matches %q: check the path (relative ones start at the working directory)", ErrNoFiles, pattern)
		}
	}
	slices.SortFunc(all, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return slices.CompactFunc(all, func(a, b File) bool { return a.Path == b.Path }), nil
}

func expand(pattern string) ([]string, error) {
	info, err := os.Stat(pattern)
	switch {
	case err == nil && !info.IsDir():
		return []string{filepath.Clean(pattern)}, nil
	case err == nil:
		entries, err := os.ReadDir(pattern)
		if err != nil {
			return nil, fmt.Errorf("list input directory: %w", err)
		}
		var paths []string
		for _, e := range entries {
			if visible(e.Name()) {
				paths = append(paths, filepath.Join(pattern, e.Name()))
			}
		}
		return paths, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("find input %q: %w", pattern, err)
	}
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("input pattern %q: %w", pattern, err)
	}
	for i, path := range paths {
		paths[i] = filepath.Clean(path)
	}
	return paths, nil
}

func visible(name string) bool { return !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "_") }

// match reports whether the patterns may name path.
func (p Patterns) match(path string) bool {
	return slices.ContainsFunc(p, func(pattern string) bool {
		if ok, err := filepath.Match(filepath.Clean(pattern), path); err == nil && ok {
			return true
		}
		clean := filepath.Clean(pattern)
		return path == clean || filepath.Dir(path) == clean && visible(filepath.Base(path))
	})
}

// check compares the file with its fingerprint.
func (f File) check(info fs.FileInfo) error {
	if info.Size() == f.Size && info.ModTime().UnixNano() == f.ModTimeNs {
		return nil
	}
	return fmt.Errorf("%w: %s has %d bytes, changed at %d ns; its positions are of %d bytes, changed at %d ns: "+
		"put the file back as it was (with its time of change), or start afresh, without the checkpoint",
		ErrChanged, f.Path, info.Size(), info.ModTime().UnixNano(), f.Size, f.ModTimeNs)
}
