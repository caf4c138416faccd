package rocks_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/engine/state/statetest"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/upload/memstore"
)

// noise is text that no compression makes smaller.
func noise(seed uint64) string {
	b := make([]byte, 200)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(b)
	return string(b)
}

// A state that is only read is not uploaded anew by each checkpoint, also if reading
// puts off the expiry: within a TTL every value goes up 16 times at most, however often
// it is read.
func TestReadsUploadLittle(t *testing.T) {
	const keys, ttl, rounds = 1000, 16 * time.Hour, 4
	clock := &statetest.Clock{}
	f := factory(t, t.TempDir(), memstore.New(), opener(resources(t, func(o *rocks.Options) { o.Clock, o.TableBytes = clock.Now, 8<<20 })))
	b := openBackend(t, f, 1, keygroup.Range{Start: 0, End: 128})
	r := state.NewRegistry(b, stringKeys.Signature(), nil)
	r.SetClock(clock.Now)
	o, refreshed := opening{r}, state.TTL(ttl, state.RefreshOnRead)
	number := state.NewValue[int64](o, "number", refreshed)
	text := state.NewValue[string](o, "text", refreshed)
	list := state.NewList[int64](o, "list", refreshed)
	entries := state.NewMap[int64, int64](o, "entries", refreshed)
	check(t, r.Err())
	each := func(access func(k *onKey) error) {
		for i := range keys {
			check(t, access(on(fmt.Sprint(i))))
		}
	}
	read := func(k *onKey) error {
		if _, found, err := number.Get(k); err != nil || !found {
			return fmt.Errorf("number: %v, %w", found, err)
		}
		if _, found, err := text.Get(k); err != nil || !found {
			return fmt.Errorf("text: %v, %w", found, err)
		}
		items, err := list.Get(k)
		if err != nil || len(items) != 2 {
			return fmt.Errorf("list: %v, %w", items, err)
		}
		n := 0
		for _, err := range entries.All(k) {
			if err != nil {
				return err
			}
			n++
		}
		if has, err := entries.Has(k, 2); err != nil || !has || n != 1 {
			return fmt.Errorf("map: %d entries, %v, %w", n, has, err)
		}
		return nil
	}
	each(func(k *onKey) error {
		check(t, number.Set(k, 1))
		check(t, text.Set(k, noise(k.cur.Hash)))
		check(t, list.Add(k, 1, 2))
		return entries.Set(k, 2, 3)
	})
	id := checkpoint.ID(1)
	full := persist(t, b, id, 0).FullBytes()
	uploads := func(pause time.Duration) (uploaded int64) {
		for range rounds {
			clock.Advance(pause)
			each(read)
			id++
			uploaded += persist(t, b, id, id-1).Uploaded
		}
		return uploaded
	}
	if n := uploads(time.Hour / (rounds + 1)); n > full/2 {
		t.Errorf("reading within a sixteenth of the TTL uploaded %d bytes; the state has %d", n, full)
	}
	// Read in time, nothing ever expires.
	for range 5 {
		clock.Advance(ttl/16*15 - 1)
		each(read)
	}
	check(t, b.Close())
}
