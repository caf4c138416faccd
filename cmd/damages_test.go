package tidemarkcmd_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/storeurl"
)

// example is a job of three checkpoints, the last by a second leader, in a store in memory.
// Nothing of it differs between two runs but the store's clock.
type example struct {
	t     *testing.T
	url   string
	store upload.Store
}

var examples int

func newExample(t *testing.T) *example {
	t.Helper()
	examples++
	x := emptyExample(t, fmt.Sprintf("mem://example-%d/count", examples))
	x.checkpoint(1, 1, sst{1, 1, 3000})
	x.checkpoint(2, 1, sst{1, 1, 3000}, sst{2, 2, 500})
	x.checkpoint(3, 2, sst{3, 3, 3400}) // a compaction
	x.put(nameOf(2, 1, 9).String(), []byte("of a subtask that died"))
	x.put(nameOf(4, 2, 0).String(), []byte("of a checkpoint under way"))
	at := exampleTime
	h := coordinator.Head{
		Version: 7, Edit: "edit", Job: "count", Graph: exampleGraph.Fingerprint(), Epoch: 2, NextID: 4, Writer: "writer",
		Policy: &coordinator.RetentionPolicy{Newest: 3, OnCancel: coordinator.SurviveAll, OnFinish: coordinator.SurviveAll}, Tags: []coordinator.Tag{{Name: "release", Checkpoint: 1, Reason: "version 7", Made: at}},
	}
	for id, epoch := range map[checkpoint.ID]checkpoint.Epoch{1: 1, 2: 1, 3: 2} {
		m, err := incremental.ReadManifest(t.Context(), x.store, id, epoch)
		if err != nil {
			t.Fatal(err)
		}
		info, err := x.store.Head(t.Context(), incremental.ManifestName(id, epoch))
		if err != nil {
			t.Fatal(err)
		}
		h.Retained = append(h.Retained, coordinator.Retained{
			ID: id, Epoch: epoch, Base: id - 1, Triggered: m.Triggered, Created: m.Created, KeptBy: []string{"count"},
			FullBytes: m.Stats.FullBytes, NewBytes: m.Stats.NewBytes, ManifestBytes: info.Size, ManifestCRC32C: info.CRC32C,
		})
	}
	slices.SortFunc(h.Retained, func(a, b coordinator.Retained) int { return int(a.ID) - int(b.ID) })
	h.Retained[2].KeptBy = []string{"newest", "count"}
	h.Retained[0].KeptBy = []string{"count", "tag:release"}
	b, err := coordinator.EncodeHead(h)
	if err != nil {
		t.Fatal(err)
	}
	x.put("head", b)
	x.past(history.Name{Epoch: 1, Number: 7})
	x.past(history.Name{Epoch: 2, Number: 1})
	return x
}

// past puts a history: checkpoint 3, and one of the same id that failed before it.
func (x *example) past(n history.Name) {
	x.t.Helper()
	at := exampleTime.Add(3 * time.Minute)
	part := history.Part{
		Vertex: "count", Index: 1, Acked: at.Add(200 * time.Millisecond), FullBytes: 3410, NewBytes: 3410,
		Timings: history.Timings{Start: time.Millisecond, Align: time.Millisecond, Sync: 300 * time.Microsecond, Async: 80 * time.Millisecond},
	}
	failed := history.Checkpoint{
		ID: 3, Epoch: 1, Base: 2, Trigger: history.ByInterval, Status: history.Failed, Cause: "timeout", Reason: "timed out after 10s: waiting for count/0; 1 of 2 subtasks have acknowledged",
		Counted: true, Triggered: at.Add(-30 * time.Second), Duration: 10 * time.Second, Timings: part.Timings, Acked: 1, Subtasks: 2, Parts: []history.Part{part},
	}
	done := failed
	done.Epoch, done.Status, done.Cause, done.Reason, done.Counted = 2, history.Completed, "", "", false
	done.Triggered, done.Duration, done.Acked = at, 300*time.Millisecond, 2
	done.FullBytes, done.NewBytes, done.Files, done.NewObjects = 6820, 6820, 4, 2
	done.Parts = []history.Part{part, part}
	done.Parts[0].Index = 0
	h := history.History{Job: "count", Completed: 3, Failed: 1, Checkpoints: []history.Checkpoint{failed, done}}
	if err := history.Put(x.t.Context(), x.store, n, h); err != nil {
		x.t.Fatal(err)
	}
}

func emptyExample(t *testing.T, url string) *example {
	t.Helper()
	store, err := storeurl.Open(t.Context(), url, storeurl.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &example{t, url, store}
}

var (
	exampleTime  = time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC)
	exampleGraph = checkpoint.Graph{Job: "count", MaxParallelism: 128, Operators: []checkpoint.GraphOperator{
		{ID: "in", Type: "source", Parallelism: 1},
		{ID: "count", Type: "process", Parallelism: 2, Key: "string", Inputs: []checkpoint.GraphInput{{From: "in", Exchange: checkpoint.HashBy}}},
	}}
)

// sst is a table file of each subtask, which checkpoint by put.
type sst struct {
	number int
	by     checkpoint.ID
	bytes  int
}

// nameOf is the name of the object that a subtask put for a checkpoint.
func nameOf(id checkpoint.ID, e checkpoint.Epoch, subtask int) incremental.ObjectName {
	return incremental.ObjectName{Epoch: e, Checkpoint: id, Operator: "count", Index: subtask, Attempt: 1, Random: fmt.Sprintf("%016x", 0xfeed00+int(id)*16+subtask)}
}

// checkpoint puts the objects and the manifest of a checkpoint whose subtasks each have
// these files.
func (x *example) checkpoint(id checkpoint.ID, e checkpoint.Epoch, files ...sst) {
	x.t.Helper()
	epochs := map[checkpoint.ID]checkpoint.Epoch{1: 1, 2: 1, 3: 2}
	m := &incremental.Manifest{
		Job: "count", Checkpoint: id, Epoch: e, Attempt: 1, Base: id - 1, Graph: exampleGraph, Writer: "tidemark test",
		Triggered: exampleTime.Add(time.Duration(id) * time.Minute), Created: exampleTime.Add(time.Duration(id)*time.Minute + 250*time.Millisecond),
	}
	for subtask := range 2 {
		groups := keygroup.Assign(128, 2, subtask)
		h := &incremental.Handle{
			Operator: "count", Index: subtask, Range: groups, Checkpoint: id, Backend: incremental.BackendInfo{Name: "rocksdb", Version: "7.8.3", Format: 5},
			States: []state.Descriptor{{Name: "total", Kind: state.KindValue, Key: "string", Value: "int64"}},
			Shards: []incremental.Shard{{State: "total", Column: "s-total", Groups: groups}},
		}
		objects := map[string][]byte{}
		add := func(name string, by checkpoint.ID, content []byte, table *incremental.Table) {
			object := nameOf(by, epochs[by], subtask).String()
			if by != id { // the base has it after 10 bytes of CURRENT
				objects[object] = append(objects[object], fmt.Sprintf("CURRENT %02d", by)...)
			}
			at := int64(len(objects[object]))
			objects[object] = append(objects[object], content...)
			h.Files = append(h.Files, incremental.File{Name: name, Immutable: table != nil, Table: table, Ref: incremental.FileRef{
				Object: object, Offset: at, Length: int64(len(content)), CRC32C: upload.CRC32C(content)}})
			m.Stats.Files++
			m.Stats.FullBytes += int64(len(content))
			if by != id {
				m.Stats.SharedFiles++
			}
		}
		add("CURRENT", id, fmt.Appendf(nil, "CURRENT %02d", id), nil)
		for _, f := range files {
			content := make([]byte, f.bytes)
			for i := range content {
				content[i] = byte(i*f.number + subtask)
			}
			first := binary.BigEndian.AppendUint16(nil, uint16(groups.Start))
			last := binary.BigEndian.AppendUint16(nil, uint16(groups.End-1))
			table := incremental.NewTable(state.TableFile{
				Column: "s-total", Smallest: append(first, 'a'), Largest: append(last, 'z'), SmallestSeqno: uint64(f.number), LargestSeqno: uint64(f.number), Entries: 10,
			})
			add(fmt.Sprintf("%06d.sst", f.number), f.by, content, table)
		}
		for name, content := range objects {
			h.Objects = append(h.Objects, incremental.Object{Name: name, Size: int64(len(content)), CRC32C: upload.CRC32C(content), Adopted: int64(len(content))})
			if n, _ := incremental.ParseObjectName(name); n.Checkpoint == id {
				h.Uploaded += int64(len(content))
				m.Stats.NewObjects++
				x.put(name, content)
			}
		}
		m.Stats.NewBytes += h.Uploaded
		slices.SortFunc(h.Files, func(a, b incremental.File) int { return strings.Compare(a.Name, b.Name) })
		slices.SortFunc(h.Objects, func(a, b incremental.Object) int { return strings.Compare(a.Name, b.Name) })
		m.Subtasks = append(m.Subtasks, incremental.Subtask{Operator: "count", Index: subtask, Keyed: h, Timings: checkpoint.Timings{Align: time.Millisecond, Sync: 300 * time.Microsecond, Async: 80 * time.Millisecond}})
	}
	m.Subtasks = append(m.Subtasks, incremental.Subtask{Operator: "in", State: []checkpoint.OperatorState{{Name: "splits", Codec: "split", Items: [][]byte{[]byte("at 7")}}}})
	if _, err := incremental.WriteManifest(x.t.Context(), x.store, m); err != nil {
		x.t.Fatal(err)
	}
}

func (x *example) put(name string, content []byte) {
	x.t.Helper()
	if _, err := x.store.Put(x.t.Context(), name, upload.BodyFromBytes(content), upload.PutOptions{}); err != nil {
		x.t.Fatal(err)
	}
}

// change replaces an object by one with other bytes.
func (x *example) change(name string, change func([]byte) []byte) {
	x.t.Helper()
	b, _, err := upload.ReadAll(x.t.Context(), x.store, name, 1<<20)
	if err != nil {
		x.t.Fatal(err)
	}
	x.put(name, change(b))
}

func (x *example) remove(names ...string) {
	x.t.Helper()
	if err := x.store.Delete(x.t.Context(), names...); err != nil {
		x.t.Fatal(err)
	}
}

// content is all that is stored.
func (x *example) content() map[string]string {
	x.t.Helper()
	all := map[string]string{}
	for info, err := range x.store.List(x.t.Context(), "") {
		if err != nil {
			x.t.Fatal(err)
		}
		b, _, err := upload.ReadAll(x.t.Context(), x.store, info.Name, 1<<20)
		if err != nil {
			x.t.Fatal(err)
		}
		all[info.Name] = string(b)
	}
	return all
}

// damages are what may have happened to the example's store.
var damages = []struct {
	name string
	do   func(*example)
}{
	{"whole", func(*example) {}},
	{"missing object", func(x *example) { x.remove(nameOf(2, 1, 0).String()) }},
	{"flipped byte", func(x *example) { x.change(nameOf(1, 1, 1).String(), flip(99)) }},
	{"cut object", func(x *example) { x.change(nameOf(1, 1, 1).String(), func(b []byte) []byte { return b[:len(b)-1] }) }},
	{"foreign files", func(x *example) {
		x.put("notes.txt", []byte("for later"))
		x.put("data/00/1-2-count.0-1-nothexadecimal!!", []byte("nobody's"))
	}},
	{"lost head", func(x *example) { x.remove("head") }},
	{"half-finished copy", func(x *example) {
		x.remove("head", incremental.ManifestName(3, 2))
		x.put(incremental.CopyMarkName, []byte(`{"from":"s3://elsewhere/count","job":"count"}`))
	}},
	{"unreadable manifest", func(x *example) { x.change(incremental.ManifestName(2, 1), flip(-9)) }},
	{"missing manifest", func(x *example) { x.remove(incremental.ManifestName(2, 1)) }},
	{"newer manifest", func(x *example) {
		x.change(incremental.ManifestName(2, 1), func(b []byte) []byte {
			binary.BigEndian.PutUint32(b[8:], incremental.FormatVersion+1)
			return b
		})
	}},
	{"unreadable head", func(x *example) { x.change("head", flip(-9)) }},
	{"newer head", func(x *example) {
		x.change("head", func(b []byte) []byte {
			return fmt.Appendf(nil, "tidemark-head %d 00000000\n{}\n", coordinator.HeadFormat+1)
		})
	}},
	{"unreadable history", func(x *example) { x.change("history/2-1", flip(-9)) }},
	{"nothing", func(x *example) { x.remove(slices.Collect(maps.Keys(x.content()))...) }},
}
