package planted

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Mutant is one small change of a file.
type Mutant struct {
	File string // from the root of the tree
	Line int
	Code string // the line, without the spaces around it
	What string // what was changed

	from, to int // the bytes of the file that are replaced
	by       string
}

// String names the mutant. The name holds no line number, so that it stays while
// the rest of the file changes.
func (m Mutant) String() string { return fmt.Sprintf("%s: %s: %s", m.File, m.What, m.Code) }

// Write writes the changed file below dir.
func (m Mutant) Write(root, dir string) (Overlay, error) {
	b, err := os.ReadFile(filepath.Join(root, m.File))
	if err != nil {
		return nil, fmt.Errorf("mutant of %s: %w", m.File, err)
	}
	name := filepath.Join(dir, filepath.Base(m.File))
	if err := os.WriteFile(name, slices.Concat(b[:m.from], []byte(m.by), b[m.to:]), 0o666); err != nil {
		return nil, fmt.Errorf("mutant of %s: %w", m.File, err)
	}
	return Overlay{m.File: name}, nil
}

// Mutants returns all mutants of a Go file, in the order of the file. Some do
// not build.
func Mutants(root, file string) ([]Mutant, error) {
	src, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return nil, fmt.Errorf("mutants: %w", err)
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("mutants: %w", err)
	}
	lines := strings.Split(string(src), "\n")
	var all []Mutant
	replace := func(what string, from, to token.Pos, by string) {
		p := fset.Position(from)
		all = append(all, Mutant{File: file, Line: p.Line, Code: strings.TrimSpace(lines[p.Line-1]), What: what, from: p.Offset, to: fset.Position(to).Offset, by: by})
	}
	text := func(n ast.Node) string {
		return string(src[fset.Position(n.Pos()).Offset:fset.Position(n.End()).Offset])
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl: // constants and types
			return n.Tok == token.VAR
		case *ast.IfStmt:
			replace("condition negated", n.Cond.Pos(), n.Cond.End(), "!("+text(n.Cond)+")")
		case *ast.CaseClause:
			for _, e := range n.List {
				if is[*ast.BinaryExpr](e) || is[*ast.UnaryExpr](e) || is[*ast.CallExpr](e) {
					replace("condition negated", e.Pos(), e.End(), "!("+text(e)+")")
				}
			}
		case *ast.BinaryExpr:
			for _, by := range operators[n.Op] {
				replace(fmt.Sprintf("%s becomes %s in %s", n.Op, by, text(n)), n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), by.String())
			}
		case *ast.ExprStmt:
			if !logs(text(n)) {
				replace("statement removed", n.Pos(), n.End(), "")
			}
		case *ast.IncDecStmt:
			replace("statement removed", n.Pos(), n.End(), "")
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				replace("statement removed", n.Pos(), n.End(), "")
			}
		case *ast.ReturnStmt:
			for _, r := range n.Results {
				if id, ok := r.(*ast.Ident); ok && results[id.Name] != "" {
					replace(id.Name+" becomes "+results[id.Name], id.Pos(), id.End(), results[id.Name])
				}
			}
		}
		return true
	})
	return all, nil
}

// operators says what takes an operator's place.
var operators = map[token.Token][]token.Token{
	token.LSS: {token.LEQ}, token.LEQ: {token.LSS}, token.GTR: {token.GEQ}, token.GEQ: {token.GTR},
	token.EQL: {token.NEQ}, token.NEQ: {token.EQL}, token.LAND: {token.LOR}, token.LOR: {token.LAND},
	token.ADD: {token.SUB}, token.SUB: {token.ADD}, token.MUL: {token.QUO}, token.QUO: {token.MUL}, token.REM: {token.MUL},
	token.AND: {token.OR}, token.OR: {token.AND}, token.SHL: {token.SHR}, token.SHR: {token.SHL},
}

// results says what takes a result's place.
var results = map[string]string{"true": "false", "false": "true", "err": "nil"}

func is[T ast.Node](n ast.Node) bool { _, ok := n.(T); return ok }

// logs reports whether a statement only writes a log.
func logs(stmt string) bool {
	return strings.HasPrefix(stmt, "log.") || strings.Contains(stmt, "slog.") || strings.Contains(stmt, ".log.") || strings.Contains(stmt, "Logger.")
}
