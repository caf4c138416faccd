package source

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/tidemark/tidemark/engine"
)

// JSONL reads JSON Lines: one JSON value a line, into a T as package
// encoding/json does it. Blank lines are skipped; a line with null is
// malformed. The options, if any, are the first.
func JSONL[T any](pattern string, opts ...Options) engine.Source[T] {
	return lineSource("jsonl", pattern, opts, func(line []byte, v *T) (bool, error) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			return false, nil
		}
		if string(line) == "null" {
			return false, errors.New("null is no record")
		}
		return true, json.Unmarshal(line, v)
	})
}
