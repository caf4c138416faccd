package incremental

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
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
	maxInputs      = 1024   // of one operator
	maxLevel       = 1024   // of a table file
	maxInstances   = 1024   // of the local store in one handle
	// maxBackendFormat bounds the version of a backend's files.
	maxBackendFormat = 1 << 20
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

// validate checks every rule of the format that the schema does not express.
// Encoding and decoding both go through it.
func validate(m *Manifest) error {
	switch {
	case m.Job == "":
		return invalid("job", "empty")
	case m.Checkpoint == 0 || m.Epoch == 0:
		return invalid("checkpoint", "id %d of epoch %d: both start at 1", m.Checkpoint, m.Epoch)
	case m.Base >= m.Checkpoint:
		return invalid("base", "%d is not before checkpoint %d", m.Base, m.Checkpoint)
	case m.Kind > checkpoint.Final:
		return invalid("kind", "unknown value %d", m.Kind)
	case !nanoseconds(m.Triggered) || !nanoseconds(m.Created):
		return invalid("time", "%v or %v has no nanoseconds since 1970 in UTC", m.Triggered, m.Created)
	case m.Stats.FullBytes < 0 || m.Stats.NewBytes < 0 || m.Stats.NewObjects < 0 || m.Stats.Files < 0 || m.Stats.SharedFiles < 0:
		return invalid("stats", "negative")
	}
	if err := texts("header", m.Job, m.Writer); err != nil {
		return err
	}
	if err := validateGraph(m.Graph); err != nil {
		return err
	}
	if err := validateSources(m.Sources); err != nil {
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
	if err := validateComplete(m); err != nil {
		return err
	}
	return validateCoverage(m)
}

// nanoseconds reports whether a time is what is read back after it was written.
func nanoseconds(t time.Time) bool {
	return t.Location() == time.UTC && t.After(time.Unix(0, 0)) && t.Before(time.Unix(0, math.MaxInt64))
}

func compareSubtasks(a, b Subtask) int {
	return cmp.Or(cmp.Compare(a.Operator, b.Operator), cmp.Compare(a.Index, b.Index))
}

func validateGraph(g checkpoint.Graph) error {
	if err := texts("graph", g.Job, g.Name); err != nil {
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
		if err := texts(where, o.Name, o.Type, o.Key); err != nil {
			return err
		}
	}
	for _, o := range g.Operators {
		where := fmt.Sprintf("graph operator %q", o.ID)
		for _, in := range o.Inputs {
			if !seen[in.From] {
				return invalid(where, "its input %.80q is not in the graph", in.From)
			}
			if in.Exchange > checkpoint.HashBy {
				return invalid(where, "unknown exchange %d", in.Exchange)
			}
			if err := texts(where, in.Side); err != nil {
				return err
			}
		}
	}
	return nil
}

func validateSources(sources []Source) error {
	for i, s := range sources {
		where := fmt.Sprintf("source %.80q", s.Operator)
		if !checkpoint.ValidOperatorID(s.Operator) || i > 0 && sources[i-1].Operator >= s.Operator {
			return invalid(where, "not a valid operator id, out of order or doubled")
		}
		if err := errors.Join(texts(where, s.Codec), validateSplits(where, s.Unassigned)); err != nil {
			return err
		}
	}
	return nil
}

func validateSplits(where string, splits []Split) error {
	for i, s := range splits {
		if s.ID == "" || i > 0 && splits[i-1].ID >= s.ID {
			return invalid(where, "split %.80q: empty, out of order or doubled", s.ID)
		}
		if err := texts(where, s.ID); err != nil {
			return err
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
		if o.Redistribution > checkpoint.Broadcast {
			return invalid(where, "operator state %.80q: unknown redistribution %d", o.Name, o.Redistribution)
		}
		if err := texts(where, o.Name, o.Codec); err != nil {
			return err
		}
	}
	if err := errors.Join(validateSplits(where, s.Splits), validateProgress(where, s.Progress, m.Graph.MaxParallelism)); err != nil {
		return err
	}
	for _, f := range s.InFlight {
		if err := validateInFlight(where, f); err != nil {
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

func validateProgress(where string, progress []Progress, groups int) error {
	end := 0
	for _, p := range progress {
		if p.Groups.Start < end || p.Groups.Len() == 0 || p.Groups.End > groups {
			return invalid(where, "progress of key groups %v: empty, out of order, doubled, or beyond the %d of the job", p.Groups, groups)
		}
		if p.FiredEvent > p.Watermark {
			return invalid(where, "progress of key groups %v: fired up to %d, beyond the watermark %d", p.Groups, p.FiredEvent, p.Watermark)
		}
		end = p.Groups.End
	}
	return nil
}

func validateInFlight(where string, f InFlight) error {
	where += ": records in flight"
	switch {
	case f.Direction < Input || f.Direction > Call:
		return invalid(where, "unknown direction %d", f.Direction)
	case (f.Direction == Call) != (f.Peer == "") || f.Peer != "" && !checkpoint.ValidOperatorID(f.Peer):
		return invalid(where, "%.80q is not a valid operator at the other end", f.Peer)
	case f.PeerIndex < 0 || f.PeerIndex >= keygroup.MaxGroups || f.Input < 0 || f.Input >= maxInputs || f.Direction != Input && f.Input != 0:
		return invalid(where, "input %d from subtask %d", f.Input, f.PeerIndex)
	case (len(f.Elements) == 0) == (f.Piece == Piece{}):
		return invalid(where, "they must be inline or in an object")
	}
	for _, e := range f.Elements {
		if e.Watermark && len(e.Record) > 0 {
			return invalid(where, "a watermark with a record")
		}
	}
	if p := f.Piece; p != (Piece{}) {
		if p.Elements < 1 || p.Object.Adopted != 0 || !inside(p.Offset, p.Length, p.Object.Size) {
			return invalid(where, "%d records in %d bytes at %d of the %d of %.200s", p.Elements, p.Length, p.Offset, p.Object.Size, p.Object.Name)
		}
		if err := validateObject(where, p.Object); err != nil {
			return err
		}
	}
	return texts(where, f.Codec)
}

// inside reports whether a piece lies in an object of a size.
func inside(offset, length, size int64) bool {
	return offset >= 0 && length >= 0 && offset <= size && length <= size-offset
}

// validateComplete checks that there is a part for each subtask of each
// operator of the graph, and for no other: one that is left out would restore
// as empty state.
func validateComplete(m *Manifest) error {
	parallelism := map[checkpoint.OperatorID]int{}
	for _, o := range m.Graph.Operators {
		parallelism[o.ID] = o.Parallelism
	}
	left := maps.Clone(parallelism)
	for _, s := range m.Subtasks {
		if s.Index >= parallelism[s.Operator] {
			return invalid(fmt.Sprintf("subtask %q/%d", s.Operator, s.Index), "the graph has no such subtask")
		}
		left[s.Operator]--
	}
	for _, o := range m.Graph.Operators {
		if n := left[o.ID]; n != 0 {
			return invalid(fmt.Sprintf("operator %q", o.ID), "%d of its %d subtasks are missing", n, o.Parallelism)
		}
	}
	return nil
}

// validateCoverage checks that the handles of an operator hold each key group
// exactly once: a handle that was lost must not restore as empty state.
func validateCoverage(m *Manifest) error {
	byOperator := map[checkpoint.OperatorID][]keygroup.Range{}
	for _, s := range m.Subtasks {
		if s.Keyed != nil {
			byOperator[s.Operator] = append(byOperator[s.Operator], s.Keyed.Range)
		}
	}
	for op, ranges := range byOperator {
		if err := covers(ranges, keygroup.Range{End: m.Graph.MaxParallelism}); err != nil {
			return invalid(fmt.Sprintf("operator %q", op), "%w", err)
		}
	}
	return nil
}

// covers returns an error where ranges do not hold each key group of want
// exactly once, or reach beyond it.
func covers(ranges []keygroup.Range, want keygroup.Range) error {
	next := want.Start
	for _, r := range slices.SortedFunc(slices.Values(ranges), func(a, b keygroup.Range) int { return cmp.Compare(a.Start, b.Start) }) {
		if r.Start < next {
			return fmt.Errorf("key groups %v are held twice", keygroup.Range{Start: r.Start, End: min(next, r.End)})
		}
		if r.Start > next {
			return fmt.Errorf("nothing holds key groups %v", keygroup.Range{Start: next, End: r.Start})
		}
		next = r.End
	}
	if next < want.End {
		return fmt.Errorf("nothing holds key groups %v", keygroup.Range{Start: next, End: want.End})
	}
	return nil
}

// sortHandle puts a handle's lists into the order of the format.
func sortHandle(h *Handle) {
	slices.SortFunc(h.States, func(a, b state.Descriptor) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(h.Files, compareFiles)
	slices.SortFunc(h.Shards, func(a, b Shard) int {
		return cmp.Or(cmp.Compare(a.State, b.State), cmp.Compare(a.Groups.Start, b.Groups.Start))
	})
	slices.SortFunc(h.Objects, func(a, b Object) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(h.Auxiliary, compareAuxiliary)
}

// texts checks strings that protobuf must not refuse.
func texts(where string, all ...string) error {
	for _, s := range all {
		if len(s) > maxText || !utf8.ValidString(s) {
			return invalid(where, "%.80q is not UTF-8 text of at most %d bytes", s, maxText)
		}
	}
	return nil
}
