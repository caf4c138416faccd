package incremental

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// validateHandle checks a handle by itself: also one that did not come from a
// manifest.
func validateHandle(where string, h *Handle) error {
	switch {
	case !checkpoint.ValidOperatorID(h.Operator) || h.Index < 0 || h.Index >= keygroup.MaxGroups || h.Checkpoint == 0:
		return invalid(where, "not a valid subtask %.80q/%d of checkpoint %d", h.Operator, h.Index, h.Checkpoint)
	case h.Range.Start < 0 || h.Range.End <= h.Range.Start || h.Range.End > keygroup.MaxGroups:
		return invalid(where, "key groups %v are not a valid range", h.Range)
	case h.Uploaded < 0:
		return invalid(where, "uploaded %d bytes", h.Uploaded)
	case h.Backend.Format < 0 || h.Backend.Format > maxBackendFormat:
		return invalid(where, "backend format %d", h.Backend.Format)
	case len(h.States) > maxStates:
		return invalid(where, "%d states, at most %d are allowed", len(h.States), maxStates)
	}
	if err := texts(where, h.Backend.Name, h.Backend.Version); err != nil {
		return err
	}
	if err := validateStates(where, h.States); err != nil {
		return err
	}
	if err := validateShards(where, h); err != nil {
		return err
	}
	if err := validateFiles(where, h); err != nil {
		return err
	}
	return validateAuxiliary(where, h)
}

func validateStates(where string, states []state.Descriptor) error {
	for i, d := range states {
		switch {
		case !checkpoint.ValidOperatorID(checkpoint.OperatorID(d.Name)):
			return invalid(where, "state %.80q: not a valid name", d.Name)
		case i > 0 && states[i-1].Name >= d.Name:
			return invalid(where, "state %q: out of order or doubled", d.Name)
		case d.Kind < state.KindValue || d.Kind > state.KindJoinSide:
			return invalid(where, "state %q: unknown kind %d", d.Name, d.Kind)
		}
		if err := texts(where, d.Key, d.Namespace, d.MapKey, d.Value); err != nil {
			return err
		}
	}
	return nil
}

// validateShards checks that the shards of each state are together the handle's
// range, and that each has a column of its own.
func validateShards(where string, h *Handle) error {
	if len(h.Shards) == 0 {
		return nil
	}
	type column struct {
		name     string
		instance int
	}
	columns := make(map[column]bool, len(h.Shards))
	rest := h.Shards
	for _, d := range h.States {
		var ranges []keygroup.Range
		for len(rest) > 0 && rest[0].State == d.Name {
			s := rest[0]
			switch {
			case s.Column == "" || columns[column{s.Column, s.Instance}]:
				return invalid(where, "state %q: column %.80q is empty or doubled", d.Name, s.Column)
			case s.Instance < 0 || s.Instance >= maxInstances || s.Groups.Len() == 0:
				return invalid(where, "state %q: instance %d, key groups %v", d.Name, s.Instance, s.Groups)
			case s.Groups.Start < h.Range.Start || s.Groups.End > h.Range.End:
				return invalid(where, "shards of state %q reach beyond key groups %v", d.Name, h.Range)
			case len(ranges) > 0 && ranges[len(ranges)-1].Start >= s.Groups.Start:
				return invalid(where, "state %q: shards out of order", d.Name)
			}
			if err := texts(where, s.Column); err != nil {
				return err
			}
			columns[column{s.Column, s.Instance}] = true
			ranges = append(ranges, s.Groups)
			rest = rest[1:]
		}
		if err := covers(ranges, h.Range); err != nil {
			return invalid(where, "shards of state %q: %w", d.Name, err)
		}
	}
	if len(rest) > 0 {
		return invalid(where, "shard of state %.80q: out of order, or no state of the handle", rest[0].State)
	}
	return nil
}

// validateFiles checks that every file lies in an object of the handle, and
// that every object holds a file.
func validateFiles(where string, h *Handle) error {
	for i, o := range h.Objects {
		if err := validateObject(where, o); err != nil {
			return err
		}
		if i > 0 && h.Objects[i-1].Name >= o.Name {
			return invalid(where, "object %s: out of order or doubled", o.Name)
		}
	}
	find := h.objectFinder()
	used := make([]bool, len(h.Objects))
	for i := range h.Files {
		f := &h.Files[i]
		if _, err := LocalName(f.Name); err != nil {
			return invalid(where, "%w", err)
		}
		if f.Instance < 0 || f.Instance >= maxInstances || i > 0 && compareFiles(h.Files[i-1], *f) >= 0 {
			return invalid(where, "file %s of instance %d: out of order or doubled", f.Name, f.Instance)
		}
		n := find(f.Ref.Object)
		if n < 0 {
			return invalid(where, "file %s: its object %.200q is not among the handle's", f.Name, f.Ref.Object)
		}
		if o := h.Objects[n]; !inside(f.Ref.Offset, f.Ref.Length, o.Size) {
			return invalid(where, "file %s: %d bytes at %d do not lie in the %d of %s", f.Name, f.Ref.Length, f.Ref.Offset, o.Size, o.Name)
		}
		if sums := f.Ref.sumsBytes(); sums > f.Ref.Offset {
			return invalid(where, "file %s: %d bytes of chunk sums do not lie before offset %d", f.Name, sums, f.Ref.Offset)
		} else if sums == 0 && f.Ref.ChunksCRC32C != 0 {
			return invalid(where, "file %s has one chunk, and a checksum of chunk sums", f.Name)
		}
		if f.Table != nil {
			if err := validateTable(where, h, f); err != nil {
				return err
			}
		}
		used[n] = true
	}
	for i, is := range used {
		if !is {
			return invalid(where, "no file lies in object %s", h.Objects[i].Name)
		}
	}
	return nil
}

func validateTable(where string, h *Handle, f *File) error {
	t := f.Table
	bad := func(format string, args ...any) error {
		return invalid(fmt.Sprintf("%s: table %s", where, f.Name), format, args...)
	}
	switch {
	case h.shardOf(f) < 0:
		return bad("its column %.80q is no shard of the handle", t.Column)
	case t.Name != "" || t.CreatedUnix < 0 || t.Deletions > t.Entries:
		return bad("name %.80q, created at %d, %d entries, of which %d delete", t.Name, t.CreatedUnix, t.Entries, t.Deletions)
	case t.Level < 0 || t.Level > maxLevel:
		return bad("level %d", t.Level)
	case len(t.Smallest) > MaxTableKey || len(t.Largest) > MaxTableKey || bytes.Compare(t.Smallest, t.Largest) > 0:
		return bad("keys from %.40x to %.40x", t.Smallest, t.Largest)
	case t.SmallestSeqno > t.LargestSeqno:
		return bad("sequence numbers from %d to %d", t.SmallestSeqno, t.LargestSeqno)
	case t.Groups != groupsOfKeys(t.Smallest, t.Largest):
		return bad("key groups %v, but keys from %.40x to %.40x", t.Groups, t.Smallest, t.Largest)
	}
	return nil
}

func validateAuxiliary(where string, h *Handle) error {
	for i, a := range h.Auxiliary {
		_, isState := slices.BinarySearchFunc(h.States, a.State, func(d state.Descriptor, name string) int { return cmp.Compare(d.Name, name) })
		isFile := slices.ContainsFunc(h.Files, func(f File) bool { return f.Name == a.File })
		switch {
		case i > 0 && compareAuxiliary(h.Auxiliary[i-1], a) >= 0:
			return invalid(where, "auxiliary file %s: out of order or doubled", a.File)
		case !isState || !isFile || a.Purpose == "":
			return invalid(where, "auxiliary file %.80q of state %.80q for %.80q: the handle lacks one of them", a.File, a.State, a.Purpose)
		}
		if err := texts(where, a.Purpose); err != nil {
			return err
		}
	}
	return nil
}

func compareFiles(a, b File) int {
	return cmp.Or(cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.Name, b.Name))
}

func compareAuxiliary(a, b Auxiliary) int {
	return cmp.Or(cmp.Compare(a.State, b.State), cmp.Compare(a.Purpose, b.Purpose), cmp.Compare(a.File, b.File))
}

// validateObject checks an object by itself.
func validateObject(where string, o Object) error {
	if !ValidObjectName(o.Name) {
		return invalid(where, "%.200q is not the name of a data object", o.Name)
	}
	if o.Size < 0 || o.Size > maxObjectBytes || o.Adopted < 0 || o.Adopted > o.Size {
		return invalid(where, "object %s: a size of %d bytes, of which %d were adopted", o.Name, o.Size, o.Adopted)
	}
	if p := o.Place; p.Job == "" && p.Store != "" {
		return invalid(where, "object %s: a store %.200q without a job", o.Name, p.Store)
	}
	return texts(where, o.Place.Store, o.Place.Job)
}
