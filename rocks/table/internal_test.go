package table

import (
	"fmt"
	"slices"
	"testing"
)

// The upper half of a hash chose the key groups of a table, and so says nothing in
// it: keys of one group are spread over all segments.
func TestIndexUsesTheLowerHalf(t *testing.T) {
	ts := Unlimited().NewTables(nil)
	tb := &Table{owner: ts, share: ts.share, whole: true}
	const n = 20_000
	for i := range n {
		p := PlaceOf(fmt.Append(nil, i))
		p.Hash = p.Hash<<32>>32 | 7<<32
		if err := tb.Put(p, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range tb.index.segments {
		if s.used < n/segments/2 || s.used > n/segments*2 {
			t.Errorf("segment %d has %d of %d keys", i, s.used, n)
		}
	}
}

// A sweep cannot evict anything while a scan is open, and does not try.
func TestSweepRestsDuringScans(t *testing.T) {
	ts := Unlimited().NewTables(nil)
	tb := &Table{owner: ts, share: ts.share, whole: true}
	for i := range 1000 {
		if err := tb.Put(PlaceOf(fmt.Append(nil, i)), make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	it := tb.Scan(nil, nil)
	defer it.Close()
	if tb.sweep(100) || tb.giveBack(tries) || tb.hand != 0 {
		t.Errorf("the hand is at chunk %d", tb.hand)
	}
}

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
