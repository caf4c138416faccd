package coordinator

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// DefaultHeadVersions is how long a sweep keeps versions of head that were overwritten:
// they are the way back after head was lost.
const DefaultHeadVersions = 30 * 24 * time.Hour

// ErrVersions: a server lists versions in a way that does not tell what is current.
var ErrVersions = fmt.Errorf("a listing of versions that cannot be believed: %w", upload.ErrUnsupported)

// SweptVersions is what a sweep found in a store that keeps what is overwritten or deleted.
type SweptVersions struct {
	// Unlisted is why versions were not looked for, though the store may have some: the
	// permission is missing, or the server does not list them. Nil: they were.
	Unlisted error
	Listed   int // versions, current ones included, in all listings
	// What is deleted, unless it was a dry run:
	Old      Amount // versions of data, manifests and history that are not current
	OldHeads Amount // versions of head that were overwritten longer ago than head's versions are kept
	Markers  Amount // delete markers below which no version is left
	// What stays:
	Heads  Amount // younger versions of head
	Needed Amount // versions that are not current of objects that a retained checkpoint reaches
}

// versionFate is what a sweep does with a version.
type versionFate uint8

const (
	versionStays  versionFate = iota // it is current, or not the job's
	versionNeeded                    // as SweptVersions says, and so are the next ones
	versionHead
	versionOld
	versionOldHead
	versionMarker
)

// doomed reports whether the version is to be deleted.
func (f versionFate) doomed() bool { return f >= versionOld }

// versionRules say which versions are doomed.
type versionRules struct {
	kept       func(object string) bool // a retained checkpoint reaches it
	headsSince time.Time                // versions of head that were overwritten before it are doomed
	applied    bool                     // a delete marker is doomed once no version is below it, not once none is to stay
}

// judgeVersions decides about each version of a listing. It yields a delete marker that is
// current behind the versions below it.
//
// A version that is not current is never what a reader finds, and deleting it never changes
// what is current. So this needs no epochs. Versions of what a retained checkpoint reaches
// are spared nevertheless: if the object was deleted by mistake, they are the way back.
func judgeVersions(versions iter.Seq2[upload.Version, error], r versionRules, yield func(upload.Version, versionFate)) error {
	var above upload.Version  // the version before, of the same name
	var marker upload.Version // current; no name: none
	below := false            // something stays below it
	end := func() {
		if fate := versionMarker; marker.Name != "" {
			if below || !sweepable(marker.Name) || r.kept(marker.Name) {
				fate = versionStays
			}
			yield(marker, fate)
		}
		marker, below = upload.Version{}, false
	}
	for v, err := range versions {
		if err != nil {
			return err
		}
		if v.Name != above.Name {
			end()
			above = upload.Version{}
		}
		if first := above.Name == ""; v.Current != first || !v.Current && v.ID == "" {
			return fmt.Errorf("%s: %w: its newest version is not the one that the server calls the latest, or one has no id: no version is deleted", v.Name, ErrVersions)
		}
		if v.Current && v.Marker {
			marker = v
		} else {
			fate := r.judge(v, above.Modified)
			below = below || r.applied || !fate.doomed()
			yield(v, fate)
		}
		above = v
	}
	end()
	return nil
}

// judge decides about a version that is no current delete marker, and that was overwritten
// at a time.
func (r versionRules) judge(v upload.Version, overwritten time.Time) versionFate {
	switch {
	case v.Current || !sweepable(v.Name):
		return versionStays
	case v.Name == incremental.HeadName && overwritten.Before(r.headsSince):
		return versionOldHead
	case v.Name == incremental.HeadName:
		return versionHead
	case r.kept(v.Name):
		return versionNeeded
	}
	return versionOld
}

// sweepable reports whether a name is one whose old versions nobody needs: head, history,
// the mark of a copy, and what checkpoints have written. Savepoints are complete in
// themselves, and so are their versions.
func sweepable(name string) bool {
	_, data := owner(name)
	_, past := history.ParseName(name)
	return data || past || name == incremental.HeadName || name == incremental.CopyMarkName
}

// versionsAtOnce bounds the versions that are found before they are deleted.
const versionsAtOnce = 100_000

// sweepVersions looks for versions that nobody needs, and deletes them unless o says that
// it is a dry run: as many as fit into memory, then those that another listing shows. A
// last listing shows the delete markers whose versions are gone. What a job makes meanwhile
// is left to the next sweep.
func sweepVersions(ctx context.Context, store upload.Store, r versionRules, o SweepOptions, drop func(context.Context, []Deletion, func() error) error) (SweptVersions, error) {
	var s SweptVersions
	versioned, ok := store.(upload.Versioned)
	if !ok {
		return s, nil
	}
	r.applied = !o.DryRun
	var before []upload.Version
	for last := false; ; {
		s.Heads, s.Needed = Amount{}, Amount{}
		var found []upload.Version
		var fates []versionFate
		err := judgeVersions(versioned.Versions(ctx, ""), r, func(v upload.Version, fate versionFate) {
			s.Listed++
			if to := s.amount(fate); to != nil && (!fate.doomed() || len(found) < versionsAtOnce) {
				to.add(upload.Info{Size: v.Size})
				if fate.doomed() && !o.DryRun {
					found, fates = append(found, v), append(fates, fate)
				}
			}
		})
		if errors.Is(err, upload.ErrDenied) || errors.Is(err, upload.ErrUnsupported) {
			return SweptVersions{Unlisted: err}, nil
		}
		if err != nil {
			return s, fmt.Errorf("look for versions: %w", err)
		}
		if len(found) == 0 || slices.Equal(found, before) { // those are locked
			return s, nil
		}
		done := last
		before, last = found, len(found) < versionsAtOnce
		for from := 0; from < len(found); from += deleteBatch {
			batch := found[from:min(len(found), from+deleteBatch)]
			var log []Deletion
			for i, v := range batch {
				log = append(log, Deletion{v.Name, v.ID, v.Size, fates[from+i].why(o.HeadVersions)})
			}
			if err := drop(ctx, log, func() error { return versioned.DeleteVersions(ctx, slices.Clone(batch)...) }); err != nil {
				return s, fmt.Errorf("delete versions: %w", err)
			}
		}
		if done {
			return s, nil
		}
	}
}

func (s *SweptVersions) amount(f versionFate) *Amount {
	return map[versionFate]*Amount{versionNeeded: &s.Needed, versionHead: &s.Heads, versionOld: &s.Old, versionOldHead: &s.OldHeads, versionMarker: &s.Markers}[f]
}

func (f versionFate) why(headVersions time.Duration) string {
	switch f {
	case versionOldHead:
		return fmt.Sprintf("version of head that was overwritten more than %v ago", headVersions)
	case versionMarker:
		return "delete marker, and no version is below it"
	}
	return "version of what was overwritten or deleted, and no retained checkpoint reaches it"
}
