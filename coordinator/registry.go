package coordinator

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/incremental"
)

// registry knows who keeps an object. References are sets, not counters:
// registering or unregistering twice changes nothing, and a dump explains
// itself.
type registry struct {
	keepers map[string]map[string]struct{} // object → who keeps it
	kept    map[string][]string            // keeper → what it keeps, sorted
}

func newRegistry() *registry {
	return &registry{keepers: map[string]map[string]struct{}{}, kept: map[string][]string{}}
}

// has reports whether a keeper is registered.
func (r *registry) has(keeper string) bool {
	_, ok := r.kept[keeper]
	return ok
}

// register adds a keeper of objects. What a keeper keeps never changes: a
// second registration of the same does nothing, and one that differs is an
// error and changes nothing (I7).
func (r *registry) register(keeper string, objects []string) error {
	objects = slices.Compact(slices.Sorted(slices.Values(objects)))
	if was, ok := r.kept[keeper]; ok {
		if !slices.Equal(was, objects) {
			return fmt.Errorf("register %s: it kept %d objects, and now others", keeper, len(was))
		}
		return nil
	}
	r.kept[keeper] = objects
	for _, o := range objects {
		if r.keepers[o] == nil {
			r.keepers[o] = map[string]struct{}{}
		}
		r.keepers[o][keeper] = struct{}{}
	}
	return nil
}

// unregister takes a keeper away and returns, sorted, the objects that nobody
// keeps any more. A keeper that is not there kept nothing.
func (r *registry) unregister(keeper string) []string {
	var free []string
	for _, o := range r.kept[keeper] {
		delete(r.keepers[o], keeper)
		if len(r.keepers[o]) == 0 {
			delete(r.keepers, o)
			free = append(free, o)
		}
	}
	delete(r.kept, keeper)
	return free
}

// keptBy lists who keeps an object, sorted.
func (r *registry) keptBy(object string) []string {
	return slices.Sorted(maps.Keys(r.keepers[object]))
}

// objects lists all that is kept, sorted.
func (r *registry) objects() []string { return slices.Sorted(maps.Keys(r.keepers)) }

// dump renders one line an object: its name and who keeps it.
func (r *registry) dump() string {
	var b strings.Builder
	for _, o := range r.objects() {
		fmt.Fprintf(&b, "%s kept by %s\n", o, strings.Join(r.keptBy(o), ", "))
	}
	return b.String()
}

// reach lists what a checkpoint reaches by its manifest, the manifest included.
func reach(m *incremental.Manifest) []string {
	names := slices.AppendSeq([]string{incremental.ManifestName(m.Checkpoint, m.Epoch)}, maps.Keys(m.Objects()))
	slices.Sort(names)
	return names
}
