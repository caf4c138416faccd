package rocks

import (
	"slices"

	"github.com/tidemark/tidemark/engine/state"
)

// generation is a part of a column's table: entries that were written, read or
// found missing lately. It belongs to the DB's goroutine.
//
// A block says in which epoch it was written: 0, or an epoch up to clean, and
// RocksDB has the same. Epochs up to sealed are looked at by somebody else: a
// checkpoint that is being written in another goroutine, or a scan. Their
// blocks are replaced, never changed, and go back to the arena when nobody
// looks any more.
type generation struct {
	form  *state.CellForm // of its values; nil: as in RocksDB
	arena arena
	index index

	dirty    []address // not in RocksDB, and of no checkpoint under way
	buried   []address // replaced, and marked dead in dirty
	freezing bool      // a checkpoint is under way
	frozen   []address // its entries
	entombed []address // buried in frozen

	superseded []address // replaced, but maybe still looked at
	garbage    []address // nobody looks at them: taken back some at a time
	scans      int       // under way

	sealed   uint32 // the greatest epoch that may not change; what is written now has the next one
	clean    uint32 // the greatest epoch that is in RocksDB
	frozenTo uint32 // while freezing: the greatest epoch of the checkpoint
}

// bytes is what the generation takes up.
func (g *generation) bytes() int64 {
	return g.arena.bytes + g.index.bytes + 4*int64(cap(g.dirty)+cap(g.buried)+cap(g.frozen)+cap(g.entombed)+cap(g.superseded)+cap(g.garbage))
}

func (g *generation) find(hash uint64, key []byte) (address, block) {
	return g.index.find(g.arena.memory, hash, key)
}

// remember adds an entry that RocksDB has, and the generation has not.
func (g *generation) remember(hash uint64, key, value []byte, deleted bool) {
	g.collect()
	at, b := g.arena.allocate(blockBytesFor(key, value))
	b.setKey(key)
	b.setValue(value, deleted)
	g.index.add(hash, at)
}

// set writes a value, or a deletion.
func (g *generation) set(hash uint64, key, value []byte, deleted bool) {
	at, b := g.find(hash, key)
	if at != noAddress && g.mutable(b.epoch()) && blockBytesFor(key, value) <= b.capacity() {
		b.setValue(value, deleted)
		if b.epoch() <= g.clean {
			b.setEpoch(g.sealed + 1)
			g.dirty = append(g.dirty, at)
		}
		return
	}
	g.collect()
	now, nb := g.arena.allocate(blockBytesFor(key, value))
	nb.setKey(key)
	nb.setValue(value, deleted)
	nb.setEpoch(g.sealed + 1)
	g.dirty = append(g.dirty, now)
	if at == noAddress {
		g.index.add(hash, now)
		return
	}
	g.index.replace(hash, at, now)
	g.supersede(at, b)
}

// mutable reports whether nobody looks at the blocks of an epoch.
func (g *generation) mutable(epoch uint32) bool {
	switch {
	case epoch > g.sealed:
		return true
	case g.scans > 0:
		return false
	}
	return !g.freezing || epoch <= g.clean || epoch > g.frozenTo
}

// supersede puts away a block that was replaced.
func (g *generation) supersede(at address, b block) {
	e := b.epoch()
	switch {
	case e > g.clean && !(g.freezing && e <= g.frozenTo):
		b.setDead()
		g.buried = append(g.buried, at)
		if len(g.buried) > 1024+len(g.dirty)/2 {
			g.exhume()
		}
	case g.mutable(e):
		g.arena.release(at)
	default:
		g.superseded = append(g.superseded, at)
	}
}

// exhume takes dead blocks out of the dirty ones.
func (g *generation) exhume() {
	if g.scans > 0 {
		return
	}
	g.dirty = slices.DeleteFunc(g.dirty, func(a address) bool { return g.arena.memory.at(a).dead() })
	g.garbage = append(g.garbage, g.buried...)
	g.buried = g.buried[:0]
}

// reclaim makes garbage of what was replaced, if nobody looks at it.
func (g *generation) reclaim() {
	if g.scans > 0 || g.freezing {
		return
	}
	if len(g.garbage) == 0 {
		g.garbage, g.superseded = g.superseded, g.garbage
		return
	}
	g.garbage = append(g.garbage, g.superseded...)
	g.superseded = g.superseded[:0]
}

// collect takes back a few blocks of garbage: more than a write makes, and so
// few that no record waits for them.
func (g *generation) collect() {
	for range min(4, len(g.garbage)) {
		last := len(g.garbage) - 1
		g.arena.release(g.garbage[last])
		g.garbage = g.garbage[:last]
	}
}

// seal keeps what was written until now from changing.
func (g *generation) seal() { g.sealed++ }

// freeze fixes the dirty entries for a checkpoint, in constant time.
func (g *generation) freeze() entries {
	g.seal()
	g.frozen, g.entombed, g.dirty, g.buried = g.dirty, g.buried, nil, nil
	g.freezing, g.frozenTo = true, g.sealed
	return entries{g.arena.memory, g.frozen, g.form}
}

// thaw ends what freeze began. What could not be written is dirty again,
// unless it was written anew.
func (g *generation) thaw(written bool) {
	g.freezing = false
	if written {
		g.clean = g.frozenTo
		g.superseded = append(g.superseded, g.entombed...)
	} else {
		for _, a := range g.superseded {
			g.arena.memory.at(a).setDead()
		}
		g.dirty = append(g.frozen, g.dirty...)
		g.buried = slices.Concat(g.buried, g.entombed, g.superseded)
		g.superseded = g.superseded[:0]
		g.exhume()
	}
	g.frozen, g.entombed = nil, nil
	g.reclaim()
}

// spilled notes that RocksDB has all that was dirty. No checkpoint is under
// way.
func (g *generation) spilled() {
	g.seal()
	g.clean = g.sealed
	g.dirty = g.dirty[:0]
	g.superseded = append(g.superseded, g.buried...)
	g.buried = g.buried[:0]
	g.reclaim()
}

// unwritten are the dirty entries, dead ones among them.
func (g *generation) unwritten() entries { return entries{g.arena.memory, g.dirty, g.form} }

// all are the entries of the generation.
func (g *generation) all() entries {
	return entries{g.arena.memory, g.index.addresses(g.arena.memory), g.form}
}
