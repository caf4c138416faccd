package rocks_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/engine/state/statetest"
	"github.com/tidemark/tidemark/rocks"
)

// backend has states use a database directly.
type backend struct{ *rocks.DB }

func (backend) Snapshot(context.Context, checkpoint.Barrier) (state.Pending, error) {
	return nil, fmt.Errorf("no snapshots here")
}
func (backend) Unopened() []string      { return nil }
func (backend) Committed(checkpoint.ID) {}
func (backend) Aborted(checkpoint.ID)   {}

var stringKeys = func() state.KeyCodec[string] {
	c, err := state.KeyCodecOf[string]()
	if err != nil {
		panic(err)
	}
	return c
}()

// opening is the state.OpenContext of a database.
type opening struct{ registry *state.Registry }

func (o opening) Registry() *state.Registry { return o.registry }

func statesOf(db *rocks.DB, clock *statetest.Clock) opening {
	r := state.NewRegistry(backend{db}, stringKeys.Signature(), nil)
	r.SetClock(clock.Now)
	return opening{r}
}

// onKey is the state.Context of a key.
type onKey struct{ cur state.Current }

func (k *onKey) Current() *state.Current { return &k.cur }

func on(k string) *onKey {
	h := stringKeys.Hash(k)
	return &onKey{state.Current{Hash: h, Group: keygroup.Of(h, 128), Key: stringKeys.Append(nil, k)}}
}

// gate holds up the merging of operands, in whatever goroutine, and breaks it.
type gate struct {
	enter, leave chan struct{}
	shut, broken atomic.Bool
}

func newGate() *gate { return &gate{enter: make(chan struct{}), leave: make(chan struct{})} }

func (g *gate) pass() {
	if g.shut.CompareAndSwap(true, false) {
		g.enter <- struct{}{}
		<-g.leave
	}
	if g.broken.Load() {
		panic("broken")
	}
}

// blindly is a database with two states that add, above one that holds "0" and "1"
// for every key, of which the tables know nothing.
type blindly struct {
	t      *testing.T
	r      *rocks.Resources
	clock  *statetest.Clock
	db     *rocks.DB
	keys   int
	gate   *gate // of joined, but for what this goroutine merges
	joined state.Reducing[string]
	total  state.Reducing[int64]
	other  state.Value[int64]
}

func openBlindly(t *testing.T, keys int, more ...func(*rocks.Options)) *blindly {
	t.Helper()
	b := &blindly{t: t, clock: &statetest.Clock{}, keys: keys, gate: newGate()}
	b.r = resources(t, append(more, func(o *rocks.Options) { o.Clock = b.clock.Now })...)
	dir := t.TempDir()
	b.db = open(t, filepath.Join(dir, "first"), b.r)
	b.open(state.TTL(150 * time.Millisecond))
	for i := range keys {
		k := on(fmt.Sprint(i))
		check(t, b.joined.Add(k, "0"))
		check(t, b.total.Add(k, 1))
	}
	check(t, b.db.Checkpoint(filepath.Join(dir, "below")))
	check(t, b.db.Close())
	b.db = open(t, filepath.Join(dir, "below"), b.r)
	b.open()
	t.Cleanup(func() { check(t, b.db.Close()) })
	return b
}

func (b *blindly) open(opts ...state.Option) {
	b.t.Helper()
	b.joined, b.total, b.other = b.statesOf(b.db, opts...)
}

func (b *blindly) statesOf(db *rocks.DB, opts ...state.Option) (state.Reducing[string], state.Reducing[int64], state.Value[int64]) {
	b.t.Helper()
	c := statesOf(db, b.clock)
	joined := state.NewReducing(c, "joined", func(older, newer string) string {
		b.gate.pass()
		return older + "," + newer
	}, opts...)
	total := state.NewReducing(c, "total", func(older, newer int64) int64 { return older + newer }, opts...)
	other := state.NewValue[int64](c, "other")
	check(b.t, c.registry.Err())
	return joined, total, other
}

// add adds a text to a key's joined, and one to its total.
func (b *blindly) add(i int, text string) {
	b.t.Helper()
	check(b.t, b.joined.Add(on(fmt.Sprint(i)), text))
	check(b.t, b.total.Add(on(fmt.Sprint(i)), 1))
}

func (b *blindly) addAll(text string) {
	b.t.Helper()
	for i := range b.keys {
		b.add(i, text)
	}
}

// want fails the test unless all keys that step comes to have what was added.
func (b *blindly) want(step int, joined string) {
	b.t.Helper()
	wantAdded(b.t, b.joined, b.total, b.keys, step, joined)
}

func wantAdded(t *testing.T, joined state.Reducing[string], total state.Reducing[int64], keys, step int, want string) {
	t.Helper()
	n := int64(strings.Count(want, ",") + 1)
	for i := 0; i < keys; i += step {
		k := on(fmt.Sprint(i))
		s, found, err := joined.Get(k)
		if err != nil || found != (want != "") || s != want {
			t.Fatalf("joined of %d is %q, %v, %v; want %q", i, s, found, err, want)
		}
		sum, found, err := total.Get(k)
		if err != nil || found != (want != "") || found && sum != n {
			t.Fatalf("total of %d is %d, %v, %v; want that of %q", i, sum, found, err, want)
		}
	}
}

// wantIn is want of all keys in a checkpoint.
func (b *blindly) wantIn(dir, joined string) {
	b.t.Helper()
	db := open(b.t, dir, b.r)
	defer func() { check(b.t, db.Close()) }()
	j, total, _ := b.statesOf(db)
	wantAdded(b.t, j, total, b.keys, 1, joined)
}

func (b *blindly) checkpoint() (dir string) {
	b.t.Helper()
	dir = filepath.Join(b.t.TempDir(), "checkpoint")
	check(b.t, b.db.Checkpoint(dir))
	return dir
}

// knows returns what the database knows of keys without reading.
func knows(t *testing.T, rows state.Rows, k string) state.Known {
	t.Helper()
	v, known, err := rows.Find(nil, placeAt(k, ""))
	check(t, err)
	if (len(v) > 0) != (known == state.KnownValue || known == state.KnownOperand) {
		t.Fatalf("%q is what is known of %s, as %d", v, k, known)
	}
	return known
}

// operandRows returns rows that join what is put.
func operandRows(t *testing.T, c state.Column) state.Rows {
	t.Helper()
	rows, err := c.(state.RowColumn).Rows(state.Access{Fold: func(dst, older, operand []byte) ([]byte, error) {
		return append(append(dst, older...), operand...), nil
	}})
	check(t, err)
	return rows
}

// putOperand puts the first operand of a key.
func putOperand(t *testing.T, rows state.Rows, k string, operand []byte) {
	t.Helper()
	for done := false; !done; {
		var err error
		done, err = rows.PutOperand(placeAt(k, ""), operand)
		check(t, err)
	}
}

// Nothing is read for what is added.
func TestAddsAreBlind(t *testing.T) {
	r, dir := resources(t), t.TempDir()
	db := open(t, filepath.Join(dir, "first"), r, count)
	c := column(t, db, count)
	check(t, c.Put([]byte("k"), []byte("0")))
	rows := operandRows(t, c)
	if known := knows(t, rows, "k"); known != state.KnownNothing {
		t.Fatalf("%d is known of what was only written below", known)
	}
	n := 0
	put := func(operand string) {
		t.Helper()
		putOperand(t, rows, "k", []byte(operand))
		if known := knows(t, rows, "k"); known != state.KnownOperand {
			t.Fatalf("%d is known of an operand", known)
		}
		n++
		check(t, db.Checkpoint(filepath.Join(dir, fmt.Sprint(n))))
	}
	put("1")
	if known := knows(t, rows, "k"); known != state.KnownNothing {
		t.Fatalf("%d is known of an operand that was written", known)
	}
	put("2")
	get := func(want string) {
		t.Helper()
		v, _, err := rows.Get(nil, placeAt("k", ""))
		check(t, err)
		if string(v) != want {
			t.Errorf("the value is %q, want %q", v, want)
		}
		if known := knows(t, rows, "k"); known != state.KnownValue {
			t.Fatalf("%d is known of what was read", known)
		}
	}
	get("012")
	check(t, db.Close())
	db = open(t, filepath.Join(dir, "2"), r, count)
	rows = operandRows(t, column(t, db, count))
	put("3")
	get("0123")
	if known := knows(t, rows, "none"); known != state.KnownNothing {
		t.Errorf("%d is known of a key that is not there", known)
	}
	check(t, db.Close())

	// Where nothing is below, that is known.
	db = open(t, filepath.Join(dir, "new"), r, count)
	rows = operandRows(t, column(t, db, count))
	if known := knows(t, rows, "k"); known != state.KnownAbsent {
		t.Errorf("%d is known of a key in an empty database", known)
	}
	check(t, db.Close())
}

// I3, I8: what is added, or cleared, while an operand of the same key is being
// written is no part of the checkpoint, and lost or doubled nowhere.
func TestAddsToWhatIsBeingWritten(t *testing.T) {
	b := openBlindly(t, 500)
	b.addAll("1")
	b.gate.shut.Store(true)
	dir := filepath.Join(t.TempDir(), "checkpoint")
	write, _, err := b.db.Freeze(dir)
	check(t, err)
	written := make(chan error, 1)
	go func() { written <- write() }()
	leave := sync.OnceFunc(func() { close(b.gate.leave) })
	t.Cleanup(leave)
	select {
	case <-b.gate.enter:
	case err := <-written:
		t.Fatal("nothing was merged:", err)
	}
	// One operand of joined is being merged, and none of them is written.
	for i := range b.keys {
		k := on(fmt.Sprint(i))
		switch i % 5 {
		case 0:
			b.add(i, "2")
		case 1:
			check(t, b.joined.Clear(k))
			check(t, b.total.Clear(k))
		case 2:
			check(t, b.joined.Clear(k))
			check(t, b.total.Clear(k))
			b.add(i, "2")
		case 3:
			s, _, err := b.joined.Get(k)
			if err != nil || s != "0,1" {
				t.Fatalf("joined of %d is %q, %v", i, s, err)
			}
		}
	}
	leave()
	check(t, <-written)
	b.wantIn(dir, "0,1")
	wants := []string{"0,1,2", "", "2", "0,1", "0,1"}
	all := func() {
		t.Helper()
		for i := range b.keys {
			k := on(fmt.Sprint(i))
			s, found, err := b.joined.Get(k)
			if want := wants[i%len(wants)]; err != nil || s != want || found != (want != "") {
				t.Fatalf("joined of %d is %q, %v, %v; want %q", i, s, found, err, want)
			}
		}
	}
	all()
	b.checkpoint()
	all()
}

// I3, I11: an operand whose write fails is written later, once: where nothing was
// written, where everything was and the copy failed, and where one state was and
// another was not.
func TestFailedWritesGiveOperandsBackOnce(t *testing.T) {
	for _, keys := range []int{100, 500} { // by the write buffer, and as a file
		for _, way := range []string{"in the way", "no target", "one state fails"} {
			for _, meanwhile := range []string{"nothing", "adds", "gets"} {
				t.Run(fmt.Sprintf("%d keys/%s/meanwhile %s", keys, way, meanwhile), func(t *testing.T) {
					b := openBlindly(t, keys)
					b.addAll("1")
					dir := filepath.Join(t.TempDir(), "checkpoint")
					switch way {
					case "in the way":
						check(t, os.MkdirAll(filepath.Join(dir, "something"), 0o755))
					case "no target":
						dir = filepath.Join(dir, "missing", "snapshot")
					}
					write, _, err := b.db.Freeze(dir)
					check(t, err)
					half := func(text string) {
						for i := 0; i < keys; i += 2 {
							b.add(i, text)
						}
					}
					want := "0,1"
					switch meanwhile {
					case "adds":
						half("2")
						want += ",2"
					case "gets":
						b.want(2, want)
					}
					b.gate.broken.Store(way == "one state fails")
					if write() == nil {
						t.Fatal("the checkpoint succeeded")
					}
					b.gate.broken.Store(false)
					half("3")
					want += ",3"
					b.want(2, want)
					half("4")
					want += ",4"
					for i := 1; i < keys; i += 2 {
						b.add(i, strings.TrimPrefix(want, "0,1,"))
						check(t, b.total.Add(on(fmt.Sprint(i)), int64(strings.Count(want, ",")-2)))
					}
					b.wantIn(b.checkpoint(), want)
					b.want(1, want)
					b.wantIn(b.checkpoint(), want)
				})
			}
		}
	}
}

// What lies below an operand is there for it, though it has expired since, and
// compactions meet a database that was told so.
func TestWhatOperandsNeedDoesNotExpire(t *testing.T) {
	t.Run("alive when it began", testAliveWhenItBegan)
	t.Run("expired when it began", func(t *testing.T) {
		b := openBlindly(t, 500)
		b.clock.Advance(150 * time.Millisecond)
		b.addAll("1")
		b.want(2, "1")
		b.wantIn(b.checkpoint(), "1")
	})
}

func testAliveWhenItBegan(t *testing.T) {
	b := openBlindly(t, 500)
	b.clock.Advance(100 * time.Millisecond)
	b.addAll("1") // below expires at 150
	b.clock.Advance(100 * time.Millisecond)
	// Another state's spill, and a checkpoint that comes to nothing, tell the time.
	check(t, b.other.Set(on("k"), 1))
	check(t, b.db.Spill("other"))
	b.db.Compact()
	if err := b.db.Checkpoint(filepath.Join(t.TempDir(), "missing", "snapshot")); err == nil {
		t.Fatal("the checkpoint succeeded")
	}
	b.db.Compact()
	b.want(2, "0,1")
	b.db.Compact()
	b.wantIn(b.checkpoint(), "0,1")
}

// What an operand needs follows from when it began, not from when the table saw it:
// between the two, a clock may step.
func TestClockStepsAtAnAddition(t *testing.T) {
	states, local := &statetest.Clock{}, &statetest.Clock{}
	r, dir := resources(t, func(o *rocks.Options) { o.Clock = local.Now }), t.TempDir()
	join := func(older, newer string) string { return older + "," + newer }
	db := open(t, filepath.Join(dir, "first"), r)
	joined := state.NewReducing(statesOf(db, states), "joined", join, state.TTL(time.Second))
	check(t, joined.Add(on("k"), "0")) // expires at 1000
	check(t, db.Checkpoint(filepath.Join(dir, "below")))
	check(t, db.Close())
	db = open(t, filepath.Join(dir, "below"), r)
	defer func() { check(t, db.Close()) }()
	o := statesOf(db, states)
	joined = state.NewReducing(o, "joined", join)
	other := state.NewValue[int64](o, "other")
	states.Advance(999 * time.Millisecond)
	local.Advance(1001 * time.Millisecond)
	check(t, joined.Add(on("k"), "1"))
	check(t, other.Set(on("k"), 1))
	check(t, db.Spill("other")) // tells the time
	db.Compact()
	if v, _, err := joined.Get(on("k")); v != "0,1" || err != nil {
		t.Errorf("joined is %q, %v", v, err)
	}
}

// What lies below an operand stays, though the operand has moved to a newer part of the
// dirty set as it grew, and the part where it began has been spilled.
func TestWhatGrownOperandsNeedDoesNotExpire(t *testing.T) {
	b := openBlindly(t, 200)
	b.clock.Advance(100 * time.Millisecond)
	for i := range b.keys { // several parts, 0 in the first
		check(t, b.joined.Add(on(fmt.Sprint(i)), "1"))
	}
	b.clock.Advance(100 * time.Millisecond)
	fill := func(from, to int) {
		for i := from; i < to; i++ {
			check(t, b.joined.Add(on(fmt.Sprint("filler", i)), strings.Repeat("x", 1000)))
		}
	}
	grown := strings.Repeat("x", 1000)
	fill(0, 50)
	check(t, b.joined.Add(on("0"), grown))
	check(t, b.joined.Add(on("0"), grown))
	fill(50, 100) // what has been dirty longest, and no more, is spilled
	check(t, b.other.Set(on("k"), 1))
	check(t, b.db.Spill("other"))
	b.db.Compact()
	s, _, err := b.joined.Get(on("0"))
	check(t, err)
	if want := "0,1," + grown + "," + grown; s != want {
		t.Errorf("joined has %d bytes, and begins %.10q; want %d", len(s), s, len(want))
	}
}

// I3, I8: adding, and now and then reading, beside the write of a checkpoint; with
// room, and with a table so small that it is spilled all the time. Run with -race.
func TestAddsBesideWrites(t *testing.T) {
	for _, memory := range []int64{128 << 10, 4 << 20} {
		t.Run(fmt.Sprint("table=", memory), func(t *testing.T) { testAddsBesideWrites(t, memory) })
	}
}

func testAddsBesideWrites(t *testing.T, memory int64) {
	b := openBlindly(t, 1500, func(o *rocks.Options) { o.TableBytes = memory })
	model := slices.Repeat([]string{"0"}, b.keys)
	add := func(i int, text string) {
		t.Helper()
		b.add(i, text)
		model[i] += "," + text
	}
	compare := func(joined state.Reducing[string], total state.Reducing[int64], i int, want string) {
		t.Helper()
		s, _, err := joined.Get(on(fmt.Sprint(i)))
		n, _, err2 := total.Get(on(fmt.Sprint(i)))
		if err != nil || err2 != nil || s != want || n != int64(strings.Count(want, ",")+1) {
			t.Fatalf("joined of %d is %q, %v, and its total %d, %v; want %q", i, s, err, n, err2, want)
		}
	}
	next := 0
	for round := range 10 {
		for i := range b.keys {
			add(i, fmt.Sprint("round ", round))
		}
		dir := filepath.Join(t.TempDir(), "checkpoint")
		write, _, err := b.db.Freeze(dir)
		check(t, err)
		done := make(chan error, 1)
		go func() { done <- write() }()
		frozen := slices.Clone(model)
		for writing := true; writing; next = (next + 1) % b.keys {
			select {
			case err := <-done:
				check(t, err)
				writing = false
			default:
			}
			if next%7 == 0 {
				compare(b.joined, b.total, next, model[next])
			}
			add(next, "beside")
		}
		if round%4 == 0 {
			db := open(t, dir, b.r)
			joined, total, _ := b.statesOf(db)
			for i, want := range frozen {
				compare(joined, total, i, want)
			}
			check(t, db.Close())
		}
		dir = b.checkpoint() // from which the next round knows nothing
		check(t, b.db.Close())
		b.db = open(t, dir, b.r)
		b.open()
	}
	for i, want := range model {
		compare(b.joined, b.total, i, want)
	}
}

// I3: to make room for an operand that has grown, what it has grown from may be
// spilled: it is not in both.
func TestOperandsGrowWhileTheyAreSpilled(t *testing.T) {
	b := openBlindly(t, 40, func(o *rocks.Options) { o.TableBytes = 64 << 10 })
	text := strings.Repeat("x", 400)
	want := "0"
	for range 60 {
		b.addAll(text)
		want += "," + text
	}
	b.want(1, want)
}
