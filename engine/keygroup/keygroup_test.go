package keygroup_test

import (
	"bytes"
	"testing"

	"github.com/tidemark/tidemark/engine/keygroup"
)

// I9: every group has exactly one owner, at every parallelism.
func TestAssignPartitionsTheGroups(t *testing.T) {
	for _, groups := range []int{1, 2, 7, 128, 1000} {
		for p := 1; p <= groups && p <= 200; p++ {
			next := 0
			for i := range p {
				r := keygroup.Assign(groups, p, i)
				if r.Start != next || r.Len() == 0 {
					t.Fatalf("groups %d, parallelism %d: subtask %d owns %v, want a range from %d", groups, p, i, r, next)
				}
				for g := r.Start; g < r.End; g++ {
					if o := keygroup.Owner(groups, p, keygroup.KeyGroup(g)); o != i {
						t.Fatalf("groups %d, parallelism %d: owner of %d is %d, but %v of subtask %d contains it", groups, p, g, o, r, i)
					}
				}
				next = r.End
			}
			if next != groups {
				t.Fatalf("groups %d, parallelism %d: ranges end at %d", groups, p, next)
			}
		}
	}
}

func TestOfStaysInRangeAndSpreads(t *testing.T) {
	const groups, n = 100, 100_000
	var seen [groups]int
	for i := range uint64(n) {
		seen[keygroup.Of(i*0x9E3779B97F4A7C15, groups)]++
	}
	for g, c := range seen {
		if c < n/groups/2 || c > n/groups*2 {
			t.Errorf("group %d has %d of %d keys", g, c, n)
		}
	}
	if g := keygroup.Of(^uint64(0), keygroup.MaxGroups); int(g) != keygroup.MaxGroups-1 {
		t.Errorf("greatest hash lies in group %d", g)
	}
}

func TestPrefixOrdersAsGroups(t *testing.T) {
	var last []byte
	for g := range keygroup.MaxGroups {
		p := keygroup.AppendPrefix(nil, keygroup.KeyGroup(g))
		if len(p) != keygroup.PrefixBytes || bytes.Compare(last, p) >= 0 || keygroup.FromPrefix(p) != keygroup.KeyGroup(g) {
			t.Fatalf("prefix of %d is %x", g, p)
		}
		last = p
	}
}

func TestIntersect(t *testing.T) {
	for _, c := range []struct{ a, b, want keygroup.Range }{
		{keygroup.Range{Start: 0, End: 5}, keygroup.Range{Start: 3, End: 9}, keygroup.Range{Start: 3, End: 5}},
		{keygroup.Range{Start: 0, End: 5}, keygroup.Range{Start: 5, End: 9}, keygroup.Range{}},
		{keygroup.Range{Start: 2, End: 4}, keygroup.Range{Start: 0, End: 9}, keygroup.Range{Start: 2, End: 4}},
	} {
		if got := c.a.Intersect(c.b); got != c.want {
			t.Errorf("%v ∩ %v = %v, want %v", c.a, c.b, got, c.want)
		}
	}
}
