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
	return &chunks{mapping: m, rest: m}, nil
}

// take returns a chunk of any content; nil: none is left.
func (c *chunks) take() []byte {
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

// give takes a chunk back.
func (c *chunks) give(chunk []byte) { c.spare = append(c.spare, chunk) }

func (c *chunks) close() error {
	if c.mapping == nil {
		return nil
	}
	m := c.mapping
	*c = chunks{}
	return unix.Munmap(m)
}
