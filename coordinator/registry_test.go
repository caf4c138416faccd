package coordinator

import (
	"fmt"
	"maps"
	"slices"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// I2: the registry against a model that knows only who holds what, and works
// everything out anew each time.
func TestRegistryAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, model := newRegistry(), map[Ref][]string{}
		var order []Ref // of registration
		kept := func() map[string][]Ref {
			out := map[string][]Ref{}
			for _, k := range order {
				for _, o := range model[k] {
					out[o] = append(out[o], k)
				}
			}
			return out
		}
		refs := []Ref{{ID: 1, Epoch: 1}, {ID: 2, Epoch: 1}, {ID: 2, Epoch: 2}, {ID: 3, Epoch: 2}, {ID: 4, Epoch: 2}}
		keeper := rapid.SampledFrom(refs)
		names := []string{"a", "b", "c", "d", "e"}
		objects := rapid.SliceOfN(rapid.SampledFrom(names), 0, 6) // some twice
		t.Repeat(map[string]func(*rapid.T){
			"register": func(t *rapid.T) {
				k, o := keeper.Draw(t, "keeper"), objects.Draw(t, "objects")
				set := slices.Compact(slices.Sorted(slices.Values(o)))
				was, there := model[k]
				err := r.register(k, o)
				if differs := there && !slices.Equal(was, set); (err != nil) != differs {
					t.Fatalf("register %v %v over %v: %v", k, o, was, err)
				}
				if !there {
					model[k] = set
					order = append(order, k)
				}
			},
			"unregister": func(t *rapid.T) {
				k := keeper.Draw(t, "keeper")
				before := kept()
				delete(model, k)
				order = slices.DeleteFunc(order, func(o Ref) bool { return o == k })
				after := kept()
				var want []string
				for _, o := range slices.Sorted(maps.Keys(before)) {
					if after[o] == nil {
						want = append(want, o)
					}
				}
				if got := r.unregister(k); !slices.Equal(got, want) {
					t.Fatalf("unregister %v frees %v, want %v", k, got, want)
				}
			},
			"": func(t *rapid.T) {
				want := kept()
				for _, o := range names {
					if r.keeps(o) != (want[o] != nil) || !slices.Equal(r.keptBy(o), want[o]) {
						t.Fatalf("%s is kept by %v, want %v", o, r.keptBy(o), want[o])
					}
				}
				for _, k := range refs {
					if _, there := model[k]; r.has(k) != there {
						t.Fatalf("%v is registered: %v", k, r.has(k))
					}
				}
			},
		})
	})
}

// What a commit costs the registry: it adds a checkpoint and drops the oldest.
// Of each, one object in a hundred is new.
func BenchmarkRegistry(b *testing.B) {
	for _, c := range []struct{ checkpoints, objects int }{{3, 100_000}, {1000, 100_000}} {
		b.Run(fmt.Sprintf("%dx%d", c.checkpoints, c.objects), func(b *testing.B) {
			r := newRegistry()
			names := make([]string, c.objects)
			id := 0
			commit := func() {
				id++
				for i := range names {
					if names[i] == "" || i%100 == id%100 {
						names[i] = fmt.Sprintf("data/%02x/3-%d-count.%d-2-%016x", i%256, id, i%100, i*id)
					}
				}
			}
			register := func() {
				if err := r.register(Ref{ID: checkpoint.ID(id), Epoch: 1}, names); err != nil {
					b.Fatal(err)
				}
			}
			for range c.checkpoints {
				commit()
				register()
			}
			b.ReportAllocs()
			var spent int64
			n := 0
			for b.Loop() {
				b.StopTimer()
				commit()
				b.StartTimer()
				before := cpuNanos(b)
				register()
				r.unregister(Ref{ID: checkpoint.ID(id - c.checkpoints), Epoch: 1})
				spent += cpuNanos(b) - before
				n++
			}
			b.ReportMetric(float64(spent)/float64(n), "cpu-ns/op")
			b.ReportMetric(float64(len(r.names)), "objects")
		})
	}
}

func cpuNanos(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
