package rocks_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/rocks/table"
)

// begun is a checkpoint between Freeze and its end.
type begun struct {
	dir     string
	write   func() error
	release func()
	want    map[string]string // of both columns
	blocked bool              // something is in the way: it must fail
}

// I8, I11: whatever happens between Freeze and write, and whenever write runs,
// a checkpoint holds exactly what was written before, and the database what was
// written at all.
func TestFreezeIsExact(t *testing.T) {
	r := resources(t)
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		check(t, err)
		defer os.RemoveAll(dir)
		states := []state.Descriptor{{Name: "a"}, {Name: "b"}}
		db := open(t, filepath.Join(dir, "db"), r, states...)
		defer func() { check(t, db.Close()) }()
		columns := []state.Column{column(t, db, states[0]), column(t, db, states[1])}
		model := map[string]string{} // by column and key
		var inFlight []*begun
		names := 0
		type opened struct {
			it   state.Iterator
			want map[string]string
		}
		var scans []opened
		closeScan := func(rt *rapid.T) {
			if len(scans) == 0 {
				return
			}
			s := scans[0]
			scans = scans[1:]
			got := map[string]string{}
			for s.it.Next() {
				got[string(s.it.Key())] = string(s.it.Value())
			}
			check(t, s.it.Err())
			check(t, s.it.Close())
			if !maps.Equal(got, s.want) {
				rt.Fatalf("a scan that began earlier finds %v, want %v", got, s.want)
			}
		}
		drawKey := func(rt *rapid.T) (int, string) {
			return rapid.IntRange(0, 1).Draw(rt, "column"), fmt.Sprintf("k%03d", rapid.IntRange(0, 120).Draw(rt, "key"))
		}
		id := func(c int, k string) string { return fmt.Sprint(c, k) }
		contents := func(db *rocks.DB) map[string]string {
			m := map[string]string{}
			for c, s := range states {
				it := column(t, db, s).Scan(nil, nil)
				for it.Next() {
					m[id(c, string(it.Key()))] = string(it.Value())
				}
				check(t, it.Err())
				check(t, it.Close())
			}
			return m
		}
		// any takes one of those in flight: writes may be called in any order.
		any := func(rt *rapid.T) *begun {
			if len(inFlight) == 0 {
				return nil
			}
			i := rapid.IntRange(0, len(inFlight)-1).Draw(rt, "which")
			b := inFlight[i]
			inFlight = slices.Delete(inFlight, i, i+1)
			return b
		}
		finish := func(rt *rapid.T) {
			b := any(rt)
			if b == nil {
				return
			}
			err := b.write()
			if b.blocked {
				if err == nil {
					rt.Fatal("a checkpoint into what was in the way succeeded")
				}
				return
			}
			check(t, err)
			copied := open(t, b.dir, r)
			defer copied.Close()
			if got := contents(copied); !maps.Equal(got, b.want) {
				rt.Fatalf("the checkpoint holds %v, want %v", got, b.want)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				c, k := drawKey(rt)
				v := fmt.Sprint(len(model), string(make([]byte, rapid.IntRange(0, 3000).Draw(rt, "size"))))
				check(t, columns[c].Put([]byte(k), []byte(v)))
				model[id(c, k)] = v
			},
			"put many": func(rt *rapid.T) {
				v := fmt.Sprint("many", rapid.IntRange(0, 1000).Draw(rt, "value"))
				for i := range 300 { // enough for a file
					k := fmt.Sprintf("k%03d", i)
					check(t, columns[1].Put([]byte(k), []byte(v)))
					model[id(1, k)] = v
				}
			},
			"delete": func(rt *rapid.T) {
				c, k := drawKey(rt)
				check(t, columns[c].Delete([]byte(k)))
				delete(model, id(c, k))
			},
			"get": func(rt *rapid.T) {
				c, k := drawKey(rt)
				v, found, err := columns[c].Get(nil, []byte(k))
				check(t, err)
				want, ok := model[id(c, k)]
				if found != ok || string(v) != want {
					rt.Fatalf("%s is %.20q, %v; want %.20q, %v", id(c, k), v, found, want, ok)
				}
			},
			"scan": func(rt *rapid.T) {
				if got := contents(db); !maps.Equal(got, model) {
					rt.Fatalf("scan finds %v, want %v", got, model)
				}
			},
			"open scan": func(rt *rapid.T) { // it sees nothing of what comes after it
				c := rapid.IntRange(0, 1).Draw(rt, "column")
				want := map[string]string{}
				for k, v := range model {
					if k, ok := strings.CutPrefix(k, fmt.Sprint(c)); ok {
						want[k] = v
					}
				}
				it := columns[c].Scan(nil, nil)
				if rapid.Bool().Draw(rt, "begin") && it.Next() {
					k := string(it.Key())
					if want[k] != string(it.Value()) {
						rt.Fatalf("scan finds %.20q at %s, want %.20q", it.Value(), k, want[k])
					}
					delete(want, k)
				}
				scans = append(scans, opened{it, want})
			},
			"end scan": closeScan,
			"freeze": func(rt *rapid.T) {
				if len(inFlight) == 3 {
					finish(rt)
				}
				names++
				b := &begun{dir: filepath.Join(dir, fmt.Sprint(names)), want: maps.Clone(model), blocked: rapid.IntRange(0, 3).Draw(rt, "blocked") == 0}
				if b.blocked {
					check(t, os.Mkdir(b.dir, 0o755))
				}
				var err error
				b.write, b.release, err = db.Freeze(b.dir)
				check(t, err)
				inFlight = append(inFlight, b)
			},
			"write": finish,
			"release": func(rt *rapid.T) {
				if b := any(rt); b != nil {
					b.release()
				}
			},
		})
		for len(scans) > 0 {
			closeScan(rt)
		}
		for len(inFlight) > 0 {
			finish(rt)
		}
	})
}

// I8, I11: a barrier does not wait for the write of the checkpoint before it, and a
// write that panics has written nothing: its entries are in the next checkpoint.
func TestBarrierDuringAWriteThatPanics(t *testing.T) {
	r, dir := resources(t), t.TempDir()
	db := open(t, filepath.Join(dir, "db"), r, count)
	check(t, column(t, db, count).Put([]byte("known below"), []byte("older")))
	check(t, db.Checkpoint(filepath.Join(dir, "below")))
	check(t, db.Close())
	db = open(t, filepath.Join(dir, "below"), r, count)
	defer func() { check(t, db.Close()) }()

	entered, leave := make(chan struct{}), make(chan struct{})
	var folds atomic.Int32
	rows, err := column(t, db, count).(state.RowColumn).Rows(state.Access{Fold: func(dst, older, operand []byte) ([]byte, error) {
		if folds.Add(1) == 1 {
			close(entered)
			<-leave
			panic("past its guard")
		}
		return append(append(dst, older...), operand[:len(operand)-8]...), nil // without its beginning
	}})
	check(t, err)
	put := func(key, value string) { check(t, rows.Put((*state.Place)(table.PlaceOf([]byte(key))), []byte(value))) }
	put("kept", "1")
	_, err = rows.PutOperand((*state.Place)(table.PlaceOf([]byte("known below"))), append([]byte(" newer"), make([]byte, 8)...))
	check(t, err)
	first, _, err := db.Freeze(filepath.Join(dir, "first"))
	check(t, err)
	failed := make(chan error)
	go func() { failed <- first() }()
	<-entered
	put("later", "2")
	second, _, err := db.Freeze(filepath.Join(dir, "second")) // the first is being written
	check(t, err)
	put("last", "3")
	close(leave)
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "past its guard") {
		t.Errorf("a write that panics: %v", err)
	}
	check(t, second())
	copied := open(t, filepath.Join(dir, "second"), r, count)
	defer func() { check(t, copied.Close()) }()
	if got, want := all(t, column(t, copied, count).Scan(nil, nil)), "kept=1 known below=older newer later=2"; got != want {
		t.Errorf("the second checkpoint holds %q, want %q", got, want)
	}
}

// The work of a checkpoint is done beside reads and writes; run with -race.
func TestWriteBesideRecords(t *testing.T) {
	r, dir := resources(t), t.TempDir()
	db := open(t, filepath.Join(dir, "db"), r, count)
	defer db.Close()
	c := column(t, db, count)
	const n = 2000
	for round := range 5 {
		for i := range n {
			check(t, c.Put(key(i), fmt.Append(nil, round)))
		}
		at := filepath.Join(dir, fmt.Sprint(round))
		write, _, err := db.Freeze(at)
		check(t, err)
		done := make(chan error)
		go func() { done <- write() }()
		for i := range n {
			v, _, err := c.Get(nil, key(i))
			if string(v) != fmt.Sprint(round) || err != nil {
				t.Fatalf("%s is %q, %v in round %d", key(i), v, err, round)
			}
			check(t, c.Put(key(i), []byte("newer")))
		}
		check(t, <-done)
		copied := open(t, at, r)
		it := column(t, copied, count).Scan(nil, nil)
		seen := 0
		for ; it.Next(); seen++ {
			if string(it.Value()) != fmt.Sprint(round) {
				t.Fatalf("%s is %q in the checkpoint of round %d", it.Key(), it.Value(), round)
			}
		}
		check(t, it.Close())
		check(t, copied.Close())
		if seen != n {
			t.Errorf("%d entries in the checkpoint of round %d", seen, round)
		}
	}
}
