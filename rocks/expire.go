package rocks

// #include "shim.h"
import "C"

import (
	"sync/atomic"
	"time"

	"github.com/linxGnu/grocksdb"

	"github.com/tidemark/tidemark/engine/state"
)

// expiry has entries leave a database once they have expired: a spill writes
// them as deletions, since older versions may lie below, and compactions drop
// them by a native filter. In the table they stay until they are forgotten.
//
// RocksDB goes by the time that it was told last, which is that of the last
// spill or checkpoint, or earlier (DB.tellable): it never is ahead of those who
// read. Any goroutine.
type expiry struct {
	clock   func() time.Time
	native  *C.tm_expiry
	spilled atomic.Int64 // dropped on the way to RocksDB
}

// newExpiry returns an expiry, to be freed after the database.
func newExpiry(clock func() time.Time) *expiry {
	return &expiry{clock: clock, native: C.tm_expiry_new(state.ExpiringHeader)}
}

// attach has databases opened with the options go by x.
func (x *expiry) attach(o *grocksdb.Options, rewriteAfter time.Duration) {
	C.tm_expiry_attach(x.native, cOptions(o), C.uint64_t(rewriteAfter/time.Second))
	x.tell(x.now())
}

func (x *expiry) free() { C.tm_expiry_free(x.native) }

// compacted is how many entries compactions have dropped.
func (x *expiry) compacted() int64 { return int64(C.tm_expiry_dropped(x.native)) }

func (x *expiry) now() int64 { return x.clock().UnixMilli() }

// tell tells RocksDB the time, in Unix milliseconds.
func (x *expiry) tell(now int64) { C.tm_expiry_tell(x.native, C.int64_t(now)) }

// expiryAt is an expiry for the length of a spill.
type expiryAt struct {
	*expiry
	now int64 // Unix milliseconds
}

func (x *expiry) at() expiryAt { return expiryAt{x, x.now()} }

// drops reports whether a value has expired, and counts it if it has.
func (x expiryAt) drops(stored []byte) bool {
	at, expires := state.Expiry(stored)
	if !expires || at > x.now {
		return false
	}
	x.spilled.Add(1)
	return true
}
