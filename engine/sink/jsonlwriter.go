package sink

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
)

// jsonlWriter writes one subtask's parts. Rows stay in the buffer until they are
// written, so a failed write is tried again at the same offset.
type jsonlWriter[T any] struct {
	dir       string
	partBytes int64
	rows      *encoder[T]
	file      *os.File // of next; nil: not begun
	next      part     // the part being written, and its bytes so far
	full      []part   // finished, and not prepared
	broken    error    // why written rows may be lost
}

// flushBytes is how many bytes of rows are buffered before they are written.
const flushBytes = 256 << 10

func (w *jsonlWriter[T]) Write(_ context.Context, batch []T) error {
	if w.broken != nil {
		return w.broken
	}
	for i := range batch {
		if err := w.rows.encode(&batch[i]); err != nil {
			return err
		}
		if w.rows.buf.Len() < flushBytes {
			continue
		}
		if err := w.flush(); err != nil {
			return err
		}
		if w.next.bytes >= w.partBytes {
			if err := w.finish(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush writes the rows to the part's file.
func (w *jsonlWriter[T]) flush() error {
	if w.rows.buf.Len() == 0 {
		return nil
	}
	if w.file == nil {
		path := filepath.Join(pendingDir(w.dir), w.next.tempName())
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return fmt.Errorf("begin output: %w", err)
		}
		w.file = f
	}
	if _, err := w.file.WriteAt(w.rows.buf.Bytes(), w.next.bytes); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	w.next.bytes += int64(w.rows.buf.Len())
	w.rows.buf.Reset()
	return nil
}

// finish makes the part durable and begins the next one.
func (w *jsonlWriter[T]) finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	if w.file == nil {
		return nil
	}
	if err := w.file.Sync(); err != nil {
		// After a failed sync the kernel may have dropped the pages: a second
		// sync could succeed without them.
		w.broken = fmt.Errorf("%w: sync output: %w", engine.ErrBroken, err)
		return w.broken
	}
	err := w.file.Close()
	w.file = nil
	w.full = append(w.full, w.next)
	w.next.number++
	w.next.bytes = 0
	if err != nil {
		w.broken = fmt.Errorf("%w: close output: %w", engine.ErrBroken, err)
	}
	return w.broken
}

func (w *jsonlWriter[T]) Prepare(_ context.Context, id checkpoint.ID) ([]byte, error) {
	if w.broken != nil {
		return nil, w.broken
	}
	if err := w.finish(); err != nil {
		return nil, err
	}
	if len(w.full) == 0 {
		return nil, nil
	}
	if err := syncDir(pendingDir(w.dir)); err != nil {
		return nil, err
	}
	for i := range w.full {
		w.full[i].checkpoint = id
	}
	pending := encodeParts(w.full)
	w.full = nil
	return pending, nil
}

func (w *jsonlWriter[T]) Publish(ctx context.Context, pending [][]byte) error {
	return publish(ctx, w.dir, w.next.writer, pending)
}

func (w *jsonlWriter[T]) Close() error {
	var errs []error
	if w.file != nil {
		errs = append(errs, w.file.Close(), os.Remove(w.file.Name()))
	}
	for _, p := range w.full {
		errs = append(errs, os.Remove(filepath.Join(pendingDir(w.dir), p.tempName())))
	}
	w.file, w.full = nil, nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("drop output that was not prepared: %w", err)
	}
	return nil
}
