package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tidemark/tidemark/upload"
)

// Put implements upload.Store.
func (s *Store) Put(ctx context.Context, name string, body upload.Body, o upload.PutOptions) (upload.Info, error) {
	info, err := s.put(ctx, name, body, o)
	return info, s.fail("put", name, err)
}

func (s *Store) put(ctx context.Context, name string, body upload.Body, o upload.PutOptions) (upload.Info, error) {
	if err := check(ctx, name); err != nil {
		return upload.Info{}, err
	}
	t, err := s.newTemp()
	if err != nil {
		return upload.Info{}, err
	}
	defer t.discard()
	if err := fill(ctx, t, body); err != nil {
		return upload.Info{}, err
	}
	a := attribute{crc32c: body.CRC32C, size: body.Size, version: newVersion()}
	if err := setAttribute(t.File, a); err != nil && !(s.o.WithoutChecksums && errors.Is(err, errNoAttributes)) {
		return upload.Info{}, err
	}
	if !s.o.WithoutSync {
		if err := t.Sync(); err != nil {
			return upload.Info{}, err
		}
	}
	unlock, err := s.lock(ctx, name)
	if err != nil {
		return upload.Info{}, err
	}
	defer unlock()
	if err := s.allows(name, o); err != nil {
		return upload.Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return upload.Info{}, err
	}
	if err := s.rename(t.Name(), s.path(name)); err != nil {
		return upload.Info{}, err
	}
	if err := s.syncDir(filepath.Dir(s.path(name))); err != nil {
		return upload.Info{}, inPlace(err)
	}
	info, err := fileInfo(t.File, name)
	if err != nil {
		return upload.Info{}, inPlace(err)
	}
	return info, nil
}

// inPlace is the error of a Put whose object is in its place. It wraps nothing:
// a reason such as upload.ErrDenied would say that nothing was written.
func inPlace(err error) error {
	return errors.New("the object is in its place, but may not survive a loss of power: " + err.Error())
}

func fill(ctx context.Context, w io.Writer, body upload.Body) (err error) {
	r, err := body.OpenVerified()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(buf)
		if _, werr := w.Write(buf[:n]); werr != nil {
			return werr
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// allows checks the conditions of a Put. The caller holds the lock of the name.
func (s *Store) allows(name string, o upload.PutOptions) error {
	if !o.IfAbsent && o.IfMatch == "" {
		return nil
	}
	f, info, err := s.open(name)
	if errors.Is(err, upload.ErrNotExist) {
		if o.IfMatch != "" {
			return fmt.Errorf("%w: it does not exist", upload.ErrPrecondition)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if o.IfAbsent {
		return fmt.Errorf("%w: it exists already", upload.ErrPrecondition)
	}
	if info.Version != o.IfMatch {
		return fmt.Errorf("%w: it has version %s, not %s", upload.ErrPrecondition, info.Version, o.IfMatch)
	}
	return nil
}

// rename moves a file to its place and makes the directories above it, without
// syncing the directory that it is in. It tries
// again, since a Delete may remove a directory that just became empty.
func (s *Store) rename(from, to string) error {
	for range 100 {
		err := s.mkdirAll(filepath.Dir(to))
		if err == nil {
			err = os.Rename(from, to)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("a name cannot be both an object and a prefix of others: %w", err)
		}
		return err
	}
	return fmt.Errorf("directories vanish as soon as they are made: is another program deleting below %s?", s.root)
}

// mkdirAll makes dir and the missing directories above it, durably. It does not
// make the root.
func (s *Store) mkdirAll(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	err := os.Mkdir(dir, dirMode)
	if errors.Is(err, fs.ErrNotExist) {
		if dir == s.root && !s.o.Create {
			return s.absent()
		}
		if err := s.mkdirAll(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, dirMode)
	}
	if errors.Is(err, fs.ErrExist) {
		if info, serr := os.Stat(dir); serr == nil && !info.IsDir() {
			return fmt.Errorf("%s is an object and cannot be a prefix too: %w", dir, syscall.ENOTDIR)
		}
		return nil
	}
	if err != nil {
		return err
	}
	return s.syncDir(filepath.Dir(dir))
}

func (s *Store) syncDir(dir string) (err error) {
	if s.o.WithoutSync {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}

// Delete implements upload.Store. It removes directories that become empty.
func (s *Store) Delete(ctx context.Context, names ...string) error {
	var errs []error
	dirs := map[string]bool{}
	for _, name := range names {
		if err := s.remove(ctx, name); err != nil {
			errs = append(errs, s.fail("delete", name, err))
			continue
		}
		dirs[filepath.Dir(s.path(name))] = true
	}
	for dir := range dirs {
		if err := s.settle(dir); err != nil {
			errs = append(errs, s.fail("delete", "", err))
		}
	}
	return errors.Join(errs...)
}

func (s *Store) remove(ctx context.Context, name string) error {
	if err := check(ctx, name); err != nil {
		return err
	}
	unlock, err := s.lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	path := s.path(name)
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return nil // a prefix, not an object
	}
	err = os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		if err := s.absent(); !errors.Is(err, upload.ErrNotExist) {
			return err
		}
		return nil
	}
	return err
}

// settle makes the removals from dir durable, and removes dir and the directories
// above it as far as they are empty. A power failure may bring back an empty
// directory, which listings ignore.
func (s *Store) settle(dir string) error {
	if err := s.syncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for ; len(dir) > len(s.root); dir = filepath.Dir(dir) {
		if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil // not empty, or not ours to remove
		}
	}
	return nil
}

// Copy implements upload.Store. The copy has bytes of its own.
func (s *Store) Copy(ctx context.Context, src, dst string) error {
	if err := check(ctx, src); err != nil {
		return s.fail("copy", src, err)
	}
	f, info, err := s.open(src)
	if err != nil {
		return s.fail("copy", src, err)
	}
	if err := f.Close(); err != nil {
		return s.fail("copy", src, err)
	}
	body := upload.BodyFromSections(upload.Section{Path: s.path(src), Length: info.Size, CRC32C: info.CRC32C})
	if !info.HasCRC32C {
		if body, err = upload.BodyFromFile(ctx, s.path(src)); err != nil {
			return s.fail("copy", src, err)
		}
	}
	_, err = s.put(ctx, dst, body, upload.PutOptions{})
	return s.fail("copy", dst, err)
}

// Uploads implements upload.Store: there are none.
func (s *Store) Uploads(context.Context, string) iter.Seq2[string, error] {
	return func(func(string, error) bool) {}
}

// AbortUpload implements upload.Store.
func (s *Store) AbortUpload(context.Context, string) error { return nil }
