package filestore_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/filestore"
	"github.com/tidemark/tidemark/upload/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("FILESTORE_TEST_CAS"); dir != "" {
		os.Exit(increment(dir))
	}
	if root := os.Getenv("FILESTORE_TEST_DURABLE"); root != "" {
		os.Exit(putAndDelete(root))
	}
	os.Exit(m.Run())
}

func open(t *testing.T, dir string, o filestore.Options) *filestore.Store {
	t.Helper()
	s, err := filestore.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) upload.Store {
		return open(t, filepath.Join(t.TempDir(), "a/root"), filestore.Options{Create: true, WithoutSync: true})
	})
}

// TestStoreSynced runs what depends on syncing, on a few objects.
func TestStoreSynced(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, filestore.Options{})
	for i := range 5 {
		name := fmt.Sprintf("data/%d/object", i)
		if _, err := s.Put(t.Context(), name, upload.BodyFromBytes([]byte(name)), upload.PutOptions{IfAbsent: true}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "data/3/object"))
	if err != nil || string(b) != "data/3/object" {
		t.Errorf("an object's file is not its bytes: %q, %v", b, err)
	}
	if err := s.Delete(t.Context(), "data/3/object"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "data/3")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty directory stays: %v", err)
	}
}

func TestDamageIsFound(t *testing.T) { // I10
	dir := t.TempDir()
	s := open(t, dir, filestore.Options{WithoutSync: true})
	want := bytes.Repeat([]byte("state "), 1000)
	for what, damage := range map[string]func(*os.File) error{
		"flipped":   func(f *os.File) error { _, err := f.WriteAt([]byte{want[77] ^ 1}, 77); return err },
		"truncated": func(f *os.File) error { return f.Truncate(5000) },
		"emptied":   func(f *os.File) error { return f.Truncate(0) },
		"longer":    func(f *os.File) error { return f.Truncate(9000) },
	} {
		if _, err := s.Put(t.Context(), "data/x", upload.BodyFromBytes(want), upload.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(filepath.Join(dir, "data/x"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(damage(f), f.Close()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := upload.ReadAll(t.Context(), s, "data/x", 1<<20); !errors.Is(err, upload.ErrCorrupt) {
			t.Errorf("read of a %s object: %v", what, err)
		}
		if what == "truncated" || what == "emptied" {
			r, err := s.GetRange(t.Context(), "data/x", 4000, 1500) // beyond the bytes that are left
			if err == nil {
				_, err = io.Copy(io.Discard, r)
				err = errors.Join(err, r.Close())
			}
			if !errors.Is(err, upload.ErrCorrupt) {
				t.Errorf("range of a %s object: %v", what, err)
			}
		}
		if what == "longer" {
			continue // the copy is of the bytes that were put
		}
		if err := s.Copy(t.Context(), "data/x", "data/y"); !errors.Is(err, upload.ErrCorrupt) {
			t.Errorf("copy of a %s object: %v", what, err)
		}
	}
}

func TestForeignFileIsServed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, filestore.Options{WithoutSync: true})
	if err := os.WriteFile(filepath.Join(dir, "by-hand"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, info, err := upload.ReadAll(t.Context(), s, "by-hand", 100)
	if err != nil || string(b) != "hello" || info.HasCRC32C || info.Version == "" {
		t.Fatalf("read %q, %+v, %v", b, info, err)
	}
	next, err := s.Put(t.Context(), "by-hand", upload.BodyFromBytes([]byte("world")), upload.PutOptions{IfMatch: info.Version})
	if err != nil || !next.HasCRC32C {
		t.Errorf("put on its version: %+v, %v", next, err)
	}
}

func TestMissingRoot(t *testing.T) { // I2, I10
	dir := filepath.Join(t.TempDir(), "root")
	if _, err := filestore.Open(dir, filestore.Options{}); !errors.Is(err, upload.ErrNoBucket) {
		t.Fatalf("open of a missing root: %v", err)
	}
	s := open(t, dir, filestore.Options{Create: true})
	if _, err := s.Put(t.Context(), "a", upload.BodyFromBytes(nil), upload.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	_, err := s.Head(t.Context(), "a")
	if !errors.Is(err, upload.ErrNoBucket) {
		t.Errorf("head below a root that is gone: %v", err)
	}
	_, err = s.Put(t.Context(), "a", upload.BodyFromBytes(nil), upload.PutOptions{})
	if !errors.Is(err, upload.ErrNoBucket) {
		t.Errorf("put below a root that is gone: %v", err)
	}
	if err := s.Delete(t.Context(), "a"); !errors.Is(err, upload.ErrNoBucket) {
		t.Errorf("delete below a root that is gone: %v", err)
	}
	for _, e := range s.List(t.Context(), "") {
		err = e
	}
	if !errors.Is(err, upload.ErrNoBucket) {
		t.Errorf("list of a root that is gone: %v", err)
	}
}

// Cleaners of temporary files remove what is empty or old: the store makes its own
// directories again, but makes no store where there is none any more.
func TestOwnDirectoriesAreMadeAgain(t *testing.T) { // I2, I11
	dir := t.TempDir()
	s := open(t, dir, filestore.Options{WithoutSync: true})
	put := func(name string) error {
		_, err := s.Put(t.Context(), name, upload.BodyFromBytes([]byte(name)), upload.PutOptions{IfAbsent: true})
		return err
	}
	for i, own := range []string{"", ".tidemark/tmp", ".tidemark/locks", ".tidemark"} {
		if own != "" {
			if err := os.RemoveAll(filepath.Join(dir, own)); err != nil {
				t.Fatal(err)
			}
		}
		name := fmt.Sprint("data/", i)
		if err := put(name); err != nil {
			t.Errorf("put without %q: %v", own, err)
		}
		if err := put(name); !errors.Is(err, upload.ErrPrecondition) {
			t.Errorf("put of an object that exists: %v", err)
		}
	}
	for _, gone := range []string{filepath.Join(dir, "data"), filepath.Join(dir, ".tidemark")} {
		if err := os.RemoveAll(gone); err != nil {
			t.Fatal(err)
		}
	}
	if err := put("data/new"); !errors.Is(err, upload.ErrNoBucket) {
		t.Errorf("put into an empty directory that was a store: %v", err)
	}
}

func TestErrorsSayWhy(t *testing.T) { // I11
	t.Run("full", func(t *testing.T) {
		dir := tinyFileSystem(t)
		s := open(t, dir, filestore.Options{WithoutChecksums: true})
		_, err := s.Put(t.Context(), "big", upload.BodyFromBytes(make([]byte, 4<<20)), upload.PutOptions{})
		if !errors.Is(err, upload.ErrNoSpace) {
			t.Errorf("put onto a full disk: %v", err)
		}
		if entries, err := os.ReadDir(filepath.Join(dir, ".tidemark/tmp")); err != nil || len(entries) > 0 {
			t.Errorf("%d temporary files stay, %v", len(entries), err)
		}
	})
	t.Run("conflict", func(t *testing.T) {
		s := open(t, t.TempDir(), filestore.Options{WithoutSync: true})
		if _, err := s.Put(t.Context(), "a", upload.BodyFromBytes(nil), upload.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		_, err := s.Put(t.Context(), "a/b", upload.BodyFromBytes(nil), upload.PutOptions{})
		if err == nil || !strings.Contains(err.Error(), "object") {
			t.Errorf("object below an object: %v", err)
		}
	})
	t.Run("denied", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may do anything")
		}
		dir := t.TempDir()
		s := open(t, dir, filestore.Options{WithoutSync: true})
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		_, err := s.Put(t.Context(), "d/a", upload.BodyFromBytes(nil), upload.PutOptions{})
		if !errors.Is(err, upload.ErrDenied) {
			t.Errorf("put into a directory without permission: %v", err)
		}
	})
}

// tinyFileSystem mounts one of 1 MiB, or skips the test.
func tinyFileSystem(t *testing.T) string {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("needs the right to mount a small file system: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

func TestStaleTemporaryFiles(t *testing.T) { // I5
	dir := t.TempDir()
	open(t, dir, filestore.Options{})
	stale := filepath.Join(dir, ".tidemark/tmp/1-abandoned")
	if err := os.WriteFile(stale, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, filestore.Options{})
	if _, err := os.Stat(stale); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an abandoned temporary file stays: %v", err)
	}
	// One that a put is writing stays.
	body := upload.BodyFromBytes([]byte("hello"))
	inner := body.Open
	opened := 0
	body.Open = func() (io.ReadSeekCloser, error) {
		opened++
		open(t, dir, filestore.Options{})
		return inner()
	}
	if _, err := s.Put(t.Context(), "a", body, upload.PutOptions{}); err != nil || opened == 0 {
		t.Errorf("put while the store is opened again: %v, %d", err, opened)
	}
}

// TestProcesses lets processes count in one object by compare-and-swap; no
// increment may be lost.
func TestProcesses(t *testing.T) { // I4
	const processes = 4
	dir := t.TempDir()
	s := open(t, dir, filestore.Options{WithoutSync: true})
	if _, err := s.Put(t.Context(), "head", upload.BodyFromBytes(nil), upload.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	var running []*exec.Cmd
	for range processes {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "FILESTORE_TEST_CAS="+dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Errorf("process: %v", err)
		}
	}
	b, _, err := upload.ReadAll(t.Context(), s, "head", 1<<20)
	if err != nil || len(b) != processes*increments {
		t.Errorf("counted to %d, want %d; %v", len(b), processes*increments, err)
	}
}
