package rocks_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/engine/state/statetest"
	"github.com/tidemark/tidemark/rocks"
)

// I12: EachKey that writes every key, a loop over a large map that writes it, and Clear
// of it keep the tables within their budget, whatever the size of the state.
func TestScansStayWithinTheBudget(t *testing.T) {
	const n, budget = 60_000, 1 << 20
	r := resources(t, func(o *rocks.Options) { o.TableBytes = budget })
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "db"), r)
	defer func() { check(t, db.Close()) }()
	o := statesOf(db, &statetest.Clock{})
	number := state.NewValue[int64](o, "number")
	entries := state.NewMap[int64, int64](o, "entries")
	check(t, o.registry.Err())
	most, accesses := int64(0), 0
	look := func() {
		if accesses++; accesses%100 == 0 {
			most = max(most, r.Memory().Table)
		}
	}
	for i := range int64(n) {
		check(t, number.Set(on(fmt.Sprint(i)), i))
		check(t, entries.Set(on("all"), i, i))
	}
	visits := 0
	check(t, o.registry.EachKey(t.Context(), func(c *state.Current) error {
		visits++
		look()
		return number.Set(&onKey{*c}, 7)
	}))
	iterated := 0
	for e, err := range entries.All(on("all")) {
		check(t, err)
		if e.Value != e.Key {
			t.Fatalf("entry %d is %d", e.Key, e.Value)
		}
		iterated++
		look()
		check(t, entries.Set(on("all"), e.Key, -1))
	}
	check(t, entries.Clear(on("all")))
	look()
	check(t, entries.Set(on("all"), 1, 1))
	if visits != n+1 || iterated != n || most > budget+budget/8 {
		t.Errorf("%d keys visited, %d entries; %d bytes of %d", visits, iterated, most, budget)
	}
	at := filepath.Join(dir, "checkpoint")
	check(t, db.Checkpoint(at))
	again := open(t, at, r)
	defer func() { check(t, again.Close()) }()
	o = statesOf(again, &statetest.Clock{})
	entries = state.NewMap[int64, int64](o, "entries")
	left := 0
	for _, err := range entries.All(on("all")) {
		check(t, err)
		left++
	}
	if left != 1 {
		t.Errorf("%d entries are left of a cleared map", left)
	}
}
