package incremental

import (
	"cmp"
	"slices"
)

// LocalFile is a file of a snapshot on the local disk.
type LocalFile struct {
	Name      string
	Size      int64
	Immutable bool // see File
}

// PlanOptions trade uploading little against storing little. The zero value of a field
// means its default.
type PlanOptions struct {
	// MinLiveShare is the least share, from 0 to 1, of an object's adopted bytes
	// (Object.Adopted) that must be live for a checkpoint to reuse the object. If
	// less is live, the live files are uploaded again, so that the object can be
	// deleted. So the objects of a checkpoint hold at most 1/MinLiveShare times the
	// bytes that it refers to, and at most MinLiveShare/(1-MinLiveShare) bytes are
	// uploaded again for each byte that died. Default 0.5.
	MinLiveShare float64
	// ObjectBytes is the size that small files are packed to. A file of half
	// of it or more has an object of its own. Default 64 MiB.
	ObjectBytes int64
}

func (o PlanOptions) withDefaults() PlanOptions {
	o.MinLiveShare = cmp.Or(o.MinLiveShare, 0.5)
	o.ObjectBytes = cmp.Or(o.ObjectBytes, 64<<20)
	return o
}

// UploadPlan says how the files of a snapshot get into a checkpoint. Each is in
// exactly one of the two lists, both sorted by name.
type UploadPlan struct {
	Reuse  []File      // the store has these
	Upload []LocalFile // these must be uploaded
}

// Plan compares a snapshot with a handle that the same instance of the local
// store wrote or was restored from; nil: reuse nothing. Only immutable files
// are reused, by name and size. Pure.
func Plan(base *Handle, current []LocalFile, o PlanOptions) UploadPlan {
	o = o.withDefaults()
	there := map[string]File{}
	size := map[string]int64{} // adopted
	if base != nil {
		for _, f := range base.Files {
			if f.Immutable {
				there[f.Name] = f
			}
		}
		for _, ob := range base.Objects {
			size[ob.Name] = ob.Adopted
		}
	}
	alive := map[string]int64{} // bytes still referred to, by object
	reusable := func(c LocalFile) (File, bool) {
		f, ok := there[c.Name]
		return f, ok && c.Immutable && f.Ref.Length == c.Size
	}
	for _, c := range current {
		if f, ok := reusable(c); ok {
			alive[f.Ref.Object] += f.Ref.Length
		}
	}
	var p UploadPlan
	for _, c := range current {
		f, ok := reusable(c)
		if ok && float64(alive[f.Ref.Object]) >= o.MinLiveShare*float64(size[f.Ref.Object]) {
			p.Reuse = append(p.Reuse, f)
		} else {
			p.Upload = append(p.Upload, c)
		}
	}
	slices.SortFunc(p.Reuse, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(p.Upload, compareNames)
	return p
}

func compareNames(a, b LocalFile) int { return cmp.Compare(a.Name, b.Name) }
