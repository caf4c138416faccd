package incremental_test

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
)

// large returns a manifest of so many files, each in an object of its own,
// which is the worst case, dealt out to subtasks.
func large(subtasks, files int) *incremental.Manifest {
	m := sample()
	m.Graph.MaxParallelism = keygroup.MaxGroups
	m.Graph.Operators = []checkpoint.GraphOperator{{ID: "count", Type: "process", Parallelism: subtasks, Key: "string"}}
	m.Subtasks, m.Sources = nil, nil
	r := rand.New(rand.NewPCG(1, 2))
	key := func(group int) []byte {
		k := []byte{byte(group >> 8), byte(group), 'u', 's', 'e', 'r', '-', '0', '0', '0', '0', '0', '0', '0', '0'}
		for i := 7; i < len(k); i++ {
			k[i] = '0' + byte(r.IntN(10))
		}
		return k
	}
	for i := range subtasks {
		groups := keygroup.Assign(keygroup.MaxGroups, subtasks, i)
		h := &incremental.Handle{
			Operator: "count", Index: i, Range: groups, Checkpoint: m.Checkpoint, Backend: incremental.BackendInfo{Name: "rocksdb", Version: "7.8.3", Format: 5},
			States: sample().Subtasks[0].Keyed.States,
		}
		for _, d := range h.States {
			h.Shards = append(h.Shards, incremental.Shard{State: d.Name, Column: "s-" + d.Name, Groups: groups})
		}
		for f := range files / subtasks {
			o := incremental.Object{Size: 1<<26 + 4096 + r.Int64N(1<<26), CRC32C: r.Uint32()}
			o.Name = incremental.ObjectName{
				Epoch: 3, Checkpoint: m.Checkpoint - checkpoint.ID(f%10), Operator: "count", Index: i, Attempt: 2, Random: fmt.Sprintf("%016x", r.Uint64()),
			}.String()
			sums := (o.Size/incremental.ChunkBytes + 1) * 4
			o.Adopted = o.Size - sums
			h.Objects = append(h.Objects, o)
			seqno := r.Uint64() >> 24
			h.Files = append(h.Files, incremental.File{
				Name: fmt.Sprintf("%06d.sst", f), Immutable: true,
				Ref: incremental.FileRef{Object: o.Name, Offset: sums, Length: o.Adopted, CRC32C: r.Uint32(), ChunksCRC32C: r.Uint32()},
				Table: incremental.NewTable(state.TableFile{
					Column: "s-total", Level: f % 40, SmallestSeqno: seqno, LargestSeqno: seqno + r.Uint64N(1<<20),
					Smallest: key(groups.Start), Largest: key(groups.End - 1), CreatedUnix: 1_790_000_000 + int64(f), Entries: r.Uint64N(1 << 20),
				}),
			})
		}
		incremental.SortHandle(h)
		m.Subtasks = append(m.Subtasks, incremental.Subtask{Operator: "count", Index: i, Keyed: h})
	}
	return m
}

// cpu runs f b.N times, and reports the processor time of the process, which
// other programs on the machine do not change.
func cpu(b *testing.B, f func()) {
	b.ReportAllocs()
	before := spent(b)
	n := 0
	for b.Loop() {
		f()
		n++
	}
	b.ReportMetric(float64(spent(b)-before)/float64(n), "cpu-ns/op")
}

func spent(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// What a commit pays for a manifest of 100,000 files: encode. What a start pays
// for each retained checkpoint: decode.
func BenchmarkManifest(b *testing.B) {
	for _, c := range []struct{ subtasks, files int }{{1, 10}, {100, 100_000}, {10_000, 100_000}} {
		m := large(c.subtasks, c.files)
		encoded := encode(b, m)
		name := fmt.Sprintf("%dx%d", c.subtasks, c.files/c.subtasks)
		b.Run("encode/"+name, func(b *testing.B) {
			cpu(b, func() { encode(b, m) })
			b.ReportMetric(float64(len(encoded)), "stored-B")
		})
		b.Run("decode/"+name, func(b *testing.B) {
			cpu(b, func() {
				if _, err := incremental.DecodeManifest(encoded); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
	h := large(1000, 100_000).Subtasks[0].Keyed
	b.Run("handle of 100 files", func(b *testing.B) {
		cpu(b, func() {
			e, err := incremental.EncodeHandle(nil, h)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := incremental.DecodeHandle(e); err != nil {
				b.Fatal(err)
			}
		})
	})
}
