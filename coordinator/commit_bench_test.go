package coordinator

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/incremental"
)

// What a commit costs: 1,000 subtasks with 100 files each, every file in an
// object of its own, one in a hundred of them new; 1,000 checkpoints retained.
// The machine checks the acknowledgements, assembles the manifest and plans
// head; both are encoded. The registry comes on top: see BenchmarkRegistry.
func BenchmarkCommit(b *testing.B) {
	const subtasks, files, retained = 1000, 100, 1000
	r := rand.New(rand.NewPCG(1, 2))
	ref := Ref{ID: retained + 1, Epoch: 1}
	objects := map[string]incremental.Object{} // of the base
	ids := map[checkpoint.SubtaskID]int{}
	var acks []acked
	for i := range subtasks {
		h := &incremental.Handle{Operator: "op", Index: i, Range: keygroup.Assign(keygroup.MaxGroups, subtasks, i), Checkpoint: ref.ID}
		var put []incremental.Put
		for f := range files {
			of := ref.ID
			if f > 0 {
				of -= checkpoint.ID(1 + r.IntN(20))
			}
			n := incremental.ObjectName{Epoch: 1, Checkpoint: of, Operator: "op", Index: i, Attempt: 1, Random: fmt.Sprintf("%016x", r.Uint64())}
			o := incremental.Object{Name: n.String(), Size: 60_000, Adopted: 60_000, CRC32C: r.Uint32()}
			put = append(put, incremental.Put{Object: o, Files: []incremental.File{
				{Name: fmt.Sprintf("%06d.sst", f), Immutable: true, Ref: incremental.FileRef{Object: o.Name, Length: 60_000, CRC32C: o.CRC32C}},
			}})
			if f > 0 {
				objects[o.Name] = o
			}
		}
		h.Assemble(nil, nil, put)
		id := checkpoint.SubtaskID{Vertex: "op", Index: i}
		ids[id] = i
		acks = append(acks, acked{checkpoint.Ack{
			Checkpoint: ref.ID, Execution: checkpoint.Execution{Epoch: 1, Attempt: 1}, Subtask: id,
			Operators: []checkpoint.OperatorSnapshot{{Operator: "op", Index: i, Keyed: h}},
		}})
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	head := Head{Version: 7, Edit: "e", Job: "j", Epoch: 1, NextID: ref.ID, Writer: "n"}
	for i := range retained {
		head.Retained = append(head.Retained, Retained{ID: checkpoint.ID(i + 1), Epoch: 1, Triggered: at, Created: at, KeptBy: []string{"count"}})
	}
	graph := checkpoint.Graph{Job: "j", MaxParallelism: keygroup.MaxGroups, Operators: []checkpoint.GraphOperator{{ID: "op", Type: "process", Parallelism: subtasks}}}
	b.ReportAllocs()
	var spent int64
	n := 0
	for b.Loop() {
		b.StopTimer()
		m := &machine{settings: &settings{job: "j", nonce: "n", timeout: time.Hour, pace: pace{maxConcurrent: 1}, tolerable: 2, policy: RetentionPolicy{Newest: retained}}}
		m.phase, m.head, m.next, m.lineage = leads, head, ref.ID, true
		m.attempt = attempt{stage: running, number: 1, graph: graph, subtasks: ids, chains: graph.Vertices()}
		m.base = base{Ref{ID: ref.ID - 1, Epoch: 1}, objects}
		m.step(at, asked{})
		b.StartTimer()
		before := cpuNanos(b)
		var out []action
		for _, a := range acks {
			out = m.step(at, a)
		}
		encoded, heads := 0, 0
		for _, a := range out {
			if w, ok := a.(writeManifest); ok {
				body, err := incremental.EncodeManifest(w.manifest)
				if err != nil {
					b.Fatal(err)
				}
				encoded = len(body)
				for _, a := range m.step(at, manifestWritten{ref: ref}) {
					if s, ok := a.(swapHead); ok {
						if _, err := EncodeHead(s.head); err != nil {
							b.Fatal(err)
						}
						heads++
					}
				}
			}
		}
		spent += cpuNanos(b) - before
		n++
		if encoded == 0 || heads != 1 {
			b.Fatalf("a manifest of %d bytes, %d heads", encoded, heads)
		}
	}
	b.ReportMetric(float64(spent)/float64(n), "cpu-ns/op")
}
