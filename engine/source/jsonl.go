package source

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/tidemark/tidemark/engine"
)

// JSONL reads JSON Lines: each line is a JSON value, which encoding/json decodes
// into a T. Unknown fields are ignored, missing ones stay zero. Blank lines are
// skipped; a line that holds null is malformed. At most one Options may be given.
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
