package coordinator

import (
	"slices"
	"strings"

	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// scope says which checkpoints are dead, as of the moment of its decision:
// those of epochs before epoch, which can commit nothing any more; and those of
// epoch itself with an id below next that are not spared. Checkpoints that
// start later have greater ids, so a scope stays true while its sweep waits.
type scope struct {
	epoch  checkpoint.Epoch
	next   checkpoint.ID // zero: none of epoch itself
	spared []Ref         // pending, or their commit is in doubt
}

// dead reports whether a checkpoint that is not in head can never be.
func (s scope) dead(r Ref) bool {
	return r.Epoch < s.epoch || r.Epoch == s.epoch && r.ID < s.next && !slices.Contains(s.spared, r)
}

// deadBefore is the scope of a process that does not lead: epochs before the
// one in head.
func deadBefore(e checkpoint.Epoch, r rules) scope {
	if !r.on(deadEpochsOnly) {
		e++
	}
	return scope{epoch: e}
}

// verdict is what a sweep does about an object.
type verdict uint8

const (
	spare    verdict = iota
	doom             // it can be deleted
	stranger         // not an object of the job: a person has to look at it
)

// judge decides about an object that a listing shows. An object is doomed only if a
// dead checkpoint wrote it and no kept one reaches it.
func judge(name string, kept func(object string) bool, dead scope) verdict {
	if name == incremental.HeadName || strings.HasPrefix(name, incremental.SavepointPrefix) {
		return spare
	}
	if name == incremental.CopyMarkName {
		return doom // a copy has a head once it is finished
	}
	if _, ok := history.ParseName(name); ok {
		return spare // but see histories
	}
	ref, ok := owner(name)
	switch {
	case !ok:
		return stranger
	case kept(name) || !dead.dead(ref):
		return spare
	}
	return doom
}

// histories compares the histories that a listing shows: all but the newest are
// garbage, whoever wrote them.
type histories struct{ newest upload.Info }

// lesser returns the lesser of this object and the newest history so far; false if there
// is none.
func (h *histories) lesser(o upload.Info) (upload.Info, bool) {
	n, ok := history.ParseName(o.Name)
	if !ok {
		return upload.Info{}, false
	}
	if was, _ := history.ParseName(h.newest.Name); n.Compare(was) > 0 {
		o, h.newest = h.newest, o
	}
	return o, o.Name != ""
}

// owner returns the checkpoint that an object was written for.
func owner(name string) (Ref, bool) {
	if id, e, ok := incremental.ParseManifestName(name); ok {
		return Ref{ID: id, Epoch: e}, true
	}
	n, ok := incremental.ParseObjectName(name)
	return Ref{ID: n.Checkpoint, Epoch: n.Epoch}, ok
}
