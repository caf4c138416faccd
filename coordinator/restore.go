package coordinator

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Restore chooses the checkpoint that a job starts from. The zero value is the
// newest committed one, or none where there is none.
type Restore struct {
	empty bool
	id    checkpoint.ID
}

// RestoreLatest starts from the newest committed checkpoint.
func RestoreLatest() Restore { return Restore{} }

// RestoreNone starts empty. Existing checkpoints stay until retention drops them, and
// ids go on rising.
func RestoreNone() Restore { return Restore{empty: true} }

// RestoreID starts from a retained checkpoint; id must not be zero.
func RestoreID(id checkpoint.ID) Restore { return Restore{id: id} }

// ParseRestore parses what Restore.String renders: "latest", "none" or an id.
func ParseRestore(s string) (Restore, error) {
	switch s {
	case "latest":
		return RestoreLatest(), nil
	case "none":
		return RestoreNone(), nil
	}
	id, err := strconv.ParseUint(s, 10, 64)
	if err != nil || id == 0 {
		return Restore{}, fmt.Errorf("restore choice %q: give latest, none, or the id of a retained checkpoint", s)
	}
	return RestoreID(checkpoint.ID(id)), nil
}

// String renders the choice as ParseRestore reads it.
func (r Restore) String() string {
	switch {
	case r.empty:
		return "none"
	case r.id != 0:
		return r.id.String()
	}
	return "latest"
}

// ErrNotRetained: head does not have the checkpoint, or has it no longer.
var ErrNotRetained = errors.New("it is not retained")

// choose returns the checkpoint that the choice means, false for none.
func (h Head) choose(r Restore) (Ref, bool, error) {
	if r.id != 0 {
		c, ok := h.find(r.id)
		if !ok {
			return Ref{}, false, fmt.Errorf("%w: restore checkpoint %d: %w; retained checkpoints: %s", checkpoint.ErrUnrestorable, r.id, ErrNotRetained, h.ids())
		}
		return c.Ref(), true, nil
	}
	if r.empty || len(h.Retained) == 0 {
		return Ref{}, false, nil
	}
	return h.Retained[len(h.Retained)-1].Ref(), true, nil
}

func unreadable(e manifestRead, h Head) error {
	return fmt.Errorf("restore checkpoint %d: %w; nothing was deleted; retained checkpoints to choose from: %s", e.ref.ID, e.err, h.ids())
}
