package table

import (
	"cmp"
	"math"
	"slices"
)

// part is the entries that became dirty in some consecutive generations. Parts are
// spilled one by one, so that what has been dirty longest is written first.
type part struct {
	to     uint64    // its newest generation
	blocks []address // dead ones among them
	dead   []address // those of blocks that were replaced
	bytes  int64     // of the blocks that are not dead
	since  int64     // when the oldest of its operands began
}

// partBlocks bounds how many blocks a part has: a record waits while dropDead goes
// through them.
const partBlocks = 16 << 10

// never is the beginning of no operand.
const never = math.MaxInt64

// markDirty adds a block to the dirty set. It was written in the generation after
// ended.
func (t *Table) markDirty(at address, b block) {
	n := len(t.dirty)
	if n == 0 || t.dirty[n-1].bytes > t.share.partBytes || len(t.dirty[n-1].blocks) >= partBlocks {
		t.endGeneration()
		b.setGeneration(t.ended + 1)
		t.dirty = append(t.dirty, part{since: never})
		n++
	}
	p := &t.dirty[n-1]
	p.to = t.ended + 1
	p.blocks = append(p.blocks, at)
	t.countDirty(p, int64(len(b)))
	if b.operand() {
		p.since = min(p.since, t.since(b.value()))
	}
}

func (t *Table) countDirty(p *part, n int64) {
	p.bytes += n
	t.share.dirty += n
}

// dirtyBytes is the size of the dirty entries that are in no flush.
func (t *Table) dirtyBytes() (n int64) {
	for _, p := range t.dirty {
		n += p.bytes
	}
	return n
}

// spillEntries is how many entries a spill has at least, of up to half of those that are
// dirty. A spill becomes a sorted run, and a run of a single large entry costs each scan
// and each compaction as much memory as a run of many.
const spillEntries = 8

// partsFor is how many parts a spill writes, from the oldest on: those that have the
// dirty bytes together, or more where these are few entries; all of them if they have less.
func (t *Table) partsFor(bytes int64) (n int) {
	for entries := 0; n < len(t.dirty) && (bytes > 0 || entries < spillEntries && 2*n < len(t.dirty)); n++ {
		bytes -= t.dirty[n].bytes
		entries += len(t.dirty[n].blocks)
	}
	return n
}

// partOf returns the part that has the blocks of a generation.
func partOf(parts []part, generation uint64) *part {
	i, _ := slices.BinarySearchFunc(parts, generation, func(p part, g uint64) int { return cmp.Compare(p.to, g) })
	return &parts[i]
}

// endGeneration begins the next one.
func (t *Table) endGeneration() { t.ended++ }

// frozen is the newest generation of the flushes in flight; 0: there are none.
func (t *Table) frozen() uint64 {
	if n := len(t.flushes); n > 0 {
		return t.flushes[n-1].to()
	}
	return 0
}

// mutable reports whether nobody else reads the blocks of a generation.
func (t *Table) mutable(generation uint64) bool {
	return generation <= t.clean || generation > t.frozen()
}

// retire takes over a block that was replaced, and frees it once nobody reads it.
func (t *Table) retire(at address, b block) {
	e := b.generation()
	switch {
	case e > t.clean && e > t.frozen():
		p := partOf(t.dirty, e)
		t.bury(p, at, b)
		t.dropDead(p)
	case t.mutable(e):
		t.release(at)
	default:
		f := &t.flushes[len(t.flushes)-1]
		f.superseded = append(f.superseded, at)
	}
}

// bury marks a block of a dirty part dead.
func (t *Table) bury(p *part, at address, b block) {
	b.setDead()
	t.countDirty(p, -int64(len(b)))
	p.dead = append(p.dead, at)
}

// dropDead takes the dead blocks out of a part once they are many.
func (t *Table) dropDead(p *part) {
	if len(p.dead) < 1024+len(p.blocks)/2 {
		return
	}
	p.blocks = slices.DeleteFunc(p.blocks, func(a address) bool { return t.arena.memory.at(a).dead() })
	t.discard(p.dead)
	p.dead = nil
}

// discard makes garbage of blocks that no flush reads.
func (t *Table) discard(blocks []address) {
	if len(blocks) > 0 {
		t.garbage = append(t.garbage, blocks)
	}
}

// collected is how many blocks of garbage a write frees: more than it makes, and
// few enough that no record waits.
const collected = 4

func (t *Table) collect(n int) {
	for ; n > 0 && len(t.garbage) > 0; n-- {
		list := len(t.garbage) - 1
		blocks := t.garbage[list]
		last := len(blocks) - 1
		t.release(blocks[last])
		if t.garbage[list] = blocks[:last]; last == 0 {
			t.garbage[list] = nil
			t.garbage = t.garbage[:list]
		}
	}
}

// release frees a block.
func (t *Table) release(at address) {
	if chunk := t.arena.release(at); chunk != nil {
		t.share.give(chunk)
	}
}

// inFlight is what the goroutine of a table knows of its entries in a flush.
type inFlight struct {
	*Entries
	parts      []part
	superseded []address // replaced since the flush began
}

// to is its newest generation.
func (f *inFlight) to() uint64 { return f.parts[len(f.parts)-1].to }

// freeze takes the oldest parts out of the dirty set, for a flush. It takes the
// same short time whatever their size.
func (t *Table) freeze(n int) *Entries {
	if n == len(t.dirty) {
		t.endGeneration()
	}
	parts := t.dirty[:n:n]
	t.dirty = t.dirty[n:]
	if n == 0 {
		parts = []part{{to: t.ended, since: never}}
	}
	for i := range parts {
		t.share.dirty -= parts[i].bytes
	}
	e := &Entries{below: t.below, form: t.form, fold: t.folder.fold, blocks: t.blocksOf(parts)}
	e.seal = sealOf(e.blocks)
	t.flushes = append(t.flushes, inFlight{Entries: e, parts: parts})
	return e
}

// landed ends the oldest flush: Below has all of it.
func (t *Table) landed() {
	f := t.flushes[0]
	t.flushes = slices.Delete(t.flushes, 0, 1)
	t.clean = f.to()
	t.discard(f.superseded)
	for _, p := range f.parts {
		t.discard(p.dead)
	}
}

// revert ends all flushes. Entries that Below does not have are dirty again, but
// for those that were replaced meanwhile.
func (t *Table) revert() {
	for len(t.flushes) > 0 && t.flushes[0].published.Load() {
		t.landed() // a later column, or what follows the entries, failed
	}
	var parts []part
	var superseded []address
	for _, f := range t.flushes {
		parts = append(parts, f.parts...)
		superseded = append(superseded, f.superseded...)
	}
	t.flushes = nil
	for i := range parts {
		t.share.dirty += parts[i].bytes
	}
	var clean []address
	for _, at := range superseded {
		b := t.arena.memory.at(at)
		if b.generation() <= t.clean {
			clean = append(clean, at)
			continue
		}
		t.bury(partOf(parts, b.generation()), at, b)
	}
	t.discard(clean)
	t.dirty = append(parts, t.dirty...)
}

// blocksOf returns the blocks of some parts, as they are now.
func (t *Table) blocksOf(parts []part) blocks {
	e := blocks{memory: t.arena.memory}
	for _, p := range parts {
		e.lists = append(e.lists, p.blocks)
	}
	return e
}
