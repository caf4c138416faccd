package tidemarkcmd_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fence is a block of code in a document: its language, what stands behind the
// language, and its text.
var fence = regexp.MustCompile("(?ms)^```(\\w+) *([^\n]*)\n(.*?)^```$")

// shown is what a document shows that runs: "```go NAME" is a complete file,
// "```sh run" a script.
type shown struct {
	files   map[string]string
	scripts []string
}

var packageClause = regexp.MustCompile(`(?m)^package \w+$`)

// show reads a document, whose path is relative to the project's root.
func show(t *testing.T, document string) shown {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", document))
	if err != nil {
		t.Fatal(err)
	}
	s := shown{files: map[string]string{}}
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		lang, name, code := m[1], m[2], m[3]
		switch {
		case lang == "go" && name != "":
			s.files[name] = code
		case lang == "go" && packageClause.MatchString(code):
			t.Errorf("%s shows a whole file without a name (write ```go NAME):\n%s", document, code)
		case lang == "sh" && name == "run":
			s.scripts = append(s.scripts, code)
		}
	}
	return s
}

// module writes the files into a module of its own, outside this one, with the
// versions that are tested here, so that nothing has to be downloaded.
func (s shown) module(t *testing.T) (dir string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	write := func(name, text string) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range s.files {
		write(name, text)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	// Where go.work chooses another binding, as it does for this module's build.
	work, _ := os.ReadFile(filepath.Join(root, "go.work.sum"))
	write("go.sum", string(sum)+string(work))
	write("go.mod", strings.Replace(string(mod), "module github.com/tidemark/tidemark", "module example.org/job", 1)+
		fmt.Sprintf("\nrequire github.com/tidemark/tidemark v0.0.0\n\nreplace github.com/tidemark/tidemark => %s\n", root))
	if binding := chosenBinding(t); !strings.Contains(string(mod), binding) {
		must(t, in(t, dir, "go", "get", "github.com/linxGnu/"+strings.Replace(binding, " ", "@", 1)))
	}
	return dir
}

// chosenBinding is the version of package grocksdb that this test was built with:
// "grocksdb v1.7.14".
func chosenBinding(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "grocksdb {{or (and .Replace .Replace.Version) .Version}}", "github.com/linxGnu/grocksdb")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	return strings.TrimSpace(string(out))
}

// in prepares a command in the module.
func in(t *testing.T, dir, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod -tags=grocksdb_clean_link", "GOPROXY=off", "GOWORK=off")
	return cmd
}

// must runs a command that has to succeed.
func must(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
}

// documents lists the project's documents, relative to its root.
func documents(t *testing.T) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(".."), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "bin", "data", "testdata"}, d.Name()):
			return fs.SkipDir
		case filepath.Ext(path) == ".md":
			names = append(names, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// The programs and scripts that documents show work: files build, pass vet and
// their tests, and scripts end with 0 in a directory that holds the files, and
// bin/tidemark and testdata as the project's root does.
func TestDocumentsRun(t *testing.T) {
	for _, document := range documents(t) {
		t.Run(document, func(t *testing.T) {
			t.Parallel()
			s := show(t, document)
			if len(s.files)+len(s.scripts) == 0 {
				t.Skip("it shows nothing that runs")
			}
			dir := s.module(t)
			if len(s.files) > 0 {
				must(t, in(t, dir, "go", "vet", "./..."))
				must(t, in(t, dir, "go", "test", "./..."))
			}
			if testing.Short() {
				return
			}
			asProgram(t, dir)
			for _, script := range s.scripts {
				must(t, in(t, dir, "bash", "-euo", "pipefail", "-c", script))
			}
		})
	}
}

// asProgram puts this test as bin/tidemark into a directory, and testdata.
func asProgram(t *testing.T, dir string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := filepath.Abs("../testdata")
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\n%s=1 exec %s \"$@\"\n", asCommand, self)
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bin", "tidemark"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(data, filepath.Join(dir, "testdata")); err != nil {
		t.Fatal(err)
	}
}

var aFlag = regexp.MustCompile("--[a-z0-9][a-z0-9-]*")

// OPERATIONS.md has every flag of run, and no other.
func TestOperationsHasEveryFlag(t *testing.T) {
	text, err := os.ReadFile("OPERATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]bool{}
	for _, verb := range []string{"run", "checkpoints verify", "checkpoints gc", "checkpoints retain", "checkpoints pin", "checkpoints watch", "job status", "state get", "state scan", "store analyze"} {
		for _, f := range aFlag.FindAllString(ok(t, append(strings.Fields(verb), "--help")...), -1) {
			if !flags[f] && verb == "run" && !strings.Contains(string(text), "`"+f+"`") {
				t.Errorf("OPERATIONS.md lacks the flag %s", f)
			}
			flags[f] = true
		}
	}
	for _, f := range aFlag.FindAllString(string(text), -1) {
		if !flags[f] {
			t.Errorf("OPERATIONS.md names %s, which no verb has", f)
		}
	}
}
