package table_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/rocks/table"
)

func writeOnly(int64) func(*table.Flush) error { return (*table.Flush).Write }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open returns a table above an empty map.
func open(t testing.TB, budgetBytes int64, o table.Options) (*table.Tables, *table.Table, *sortedMap) {
	t.Helper()
	b, err := table.NewBudget(budgetBytes)
	check(t, err)
	t.Cleanup(func() { check(t, b.Close()) })
	ts, below := b.NewTables(writeOnly), newSortedMap()
	t.Cleanup(func() { ts.Close(errInjected) })
	tb, err := ts.Open(below, o)
	check(t, err)
	return ts, tb, below
}

func key(i int) *table.Place { return table.PlaceOf(fmt.Appendf(nil, "key%06d", i)) }

// Flushes large enough to be sorted by buckets, of parts of which most was written
// again and again.
func TestManyEntries(t *testing.T) {
	ts, tb, below := open(t, 8<<20, table.Options{})
	const n = 6000
	want := map[string]string{}
	for round := range 6 {
		for i := range n {
			v := strings.Repeat("x", 10*round+1) // no block is large enough for the next round
			check(t, tb.Put(key(i), []byte(v)))
			want[string(key(i).Key)] = v
		}
	}
	f := ts.Begin(writeOnly)
	if got := f.Bytes(); got < n*50 {
		t.Errorf("%d bytes", got)
	}
	check(t, f.Finish())
	check(t, f.Finish())
	if !maps.Equal(below.contents(), want) {
		t.Error("below differs")
	}
}

// A table that has held everything since its Below was empty does not read it.
func TestWholeTableReadsNothing(t *testing.T) {
	ts, tb, below := open(t, 1<<20, table.Options{})
	check(t, tb.Put(key(1), []byte("1")))
	check(t, ts.Begin(writeOnly).Finish())
	for i := range 10 {
		v, found, err := tb.Get(nil, key(i))
		check(t, err)
		if found != (i == 1) {
			t.Errorf("key %d is %q, %v", i, v, found)
		}
	}
	if below.reads != 0 {
		t.Errorf("%d reads", below.reads)
	}
}

// What a Writer is told: the beginning of the oldest operand that Below does not have,
// whichever flush or part it is in, and by the operand itself.
func TestOldestOperand(t *testing.T) {
	var since int64
	var told []int64
	ts, tb, _ := open(t, 1<<20, table.Options{Fold: join, Since: func([]byte) int64 { return since }})
	begin := func() *table.Flush {
		return ts.Begin(func(oldest int64) func(*table.Flush) error {
			told = append(told, oldest)
			return (*table.Flush).Write
		})
	}
	add := func(i int, at int64) {
		t.Helper()
		since = at
		for done := false; !done; {
			var err error
			done, err = tb.PutOperand(key(i), []byte("x"))
			check(t, err)
		}
	}
	check(t, begin().Finish())
	add(1, 1000)
	add(2, 999) // a clock may have gone back
	add(3, 1001)
	f := begin()
	add(4, 2000)
	check(t, f.Finish())
	check(t, begin().Finish())
	check(t, begin().Finish())
	if got, want := fmt.Sprint(told), fmt.Sprint([]int64{math.MaxInt64, 999, 2000, math.MaxInt64}); got != want {
		t.Errorf("told %v, want %v", got, want)
	}
}

// A write that cannot get memory since Below refuses everything fails with the reason,
// and goes on when that is over (I11).
func TestFullTableFailsWithTheReason(t *testing.T) {
	b, err := table.NewBudget(64 << 10)
	check(t, err)
	var failure error = errInjected
	ts := b.NewTables(func(int64) func(*table.Flush) error {
		return func(f *table.Flush) error {
			if failure != nil {
				return failure
			}
			return f.Write()
		}
	})
	defer ts.Close(errInjected)
	below := newSortedMap()
	tb, err := ts.Open(below, table.Options{})
	check(t, err)
	put := 0
	for ; err == nil && put < 10_000; put++ {
		err = tb.Put(key(put), make([]byte, 100))
	}
	if !errors.Is(err, errInjected) {
		t.Fatalf("%d puts, then %v", put, err)
	}
	failure = nil
	for i := range 2000 {
		check(t, tb.Put(key(i), make([]byte, 100)))
	}
	if used := b.Used(); used > 80<<10 { // I12
		t.Errorf("%d bytes are used", used)
	}
	check(t, ts.Begin(writeOnly).Finish())
	if n := len(below.contents()); n != 2000 {
		t.Errorf("%d entries below", n)
	}
}

func TestReleasedAndPanickingFlushes(t *testing.T) {
	ts, tb, below := open(t, 1<<20, table.Options{})
	check(t, tb.Put(key(1), []byte("1")))
	f := ts.Begin(writeOnly)
	f.Release()
	f.Release()
	ts.SettleAll()
	if err := f.Finish(); !errors.Is(err, table.ErrReleased) || len(below.contents()) != 0 {
		t.Errorf("a flush that nobody needs: %v, %v", err, below.contents())
	}
	f = ts.Begin(func(int64) func(*table.Flush) error { return func(*table.Flush) error { panic("broken") } })
	for range 2 {
		if err := f.Finish(); err == nil || !strings.Contains(err.Error(), "panicked: broken; in ") {
			t.Errorf("a flush that panicked: %v", err)
		}
	}
	check(t, ts.Begin(writeOnly).Finish())
	if len(below.contents()) != 1 {
		t.Error("what could not be written is lost")
	}
}

// I8, I11: flushes that begin while others are in flight wait for none of them. Each
// has what was put before it, in whatever order they are written, and whichever of them
// fail.
func TestFlushesInFlight(t *testing.T) {
	orders := [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	for _, fault := range []int32{0, beforeEntries, amidEntries, atPublish, panicking, faults + 1} {
		for _, failing := range [][]int{{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 2}, {0, 1, 2}} {
			for _, order := range orders {
				for _, empty := range []int{-1, 0, 1} {
					t.Run(fmt.Sprintf("fault %d of flushes %v, written as %v, %d empty", fault, failing, order, empty), func(t *testing.T) {
						flushesInFlight(t, fault, failing, order, empty)
					})
				}
			}
		}
	}
}

// flushesInFlight begins three flushes and finishes them in an order. Some have a fault:
// of a write below, or, beyond these, after it. One may have no entries.
func flushesInFlight(t *testing.T, fault int32, failing, order []int, empty int) {
	ts, tb, below := open(t, 1<<20, table.Options{})
	var all [3]*table.Flush
	var want, got [3]map[string]string
	model := map[string]string{}
	for n := range all {
		if n != empty {
			for _, i := range []int{n, 7, 10*n + 20, 10*n + 21, 10*n + 22} {
				v := fmt.Sprint(n)
				check(t, tb.Put(key(i), []byte(v)))
				model[string(key(i).Key)] = v
			}
			check(t, tb.Delete(key(10*n+10)))
			delete(model, string(key(10*n+10).Key))
		}
		want[n] = maps.Clone(model)
		all[n] = ts.Begin(func(int64) func(*table.Flush) error {
			return func(f *table.Flush) error {
				if slices.Contains(failing, n) && fault <= faults && n != empty {
					below.failWrite.Store(fault)
				}
				if err := f.Write(); err != nil {
					return err
				}
				if slices.Contains(failing, n) && fault > faults {
					return errInjected
				}
				got[n] = below.contents()
				return nil
			}
		})
	}
	if n := len(below.contents()); n != 0 {
		t.Fatalf("%d entries were written when a flush began", n)
	}
	for _, n := range order {
		err := all[n].Finish()
		if failed := err != nil; failed != (fault != 0 && slices.Contains(failing, n) && (n != empty || fault > faults)) {
			t.Errorf("flush %d: %v", n, err)
		}
		if err == nil && !maps.Equal(got[n], want[n]) {
			t.Errorf("flush %d has %v, want %v", n, got[n], want[n])
		}
	}
	for k, v := range model {
		if b, found, err := tb.Get(nil, table.PlaceOf([]byte(k))); string(b) != v || !found || err != nil {
			t.Errorf("%s is %q, %v, %v, want %s", k, b, found, err, v)
		}
	}
	check(t, tb.Scan(nil, nil).Close()) // settles the flushes
	for n := range all {                // what is below leaves a tombstone
		check(t, tb.Delete(key(10*n+21)))
		delete(model, string(key(10*n+21).Key))
	}
	check(t, ts.Begin(writeOnly).Finish())
	if got := below.contents(); !maps.Equal(got, model) {
		t.Errorf("in the end below has %v, want %v", got, model)
	}
}

func TestCloseAndDrop(t *testing.T) {
	ts, tb, below := open(t, 1<<20, table.Options{Grouped: true})
	check(t, tb.Put(key(1), []byte("1")))
	check(t, ts.Drop(tb))
	if got := below.contents(); len(got) != 1 {
		t.Errorf("below a dropped table: %v", got)
	}
	tb, err := ts.Open(below, table.Options{Form: form})
	check(t, err)
	it := tb.Scan(nil, nil)
	reason := errors.New("closed for a reason")
	if n := ts.Close(reason); n != 1 {
		t.Errorf("%d scans were open", n)
	}
	_, _, getErr := tb.Get(nil, key(1))
	_, _, findErr := tb.Find(nil, key(3))
	_, openErr := ts.Open(below, table.Options{})
	for what, err := range map[string]error{
		"get": getErr, "put": tb.Put(key(1), nil), "delete": tb.Delete(key(2)), "scan": tb.Scan(nil, nil).Err(),
		"row": tb.ScanRow(key(1), nil, nil).Err(), "delete row": tb.DeleteRow(key(1), nil, nil), "open scan": it.Err(), "open": openErr,
	} {
		if !errors.Is(err, reason) {
			t.Errorf("%s after close: %v", what, err)
		}
	}
	check(t, findErr) // it does not read
	if it.Next() || tb.Expects() {
		t.Error("a closed table goes on")
	}
}

func TestLimits(t *testing.T) {
	if _, err := table.NewBudget(table.MaxBytes + 1); err == nil {
		t.Error("a budget that addresses do not reach")
	}
	_, tb, _ := open(t, 1<<20, table.Options{})
	if err := tb.Put(key(1), make([]byte, 64<<20)); !errors.Is(err, table.ErrTooLarge) {
		t.Errorf("an entry over the limit: %v", err)
	}
	check(t, tb.Put(key(1), make([]byte, 3<<20))) // one entry may exceed the budget
	v, found, err := tb.Get(nil, key(1))
	check(t, err)
	if !found || len(v) != 3<<20 {
		t.Errorf("%d bytes, %v", len(v), found)
	}
	b := table.Unlimited()
	ts := b.NewTables(writeOnly)
	tb, err = ts.Open(newSortedMap(), table.Options{})
	check(t, err)
	for i := range 3000 {
		check(t, tb.Put(key(i), make([]byte, 1000)))
	}
	if b.Used() < 3e6 || b.Limit() != math.MaxInt64 {
		t.Errorf("%d bytes used of %d", b.Used(), b.Limit())
	}
	ts.Close(errInjected)
}
