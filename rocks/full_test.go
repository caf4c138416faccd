package rocks_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tidemark/tidemark/rocks"
)

// I11: a full disk fails the checkpoint, with the reason, and nothing else.
func TestFullDisk(t *testing.T) {
	r, dir := resources(t), t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skip("this user cannot mount a small disk:", err)
	}
	t.Cleanup(func() { check(t, unix.Unmount(dir, 0)) })
	db := open(t, filepath.Join(dir, "db"), r, count)
	defer db.Close()
	c := column(t, db, count)
	for i := range 500 {
		check(t, c.Put(key(i), fmt.Appendf(nil, "value %d", i)))
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, bytes.Repeat([]byte("x"), 16<<20), 0o644); !errors.Is(err, unix.ENOSPC) {
		t.Fatal("the disk is not full:", err)
	}
	for range 3 {
		if err := db.Checkpoint(filepath.Join(dir, "failed")); !errors.Is(err, rocks.ErrNoSpace) {
			t.Errorf("checkpoint on a full disk: %v", err)
		}
		check(t, c.Put(key(1), []byte("goes on")))
	}
	check(t, os.Remove(ballast))
	check(t, db.Checkpoint(filepath.Join(dir, "good")))
	if v, _, err := c.Get(nil, key(1)); string(v) != "goes on" || err != nil {
		t.Errorf("get: %q, %v", v, err)
	}
}
