package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// Head is the register of a job: which checkpoints exist, and which epoch leads. It
// is the only object of a job that ever changes, and changes by compare-and-swap
// only. incremental/FORMAT.md describes its bytes. Nothing sets fields that are
// reserved; every swap checks and keeps them. Of them, Restore may keep a
// start from leading (ErrCannotLead).
type Head struct {
	// Version rises by one with every write, so that no two heads are equal.
	Version uint64 `json:"version"`
	// Edit is new with every write. A writer that does not know the outcome of
	// its write recognizes it by the edit.
	Edit string `json:"edit"`
	Job  string `json:"job"`
	// Graph is the fingerprint of the job graph that the newest checkpoint was
	// taken of (checkpoint.Graph.Fingerprint). Empty: there was none yet.
	Graph  string           `json:"graph"`
	Epoch  checkpoint.Epoch `json:"epoch"`
	NextID checkpoint.ID    `json:"next_id"`
	// Writer is the nonce of the leader that took Epoch. Leader is the address of
	// its API, "host:port"; empty: it serves none.
	Writer string `json:"writer"`
	Leader string `json:"leader"`
	// Parallelism (reserved) is the parallelism that the last rescale asked for.
	// Zero: as the job says.
	Parallelism int `json:"parallelism"`
	// Stopped says that the job was stopped on purpose, and that nobody should start it
	// who was not told to: Options.Resume removes it. Nil: it may run.
	Stopped *Stopped `json:"stopped"`
	// Restore (reserved) is the last restore that was asked for and applied. Nil:
	// none.
	Restore *AppliedRestore `json:"restore"`
	// Policy is the job's retention. Nil: that of the leader's options, which puts it
	// here.
	Policy *RetentionPolicy `json:"policy"`
	// History (reserved) is the object that lists ended checkpoints. Nil: none.
	History *ObjectRef `json:"history"`
	// Retained are the committed checkpoints, by rising id.
	Retained   []Retained  `json:"retained"`
	Savepoints []Savepoint `json:"savepoints"` // by name; reserved
	Tags       []Tag       `json:"tags"`       // by name
	Pins       []Pin       `json:"pins"`       // by name
	// Claims are claims of other jobs on checkpoints of this one. Borrows
	// (reserved) are claims of this job on checkpoints of others. Both are sorted by
	// store, job and checkpoint.
	Claims  []Claim  `json:"claims"`
	Borrows []Borrow `json:"borrows"`
}

// Retained is a checkpoint that exists.
type Retained struct {
	ID        checkpoint.ID    `json:"id"`
	Epoch     checkpoint.Epoch `json:"epoch"`
	Base      checkpoint.ID    `json:"base"` // zero: none
	Kind      checkpoint.Kind  `json:"kind"`
	Triggered time.Time        `json:"triggered"`
	Created   time.Time        `json:"created"`
	// KeptBy says why retention kept it when head was last written: "newest",
	// "count", "base:43", "pin:release-3", …
	KeptBy    []string `json:"kept_by"`
	FullBytes int64    `json:"full_bytes"` // of all keyed state
	NewBytes  int64    `json:"new_bytes"`  // uploaded by this checkpoint
	// ManifestBytes and ManifestCRC32C are of the manifest's object, so that it
	// can be checked without being decoded.
	ManifestBytes  int64  `json:"manifest_bytes"`
	ManifestCRC32C uint32 `json:"manifest_crc32c"`
}

// Ref names a checkpoint.
type Ref = checkpoint.Ref

// manifestName returns the name of a checkpoint's manifest.
func manifestName(r Ref) string { return incremental.ManifestName(r.ID, r.Epoch) }

// Ref returns the name of the checkpoint.
func (r Retained) Ref() Ref { return Ref{ID: r.ID, Epoch: r.Epoch} }

// Pin keeps a checkpoint until somebody removes the pin, or until it ends: the
// first commit after Until removes it.
type Pin struct {
	Name       string        `json:"name"`
	Checkpoint checkpoint.ID `json:"checkpoint"`
	Reason     string        `json:"reason"`
	Made       time.Time     `json:"made"`
	Until      time.Time     `json:"until,omitzero"` // zero: no end
}

// Tag names a checkpoint, and keeps it as a pin does.
type Tag = Pin

// Stopped says that a job was stopped on purpose, and from what it should resume.
type Stopped struct {
	Checkpoint checkpoint.ID `json:"checkpoint"`         // retained; zero: none
	Savepoint  string        `json:"savepoint,omitzero"` // its name; empty: none
	// Drained: the input ended for the operators (windows fired, timers ran)
	// before the checkpoint was taken.
	Drained bool      `json:"drained"`
	Reason  string    `json:"reason"`
	Made    time.Time `json:"made"`
}

// AppliedRestore says that a start was asked to restore a certain checkpoint, and
// did so. If a supervisor repeats that start, the job then resumes from its newest
// checkpoint instead of the same one again.
type AppliedRestore struct {
	// Request is what was asked for: "none", an id, or the URL of a checkpoint
	// or savepoint.
	Request string           `json:"request"`
	Epoch   checkpoint.Epoch `json:"epoch"` // of the leader that applied it
	Made    time.Time        `json:"made"`
}

// ObjectRef names an object of the job's store and its content.
type ObjectRef struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	CRC32C uint32 `json:"crc32c"`
}

// Savepoint is a complete copy of a job's state that retention never drops.
type Savepoint struct {
	Name       string           `json:"name"`
	Format     SavepointFormat  `json:"format"`
	Checkpoint checkpoint.ID    `json:"checkpoint"` // the id that it was taken under
	Epoch      checkpoint.Epoch `json:"epoch"`
	// Place is where it lies: "savepoints/<name>/" in the job's store, or a URL.
	Place  string    `json:"place"`
	Bytes  int64     `json:"bytes"` // of all of its objects
	Reason string    `json:"reason"`
	Made   time.Time `json:"made"`
}

// SavepointFormat says how the state of a savepoint is written.
type SavepointFormat string

// The formats of savepoints.
const (
	NativeSavepoint   SavepointFormat = "native"   // the files of the backend
	PortableSavepoint SavepointFormat = "portable" // keys and values, whatever the backend
)

// ClaimMode says what a job may do with another job's checkpoint.
type ClaimMode string

// The modes of claims.
const (
	ClaimShare ClaimMode = "share" // read it; its owner keeps it meanwhile
	ClaimOwn   ClaimMode = "claim" // it belongs to the claiming job, which may delete it
)

// Claim keeps a checkpoint of this job for another job that uses its objects.
type Claim struct {
	Store      string        `json:"store"` // URL of the other job's store; empty: as this job's
	Job        string        `json:"job"`
	Checkpoint checkpoint.ID `json:"checkpoint"` // of this job
	Mode       ClaimMode     `json:"mode"`
	Reason     string        `json:"reason"`
	Made       time.Time     `json:"made"`
}

// Borrow is a claim of this job on a checkpoint of another one.
type Borrow struct {
	Store      string           `json:"store"` // URL of the other job's store; empty: as this job's
	Job        string           `json:"job"`
	Checkpoint checkpoint.ID    `json:"checkpoint"` // of the other job
	Epoch      checkpoint.Epoch `json:"epoch"`
	Mode       ClaimMode        `json:"mode"`
	Made       time.Time        `json:"made"`
}

// ErrCannotLead: head asks for what this start does not do, or no start of this program.
var ErrCannotLead = errors.New("this start cannot follow what head says")

// resumable reports whether a start may remove what head h says of a stop: the job goes
// on from its newest checkpoint, as every start does.
func (s *Stopped) resumable(h Head) bool {
	return s != nil && s.Savepoint == "" && !s.Drained && (s.Checkpoint == 0 || s.Checkpoint == h.newest())
}

// sameStop reports whether both heads say the same of a stop.
func (h Head) sameStop(o Head) bool {
	return h.Stopped != nil && o.Stopped != nil && *h.Stopped == *o.Stopped
}

// obeyed returns an error that wraps ErrCannotLead, and names what it is, where
// whoever leads the job must do what this program does not do yet.
func (h Head) obeyed() error {
	switch {
	case h.Stopped != nil:
		return fmt.Errorf("head says that the job was stopped at checkpoint %d (%.200q): %w", h.Stopped.Checkpoint, h.Stopped.Reason, ErrCannotLead)
	case h.Policy != nil && h.Policy.OnFinish == SurviveNone:
		return fmt.Errorf("head's retention keeps nothing of a finished job: %w", ErrCannotLead)
	}
	return nil
}

// restorable returns an error that wraps ErrCannotLead where a choice of what to
// restore may have been applied already, as only a newer program can tell.
func (h Head) restorable(r Restore) error {
	if h.Restore == nil || r == RestoreLatest() {
		return nil
	}
	return fmt.Errorf("head says that the restore of %.200q was applied in epoch %d, so whether %v was is not known: %w: restore the latest checkpoint", h.Restore.Request, h.Restore.Epoch, r, ErrCannotLead)
}

// newest is the id of the newest retained checkpoint; zero: none.
func (h Head) newest() checkpoint.ID { return newestOf(h.Retained) }

func newestOf(retained []Retained) checkpoint.ID {
	if n := len(retained); n > 0 {
		return retained[n-1].ID
	}
	return 0
}

// find returns the retained checkpoint with the id.
func (h Head) find(id checkpoint.ID) (Retained, bool) {
	i := slices.IndexFunc(h.Retained, func(r Retained) bool { return r.ID == id })
	if i < 0 {
		return Retained{}, false
	}
	return h.Retained[i], true
}

// has reports whether head retains exactly this checkpoint.
func (h Head) has(ref Ref) bool {
	r, ok := h.find(ref.ID)
	return ok && r.Epoch == ref.Epoch
}

// refs lists the retained checkpoints.
func (h Head) refs() []Ref {
	refs := make([]Ref, len(h.Retained))
	for i, r := range h.Retained {
		refs[i] = r.Ref()
	}
	return refs
}

// ids renders the retained ids for a message.
func (h Head) ids() string {
	if len(h.Retained) == 0 {
		return "none"
	}
	var s []string
	for _, r := range h.Retained {
		s = append(s, r.ID.String())
	}
	return strings.Join(s, ", ")
}
