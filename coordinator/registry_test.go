package coordinator

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// I2: the registry against a model that knows only who holds what, and works
// everything out anew each time.
func TestRegistryAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, model := newRegistry(), map[string][]string{}
		kept := func() map[string][]string {
			out := map[string][]string{}
			for k, objects := range model {
				for _, o := range objects {
					out[o] = append(out[o], k)
				}
			}
			for _, by := range out {
				slices.Sort(by)
			}
			return out
		}
		keeper := rapid.SampledFrom([]string{"1-1", "2-1", "2-2", "3-2", "pin:a"})
		objects := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), 0, 4)
		t.Repeat(map[string]func(*rapid.T){
			"register": func(t *rapid.T) {
				k, o := keeper.Draw(t, "keeper"), objects.Draw(t, "objects")
				set := slices.Compact(slices.Sorted(slices.Values(o)))
				was, there := model[k]
				err := r.register(k, o)
				if differs := there && !slices.Equal(was, set); (err != nil) != differs {
					t.Fatalf("register %s %v over %v: %v", k, o, was, err)
				}
				if !there {
					model[k] = set
				}
			},
			"unregister": func(t *rapid.T) {
				k := keeper.Draw(t, "keeper")
				before := kept()
				delete(model, k)
				after := kept()
				var want []string
				for _, o := range slices.Sorted(maps.Keys(before)) {
					if after[o] == nil {
						want = append(want, o)
					}
				}
				if got := r.unregister(k); !slices.Equal(got, want) {
					t.Fatalf("unregister %s frees %v, want %v", k, got, want)
				}
			},
			"": func(t *rapid.T) {
				want := kept()
				if !slices.Equal(r.objects(), slices.Sorted(maps.Keys(want))) {
					t.Fatalf("holds %v, want %v", r.objects(), want)
				}
				for o, by := range want {
					if !slices.Equal(r.keptBy(o), by) {
						t.Fatalf("%s is kept by %v, want %v", o, r.keptBy(o), by)
					}
				}
			},
		})
	})
}

func TestRegistryDumpExplainsItself(t *testing.T) {
	r := newRegistry()
	for _, k := range []string{"42", "41", "pin:release-3"} {
		if err := r.register(k, []string{"data/x"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.TrimSpace(r.dump()); got != "data/x kept by 41, 42, pin:release-3" {
		t.Error(got)
	}
}
