package incremental

import "slices"

// Put is an object in the store, and the files that lie in it.
type Put struct {
	Object Object
	Files  []File
}

// Assemble fills h with the files of base that are reused and with those that
// were put, and with the objects in which they lie. base may be nil if nothing
// is reused.
func (h *Handle) Assemble(base *Handle, reused []File, put []Put) {
	h.Files = slices.Clone(reused)
	used := map[string]bool{}
	for _, f := range reused {
		used[f.Ref.Object] = true
	}
	if base != nil {
		for _, o := range base.Objects {
			if used[o.Name] {
				h.Objects = append(h.Objects, o)
			}
		}
	}
	for _, p := range put {
		h.Objects = append(h.Objects, p.Object)
		h.Files = append(h.Files, p.Files...)
		h.Uploaded += p.Object.Size
	}
	sortHandle(h)
}
