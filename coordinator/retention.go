package coordinator

import (
	"fmt"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// holds are reasons to keep a checkpoint that lie outside the policy.
type holds struct {
	tags   []Tag
	pins   []Pin
	claims []Claim
	bases  []based
}

// based says that a pending checkpoint builds on another.
type based struct{ base, pending checkpoint.ID }

// ended reports whether the pin keeps nothing any more.
func (p Pin) ended(now time.Time) bool { return !p.Until.IsZero() && !now.Before(p.Until) }

// reason is a rule of retention. It gets all checkpoints by rising id, and calls keep
// for those that it keeps.
type reason func(all []Retained, now time.Time, keep func(i int, why string))

// retain returns the checkpoints that are kept, each with all reasons. The newest is
// always kept. retain does not change its arguments.
func retain(all []Retained, now time.Time, p RetentionPolicy, h holds) []Retained {
	why := make([][]string, len(all))
	keep := func(i int, reason string) { why[i] = append(why[i], reason) }
	for _, r := range []reason{newest, p.count, p.within, p.hourly, p.daily, p.weekly, p.monthly, h.held} {
		r(all, now, keep)
	}
	var kept []Retained
	for i, c := range all {
		if len(why[i]) > 0 {
			c.KeptBy = why[i]
			kept = append(kept, c)
		}
	}
	return kept
}

// newest keeps the checkpoint that a restart begins from.
func newest(all []Retained, _ time.Time, keep func(int, string)) {
	if len(all) > 0 {
		keep(len(all)-1, "newest")
	}
}

// count keeps the newest few.
func (p RetentionPolicy) count(all []Retained, _ time.Time, keep func(int, string)) {
	for i := max(0, len(all)-p.Newest); i < len(all); i++ {
		keep(i, "count")
	}
}

// within keeps the young.
func (p RetentionPolicy) within(all []Retained, now time.Time, keep func(int, string)) {
	for i, c := range all {
		if p.WithinSeconds > 0 && now.Sub(c.Created)/time.Second < time.Duration(p.WithinSeconds) {
			keep(i, "within")
		}
	}
}

func (p RetentionPolicy) hourly(all []Retained, _ time.Time, keep func(int, string)) {
	perPeriod(all, p.Hourly, "hourly", func(t time.Time) int { return int(t.Unix() / 3600) }, keep)
}

func (p RetentionPolicy) daily(all []Retained, _ time.Time, keep func(int, string)) {
	perPeriod(all, p.Daily, "daily", func(t time.Time) int { return int(t.Unix() / 86400) }, keep)
}

// weekly counts weeks from Monday to Sunday, as ISO 8601 does.
func (p RetentionPolicy) weekly(all []Retained, _ time.Time, keep func(int, string)) {
	perPeriod(all, p.Weekly, "weekly", func(t time.Time) int {
		year, week := t.UTC().ISOWeek()
		return 100*year + week
	}, keep)
}

func (p RetentionPolicy) monthly(all []Retained, _ time.Time, keep func(int, string)) {
	perPeriod(all, p.Monthly, "monthly", func(t time.Time) int { return 12*t.UTC().Year() + int(t.UTC().Month()) }, keep)
}

// perPeriod keeps the newest checkpoint of each of the last n periods that have one.
func perPeriod(all []Retained, n int, why string, period func(time.Time) int, keep func(int, string)) {
	for i := len(all) - 1; i >= 0 && n > 0; i-- {
		if i == len(all)-1 || period(all[i].Created) != period(all[i+1].Created) {
			keep(i, why)
			n--
		}
	}
}

// held keeps what somebody names.
func (h holds) held(all []Retained, _ time.Time, keep func(int, string)) {
	for i, c := range all {
		for _, t := range h.tags {
			if t.Checkpoint == c.ID {
				keep(i, "tag:"+t.Name)
			}
		}
		for _, p := range h.pins {
			if p.Checkpoint == c.ID {
				keep(i, "pin:"+p.Name)
			}
		}
		for _, l := range h.claims {
			if l.Checkpoint == c.ID {
				keep(i, "claim:"+l.Job)
			}
		}
		for _, b := range h.bases {
			if b.base == c.ID {
				keep(i, fmt.Sprintf("base:%d", b.pending))
			}
		}
	}
}

// dropped lists the checkpoints of old that are not in kept.
func dropped(old, kept []Retained) []Ref {
	var gone []Ref
	for _, c := range old {
		if !(Head{Retained: kept}).has(c.Ref()) {
			gone = append(gone, c.Ref())
		}
	}
	return gone
}
