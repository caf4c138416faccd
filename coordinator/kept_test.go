package coordinator

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// What a leader does not decide passes through every head that it writes, and
// each of them has an edit of its own.
func TestEverySwapKeepsTheRestOfHead(t *testing.T) {
	b, err := os.ReadFile("testdata/head_v2.golden")
	if err != nil {
		t.Fatal(err)
	}
	old, err := DecodeHead(b)
	if err != nil {
		t.Fatal(err)
	}
	old.Stopped = nil // with it nobody leads
	b, err = EncodeHead(old)
	if err != nil {
		t.Fatal(err)
	}
	graph := checkpoint.Graph{Job: old.Job, MaxParallelism: 8, Operators: testGraph.Operators}
	d := direct(t, func(s *settings) { s.job, s.graph, s.policy.Newest = old.Job, graph, 9 })
	edits := map[string]bool{}
	var last Head
	tell := func(e event) {
		for _, a := range d.tell(time.Second*10, e) {
			s, ok := a.(swapHead)
			if !ok {
				continue
			}
			decided := cmpopts.IgnoreFields(Head{}, "Version", "Edit", "Graph", "Epoch", "NextID", "Writer", "Leader", "Retained")
			if diff := cmp.Diff(old, s.head, decided); diff != "" {
				t.Errorf("written by edit %s (-before +after):\n%s", s.head.Edit, diff)
			}
			if edits[s.head.Edit] || s.head.Edit == "" {
				t.Errorf("edit %q is not new", s.head.Edit)
			}
			edits[s.head.Edit] = true
			last = s.head
		}
	}
	restored := manifestRead{ref: Ref{ID: 43, Epoch: 3}, manifest: &incremental.Manifest{Checkpoint: 43, Epoch: 3, Graph: graph}}
	tell(opened{})
	tell(headRead{head: old, etag: "e1"})
	tell(restored)
	tell(swapped{outcome: won, etag: "e2"})
	tell(attached{graph, 1})
	tell(restored)
	tell(started{checkpoint.Execution{Epoch: 4, Attempt: 1}, []checkpoint.SubtaskID{{Vertex: "op"}}})
	tell(ticked{})
	ref := Ref{ID: 44, Epoch: 4}
	tell(ackOf(ref))
	tell(manifestWritten{ref: ref})
	if last.Graph != graph.Fingerprint() || !last.has(ref) {
		t.Fatalf("the commit wrote %+v", last)
	}
	if last.Leader != "" {
		t.Errorf("the address of the leader before is still in head: %s", last.Leader)
	}
	if len(edits) != 2 {
		t.Errorf("%d heads were written, want 2", len(edits))
	}
	if encoded, err := EncodeHead(last); err != nil || bytes.Equal(encoded, b) {
		t.Error("the last head cannot be written", err)
	}
}
