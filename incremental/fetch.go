package incremental

import (
	"cmp"
	"context"
	"encoding/binary"
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
	copyBytes     = 256 << 10 // at a time, whole chunks: in small pieces system calls are most of the work
)

// planFetches returns the reads that cover all files. Pure.
func planFetches(files []File) []fetch {
	files = slices.SortedFunc(slices.Values(files), func(a, b File) int {
		return cmp.Or(cmp.Compare(a.Ref.Object, b.Ref.Object), cmp.Compare(a.Ref.Offset, b.Ref.Offset), cmp.Compare(a.Name, b.Name))
	})
	var all []fetch
	for _, f := range files {
		start, end := f.Ref.Offset-f.Ref.sumsBytes(), f.Ref.Offset+f.Ref.Length
		if n := len(all); n > 0 && all[n-1].object == f.Ref.Object {
			last := &all[n-1]
			gap := start - (last.offset + last.length)
			if gap >= 0 && gap <= maxGapBytes && end-last.offset <= maxFetchBytes {
				last.length = end - last.offset
				last.files = append(last.files, f)
				continue
			}
		}
		all = append(all, fetch{f.Ref.Object, start, end - start, []File{f}})
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
	at, buf := f.offset, make([]byte, copyBytes)
	for _, file := range f.files {
		sums := make([]byte, file.Ref.sumsBytes())
		if _, err := io.CopyN(io.Discard, body, file.Ref.Offset-int64(len(sums))-at); err != nil {
			return damaged(f.object, file.Name, err)
		}
		if _, err := io.ReadFull(body, sums); err != nil {
			return damaged(f.object, file.Name, err)
		}
		if err := writeVerified(root, file, sums, body, buf); err != nil {
			return err
		}
		at = file.Ref.Offset + file.Ref.Length
	}
	return nil
}

// writeVerified writes one file, and compares each chunk with its sum before it
// is written. It is not synced: local state does not outlive the process, and
// after a crash all of it is fetched anew.
func writeVerified(root *os.Root, file File, sums []byte, body io.Reader, buf []byte) (err error) {
	name, err := LocalName(file.Name)
	if err != nil {
		return err
	}
	if len(sums) > 0 {
		if err := compare(file, "chunk sums", upload.CRC32C(sums), file.Ref.ChunksCRC32C); err != nil {
			return err
		}
	}
	w, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	whole := uint32(0)
	for at := int64(0); at < file.Ref.Length; {
		piece := buf[:min(int64(len(buf))/ChunkBytes*ChunkBytes, file.Ref.Length-at)]
		if _, err := io.ReadFull(body, piece); err != nil {
			return damaged(file.Ref.Object, file.Name, err)
		}
		for i := 0; i < len(piece) && len(sums) > 0; i, sums = i+ChunkBytes, sums[4:] {
			chunk := piece[i:min(i+ChunkBytes, len(piece))]
			what := fmt.Sprintf("%d bytes at %d", len(chunk), at+int64(i))
			if err := compare(file, what, upload.CRC32C(chunk), binary.BigEndian.Uint32(sums)); err != nil {
				return err
			}
		}
		whole = upload.ExtendCRC32C(whole, piece)
		if _, err := w.Write(piece); err != nil {
			return err
		}
		at += int64(len(piece))
	}
	return compare(file, "all of it", whole, file.Ref.CRC32C)
}

// compare returns a *CorruptStateError where a checksum is not as it should be.
func compare(file File, what string, is, want uint32) error {
	if is == want {
		return nil
	}
	return damaged(file.Ref.Object, file.Name, fmt.Errorf("%w: CRC32C of %s is %08x, want %08x", upload.ErrCorrupt, what, is, want))
}

// damaged makes a *CorruptStateError of a failed read where the bytes are wrong
// or gone for good. Other failures may pass, and are no damage.
func damaged(object, file string, err error) error {
	if errors.Is(err, upload.ErrCorrupt) || errors.Is(err, upload.ErrNotExist) {
		return &CorruptStateError{Object: object, File: file, Err: err}
	}
	return fmt.Errorf("read %s of %s: %w", file, object, err)
}
