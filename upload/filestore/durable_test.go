package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/filestore"
)

// putAndDelete puts an object into a new directory, replaces it, and deletes it, in a
// process of its own. It makes a file beside the store after each step.
func putAndDelete(root string) int {
	s, err := filestore.Open(filepath.Join(root, "store"), filestore.Options{Create: true})
	ctx := context.Background()
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"put", func() error {
			_, err := s.Put(ctx, "a/b/x", upload.BodyFromBytes([]byte("one")), upload.PutOptions{IfAbsent: true})
			return err
		}},
		{"replaced", func() error {
			_, err := s.Put(ctx, "a/b/x", upload.BodyFromBytes([]byte("two")), upload.PutOptions{})
			return err
		}},
		{"kept", func() error {
			_, err := s.Put(ctx, "a/b/y", upload.BodyFromBytes([]byte("y")), upload.PutOptions{})
			return err
		}},
		{"deleted", func() error { return s.Delete(ctx, "a/b/x") }},
	} {
		if err == nil {
			err = step.do()
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(root, "after-"+step.name), nil, 0o600)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A Put that has returned survives a loss of power: its bytes were synced before they got
// their name, then the directory, and the parents of a directory that is new. So does a
// Delete. The test looks at the order of system calls.
func TestWhatIsSyncedAndWhen(t *testing.T) { // I1, I3, I5
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("system calls are watched by strace: apt-get install strace")
	}
	root := t.TempDir()
	log := filepath.Join(root, "trace")
	cmd := exec.CommandContext(t.Context(), strace, "-f", "-y", "-o", log,
		"-e", "trace=fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,openat", os.Args[0])
	cmd.Env = append(os.Environ(), "FILESTORE_TEST_DURABLE="+root)
	if out, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "ptrace") {
			t.Skipf("strace may trace no process here: %s", out)
		}
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	store := filepath.Join(root, "store")
	// find returns the first line after from that matches, and fails the test if there is
	// none before the file that ends the step.
	find := func(step, what string, from int, pattern string) int {
		t.Helper()
		end := slices.IndexFunc(lines, regexp.MustCompile(`openat\(.*/after-`+step+`"`).MatchString)
		re := regexp.MustCompile(pattern)
		for i := from; i < end; i++ {
			if re.MatchString(lines[i]) {
				return i
			}
		}
		t.Errorf("%s: %s: no %s among\n%s", step, what, pattern, strings.Join(lines[max(0, from):max(0, from, end)], "\n"))
		return max(0, from)
	}
	dir := regexp.QuoteMeta(filepath.Join(store, "a/b"))
	sync := func(path string) string { return `f(data)?sync\(\d+<` + path + `>` }
	from := 0
	for _, step := range []string{"put", "replaced"} {
		bytes := find(step, "the bytes", from, sync(regexp.QuoteMeta(store)+`/\.[^>]*`))
		renamed := find(step, "the name", bytes, `rename.*"[^"]*a/b/x"`)
		from = find(step, "the directory, after the name", renamed, sync(dir)) + 1
	}
	made := find("put", "the directory", 0, `mkdir.*a/b"`)
	find("put", "the parent of a new directory", made, sync(regexp.QuoteMeta(filepath.Join(store, "a"))))
	find("put", "its parent", 0, sync(regexp.QuoteMeta(store)))
	gone := find("deleted", "the name", from, `unlink.*a/b/x"`)
	find("deleted", "the directory, after it", gone, sync(dir))
}

// A range of an object whose file was cut short is never as if it were whole.
func TestRangeOfAFileThatWasCutShort(t *testing.T) { // I10
	dir := t.TempDir()
	s := open(t, dir, filestore.Options{WithoutSync: true})
	if _, err := s.Put(t.Context(), "x", upload.BodyFromBytes(make([]byte, 9000)), upload.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "x"), 5000); err != nil {
		t.Fatal(err)
	}
	wantCorruptRange(t, s, 4000, 3000)
	wantCorruptRange(t, s, 6000, 1000)
}

func wantCorruptRange(t *testing.T, s upload.Reader, offset, length int64) {
	t.Helper()
	r, err := s.GetRange(t.Context(), "x", offset, length)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
		err = errors.Join(err, r.Close())
	}
	if !errors.Is(err, upload.ErrCorrupt) {
		t.Errorf("%d bytes from %d: %v", length, offset, err)
	}
}
