package incremental

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// Bounds of what a manifest may hold. They are far beyond what a job needs, and
// keep a damaged or hostile manifest from costing more than memory for its own
// bytes.
const (
	maxText        = 64 << 10 // of a name or signature, in bytes
	maxFileName    = 128
	maxObjectBytes = 1 << 50
	maxStates      = 10_000 // of one operator
)

// LocalName returns name if it may name a file of a local store: letters,
// digits, '_', '-' and '.', a letter or digit first. Only such names, below a
// directory that this process made, become paths.
func LocalName(name string) (string, error) {
	if len(name) == 0 || len(name) > maxFileName {
		return "", fmt.Errorf("file name of %d bytes, want 1 to %d", len(name), maxFileName)
	}
	for i := range len(name) {
		c := name[i]
		alnum := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alnum && (i == 0 || c != '_' && c != '-' && c != '.') {
			return "", fmt.Errorf("file name %q: byte %d is not allowed there", name, i)
		}
	}
	return name, nil
}

// invalidError says which part of a manifest breaks a rule of the format.
type invalidError struct {
	where string
	err   error
}

func (e *invalidError) Error() string { return e.where + ": " + e.err.Error() }

func (e *invalidError) Unwrap() error { return e.err }

func invalid(where, format string, args ...any) error {
	return &invalidError{where, fmt.Errorf(format, args...)}
}

// validate checks every rule of the format that the body's types do not
// express. Encoding and decoding both go through it.
func validate(m *Manifest) error {
	switch {
	case m.Job == "":
		return invalid("job", "empty")
	case m.Checkpoint == 0 || m.Epoch == 0:
		return invalid("checkpoint", "id %d of epoch %d: both start at 1", m.Checkpoint, m.Epoch)
	case m.Base >= m.Checkpoint:
		return invalid("base", "%d is not before checkpoint %d", m.Base, m.Checkpoint)
	case kindNames[m.Kind] == "":
		return invalid("kind", "unknown value %d", m.Kind)
	case m.Stats.FullBytes < 0 || m.Stats.NewBytes < 0 || m.Stats.NewObjects < 0 || m.Stats.Files < 0 || m.Stats.SharedFiles < 0:
		return invalid("stats", "negative")
	}
	if err := texts("header", m.Job, m.Writer); err != nil {
		return err
	}
	if err := validateGraph(m.Graph); err != nil {
		return err
	}
	for i, s := range m.Subtasks {
		where := fmt.Sprintf("subtask %.80q/%d", s.Operator, s.Index)
		if i > 0 && compareSubtasks(m.Subtasks[i-1], s) >= 0 {
			return invalid(where, "out of order or doubled")
		}
		if err := validateSubtask(where, m, s); err != nil {
			return err
		}
	}
	return nil
}

func compareSubtasks(a, b Subtask) int {
	return cmp.Or(cmp.Compare(a.Operator, b.Operator), cmp.Compare(a.Index, b.Index))
}

func validateGraph(g checkpoint.Graph) error {
	if err := texts("graph", g.Job); err != nil {
		return err
	}
	if g.MaxParallelism < 1 || g.MaxParallelism > keygroup.MaxGroups {
		return invalid("graph", "max parallelism %d is not in [1, %d]", g.MaxParallelism, keygroup.MaxGroups)
	}
	seen := map[checkpoint.OperatorID]bool{}
	for _, o := range g.Operators {
		where := fmt.Sprintf("graph operator %.80q", o.ID)
		switch {
		case !checkpoint.ValidOperatorID(o.ID):
			return invalid(where, "not a valid operator id")
		case seen[o.ID]:
			return invalid(where, "doubled")
		case o.Parallelism < 1 || o.Parallelism > keygroup.MaxGroups:
			return invalid(where, "parallelism %d is not in [1, %d]", o.Parallelism, keygroup.MaxGroups)
		}
		seen[o.ID] = true
		if err := texts(where, o.Type, o.Key); err != nil {
			return err
		}
	}
	for _, o := range g.Operators {
		for _, in := range o.Inputs {
			if !seen[in] {
				return invalid(fmt.Sprintf("graph operator %q", o.ID), "its input %.80q is not in the graph", in)
			}
		}
	}
	return nil
}

func validateSubtask(where string, m *Manifest, s Subtask) error {
	if !checkpoint.ValidOperatorID(s.Operator) || s.Index < 0 || s.Index >= keygroup.MaxGroups {
		return invalid(where, "not a valid subtask")
	}
	if t := s.Timings; t.Start < 0 || t.Align < 0 || t.Sync < 0 || t.Async < 0 {
		return invalid(where, "negative timing")
	}
	for _, o := range s.State {
		if redistributionNames[o.Redistribution] == "" {
			return invalid(where, "operator state %.80q: unknown redistribution %d", o.Name, o.Redistribution)
		}
		if err := texts(where, o.Name, o.Codec); err != nil {
			return err
		}
	}
	if s.Keyed == nil {
		return nil
	}
	switch h := s.Keyed; {
	case h.Operator != s.Operator || h.Index != s.Index:
		return invalid(where, "its keyed state is of %.80q/%d", h.Operator, h.Index)
	case h.Checkpoint != m.Checkpoint:
		return invalid(where, "its keyed state is of checkpoint %d", h.Checkpoint)
	case h.Range.End > m.Graph.MaxParallelism:
		return invalid(where, "key groups %v reach beyond the %d of the job", h.Range, m.Graph.MaxParallelism)
	}
	return validateHandle(where, s.Keyed)
}

// validateHandle checks a handle by itself: also one that did not come from a
// manifest.
func validateHandle(where string, h *Handle) error {
	if h.Range.Start < 0 || h.Range.End <= h.Range.Start {
		return invalid(where, "key groups %v are none", h.Range)
	}
	if h.Uploaded < 0 {
		return invalid(where, "uploaded %d bytes", h.Uploaded)
	}
	if len(h.States) > maxStates {
		return invalid(where, "%d states, at most %d are allowed", len(h.States), maxStates)
	}
	for i, d := range h.States {
		switch {
		case !checkpoint.ValidOperatorID(checkpoint.OperatorID(d.Name)):
			return invalid(where, "state %.80q: not a valid name", d.Name)
		case i > 0 && h.States[i-1].Name >= d.Name:
			return invalid(where, "state %q: out of order or doubled", d.Name)
		case stateKindNames[d.Kind] == "":
			return invalid(where, "state %q: unknown kind %d", d.Name, d.Kind)
		}
		if err := texts(where, d.Key, d.Namespace, d.MapKey, d.Value); err != nil {
			return err
		}
	}
	size, err := objectSizes(where, h.Objects)
	if err != nil {
		return err
	}
	used := make(map[string]bool, len(size))
	for i, f := range h.Files {
		if _, err := LocalName(f.Name); err != nil {
			return invalid(where, "%w", err)
		}
		if i > 0 && h.Files[i-1].Name >= f.Name {
			return invalid(where, "file %s: out of order or doubled", f.Name)
		}
		total, ok := size[f.Ref.Object]
		if !ok {
			return invalid(where, "file %s: its object %.200q is not among the handle's", f.Name, f.Ref.Object)
		}
		if f.Ref.Offset < 0 || f.Ref.Length < 0 || f.Ref.Offset > total || f.Ref.Length > total-f.Ref.Offset {
			return invalid(where, "file %s: %d bytes at %d do not lie in the %d of %s", f.Name, f.Ref.Length, f.Ref.Offset, total, f.Ref.Object)
		}
		used[f.Ref.Object] = true
	}
	for _, o := range h.Objects {
		if !used[o.Name] {
			return invalid(where, "no file lies in object %s", o.Name)
		}
	}
	return nil
}

func objectSizes(where string, objects []Object) (map[string]int64, error) {
	size := make(map[string]int64, len(objects))
	for i, o := range objects {
		if _, ok := ParseObjectName(o.Name); !ok {
			return nil, invalid(where, "%.200q is not the name of a data object", o.Name)
		}
		if i > 0 && objects[i-1].Name >= o.Name {
			return nil, invalid(where, "object %s: out of order or doubled", o.Name)
		}
		if o.Size < 0 || o.Size > maxObjectBytes {
			return nil, invalid(where, "object %s: a size of %d bytes", o.Name, o.Size)
		}
		size[o.Name] = o.Size
	}
	return size, nil
}

// sortHandle puts a handle's lists into the order of the format.
func sortHandle(h *Handle) {
	slices.SortFunc(h.States, func(a, b state.Descriptor) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(h.Files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(h.Objects, func(a, b Object) int { return cmp.Compare(a.Name, b.Name) })
}

// texts checks strings that JSON must not change.
func texts(where string, all ...string) error {
	for _, s := range all {
		if len(s) > maxText || !utf8.ValidString(s) {
			return invalid(where, "%.80q is not UTF-8 text of at most %d bytes", s, maxText)
		}
	}
	return nil
}
