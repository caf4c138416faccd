package incremental

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// The types below are the body of a manifest as it is written. They are apart
// from the types that the program works with, so that renaming a Go field
// never changes the format.
type (
	bodyV1 struct {
		Job        string      `json:"job"`
		Checkpoint uint64      `json:"checkpoint"`
		Epoch      uint64      `json:"epoch"`
		Base       uint64      `json:"base"`
		Kind       string      `json:"kind"`
		Triggered  time.Time   `json:"triggered"`
		Created    time.Time   `json:"created"`
		Writer     string      `json:"writer"`
		Stats      statsV1     `json:"stats"`
		Graph      graphV1     `json:"graph"`
		Subtasks   []subtaskV1 `json:"subtasks"`
	}
	statsV1 struct {
		FullBytes   int64 `json:"full_bytes"`
		NewBytes    int64 `json:"new_bytes"`
		NewObjects  int   `json:"new_objects"`
		Files       int   `json:"files"`
		SharedFiles int   `json:"shared_files"`
	}
	graphV1 struct {
		Job            string            `json:"job"`
		MaxParallelism int               `json:"max_parallelism"`
		Operators      []graphOperatorV1 `json:"operators"`
	}
	graphOperatorV1 struct {
		ID          string   `json:"id"`
		Type        string   `json:"type"`
		Parallelism int      `json:"parallelism"`
		Key         string   `json:"key"`
		Inputs      []string `json:"inputs"`
	}
	subtaskV1 struct {
		Operator string            `json:"operator"`
		Index    int               `json:"index"`
		Timings  timingsV1         `json:"timings"`
		State    []operatorStateV1 `json:"state"`
		Keyed    *handleV1         `json:"keyed"`
	}
	timingsV1 struct {
		Start int64 `json:"start_ns"`
		Align int64 `json:"align_ns"`
		Sync  int64 `json:"sync_ns"`
		Async int64 `json:"async_ns"`
	}
	operatorStateV1 struct {
		Name           string   `json:"name"`
		Redistribution string   `json:"redistribution"`
		Codec          string   `json:"codec"`
		Items          [][]byte `json:"items"`
	}
	handleV1 struct {
		Operator   string         `json:"operator"`
		Index      int            `json:"index"`
		First      int            `json:"first_group"`
		End        int            `json:"end_group"`
		Checkpoint uint64         `json:"checkpoint"`
		Uploaded   int64          `json:"uploaded_bytes"`
		States     []descriptorV1 `json:"states"`
		Objects    []objectV1     `json:"objects"`
		Files      []fileV1       `json:"files"`
	}
	descriptorV1 struct {
		Name      string `json:"name"`
		Kind      string `json:"kind"`
		Key       string `json:"key"`
		Namespace string `json:"namespace"`
		MapKey    string `json:"map_key"`
		Value     string `json:"value"`
	}
	objectV1 struct {
		Name   string `json:"name"`
		Size   int64  `json:"size"`
		CRC32C uint32 `json:"crc32c"`
	}
	fileV1 struct {
		Name      string `json:"name"`
		Immutable bool   `json:"immutable"`
		Object    int    `json:"object"` // index into objects
		Offset    int64  `json:"offset"`
		Length    int64  `json:"length"`
		CRC32C    uint32 `json:"crc32c"`
	}
)

var (
	kindNames = map[checkpoint.Kind]string{
		checkpoint.Periodic: "periodic", checkpoint.Manual: "manual", checkpoint.Savepoint: "savepoint", checkpoint.Final: "final",
	}
	stateKindNames = map[state.Kind]string{
		state.KindValue: "value", state.KindList: "list", state.KindMap: "map",
		state.KindReducing: "reducing", state.KindAggregating: "aggregating",
	}
	redistributionNames = map[checkpoint.Redistribution]string{
		checkpoint.Split: "split", checkpoint.Union: "union", checkpoint.Broadcast: "broadcast",
	}
)

// marshalBody renders m, which must be valid.
func marshalBody(m *Manifest) ([]byte, error) {
	b := bodyV1{
		Job: m.Job, Checkpoint: uint64(m.Checkpoint), Epoch: uint64(m.Epoch), Base: uint64(m.Base),
		Kind: kindNames[m.Kind], Triggered: m.Triggered.UTC(), Created: m.Created.UTC(), Writer: m.Writer,
		Stats: statsV1(m.Stats),
		Graph: graphV1{
			Job: m.Graph.Job, MaxParallelism: m.Graph.MaxParallelism,
			Operators: mapped(m.Graph.Operators, func(o checkpoint.GraphOperator) graphOperatorV1 {
				inputs := mapped(o.Inputs, func(id checkpoint.OperatorID) string { return string(id) })
				return graphOperatorV1{string(o.ID), o.Type, o.Parallelism, o.Key, inputs}
			}),
		},
		Subtasks: mapped(m.Subtasks, marshalSubtask),
	}
	return json.Marshal(b)
}

func marshalSubtask(s Subtask) subtaskV1 {
	t := subtaskV1{
		Operator: string(s.Operator), Index: s.Index,
		Timings: timingsV1{int64(s.Timings.Start), int64(s.Timings.Align), int64(s.Timings.Sync), int64(s.Timings.Async)},
		State: mapped(s.State, func(o checkpoint.OperatorState) operatorStateV1 {
			items := mapped(o.Items, func(item []byte) []byte { return append([]byte{}, item...) })
			return operatorStateV1{o.Name, redistributionNames[o.Redistribution], o.Codec, items}
		}),
	}
	if h := s.Keyed; h != nil {
		index := make(map[string]int, len(h.Objects))
		for i, o := range h.Objects {
			index[o.Name] = i
		}
		t.Keyed = &handleV1{
			Operator: string(h.Operator), Index: h.Index, First: h.Range.Start, End: h.Range.End,
			Checkpoint: uint64(h.Checkpoint), Uploaded: h.Uploaded,
			States: mapped(h.States, func(d state.Descriptor) descriptorV1 {
				return descriptorV1{d.Name, stateKindNames[d.Kind], d.Key, d.Namespace, d.MapKey, d.Value}
			}),
			Objects: mapped(h.Objects, func(o Object) objectV1 { return objectV1(o) }),
			Files: mapped(h.Files, func(f File) fileV1 {
				return fileV1{f.Name, f.Immutable, index[f.Ref.Object], f.Ref.Offset, f.Ref.Length, f.Ref.CRC32C}
			}),
		}
	}
	return t
}

// unmarshalBody reads what marshalBody rendered. The manifest still has to be
// validated.
func unmarshalBody(body []byte) (*Manifest, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	var b bodyV1
	if err := dec.Decode(&b); err != nil {
		return nil, err
	}
	kind, err := named(kindNames, b.Kind)
	if err != nil {
		return nil, err
	}
	m := &Manifest{
		Job: b.Job, Checkpoint: checkpoint.ID(b.Checkpoint), Epoch: checkpoint.Epoch(b.Epoch), Base: checkpoint.ID(b.Base),
		Kind: kind, Triggered: b.Triggered, Created: b.Created, Writer: b.Writer, Stats: Stats(b.Stats),
		Graph: checkpoint.Graph{Job: b.Graph.Job, MaxParallelism: b.Graph.MaxParallelism},
	}
	for _, o := range b.Graph.Operators {
		g := checkpoint.GraphOperator{ID: checkpoint.OperatorID(o.ID), Type: o.Type, Parallelism: o.Parallelism, Key: o.Key}
		for _, id := range o.Inputs {
			g.Inputs = append(g.Inputs, checkpoint.OperatorID(id))
		}
		m.Graph.Operators = append(m.Graph.Operators, g)
	}
	for _, t := range b.Subtasks {
		s, err := unmarshalSubtask(t)
		if err != nil {
			return nil, fmt.Errorf("subtask %s/%d: %w", t.Operator, t.Index, err)
		}
		m.Subtasks = append(m.Subtasks, s)
	}
	return m, nil
}

func unmarshalSubtask(t subtaskV1) (Subtask, error) {
	s := Subtask{
		Operator: checkpoint.OperatorID(t.Operator), Index: t.Index,
		Timings: checkpoint.Timings{
			Start: time.Duration(t.Timings.Start), Align: time.Duration(t.Timings.Align),
			Sync: time.Duration(t.Timings.Sync), Async: time.Duration(t.Timings.Async),
		},
	}
	for _, o := range t.State {
		r, err := named(redistributionNames, o.Redistribution)
		if err != nil {
			return Subtask{}, err
		}
		s.State = append(s.State, checkpoint.OperatorState{Name: o.Name, Redistribution: r, Codec: o.Codec, Items: o.Items})
	}
	if t.Keyed == nil {
		return s, nil
	}
	h := &Handle{
		Operator: checkpoint.OperatorID(t.Keyed.Operator), Index: t.Keyed.Index,
		Range:      keygroup.Range{Start: t.Keyed.First, End: t.Keyed.End},
		Checkpoint: checkpoint.ID(t.Keyed.Checkpoint), Uploaded: t.Keyed.Uploaded,
	}
	for _, d := range t.Keyed.States {
		k, err := named(stateKindNames, d.Kind)
		if err != nil {
			return Subtask{}, err
		}
		h.States = append(h.States, state.Descriptor{Name: d.Name, Kind: k, Key: d.Key, Namespace: d.Namespace, MapKey: d.MapKey, Value: d.Value})
	}
	for _, o := range t.Keyed.Objects {
		h.Objects = append(h.Objects, Object(o))
	}
	for _, f := range t.Keyed.Files {
		if f.Object < 0 || f.Object >= len(h.Objects) {
			return Subtask{}, fmt.Errorf("file %q lies in object %d of %d", f.Name, f.Object, len(h.Objects))
		}
		h.Files = append(h.Files, File{f.Name, f.Immutable, FileRef{h.Objects[f.Object].Name, f.Offset, f.Length, f.CRC32C}})
	}
	s.Keyed = h
	return s, nil
}

// mapped returns f of each element, never nil: an empty list has one spelling.
func mapped[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = f(a)
	}
	return out
}

// named returns the value that goes by name.
func named[K comparable](names map[K]string, name string) (K, error) {
	for k, n := range names {
		if n == name {
			return k, nil
		}
	}
	var none K
	return none, fmt.Errorf("unknown value %q", name)
}
