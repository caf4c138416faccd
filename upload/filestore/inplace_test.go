package filestore_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/filestore"
)

// A Put that fails after its object is in place does not say that it was
// refused: the coordinator would delete what head now holds (I2).
func TestFailureAfterTheRenameIsNoRefusal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "root")
	s, err := filestore.Open(dir, filestore.Options{Create: true})
	check(t, err)
	one, err := s.Put(t.Context(), "head", upload.BodyFromBytes([]byte("one")), upload.PutOptions{IfAbsent: true})
	check(t, err)

	check(t, os.Chmod(dir, 0o300)) // files can be renamed in it, and it cannot be opened for a sync
	unprivileged(t, dir)
	_, err = s.Put(t.Context(), "head", upload.BodyFromBytes([]byte("two")), upload.PutOptions{IfMatch: one.Version})
	if err == nil || errors.Is(err, upload.ErrDenied) || errors.Is(err, upload.ErrPrecondition) {
		t.Errorf("put: %v", err)
	}
	if b, _, err := upload.ReadAll(t.Context(), s, "head", 100); err != nil || string(b) != "two" {
		t.Errorf("head is %q, %v", b, err)
	}
}

// unprivileged makes the test's thread access files as nobody, who then owns
// dir: the permissions of files do not bind root.
func unprivileged(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	const nobody = 65534
	for above := filepath.Dir(dir); above != filepath.Clean(os.TempDir()); above = filepath.Dir(above) {
		check(t, os.Chmod(above, 0o755))
	}
	check(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, nobody, nobody))
	}))
	runtime.LockOSThread()
	check(t, syscall.Setfsuid(nobody))
	t.Cleanup(func() {
		check(t, syscall.Setfsuid(0))
		runtime.UnlockOSThread()
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
