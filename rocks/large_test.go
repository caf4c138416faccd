package rocks_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/rocks/table"
)

// highWater returns the process's peak memory since reset, in bytes, beyond what it
// was then.
func highWater(t testing.TB) func() int64 {
	t.Helper()
	runtime.GC()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Skip("the system does not reset the high-water mark: ", err)
	}
	read := func() int64 {
		b, err := os.ReadFile("/proc/self/status")
		check(t, err)
		_, rest, _ := bytes.Cut(b, []byte("VmHWM:"))
		fields := bytes.Fields(rest)
		kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
		check(t, err)
		return kib << 10
	}
	before := read()
	return func() int64 { return read() - before }
}

// I12: large values pass a barrier one by one, and are read ahead one by one. The
// memory that this takes beside the table's follows from a value, not from their number.
func TestLargeValuesTakeLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it writes 500 MiB")
	}
	d := state.Descriptor{Name: "large", Kind: state.KindValue}
	for _, c := range []struct {
		values, bytes int
		most          int64
	}{{250, 1 << 20, 64 << 20}, {64, 4 << 20, 96 << 20}} {
		total := int64(c.values * c.bytes)
		r := resources(t, func(o *rocks.Options) { o.TableBytes = total + total/4 })
		dir := filepath.Join(t.TempDir(), "db")
		db := open(t, dir, r, d)
		col := column(t, db, d)
		value := make([]byte, c.bytes)
		random := rand.NewChaCha8([32]byte{})
		for i := range c.values {
			_, _ = random.Read(value)
			check(t, col.Put(key(i), value))
		}
		peak := highWater(t)
		at := filepath.Join(t.TempDir(), "checkpoint")
		check(t, db.Checkpoint(at))
		barrier := peak()
		check(t, db.Close())

		db = open(t, at, r, d)
		_, err := column(t, db, d).(state.RowColumn).Rows(state.Access{}) // from now on it is accessed by places
		check(t, err)
		var places []state.Place
		for i := range c.values {
			p := table.PlaceOf(key(i))
			places = append(places, state.Place(*p))
		}
		ahead := column(t, db, d).(state.ExpectingColumn)
		peak = highWater(t)
		read := bytesRead(t)
		check(t, ahead.Expect(places))
		readAhead, taken := bytesRead(t)-read, peak()-total
		check(t, db.Close())
		t.Logf("%d values of %d KiB: the barrier took %d MiB; reading ahead took %d MiB beside the values, and read %d MiB", c.values, c.bytes>>10, barrier>>20, taken>>20, readAhead>>20)
		if barrier > c.most || taken > c.most {
			t.Errorf("%d values of %d KiB: the barrier took %d bytes, reading ahead %d", c.values, c.bytes>>10, barrier, taken)
		}
		if readAhead > total+total/4 {
			t.Errorf("reading %d bytes ahead read %d", total, readAhead)
		}
	}
}

// bytesRead is what the process has read from files, cached or not.
func bytesRead(t testing.TB) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Skip("the system does not count what is read: ", err)
	}
	_, rest, _ := bytes.Cut(b, []byte("rchar:"))
	n, err := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
	check(t, err)
	return n
}
