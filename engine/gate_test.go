package engine

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// I14: a channel whose queue never runs empty delivers every record, barrier and end
// exactly once and in order, however many batches pass.
func TestQueueThatNeverRunsEmpty(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		channels := 1 + rng.IntN(3)
		g := newGate[int, int](AtLeastOnce, channels, 2+rng.IntN(8), 16, make(chan struct{}, 1))
		g.allowed.Store(1 << 20)
		sent, got := make([]int, channels), make([]int, channels)
		barriers, arrived := make([]checkpoint.ID, channels), checkpoint.ID(0)
		spare := make([]*batch[int, int], channels)
		produce := func(ch int) {
			if rng.IntN(10) == 0 {
				barriers[ch]++
				g.control(ch, element[int, int]{kind: elementBarrier, barrier: &checkpoint.Barrier{ID: barriers[ch]}})
				return
			}
			b := spare[ch]
			if b == nil {
				b = &batch[int, int]{}
			}
			for range 1 + rng.IntN(16) {
				b.records, b.keys, b.hashes = append(b.records, sent[ch]), append(b.keys, ch), append(b.hashes, uint64(ch))
				sent[ch]++
			}
			spare[ch], _ = g.push(t.Context(), ch, b, &span{})
		}
		ahead := func(ch int) bool { // a batch waits, whatever else does
			c := &g.channels[ch]
			return len(c.elements)-c.first > 1 && c.batches > 1
		}
		step := func() bool {
			ev, b := g.poll()
			switch ev.kind {
			case eventWorked:
				ch := b.keys[0]
				for i, v := range b.records {
					if v != got[ch] || b.keys[i] != ch || len(b.hashes) != len(b.records) {
						t.Fatalf("seed %d: channel %d delivered %d of channel %d in place of %d", seed, ch, v, b.keys[i], got[ch])
					}
					got[ch]++
				}
			case eventBarrier:
				if arrived++; ev.aligned.barrier.ID != arrived {
					t.Fatalf("seed %d: barrier %d arrived in place of %d", seed, ev.aligned.barrier.ID, arrived)
				}
			case eventEnd:
				return false
			default:
				t.Fatalf("seed %d: event %d while batches wait", seed, ev.kind)
			}
			return true
		}
		for range 3000 {
			for ch := range channels {
				for !ahead(ch) && !g.full(&g.channels[ch]) || rng.IntN(3) == 0 && !g.full(&g.channels[ch]) {
					produce(ch)
				}
			}
			step()
		}
		last := barriers[0]
		for ch := range channels {
			last = max(last, barriers[ch])
		}
		for ch := range channels {
			for barriers[ch] < last {
				barriers[ch]++
				g.control(ch, element[int, int]{kind: elementBarrier, barrier: &checkpoint.Barrier{ID: barriers[ch]}})
			}
			g.control(ch, element[int, int]{kind: elementEnd})
		}
		for step() {
		}
		for ch := range channels {
			if got[ch] != sent[ch] || arrived != last {
				t.Fatalf("seed %d: channel %d delivered %d of %d records, and %d of %d barriers arrived", seed, ch, got[ch], sent[ch], arrived, last)
			}
			if n := cap(g.channels[ch].elements); n > 512 {
				t.Errorf("seed %d: a queue of at most %d batches takes %d places", seed, g.limit, n)
			}
		}
	}
}

// I12: what waits in a gate is what its subtask processes in a bounded time, at any
// speed, also when the speed changes; and at full speed it is what the options say.
func TestQueueIsBoundedByTime(t *testing.T) {
	for _, c := range []struct {
		channels int
		each     []time.Duration // a record, one after the other for some batches
		longest  time.Duration   // that the records of the gate take in the end
		size     int             // of a batch in the end, at least
	}{
		{1, []time.Duration{time.Microsecond}, barrierWait, 512},
		{4, []time.Duration{60 * time.Millisecond}, 2 * barrierWait, 1},
		{4, []time.Duration{time.Microsecond, 60 * time.Millisecond}, 2 * barrierWait, 1},
		{4, []time.Duration{60 * time.Millisecond, time.Microsecond}, barrierWait, 512},
		{8, []time.Duration{20 * time.Microsecond}, 2 * barrierWait, 64}, // as many keys are read ahead together
		{2, []time.Duration{5 * time.Second}, 25 * time.Second, 1},       // no less than a batch of one record at each place
	} {
		g := newGate[struct{}, int](ExactlyOnce, c.channels, 4, 512, make(chan struct{}, 1))
		for _, each := range c.each {
			for range 1000 {
				n := g.batchRecords()
				g.processed(n, 8, time.Duration(n)*each)
			}
		}
		last := c.each[len(c.each)-1]
		for ch := range g.channels {
			for !g.full(&g.channels[ch]) {
				if _, err := g.push(t.Context(), ch, &batch[struct{}, int]{records: make([]int, g.batchRecords())}, &span{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		records := 0
		for ch := range g.channels {
			records += g.channels[ch].records + g.batchRecords() // and the batch that is being filled
		}
		if took := time.Duration(records) * last; took > c.longest || g.batchRecords() < c.size {
			t.Errorf("%d channels, %v a record: %d records wait for %v, in batches of %d", c.channels, c.each, records, took, g.batchRecords())
		}
	}
}

// A producer that waits for room goes on when there is some, however the room changed.
func TestProducerWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate[struct{}, int](ExactlyOnce, 1, 2, 8, make(chan struct{}, 1))
		const total = 500
		go func() {
			for range total {
				if _, err := g.push(t.Context(), 0, &batch[struct{}, int]{records: make([]int, 1)}, &span{}); err != nil {
					t.Error(err)
				}
			}
			g.control(0, element[struct{}, int]{kind: elementEnd})
		}()
		rng := rand.New(rand.NewPCG(1, 1))
		for n := 0; ; {
			synctest.Wait()
			ev, b := g.poll()
			if ev.kind == eventEnd {
				if n != total {
					t.Fatalf("%d records of %d", n, total)
				}
				return
			}
			if b == nil {
				t.Fatalf("after %d records nothing is there, and the producer waits", n)
			}
			n += len(b.records)
			g.processed(len(b.records), 8, time.Duration(rng.IntN(int(time.Second))))
		}
	})
}
