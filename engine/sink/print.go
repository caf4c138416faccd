package sink

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Stdout prints rows to standard output, as Print does.
func Stdout[T any]() engine.Sink[T] { return Print[T](os.Stdout) }

// Print writes rows to w as JSON Lines as soon as they come. It never calls Write
// from two goroutines at once. It is at-least-once: after a restart rows may be
// printed again.
func Print[T any](w io.Writer) engine.Sink[T] { return &printer[T]{w: w, err: checkRows[T]()} }

type printer[T any] struct {
	mu  sync.Mutex // guards w, which the subtasks share
	w   io.Writer
	err error
}

// Validate refuses a T that JSON would lose values of.
func (p *printer[T]) Validate() error { return p.err }

func (p *printer[T]) Recover(context.Context, engine.Recovery) error { return engine.Permanent(p.err) }

func (p *printer[T]) Open(engine.SinkContext) (engine.Writer[T], error) {
	return &printWriter[T]{to: p, rows: newEncoder[T]()}, nil
}

type printWriter[T any] struct {
	statelessWriter
	to   *printer[T]
	rows *encoder[T]
}

func (w *printWriter[T]) Write(_ context.Context, batch []T) error {
	for i := range batch {
		if err := w.rows.encode(&batch[i]); err != nil {
			return err
		}
	}
	w.to.mu.Lock()
	defer w.to.mu.Unlock()
	_, err := w.rows.buf.WriteTo(w.to.w)
	if err != nil {
		return fmt.Errorf("print rows: %w", err)
	}
	return nil
}

// Discard drops every row.
func Discard[T any]() engine.Sink[T] { return discard[T]{} }

type discard[T any] struct{ stateless }

func (discard[T]) Open(engine.SinkContext) (engine.Writer[T], error) {
	return discardWriter[T]{}, nil
}

type discardWriter[T any] struct{ statelessWriter }

func (discardWriter[T]) Write(context.Context, []T) error { return nil }

// stateless is embedded by sinks that recover nothing, statelessWriter by writers
// that publish nothing.
type (
	stateless       struct{}
	statelessWriter struct{}
)

func (stateless) Recover(context.Context, engine.Recovery) error { return nil }

func (statelessWriter) Prepare(context.Context, checkpoint.ID) ([]byte, error) { return nil, nil }
func (statelessWriter) Publish(context.Context, [][]byte) error                { return nil }
func (statelessWriter) Close() error                                           { return nil }
