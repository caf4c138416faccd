package table_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/rocks/table"
)

// counted counts the writes of a sortedMap.
type counted struct {
	*sortedMap
	writes int
}

func (c *counted) Write(e *table.Entries) error {
	c.writes++
	return c.sortedMap.Write(e)
}

// much is more entries than a scan of a table with a budget of muchBudget copies.
const much, muchBudget = 2000, 1 << 20

func openMuch(t *testing.T, ts *table.Tables) (*table.Table, *counted) {
	below := &counted{sortedMap: newSortedMap()}
	tb, err := ts.Open(below, table.Options{})
	check(t, err)
	for i := range much {
		check(t, tb.Put(key(i), []byte(fmt.Sprint("old ", i, strings.Repeat(".", 40)))))
	}
	return tb, below
}

// A scan of a whole column sees the column as it was, whatever is written meanwhile, and
// has none of it written, however much that is.
func TestScansOfColumnsWriteNothing(t *testing.T) {
	b, err := table.NewBudget(muchBudget)
	check(t, err)
	ts := b.NewTables(writeOnly)
	var tables []*table.Table
	var belows []*counted
	var scans []table.Iterator
	for range 2 {
		tb, below := openMuch(t, ts)
		tables, belows = append(tables, tb), append(belows, below)
	}
	for _, tb := range tables {
		scans = append(scans, tb.Scan(nil, nil))
	}
	for i := range much {
		for j, it := range scans {
			if !it.Next() || string(it.Key()) != string(key(i).Key) || !strings.HasPrefix(string(it.Value()), fmt.Sprint("old ", i, ".")) {
				t.Fatalf("entry %d: %s is %s, %v", i, it.Key(), it.Value(), it.Err())
			}
			check(t, tables[j].Put(key(i), []byte("new")))
		}
	}
	for _, it := range scans {
		if it.Next() || it.Err() != nil {
			t.Errorf("there is more: %s, %v", it.Key(), it.Err())
		}
	}
	check(t, scans[0].Close()) // what it held is dirty again, and the other's is written
	if n := belows[0].writes + belows[1].writes; n > 0 {
		t.Errorf("%d writes", n)
	}
	check(t, ts.Begin(writeOnly).Finish())
	check(t, scans[1].Close())
	for j, below := range belows {
		have := below.contents()
		for i := range much {
			if have[string(key(i).Key)] != "new" {
				t.Fatalf("entry %d was written as %q", i, have[string(key(i).Key)])
			}
		}
		if below.writes != j+1 {
			t.Errorf("table %d: %d writes", j, below.writes)
		}
	}
	ts.Close(errInjected)
	check(t, b.Close())
}

// What a scan of a column holds is written once a flush begins, or another scan needs it.
// The scan goes on as if nothing had been, or fails as the write does.
func TestScansOfColumnsLetOthersPass(t *testing.T) {
	for name, c := range map[string]struct {
		pass func(ts *table.Tables, tb *table.Table) error
		at   int  // the scan's entry
		fail bool // the write fails
	}{
		"a flush, and what evicts": {func(ts *table.Tables, tb *table.Table) error {
			err := ts.Begin(writeOnly).Finish()
			for i := range 10 * much {
				err = errors.Join(err, tb.Put(key(much+i), []byte(strings.Repeat("x", 50))))
			}
			return err
		}, much / 3, false},
		"a flush before the scan's first entry": {func(ts *table.Tables, _ *table.Table) error { return ts.Begin(writeOnly).Finish() }, -1, false},
		"a flush behind its last entry":         {func(ts *table.Tables, _ *table.Table) error { return ts.Begin(writeOnly).Finish() }, much - 1, false},
		"a flush that fails":                    {func(ts *table.Tables, _ *table.Table) error { return ts.Begin(writeOnly).Finish() }, much / 3, true},
		"another scan": {func(_ *table.Tables, tb *table.Table) error {
			it, n := tb.Scan(nil, nil), 0
			for it.Next() {
				n++
			}
			if n != much {
				return fmt.Errorf("%d entries", n)
			}
			return errors.Join(it.Err(), it.Close())
		}, much / 3, false},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := table.NewBudget(muchBudget)
			check(t, err)
			ts := b.NewTables(writeOnly)
			tb, below := openMuch(t, ts)
			it := tb.Scan(nil, nil)
			pass := func() {
				k, v := it.Key(), it.Value()
				was := string(k) + string(v)
				if c.fail {
					below.failWrite.Store(beforeEntries)
				}
				check(t, c.pass(ts, tb))
				if string(k)+string(v) != was || string(it.Key())+string(it.Value()) != was {
					t.Fatalf("the current entry became %s %s", k, v)
				}
			}
			if c.at < 0 {
				pass()
			}
			n := 0
			for ; it.Next(); n++ {
				if string(it.Key()) != string(key(n).Key) || !strings.HasPrefix(string(it.Value()), fmt.Sprint("old ", n, ".")) {
					t.Fatalf("entry %d: %s is %s", n, it.Key(), it.Value())
				}
				check(t, tb.Put(key(n), []byte("new")))
				check(t, tb.Put(key(n+much/2), []byte("new")))
				if n == c.at {
					pass()
				}
			}
			switch {
			case c.fail && (n != c.at+1 || !errors.Is(it.Err(), errInjected)):
				t.Errorf("the scan ends after %d entries: %v", n, it.Err())
			case !c.fail && (n != much || it.Err() != nil):
				t.Errorf("the scan ends after %d entries: %v", n, it.Err())
			}
			check(t, it.Close())
			check(t, ts.Begin(writeOnly).Finish())
			have := below.contents()
			for i := range much {
				rewritten := i < n || i >= much/2 && i < n+much/2
				if got := have[string(key(i).Key)]; rewritten != (got == "new") {
					t.Fatalf("entry %d was written as %q", i, got)
				}
			}
			ts.Close(errInjected)
			check(t, b.Close())
		})
	}
}
