package incremental

import (
	"maps"
	"slices"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// maxHistory bounds the handles that a backend remembers. One is needed for
// reuse, and one more for each checkpoint that is under way; the bound matters
// only where checkpoints keep failing.
const maxHistory = 16

// history holds the handles that one instance of a local store wrote or was
// restored from: those whose files it may reuse. Forgetting one is always
// safe, and costs a full upload at worst.
type history struct {
	handles   map[checkpoint.ID]*Handle
	base      checkpoint.ID // of the last barrier
	committed checkpoint.ID // the newest that commit was called for
}

// add remembers a handle.
func (y *history) add(h *Handle) {
	if y.handles == nil {
		y.handles = map[checkpoint.ID]*Handle{}
	}
	y.handles[h.Checkpoint] = h
	for _, id := range slices.Sorted(maps.Keys(y.handles)) {
		if len(y.handles) > maxHistory && id != y.base && id != y.committed && id != h.Checkpoint {
			delete(y.handles, id)
		}
	}
}

// barrier returns the handle of a barrier's base, nil where there is none.
// Barriers come in order and their bases only rise, so no older handle will be
// asked for again.
func (y *history) barrier(base checkpoint.ID) *Handle {
	if base > y.base {
		y.base = base
		maps.DeleteFunc(y.handles, func(id checkpoint.ID, _ *Handle) bool { return id < base })
	}
	return y.handles[base]
}

// commit learns that a checkpoint is committed: a barrier may name it as its
// base. One that is already on its way may still name an older one, which is
// why nothing is forgotten here.
func (y *history) commit(id checkpoint.ID) { y.committed = max(y.committed, id) }

// abort learns that a checkpoint will never be committed.
func (y *history) abort(id checkpoint.ID) {
	if id != y.base && id != y.committed {
		delete(y.handles, id)
	}
}
