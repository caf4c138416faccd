package statetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// raw is the descriptor of a state whose column is used directly.
func raw(name string) state.Descriptor {
	return state.Descriptor{Name: name, Kind: state.KindValue, Key: keys.Signature(), Value: "string"}
}

func (s *subtask) column(name string) state.Column {
	s.t.Helper()
	c, err := s.backend.Column(raw(name))
	if err != nil {
		s.t.Fatalf("column %q: %v", name, err)
	}
	return c
}

// entry returns a column key in a group.
func entry(group int, rest string) []byte {
	return append(keygroup.AppendPrefix(nil, keygroup.KeyGroup(group)), rest...)
}

func put(t *testing.T, c state.Column, key []byte, value string) {
	t.Helper()
	if err := c.Put(key, []byte(value)); err != nil {
		t.Fatalf("put %x: %v", key, err)
	}
}

func testColumn(t *testing.T, h Harness) {
	o := newOp(t, h)
	s := o.one(nil)
	defer o.stop()
	a, b := s.column("a"), s.column("b")
	get := func(c state.Column, key []byte, want string, wantFound bool) {
		t.Helper()
		got, found, err := c.Get([]byte("before "), key)
		if err != nil {
			t.Fatalf("get %x: %v", key, err)
		}
		if wantFound {
			want = "before " + want
		} else {
			got, want = nil, ""
		}
		if found != wantFound || string(got) != want {
			t.Fatalf("get %x: got %q, %v; want %q, %v", key, got, found, want, wantFound)
		}
	}
	k := entry(3, "k")
	get(a, k, "", false)
	put(t, a, k, "one")
	get(a, k, "one", true)
	get(b, k, "", false) // another state
	get(a, entry(3, ""), "", false)
	get(a, entry(3, "k\x00"), "", false)
	put(t, a, k, "two, longer")
	get(a, k, "two, longer", true)
	put(t, a, k, "")
	get(a, k, "", true)
	if err := a.Delete(k); err != nil {
		t.Fatal(err)
	}
	get(a, k, "", false)
	if err := a.Delete(k); err != nil {
		t.Fatalf("delete of an absent key: %v", err)
	}

	// What is given to a column stays its caller's.
	key, value := entry(3, "mine"), []byte("value")
	if err := a.Put(key, value); err != nil {
		t.Fatal(err)
	}
	key[len(key)-1], value[0] = 'X', 'X'
	get(a, entry(3, "mine"), "value", true)
	got, _, err := a.Get(nil, entry(3, "mine"))
	if err != nil {
		t.Fatal(err)
	}
	got[0] = 'X'
	get(a, entry(3, "mine"), "value", true)

	large := string(bytes.Repeat([]byte("large value "), 50_000))
	put(t, a, k, large)
	get(a, k, large, true)
}

func testColumnScan(t *testing.T, h Harness) {
	o := newOp(t, h)
	s := o.one(nil)
	defer o.stop()
	c := s.column("c")
	same(t, "empty column", contents(t, c, nil, nil), nil)
	all := map[string]string{}
	for _, g := range []int{0, 1, 2, 127} {
		for _, rest := range []string{"", "\x00", "a", "a\x00", "ab", "b", "\xff", "\xff\xff"} {
			k := entry(g, rest)
			all[string(k)] = fmt.Sprintf("%d %q", g, rest)
			put(t, c, k, all[string(k)])
		}
	}
	between := func(start, end []byte) map[string]string {
		m := map[string]string{}
		for k, v := range all {
			if k >= string(start) && (end == nil || k < string(end)) {
				m[k] = v
			}
		}
		return m
	}
	bounds := [][]byte{nil, entry(0, ""), entry(1, ""), entry(1, "a"), entry(1, "a\x00"), entry(1, "aa"), entry(1, "\xff\xff\xff"), entry(2, ""), entry(127, "z"), entry(128, "")}
	for _, start := range bounds {
		for _, end := range bounds {
			same(t, fmt.Sprintf("scan from %x to %x", start, end), contents(t, c, start, end), between(start, end))
		}
	}
	for _, first := range bounds {
		for _, to := range bounds[1:] {
			it, got := c.Scan(first, nil), map[string]string{}
			if it.Next() && string(it.Key()) < string(to) { // a seek does not go back
				for more := it.Seek(to); more; more = it.Next() {
					got[string(it.Key())] = string(it.Value())
				}
				same(t, fmt.Sprintf("seek from %x to %x", first, to), got, between(to, nil))
			}
			if err := it.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	it := c.Scan(nil, nil)
	if !it.Next() {
		t.Fatal("no entry")
	}
	if err := it.Close(); err != nil { // before its end
		t.Fatal(err)
	}
}

func testColumnScanIsolation(t *testing.T, h Harness) {
	o := newOp(t, h)
	s := o.one(nil)
	defer o.stop()
	c := s.column("c")
	want := map[string]string{}
	for i := range 1000 {
		k := entry(i%groups, fmt.Sprint("k", i))
		want[string(k)] = "old"
		put(t, c, k, "old")
	}
	it := c.Scan(nil, nil)
	got := map[string]string{}
	for i := 0; it.Next(); i++ {
		k := string(it.Key())
		got[k] = string(it.Value())
		// Everything behind and ahead of the iterator changes under it.
		switch i % 3 {
		case 0:
			if err := c.Delete([]byte(k)); err != nil {
				t.Fatal(err)
			}
		case 1:
			put(t, c, []byte(k), "new")
		}
		put(t, c, entry((i*37)%groups, fmt.Sprint("k", (i*37)%1000)), "new")
		put(t, c, entry((i*41)%groups, fmt.Sprint("more", i)), "new")
		if string(it.Key()) != k || string(it.Value()) != "old" {
			t.Fatalf("the iterator's entry changed to %x %q", it.Key(), it.Value())
		}
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	same(t, "the column as it was", got, want)
}

func testColumnManyKeys(t *testing.T, h Harness) {
	o := newOp(t, h)
	s := o.one(nil)
	defer o.stop()
	c := s.column("c")
	r := rand.New(rand.NewPCG(1, 2))
	want := map[string]string{}
	for i := range 20_000 {
		n := r.IntN(8000)
		k := entry(n%groups, fmt.Sprint(n))
		if r.IntN(3) == 0 {
			delete(want, string(k))
			if err := c.Delete(k); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want[string(k)] = fmt.Sprint(i)
		put(t, c, k, fmt.Sprint(i))
	}
	same(t, "all", contents(t, c, nil, nil), want)
	for k := range want {
		if err := c.Delete([]byte(k)); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "all deleted", contents(t, c, nil, nil), nil)
	put(t, c, entry(5, "again"), "x")
	same(t, "one again", contents(t, c, nil, nil), map[string]string{string(entry(5, "again")): "x"})
}
