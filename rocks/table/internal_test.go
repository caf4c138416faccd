package table

import (
	"fmt"
	"slices"
	"testing"

	"github.com/zeebo/xxh3"
)

// Hashes that share half of their bits are spread over the index: those of one key
// group share the upper half, and keys that somebody chose may share the lower one.
func TestIndexUsesAllOfAHash(t *testing.T) {
	for name, of := range map[string]func(i int) uint64{
		"one upper half": func(i int) uint64 { return xxh3.Hash(fmt.Append(nil, i))<<32>>32 | 7<<32 },
		"one lower half": func(i int) uint64 { return xxh3.Hash(fmt.Append(nil, i))<<32 | 7 },
		"in order":       func(i int) uint64 { return uint64(i) },
	} {
		ts := Unlimited().NewTables(nil)
		tb := &Table{owner: ts, share: ts.share, whole: true}
		const n = 20_000
		for i := range n {
			p := &Place{Key: fmt.Append(nil, i), Hash: of(i)}
			if err := tb.Put(p, nil); err != nil {
				t.Fatal(err)
			}
		}
		for i, s := range tb.index.segments {
			if s.used < n/segments/2 || s.used > n/segments*2 {
				t.Errorf("%s: segment %d has %d of %d keys", name, i, s.used, n)
			}
			if longest := longestRun(s.slots); longest > 200 {
				t.Errorf("%s: a search in segment %d passes up to %d slots", name, i, longest)
			}
		}
	}
}

// longestRun returns how many slots in a row are in use, at most.
func longestRun(slots []uint64) (longest int) {
	run := 0
	for _, slot := range slots {
		if run++; slot == 0 {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

// A database that is idle gives the memory that another one needs back within a few
// barriers.
func TestIdleTablesGiveBack(t *testing.T) {
	const chunks, barriers = 256, 4
	b, err := NewBudget(chunks * chunkBytes)
	if err != nil {
		t.Fatal(err)
	}
	write := func(int64) func(*Flush) error { return (*Flush).Write }
	open := func() (*Tables, *Table) {
		ts := b.NewTables(write)
		tb, err := ts.Open(sink{}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return ts, tb
	}
	fill := func(tb *Table, n int) {
		for i := range n {
			if err := tb.Put(PlaceOf(fmt.Append(nil, i)), make([]byte, 10_000)); err != nil {
				t.Fatal(err)
			}
		}
	}
	idle, had := open()
	fill(had, 8000)
	idle.SettleAll()
	if err := idle.Begin(write).Finish(); err != nil {
		t.Fatal(err)
	}
	busy, needs := open()
	for range barriers {
		fill(needs, 4000)
		if err := idle.Begin(write).Finish(); err != nil {
			t.Fatal(err)
		}
	}
	fill(needs, 4000)
	if even := b.Limit() / 2; idle.share.size() > even || busy.share.size() < even*8/10 {
		t.Errorf("after %d barriers the idle database has %d bytes, the busy one %d; an even share is %d", barriers, idle.share.size(), busy.share.size(), even)
	}
	idle.Close(ErrReleased)
	busy.Close(ErrReleased)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// sink is a Below that keeps nothing.
type sink struct{ closedBelow }

func (sink) Get(dst, _ []byte) ([]byte, bool, error) { return dst, false, nil }
func (sink) Scan(_, _ []byte, _ bool) Iterator       { return &scan{} }
func (sink) Write(e *Entries) error                  { return e.Publish(func() error { return nil }) }

// An arena whose chunk numbers are used up says so, instead of beginning at 0 again.
func TestArenaIsFull(t *testing.T) {
	a := arena{memory: make(memory, maxChunks-1)}
	if a.full() {
		t.Fatal("full with one number left")
	}
	a.add(make([]byte, firstChunk))
	at, _ := a.allocate(100)
	if !a.full() || int(at>>chunkBits) != maxChunks-1 {
		t.Errorf("full: %v; the block is in chunk %d", a.full(), at>>chunkBits)
	}
	a.drop(maxChunks - 1)
	if a.full() {
		t.Error("full although a number is unused")
	}
}

// A batch is read ahead if half of the last one was used.
func TestWorthReadingAhead(t *testing.T) {
	repeat := func(n, asked, wanted int) (b [][2]int) {
		return slices.Repeat([][2]int{{asked, wanted}}, n)
	}
	reads := func(read []bool) (n int) {
		for _, r := range read {
			if r {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		name    string
		batches [][2]int
		want    int
	}{
		{"all wanted", repeat(100, 64, 64), 100},
		{"half wanted", repeat(100, 64, 32), 100},
		{"less wanted", repeat(100, 64, 31), 1},
		{"none wanted", repeat(100, 64, 0), 1},
		{"one bad batch", slices.Concat(repeat(10, 64, 64), repeat(1, 64, 0), repeat(89, 64, 64)), 84},
		{"wanted later", slices.Concat(repeat(50, 64, 0), repeat(50, 64, 64)), 1 + 50 - 16},
	} {
		if got := reads(worthwhile(c.batches)); got != c.want {
			t.Errorf("%s: %d of %d batches are read ahead, want %d", c.name, got, len(c.batches), c.want)
		}
	}
}

// worthwhile returns what is decided for batches one after another, each given by how
// many keys are expected and how many of them are used.
func worthwhile(batches [][2]int) (read []bool) {
	var a readAhead
	for _, b := range batches {
		read = append(read, a.worthwhile(b[0]))
		a.used += b[1]
	}
	return read
}

// Blocks is how many keys a table has in memory, deleted ones too.
func (t *Table) Blocks() int { return t.index.entries }
