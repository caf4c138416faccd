package incremental_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
)

// I1: what is written is what is read.
func TestManifestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawManifest(t)
		b, err := incremental.EncodeManifest(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := incremental.DecodeManifest(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-written +read):\n%s", diff)
		}
		for _, s := range m.Subtasks {
			if s.Keyed == nil {
				continue
			}
			b, err := incremental.EncodeHandle(nil, s.Keyed)
			if err != nil {
				t.Fatal(err)
			}
			got, err := incremental.DecodeHandle(b)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.Keyed, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("handle (-written +read):\n%s", diff)
			}
		}
	})
}

func drawManifest(t *rapid.T) *incremental.Manifest {
	m := sample()
	m.Checkpoint = checkpoint.ID(rapid.Uint64Range(1, 1<<62).Draw(t, "id"))
	m.Base = m.Checkpoint - 1
	m.Kind = rapid.SampledFrom([]checkpoint.Kind{checkpoint.Periodic, checkpoint.Manual, checkpoint.Savepoint, checkpoint.Final}).Draw(t, "kind")
	m.Job = rapid.StringN(1, 20, 60).Draw(t, "job")
	m.Triggered = time.Unix(rapid.Int64Range(1, 1<<33).Draw(t, "triggered"), 5).UTC()
	m.Sources = nil
	for i := range rapid.IntRange(0, 2).Draw(t, "sources") {
		m.Sources = append(m.Sources, incremental.Source{Operator: checkpoint.OperatorID(fmt.Sprint("in", i)), Enumerator: rapid.SliceOf(rapid.Byte()).Draw(t, "enumerator"), Unassigned: drawSplits(t)})
	}
	source := m.Subtasks[1]
	m.Subtasks = nil
	n := rapid.IntRange(1, 4).Draw(t, "subtasks")
	m.Graph.Operators[1].Parallelism = n
	keyed := rapid.Bool().Draw(t, "keyed")
	for i := range n {
		s := incremental.Subtask{Operator: "count", Index: i, Splits: drawSplits(t)}
		if keyed {
			s.Keyed = drawHandle(t, m.Checkpoint, i, n)
		}
		s.State = []checkpoint.OperatorState{{Name: "pending", Items: rapid.SliceOf(rapid.SliceOf(rapid.Byte())).Draw(t, "items")}}
		for g := range rapid.IntRange(0, 3).Draw(t, "progress") {
			at := rapid.Int64().Draw(t, "fired")
			s.Progress = append(s.Progress, incremental.Progress{
				Groups: keygroup.Range{Start: g, End: g + 1}, Watermark: max(at, rapid.Int64().Draw(t, "watermark")), FiredEvent: at, FiredProcessing: rapid.Int64().Draw(t, "processing"),
			})
		}
		for range rapid.IntRange(0, 3).Draw(t, "in flight") {
			s.InFlight = append(s.InFlight, drawInFlight(t))
		}
		m.Subtasks = append(m.Subtasks, s)
	}
	m.Subtasks = append(m.Subtasks, source)
	return m
}

func drawSplits(t *rapid.T) (all []incremental.Split) {
	for i := range rapid.IntRange(0, 3).Draw(t, "splits") {
		all = append(all, incremental.Split{
			ID: fmt.Sprint("split", i), Position: rapid.SliceOf(rapid.Byte()).Draw(t, "position"),
			From: rapid.Int64().Draw(t, "from"), Latest: rapid.Int64().Draw(t, "latest"), Idle: rapid.Bool().Draw(t, "idle"),
		})
	}
	return all
}

func drawInFlight(t *rapid.T) incremental.InFlight {
	f := incremental.InFlight{Direction: incremental.Output, Peer: "out", PeerIndex: 3, Codec: "row"}
	if rapid.Bool().Draw(t, "in an object") {
		o := incremental.Object{Name: objectName(41, rapid.Uint64Range(0, 9).Draw(t, "random")), Size: 100}
		f.Piece = incremental.Piece{Object: o, Offset: 1, Length: 99, Elements: 1}
		return f
	}
	for range rapid.IntRange(1, 4).Draw(t, "elements") {
		e := incremental.Element{Watermark: rapid.Bool().Draw(t, "watermark"), Time: rapid.Int64().Draw(t, "time")}
		if !e.Watermark {
			e.Record = rapid.SliceOf(rapid.Byte()).Draw(t, "record")
		}
		f.Elements = append(f.Elements, e)
	}
	return f
}

// drawHandle draws a handle of the i-th of n subtasks. Objects are sometimes
// those of other subtasks.
func drawHandle(t *rapid.T, id checkpoint.ID, i, n int) *incremental.Handle {
	h := &incremental.Handle{
		Operator: "count", Index: i, Range: keygroup.Assign(128, n, i), Checkpoint: id,
		Uploaded: rapid.Int64Range(0, 1<<40).Draw(t, "uploaded"),
		Backend:  incremental.BackendInfo{Version: rapid.SampledFrom([]string{"", "7.8.3", "9"}).Draw(t, "version")},
	}
	for s := range rapid.IntRange(0, 3).Draw(t, "states") {
		h.States = append(h.States, state.Descriptor{
			Name: fmt.Sprint("s", s), Kind: state.Kind(rapid.IntRange(int(state.KindValue), int(state.KindJoinSide)).Draw(t, "kind")),
			Value: rapid.SampledFrom([]string{"int64", "string"}).Draw(t, "value"),
		})
	}
	if rapid.Bool().Draw(t, "shards") {
		for _, d := range h.States {
			h.Shards = append(h.Shards, drawShards(t, h.Range, d.Name)...)
		}
	}
	for f := range rapid.IntRange(0, 5).Draw(t, "files") {
		length := rapid.Int64Range(0, 1<<40).Draw(t, "length")
		before := rapid.Int64Range(1<<26, 1<<30).Draw(t, "offset")
		o := incremental.Object{
			Name: objectName(checkpoint.ID(f+1), rapid.Uint64Range(0, 3).Draw(t, "random")), Size: before + length, CRC32C: rapid.Uint32Range(0, 1).Draw(t, "crc"),
			Adopted: length, Place: rapid.SampledFrom([]incremental.Place{{}, {Job: "j"}, {Store: "s3://x", Job: "j"}}).Draw(t, "place"),
		}
		h.Objects = append(h.Objects, o)
		file := incremental.File{
			Name: fmt.Sprintf("%06d.sst", f), Immutable: rapid.Bool().Draw(t, "immutable"),
			Ref: incremental.FileRef{Object: o.Name, Offset: before, Length: length, CRC32C: rapid.Uint32().Draw(t, "crc")},
		}
		if length > incremental.ChunkBytes {
			file.Ref.ChunksCRC32C = rapid.Uint32().Draw(t, "chunks")
		}
		if len(h.Shards) > 0 && rapid.Bool().Draw(t, "table") {
			s := rapid.SampledFrom(h.Shards).Draw(t, "shard")
			file.Instance, file.Table = s.Instance, drawTable(t, s.Column)
		}
		h.Files = append(h.Files, file)
		if len(h.States) > 0 && rapid.Bool().Draw(t, "auxiliary") {
			h.Auxiliary = append(h.Auxiliary, incremental.Auxiliary{State: h.States[0].Name, Purpose: "index", File: file.Name})
		}
	}
	incremental.SortHandle(h)
	return h
}

// drawShards cuts a range into one to three.
func drawShards(t *rapid.T, r keygroup.Range, name string) (all []incremental.Shard) {
	for start := r.Start; start < r.End; {
		end := r.End
		if len(all) < 2 {
			end = rapid.IntRange(start+1, r.End).Draw(t, "end")
		}
		all = append(all, incremental.Shard{
			State: name, Column: fmt.Sprintf("s-%s@%d", name, len(all)), Groups: keygroup.Range{Start: start, End: end}, Instance: rapid.IntRange(0, 2).Draw(t, "instance"),
		})
		start = end
	}
	return all
}

func drawTable(t *rapid.T, column string) *incremental.Table {
	a, b := rapid.SliceOfN(rapid.Byte(), 2, 300).Draw(t, "key"), rapid.SliceOfN(rapid.Byte(), 2, 300).Draw(t, "key")
	if bytes.Compare(a, b) > 0 {
		a, b = b, a
	}
	n := rapid.Uint64().Draw(t, "entries")
	x, y := rapid.Uint64().Draw(t, "seqno"), rapid.Uint64().Draw(t, "seqno")
	return incremental.NewTable(state.TableFile{
		Name: "left out", Column: column, Level: rapid.IntRange(0, 39).Draw(t, "level"), Smallest: a, Largest: b, SmallestSeqno: min(x, y), LargestSeqno: max(x, y),
		Epoch: rapid.Uint64().Draw(t, "epoch"), CreatedUnix: rapid.Int64Range(0, 1<<40).Draw(t, "created"), Entries: n, Deletions: n / 2,
	})
}
