package cli

import (
	"encoding/json"
	"io"
	"runtime/debug"
)

// PrintJSON writes v as indented JSON.
func PrintJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// Version returns the name and version of this program.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "tidemark (unknown version)"
	}
	version := info.Main.Version
	if version == "" || version == "(devel)" {
		version = "devel"
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				version = s.Value
			}
		}
	}
	return "tidemark " + version
}
