package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// aligner decides when a barrier has arrived on every channel of an input
// gate, and which channels have to wait until then. It is pure: time comes in.
//
// Each channel delivers barriers in the order in which they were triggered. So
// a channel that delivers a newer barrier without an older one has skipped the
// older, which can then never complete, in either mode.
type aligner struct {
	mode    Mode
	ended   []bool
	newest  []checkpoint.ID // delivered by each channel
	open    int             // channels that have not ended
	pending []*alignment    // by checkpoint id
	floor   checkpoint.ID
	aborted []checkpoint.ID // above the floor, the newest few
}

// alignment is a barrier on its way in.
type alignment struct {
	barrier   checkpoint.Barrier
	delivered []bool
	first     time.Time
}

// aligned is a barrier that has arrived everywhere.
type aligned struct {
	barrier checkpoint.Barrier
	start   time.Duration // from the trigger to the first arrival
	align   time.Duration // from the first arrival to the last
}

// alignOutcome is the effect of an arrival.
type alignOutcome struct {
	complete []aligned            // by checkpoint id
	skipped  []checkpoint.Barrier // can never complete
}

// rememberedAborts bounds how many aborted checkpoints are remembered. A forgotten
// one costs a useless snapshot at most.
const rememberedAborts = 16

func newAligner(mode Mode, channels int) *aligner {
	return &aligner{mode: mode, ended: make([]bool, channels), newest: make([]checkpoint.ID, channels), open: channels}
}

// barrier notes that a channel delivered b. Doubled and late barriers are ignored
// (I6).
func (a *aligner) barrier(ch int, b checkpoint.Barrier, now time.Time) (out alignOutcome) {
	if a.ended[ch] || b.ID <= a.floor {
		return out
	}
	a.newest[ch] = max(a.newest[ch], b.ID)
	a.pending = slices.DeleteFunc(a.pending, func(p *alignment) bool {
		skips := p.barrier.ID < b.ID && !p.delivered[ch]
		if skips {
			out.skipped = append(out.skipped, p.barrier)
			a.forget(p.barrier.ID)
		}
		return skips
	})
	if slices.Contains(a.aborted, b.ID) {
		return out
	}
	i, found := slices.BinarySearchFunc(a.pending, b.ID, func(p *alignment, id checkpoint.ID) int {
		return cmp.Compare(p.barrier.ID, id)
	})
	if !found {
		if slices.ContainsFunc(a.newest, func(id checkpoint.ID) bool { return id > b.ID }) {
			a.forget(b.ID)
			out.skipped = append(out.skipped, b)
			return out
		}
		a.pending = slices.Insert(a.pending, i, &alignment{barrier: b, delivered: make([]bool, len(a.ended)), first: now})
	}
	a.pending[i].delivered[ch] = true
	out.complete = a.complete(now)
	return out
}

// end notes that a channel has ended: no barrier waits for it any more.
func (a *aligner) end(ch int, now time.Time) (out alignOutcome) {
	if a.ended[ch] {
		return out
	}
	a.ended[ch] = true
	a.open--
	out.complete = a.complete(now)
	return out
}

// complete takes out the pending barriers that have arrived everywhere.
func (a *aligner) complete(now time.Time) (done []aligned) {
	a.pending = slices.DeleteFunc(a.pending, func(p *alignment) bool {
		for ch, delivered := range p.delivered {
			if !delivered && !a.ended[ch] {
				return false
			}
		}
		done = append(done, aligned{p.barrier, max(0, p.first.Sub(p.barrier.Triggered)), now.Sub(p.first)})
		a.floor = p.barrier.ID
		return true
	})
	a.aborted = slices.DeleteFunc(a.aborted, func(id checkpoint.ID) bool { return id <= a.floor })
	return done
}

// abort notes that a checkpoint will never be committed: channels no longer wait for
// it, and its barriers that come later are ignored.
func (a *aligner) abort(id checkpoint.ID) {
	a.pending = slices.DeleteFunc(a.pending, func(p *alignment) bool { return p.barrier.ID == id })
	a.forget(id)
}

func (a *aligner) forget(id checkpoint.ID) {
	if id <= a.floor || slices.Contains(a.aborted, id) {
		return
	}
	if len(a.aborted) == rememberedAborts {
		a.aborted = slices.Delete(a.aborted, 0, 1)
	}
	a.aborted = append(a.aborted, id)
}

// blocked reports whether a channel must not be read for now.
func (a *aligner) blocked(ch int) bool {
	if a.mode == AtLeastOnce || a.ended[ch] {
		return false
	}
	for _, p := range a.pending {
		if p.delivered[ch] {
			return true
		}
	}
	return false
}
