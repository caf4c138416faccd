package source

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source/internal/input"
)

// Lines reads text line by line, without the line's end ("\n" or "\r\n"), which
// the last line may lack. Empty lines are records. A line that is not UTF-8 is
// malformed. At most one Options may be
// given.
func Lines(pattern string, opts ...Options) engine.Source[string] {
	return lineSource("lines", pattern, opts, func(line []byte, v *string) (bool, error) {
		*v = string(line)
		return true, nil
	})
}

// parseLine decodes a line into v; not ok: the line is no record. line is valid
// during the call.
type parseLine[T any] func(line []byte, v *T) (ok bool, err error)

func lineSource[T any](format, pattern string, opts []Options, parse parseLine[T]) *input.Source[T] {
	o, err := oneOptions(opts)
	return &input.Source[T]{
		Format:      format,
		Patterns:    input.Patterns{pattern},
		OnMalformed: o.OnMalformed,
		Err:         err,
		Divide:      o.divideBytes,
		Records: func(s input.Split, c *input.Content) (input.Records[T], error) {
			return openLines(s, c, o.maxRecordBytes(), parse)
		},
	}
}

// oneOptions returns the options given to a source, or the zero Options.
func oneOptions(opts []Options) (Options, error) {
	if len(opts) == 0 {
		return Options{}, nil
	}
	if len(opts) > 1 {
		return Options{}, fmt.Errorf("%w: given %d times: give one", ErrOptions, len(opts))
	}
	return opts[0], opts[0].Validate()
}

// lines reads the lines whose first byte lies in a split.
type lines[T any] struct {
	split    input.Split
	r        *bufio.Reader
	position int64
	maxBytes int
	long     []byte // a line that exceeds r's buffer
	start    int64  // of the line that was read last
	last     []byte // this line, or its beginning if it is too long
	parse    parseLine[T]
}

const readBytes = 128 << 10

// byteOrderMark may start a file; UTF-8 gives it no meaning.
const byteOrderMark = "\xEF\xBB\xBF"

func openLines[T any](s input.Split, c *input.Content, maxBytes int, parse parseLine[T]) (*lines[T], error) {
	l := &lines[T]{split: s, position: s.Position, maxBytes: maxBytes, parse: parse}
	cut := !s.Started && s.Position > 0
	if cut { // the byte before tells whether a line begins here
		l.position--
	}
	r, err := input.Bytes(s, c, l.position)
	if err != nil {
		return nil, err
	}
	l.r = bufio.NewReaderSize(r, readBytes)
	if cut {
		err = l.skipLine()
	}
	return l, err
}

// skipLine reads past the end of the current line.
func (l *lines[T]) skipLine() error {
	for {
		b, err := l.r.ReadSlice('\n')
		l.position += int64(len(b))
		switch err {
		case bufio.ErrBufferFull:
			continue
		case io.EOF:
			return nil
		}
		return err
	}
}

func (l *lines[T]) Next(v *T) error {
	for l.position < l.split.End {
		line, err := l.line()
		if err != nil {
			return err
		}
		if !utf8.Valid(line) {
			return l.malformed(notUTF8(line))
		}
		ok, err := l.parse(line, v)
		if err != nil {
			return l.malformed(err)
		}
		if ok {
			return nil
		}
	}
	return io.EOF
}

func (l *lines[T]) malformed(err error) error {
	return &MalformedError{Path: l.split.File.Path, Offset: l.start, Err: err}
}

// notUTF8 says where text is not UTF-8.
func notUTF8(text []byte) error {
	at := 0
	for {
		r, n := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && n <= 1 {
			return fmt.Errorf("%w: byte %d of the text is %x: is it Latin-1? convert the file", ErrNotUTF8, at, text[at:min(at+1, len(text))])
		}
		at += n
	}
}

// line returns the next line, without its end.
func (l *lines[T]) line() ([]byte, error) {
	l.start = l.position
	b, err := l.r.ReadSlice('\n')
	l.position += int64(len(b))
	if err == bufio.ErrBufferFull {
		l.long = l.long[:0]
		for err == bufio.ErrBufferFull && len(l.long)+len(b) <= l.maxBytes {
			l.long = append(l.long, b...)
			b, err = l.r.ReadSlice('\n')
			l.position += int64(len(b))
		}
		if err != bufio.ErrBufferFull {
			l.long = append(l.long, b...)
			b = l.long
		}
	}
	tooLong := err == bufio.ErrBufferFull
	if tooLong { // its beginning is kept
		b = append(l.long, b[:max(0, min(len(b), l.maxBytes-len(l.long)))]...)
		err = l.skipLine()
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	if l.start == 0 {
		b = bytes.TrimPrefix(b, []byte(byteOrderMark))
	}
	if err == io.EOF && len(b) == 0 { // a byte order mark alone is no line either
		return nil, io.EOF
	}
	b = bytes.TrimSuffix(b, []byte{'\n'})
	b = bytes.TrimSuffix(b, []byte{'\r'})
	l.last = b
	if tooLong || len(b) > l.maxBytes {
		return nil, l.malformed(fmt.Errorf("%w: %d bytes, the most is %d: raise MaxRecordBytes if that is what the input is like", ErrTooLong, l.position-l.start, l.maxBytes))
	}
	return b, nil
}

func (l *lines[T]) Position() int64 { return l.position }

func (l *lines[T]) Start() int64 { return l.start }

func (l *lines[T]) Record() []byte { return l.last }

func (l *lines[T]) Close() error { return nil }
