package filestore

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/tidemark/tidemark/upload"
)

// List implements upload.Reader. It holds one directory of each depth in memory.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[upload.Info, error] {
	return func(yield func(upload.Info, error) bool) {
		l := lister{s: s, ctx: ctx, prefix: prefix, yield: yield}
		// Everything below the last slash of the prefix may match it.
		dir := prefix[:strings.LastIndexByte(prefix, '/')+1]
		if strings.HasPrefix(prefix, ".") || strings.Contains(prefix, "/.") || strings.HasPrefix(prefix, "/") || strings.Contains(prefix, "//") {
			// No object has such a name, and the path might leave the root.
			dir = ""
		}
		if err := s.absent(); !errors.Is(err, upload.ErrNotExist) {
			yield(upload.Info{}, s.fail("list", prefix, err))
			return
		}
		if _, err := l.walk(dir); err != nil {
			yield(upload.Info{}, s.fail("list", prefix, err))
		}
	}
}

type lister struct {
	s      *Store
	ctx    context.Context
	prefix string
	yield  func(upload.Info, error) bool
}

// walk lists dir, which is empty or ends with a slash, and what is below it. It
// returns false once the consumer has stopped.
func (l *lister) walk(dir string) (more bool, err error) {
	if err := l.ctx.Err(); err != nil {
		return false, err
	}
	entries, err := os.ReadDir(l.s.path(dir))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return true, nil // never there, or removed with its last object
	}
	if err != nil {
		return false, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		name := dir + e.Name()
		if e.IsDir() {
			name += "/" // as which its objects sort among the others
		}
		if e.Name()[0] != '.' && (strings.HasPrefix(name, l.prefix) || strings.HasPrefix(l.prefix, name)) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, cmp.Compare[string])
	for _, name := range names {
		if strings.HasSuffix(name, "/") {
			if more, err := l.walk(name); err != nil || !more {
				return false, err
			}
			continue
		}
		if !strings.HasPrefix(name, l.prefix) {
			continue
		}
		stat, err := os.Lstat(l.s.path(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return false, err
		}
		if !stat.Mode().IsRegular() {
			continue
		}
		info := upload.Info{Name: name, Size: stat.Size(), Modified: stat.ModTime()}
		if err := l.ctx.Err(); err != nil {
			return false, err
		}
		if !l.yield(info, nil) {
			return false, nil
		}
	}
	return true, nil
}
