package coordinator

import (
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

// RestoreNone starts empty. Checkpoints that are there stay until retention
// drops them, and ids go on.
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
