package table_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/tidemark/tidemark/rocks/table"
)

// choices are the random decisions of a sequence: those of a seed, or of a fuzzer.
type choices struct{ data []byte }

func (c *choices) done() bool { return len(c.data) == 0 }

// below returns a number in [0, n).
func (c *choices) below(n int) int {
	if c.done() {
		return 0
	}
	b := int(c.data[0])
	c.data = c.data[1:]
	if n > 256 && !c.done() {
		b = b<<8 | int(c.data[0])
		c.data = c.data[1:]
	}
	return b % n
}

// world is a database of three tables under test, and what they should hold.
type world struct {
	*choices
	t      testing.TB
	tables *table.Tables
	below  [3]*sortedMap
	table  [3]*table.Table
	model  [3]map[string]string // by key

	failFlush error // of the next checkpoint, once its entries are written
	pending   []pending
	scans     []openScan
	n         int // values are numbered
}

// The tables: values in a form of their own; rows of several entries; and values that
// operands are joined to.
const (
	values = iota
	grouped
	joined
)

// pending is a checkpoint between Begin and its end.
type pending struct {
	flush *table.Flush
	want  [3]map[string]string
	got   *[3]map[string]string
}

type openScan struct {
	it   table.Iterator
	name string
	want map[string]string // in the form of below
}

var form = &table.Form{
	Encode: func(dst, cell []byte) ([]byte, error) { return append(append(dst, "e:"...), cell...), nil },
	Decode: func(dst, stored []byte) ([]byte, error) {
		cell, ok := bytes.CutPrefix(stored, []byte("e:"))
		if !ok {
			return dst, fmt.Errorf("%.20q is not encoded", stored)
		}
		return append(dst, cell...), nil
	},
}

func join(dst, older, operand []byte) ([]byte, error) {
	return append(append(dst, older...), operand...), nil
}

func newWorld(t testing.TB, budget *table.Budget, c *choices) *world {
	w := &world{choices: c, t: t}
	w.tables = budget.NewTables(func(int64) func(*table.Flush) error { return (*table.Flush).Write })
	for i := range w.below {
		w.below[i], w.model[i] = newSortedMap(), map[string]string{}
	}
	w.open()
	return w
}

func (w *world) open() {
	for i, o := range [3]table.Options{
		{Form: form}, {Grouped: true},
		{Form: form, Fold: join, Since: func([]byte) int64 { return 0 }},
	} {
		var err error
		if w.table[i], err = w.tables.Open(w.below[i], o); err != nil {
			w.t.Fatal(err)
		}
	}
}

// rows is how many rows tables have, at most.
const rows = 60

// key returns a random key of a table, with its row.
func (w *world) key(which int) (key string, row int) {
	n := rows
	if which == grouped {
		n = rows / 10
	}
	key = fmt.Sprintf("row%02d.", w.choices.below(n))
	row = len(key)
	if which == grouped && w.choices.below(10) > 0 {
		n := 30
		if key < "row02" {
			n = 300 // these rows are not small
		}
		key += fmt.Sprintf("%03d", w.choices.below(n))
	}
	return key, row
}

// place hashes badly, so that chains are long.
func place(key string, row int) *table.Place {
	return &table.Place{Key: []byte(key), Row: row, Hash: xxh3.HashString(key) % 97, RowHash: xxh3.HashString(key[:row]) % 17}
}

func (w *world) value() string {
	w.n++
	size := w.choices.below(200)
	switch w.choices.below(80) {
	case 0:
		size = 20_000
	case 1:
		size = 300_000 // larger than a chunk, and than the budget
	}
	return fmt.Sprint(w.n, ":", strings.Repeat("x", size))
}

// tolerated reports whether an operation failed by a fault that was injected.
func (w *world) tolerated(err error) bool {
	if err != nil && !errors.Is(err, errInjected) && !strings.HasPrefix(err.Error(), "writing panicked: injected") {
		w.t.Fatal(err)
	}
	return err != nil
}

func (w *world) get(which int) {
	key, row := w.key(which)
	w.want(which, key, row)
}

func (w *world) want(which int, key string, row int) {
	got, found, err := w.table[which].Get([]byte("before "), place(key, row))
	if w.tolerated(err) {
		return
	}
	want, ok := w.model[which][key]
	if found != ok || string(got) != "before "+want && found {
		w.t.Fatalf("%s is %.40q, %v; want %.40q, %v", key, got, found, want, ok)
	}
}

func (w *world) put(which int) {
	key, row := w.key(which)
	v := w.value()
	if !w.tolerated(w.table[which].Put(place(key, row), []byte(v))) {
		w.model[which][key] = v
	}
}

func (w *world) delete(which int) {
	key, row := w.key(which)
	if !w.tolerated(w.table[which].Delete(place(key, row))) {
		delete(w.model[which], key)
	}
}

// putMany fills a row with many small entries.
func (w *world) putMany() {
	key, row := w.key(grouped)
	for i := range 100 {
		k, v := fmt.Sprintf("%s%03d", key[:row], w.choices.below(3)*100+i), fmt.Sprint("many ", w.n)
		if w.tolerated(w.table[grouped].Put(place(k, row), []byte(v))) {
			return
		}
		w.model[grouped][k] = v
	}
}

func (w *world) deleteRow() {
	key, row := w.key(grouped)
	err := w.table[grouped].DeleteRow(place(key[:row], row), []byte(key[:row]+"\xff"), inRowOf(key[:row]))
	failed := w.tolerated(err)
	if failed {
		w.mend()
	}
	maps.DeleteFunc(w.model[grouped], func(k, _ string) bool {
		if !strings.HasPrefix(k, key[:row]) || !failed {
			return strings.HasPrefix(k, key[:row])
		}
		_, found, err := w.table[grouped].Get(nil, place(k, row)) // a part may be deleted
		return !w.tolerated(err) && !found
	})
}

// inRowOf returns the places of a row's keys.
func inRowOf(row string) func(key []byte) table.Place {
	return func(key []byte) table.Place { return *place(string(key), len(row)) }
}

// add joins something to a value, as package state does.
func (w *world) add() {
	key, row := w.key(joined)
	part := fmt.Sprint("+", w.n)
	w.n++
	for done := false; !done; {
		value, known, err := w.table[joined].Find(nil, place(key, row))
		if w.tolerated(err) {
			return
		}
		want, ok := w.model[joined][key]
		if known == table.KnownValue && string(value) != want || known == table.KnownAbsent && ok || known == table.KnownOperand && !strings.HasSuffix(want, string(value)) {
			w.t.Fatalf("%s is known as %d, %.40q; want %.40q, %v", key, known, value, want, ok)
		}
		value = append(value, part...)
		if known == table.KnownValue || known == table.KnownAbsent {
			done, err = true, w.table[joined].Put(place(key, row), value)
		} else {
			done, err = w.table[joined].PutOperand(place(key, row), value)
		}
		if w.tolerated(err) {
			return
		}
	}
	w.model[joined][key] += part
}

// expect tells a table what comes, and reads it.
func (w *world) expect(which int) {
	if !w.table[which].Expects() {
		return
	}
	var places []table.Place
	for range 1 + w.choices.below(32) {
		key, row := w.key(which)
		places = append(places, *place(key, row))
	}
	coming := append([]table.Place(nil), places...)
	if w.tolerated(w.table[which].Expect(coming)) {
		return
	}
	for _, p := range places {
		w.want(which, string(p.Key), p.Row)
	}
}

// encoded is what a table gives to Below.
func encoded(which int, model map[string]string) map[string]string {
	m := map[string]string{}
	for k, v := range model {
		if which != grouped {
			v = "e:" + v
		}
		m[k] = v
	}
	return m
}

func (w *world) scan() {
	which := w.choices.below(3)
	s := openScan{want: encoded(which, w.model[which])}
	switch w.choices.below(3) {
	case 0:
		s.name, s.it = "scan", w.table[which].Scan(nil, nil)
	case 1:
		s.name = "scan of a part"
		s.it = w.table[which].Scan([]byte("row1"), []byte("row4"))
		maps.DeleteFunc(s.want, func(k, _ string) bool { return k < "row1" || k >= "row4" })
	default:
		key, row := w.key(which)
		w.scanRow(which, key[:row])
		return
	}
	w.scans = append(w.scans, s)
}

func (w *world) scanRow(which int, row string) {
	s := openScan{name: "scan of " + row, want: encoded(which, w.model[which])}
	s.it = w.table[which].ScanRow(place(row, len(row)), []byte(row+"\xff"), inRowOf(row))
	maps.DeleteFunc(s.want, func(k, _ string) bool { return !strings.HasPrefix(k, row) })
	w.scans = append(w.scans, s)
}

func (w *world) endScan() {
	if len(w.scans) == 0 {
		return
	}
	s := w.scans[0]
	w.scans = w.scans[1:]
	got, last := map[string]string{}, ""
	for more := s.it.Next(); more; {
		if len(got) > 0 && string(s.it.Key()) <= last {
			w.t.Fatalf("%s gives %q after %q", s.name, s.it.Key(), last)
		}
		last = string(s.it.Key())
		got[last] = string(s.it.Value())
		if w.choices.below(4) != 1 {
			more = s.it.Next()
			continue
		}
		to := last + "2"
		if n := len(last) - 1; w.choices.below(2) == 0 {
			to = last[:n] + string(last[n]+byte(1+w.choices.below(5)))
		}
		maps.DeleteFunc(s.want, func(k, _ string) bool { return k > last && k < to })
		more = s.it.Seek([]byte(to))
	}
	failed := w.tolerated(s.it.Err())
	if err := s.it.Close(); err != nil {
		w.t.Fatal(err)
	}
	if !failed && !maps.Equal(got, s.want) {
		w.t.Fatalf("%s gives %d entries, want %d: %.200q, want %.200q", s.name, len(got), len(s.want), fmt.Sprint(got), fmt.Sprint(s.want))
	}
}

// checkpoint begins a flush, whose writer notes what is below after the entries.
func (w *world) checkpoint() {
	p := pending{got: &[3]map[string]string{}}
	for i, m := range w.model {
		p.want[i] = encoded(i, m)
	}
	failure := w.failFlush
	w.failFlush = nil
	p.flush = w.tables.Begin(func(int64) func(*table.Flush) error {
		return func(f *table.Flush) error {
			if err := f.Write(); err != nil {
				return err
			}
			for i, b := range w.below {
				p.got[i] = b.contents()
			}
			return failure
		}
	})
	switch w.choices.below(4) {
	case 0:
		go func() { _ = p.flush.Finish() }()
		w.pending = append(w.pending, p)
	case 1:
		w.pending = append(w.pending, p)
	case 2:
		p.flush.Release()
	default:
		w.finish(p)
	}
}

// finish ends a checkpoint, which must hold what was written before it began (I8).
func (w *world) finish(p pending) {
	if w.tolerated(p.flush.Finish()) {
		return
	}
	for i, want := range p.want {
		if got := p.got[i]; !maps.Equal(got, want) {
			w.t.Fatalf("the checkpoint has %d entries of table %d, want %d: %.300q, want %.300q", len(got), i, len(want), fmt.Sprint(got), fmt.Sprint(want))
		}
	}
}

func (w *world) finishOne() {
	if n := len(w.pending); n > 0 {
		i := w.choices.below(n)
		p := w.pending[i]
		w.pending = slices.Delete(w.pending, i, i+1)
		w.finish(p)
	}
}

// fault breaks something that comes, or mends all.
func (w *world) fault() {
	b := w.below[w.choices.below(3)]
	switch w.choices.below(4) {
	case 0:
		b.failReads.Store(true)
	case 1:
		b.failWrite.Store(int32(1 + w.choices.below(faults)))
	case 2:
		w.failFlush = errInjected
	default:
		w.mend()
	}
}

func (w *world) mend() {
	w.failFlush = nil
	for _, b := range w.below {
		b.failReads.Store(false)
		b.failWrite.Store(0)
	}
}

// step does one random operation.
func (w *world) step() {
	which := w.choices.below(3)
	switch w.choices.below(26) {
	case 0, 1, 2, 3, 4:
		w.put(which)
	case 5, 6:
		w.delete(which)
	case 7, 8, 9, 10:
		w.get(which)
	case 11, 12, 13, 14, 15:
		w.add()
	case 16, 17:
		w.expect(which)
	case 18:
		w.scan()
	case 19, 20:
		w.endScan()
	case 21:
		w.checkpoint()
	case 22:
		w.finishOne()
	case 23:
		w.fault()
	case 24:
		w.deleteRow()
	case 25:
		w.putMany()
	}
}

// end compares everything, in the tables and below them, and closes the world.
func (w *world) end() {
	w.mend()
	for len(w.scans) > 0 {
		w.endScan()
	}
	for len(w.pending) > 0 {
		w.finishOne()
	}
	for i, m := range w.model {
		for row := range rows {
			key := fmt.Sprintf("row%02d.", row)
			w.want(i, key, len(key))
			w.scanRow(i, key)
			w.endScan()
		}
		w.scans = append(w.scans, openScan{w.table[i].Scan(nil, nil), "last scan", encoded(i, m)})
		w.endScan()
	}
	w.checkpoint()
	for len(w.pending) > 0 {
		w.finishOne()
	}
	if n := w.tables.Close(errInjected); n != 0 {
		w.t.Errorf("%d scans are open", n)
	}
}

// run runs two worlds, which share a small budget, to the end of the choices.
func run(t testing.TB, data []byte) {
	c := &choices{data}
	budget, err := table.NewBudget(16 << 10 << c.below(5))
	if err != nil {
		t.Fatal(err)
	}
	worlds := []*world{newWorld(t, budget, c), newWorld(t, budget, c)}
	for !c.done() {
		worlds[c.below(4)/3].step()
	}
	for _, w := range worlds {
		w.end()
	}
	if n := budget.Used(); n != 0 {
		t.Errorf("%d bytes are in use after all tables were closed", n)
	}
	if err := budget.Close(); err != nil {
		t.Error(err)
	}
}

var tableSeed = flag.Uint64("table.seed", 0, "seed of TestTablesAreMaps; 0: a new one each run")

// I3, I8, I11, I12: whatever is put, added, deleted, expected, scanned, flushed and
// evicted, and whatever fails below, a table is a map, and a checkpoint is the map as
// it was.
func TestTablesAreMaps(t *testing.T) {
	sequences, seed := 60, *tableSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	if testing.Short() {
		sequences = 15
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range sequences {
		data := make([]byte, 1000+random.IntN(15_000))
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		run(t, data)
	}
}

func FuzzTables(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 8 {
		data := make([]byte, 4000)
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { run(t, data) })
}
