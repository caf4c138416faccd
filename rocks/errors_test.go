package rocks_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/rocks"
)

// Statuses as RocksDB 7.8 renders them.
func TestErrorsAreClassified(t *testing.T) {
	for status, want := range map[string]error{
		"Corruption: block checksum mismatch: stored = 1, computed = 2":              rocks.ErrCorruption,
		"IO error: No space left on device: While appending to file: /x/000011.sst":  rocks.ErrNoSpace,
		"IO error: Max allowed space was reached":                                    rocks.ErrNoSpace,
		"IO error: No such file or directory: While open a file for random read: /x": rocks.ErrIO,
		"IO error: While lock file: /x/LOCK: Resource temporarily unavailable":       rocks.ErrIO,
		"Resource busy: ":                                rocks.ErrBusy,
		"Operation timed out: Lock":                      rocks.ErrBusy,
		"Shutdown in progress: ":                         rocks.ErrClosed,
		"Invalid argument: Column family not found: s-x": rocks.ErrUsage,
		"Not implemented: ":                              rocks.ErrUsage,
		"something that no version says yet":             rocks.ErrIO,
	} {
		err := rocks.Failure("get", "/dir", status)
		if !errors.Is(err, want) || !strings.Contains(err.Error(), status) || !strings.HasPrefix(err.Error(), "rocksdb get /dir: ") {
			t.Errorf("%q: %v, want %v", status, err, want)
		}
	}
}

// A second opener is told what is wrong, and does no harm.
func TestOneDatabaseADirectory(t *testing.T) {
	r, dir := resources(t), t.TempDir()
	db := open(t, dir, r, count)
	defer db.Close()
	if second, err := rocks.Open(dir, r, nil); !errors.Is(err, rocks.ErrIO) || !strings.Contains(err.Error(), "lock") {
		t.Errorf("opened twice: %v, %v", second, err)
	}
	check(t, column(t, db, count).Put(key(1), nil))
}
