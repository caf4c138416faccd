package table_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/zeebo/xxh3"

	"github.com/tidemark/tidemark/rocks/table"
)

// I12: whatever a scan comes to is rewritten, as by FinishKey, and other keys are read:
// the table stays within its budget, the scan takes little, and a miss still finds memory.
func TestScansKeepNothing(t *testing.T) {
	const entries, budget = 5000, 128 << 10
	b, err := table.NewBudget(budget)
	check(t, err)
	for name, kind := range map[string]struct {
		grouped bool
		at      func(i int) *table.Place
		scan    func(tb *table.Table) table.Iterator
	}{
		"column": {false, key, func(tb *table.Table) table.Iterator { return tb.Scan(nil, nil) }},
		"row": {true, inRow, func(tb *table.Table) table.Iterator {
			return tb.ScanRow(place("row.", len("row.")), []byte("row/"), inRowOf("row."))
		}},
	} {
		ts, below := b.NewTables(writeOnly), newSortedMap()
		for i := range entries {
			below.entries[string(kind.at(i).Key)] = strings.Repeat("v", 100)
		}
		tb, err := ts.Open(below, table.Options{Grouped: kind.grouped})
		check(t, err)
		for i := 0; i < entries; i += 5 { // most of the budget is dirty
			check(t, tb.Put(kind.at(i), []byte(strings.Repeat("V", 100))))
		}
		it, n, forgotten, most := kind.scan(tb), 0, 0, int64(0)
		for it.Next() {
			if want := kind.at(n); string(it.Key()) != string(want.Key) || len(it.Value()) != 100 {
				t.Fatalf("%s: %s: %d bytes at %s", name, it.Key(), len(it.Value()), want.Key)
			}
			check(t, tb.Put(kind.at(n), []byte(strings.Repeat("w", 120))))
			other := kind.at((n*7919 + 1) % entries)
			_, found, err := tb.Get(nil, other)
			check(t, err)
			if !found {
				t.Fatalf("%s: %s is gone", name, other.Key)
			}
			reads := below.reads
			_, _, err = tb.Get(nil, other)
			check(t, err)
			if below.reads > reads {
				forgotten++ // there was no memory at that moment
			}
			most = max(most, b.Used())
			n++
		}
		check(t, errors.Join(it.Err(), it.Close()))
		t.Logf("%s: %d of %d reads were not remembered; %d bytes of %d", name, forgotten, entries, most, budget)
		if n != entries || most > budget+budget/8 || forgotten > entries/4 {
			t.Errorf("%s: the scan found %d entries; %d bytes were used of %d; %d reads were not remembered", name, n, most, budget, forgotten)
		}
		ts.Close(errInjected)
	}
	check(t, b.Close())
}

// A scan in the middle of a column leaves flushes alone, and what is dirty in memory,
// unless that is much.
func TestScansOfLittleWriteNothing(t *testing.T) {
	ts, tb, below := open(t, 1<<20, table.Options{})
	for i := range 1000 {
		check(t, tb.Put(key(i), []byte("old")))
	}
	flush := ts.Begin(writeOnly)
	for i := range 1000 {
		check(t, tb.Put(key(i), []byte("new")))
	}
	it, n := tb.Scan(key(400).Key, key(420).Key), 0
	for ; it.Next(); n++ {
		if string(it.Key()) != string(key(400+n).Key) || string(it.Value()) != "new" {
			t.Fatalf("%s is %s", it.Key(), it.Value())
		}
	}
	check(t, errors.Join(it.Err(), it.Close()))
	if n != 20 || len(below.contents()) != 0 {
		t.Errorf("the scan found %d entries, and had %d written", n, len(below.contents()))
	}
	check(t, flush.Finish())
}

// A row that is small, or empty, is read from Below once; and so is one that began in a
// table which had everything then. What is evicted of it ends that.
func TestSmallRowsAreRemembered(t *testing.T) {
	ts, _, below := open(t, 64<<10, table.Options{})
	for i := range 4 {
		below.entries[string(inRow(i).Key)] = "below"
	}
	tb, err := ts.Open(below, table.Options{Grouped: true})
	check(t, err)
	scans := func(row string) (n int) {
		t.Helper()
		it := tb.ScanRow(place(row, len(row)), []byte(row[:len(row)-1]+"/"), inRowOf(row))
		for it.Next() {
			n++
		}
		check(t, errors.Join(it.Err(), it.Close()))
		return n
	}
	want := func(what, row string, entries int, read bool) {
		t.Helper()
		before := below.scans.Load()
		if n := scans(row); n != entries || below.scans.Load() > before != read {
			t.Errorf("%s: %d entries, read below: %v; want %d, %v", what, n, below.scans.Load() > before, entries, read)
		}
	}
	want("first scan", "row.", 4, true)
	want("second scan", "row.", 4, false)
	want("empty", "none.", 0, true)
	want("empty again", "none.", 0, false)
	check(t, tb.Put(inRow(7), []byte("above")))
	check(t, tb.Delete(inRow(2)))
	want("changed", "row.", 4, false)
	check(t, tb.Put(place("none.1", len("none.")), []byte("above")))
	check(t, ts.Begin(writeOnly).Finish())
	want("flushed", "row.", 4, false)
	want("no longer empty", "none.", 1, false)
	reads := below.reads
	if _, found, err := tb.Get(nil, inRow(99)); found || err != nil || below.reads != reads {
		t.Errorf("an absent entry of a row that is known: %v, %v, %d reads", found, err, below.reads-reads)
	}
	for i := range 5000 { // evict it
		check(t, tb.Put(place(fmt.Sprintf("other%04d.", i), len("other0000.")), make([]byte, 100)))
	}
	want("evicted", "row.", 4, true)
	want("remembered again", "row.", 4, false)
}

// hashed is place with good hashes: rows of one hash forget together that they are known.
func hashed(key string, row int) *table.Place {
	return &table.Place{Key: []byte(key), Row: row, Hash: xxh3.HashString(key), RowHash: xxh3.HashString(key[:row])}
}

// A row that began in a table with everything stays known while others are evicted.
func TestRowsThatBeganInMemoryAreKnown(t *testing.T) {
	ts, tb, below := open(t, 256<<10, table.Options{Grouped: true})
	for i := range 4 {
		check(t, tb.Put(hashed(fmt.Sprint("row.", i), len("row.")), []byte("v")))
	}
	before, other := below.scans.Load(), hashed("other0000.", len("other0000."))
	for i := range 5000 {
		check(t, tb.Put(hashed(fmt.Sprintf("other%04d.", i), len("other0000.")), make([]byte, 100)))
		if i%20 > 0 {
			continue
		}
		check(t, ts.Begin(writeOnly).Finish())
		it, n := tb.ScanRow(hashed("row.", len("row.")), []byte("row/"), nil), 0
		for ; it.Next(); n++ {
		}
		check(t, errors.Join(it.Err(), it.Close()))
		if n != 4 || below.scans.Load() > before {
			t.Fatalf("after %d others: %d entries, %d scans below", i, n, below.scans.Load()-before)
		}
	}
	reads := below.reads
	if _, found, err := tb.Get(nil, other); !found || err != nil || below.reads == reads {
		t.Errorf("the first of the others was not evicted: %v, %v", found, err)
	}
}

// I12: deleting a row takes what is in memory of it, however much Below has; and a flush
// deletes that, but for what was put later.
func TestDeletingALargeRow(t *testing.T) {
	const entries = 20_000
	b, err := table.NewBudget(1 << 20)
	check(t, err)
	ts, below := b.NewTables(writeOnly), newSortedMap()
	defer ts.Close(errInjected)
	for i := range entries {
		below.entries[string(inRow(i).Key)] = "below"
	}
	below.entries["ro"], below.entries["row/"] = "before the row", "behind it"
	tb, err := ts.Open(below, table.Options{Grouped: true})
	check(t, err)
	check(t, tb.Put(inRow(5), []byte("above")))
	row := place("row.", len("row."))
	check(t, tb.DeleteRow(row, []byte("row/"), inRowOf("row.")))
	if tb.Blocks() > 0 {
		t.Errorf("%d keys are in memory", tb.Blocks())
	}
	check(t, tb.Put(inRow(7), []byte("later")))
	check(t, tb.Put(row, []byte("the row's own")))
	wantRow := func(want string) {
		t.Helper()
		var got []string
		it := tb.ScanRow(row, []byte("row/"), inRowOf("row."))
		for it.Next() {
			got = append(got, fmt.Sprintf("%s=%s", it.Key(), it.Value()))
		}
		check(t, errors.Join(it.Err(), it.Close()))
		if fmt.Sprint(got) != want {
			t.Errorf("the row is %.200q, want %s", fmt.Sprint(got), want)
		}
	}
	const want = "[row.=the row's own row.00000007=later]"
	wantRow(want)
	if _, found, err := tb.Get(nil, inRow(8)); found || err != nil {
		t.Errorf("a deleted entry: %v, %v", found, err)
	}
	below.failWrite.Store(amidEntries)
	if err := ts.Begin(writeOnly).Finish(); !errors.Is(err, errInjected) {
		t.Error(err)
	}
	wantRow(want)
	check(t, ts.Begin(writeOnly).Finish())
	if n := len(below.contents()); n != 4 {
		t.Errorf("%d entries below", n)
	}
	wantRow(want)
	check(t, tb.DeleteRow(row, []byte("row/"), inRowOf("row.")))
	wantRow("[]")
	check(t, ts.Begin(writeOnly).Finish())
	if n := len(below.contents()); n != 2 {
		t.Errorf("%d entries below", n)
	}
}
