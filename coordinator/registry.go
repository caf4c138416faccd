package coordinator

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/tidemark/tidemark/incremental"
)

// registry knows which checkpoints keep an object. References are sets, not
// counters: registering or unregistering twice changes nothing.
//
// A job that retains 1,000 checkpoints of 100,000 objects has a hundred million
// references. But an object is kept by a run of successive checkpoints, from
// the one that uploaded it to the last one before compaction dropped it. So
// checkpoints are numbered in the order of their registration, and an object
// has the first and the last number of its run. What that takes depends on how
// many objects there are, not on how many checkpoints.
type registry struct {
	numbers map[string]uint32 // of objects
	names   []string          // by the object's number; empty: free
	runs    []run             // by the object's number: its newest run
	older   map[uint32][]run  // its other runs, of the few that were out of use for a while
	unused  []uint32          // numbers of objects
	keepers []keeper          // by rising ordinal
	last    uint32            // ordinal that was given out
	seed    maphash.Seed
}

// run says that all registered checkpoints from an ordinal to another keep an
// object.
type run struct{ first, last uint32 }

// keeper is a registered checkpoint.
type keeper struct {
	ref     Ref
	ordinal uint32
	objects int
	digest  uint64 // of the set of objects
}

func newRegistry() *registry {
	return &registry{numbers: map[string]uint32{}, older: map[uint32][]run{}, seed: maphash.MakeSeed()}
}

func (r *registry) find(ref Ref) int {
	return slices.IndexFunc(r.keepers, func(k keeper) bool { return k.ref == ref })
}

// has reports whether a checkpoint is registered.
func (r *registry) has(ref Ref) bool { return r.find(ref) >= 0 }

// register adds a checkpoint, and the objects that it keeps. What it keeps
// never changes: a second registration of the same does nothing, and one that
// differs is an error and changes nothing (I7). Names may come twice.
func (r *registry) register(ref Ref, objects []string) error {
	if i := r.find(ref); i >= 0 {
		set := map[string]struct{}{}
		digest := uint64(0)
		for _, name := range objects {
			if _, ok := set[name]; !ok {
				set[name] = struct{}{}
				digest += maphash.String(r.seed, name)
			}
		}
		if k := r.keepers[i]; k.objects != len(set) || k.digest != digest {
			return fmt.Errorf("register checkpoint %v: it is registered with other objects, %d of them", ref, k.objects)
		}
		return nil
	}
	newest := uint32(0)
	if n := len(r.keepers); n > 0 {
		newest = r.keepers[n-1].ordinal
	}
	r.last++
	k := keeper{ref: ref, ordinal: r.last}
	for _, name := range objects {
		n, known := r.numbers[name]
		switch {
		case !known:
			r.add(name, run{k.ordinal, k.ordinal})
		case r.runs[n].last == k.ordinal:
			continue // named before
		case newest > 0 && r.runs[n].last >= newest:
			r.runs[n].last = k.ordinal
		default:
			r.older[n] = append(r.older[n], r.runs[n])
			r.runs[n] = run{k.ordinal, k.ordinal}
		}
		k.objects++
		k.digest += maphash.String(r.seed, name)
	}
	r.keepers = append(r.keepers, k)
	return nil
}

// add numbers an object.
func (r *registry) add(name string, first run) {
	if n := len(r.unused); n > 0 {
		number := r.unused[n-1]
		r.unused = r.unused[:n-1]
		r.numbers[name], r.names[number], r.runs[number] = number, name, first
		return
	}
	r.numbers[name] = uint32(len(r.names))
	r.names, r.runs = append(r.names, name), append(r.runs, first)
}

// unregister takes a checkpoint away and returns, sorted, the objects that none
// keeps any more. One that is not registered kept nothing.
func (r *registry) unregister(ref Ref) []string {
	i := r.find(ref)
	if i < 0 {
		return nil
	}
	gone := r.keepers[i].ordinal
	r.keepers = slices.Delete(r.keepers, i, i+1)
	before, after := uint32(0), uint32(0)
	if i > 0 {
		before = r.keepers[i-1].ordinal
	}
	if i < len(r.keepers) {
		after = r.keepers[i].ordinal
	}
	var free []string
	for n, newest := range r.runs {
		if r.names[n] == "" || gone > newest.last || gone < newest.first && len(r.older) == 0 {
			continue
		}
		if newest.first <= before || after > 0 && newest.last >= after && newest.first <= after {
			continue // a neighbour keeps it, too
		}
		if r.kept(uint32(n)) {
			continue
		}
		free = append(free, r.names[n])
		delete(r.numbers, r.names[n])
		delete(r.older, uint32(n))
		r.names[n], r.runs[n] = "", run{}
		r.unused = append(r.unused, uint32(n))
	}
	slices.Sort(free)
	return free
}

// kept reports whether a registered checkpoint lies in a run of an object.
func (r *registry) kept(n uint32) bool {
	if r.within(r.runs[n]) {
		return true
	}
	return slices.ContainsFunc(r.older[n], r.within)
}

func (r *registry) within(s run) bool {
	i, _ := slices.BinarySearchFunc(r.keepers, s.first, func(k keeper, first uint32) int { return cmp.Compare(k.ordinal, first) })
	return i < len(r.keepers) && r.keepers[i].ordinal <= s.last
}

// keeps reports whether a registered checkpoint keeps an object.
func (r *registry) keeps(object string) bool {
	_, ok := r.numbers[object]
	return ok
}

// keptBy lists the checkpoints that keep an object, in the order of their
// registration.
func (r *registry) keptBy(object string) (refs []Ref) {
	n, ok := r.numbers[object]
	if !ok {
		return nil
	}
	all := append(slices.Clone(r.older[n]), r.runs[n])
	for _, k := range r.keepers {
		if slices.ContainsFunc(all, func(s run) bool { return s.first <= k.ordinal && k.ordinal <= s.last }) {
			refs = append(refs, k.ref)
		}
	}
	return refs
}

// reach lists what a checkpoint reaches by its manifest: the manifest, and the
// job's own objects, some of them twice.
func reach(m *incremental.Manifest) []string {
	names := []string{incremental.ManifestName(m.Checkpoint, m.Epoch)}
	add := func(o incremental.Object) {
		if o.Place == (incremental.Place{}) {
			names = append(names, o.Name)
		}
	}
	for _, s := range m.Subtasks {
		if s.Keyed != nil {
			names = slices.Grow(names, len(s.Keyed.Objects))
			for _, o := range s.Keyed.Objects {
				add(o)
			}
		}
		for _, f := range s.InFlight {
			if f.Piece != (incremental.Piece{}) {
				add(f.Piece.Object)
			}
		}
	}
	return names
}
