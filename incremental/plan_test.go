package incremental_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/incremental"
)

// drawBase draws a handle of packed objects, some with bytes that nothing
// refers to.
func drawBase(t *rapid.T) *incremental.Handle {
	h := &incremental.Handle{}
	number := 0
	for i := range rapid.IntRange(0, 4).Draw(t, "objects") {
		o := incremental.Object{Name: objectName(7, uint64(i))}
		for range rapid.IntRange(1, 6).Draw(t, "files") {
			size := rapid.Int64Range(0, 100).Draw(t, "size")
			h.Files = append(h.Files, incremental.File{
				Name: fmt.Sprintf("%06d.sst", number), Immutable: rapid.IntRange(0, 9).Draw(t, "kind") > 0,
				Ref: incremental.FileRef{Object: o.Name, Offset: o.Size, Length: size},
			})
			o.Size += size
			number++
		}
		o.Adopted = o.Size
		o.Size += rapid.Int64Range(0, 100).Draw(t, "dead")
		h.Objects = append(h.Objects, o)
	}
	incremental.SortHandle(h)
	return h
}

func drawFiles(t *rapid.T) []incremental.LocalFile {
	numbers := rapid.SliceOfNDistinct(rapid.IntRange(0, 30), 0, 25, rapid.ID[int]).Draw(t, "numbers")
	var files []incremental.LocalFile
	for _, n := range numbers {
		files = append(files, incremental.LocalFile{
			Name: fmt.Sprintf("%06d.sst", n), Size: rapid.Int64Range(0, 100).Draw(t, "size"), Immutable: rapid.IntRange(0, 4).Draw(t, "kind") > 0,
		})
	}
	return files
}

// I1, I7: every file is uploaded or reused, never both; only what is immutable
// and has name and size of an immutable file of the base is reused; and objects
// that are mostly dead are given up.
func TestPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := drawBase(t)
		current := drawFiles(t)
		for i, f := range base.Files { // make matches likely
			if j := slices.IndexFunc(current, func(c incremental.LocalFile) bool { return c.Name == f.Name }); j >= 0 && i%4 > 0 {
				current[j].Size = f.Ref.Length
			}
		}
		o := incremental.PlanOptions{MinLiveShare: rapid.Float64Range(0.1, 1).Draw(t, "share")}
		plan := incremental.Plan(base, current, o)

		sizes := map[string]int64{}
		for _, c := range current {
			sizes[c.Name] = c.Size
		}
		seen := map[string]bool{}
		for _, u := range plan.Upload {
			if seen[u.Name] || u.Size != sizes[u.Name] {
				t.Fatalf("uploads %+v", u)
			}
			seen[u.Name] = true
		}
		alive, objectSize := map[string]int64{}, map[string]int64{}
		for _, ob := range base.Objects {
			objectSize[ob.Name] = ob.Adopted
		}
		for _, r := range plan.Reuse {
			i := slices.Index(base.Files, r)
			if seen[r.Name] || i < 0 || !r.Immutable || r.Ref.Length != sizes[r.Name] {
				t.Fatalf("reuses %+v", r)
			}
			seen[r.Name] = true
			alive[r.Ref.Object] += r.Ref.Length
		}
		if len(seen) != len(current) {
			t.Fatalf("%d files planned of %d", len(seen), len(current))
		}
		for ob, n := range alive {
			if float64(n) < o.MinLiveShare*float64(objectSize[ob]) {
				t.Fatalf("reuses %d of %d bytes of %s, less than %v", n, objectSize[ob], ob, o.MinLiveShare)
			}
		}
		shuffled := rapid.Permutation(current).Draw(t, "order")
		if diff := cmp.Diff(plan, incremental.Plan(base, shuffled, o)); diff != "" {
			t.Fatalf("another order of files gives another plan:\n%s", diff)
		}
		if p := incremental.Plan(nil, current, o); len(p.Reuse) > 0 || len(p.Upload) != len(current) {
			t.Fatalf("without a base: %+v", p)
		}
	})
}

// I7: a file is reused only if it was immutable and is, and has the same size.
func TestPlanReusesImmutableFilesOnly(t *testing.T) {
	for _, was := range []bool{true, false} {
		for _, is := range []bool{true, false} {
			for _, size := range []int64{9, 10, 11} {
				base := &incremental.Handle{
					Files:   []incremental.File{{Name: "f", Immutable: was, Ref: incremental.FileRef{Object: "o", Length: 10}}},
					Objects: []incremental.Object{{Name: "o", Size: 10, Adopted: 10}},
				}
				plan := incremental.Plan(base, []incremental.LocalFile{{Name: "f", Size: size, Immutable: is}}, incremental.PlanOptions{})
				if reuses := len(plan.Reuse) == 1; reuses != (was && is && size == 10) || len(plan.Upload)+len(plan.Reuse) != 1 {
					t.Errorf("it was immutable: %v, is: %v, and has %d of 10 bytes: %+v", was, is, size, plan)
				}
			}
		}
	}
}

// What is unchanged is not uploaded, however it is packed.
func TestPlanReusesAllOfAnUnchangedSnapshot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := drawBase(t)
		for i := range base.Objects {
			base.Objects[i].Size = 0 // no dead bytes
		}
		var current []incremental.LocalFile
		for i, f := range base.Files {
			base.Files[i].Immutable = true
			current = append(current, incremental.LocalFile{Name: f.Name, Size: f.Ref.Length, Immutable: true})
		}
		if p := incremental.Plan(base, current, incremental.PlanOptions{MinLiveShare: 1}); len(p.Upload) > 0 {
			t.Fatalf("uploads %+v", p.Upload)
		}
	})
}

// Every file is in exactly one object; objects are few, and no greater than
// they may be; what dies soon is a small part of an object, or apart.
func TestPack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		files := drawFiles(t)
		const target = 128
		objects := incremental.Pack(files, incremental.PlanOptions{ObjectBytes: target})
		var got []incremental.LocalFile
		var total int64
		for _, o := range objects {
			var lasting, passing int64
			large := 0
			for _, f := range o {
				if f.Immutable {
					lasting += f.Size
					if f.Size >= target/2 {
						large++
					}
				} else {
					passing += f.Size
				}
			}
			if len(o) == 0 || lasting > target || large > 1 || large == 1 && lasting != slices.MaxFunc(o, func(a, b incremental.LocalFile) int { return int(a.Size - b.Size) }).Size {
				t.Fatalf("object %+v", o)
			}
			if lasting > 0 && passing*8 > lasting || lasting == 0 && passing > target {
				t.Fatalf("%d bytes that die soon beside %d that last: %+v", passing, lasting, o)
			}
			got = append(got, o...)
			total += lasting + passing
		}
		byName := func(a, b incremental.LocalFile) int {
			return len(a.Name) - len(b.Name) + slices.Compare([]byte(a.Name), []byte(b.Name))
		}
		slices.SortFunc(got, byName)
		slices.SortFunc(files, byName)
		if !slices.Equal(got, files) {
			t.Fatalf("packed %+v, want %+v", got, files)
		}
		if most := 4 + 4*total/target; int64(len(objects)) > most {
			t.Fatalf("%d objects for %d bytes", len(objects), total)
		}
	})
}

// A checkpoint of a state that changes little is one request or two.
func TestPackUsuallyIsOneOrTwoObjects(t *testing.T) {
	file := func(name string, size int64, immutable bool) incremental.LocalFile {
		return incremental.LocalFile{Name: name, Size: size, Immutable: immutable}
	}
	meta := []incremental.LocalFile{file("CURRENT", 16, false), file("MANIFEST-000004", 60_000, false)}
	for name, c := range map[string]struct {
		files []incremental.LocalFile
		want  int
	}{
		"nothing new":     {meta, 1},
		"some new files":  {append(slices.Clone(meta), file("000010.sst", 400_000, true), file("000011.sst", 300_000, true)), 1},
		"a tiny new file": {append(slices.Clone(meta), file("000010.sst", 2000, true)), 2},
		"none":            {nil, 0},
	} {
		if got := incremental.Pack(c.files, incremental.PlanOptions{}); len(got) != c.want {
			t.Errorf("%s: %d objects, want %d: %v", name, len(got), c.want, got)
		}
	}
}

// I1, I10: reads cover every file exactly, in order, and stay near what was
// asked for.
func TestPlanFetches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawBase(t)
		scale := rapid.Int64Range(1, 2<<20).Draw(t, "scale")
		for i := range h.Files {
			h.Files[i].Ref.Offset *= scale
			h.Files[i].Ref.Length *= scale
		}
		keep := slices.DeleteFunc(slices.Clone(h.Files), func(incremental.File) bool { return rapid.Bool().Draw(t, "dropped") })
		want := map[string]bool{}
		var asked int64
		for _, f := range keep {
			want[f.Name] = true
			asked += f.Ref.Length
		}
		var read int64
		for _, f := range incremental.PlanFetches(keep) {
			read += f.Length
			at := f.Offset
			for _, file := range f.Files {
				if file.Ref.Object != f.Object || file.Ref.Offset < at || file.Ref.Offset+file.Ref.Length > f.Offset+f.Length {
					t.Fatalf("%+v does not lie in order in %+v", file, f)
				}
				at = file.Ref.Offset + file.Ref.Length
				delete(want, file.Name)
			}
		}
		if len(want) > 0 {
			t.Fatalf("never read: %v", slices.Collect(maps.Keys(want)))
		}
		if read > asked+int64(len(keep))*(256<<10) {
			t.Fatalf("reads %d bytes for %d", read, asked)
		}
	})
}

// I12: a read is no longer than its bound, however near the files lie, unless one
// file is; and what few bytes lie between two files are read with them.
func TestFetchesAreBounded(t *testing.T) {
	const mib = 1 << 20
	file := func(name string, offset, length int64) incremental.File {
		return incremental.File{Name: name, Ref: incremental.FileRef{Object: "o", Offset: offset, Length: length}}
	}
	for name, c := range map[string]struct {
		files []incremental.File
		reads int
	}{
		"within the bound": {[]incremental.File{file("a", 100*mib, 32*mib), file("b", 132*mib+64<<10, 31*mib)}, 1},
		"beyond the bound": {[]incremental.File{file("a", 100*mib, 32*mib), file("b", 132*mib+64<<10, 33*mib)}, 2},
		"one long file":    {[]incremental.File{file("a", 100*mib, 100*mib)}, 1},
		"a small gap":      {[]incremental.File{file("a", 100*mib, mib), file("b", 101*mib+200<<10, mib)}, 1},
		"a larger gap":     {[]incremental.File{file("a", 100*mib, mib), file("b", 101*mib+300<<10, mib)}, 2},
	} {
		if got := incremental.PlanFetches(c.files); len(got) != c.reads {
			t.Errorf("%s: %d reads, want %d", name, len(got), c.reads)
		}
	}
}
