package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/tidemark/tidemark/upload"
)

// Options of a Store.
type Options struct {
	// Create makes a missing root directory. Zero: Open fails with ErrNoBucket.
	Create bool
	// WithoutChecksums accepts a file system without extended attributes: objects
	// are served without verification there. Zero: Open fails with ErrUnsupported.
	WithoutChecksums bool
	// WithoutSync does not wait until bytes are on the disk. A power failure may
	// then lose objects; a crash of the process does not.
	WithoutSync bool
}

// Store is an upload.Store in a directory.
type Store struct {
	root string // absolute
	o    Options

	locks [stripes]sync.Mutex
}

var _ upload.Store = (*Store)(nil)

// Below the root; no object's name begins with a dot.
const (
	ownDir   = ".tidemark"
	tempDir  = ownDir + "/tmp"
	lockDir  = ownDir + "/locks"
	dirMode  = 0o777 // before umask
	fileMode = 0o666
)

// Open opens the store in the directory root. It removes the temporary files of
// processes that died.
func Open(root string, o Options) (*Store, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("open file store %s: %w", root, err)
	}
	s := &Store{root: abs, o: o}
	if err := s.prepare(); err != nil {
		return nil, s.fail("open", "", err)
	}
	return s, nil
}

func (s *Store) prepare() error {
	if s.o.Create {
		if err := s.mkdirAll(s.root); err != nil {
			return err
		}
	}
	info, err := os.Stat(s.root)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: create the directory", upload.ErrNoBucket)
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%w: it is not a directory", upload.ErrNoBucket)
	}
	for _, dir := range []string{tempDir, lockDir} {
		if err := s.mkdirAll(s.path(dir)); err != nil {
			return err
		}
	}
	if err := s.removeStale(); err != nil {
		return err
	}
	return s.checkAttributes()
}

// checkAttributes finds out whether the file system has extended attributes.
func (s *Store) checkAttributes() error {
	if s.o.WithoutChecksums {
		return nil
	}
	t, err := s.newTemp()
	if err != nil {
		return err
	}
	defer t.discard()
	err = setAttribute(t.File, attribute{version: newVersion()})
	if errors.Is(err, errNoAttributes) {
		return fmt.Errorf("%w: the file system has no extended attributes to keep checksums in; use another, or open the store with WithoutChecksums", upload.ErrUnsupported)
	}
	return err
}

// String implements upload.Reader.
func (s *Store) String() string { return "file://" + s.root }

func (s *Store) path(name string) string { return filepath.Join(s.root, filepath.FromSlash(name)) }

// fail wraps err with its sentinel.
func (s *Store) fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &upload.Error{Op: op, Store: s.String(), Name: name, Err: classify(err)}
}

func classify(err error) error {
	for _, known := range []error{upload.ErrNotExist, upload.ErrPrecondition, upload.ErrDenied, upload.ErrNoBucket,
		upload.ErrNoSpace, upload.ErrCorrupt, upload.ErrName, upload.ErrUnsupported} {
		if errors.Is(err, known) {
			return err
		}
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", upload.ErrNoSpace, err)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %w", upload.ErrDenied, err)
	}
	return err
}

func check(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return upload.CheckName(name)
}

// absent is the error for a missing file: no object, or no store any more.
func (s *Store) absent() error {
	if _, err := os.Stat(s.path(ownDir)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %s was removed or is not mounted", upload.ErrNoBucket, s.root)
		}
		return err
	}
	return upload.ErrNotExist
}

// remake makes a directory of the store's own that somebody removed: cleaners of
// temporary files remove what is empty or old. It makes no store where there is none any
// more.
func (s *Store) remake(dir string) error {
	entries, err := os.ReadDir(s.root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) == 0 {
		return s.absent()
	}
	return s.mkdirAll(s.path(dir))
}

// open opens an object's file and describes the object.
func (s *Store) open(name string) (*os.File, upload.Info, error) {
	f, err := os.Open(s.path(name))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, upload.Info{}, s.absent()
	case err != nil:
		return nil, upload.Info{}, err
	}
	info, err := fileInfo(f, name)
	if err != nil {
		return nil, upload.Info{}, errors.Join(err, f.Close())
	}
	return f, info, nil
}

func fileInfo(f *os.File, name string) (upload.Info, error) {
	stat, err := f.Stat()
	if err != nil {
		return upload.Info{}, err
	}
	if !stat.Mode().IsRegular() {
		return upload.Info{}, upload.ErrNotExist // a directory is the prefix of others
	}
	info := upload.Info{Name: name, Size: stat.Size(), Modified: stat.ModTime()}
	a, known, err := getAttribute(f)
	if err != nil {
		return upload.Info{}, err
	}
	if known {
		info.Size, info.Version, info.CRC32C, info.HasCRC32C = a.size, a.version, a.crc32c, true
		return info, nil
	}
	info.Version = foreignVersion(stat)
	return info, nil
}

// Get implements upload.Reader. A file whose length or bytes are not those that
// were put is ErrCorrupt.
func (s *Store) Get(ctx context.Context, name string) (io.ReadCloser, upload.Info, error) {
	if err := check(ctx, name); err != nil {
		return nil, upload.Info{}, s.fail("get", name, err)
	}
	f, info, err := s.open(name)
	if err != nil {
		return nil, upload.Info{}, s.fail("get", name, err)
	}
	var r io.ReadCloser = &contextFile{ctx, f}
	if info.HasCRC32C {
		r = upload.VerifyReader(r, info.Size, info.CRC32C)
	} else {
		r = upload.VerifyLength(r, info.Size)
	}
	return r, info, nil
}

// GetRange implements upload.Reader.
func (s *Store) GetRange(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	if err := check(ctx, name); err != nil {
		return nil, s.fail("get", name, err)
	}
	f, info, err := s.open(name)
	if err != nil {
		return nil, s.fail("get", name, err)
	}
	if offset < 0 || length < 0 || offset > info.Size || length > info.Size-offset {
		err := fmt.Errorf("%w: has %d bytes, not the %d from %d", upload.ErrCorrupt, info.Size, length, offset)
		return nil, s.fail("get", name, errors.Join(err, f.Close()))
	}
	r := &sectionFile{io.NewSectionReader(f, offset, length), &contextFile{ctx, f}}
	return upload.VerifyLength(r, length), nil
}

// contextFile is a file whose reads fail once the context has ended.
type contextFile struct {
	ctx context.Context
	*os.File
}

func (f *contextFile) Read(p []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

type sectionFile struct {
	section *io.SectionReader
	file    *contextFile
}

func (f *sectionFile) Read(p []byte) (int, error) {
	if err := f.file.ctx.Err(); err != nil {
		return 0, err
	}
	return f.section.Read(p)
}

func (f *sectionFile) Close() error { return f.file.Close() }

// Head implements upload.Reader.
func (s *Store) Head(ctx context.Context, name string) (upload.Info, error) {
	if err := check(ctx, name); err != nil {
		return upload.Info{}, s.fail("head", name, err)
	}
	f, info, err := s.open(name)
	if err == nil {
		err = f.Close()
	}
	return info, s.fail("head", name, err)
}
