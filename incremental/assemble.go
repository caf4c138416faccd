package incremental

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/tidemark/tidemark/engine/state"
)

// Put is an object in the store, and the files that lie in it.
type Put struct {
	Object Object
	Files  []File
}

// Assemble fills in h's files, those of base that are reused and those that were put,
// and the objects in which they lie. base may be nil if nothing is reused.
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

// describe fills in the local store's description of the snapshot: each state lies in
// one column, which is a shard with the handle's range.
func (h *Handle) describe(c state.Contents) {
	h.Backend = BackendInfo{Name: c.Store, Version: c.Version, Format: c.Format}
	for _, column := range c.Columns {
		_, known := slices.BinarySearchFunc(h.States, column.State, func(d state.Descriptor, name string) int { return cmp.Compare(d.Name, name) })
		if known { // a column that was made since the snapshot is empty in it
			h.Shards = append(h.Shards, Shard{State: column.State, Column: column.Name, Groups: h.Range})
		}
	}
	tables := make(map[string]state.TableFile, len(c.Tables))
	for _, t := range c.Tables {
		tables[t.Name] = t
	}
	for i := range h.Files {
		f := &h.Files[i]
		t, ok := tables[f.Name]
		if !ok {
			continue
		}
		// A file that is reused keeps its description, and handles share it.
		if now := NewTable(t); f.Table == nil || !reflect.DeepEqual(*f.Table, *now) {
			f.Table = now
		}
	}
	sortHandle(h)
}
