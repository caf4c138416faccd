package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// A script is a list of steps: "0b3" channel 0 delivers barrier 3, "1e" channel
// 1 ends, "a3" checkpoint 3 is aborted. What came of it: "+3" complete, "-3"
// skipped.
func play(a *aligner, script string) string {
	var got []string
	for i, step := range strings.Fields(script) {
		now := time.Unix(int64(i), 0)
		var ch int
		var id checkpoint.ID
		var out alignOutcome
		if n, _ := fmt.Sscanf(step, "%db%d", &ch, &id); n == 2 {
			out = a.barrier(ch, checkpoint.Barrier{ID: id}, now)
		} else if n, _ := fmt.Sscanf(step, "a%d", &id); n == 1 {
			a.abort(id)
		} else {
			fmt.Sscanf(step, "%de", &ch)
			out = a.end(ch, now)
		}
		for _, s := range out.skipped {
			got = append(got, fmt.Sprintf("-%d", s.ID))
		}
		for _, c := range out.complete {
			got = append(got, fmt.Sprintf("+%d", c.barrier.ID))
		}
	}
	return strings.Join(got, " ")
}

func TestAlign(t *testing.T) {
	for _, c := range []struct {
		name, script, want string
		mode               Mode
		blocked            string // channels that must wait at the end
	}{
		{"one channel", "0b1", "+1", ExactlyOnce, ""},
		{"waits for all", "0b1 1b1", "", ExactlyOnce, "01"},
		{"all", "0b1 1b1 2b1", "+1", ExactlyOnce, ""},
		{"at least once blocks nothing", "0b1 1b1", "", AtLeastOnce, ""},
		{"at least once counts", "0b1 0b2 1b1 2b1 1b2 2b2", "+1 +2", AtLeastOnce, ""},
		{"newer aborts older", "0b1 1b2", "-1", ExactlyOnce, "1"},
		{"newer aborts older and completes", "0b1 1b2 0b2 2b2", "-1 +2", ExactlyOnce, ""},
		{"at least once: skipped", "0b1 0b2 1b2 2b2", "-1 +2", AtLeastOnce, ""},
		{"late barrier of a skipped one", "0b1 1b2 2b1 2b2 0b2", "-1 +2", ExactlyOnce, ""},
		{"late barrier of a completed one", "0b1 1b1 2b1 0b1", "+1", ExactlyOnce, ""},
		{"older barrier behind a newer one", "1b2 0b1 0b2 2b2", "-1 +2", ExactlyOnce, ""},
		{"an aborted barrier skips too", "a2 0b1 1b2 2b1", "-1", ExactlyOnce, ""},
		{"doubled barrier (I6)", "0b1 0b1 1b1 2b1", "+1", ExactlyOnce, ""},
		{"end counts as aligned", "0b1 1e 2b1", "+1", ExactlyOnce, ""},
		{"end completes", "0b1 1b1 2e", "+1", ExactlyOnce, ""},
		{"ends first", "1e 2e 0b1", "+1", ExactlyOnce, ""},
		{"abort unblocks", "0b1 1b1 a1", "", ExactlyOnce, ""},
		{"barrier after abort", "0b1 a1 1b1 2b1", "", ExactlyOnce, ""},
		{"abort first", "a1 0b1 1b1 2b1 0b2 1b2 2b2", "+2", ExactlyOnce, ""},
		{"abort twice, and of what completed (I6)", "0b1 1b1 2b1 a1 a1 0b2 1b2 2b2", "+1 +2", ExactlyOnce, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			channels := 3
			if c.name == "one channel" {
				channels = 1
			}
			a := newAligner(c.mode, channels)
			if got := play(a, c.script); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			var blocked strings.Builder
			for ch := range channels {
				if a.blocked(ch) {
					fmt.Fprint(&blocked, ch)
				}
			}
			if blocked.String() != c.blocked {
				t.Errorf("blocked channels %q, want %q", blocked.String(), c.blocked)
			}
		})
	}
}

func TestAlignTimings(t *testing.T) {
	a := newAligner(ExactlyOnce, 2)
	at := time.Unix(100, 0)
	b := checkpoint.Barrier{ID: 1, Triggered: at}
	a.barrier(0, b, at.Add(2*time.Second))
	out := a.barrier(1, b, at.Add(5*time.Second))
	if len(out.complete) != 1 || out.complete[0].start != 2*time.Second || out.complete[0].align != 3*time.Second {
		t.Fatalf("got %+v", out.complete)
	}
}

// I8: in exactly-once mode, when a checkpoint completes, no channel has been
// read past its barrier; in both modes each checkpoint whose barrier reached
// every channel and that nobody aborted completes exactly once, in order, and
// no channel waits for ever. Against a model that knows the whole script.
func TestAlignModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for round := range 3000 {
		rng := rand.New(rand.NewPCG(seed, uint64(round)))
		mode := Mode(rng.IntN(2))
		channels := 1 + rng.IntN(4)
		ids := 1 + rng.IntN(6)
		lost := map[checkpoint.ID]bool{} // did not enter some channel
		queues := make([][]checkpoint.ID, channels)
		for id := checkpoint.ID(1); id <= checkpoint.ID(ids); id++ {
			for ch := range queues {
				// The newest always arrives, so that nothing is left waiting.
				if id < checkpoint.ID(ids) && rng.IntN(12) == 0 {
					lost[id] = true
					continue
				}
				queues[ch] = append(queues[ch], id)
			}
		}
		a := newAligner(mode, channels)
		read := make([]checkpoint.ID, channels) // newest barrier read from each
		aborted := map[checkpoint.ID]bool{}
		done := map[checkpoint.ID]int{}
		var order []checkpoint.ID
		for {
			var ready []int
			for ch := range queues {
				if len(queues[ch]) > 0 && !a.blocked(ch) {
					ready = append(ready, ch)
				}
			}
			if len(ready) == 0 {
				break
			}
			if rng.IntN(10) == 0 {
				id := checkpoint.ID(1 + rng.IntN(ids))
				a.abort(id)
				aborted[id] = true
				continue
			}
			ch := ready[rng.IntN(len(ready))]
			id := queues[ch][0]
			queues[ch] = queues[ch][1:]
			read[ch] = id
			for _, c := range a.barrier(ch, checkpoint.Barrier{ID: id}, time.Time{}).complete {
				done[c.barrier.ID]++
				order = append(order, c.barrier.ID)
				for ch := range read {
					if mode == ExactlyOnce && read[ch] != c.barrier.ID {
						t.Fatalf("round %d: checkpoint %d completes when channel %d has been read up to barrier %d (I8)", round, c.barrier.ID, ch, read[ch])
					}
				}
			}
		}
		for ch := range queues {
			if len(queues[ch]) > 0 {
				t.Fatalf("round %d (%v): channel %d waits for ever with %v", round, mode, ch, queues[ch])
			}
		}
		if !slices.IsSorted(order) {
			t.Fatalf("round %d: completed in the order %v", round, order)
		}
		for id := checkpoint.ID(1); id <= checkpoint.ID(ids); id++ {
			if done[id] > 1 || lost[id] && done[id] > 0 || !lost[id] && !aborted[id] && done[id] != 1 {
				t.Fatalf("round %d (%v): checkpoint %d completed %d times; lost %v, aborted %v", round, mode, id, done[id], lost[id], aborted[id])
			}
		}
	}
}
