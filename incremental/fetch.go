package incremental

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/upload"
)

// fetch is one ranged read: files that lie near one another in an object.
type fetch struct {
	object string
	offset int64
	length int64
	files  []File // by offset, without overlap
}

// Bounds of one fetch. Bytes between two files that nobody asked for are
// cheaper to read and drop than another request, up to a point.
const (
	maxGapBytes   = 256 << 10
	maxFetchBytes = 64 << 20  // unless one file is longer
	copyBytes     = 256 << 10 // at a time: in small pieces system calls are most of the work
)

// planFetches returns the reads that cover all files. Pure.
func planFetches(files []File) []fetch {
	files = slices.SortedFunc(slices.Values(files), func(a, b File) int {
		return cmp.Or(cmp.Compare(a.Ref.Object, b.Ref.Object), cmp.Compare(a.Ref.Offset, b.Ref.Offset), cmp.Compare(a.Name, b.Name))
	})
	var all []fetch
	for _, f := range files {
		end := f.Ref.Offset + f.Ref.Length
		if n := len(all); n > 0 && all[n-1].object == f.Ref.Object {
			last := &all[n-1]
			gap := f.Ref.Offset - (last.offset + last.length)
			if gap >= 0 && gap <= maxGapBytes && end-last.offset <= maxFetchBytes {
				last.length = end - last.offset
				last.files = append(last.files, f)
				continue
			}
		}
		all = append(all, fetch{f.Ref.Object, f.Ref.Offset, f.Ref.Length, []File{f}})
	}
	return all
}

// download writes the files of a handle into dir, which is empty, and compares
// each with its length and checksum (I10). The error is a *CorruptStateError
// where the store's bytes are wrong or gone, and wraps the cause otherwise.
func download(ctx context.Context, r upload.Reader, s slots, files []File, dir string) (err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(cap(s))
	for _, f := range planFetches(files) {
		g.Go(func() error {
			return s.do(gctx, func() error { return f.run(gctx, r, root) })
		})
	}
	return g.Wait()
}

// run reads the range and writes its files.
func (f fetch) run(ctx context.Context, r upload.Reader, root *os.Root) (err error) {
	body, err := r.GetRange(ctx, f.object, f.offset, f.length)
	if err != nil {
		return damaged(f.object, f.files[0].Name, err)
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	at, buf := f.offset, make([]byte, min(copyBytes, max(1, f.length)))
	for _, file := range f.files {
		if _, err := io.CopyN(io.Discard, body, file.Ref.Offset-at); err != nil {
			return damaged(f.object, file.Name, err)
		}
		if err := writeVerified(root, file, body, buf); err != nil {
			return err
		}
		at = file.Ref.Offset + file.Ref.Length
	}
	return nil
}

// writeVerified writes one file. It is not synced: local state does not outlive
// the process, and after a crash all of it is fetched anew.
func writeVerified(root *os.Root, file File, body io.Reader, buf []byte) (err error) {
	name, err := LocalName(file.Name)
	if err != nil {
		return err
	}
	w, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	sum := &summingWriter{w: w}
	n, err := io.CopyBuffer(sum, io.LimitReader(body, file.Ref.Length), buf)
	if err == nil && n < file.Ref.Length {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		if sum.err != nil {
			return sum.err
		}
		return damaged(file.Ref.Object, file.Name, err)
	}
	if sum.crc != file.Ref.CRC32C {
		return damaged(file.Ref.Object, file.Name, fmt.Errorf("%w: CRC32C is %08x, the handle says %08x", upload.ErrCorrupt, sum.crc, file.Ref.CRC32C))
	}
	return nil
}

// summingWriter sums what it passes on, and keeps the error of its writer apart
// from those of what is read.
type summingWriter struct {
	w   io.Writer
	crc uint32
	err error
}

func (s *summingWriter) Write(p []byte) (int, error) {
	s.crc = upload.ExtendCRC32C(s.crc, p)
	n, err := s.w.Write(p)
	if err != nil {
		s.err = err
	}
	return n, err
}

// damaged makes a *CorruptStateError of a failed read where the bytes are wrong
// or gone for good. Other failures may pass, and are no damage.
func damaged(object, file string, err error) error {
	if errors.Is(err, upload.ErrCorrupt) || errors.Is(err, upload.ErrNotExist) {
		return &CorruptStateError{Object: object, File: file, Err: err}
	}
	return fmt.Errorf("read %s of %s: %w", file, object, err)
}
