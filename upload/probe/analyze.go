package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/upload"
)

// Verdict is what a check found.
type Verdict string

// Verdicts.
const (
	Yes     Verdict = "yes"
	No      Verdict = "no"
	Unknown Verdict = "unknown" // the check failed for another reason
)

// Finding is the outcome of a check.
type Finding struct {
	Check    string  `json:"check"`
	Verdict  Verdict `json:"verdict"`
	Required bool    `json:"required"`
	Allows   string  `json:"allows"`
	Detail   string  `json:"detail"` // what was measured, or what is lacking
	err      error
}

// Effect is what a setting of a store does to a job.
type Effect string

// Effects.
const (
	Destroys Effect = "destroys" // objects that checkpoints need, or the way to read them
	PilesUp  Effect = "piles_up" // objects that nothing needs, and that are paid for
	Lacks    Effect = "lacks"    // a protection
	Harmless Effect = "harmless"
)

// Advice says what a setting does to a job, and what to do about it.
type Advice struct {
	Setting string `json:"setting"`
	Effect  Effect `json:"effect"`
	Text    string `json:"text"`
}

// Setting is one of a store's settings, in words.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"` // or why it could not be read
}

// Settings are those of a bucket that matter to a job.
type Settings struct {
	Read   []Setting `json:"read"`
	Unread []Setting `json:"unread"` // mostly for lack of permission
	Advice []Advice  `json:"advice"`
}

// Report is what Analyze found.
type Report struct {
	Store    string    `json:"store"`
	Findings []Finding `json:"findings"`
	Settings Settings  `json:"settings"`
	// Left is why objects of the probe are still there. Empty: there are none.
	Left string `json:"left"`
}

// Unfit returns what the store lacks that a job needs, and which of its settings destroy a
// job's objects.
func (r Report) Unfit() (why []string) {
	for _, f := range r.Findings {
		if f.Required && f.Verdict == No {
			why = append(why, f.Check)
		}
	}
	for _, a := range r.Settings.Advice {
		if a.Effect == Destroys && !slices.Contains(why, a.Setting) {
			why = append(why, a.Setting)
		}
	}
	return why
}

// Err returns why it is not known whether a job can use the store; nil: it is known.
func (r Report) Err() error {
	var errs []error
	for _, f := range r.Findings {
		if f.Required && f.Verdict == Unknown {
			errs = append(errs, fmt.Errorf("%s: %w", f.Check, f.err))
		}
	}
	return errors.Join(errs...)
}

// special is a store that has checks and settings of its own kind.
type special interface {
	Checks() []Check
	Settings(context.Context) (Settings, error)
}

// Analyze makes all checks of a store, which must not retry by itself, and reads its
// settings. It fails if the store cannot be used at all.
func Analyze(ctx context.Context, s upload.Store) (Report, error) {
	r := Report{Store: s.String(), Settings: Settings{Read: []Setting{}, Unread: []Setting{}, Advice: []Advice{}}}
	p := New(s)
	checks := []Check{Access, Conditions, Swap(analyzeRaces), etags, listing, Range, batch, copies} // of every store
	own, ok := s.(special)
	if ok {
		checks = append(checks, own.Checks()...)
	}
	for i, c := range append(checks, clock, throttle) {
		detail, err := p.try(ctx, c)
		switch {
		case err != nil && i == 0: // nothing was put
			return r, err
		case ctx.Err() != nil:
			return r, errors.Join(ctx.Err(), p.Clean(ctx))
		}
		f := Finding{c.Name, Yes, c.Required, c.Allows, detail, err}
		if errors.Is(err, upload.ErrUnsupported) {
			f.Verdict, f.Detail = No, strings.Replace(err.Error(), upload.ErrUnsupported.Error()+": ", "", 1)
		} else if err != nil {
			f.Verdict, f.Detail = Unknown, err.Error()
		}
		f.Detail = strings.ReplaceAll(f.Detail, "\n", "; ")
		r.Findings = append(r.Findings, f)
	}
	if err := errors.Join(p.Clean(ctx), p.Forget(ctx)); err != nil {
		r.Left = err.Error()
	}
	if ok {
		var err error
		if r.Settings, err = own.Settings(ctx); err != nil {
			return r, err
		}
	}
	return r, nil
}
