package upload

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"
)

// Version is one version of an object, in a store that keeps what is overwritten or
// deleted.
type Version struct {
	Name     string
	ID       string // among the versions of the name
	Size     int64
	Modified time.Time // when it was made, by the store's clock
	Current  bool      // it is what a Get of the name finds
	Marker   bool      // a delete marker: a Get finds nothing
}

// Versioned is a Store that may keep versions. Decorators pass it on; one of a store that
// keeps none yields none.
type Versioned interface {
	Store
	// Versions yields the versions of the objects whose names start with prefix, sorted
	// by name, of each name the newest first. It ends at the first error.
	Versions(ctx context.Context, prefix string) iter.Seq2[Version, error]
	// DeleteVersions removes versions for good, by name and ID. One that is absent is no
	// error. Removing a current version makes the one below it current. If some could
	// not be removed, the error joins an *Error for each.
	DeleteVersions(ctx context.Context, versions ...Version) error
}

// versionsOf yields the versions of a store, none if it keeps none.
func versionsOf(ctx context.Context, s Store, prefix string) iter.Seq2[Version, error] {
	if v, ok := s.(Versioned); ok {
		return v.Versions(ctx, prefix)
	}
	return func(func(Version, error) bool) {}
}

func deleteVersions(ctx context.Context, s Store, versions []Version) error {
	if v, ok := s.(Versioned); ok {
		return v.DeleteVersions(ctx, versions...)
	}
	if len(versions) == 0 {
		return nil
	}
	return &Error{Op: "delete", Store: s.String(), Name: versions[0].Name, Err: fmt.Errorf("%w: it keeps no versions", ErrUnsupported)}
}

func (p *prefixed) Versions(ctx context.Context, prefix string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		for v, err := range versionsOf(ctx, p.s, p.prefix+prefix) {
			v.Name = strings.TrimPrefix(v.Name, p.prefix)
			if !yield(v, err) {
				return
			}
		}
	}
}

func (p *prefixed) DeleteVersions(ctx context.Context, versions ...Version) error {
	full := make([]Version, len(versions))
	for i, v := range versions {
		name, err := p.full("delete", v.Name)
		if err != nil {
			return err
		}
		full[i] = v
		full[i].Name = name
	}
	return deleteVersions(ctx, p.s, full)
}

func (c *counting) Versions(ctx context.Context, prefix string) iter.Seq2[Version, error] {
	return counted(&c.c.Versions, versionsOf(ctx, c.s, prefix))
}

func (c *counting) DeleteVersions(ctx context.Context, versions ...Version) error {
	err := deleteVersions(ctx, c.s, versions)
	c.c.Delete.count(err)
	return err
}

func (r *retrying) Versions(ctx context.Context, prefix string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		t := r.tries("versions", prefix)
		var last Version // that was yielded
		for {
			var failed error
			passed := last.Name == ""
			for v, err := range versionsOf(ctx, r.s, prefix) {
				if err != nil {
					failed = err
					break
				}
				if !passed && v.Name <= last.Name {
					passed = v.Name == last.Name && v.ID == last.ID
					continue // yielded by an earlier try
				}
				last, passed = v, true
				if !yield(v, nil) {
					return
				}
			}
			if failed == nil {
				return
			}
			if err := t.again(ctx, failed); err != nil {
				yield(Version{}, err)
				return
			}
		}
	}
}

func (r *retrying) DeleteVersions(ctx context.Context, versions ...Version) error {
	first := ""
	if len(versions) > 0 {
		first = versions[0].Name
	}
	return r.do(ctx, "delete", first, func() error { return deleteVersions(ctx, r.s, versions) })
}
