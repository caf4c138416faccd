package input

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/sink"
)

// OnMalformed says what to do with a record that cannot be read.
type OnMalformed struct {
	skip, keep bool
	dir        string
}

// The policies for malformed records.
var (
	Refuse = OnMalformed{}
	Skip   = OnMalformed{skip: true}
)

// Quarantine is Skip, and keeps the records in a directory.
func Quarantine(dir string) OnMalformed { return OnMalformed{skip: true, keep: true, dir: dir} }

// Skips reports whether malformed records are left out.
func (o OnMalformed) Skips() bool { return o.skip }

// Keeps reports whether malformed records go to a quarantine.
func (o OnMalformed) Keeps() bool { return o.keep }

// Dir is the directory of the quarantine; empty: there is none.
func (o OnMalformed) Dir() string { return o.dir }

// String is the policy as it is given on the command line.
func (o OnMalformed) String() string {
	switch {
	case o.keep:
		return "quarantine:" + o.dir
	case o.skip:
		return "skip"
	}
	return "refuse"
}

// sink returns where malformed records go; nil: nowhere.
func (o OnMalformed) sink() engine.Sink[error] {
	if !o.keep {
		return nil
	}
	return quarantine{sink.JSONL[Quarantined](o.dir).(rows)}
}

// Quarantined is a malformed record as a quarantine keeps it, a line of JSON.
type Quarantined struct {
	File string `json:"file"`
	// Line and Offset are where its first byte lies: the line's number from 1, where
	// it is known, and the offset in uncompressed bytes.
	Line   int64  `json:"line,omitempty"`
	Offset *int64 `json:"offset,omitempty"`
	// Row is its number in formats without lines, from 0.
	Row *int64 `json:"row,omitempty"`
	// Rest: it stands for all that follows in its file, or row group.
	Rest   bool   `json:"rest,omitempty"`
	Reason string `json:"reason"`
	// Text is MalformedError.Record, or else, if that is not UTF-8, Bytes is.
	Text  string `json:"text,omitempty"`
	Bytes []byte `json:"bytes,omitempty"`
}

func quarantined(err error) Quarantined {
	var bad *MalformedError
	if !errors.As(err, &bad) {
		return Quarantined{Reason: valid(err.Error())}
	}
	q := Quarantined{File: valid(bad.Path), Line: bad.Line, Rest: bad.Rest, Reason: valid(fmt.Sprint(bad.Err))}
	if bad.Offset < 0 {
		q.Row = &bad.Row
	} else {
		q.Offset = &bad.Offset
	}
	if utf8.Valid(bad.Record) {
		q.Text = string(bad.Record)
	} else {
		q.Bytes = bad.Record
	}
	return q
}

// valid escapes what is not UTF-8, in the way of Go.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[0])
		} else {
			b.WriteRune(r)
		}
		s = s[n:]
	}
	return b.String()
}

// rows is what sink.JSONL returns.
type rows interface {
	engine.Sink[Quarantined]
	engine.Validator
	engine.Placed
}

// quarantine is a sink of JSON Lines for malformed records.
type quarantine struct{ rows }

// Validate implements engine.Validator.
func (q quarantine) Validate() error {
	if err := q.rows.Validate(); err != nil {
		return fmt.Errorf("quarantine of malformed records: %w", err)
	}
	return nil
}

func (q quarantine) Open(c engine.SinkContext) (engine.Writer[error], error) {
	w, err := q.rows.Open(c)
	return &quarantineWriter{Writer: w}, err
}

type quarantineWriter struct {
	engine.Writer[Quarantined]
	rows []Quarantined
}

func (w *quarantineWriter) Write(ctx context.Context, batch []error) error {
	w.rows = w.rows[:0]
	for _, err := range batch {
		w.rows = append(w.rows, quarantined(err))
	}
	return w.Writer.Write(ctx, w.rows)
}
