package coordinator

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// RetentionPolicy says which checkpoints are kept, beside the newest and those with a
// tag, pin or claim. A checkpoint is kept if any of the rules keeps it.
type RetentionPolicy struct {
	Newest        int   `json:"newest"`         // this many of the newest
	WithinSeconds int64 `json:"within_seconds"` // those younger than this; zero: none by age
	// Hourly keeps the newest checkpoint of each of the last Hourly hours (UTC)
	// that have one. Daily, Weekly and Monthly do the same for days, weeks and
	// months.
	Hourly  int `json:"hourly"`
	Daily   int `json:"daily"`
	Weekly  int `json:"weekly"`
	Monthly int `json:"monthly"`
	// OnCancel and OnFinish say what is kept after the job is cancelled or finished.
	// Nothing cancels a job yet.
	OnCancel Survivors `json:"on_cancel"`
	OnFinish Survivors `json:"on_finish"`
}

// Survivors says what outlives a job's end, beside what has a tag, pin or claim: "all"
// that the policy keeps, the "newest" checkpoint, or "none".
type Survivors string

// The choices of Survivors.
const (
	SurviveAll    Survivors = "all"
	SurviveNewest Survivors = "newest"
	SurviveNone   Survivors = "none"
)

// maxKept bounds each number that ParsePolicy takes.
const maxKept = 100_000

// withDefaults returns the policy with its zero values replaced.
func (p RetentionPolicy) withDefaults() RetentionPolicy {
	if p.Newest == 0 {
		p.Newest = DefaultRetain
		if p.WithinSeconds > 0 || p.Hourly+p.Daily+p.Weekly+p.Monthly > 0 {
			p.Newest = 1
		}
	}
	if p.OnCancel == "" {
		p.OnCancel = SurviveAll
	}
	if p.OnFinish == "" {
		p.OnFinish = SurviveAll
	}
	return p
}

// validate reports what is wrong with a policy whose zero values were replaced.
func (p RetentionPolicy) validate() error {
	if p.Newest < 1 || p.WithinSeconds < 0 || min(p.Hourly, p.Daily, p.Weekly, p.Monthly) < 0 {
		return errors.New("policy: newest must be at least 1, and nothing negative")
	}
	for _, s := range []Survivors{p.OnCancel, p.OnFinish} {
		if s != SurviveAll && s != SurviveNewest && s != SurviveNone {
			return fmt.Errorf("policy: unknown choice of survivors %.80q", s)
		}
	}
	return nil
}

// supported reports what is wrong with a policy that this program is to obey.
func (p RetentionPolicy) supported() error {
	if p.OnFinish == SurviveNone {
		return errors.New("policy: to keep nothing of a finished job is not supported yet")
	}
	return p.validate()
}

// counts are the rules that keep a number of checkpoints, by their names.
func (p *RetentionPolicy) counts() []policyCount {
	return []policyCount{{"newest", &p.Newest}, {"hourly", &p.Hourly}, {"daily", &p.Daily}, {"weekly", &p.Weekly}, {"monthly", &p.Monthly}}
}

type policyCount struct {
	name string
	n    *int
}

// String renders the policy as ParsePolicy reads it.
func (p RetentionPolicy) String() string {
	var parts []string
	for _, c := range p.counts() {
		if *c.n > 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", c.name, *c.n))
		}
	}
	if p.WithinSeconds > 0 {
		parts = append(parts, "within="+(time.Duration(p.WithinSeconds)*time.Second).String())
	}
	if p.OnFinish == SurviveNewest {
		parts = append(parts, "on-finish=newest")
	}
	return strings.Join(parts, ",")
}

// ParsePolicy parses "3", the number of newest checkpoints, or rules with commas between:
// "newest=3,within=24h,hourly=24,daily=7,weekly=4,monthly=12,on-finish=newest". At least
// one is always kept.
func ParsePolicy(s string) (p RetentionPolicy, err error) {
	if n, err := strconv.Atoi(s); err == nil {
		s = fmt.Sprintf("newest=%d", n)
	}
	for part := range strings.SplitSeq(s, ",") {
		if err := p.set(strings.TrimSpace(part)); err != nil {
			return RetentionPolicy{}, err
		}
	}
	return p.withDefaults(), nil
}

func (p *RetentionPolicy) set(part string) error {
	name, text, _ := strings.Cut(part, "=")
	switch name {
	case "within":
		d, err := time.ParseDuration(text)
		if err != nil || d < time.Second {
			return fmt.Errorf("retention %q: give a time of at least 1s, such as within=24h", part)
		}
		p.WithinSeconds = int64(d / time.Second)
		return nil
	case "on-finish":
		if p.OnFinish = Survivors(text); p.OnFinish != SurviveAll && p.OnFinish != SurviveNewest {
			return fmt.Errorf("retention %q: a finished job keeps all or newest", part)
		}
		return nil
	}
	for _, c := range p.counts() {
		if c.name != name {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxKept {
			return fmt.Errorf("retention %q: give a number from 1 to %d", part, maxKept)
		}
		*c.n = n
		return nil
	}
	return fmt.Errorf("retention %q: give a number of checkpoints, or rules such as newest=3,within=24h,hourly=24,daily=7,weekly=4,monthly=12,on-finish=newest", part)
}
