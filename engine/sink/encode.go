package sink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/internal/jsontype"
	"github.com/tidemark/tidemark/engine/internal/optional"
)

// JSONAppender is implemented by rows that encode themselves as JSON, faster
// than encoding/json does.
type JSONAppender interface {
	// AppendJSON appends the row as one JSON value without a line's end.
	AppendJSON(dst []byte) []byte
}

// ErrLossy: JSON would not hold a row, or rows of its type, as they are.
var ErrLossy = jsontype.ErrLossy

// checkRows refuses row types that JSON would lose values of.
func checkRows[T any]() error {
	t := reflect.TypeFor[T]()
	if err := optional.Check[JSONAppender](reflect.PointerTo(t)); err != nil {
		return err
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[JSONAppender]()) {
		if inner := jsontype.Promoted(t, "AppendJSON"); inner != nil {
			return fmt.Errorf("%w: %v has the method AppendJSON of the embedded %v, which leaves out the other fields: give it one of its own", ErrLossy, t, inner)
		}
		return nil
	}
	return jsontype.Check(t, jsontype.Write)
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

// encode appends a row, or nothing and returns an error.
func (e *encoder[T]) encode(row *T) error {
	start := e.buf.Len()
	var err error
	if a, ok := any(row).(JSONAppender); ok {
		b := a.AppendJSON(e.buf.AvailableBuffer())
		e.buf.Write(append(b, '\n'))
	} else {
		err = e.json.Encode(row)
	}
	if err == nil {
		err = intact(e.buf.Bytes()[start:])
	}
	if err != nil {
		e.buf.Truncate(start)
		return engine.Permanent(fmt.Errorf("render row %+v as JSON: %w", *row, err))
	}
	return nil
}

var errNotUTF8 = errors.New("a string in it is not UTF-8, which JSON has to be: use a []byte, which becomes base64")

// intact refuses a line in which text was lost. encoding/json puts the escape
// \ufffd for a byte that is not UTF-8, and U+FFFD itself is written as it is.
func intact(line []byte) error {
	if !utf8.Valid(line) {
		return errNotUTF8
	}
	escape := []byte(`\ufffd`)
	for at := bytes.Index(line, escape); at >= 0; {
		before := line[:at]
		if (len(before)-len(bytes.TrimRight(before, `\`)))%2 == 0 {
			return errNotUTF8
		}
		next := bytes.Index(line[at+1:], escape)
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return nil
}
