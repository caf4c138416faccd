package crash

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// readHead returns the zero head where there is none yet.
func readHead(ctx context.Context, job upload.Reader) (coordinator.Head, error) {
	h, _, err := coordinator.ReadHead(ctx, job)
	if errors.Is(err, upload.ErrNotExist) {
		return coordinator.Head{}, nil
	}
	return h, err
}

// damage reads everything that the retained checkpoints reach, and lists what
// differs from their manifests (I1).
func damage(ctx context.Context, job upload.Reader, h coordinator.Head) ([]string, error) {
	var found []string
	for _, c := range h.Retained {
		m, err := incremental.ReadManifest(ctx, job, c.ID, c.Epoch)
		if err != nil {
			found = append(found, fmt.Sprintf("store: manifest of retained checkpoint %v: %v", c.ID, err))
			continue
		}
		report, err := incremental.Verify(ctx, job, m, incremental.VerifyOptions{})
		if err != nil {
			return nil, err
		}
		for _, d := range report.Damaged {
			found = append(found, fmt.Sprintf("store: checkpoint %v: %s: %v", c.ID, d.Object, d.Err))
		}
	}
	return found, nil
}

// surplus compares a job's store with what is reachable (I5). No process of the job
// may run.
func surplus(ctx context.Context, job upload.Store) ([]string, error) {
	reachable, err := coordinator.Reachable(ctx, job)
	if err != nil {
		return nil, err
	}
	names, err := list(ctx, job)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range names {
		if _, ok := reachable[name]; !ok && name != incremental.HeadName {
			found = append(found, "store: nothing reaches "+name)
		}
		delete(reachable, name)
	}
	for _, name := range slices.Sorted(maps.Keys(reachable)) {
		found = append(found, "store: there is no "+name)
	}
	for name, err := range job.Uploads(ctx, "") {
		if err != nil {
			return nil, err
		}
		found = append(found, "store: unfinished upload of "+name)
	}
	return found, nil
}

func list(ctx context.Context, job upload.Reader) ([]string, error) {
	var names []string
	for info, err := range job.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		names = append(names, info.Name)
	}
	return names, nil
}

// backwards says how head went back (I7); empty: it did not.
func backwards(before, now coordinator.Head) (found []string) {
	if now.Version < before.Version {
		found = append(found, fmt.Sprintf("store: head's version went from %d back to %d", before.Version, now.Version))
	}
	if now.Epoch < before.Epoch {
		found = append(found, fmt.Sprintf("store: head's epoch went from %d back to %d", before.Epoch, now.Epoch))
	}
	if newest(now).ID < newest(before).ID {
		found = append(found, fmt.Sprintf("store: the newest checkpoint went from %d back to %d", newest(before).ID, newest(now).ID))
	}
	return found
}

// newest returns the newest committed checkpoint, zero if there is none.
func newest(h coordinator.Head) coordinator.Retained {
	if len(h.Retained) == 0 {
		return coordinator.Retained{}
	}
	return h.Retained[len(h.Retained)-1]
}

// Phases in which a process was killed, as store and output show.
const (
	PhaseStartUp = "start-up" // it did not lead yet
	PhaseFirst   = "first"    // it led, and had uploaded nothing: restoring, or before the first checkpoint
	PhaseUpload  = "upload"   // objects were stored for a checkpoint that has no manifest
	PhaseCommit  = "commit"   // a manifest was stored that head does not have
	PhasePublish = "publish"  // a checkpoint was committed, its output not all published
	PhaseProcess = "process"  // in between
	PhaseEnd     = "end"      // the final checkpoint was committed and published
)

// Phases lists the phases in the order in which a process goes through them.
func Phases() []string {
	return []string{PhaseStartUp, PhaseFirst, PhaseProcess, PhaseUpload, PhaseCommit, PhasePublish, PhaseEnd}
}

// sight is what is seen after a kill.
type sight struct {
	before, head coordinator.Head // before is of the start of the process
	objects      []string
	published    published
	// parts is how many parts a committed checkpoint publishes if it publishes
	// any; zero: only the final one does.
	parts int
}

// phase returns the phase in which the process was.
func (s sight) phase() string {
	if s.head.Epoch == s.before.Epoch {
		return PhaseStartUp
	}
	last := newest(s.head)
	committed, final := last.Epoch == s.head.Epoch, last.Kind == checkpoint.Final
	if committed && len(s.published.pending) > 0 && (final || s.published.parts[uint64(last.ID)] < s.parts) {
		return PhasePublish
	}
	manifest, data := false, false
	for _, name := range s.objects {
		if id, e, ok := incremental.ParseManifestName(name); ok && e == s.head.Epoch && id > last.ID {
			manifest = true
		}
		if n, ok := incremental.ParseObjectName(name); ok && n.Epoch == s.head.Epoch && n.Checkpoint > last.ID {
			data = true
		}
	}
	switch {
	case manifest:
		return PhaseCommit
	case data:
		return PhaseUpload
	case final:
		return PhaseEnd
	case committed:
		return PhaseProcess
	}
	return PhaseFirst
}
