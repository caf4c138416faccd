package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/internal/jsontype"
)

// JSONL reads JSON Lines: each line is a JSON value, which encoding/json decodes
// into a T. Unknown fields are ignored and missing ones stay zero, unless
// Options.Complete or Options.Strict is set. Blank lines are skipped; a line that holds null is
// malformed, and so is one with more or fewer items than an array of T holds. A T
// that JSON would lose values of, such as one with fields that are not exported, is
// refused. At most one Options may be given.
func JSONL[T any](pattern string, opts ...Options) engine.Source[T] {
	t := reflect.TypeFor[T]()
	w := walker{}
	if len(opts) > 0 {
		w = walker{complete: opts[0].Complete || opts[0].Strict, strict: opts[0].Strict}
	}
	shape, walks := shapeOf(t)
	walks = walks || w.complete
	s := lineSource("jsonl", pattern, opts, func(line []byte, v *T) (bool, error) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			return false, nil
		}
		if string(line) == "null" {
			return false, errors.New("null is no record")
		}
		if at := loneSurrogate(line); at != "" {
			return false, fmt.Errorf("%w: the escape %s is half a character", ErrNotUTF8, at)
		}
		if err := json.Unmarshal(line, v); err != nil {
			if line[0] == '[' && t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
				err = fmt.Errorf("%w: does the file hold one JSON array? JSON Lines are meant, a value a line", err)
			}
			return false, err
		}
		if !walks {
			return true, nil
		}
		return true, w.walk(shape, line)
	})
	if err := jsontype.Check(t, jsontype.Read); err != nil && s.Err == nil {
		s.Err = fmt.Errorf("%w: jsonl: %w", ErrOptions, err)
	}
	return s
}

// loneSurrogate returns an escape of half a character, for which encoding/json
// puts U+FFFD; "": there is none.
func loneSurrogate(line []byte) string {
	high := -1 // where an escape \ud8xx to \udbxx ended
	for i := 0; ; {
		n := bytes.IndexByte(line[i:], '\\')
		if n < 0 || i+n+1 >= len(line) {
			break
		}
		i += n
		if line[i+1] != 'u' || i+6 > len(line) {
			i += 2
			continue
		}
		escape := line[i : i+6]
		first, second := escape[2]|0x20, escape[3]|0x20
		isHigh := first == 'd' && (second == '8' || second == '9' || second == 'a' || second == 'b')
		isLow := first == 'd' && second >= 'c' && second <= 'f'
		if isLow && high != i {
			return string(escape)
		}
		if high >= 0 && !(isLow && high == i) {
			return string(line[high-6 : high])
		}
		high = -1
		i += 6
		if isHigh {
			high = i
		}
	}
	if high >= 0 {
		return string(line[high-6 : high])
	}
	return ""
}
