package engine

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
)

// Identity tells a job from all others that may write to the same place.
type Identity struct {
	ID    string // the job's id. Zero: its name
	Store string // where its checkpoints lie, as a URL. Empty: none are taken
}

// String is for people, and for marks: it is different for different jobs.
func (i Identity) String() string {
	if i.Store == "" {
		return fmt.Sprintf("job %q without checkpoints", i.ID)
	}
	return fmt.Sprintf("job %q with checkpoints in %s", i.ID, i.Store)
}

// Place is a local directory that a sink writes to.
type Place struct {
	Dir string
	// Hold keeps other jobs out of it until release is called. It changes nothing that
	// belongs to another job, and its error is permanent then.
	Hold func(Identity) (release func() error, err error)
}

// Placed is an optional interface of sinks that keep files in local directories.
type Placed interface {
	Places() []Place
}

// Directories lists the local directories to which the job's sinks write, each once. A
// sink without one is a mistake that Validate reports.
func (j *Job) Directories() (dirs []string) {
	for _, n := range j.nodes {
		for _, p := range n.places {
			if p.Dir != "" {
				dirs = append(dirs, filepath.Clean(p.Dir))
			}
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// Hold keeps other jobs out of the directories to which the job's sinks write, until
// release is called. Whoever runs a job calls it before the job takes its lead.
func (j *Job) Hold(as Identity) (release func() error, err error) {
	var releases []func() error
	release = func() error {
		var errs []error
		for _, r := range slices.Backward(releases) {
			errs = append(errs, r())
		}
		return errors.Join(errs...)
	}
	held := map[string]bool{}
	for _, n := range j.nodes {
		for _, p := range n.places {
			dir := filepath.Clean(p.Dir)
			if held[dir] {
				continue
			}
			held[dir] = true
			r, err := p.Hold(as)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("operator %q: %w", n.id, err), release())
			}
			releases = append(releases, r)
		}
	}
	return release, nil
}
