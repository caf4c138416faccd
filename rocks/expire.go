package rocks

// #include "shim.h"
import "C"

import (
	"sync/atomic"
	"time"

	"github.com/linxGnu/grocksdb"

	"github.com/tidemark/tidemark/engine/state"
)

// expiry removes entries from a database once they have expired. A flush writes
// them as deletions, since older versions may lie below. Compactions drop them by
// a native filter. In the table they stay until they are evicted.
//
// The filter compares with the time that RocksDB was told last: when the last flush
// began, or earlier if an operand was older (DB.writer). So it is never ahead of a
// reader's clock. It may be behind, if that jumped ahead (steady). Any goroutine may use
// it.
type expiry struct {
	clock   *steady
	native  *C.tm_expiry
	flushed atomic.Int64 // dropped on the way to RocksDB
}

// newExpiry returns an expiry, to be freed after the database.
func newExpiry(clock func() time.Time) *expiry {
	return &expiry{clock: &steady{clock: clock}, native: C.tm_expiry_new(state.ExpiringHeader)}
}

// attach makes databases that are opened with the options use x. Until start nothing is
// dropped.
func (x *expiry) attach(o *grocksdb.Options, rewriteAfter time.Duration) {
	C.tm_expiry_attach(x.native, cOptions(o), C.uint64_t(rewriteAfter/time.Second))
}

// start begins to drop from a database with some files.
func (x *expiry) start(files []state.TableFile) {
	newest := int64(0)
	for _, f := range files {
		newest = max(newest, f.CreatedUnix)
	}
	x.clock.startAfter(newest)
	x.tell(x.now())
}

func (x *expiry) free() { C.tm_expiry_free(x.native) }

// compacted is how many entries compactions have dropped.
func (x *expiry) compacted() int64 { return int64(C.tm_expiry_dropped(x.native)) }

func (x *expiry) now() int64 { return x.clock.unixMillis() }

// tell tells RocksDB the time, in Unix milliseconds.
func (x *expiry) tell(now int64) { C.tm_expiry_tell(x.native, C.int64_t(now)) }

// expiryAt is an expiry at one time, that of a flush.
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
	x.flushed.Add(1)
	return true
}
