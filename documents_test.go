package tidemark_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sources lists the files of the project that end in ext, without test data.
func sources(t *testing.T, ext string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains([]string{".git", "bin", "data", "testdata"}, d.Name())):
			return filepath.SkipDir
		case !d.IsDir() && filepath.Ext(path) == ext:
			names = append(names, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

const maxDocumentLines = 400

// A document has one owner and one subject, so it is short.
func TestDocumentsAreShort(t *testing.T) {
	for _, doc := range sources(t, ".md") {
		if n := strings.Count(read(t, doc), "\n"); n >= maxDocumentLines {
			t.Errorf("%s has %d lines; the limit is %d", doc, n, maxDocumentLines)
		}
	}
}

var (
	codeBlock  = regexp.MustCompile("(?ms)^```.*?^```$|^    .*?$")
	backticked = regexp.MustCompile("`([^`\n]+)`")
	link       = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	aPath      = regexp.MustCompile(`^[a-z][a-zA-Z0-9_/.-]*/[a-zA-Z0-9_/.-]*$`)
	aPlace     = regexp.MustCompile("`([\\w.]+)` in `([a-z0-9_/]+\\.go)`")
	aName      = regexp.MustCompile(`^([a-z0-9]+)\.([A-Z]\w*)(?:\.([A-Z]\w*))?(?:\(.*)?$`)
)

// Paths, links and names of Go in the documents name what exists. What begins
// with a directory of the project, or ends as its files do, is a path, relative
// to the document or to the root.
func TestDocumentsNameWhatExists(t *testing.T) {
	names := declared(t)
	for _, doc := range sources(t, ".md") {
		whole := read(t, doc)
		text := codeBlock.ReplaceAllString(whole, "")
		exists := func(path string) bool {
			return strings.Contains(whole, "\n```go "+path+"\n") || slices.ContainsFunc([]string{path, filepath.Join(filepath.Dir(doc), path)}, func(p string) bool {
				_, err := os.Stat(p)
				return err == nil
			})
		}
		for _, m := range aPlace.FindAllStringSubmatch(text, -1) {
			if !exists(m[2]) {
				continue // said below
			}
			if _, names := declaredIn(t, m[2]); !slices.Contains(names, m[1]) {
				t.Errorf("%s names `%s` in `%s`, which does not declare it", doc, m[1], m[2])
			}
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if !exists(m[1]) {
				t.Errorf("%s links to %s, which does not exist", doc, m[1])
			}
		}
		for _, m := range backticked.FindAllStringSubmatch(text, -1) {
			if first, _, _ := strings.Cut(m[1], "/"); aPath.MatchString(m[1]) && (isFile(m[1]) || first != "data" && exists(first)) && !exists(m[1]) {
				t.Errorf("%s names `%s`, which does not exist", doc, m[1])
			}
			if n := aName.FindStringSubmatch(m[1]); n != nil && names[n[1]] != nil {
				name := n[2]
				if n[3] != "" {
					name += "." + n[3]
				}
				if !names[n[1]][name] {
					t.Errorf("%s names `%s`, which package %s does not declare", doc, m[1], n[1])
				}
			}
		}
	}
}

var (
	messages = regexp.MustCompile(`(?s)<!-- messages -->\n(.*?)<!-- /messages -->`)
	quoted   = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")
)

// The messages that OPERATIONS.md explains are those of the code.
func TestMessagesAreThoseOfTheCode(t *testing.T) {
	table := messages.FindStringSubmatch(read(t, "cmd/OPERATIONS.md"))
	if table == nil {
		t.Fatal("cmd/OPERATIONS.md has no table of messages between its marks")
	}
	var code strings.Builder
	for _, file := range sources(t, ".go") {
		if !strings.HasSuffix(file, "_test.go") {
			code.WriteString(read(t, file))
		}
	}
	for _, m := range quoted.FindAllStringSubmatch(table[1], -1) {
		if !strings.Contains(code.String(), m[1]) {
			t.Errorf("cmd/OPERATIONS.md explains %q, which no code says", m[1])
		}
	}
}

var target = regexp.MustCompile(`(?m)^([a-z-]+):.*## `)

// CONTRIBUTING.md has every target of the Makefile.
func TestContributingHasEveryTarget(t *testing.T) {
	text := read(t, "CONTRIBUTING.md")
	for _, m := range target.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		if !strings.Contains(text, "`make "+m[1]) {
			t.Errorf("CONTRIBUTING.md lacks `make %s`", m[1])
		}
	}
}

func isFile(name string) bool {
	return slices.Contains([]string{".go", ".md", ".cc", ".proto"}, filepath.Ext(name))
}

// declared returns what the project's packages declare, by the package's name:
// "Name" at the top, "Type.Member" for methods and fields, exported or not.
func declared(t *testing.T) map[string]map[string]bool {
	t.Helper()
	all := map[string]map[string]bool{}
	for _, file := range sources(t, ".go") {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		pkg, names := declaredIn(t, file)
		if all[pkg] == nil {
			all[pkg] = map[string]bool{}
		}
		for _, n := range names {
			all[pkg][n] = true
		}
	}
	return all
}

func declaredIn(t *testing.T, file string) (pkg string, names []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				names = append(names, d.Name.Name)
			} else {
				names = append(names, receiver(d.Recv.List[0].Type)+"."+d.Name.Name)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.ValueSpec:
					for _, n := range s.Names {
						names = append(names, n.Name)
					}
				case *ast.TypeSpec:
					names = append(append(names, s.Name.Name), members(s)...)
				}
			}
		}
	}
	return f.Name.Name, names
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// members are the fields of a struct, or the methods of an interface.
func members(s *ast.TypeSpec) (names []string) {
	var list *ast.FieldList
	switch typ := s.Type.(type) {
	case *ast.StructType:
		list = typ.Fields
	case *ast.InterfaceType:
		list = typ.Methods
	default:
		return nil
	}
	for _, f := range list.List {
		for _, n := range f.Names {
			names = append(names, s.Name.Name+"."+n.Name)
		}
	}
	return names
}

var (
	walk    = regexp.MustCompile(`(?s)<!-- walk -->\n(.*?)<!-- /walk -->`)
	fileMap = regexp.MustCompile(`(?s)<!-- files: (\S+) -->\n(.*?)<!-- /files -->`)
	row     = regexp.MustCompile("(?m)^\\|[^|]*?`([a-z0-9_/]+\\.(?:go|cc|h))`(?: `([\\w.]+)`)?")
)

const maxWalkFiles = 9

// Each step of a walk through the code names a file and a function in it, and a
// walk crosses few files.
func TestWalksNameFunctions(t *testing.T) {
	walks := walk.FindAllStringSubmatch(read(t, "ARCHITECTURE.md"), -1)
	if len(walks) != 2 {
		t.Errorf("ARCHITECTURE.md has %d walks, want 2", len(walks))
	}
	for _, w := range walks {
		files := map[string]bool{}
		for line := range strings.Lines(w[1]) {
			m := row.FindStringSubmatch(line)
			if m == nil {
				continue // the head of the table
			}
			files[m[1]] = true
			if _, err := os.Stat(m[1]); err != nil {
				t.Errorf("a walk comes to %s: %v", m[1], err)
			} else if _, names := declaredIn(t, m[1]); !slices.Contains(names, m[2]) {
				t.Errorf("a walk comes to %q in %s, which does not declare it", m[2], m[1])
			}
		}
		if len(files) == 0 || len(files) > maxWalkFiles {
			t.Errorf("a walk crosses %d files, at most %d", len(files), maxWalkFiles)
		}
	}
}

// The map of a package's files has every file of it, and no other.
func TestFileMapsAreComplete(t *testing.T) {
	for _, m := range fileMap.FindAllStringSubmatch(read(t, "ARCHITECTURE.md"), -1) {
		dir, mapped := m[1], map[string]bool{}
		for _, r := range row.FindAllStringSubmatch(m[2], -1) {
			mapped[r[1]] = true
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Errorf("the map of %s: %v", dir, err)
			continue
		}
		for _, e := range entries {
			name := filepath.Join(dir, e.Name())
			if e.IsDir() || filepath.Ext(name) != ".go" && filepath.Ext(name) != ".cc" && filepath.Ext(name) != ".h" || strings.HasSuffix(name, "_test.go") {
				continue
			}
			if !mapped[name] {
				t.Errorf("ARCHITECTURE.md: the map of %s lacks %s", dir, name)
			}
			delete(mapped, name)
		}
		for name := range mapped {
			t.Errorf("ARCHITECTURE.md: the map of %s has %s, which is not there", dir, name)
		}
	}
}
