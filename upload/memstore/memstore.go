// Package memstore answers: how do tests keep objects without a disk or a
// network?
//
// # Invariants
//
//   - Every operation is atomic and visible to all at once.
//   - A version is never used twice, not even for the same content.
//   - Get verifies the checksum of what was put, so that Damage is found (I10).
package memstore

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidemark/tidemark/upload"
)

// Store is an upload.Store in memory. The zero value is not usable; see New.
type Store struct {
	url string

	mu      sync.RWMutex
	objects map[string]object
	version uint64
	keeps   bool              // versions
	old     map[string][]past // versions below the current object, the newest last
}

var _ upload.Store = (*Store)(nil)

type object struct {
	content []byte // never changed in place
	info    upload.Info
}

// New returns an empty store.
func New() *Store { return Named("memory") }

// Named returns an empty store whose URL is mem://name.
func Named(name string) *Store {
	return &Store{url: "mem://" + name, objects: map[string]object{}}
}

// String implements upload.Reader.
func (s *Store) String() string { return s.url }

func (s *Store) fail(op, name string, err error) error {
	return &upload.Error{Op: op, Store: s.url, Name: name, Err: err}
}

// check returns why an operation on name cannot begin.
func (s *Store) check(ctx context.Context, op, name string) error {
	err := ctx.Err()
	if err == nil {
		err = upload.CheckName(name)
	}
	if err != nil {
		return s.fail(op, name, err)
	}
	return nil
}

func (s *Store) object(ctx context.Context, op, name string) (object, error) {
	if err := s.check(ctx, op, name); err != nil {
		return object{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, ok := s.objects[name]
	if !ok {
		return object{}, s.fail(op, name, upload.ErrNotExist)
	}
	return o, nil
}

// Get implements upload.Reader.
func (s *Store) Get(ctx context.Context, name string) (io.ReadCloser, upload.Info, error) {
	o, err := s.object(ctx, "get", name)
	if err != nil {
		return nil, upload.Info{}, err
	}
	r := upload.VerifyReader(reader(ctx, o.content), o.info.Size, o.info.CRC32C)
	return r, o.info, nil
}

// GetRange implements upload.Reader.
func (s *Store) GetRange(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	o, err := s.object(ctx, "get", name)
	if err != nil {
		return nil, err
	}
	if offset < 0 || length < 0 || offset > int64(len(o.content)) || length > int64(len(o.content))-offset {
		return nil, s.fail("get", name, fmt.Errorf("%w: has %d bytes, not the %d from %d",
			upload.ErrCorrupt, len(o.content), length, offset))
	}
	return reader(ctx, o.content[offset:offset+length]), nil
}

func reader(ctx context.Context, b []byte) io.ReadCloser {
	return &contextReader{ctx, bytes.NewReader(b)}
}

// contextReader fails once its context has ended, as a network's reader does.
type contextReader struct {
	ctx context.Context
	r   *bytes.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

func (r *contextReader) Close() error { return nil }

// Head implements upload.Reader.
func (s *Store) Head(ctx context.Context, name string) (upload.Info, error) {
	o, err := s.object(ctx, "head", name)
	return o.info, err
}

// List implements upload.Reader. It yields the objects as of one moment.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[upload.Info, error] {
	return func(yield func(upload.Info, error) bool) {
		s.mu.RLock()
		var infos []upload.Info
		for name, o := range s.objects {
			if strings.HasPrefix(name, prefix) {
				info := o.info
				info.CRC32C, info.HasCRC32C = 0, false
				infos = append(infos, info)
			}
		}
		s.mu.RUnlock()
		slices.SortFunc(infos, func(a, b upload.Info) int { return strings.Compare(a.Name, b.Name) })
		for _, info := range infos {
			if err := ctx.Err(); err != nil {
				yield(upload.Info{}, s.fail("list", prefix, err))
				return
			}
			if !yield(info, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(upload.Info{}, s.fail("list", prefix, err))
		}
	}
}

// Put implements upload.Store.
func (s *Store) Put(ctx context.Context, name string, body upload.Body, o upload.PutOptions) (upload.Info, error) {
	if err := s.check(ctx, "put", name); err != nil {
		return upload.Info{}, err
	}
	content, err := read(body)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return upload.Info{}, s.fail("put", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, exists := s.objects[name]
	switch {
	case o.IfAbsent && exists:
		err = fmt.Errorf("%w: it exists already", upload.ErrPrecondition)
	case o.IfMatch != "" && !exists:
		err = fmt.Errorf("%w: it does not exist", upload.ErrPrecondition)
	case o.IfMatch != "" && old.info.Version != o.IfMatch:
		err = fmt.Errorf("%w: it has version %s, not %s", upload.ErrPrecondition, old.info.Version, o.IfMatch)
	}
	if err != nil {
		return upload.Info{}, s.fail("put", name, err)
	}
	return s.store(name, content, body.CRC32C), nil
}

func read(body upload.Body) ([]byte, error) {
	r, err := body.OpenVerified()
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	return content, err
}

// store needs mu.
func (s *Store) store(name string, content []byte, crc uint32) upload.Info {
	s.retire(name)
	s.version++
	info := upload.Info{
		Name: name, Size: int64(len(content)), Version: fmt.Sprintf("v%d", s.version), Modified: time.Now(),
		CRC32C: crc, HasCRC32C: true,
	}
	s.objects[name] = object{content, info}
	return info
}

// Delete implements upload.Store.
func (s *Store) Delete(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := s.check(ctx, "delete", name); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		s.retire(name)
		delete(s.objects, name)
		s.mark(name)
	}
	return nil
}

// Copy implements upload.Store.
func (s *Store) Copy(ctx context.Context, src, dst string) error {
	o, err := s.object(ctx, "copy", src)
	if err != nil {
		return err
	}
	if err := s.check(ctx, "copy", dst); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store(dst, o.content, o.info.CRC32C)
	return nil
}

// Uploads implements upload.Store: there are none.
func (s *Store) Uploads(context.Context, string) iter.Seq2[string, error] {
	return func(func(string, error) bool) {}
}

// AbortUpload implements upload.Store.
func (s *Store) AbortUpload(context.Context, string) error { return nil }

// Names returns the names of all objects, sorted.
func (s *Store) Names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.objects))
}

// Damage replaces the content of an object by change(a copy of it). Size, checksum
// and version stay as they were. It returns false if there is no such object.
func (s *Store) Damage(name string, change func([]byte) []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[name]
	if ok {
		o.content = change(slices.Clone(o.content))
		s.objects[name] = o
	}
	return ok
}
