package memstore

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/upload"
)

var _ upload.Versioned = (*Store)(nil)

// past is a version that is not current, or a current delete marker.
type past struct {
	object
	marker bool
}

// KeepVersions makes the store keep, from now on, what is overwritten or deleted, as a
// bucket with versions does.
func (s *Store) KeepVersions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keeps, s.old = true, map[string][]past{}
}

// retire keeps the current version of a name, which is about to be replaced. It needs mu.
func (s *Store) retire(name string) {
	if o, ok := s.objects[name]; ok && s.keeps {
		s.old[name] = append(s.old[name], past{o, false})
	}
}

// mark puts a delete marker on a name. It needs mu.
func (s *Store) mark(name string) {
	if s.keeps {
		s.version++
		info := upload.Info{Name: name, Version: fmt.Sprintf("v%d", s.version), Modified: time.Now()}
		s.old[name] = append(s.old[name], past{object{info: info}, true})
	}
}

// Versions implements upload.Versioned. It yields the versions as of one moment.
func (s *Store) Versions(ctx context.Context, prefix string) iter.Seq2[upload.Version, error] {
	return func(yield func(upload.Version, error) bool) {
		for _, v := range s.versions(prefix) {
			if err := ctx.Err(); err != nil {
				yield(upload.Version{}, s.fail("versions", prefix, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(upload.Version{}, s.fail("versions", prefix, err))
		}
	}
}

func (s *Store) versions(prefix string) (all []upload.Version) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	names := map[string]bool{}
	for name := range s.objects {
		names[name] = true
	}
	for name := range s.old {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		o, there := s.objects[name]
		add := func(i upload.Info, current, marker bool) {
			all = append(all, upload.Version{Name: name, ID: i.Version, Size: i.Size, Modified: i.Modified, Current: current, Marker: marker})
		}
		if there {
			add(o.info, true, false)
		}
		for i, p := range slices.Backward(s.old[name]) {
			add(p.info, !there && i == len(s.old[name])-1, p.marker)
		}
	}
	return all
}

// DeleteVersions implements upload.Versioned.
func (s *Store) DeleteVersions(ctx context.Context, versions ...upload.Version) error {
	for _, v := range versions {
		if err := s.check(ctx, "delete", v.Name); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range versions {
		if s.objects[v.Name].info.Version == v.ID {
			delete(s.objects, v.Name)
		}
		old := slices.DeleteFunc(slices.Clone(s.old[v.Name]), func(p past) bool { return p.info.Version == v.ID })
		if _, there := s.objects[v.Name]; !there && len(old) > 0 && !old[len(old)-1].marker {
			s.objects[v.Name] = old[len(old)-1].object
			old = old[:len(old)-1]
		}
		if len(old) == 0 {
			delete(s.old, v.Name)
		} else {
			s.old[v.Name] = old
		}
	}
	return nil
}
