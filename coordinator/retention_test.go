package coordinator

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

func TestRetain(t *testing.T) {
	all := []Retained{{ID: 1}, {ID: 2}, {ID: 3}, {ID: 4}, {ID: 5}}
	got := retain(all, time.Time{}, policy{newest: 2}, holds{
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

// I2: whatever the policy, the newest and all that is held stay, and nothing
// is kept without a reason.
func TestRetainKeepsWhatItMust(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "checkpoints")
		var all []Retained
		for i := range n {
			all = append(all, Retained{ID: checkpoint.ID(i + 1), Epoch: 1})
		}
		id := rapid.Custom(func(t *rapid.T) checkpoint.ID { return checkpoint.ID(rapid.IntRange(1, n).Draw(t, "id")) })
		pin, base := id.Draw(t, "pin"), id.Draw(t, "base")
		keep := rapid.IntRange(0, 5).Draw(t, "newest")
		got := Head{Retained: retain(all, time.Time{}, policy{newest: keep}, holds{pins: []Pin{{Name: "p", Checkpoint: pin}}, bases: []based{{base, 99}}})}
		for _, must := range []checkpoint.ID{checkpoint.ID(n), pin, base} {
			if _, ok := got.find(must); !ok {
				t.Fatalf("checkpoint %d is gone", must)
			}
		}
		for _, r := range got.Retained {
			if len(r.KeptBy) == 0 {
				t.Fatalf("checkpoint %d is kept for no reason", r.ID)
			}
		}
		if len(got.Retained) > max(keep, 1)+2 {
			t.Fatalf("%d are kept", len(got.Retained))
		}
	})
}
