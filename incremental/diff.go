package incremental

import (
	"cmp"
	"slices"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
)

// Difference is how the files of a checkpoint differ from those of another one. A file
// is the piece of an object where its bytes lie.
type Difference struct {
	Kept, Added, Removed Volume
	Parts                []DifferentPart // sorted by operator, state and key groups
	Files                []DifferentFile // added and removed; in the order of the parts, then by name
}

// Volume is a number of files and their bytes.
type Volume struct {
	Files int
	Bytes int64
}

// DifferentPart sums up the files of one state in one subtask.
type DifferentPart struct {
	Operator             checkpoint.OperatorID
	State                string         // empty: of no state alone
	Groups               keygroup.Range // of the subtask
	Kept, Added, Removed Volume
}

// DifferentFile is a file that only one of the two checkpoints has.
type DifferentFile struct {
	Operator checkpoint.OperatorID
	Subtask  int
	State    string
	Name     string
	Object   string
	Groups   keygroup.Range // that its keys lie in; of the subtask where that is not known
	Bytes    int64
	Added    bool // it is in b; else in a
}

// Diff compares checkpoint b with checkpoint a. Pure.
func Diff(a, b *Manifest) Difference {
	type place struct {
		operator checkpoint.OperatorID
		state    string
		groups   keygroup.Range
	}
	parts := map[place]*DifferentPart{}
	part := func(f DifferentFile, groups keygroup.Range) *DifferentPart {
		at := place{f.Operator, f.State, groups}
		if parts[at] == nil {
			parts[at] = &DifferentPart{Operator: f.Operator, State: f.State, Groups: groups}
		}
		return parts[at]
	}
	var d Difference
	count := func(to, total *Volume, bytes int64) {
		for _, v := range []*Volume{to, total} {
			v.Files++
			v.Bytes += bytes
		}
	}
	inA, inB := pieces(a), pieces(b)
	eachFile(b, func(f DifferentFile, ref FileRef, groups keygroup.Range) {
		p := part(f, groups)
		if inA[ref] {
			count(&p.Kept, &d.Kept, f.Bytes)
			return
		}
		f.Added = true
		count(&p.Added, &d.Added, f.Bytes)
		d.Files = append(d.Files, f)
	})
	eachFile(a, func(f DifferentFile, ref FileRef, groups keygroup.Range) {
		if !inB[ref] {
			count(&part(f, groups).Removed, &d.Removed, f.Bytes)
			d.Files = append(d.Files, f)
		}
	})
	for _, p := range parts {
		d.Parts = append(d.Parts, *p)
	}
	slices.SortFunc(d.Parts, func(a, b DifferentPart) int {
		return cmp.Or(cmp.Compare(a.Operator, b.Operator), cmp.Compare(a.State, b.State), cmp.Compare(a.Groups.Start, b.Groups.Start), cmp.Compare(a.Groups.End, b.Groups.End))
	})
	slices.SortStableFunc(d.Files, func(a, b DifferentFile) int {
		return cmp.Or(cmp.Compare(a.Operator, b.Operator), cmp.Compare(a.State, b.State), cmp.Compare(a.Subtask, b.Subtask), cmp.Compare(a.Name, b.Name))
	})
	return d
}

func pieces(m *Manifest) map[FileRef]bool {
	all := map[FileRef]bool{}
	eachFile(m, func(_ DifferentFile, ref FileRef, _ keygroup.Range) { all[ref] = true })
	return all
}

// eachFile calls f with each file of a checkpoint, and its subtask's key groups.
func eachFile(m *Manifest, f func(DifferentFile, FileRef, keygroup.Range)) {
	for _, s := range m.Subtasks {
		if s.Keyed == nil {
			continue
		}
		for i := range s.Keyed.Files {
			file := &s.Keyed.Files[i]
			d := DifferentFile{
				Operator: s.Operator, Subtask: s.Index, State: s.Keyed.StateOf(file), Name: file.Name,
				Object: file.Ref.Object, Groups: s.Keyed.Range, Bytes: file.Ref.Length,
			}
			if file.Table != nil {
				d.Groups = file.Table.Groups
			}
			f(d, file.Ref, s.Keyed.Range)
		}
	}
}
