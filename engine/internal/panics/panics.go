package panics

import (
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// shown bounds the frames of a text.
const shown = 6

// Where says where the panic that the caller, a deferred function, has just
// recovered came from: the functions that were running, the innermost first.
// Those of the engine and of Go's runtime are left out, and those of Go's library
// come last.
func Where() string {
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers)])
	var users, library []string
	for {
		f, more := frames.Next()
		text := fmt.Sprintf("%s (%s:%d)", f.Function, filepath.Base(f.File), f.Line)
		switch pkg := packageOf(f.Function); {
		case pkg == "runtime" || strings.HasPrefix(pkg, "runtime/") || isEngine(pkg):
		case isLibrary(pkg):
			library = append(library, text)
		default:
			users = append(users, text)
		}
		if !more {
			break
		}
	}
	all := append(users, library...)
	if len(all) == 0 {
		return "the engine itself"
	}
	return strings.Join(all[:min(len(all), shown)], ", in ")
}

const engine = "github.com/tidemark/tidemark/engine"

func isEngine(pkg string) bool { return pkg == engine || strings.HasPrefix(pkg, engine+"/") }

// isLibrary reports whether a package is of Go's library: the first element of
// its path has no dot, and it is not of the program's own module.
func isLibrary(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	if first == "main" || strings.Contains(first, ".") {
		return false
	}
	info, ok := debug.ReadBuildInfo()
	return !ok || info.Main.Path == "" || pkg != info.Main.Path && !strings.HasPrefix(pkg, info.Main.Path+"/")
}

// packageOf returns the path of a function's package.
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	pkg, _, _ := strings.Cut(function[slash:], ".")
	return function[:slash] + pkg
}
