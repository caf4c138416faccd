package api

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// fresh is what files say. They are read again once one has changed. While they are not
// understood, what they said before counts, and the log says so once.
type fresh[T any] struct {
	files []string
	read  func() (T, error)
	log   *slog.Logger

	mu    sync.Mutex
	value T
	mark  string // of the files when they were read last
}

// newFresh reads the files for the first time, which must succeed.
func newFresh[T any](log *slog.Logger, read func() (T, error), files ...string) (*fresh[T], error) {
	f := &fresh[T]{files: files, read: read, log: log}
	f.mark = f.marks()
	var err error
	f.value, err = read()
	return f, err
}

// get returns what the files say now. It may be called from any goroutine.
func (f *fresh[T]) get() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	mark := f.marks()
	if mark == f.mark {
		return f.value
	}
	f.mark = mark
	value, err := f.read()
	if err != nil {
		f.log.Warn("files of the API changed and are not understood: what they said before counts", "files", f.files, "error", err)
		return f.value
	}
	f.value = value
	f.log.Info("files of the API were read again", "files", f.files)
	return value
}

// marks changes when a file does.
func (f *fresh[T]) marks() (all string) {
	for _, name := range f.files {
		if info, err := os.Stat(name); err == nil {
			all += fmt.Sprint(info.ModTime().UnixNano(), " ", info.Size(), ";")
		}
	}
	return all
}
