//go:build !invariants

package table

import (
	"slices"

	"golang.org/x/sys/unix"
)

// chunks are a budget's whole chunks. They lie outside of Go's heap, where the
// collector would let garbage grow to the size of all tables before it ran. The
// system provides pages when they are first written.
type chunks struct {
	mapping []byte
	rest    []byte // of the mapping
	spare   [][]byte
	larger  map[*byte]struct{} // first bytes of mappings of their own
}

const hugePage = 2 << 20

func newChunks(n int64) (*chunks, error) {
	if n == 0 {
		return &chunks{}, nil
	}
	m, err := unix.Mmap(-1, 0, int(n*chunkBytes), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, err
	}
	if len(m) >= 16*hugePage {
		// Lookups touch memory all over, and large pages are found faster. A system
		// without large pages works as well.
		_ = unix.Madvise(m, unix.MADV_HUGEPAGE)
	}
	return &chunks{mapping: m, rest: m, larger: map[*byte]struct{}{}}, nil
}

// take returns a chunk of n bytes, chunkBytes at least, with any content; nil: there
// is none.
func (c *chunks) take(n int) []byte {
	if n > chunkBytes {
		return c.takeLarger(n)
	}
	if last := len(c.spare) - 1; last >= 0 {
		chunk := c.spare[last]
		c.spare = c.spare[:last]
		return chunk
	}
	if len(c.rest) < chunkBytes {
		return nil
	}
	chunk := slices.Clip(c.rest[:chunkBytes])
	c.rest = c.rest[chunkBytes:]
	return chunk
}

// takeLarger maps a chunk, unless the budget lies on Go's heap.
func (c *chunks) takeLarger(n int) []byte {
	if c.mapping == nil {
		return nil
	}
	m, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil // the heap may have some
	}
	c.larger[&m[0]] = struct{}{}
	return m
}

// give takes a chunk back, which may be the heap's.
func (c *chunks) give(chunk []byte) {
	if len(chunk) == chunkBytes {
		c.spare = append(c.spare, chunk)
		return
	}
	if _, mapped := c.larger[&chunk[0]]; mapped {
		delete(c.larger, &chunk[0])
		_ = unix.Munmap(chunk) // fails only for what is not a mapping
	}
}

func (c *chunks) close() error {
	if c.mapping == nil {
		return nil
	}
	m := c.mapping
	*c = chunks{}
	return unix.Munmap(m)
}
