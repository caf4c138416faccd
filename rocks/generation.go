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

	dirty      []address // not in RocksDB, and of no checkpoint under way; may hold dead ones
	dead       int       // of dirty
	frozen     []address // of the checkpoint under way
	freezing   bool      // there is one
	superseded []address // replaced, but maybe still looked at
	scans      int       // under way

	sealed   uint32 // the greatest epoch that may not change; what is written now has the next one
	clean    uint32 // the greatest epoch that is in RocksDB
	frozenTo uint32 // while freezing: the greatest epoch of the checkpoint
}

// bytes is what the generation takes up.
func (g *generation) bytes() int64 {
	return g.arena.bytes + g.index.bytes + int64(cap(g.dirty)+cap(g.frozen)+cap(g.superseded))*4
}

func (g *generation) find(hash uint64, key []byte) (address, block) {
	return g.index.find(g.arena.memory, hash, key)
}

// remember adds an entry that RocksDB has, and the generation has not.
func (g *generation) remember(hash uint64, key, value []byte, deleted bool) {
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
	if e > g.clean && !(g.freezing && e <= g.frozenTo) {
		b.setDead()
		g.dead++
	} else if g.mutable(e) {
		g.arena.release(at)
		return
	}
	g.superseded = append(g.superseded, at)
	if len(g.superseded) > 1024+len(g.dirty)/2 {
		g.reclaim()
	}
}

// reclaim takes back the blocks that were replaced, if nobody looks at them.
func (g *generation) reclaim() {
	if g.scans > 0 || g.freezing {
		return
	}
	if g.dead > 0 {
		g.dirty = slices.DeleteFunc(g.dirty, func(a address) bool { return g.arena.memory.at(a).dead() })
		g.dead = 0
	}
	for _, a := range g.superseded {
		g.arena.release(a)
	}
	g.superseded = g.superseded[:0]
}

// seal keeps what was written until now from changing.
func (g *generation) seal() { g.sealed++ }

// freeze fixes the dirty entries for a checkpoint, in constant time.
func (g *generation) freeze() entries {
	g.seal()
	g.frozen, g.dirty, g.dead = g.dirty, nil, 0
	g.freezing, g.frozenTo = true, g.sealed
	return entries{g.arena.memory, g.frozen, g.form}
}

// thaw ends what freeze began. What could not be written is dirty again,
// unless it was written anew.
func (g *generation) thaw(written bool) {
	g.freezing = false
	if written {
		g.clean = g.frozenTo
	} else {
		for _, a := range g.superseded {
			g.arena.memory.at(a).setDead()
		}
		g.dirty, g.dead = append(g.frozen, g.dirty...), len(g.superseded)
	}
	g.frozen = nil
	g.reclaim()
}

// spilled notes that RocksDB has all that was dirty. No checkpoint is under
// way.
func (g *generation) spilled() {
	g.seal()
	g.clean = g.sealed
	g.dirty, g.dead = g.dirty[:0], 0
	g.reclaim()
}

// unwritten are the dirty entries, dead ones among them.
func (g *generation) unwritten() entries { return entries{g.arena.memory, g.dirty, g.form} }

// all are the entries of the generation.
func (g *generation) all() entries {
	return entries{g.arena.memory, g.index.addresses(make([]address, 0, g.index.entries)), g.form}
}
