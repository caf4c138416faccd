package coordinator

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

func TestRetain(t *testing.T) {
	all := []Retained{{ID: 1}, {ID: 2}, {ID: 3}, {ID: 4}, {ID: 5}}
	got := retain(all, time.Time{}, RetentionPolicy{Newest: 2}, holds{
		tags:   []Tag{{Name: "march", Checkpoint: 1}},
		pins:   []Pin{{Name: "release", Checkpoint: 1}},
		claims: []Claim{{Job: "other", Checkpoint: 2}},
		bases:  []based{{4, 6}, {9, 7}},
	})
	want := map[checkpoint.ID][]string{1: {"tag:march", "pin:release"}, 2: {"claim:other"}, 4: {"count", "base:6"}, 5: {"newest", "count"}}
	if len(got) != len(want) {
		t.Fatalf("kept %+v", got)
	}
	for _, r := range got {
		if !slices.Equal(r.KeptBy, want[r.ID]) {
			t.Errorf("checkpoint %d is kept by %v, want %v", r.ID, r.KeptBy, want[r.ID])
		}
	}
	if gone := dropped(all, got); !slices.Equal(gone, []Ref{{ID: 3}}) {
		t.Errorf("dropped %v", gone)
	}
}

// day is midnight, UTC, of a day of January 2024. The 1st is a Monday.
func day(n int) time.Time { return time.Date(2024, 1, n, 0, 0, 0, 0, time.UTC) }

func TestRetainByTime(t *testing.T) {
	at := func(times ...time.Time) (all []Retained) {
		for i, c := range times {
			all = append(all, Retained{ID: checkpoint.ID(i + 1), Created: c})
		}
		return all
	}
	twoADay := at(day(5), day(5).Add(time.Hour), day(6), day(6).Add(time.Hour), day(9), day(9).Add(59*time.Minute), day(9).Add(time.Hour))
	for name, c := range map[string]struct {
		all  []Retained
		p    string
		want map[checkpoint.ID]string
	}{
		"within":                  {twoADay, "within=24h", map[checkpoint.ID]string{5: "within", 6: "within", 7: "newest count within"}},
		"just too old":            {twoADay, "within=2h59m", map[checkpoint.ID]string{6: "within", 7: "newest count within"}},
		"hours":                   {twoADay, "hourly=2", map[checkpoint.ID]string{6: "hourly", 7: "newest count hourly"}},
		"days that have one":      {twoADay, "daily=3", map[checkpoint.ID]string{2: "daily", 4: "daily", 7: "newest count daily"}},
		"weeks begin on Monday":   {at(day(6), day(7), day(8), day(14)), "weekly=2", map[checkpoint.ID]string{2: "weekly", 4: "newest count weekly"}},
		"a week over New Year":    {at(day(-2), day(0), day(1)), "weekly=2", map[checkpoint.ID]string{2: "weekly", 3: "newest count weekly"}},
		"months":                  {at(day(1), day(31), day(32), day(62)), "monthly=9", map[checkpoint.ID]string{2: "monthly", 3: "monthly", 4: "newest count monthly"}},
		"any of the rules":        {twoADay, "newest=2,daily=2", map[checkpoint.ID]string{4: "daily", 6: "count", 7: "newest count daily"}},
		"more than there are":     {at(day(1)), "newest=9,hourly=9,daily=9", map[checkpoint.ID]string{1: "newest count hourly daily"}},
		"a clock that went back":  {at(day(9), day(3)), "daily=1", map[checkpoint.ID]string{2: "newest count daily"}},
		"none that is retained":   {nil, "daily=1", nil},
		"a checkpoint to come":    {at(day(9).Add(4 * time.Hour)), "within=1s", map[checkpoint.ID]string{1: "newest count within"}},
		"a period without a rule": {twoADay, "3", map[checkpoint.ID]string{5: "count", 6: "count", 7: "newest count"}},
	} {
		p, err := ParsePolicy(c.p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := map[checkpoint.ID]string{}
		for _, r := range retain(c.all, day(9).Add(2*time.Hour+59*time.Minute), p, holds{}) {
			got[r.ID] = strings.Join(r.KeptBy, " ")
		}
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: kept %v, want %v", name, got, c.want)
		}
	}
}

// A policy that nobody can obey is refused before it is in head, and a time beyond that
// of time.Duration keeps everything.
func TestPoliciesAtTheirBounds(t *testing.T) {
	none := RetentionPolicy{OnFinish: SurviveNone}
	if _, err := planned(Head{}, SetPolicy(none), day(1)); err == nil {
		t.Error("SetPolicy takes a policy that no start can obey")
	}
	if err := (Options{Retention: none}).Validate(); err == nil || !strings.Contains(err.Error(), "not supported yet") {
		t.Errorf("Validate returned %v", err)
	}
	all := []Retained{{ID: 1, Created: day(1)}, {ID: 2, Created: day(2)}}
	if kept := retain(all, day(3), RetentionPolicy{WithinSeconds: math.MaxInt64}, holds{}); len(kept) != 2 {
		t.Errorf("of two %d are kept", len(kept))
	}
}

// Retention at each commit, for months, keeps what the policy promises: a daily one of
// each of the last days, and so on, as if it had been applied once to all of them.
func TestRetainOverTime(t *testing.T) {
	p, err := ParsePolicy("newest=3,within=2h,hourly=5,daily=7,weekly=4,monthly=6")
	if err != nil {
		t.Fatal(err)
	}
	var all, kept []Retained
	for i := range 24 * 200 {
		now := day(1).Add(time.Duration(i) * 59 * time.Minute)
		c := Retained{ID: checkpoint.ID(i + 1), Created: now}
		all, kept = append(all, c), retain(append(kept, c), now, p, holds{})
		if i%101 == 0 {
			if want := retain(all, now, p, holds{}); !slices.EqualFunc(kept, want, func(a, b Retained) bool { return a.ID == b.ID }) {
				t.Fatalf("after %d checkpoints %d are kept, want %d", i+1, len(kept), len(want))
			}
		}
	}
	if len(kept) > 3+2+5+7+4+6 || len(kept) < 7+4+6-3 {
		t.Errorf("%d are kept", len(kept))
	}
}

func TestParsePolicy(t *testing.T) {
	for s, want := range map[string]string{
		"3": "newest=3", "newest=1": "newest=1", "daily=30": "newest=1,daily=30", "within=90m": "newest=1,within=1h30m0s",
		"newest=3, within=24h,hourly=24,daily=7,weekly=4,monthly=12,on-finish=newest": "newest=3,hourly=24,daily=7,weekly=4,monthly=12,within=24h0m0s,on-finish=newest",
	} {
		p, err := ParsePolicy(s)
		again, errAgain := ParsePolicy(p.String())
		if err != nil || errAgain != nil || p.String() != want || again != p || p.validate() != nil {
			t.Errorf("%q is %q (%v), and that %q (%v)", s, p, err, again, errAgain)
		}
	}
	for _, s := range []string{"", "0", "-1", "newest", "newest=0", "daily=x", "yearly=3", "within=5", "within=1ms", "on-finish=none", "3,", "newest=100001"} {
		if p, err := ParsePolicy(s); err == nil || !strings.Contains(err.Error(), "retention") {
			t.Errorf("%q is %q, %v", s, p, err)
		}
	}
}

// I2: whatever the policy and the times, the newest and all that is held stay, nothing
// is kept without a reason, and to apply it twice is to apply it once.
func TestRetainKeepsWhatItMust(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "checkpoints")
		var all []Retained
		for i := range n {
			at := day(1).Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "hours")) * time.Hour)
			all = append(all, Retained{ID: checkpoint.ID(i + 1), Epoch: 1, Created: at})
		}
		id := rapid.Custom(func(t *rapid.T) checkpoint.ID { return checkpoint.ID(rapid.IntRange(1, n).Draw(t, "id")) })
		h := holds{pins: []Pin{{Name: "p", Checkpoint: id.Draw(t, "pin")}}, bases: []based{{id.Draw(t, "base"), 99}}}
		small := rapid.SampledFrom([]int{0, 0, 0, 1, 3}) // often no rule at all
		p := RetentionPolicy{
			Newest: small.Draw(t, "newest"), WithinSeconds: 3600 * int64(small.Draw(t, "within")), Hourly: small.Draw(t, "hourly"),
			Daily: small.Draw(t, "daily"), Weekly: small.Draw(t, "weekly"), Monthly: small.Draw(t, "monthly"),
		}
		now := day(6)
		got := Head{Retained: retain(all, now, p, h)}
		for _, must := range []checkpoint.ID{checkpoint.ID(n), h.pins[0].Checkpoint, h.bases[0].base} {
			if _, ok := got.find(must); !ok {
				t.Fatalf("checkpoint %d is gone", must)
			}
		}
		for _, r := range got.Retained {
			if len(r.KeptBy) == 0 {
				t.Fatalf("checkpoint %d is kept for no reason", r.ID)
			}
		}
		if again := retain(got.Retained, now, p, h); !slices.EqualFunc(again, got.Retained, func(a, b Retained) bool { return a.ID == b.ID }) {
			t.Fatalf("%d were kept, and then %d", len(got.Retained), len(again))
		}
	})
}
