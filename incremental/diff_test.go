package incremental_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
)

// compared is a checkpoint of one operator: for each subtask its files, written
// "name@object:bytes", a table of state "s" where the name ends in ".sst".
func compared(op checkpoint.OperatorID, subtasks ...[]incremental.File) *incremental.Manifest {
	m := &incremental.Manifest{}
	for i, files := range subtasks {
		h := &incremental.Handle{Operator: op, Index: i, Range: keygroup.Assign(8, len(subtasks), i), Files: files}
		h.Shards = []incremental.Shard{{State: "s", Column: "c", Groups: h.Range}}
		m.Subtasks = append(m.Subtasks, incremental.Subtask{Operator: op, Index: i, Keyed: h})
	}
	return m
}

func piece(name, object string, offset, bytes int64) incremental.File {
	return incremental.File{Name: name, Ref: incremental.FileRef{Object: object, Offset: offset, Length: bytes}}
}

func table(name, object string, bytes int64) incremental.File {
	f := piece(name, object, 0, bytes)
	f.Table = &incremental.Table{TableFile: state.TableFile{Column: "c"}, Groups: keygroup.Range{Start: 1, End: 3}}
	return f
}

// A file is the piece of an object where its bytes lie, whatever its name; parts are told
// apart by operator, state and the subtask's key groups; what an operator lost as a whole
// is removed.
func TestDiff(t *testing.T) {
	files := func(f ...incremental.File) []incremental.File { return f }
	one := compared("a", files(piece("CURRENT", "o1", 0, 5), table("1.sst", "o2", 100), table("2.sst", "o3", 50)))
	for name, c := range map[string]struct {
		a, b  *incremental.Manifest
		parts []string
		files []string
	}{
		"the same": {one, one, []string{"a//[0,8) +0/0 -0/0 =1/5", "a/s/[0,8) +0/0 -0/0 =2/150"}, nil},
		"the same name, another piece": {
			one, compared("a", files(piece("CURRENT", "o1", 5, 5), table("1.sst", "o2", 100), table("2.sst", "o4", 60))),
			[]string{"a//[0,8) +1/5 -1/5 =0/0", "a/s/[0,8) +1/60 -1/50 =1/100"},
			[]string{"+CURRENT [0,8)", "-CURRENT [0,8)", "+2.sst [1,3)", "-2.sst [1,3)"},
		},
		"another name, the same piece": {
			one, compared("a", files(piece("CURRENT", "o1", 0, 5), table("7.sst", "o2", 100), table("2.sst", "o3", 50))),
			[]string{"a//[0,8) +0/0 -0/0 =1/5", "a/s/[0,8) +0/0 -0/0 =2/150"}, nil,
		},
		"rescaled": {
			one, compared("a", files(table("1.sst", "o8", 40)), files(table("1.sst", "o9", 70))),
			[]string{"a//[0,8) +0/0 -1/5 =0/0", "a/s/[0,4) +1/40 -0/0 =0/0", "a/s/[0,8) +0/0 -2/150 =0/0", "a/s/[4,8) +1/70 -0/0 =0/0"},
			[]string{"-CURRENT [0,8)", "+1.sst [1,3)", "-1.sst [1,3)", "-2.sst [1,3)", "+1.sst [1,3)"},
		},
		"an operator is gone": {
			compared("b", files(table("1.sst", "o2", 100))), compared("a", files(table("1.sst", "o5", 9))),
			[]string{"a/s/[0,8) +1/9 -0/0 =0/0", "b/s/[0,8) +0/0 -1/100 =0/0"}, []string{"+1.sst [1,3)", "-1.sst [1,3)"},
		},
	} {
		d := incremental.Diff(c.a, c.b)
		var parts, changed []string
		var kept, added, removed incremental.Volume
		sum := func(to *incremental.Volume, v incremental.Volume) { to.Files += v.Files; to.Bytes += v.Bytes }
		for _, p := range d.Parts {
			parts = append(parts, fmt.Sprintf("%s/%s/%v +%d/%d -%d/%d =%d/%d", p.Operator, p.State, p.Groups, p.Added.Files, p.Added.Bytes, p.Removed.Files, p.Removed.Bytes, p.Kept.Files, p.Kept.Bytes))
			sum(&kept, p.Kept)
			sum(&added, p.Added)
			sum(&removed, p.Removed)
		}
		for _, f := range d.Files {
			changed = append(changed, fmt.Sprintf("%s%s %v", map[bool]string{true: "+", false: "-"}[f.Added], f.Name, f.Groups))
		}
		if !slices.Equal(parts, c.parts) || !slices.Equal(changed, c.files) {
			t.Errorf("%s:\nparts %q\nwant  %q\nfiles %q\nwant  %q", name, parts, c.parts, changed, c.files)
		}
		if kept != d.Kept || added != d.Added || removed != d.Removed {
			t.Errorf("%s: the sums are %+v %+v %+v, the parts are %+v %+v %+v together", name, d.Kept, d.Added, d.Removed, kept, added, removed)
		}
	}
}
