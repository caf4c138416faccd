package rocks_test

import (
	"testing"

	"github.com/tidemark/tidemark/rocks"
)

// I12: whatever the size of its entries and the number of its runs, a column's merges
// take no more memory than is stated, up to the size that is stated and on any disk.
// Beyond, they have as few runs as a column may keep.
func TestMergesAreBounded(t *testing.T) {
	const stated, fewest = 1 << 20, 4
	for _, disk := range []rocks.Disk{rocks.SSD, rocks.HDD, rocks.Network} {
		from := 32
		for entry := int64(16); entry <= 64<<20; entry *= 2 {
			for runs := 1; runs <= 200; runs++ {
				m := rocks.MergingOf(disk, entry, runs)
				switch {
				case m.From > from:
					t.Errorf("%s, entries of %d bytes: merges from %d runs on, smaller entries from %d", disk, entry, m.From, from)
				case m.From < fewest || entry > stated && m.Bytes > m.Stated && m.From > fewest:
					t.Errorf("%s, entries of %d bytes: merges from %d runs on", disk, entry, m.From)
				case entry <= stated && m.Bytes > m.Stated:
					t.Errorf("%s, entries of %d bytes: a merge takes %d bytes, stated are %d", disk, entry, m.Bytes, m.Stated)
				case m.All != (runs <= m.Widest):
					t.Errorf("%s, entries of %d bytes: merges all of %d runs: %v; at most %d at once", disk, entry, runs, m.All, m.Widest)
				}
				from = m.From
			}
		}
	}
}
