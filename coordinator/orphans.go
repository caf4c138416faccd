package coordinator

import (
	"slices"
	"strings"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// savepointPrefix is where self-contained savepoints lie: never swept.
const savepointPrefix = "savepoints/"

// orphans picks from a listing of a job's store what can be deleted: objects
// that are not kept and belong to checkpoints that are dead, which means that
// they can never be committed any more. Manifests come first. Unknown names
// are nobody's to delete, and are returned for a person to look at.
func orphans(listing []string, kept func(object string) bool, dead func(Ref) bool) (doomed, unknown []string) {
	var data []string
	for _, name := range listing {
		if name == incremental.HeadName || strings.HasPrefix(name, savepointPrefix) {
			continue
		}
		ref, ok := owner(name)
		switch {
		case !ok:
			unknown = append(unknown, name)
		case kept(name) || !dead(ref):
		case strings.HasPrefix(name, incremental.ManifestPrefix):
			doomed = append(doomed, name)
		default:
			data = append(data, name)
		}
	}
	return append(doomed, data...), unknown
}

// owner returns the checkpoint that an object was written for.
func owner(name string) (Ref, bool) {
	if id, e, ok := incremental.ParseManifestName(name); ok {
		return Ref{ID: id, Epoch: e}, true
	}
	n, ok := incremental.ParseObjectName(name)
	return Ref{ID: n.Checkpoint, Epoch: n.Epoch}, ok
}

// deadBefore tells that no epoch before this one can commit anything: this one
// is in head.
func deadBefore(e checkpoint.Epoch, r rules) func(Ref) bool {
	return func(ref Ref) bool { return ref.Epoch < e || !r.on(deadEpochsOnly) }
}

// deadAtEnd tells, for the leader of an epoch that will start no checkpoint
// any more, that only those that are pending can still be committed.
func deadAtEnd(e checkpoint.Epoch, pending []Ref) func(Ref) bool {
	return func(ref Ref) bool { return ref.Epoch <= e && !slices.Contains(pending, ref) }
}
