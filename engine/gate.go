package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// batch carries records between subtasks; keys and hashes are parallel to
// them, and empty where the exchange is not by key.
type batch[K comparable, T any] struct {
	records []T
	keys    []K
	hashes  []uint64
}

func (b *batch[K, T]) reset() {
	b.records, b.keys, b.hashes = b.records[:0], b.keys[:0], b.hashes[:0]
}

type elementKind uint8

const (
	elementBatch elementKind = iota
	elementBarrier
	elementWatermark // reserved: event time is not part of the protocol yet
	elementEnd
)

// element is what travels in a channel.
type element[K comparable, T any] struct {
	kind    elementKind
	batch   *batch[K, T]
	barrier *checkpoint.Barrier
}

// gate is the input of a subtask: a bounded queue for each channel, and the
// alignment of what they deliver. Producers push, the subtask polls. A barrier waits
// for all records before it, so a queue is bounded by what the subtask processes in
// barrierWait too: the slower it is, the smaller are batches and queues.
type gate[K comparable, T any] struct {
	wake    chan<- struct{} // the subtask's: something is there
	limit   int             // batches in a channel
	size    int             // records in a batch
	allowed atomic.Int64    // records in a channel

	mu       sync.Mutex
	channels []channel[K, T]

	// The subtask's alone.
	align    *aligner
	tempo    tempo
	next     int          // where the next poll begins, so that all get their turn
	used     *batch[K, T] // of the last poll, to be recycled
	usedBy   int          // its channel
	complete []aligned    // poll has not returned them yet
	skipped  []checkpoint.Barrier
}

// channel is the queue from one producer. Control elements do not count
// towards the limit, so a barrier never waits for room.
type channel[K comparable, T any] struct {
	elements []element[K, T]
	first    int // elements before it have been taken
	batches  int
	records  int // in the batches
	free     []*batch[K, T]
	waiting  bool          // the producer waits for room
	room     chan struct{} // wakes it
}

func newGate[K comparable, T any](mode Mode, channels, limit, size int, wake chan<- struct{}) *gate[K, T] {
	g := &gate[K, T]{wake: wake, limit: limit, size: size, channels: make([]channel[K, T], channels), align: newAligner(mode, channels)}
	g.allowed.Store(1)
	for i := range g.channels {
		g.channels[i].room = make(chan struct{}, 1)
	}
	return g
}

// signal wakes the goroutine that waits on ch, or the next one that does.
func signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// processed takes how long the subtask took for the records of the last poll, which had
// so many bytes each.
func (g *gate[K, T]) processed(records int, bytes float64, took time.Duration) {
	g.tempo.note(records, bytes, took)
	n := len(g.channels)
	g.allowed.Store(int64(max(1, g.tempo.within(barrierWait, g.limit*g.size*n)/n)))
}

// batchRecords is how many records a producer should send together.
func (g *gate[K, T]) batchRecords() int { return max(1, int(g.allowed.Load())/g.limit) }

// full reports whether a channel has no room for another batch.
func (g *gate[K, T]) full(c *channel[K, T]) bool {
	return c.batches >= g.limit || int64(c.records) >= g.allowed.Load()
}

// push queues a batch and returns another to fill, nil if there is none to
// spare. It waits for room until ctx ends, and notes that in blocked.
func (g *gate[K, T]) push(ctx context.Context, ch int, b *batch[K, T], blocked *span) (spare *batch[K, T], err error) {
	c := &g.channels[ch]
	g.mu.Lock()
	if g.full(c) {
		blocked.begin()
		for g.full(c) {
			c.waiting = true
			g.mu.Unlock()
			select {
			case <-c.room:
			case <-ctx.Done():
				blocked.end()
				return nil, context.Cause(ctx)
			}
			g.mu.Lock()
		}
		c.waiting = false
		blocked.end()
	}
	c.elements = append(c.elements, element[K, T]{kind: elementBatch, batch: b})
	c.batches++
	c.records += len(b.records)
	if n := len(c.free); n > 0 {
		spare = c.free[n-1]
		c.free = c.free[:n-1]
	}
	g.mu.Unlock()
	signal(g.wake)
	return spare, nil
}

// queued is how many records wait in all channels.
func (g *gate[K, T]) queued() (records int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.channels {
		records += g.channels[i].records
	}
	return records
}

// control queues a barrier or the end. It never waits.
func (g *gate[K, T]) control(ch int, e element[K, T]) {
	g.mu.Lock()
	g.channels[ch].elements = append(g.channels[ch].elements, e)
	g.mu.Unlock()
	signal(g.wake)
}

// poll returns what comes next; the batch is valid until the next poll.
func (g *gate[K, T]) poll() (ev event, b *batch[K, T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.used != nil {
		g.used.reset()
		g.channels[g.usedBy].free = append(g.channels[g.usedBy].free, g.used)
		g.used = nil
	}
	for {
		switch {
		case len(g.skipped) > 0:
			ev = event{kind: eventSkipped, skipped: g.skipped[0]}
			g.skipped = g.skipped[1:]
			return ev, nil
		case len(g.complete) > 0:
			ev = event{kind: eventBarrier, aligned: g.complete[0]}
			g.complete = g.complete[1:]
			return ev, nil
		case g.align.open == 0:
			return event{kind: eventEnd}, nil
		}
		ch, e, ok := g.take()
		if !ok {
			return event{kind: eventIdle}, nil
		}
		switch e.kind {
		case elementBatch:
			g.used, g.usedBy = e.batch, ch
			return event{kind: eventWorked}, e.batch
		case elementBarrier:
			g.note(g.align.barrier(ch, *e.barrier, time.Now()))
		case elementEnd:
			g.note(g.align.end(ch, time.Now()))
		}
	}
}

func (g *gate[K, T]) note(o alignOutcome) {
	g.complete = append(g.complete, o.complete...)
	g.skipped = append(g.skipped, o.skipped...)
}

// take removes the first element of the next channel that may be read.
func (g *gate[K, T]) take() (ch int, e element[K, T], ok bool) {
	for range g.channels {
		ch = g.next
		if g.next++; g.next == len(g.channels) {
			g.next = 0
		}
		c := &g.channels[ch]
		if c.first == len(c.elements) || g.align.blocked(ch) {
			continue
		}
		e = c.elements[c.first]
		c.elements[c.first] = element[K, T]{}
		if c.first++; c.first == len(c.elements) {
			c.elements, c.first = c.elements[:0], 0
		} else if c.first >= 64 { // a queue that never runs empty must not grow
			c.elements = c.elements[:copy(c.elements, c.elements[c.first:])]
			c.first = 0
		}
		if e.kind == elementBatch {
			c.batches--
			c.records -= len(e.batch.records)
			if c.waiting {
				signal(c.room)
			}
		}
		return ch, e, true
	}
	return 0, element[K, T]{}, false
}

// abort says that a checkpoint will never be committed.
func (g *gate[K, T]) abort(id checkpoint.ID) { g.align.abort(id) }
