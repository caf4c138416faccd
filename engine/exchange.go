package engine

import (
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// exchange is the way out of a subtask to those of another vertex. Control
// never waits; what is buffered must have been flushed before.
type exchange interface {
	flush() error
	barrier(b checkpoint.Barrier)
	end()
}

// port is the producer's end of a channel, with the batch being filled.
type port[K comparable, T any] struct {
	op      *opInfo // the producer
	size    int     // records in a batch; zero: nothing was sent
	keyed   bool
	gate    *gate[K, T]
	channel int
	batch   *batch[K, T]
}

// filling returns the batch to append to; there is room for a record.
func (p *port[K, T]) filling() *batch[K, T] {
	if p.batch == nil {
		p.size = p.gate.batchRecords()
		p.batch = &batch[K, T]{records: make([]T, 0, p.size)}
		if p.keyed {
			p.batch.keys, p.batch.hashes = make([]K, 0, p.size), make([]uint64, 0, p.size)
		}
	}
	return p.batch
}

// send queues the batch, if there is anything in it.
func (p *port[K, T]) send() error {
	if p.batch == nil || len(p.batch.records) == 0 {
		return nil
	}
	spare, err := p.gate.push(p.op.sub.ctx, p.channel, p.batch, &p.op.sub.waits.blocked)
	p.batch, p.size = spare, p.gate.batchRecords()
	return err
}

// ports are an exchange's channels, one to each subtask that it may reach.
type ports[K comparable, T any] []*port[K, T]

func (ps ports[K, T]) flush() error {
	for _, p := range ps {
		if err := p.send(); err != nil {
			return err
		}
	}
	return nil
}

func (ps ports[K, T]) barrier(b checkpoint.Barrier) {
	for _, p := range ps {
		p.gate.control(p.channel, element[K, T]{kind: elementBarrier, barrier: &b})
	}
}

func (ps ports[K, T]) end() {
	for _, p := range ps {
		p.gate.control(p.channel, element[K, T]{kind: elementEnd})
	}
}

// hashExchange sends each record to the owner of its key.
type hashExchange[K comparable, T any] struct {
	ports[K, T]
	consumer *opInfo // for blame: the key function is its
	key      func(T) K
	codec    state.KeyCodec[K]
	groups   int
	owners   []uint16 // by key group
}

// ownersOf is the subtask that owns each key group.
func ownersOf(groups, parallelism int) []uint16 {
	owners := make([]uint16, groups)
	for g := range owners {
		owners[g] = uint16(keygroup.Owner(groups, parallelism, keygroup.KeyGroup(g)))
	}
	return owners
}

func (x *hashExchange[K, T]) push(records []T) error {
	sub := x.ports[0].op.sub
	before := sub.enter(x.consumer)
	for i := range records {
		k := x.key(records[i])
		h := x.codec.Hash(k)
		p := x.ports[x.owners[keygroup.Of(h, x.groups)]]
		b := p.filling()
		b.records = append(b.records, records[i])
		b.keys = append(b.keys, k)
		b.hashes = append(b.hashes, h)
		if len(b.records) >= p.size {
			if err := p.send(); err != nil {
				return err
			}
		}
	}
	sub.leave(before)
	return nil
}

// dealExchange fills a batch for one subtask, then for the next.
type dealExchange[T any] struct {
	ports[struct{}, T]
	next int
}

func (x *dealExchange[T]) push(records []T) error {
	for len(records) > 0 {
		p := x.ports[x.next]
		b := p.filling()
		n := min(len(records), p.size-len(b.records))
		b.records = append(b.records, records[:n]...)
		records = records[n:]
		if len(b.records) >= p.size {
			if err := p.send(); err != nil {
				return err
			}
			x.next = (x.next + 1) % len(x.ports)
		}
	}
	return nil
}

func (x *dealExchange[T]) flush() error {
	p := x.ports[x.next]
	if p.batch != nil && len(p.batch.records) > 0 {
		x.next = (x.next + 1) % len(x.ports)
	}
	return p.send()
}

// broadcastExchange sends every record to all.
type broadcastExchange[T any] struct{ ports[struct{}, T] }

func (x *broadcastExchange[T]) push(records []T) error {
	for _, p := range x.ports {
		for rest := records; len(rest) > 0; {
			b := p.filling()
			n := min(len(rest), p.size-len(b.records))
			b.records = append(b.records, rest[:n]...)
			rest = rest[n:]
			if len(b.records) >= p.size {
				if err := p.send(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
