package upload

import (
	"context"
	"io"
	"iter"
	"strings"
)

// Prefixed returns a view of s: the objects whose names start with prefix and a
// slash, under the rest of their names. An empty prefix returns s.
func Prefixed(s Store, prefix string) Store {
	prefix = strings.Trim(prefix, "/")
	if prefix == "" {
		return s
	}
	return &prefixed{prefixedReader{s, prefix + "/"}, s}
}

// PrefixedReader is Prefixed of a Reader.
func PrefixedReader(r Reader, prefix string) Reader {
	prefix = strings.Trim(prefix, "/")
	if prefix == "" {
		return r
	}
	return &prefixedReader{r, prefix + "/"}
}

type prefixedReader struct {
	r      Reader
	prefix string
}

func (p *prefixedReader) String() string {
	return strings.TrimSuffix(p.r.String(), "/") + "/" + strings.TrimSuffix(p.prefix, "/")
}

// full returns the name with the prefix. The name must be legal by itself, since
// the prefix would hide an empty one.
func (p *prefixedReader) full(op, name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", &Error{Op: op, Store: p.String(), Name: name, Err: err}
	}
	return p.prefix + name, nil
}

func (p *prefixedReader) trim(i Info) Info {
	i.Name = strings.TrimPrefix(i.Name, p.prefix)
	return i
}

func (p *prefixedReader) Get(ctx context.Context, name string) (io.ReadCloser, Info, error) {
	full, err := p.full("get", name)
	if err != nil {
		return nil, Info{}, err
	}
	rc, info, err := p.r.Get(ctx, full)
	return rc, p.trim(info), err
}

func (p *prefixedReader) GetRange(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	full, err := p.full("get", name)
	if err != nil {
		return nil, err
	}
	return p.r.GetRange(ctx, full, offset, length)
}

func (p *prefixedReader) Head(ctx context.Context, name string) (Info, error) {
	full, err := p.full("head", name)
	if err != nil {
		return Info{}, err
	}
	info, err := p.r.Head(ctx, full)
	return p.trim(info), err
}

func (p *prefixedReader) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for info, err := range p.r.List(ctx, p.prefix+prefix) {
			if !yield(p.trim(info), err) {
				return
			}
		}
	}
}

type prefixed struct {
	prefixedReader
	s Store
}

func (p *prefixed) Put(ctx context.Context, name string, body Body, o PutOptions) (Info, error) {
	full, err := p.full("put", name)
	if err != nil {
		return Info{}, err
	}
	info, err := p.s.Put(ctx, full, body, o)
	return p.trim(info), err
}

func (p *prefixed) Delete(ctx context.Context, names ...string) error {
	full := make([]string, len(names))
	for i, name := range names {
		f, err := p.full("delete", name)
		if err != nil {
			return err
		}
		full[i] = f
	}
	return p.s.Delete(ctx, full...)
}

func (p *prefixed) Copy(ctx context.Context, src, dst string) error {
	from, err := p.full("copy", src)
	if err != nil {
		return err
	}
	to, err := p.full("copy", dst)
	if err != nil {
		return err
	}
	return p.s.Copy(ctx, from, to)
}

func (p *prefixed) Uploads(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for name, err := range p.s.Uploads(ctx, p.prefix+prefix) {
			if !yield(strings.TrimPrefix(name, p.prefix), err) {
				return
			}
		}
	}
}

func (p *prefixed) AbortUpload(ctx context.Context, name string) error {
	full, err := p.full("abort", name)
	if err != nil {
		return err
	}
	return p.s.AbortUpload(ctx, full)
}
