package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Transfers move many objects at once. The zero value is ready to use.
type Transfers struct {
	// Parallel bounds the requests on their way at once, in each call. Zero: 4.
	Parallel int
	// RunBytes bounds how much one request downloads where files lie side by
	// side in an object. Zero: 32 MiB.
	RunBytes int64
}

func (t Transfers) withDefaults() Transfers {
	if t.Parallel <= 0 {
		t.Parallel = 4
	}
	if t.RunBytes <= 0 {
		t.RunBytes = 32 << 20
	}
	return t
}

// Outgoing is an object to upload.
type Outgoing struct {
	Name    string
	Body    Body
	Options PutOptions
}

// Upload puts all objects, and returns what the store says of each, in order.
// The first failure ends it: others may have been put, and those that are known
// to be have a Name in the result.
func (t Transfers) Upload(ctx context.Context, s Store, objects []Outgoing) ([]Info, error) {
	infos := make([]Info, len(objects))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(t.withDefaults().Parallel)
	for i, o := range objects {
		g.Go(func() error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			info, err := s.Put(ctx, o.Name, o.Body, o.Options)
			infos[i] = info
			return err
		})
	}
	return infos, g.Wait()
}

// Incoming is a piece of an object to download into a file.
type Incoming struct {
	Object string
	Offset int64
	Length int64
	CRC32C uint32 // of the piece
	// Path is the file to make. It must not exist; its directory must.
	Path string
}

// Download makes all files, each of exactly the bytes that its checksum and
// length state. A piece of another length or content is ErrCorrupt. The first
// failure ends it: files that are not whole are removed, others stay. Files are
// not synced: what was downloaded can be downloaded again.
func (t Transfers) Download(ctx context.Context, r Reader, files []Incoming) error {
	t = t.withDefaults()
	for _, f := range files {
		if f.Offset < 0 || f.Length < 0 || f.Path == "" {
			return &Error{Op: "get", Store: r.String(), Name: f.Object,
				Err: fmt.Errorf("%w: no piece of %d bytes from %d for file %q", ErrCorrupt, f.Length, f.Offset, f.Path)}
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(t.Parallel)
	for _, run := range runs(files, t.RunBytes) {
		g.Go(func() error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			return download(ctx, r, run)
		})
	}
	return g.Wait()
}

// runs groups files into those that one request downloads: neighbours in one
// object, of at most limit bytes together unless one alone has more.
func runs(files []Incoming, limit int64) [][]Incoming {
	sorted := slices.Clone(files)
	slices.SortStableFunc(sorted, func(a, b Incoming) int {
		if c := strings.Compare(a.Object, b.Object); c != 0 {
			return c
		}
		switch {
		case a.Offset != b.Offset && a.Offset < b.Offset:
			return -1
		case a.Offset != b.Offset:
			return 1
		case a.Length < b.Length: // an empty piece goes before its neighbour
			return -1
		case a.Length > b.Length:
			return 1
		}
		return 0
	})
	var result [][]Incoming
	var bytes int64
	for i, f := range sorted {
		if i > 0 {
			last := sorted[i-1]
			if last.Object == f.Object && last.Offset+last.Length == f.Offset && bytes+f.Length <= limit {
				n := len(result) - 1
				result[n] = append(result[n], f)
				bytes += f.Length
				continue
			}
		}
		result = append(result, []Incoming{f})
		bytes = f.Length
	}
	return result
}

// download reads a run, which is not empty, and makes its files.
func download(ctx context.Context, r Reader, run []Incoming) (err error) {
	first, last := run[0], run[len(run)-1]
	fail := func(err error) error {
		var e *Error
		if errors.As(err, &e) {
			return err
		}
		return &Error{Op: "get", Store: r.String(), Name: first.Object, Err: err}
	}
	body, err := r.GetRange(ctx, first.Object, first.Offset, last.Offset+last.Length-first.Offset)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := body.Close(); err == nil && cerr != nil {
			err = fail(cerr)
		}
	}()
	buf := make([]byte, 128<<10)
	for _, f := range run {
		if err := save(body, f, buf); err != nil {
			return fail(fmt.Errorf("%d bytes from %d, for %s: %w", f.Length, f.Offset, filepath.Base(f.Path), err))
		}
	}
	return nil
}

// save writes the next bytes of body to the file, and removes it unless they
// are what f states.
func save(body io.Reader, f Incoming, buf []byte) (err error) {
	file, err := os.OpenFile(f.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return localError(err)
	}
	defer func() {
		if cerr := file.Close(); err == nil && cerr != nil {
			err = localError(cerr)
		}
		if err != nil {
			if rerr := os.Remove(f.Path); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
				err = errors.Join(err, rerr)
			}
		}
	}()
	var crc uint32
	for left := f.Length; left > 0; {
		n, err := body.Read(buf[:min(int64(len(buf)), left)])
		left -= int64(n)
		crc = ExtendCRC32C(crc, buf[:n])
		if _, werr := file.Write(buf[:n]); werr != nil {
			return localError(werr)
		}
		if err == io.EOF && left > 0 {
			return fmt.Errorf("%w: ends %d bytes too early", ErrCorrupt, left)
		}
		if err != nil && err != io.EOF {
			return err
		}
	}
	if crc != f.CRC32C {
		return fmt.Errorf("%w: checksum %08x, not %08x", ErrCorrupt, crc, f.CRC32C)
	}
	return nil
}
