package table_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tidemark/tidemark/rocks/table"
)

// counting is a Below that counts what flushes write.
type counting struct {
	*sortedMap
	written, deletions int
}

func (c *counting) Write(e *table.Entries) error {
	err := e.Each(func(_, _ []byte, deleted bool) error {
		c.written++
		if deleted {
			c.deletions++
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.sortedMap.Write(e)
}

func openCounting(t testing.TB, holds map[string]string) (*table.Tables, *table.Table, *counting) {
	t.Helper()
	ts, below := table.Unlimited().NewTables(writeOnly), &counting{sortedMap: newSortedMap()}
	for k, v := range holds {
		below.entries[k] = v
	}
	tb, err := ts.Open(below, table.Options{Grouped: true})
	check(t, err)
	t.Cleanup(func() { ts.Close(errInjected) })
	return ts, tb, below
}

func inRow(i int) *table.Place { return place(fmt.Sprintf("row.%08d", i), len("row.")) }

// I14: entries that came and went between two flushes leave nothing: no tombstone, and
// nothing that a scan would pass.
func TestEntriesThatComeAndGoLeaveNothing(t *testing.T) {
	ts, tb, below := openCounting(t, nil)
	for round := range 3 {
		for i := range 1000 {
			check(t, tb.Put(inRow(i), []byte("v")))
			check(t, tb.Put(inRow(i), []byte("a longer value in another block")))
		}
		for i := range 1000 {
			check(t, tb.Delete(inRow(i)))
			check(t, tb.Delete(inRow(i)))
		}
		if tb.Blocks() != 0 {
			t.Errorf("round %d: %d keys in memory", round, tb.Blocks())
		}
		check(t, ts.Begin(writeOnly).Finish())
		ts.SettleAll()
	}
	if below.written != 0 {
		t.Errorf("%d entries were written", below.written)
	}
}

// A table that is not whole knows by reading ahead what is absent.
func TestExpectedEntriesThatComeAndGoLeaveNothing(t *testing.T) {
	ts, tb, below := openCounting(t, map[string]string{"row.00000000": "old"})
	places := []table.Place{*inRow(0), *inRow(1)}
	check(t, tb.Expect(places))
	for i := range 3 { // the last one was not expected
		check(t, tb.Put(inRow(i), []byte("v")))
		check(t, tb.Delete(inRow(i)))
	}
	check(t, ts.Begin(writeOnly).Finish())
	if below.written != 2 || below.deletions != 2 || len(below.contents()) != 0 {
		t.Errorf("%d entries were written, %d of them deletions; left is %v", below.written, below.deletions, below.contents())
	}
}

// A small row is known once it was scanned or deleted, so what was put before leaves
// nothing either.
func TestEntriesOfARowThatBecomesKnownLeaveNothing(t *testing.T) {
	for name, become := range map[string]func(tb *table.Table) error{
		"scan": func(tb *table.Table) error {
			err := tb.ScanRow(place("row.", len("row.")), []byte("row/"), inRowOf("row.")).Close()
			for i := range 20 {
				err = errors.Join(err, tb.Delete(inRow(i)))
			}
			return err
		},
		"delete": func(tb *table.Table) error {
			return tb.DeleteRow(place("row.", len("row.")), []byte("row/"), inRowOf("row."))
		},
	} {
		ts, tb, below := openCounting(t, map[string]string{"other.1": ""})
		for i := range 20 {
			check(t, tb.Put(inRow(i), []byte("v")))
		}
		check(t, become(tb))
		check(t, ts.Begin(writeOnly).Finish())
		if below.written != 0 {
			t.Errorf("%s: %d entries were written", name, below.written)
		}
	}
}

// queue sets entry n of a row, and deletes the first one once more than held are there.
func queue(t testing.TB, tb *table.Table, n, held int) {
	check(t, tb.Put(inRow(n), []byte("value")))
	if n < held {
		return
	}
	it := tb.ScanRow(place("row.", len("row.")), []byte("row/"), inRowOf("row."))
	if !it.Next() {
		t.Fatal(it.Err())
	}
	first := append([]byte{}, it.Key()...)
	check(t, it.Close())
	if string(first) != string(inRow(n-held).Key) {
		t.Fatalf("the first of the queue is %s at %d", first, n)
	}
	check(t, tb.Delete(place(string(first), len("row."))))
}

// A row that is used as a queue keeps in memory what lives, and what lived at the last
// flush; so a scan passes no more, in a table that is whole as in one that is not.
func TestAQueueKeepsWhatLives(t *testing.T) {
	for name, holds := range map[string]map[string]string{"whole": nil, "restored": {"other.1": ""}} {
		ts, tb, below := openCounting(t, holds)
		const held, flushEach, most = 10, 500, 3 * (10 + 1)
		for n := range 20_000 {
			queue(t, tb, n, held)
			if tb.Blocks() > most {
				t.Fatalf("%s: %d keys in memory after %d", name, tb.Blocks(), n)
			}
			if n%flushEach == 0 {
				check(t, ts.Begin(writeOnly).Finish())
			}
		}
		if n := below.deletions; n > 20_000/flushEach*(held+1) {
			t.Errorf("%s: %d deletions were written", name, n)
		}
	}
}

// A row that is filled, read and cleared again and again keeps nothing in memory.
func TestARowThatIsClearedKeepsNothing(t *testing.T) {
	ts, tb, below := openCounting(t, map[string]string{"other.1": ""})
	const n = 1000
	for round := range 20 {
		for i := range n {
			check(t, tb.Put(inRow(round*n+i), []byte("value")))
		}
		if round%10 == 9 { // what is cleared has been written, once in a while
			check(t, ts.Begin(writeOnly).Finish())
		}
		it := tb.ScanRow(place("row.", len("row.")), []byte("row/"), inRowOf("row."))
		cleared := 0
		for ; it.Next(); cleared++ {
			check(t, tb.Delete(place(string(it.Key()), len("row."))))
		}
		check(t, errors.Join(it.Err(), it.Close()))
		if cleared != n || round%10 < 9 && tb.Blocks() > 0 {
			t.Errorf("round %d: %d entries were cleared, %d keys are in memory", round, cleared, tb.Blocks())
		}
		if round%10 == 9 {
			check(t, ts.Begin(writeOnly).Finish())
		}
	}
	if below.deletions != 2*n {
		t.Errorf("%d deletions were written", below.deletions)
	}
}

// BenchmarkQueue sets an entry, and deletes the first of ten, after 20,000 others.
func BenchmarkQueue(b *testing.B) {
	_, tb, _ := openCounting(b, map[string]string{"other.1": ""})
	for n := range 20_000 {
		queue(b, tb, n, 10)
	}
	b.ResetTimer()
	for i := range b.N {
		queue(b, tb, 20_000+i, 10)
	}
	b.ReportMetric(float64(tb.Blocks()), "met/op")
}
