package tidemark_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// bindings reads .ci/bindings: from, to, version of package grocksdb.
func bindings(t *testing.T) (rows [][]string) {
	for line := range strings.Lines(read(t, ".ci/bindings")) {
		if fields := strings.Fields(line); fields[0] != "#" && len(fields) == 3 {
			rows = append(rows, fields)
		}
	}
	return rows
}

// All that says which RocksDB works says the same.
func TestBindingsAgree(t *testing.T) {
	rows := bindings(t)
	first, last := rows[0], rows[len(rows)-1]
	if !strings.Contains(read(t, "go.mod"), "linxGnu/grocksdb "+first[2]+"\n") {
		t.Errorf("go.mod has not the first binding, %s", first[2])
	}
	known := regexp.MustCompile(`static_assert\((\d+) <= TM_RELEASE && TM_RELEASE <= (\d+),`).FindStringSubmatch(read(t, "rocks/handles.h"))
	if known == nil || known[1] != number(first[0]) || known[2] != number(last[1]) {
		t.Errorf("rocks/handles.h knows %v, .ci/bindings %s to %s", known, first[0], last[1])
	}
	contributing := read(t, "CONTRIBUTING.md")
	for _, row := range rows {
		if says := fmt.Sprintf("| %s to %s | `%s` |", row[0], row[1], row[2]); !strings.Contains(contributing, says) {
			t.Errorf("CONTRIBUTING.md does not say %s", says)
		}
	}
}

// number renders a release as the shim compares it: "10.4" is 1004.
func number(release string) string {
	var major, minor int
	_, _ = fmt.Sscanf(release, "%d.%d", &major, &minor)
	return fmt.Sprint(major*100 + minor)
}

// A build picks the binding of the RocksDB that is installed, and refuses one that it
// does not know: with its version, those that work, and what to do.
func TestBuildPicksTheBinding(t *testing.T) {
	if _, err := exec.LookPath("g++"); err != nil {
		t.Skip(err)
	}
	dir, headers := t.TempDir(), t.TempDir()
	work := filepath.Join(dir, "go.work")
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "go.mod"), read(t, "go.mod"))
	pick := func(release string) (string, error) {
		major, minor, _ := strings.Cut(release, ".")
		write(filepath.Join(headers, "rocksdb", "version.h"),
			fmt.Sprintf("#define ROCKSDB_MAJOR %s\n#define ROCKSDB_MINOR %s\n#define ROCKSDB_PATCH 5\n", major, minor))
		cmd := exec.CommandContext(t.Context(), ".ci/binding", dir)
		cmd.Env = append(os.Environ(), "CGO_CPPFLAGS=-I"+headers, "CGO_CXXFLAGS=")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	rows := bindings(t)
	for _, row := range append(rows, rows[0]) { // and back to the first
		for _, release := range row[:2] {
			if out, err := pick(release); err != nil {
				t.Fatalf("%s: %v, %s", release, err, out)
			}
			is, err := os.ReadFile(work)
			if row[2] == rows[0][2] { // that of go.mod
				if err == nil {
					t.Errorf("%s needs no go.work: %s", release, is)
				}
			} else if !strings.HasSuffix(string(is), "grocksdb => github.com/linxGnu/grocksdb "+row[2]+"\n") {
				t.Errorf("%s: go.work is %q, %v", release, is, err)
			}
		}
	}
	for _, release := range []string{"6.29", "8.0", "11.8"} {
		out, err := pick(release)
		for _, says := range []string{"RocksDB " + release + ".5 is installed", "7.8 to 7.10", "10.4 to 10.10", "Install one of these"} {
			if err == nil || !strings.Contains(out, says) {
				t.Errorf("%s: %v, %q does not say %q", release, err, out, says)
			}
		}
	}
	write(work, "go 1.26.0\n") // not ours
	if out, err := pick("9.10"); err != nil || !strings.Contains(out, "is yours and stays") || !strings.Contains(out, "v1.9.8") {
		t.Errorf("with a go.work of the user's: %v, %s", err, out)
	}
	if is := read(t, work); is != "go 1.26.0\n" {
		t.Errorf("it is now %s", is)
	}
}
