// Package tidemark_test checks what ARCHITECTURE.md promises of the structure.
package tidemark_test

import (
	"bufio"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tidemark/tidemark/"

func read(t *testing.T, name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The walls: the imports between our packages are those that ARCHITECTURE.md
// lists.
func TestImportsAreThoseOfTheArchitecture(t *testing.T) {
	want := map[string]string{}
	_, list, ok := strings.Cut(read(t, "ARCHITECTURE.md"), "<!-- imports -->\n```\n")
	list, _, end := strings.Cut(list, "```\n<!-- /imports -->")
	if !ok || !end {
		t.Fatal("ARCHITECTURE.md has no list of imports between its marks")
	}
	for line := range strings.Lines(list) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), ": ")
		want[pkg] = imports
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-tags", "grocksdb_clean_link", "-f", `{{.ImportPath}}:{{range .Imports}} {{.}}{{end}}`, "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), ":")
		pkg = strings.TrimPrefix(pkg, module)
		var ours []string
		for _, i := range strings.Fields(imports) {
			if p, ok := strings.CutPrefix(i, module); ok {
				ours = append(ours, p)
			}
		}
		got[pkg] = strings.Join(ours, " ")
	}
	for pkg, imports := range got {
		if imports != want[pkg] {
			t.Errorf("%s imports %q; ARCHITECTURE.md says %q", pkg, imports, want[pkg])
		}
	}
	for pkg := range want {
		if got[pkg] == "" {
			t.Errorf("ARCHITECTURE.md lists the imports of %s, which has none", pkg)
		}
	}
}

// barred is what no user's program links: benchmarks, what draws their charts,
// and what serves tests.
var barred = regexp.MustCompile(`^(` + module + `(bench|upload/storetest)|gonum\.org|codeberg\.org/go-latex|git\.sr\.ht/~sbinet|testing)(/|$)`)

// A program that imports cmd links the engine and its wiring, and nothing that
// measures or tests them.
func TestUsersLinkNoBenchmarks(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-tags", "grocksdb_clean_link", "-deps", "./cmd").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, module+"engine") {
		t.Fatalf("cmd depends on %q: the engine is missing", deps)
	}
	for _, dep := range deps {
		if barred.MatchString(dep) {
			t.Errorf("cmd depends on %s", dep)
		}
	}
}

var (
	invariant = regexp.MustCompile(`(?m)^\| (I\d+) \| (.*) \|$`)
	cited     = regexp.MustCompile(`\bI\d+\b`)
)

// notBuilt marks an invariant of a part that does not exist yet.
const notBuilt = "(with the network exchange)"

// Every invariant is cited by a test.
func TestInvariantsAreTested(t *testing.T) {
	seen := map[string]int{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") && !strings.Contains(path, "statetest/") && !strings.Contains(path, "storetest/") {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if _, comment, ok := strings.Cut(lines.Text(), "//"); ok {
				for _, i := range cited.FindAllString(comment, -1) {
					seen[i]++
				}
			}
		}
		return lines.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	names := invariant.FindAllStringSubmatch(read(t, "coordinator/PROTOCOL.md"), -1)
	if len(names) != 17 {
		t.Errorf("coordinator/PROTOCOL.md has %d invariants", len(names))
	}
	for _, n := range names {
		if seen[n[1]] == 0 && !strings.HasSuffix(n[2], notBuilt) {
			t.Errorf("no test cites %s", n[1])
		}
	}
}

// Every package says which question it answers, and its invariants.
func TestPackagesSayWhatTheyAnswer(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-tags", "grocksdb_clean_link", "-f", `{{.Dir}} {{.Name}}{{range .GoFiles}} {{.}}{{end}}`, "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 3 || f[1] == "main" || strings.Contains(f[0], "/internal/") {
			continue
		}
		if !slices.ContainsFunc(f[2:], func(file string) bool {
			text := read(t, filepath.Join(f[0], file))
			return strings.Contains(text, "// Package "+f[1]+" answers") && strings.Contains(text, "Invariants")
		}) {
			t.Errorf("%s does not say which question it answers, and its invariants", f[0])
		}
	}
}
