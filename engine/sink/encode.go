package sink

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/tidemark/tidemark/engine"
)

// JSONAppender is implemented by rows that encode themselves as JSON, faster
// than encoding/json does.
type JSONAppender interface {
	// AppendJSON appends the row as one JSON value without a line's end.
	AppendJSON(dst []byte) []byte
}

// encoder renders rows as JSON Lines into its buffer.
type encoder[T any] struct {
	buf  bytes.Buffer
	json *json.Encoder
}

func newEncoder[T any]() *encoder[T] {
	e := &encoder[T]{}
	e.json = json.NewEncoder(&e.buf)
	e.json.SetEscapeHTML(false)
	return e
}

func (e *encoder[T]) encode(row *T) error {
	if a, ok := any(row).(JSONAppender); ok {
		b := a.AppendJSON(e.buf.AvailableBuffer())
		e.buf.Write(append(b, '\n'))
		return nil
	}
	if err := e.json.Encode(row); err != nil {
		return engine.Permanent(fmt.Errorf("render row %+v as JSON: %w", *row, err))
	}
	return nil
}
