package incremental_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/incremental/format"
)

var update = flag.Bool("update", false, "write the golden files anew")

const golden = "testdata/manifest_v2.golden"

func objectName(id checkpoint.ID, random uint64) string {
	return incremental.ObjectName{Epoch: 3, Checkpoint: id, Operator: "count", Attempt: 2, Random: fmt.Sprintf("%016x", random)}.String()
}

// sample is the manifest in the golden file. It has a value in every field.
func sample() *incremental.Manifest {
	old, new := objectName(40, 0xfeed), objectName(41, 0xbeef)
	objects := []incremental.Object{
		{Name: old, Size: 99_000, CRC32C: 7, Adopted: 90_000, Place: incremental.Place{Store: "s3://parent", Job: "flights-old"}},
		{Name: new, Size: 333, CRC32C: 0xffffffff, Adopted: 333},
	}
	if old > new {
		objects[0], objects[1] = objects[1], objects[0]
	}
	at := time.Date(2026, 11, 21, 4, 0, 0, 123456789, time.UTC)
	return &incremental.Manifest{
		Job: "flights", Checkpoint: 41, Epoch: 3, Attempt: 2, Base: 40, Kind: checkpoint.Savepoint,
		Triggered: at, Created: at.Add(1500 * time.Millisecond), Writer: "tidemark 0.1 (RocksDB 7.8.3)",
		Graph: checkpoint.Graph{Job: "flights", Name: "Delays by airport", MaxParallelism: 128, Operators: []checkpoint.GraphOperator{
			{ID: "in", Type: "source", Parallelism: 1},
			{ID: "count", Name: "Count", Type: "process", Parallelism: 1, Key: "string", Inputs: []checkpoint.GraphInput{{From: "in", Exchange: checkpoint.HashBy, Side: "late"}}},
		}},
		Sources: []incremental.Source{{
			Operator: "in", Codec: "file split", Enumerator: []byte("newest"),
			Unassigned: []incremental.Split{{ID: "a.jsonl", Position: []byte{9}, From: 1000, Latest: incremental.NoTime, Idle: true}},
		}},
		Subtasks: []incremental.Subtask{
			{
				Operator: "count", Index: 0,
				Timings: checkpoint.Timings{Start: time.Millisecond, Align: 2, Sync: 3, Async: time.Second},
				Keyed: &incremental.Handle{
					Operator: "count", Range: keygroup.Range{Start: 0, End: 128}, Checkpoint: 41, Uploaded: 333,
					Backend: incremental.BackendInfo{Name: "rocksdb", Version: "7.8.3", Format: 5},
					States: []state.Descriptor{
						{Name: "by-hour", Kind: state.KindMap, Key: "string", MapKey: "int64", Value: "{n int64,sum float64}"},
						{Name: "total", Kind: state.KindPanes, Key: "string", Namespace: "window", Value: "int64"},
					},
					Shards: []incremental.Shard{
						{State: "by-hour", Column: "s-by-hour", Groups: keygroup.Range{Start: 0, End: 128}},
						{State: "total", Column: "s-total", Groups: keygroup.Range{Start: 0, End: 64}},
						{State: "total", Column: "s-total", Groups: keygroup.Range{Start: 64, End: 128}, Instance: 1},
					},
					Auxiliary: []incremental.Auxiliary{{State: "total", Purpose: "index", File: "total.idx"}},
					Objects:   objects,
					Files: []incremental.File{
						{Name: "CURRENT", Ref: incremental.FileRef{Object: new, Offset: 0, Length: 16, CRC32C: 2}},
						{Name: "MANIFEST-000005", Ref: incremental.FileRef{Object: new, Offset: 16, Length: 300, CRC32C: 3}},
						{Name: "total.idx", Ref: incremental.FileRef{Object: new, Offset: 316, Length: 17, CRC32C: 4}},
						{
							Name: "000012.sst", Immutable: true, Instance: 1, Ref: incremental.FileRef{Object: old, Offset: 96, Length: 90_000, CRC32C: 1, ChunksCRC32C: 5},
							Table: &incremental.Table{
								TableFile: state.TableFile{
									Column: "s-total", Level: 39, SmallestSeqno: 17, LargestSeqno: 99, Epoch: 3,
									Smallest: []byte{0, 3, 'a'}, Largest: []byte{0, 127, 'z'}, CreatedUnix: 1_790_000_000, Entries: 1000, Deletions: 7,
								},
								Groups: keygroup.Range{Start: 3, End: 128},
							},
						},
					},
				},
				Progress: []incremental.Progress{
					{Groups: keygroup.Range{Start: 0, End: 64}, Watermark: 5000, FiredEvent: 4000, FiredProcessing: 3000},
					{Groups: keygroup.Range{Start: 64, End: 128}, Watermark: incremental.NoTime, FiredEvent: incremental.NoTime, FiredProcessing: incremental.NoTime},
				},
				InFlight: []incremental.InFlight{
					{Direction: incremental.Input, Peer: "in", PeerIndex: 1, Input: 1, Codec: "flight", Elements: []incremental.Element{{Time: 7, Record: []byte("x")}, {Watermark: true, Time: 6}}},
					{Direction: incremental.Call, Codec: "flight", Piece: incremental.Piece{
						Object: incremental.Object{Name: objectName(41, 0xabba), Size: 70, CRC32C: 8}, Offset: 10, Length: 60, CRC32C: 9, Elements: 3,
					}},
				},
			},
			{
				Operator: "in", Index: 0,
				State: []checkpoint.OperatorState{
					{Name: "splits", Redistribution: checkpoint.Union, Codec: "split", Items: [][]byte{{0, 255, '<'}, {}}},
				},
				Splits: []incremental.Split{{ID: "b.jsonl", Position: []byte{1, 2}, From: incremental.NoTime, Latest: 6000}},
			},
		},
		Stats: incremental.Stats{FullBytes: 90_333, NewBytes: 333, NewObjects: 1, Files: 4, SharedFiles: 1},
	}
}

func encode(t testing.TB, m *incremental.Manifest) []byte {
	t.Helper()
	b, err := incremental.EncodeManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readGolden returns a golden file, written anew where that is asked for.
func readGolden(t testing.TB, name string, now []byte) []byte {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, now, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A change of the bytes, however small, is a new version of the format: both
// golden files are what is written today, and readable.
func TestGoldenManifest(t *testing.T) {
	now := encode(t, sample())
	b := readGolden(t, golden, now)
	m, err := incremental.DecodeManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), m, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("golden manifest (-want +got):\n%s", diff)
	}
	if got, want := body(t, now), body(t, b); !bytes.Equal(got, want) {
		t.Errorf("the same manifest is written differently:\n%x\nthan it was:\n%x", got, want)
	}
}

func TestGoldenHandle(t *testing.T) {
	h := sample().Subtasks[0].Keyed
	now, err := incremental.EncodeHandle(nil, h)
	if err != nil {
		t.Fatal(err)
	}
	b := readGolden(t, "testdata/handle_v2.golden", now)
	if !bytes.Equal(b, now) {
		t.Errorf("the same handle is written as\n%x\nand was\n%x", now, b)
	}
	got, err := incremental.DecodeHandle(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(h, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("golden handle (-want +got):\n%s", diff)
	}
}

// The sample has a value in every field of every type, so that the golden
// files show a change of any.
func TestSampleIsFull(t *testing.T) {
	filled := map[string]bool{}
	var visit func(path string, v reflect.Value)
	visit = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				break
			}
			for i := range v.NumField() {
				visit(v.Type().Name()+"."+v.Type().Field(i).Name, v.Field(i))
			}
			return
		case reflect.Slice:
			for i := range v.Len() {
				visit(path, v.Index(i))
			}
		case reflect.Pointer:
			if !v.IsNil() {
				visit(path, v.Elem())
			}
		}
		filled[path] = filled[path] || !v.IsZero()
	}
	visit("Manifest", reflect.ValueOf(*sample()))
	for path, is := range filled {
		if !is && !strings.HasSuffix(path, ".Index") && path != "TableFile.Name" { // there is one subtask; files have the names
			t.Errorf("%s is empty", path)
		}
	}
}

// body returns the decompressed body of an encoded manifest.
func body(t testing.TB, b []byte) []byte {
	t.Helper()
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	out, err := dec.DecodeAll(b[24:], nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// wrap builds a manifest of any body, with a right checksum.
func wrap(version uint32, body []byte, length uint64) []byte {
	b := append([]byte("TDMKMANI"), make([]byte, 16)...)
	binary.BigEndian.PutUint32(b[8:], version)
	binary.BigEndian.PutUint64(b[12:], length)
	enc, _ := zstd.NewWriter(nil)
	b = enc.EncodeAll(body, b)
	return seal(b)
}

func seal(b []byte) []byte {
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.BigEndian.PutUint32(b[20:], crc32.Update(crc32.Checksum(b[:20], table), table, b[24:]))
	return b
}

// I10: whatever is not completely understood is refused, with the reason.
func TestDecodeRefuses(t *testing.T) {
	good := encode(t, sample())
	plain := body(t, good)
	// edit changes the message; what it returns is in canonical form.
	edit := func(change func(*format.Manifest)) []byte {
		t.Helper()
		m := &format.Manifest{}
		if err := format.Unmarshal(plain, m); err != nil {
			t.Fatal(err)
		}
		change(m)
		b, err := format.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return wrap(2, b, uint64(len(b)))
	}
	bare := func(m *format.Manifest) *format.Handle { // without shards, tables and auxiliary files
		h := m.Keyed.Handles[0]
		h.Shards, h.Tables, m.Keyed.Tables, h.Auxiliary = nil, 0, nil, nil
		return h
	}
	raw := func(b []byte) []byte { return wrap(2, b, uint64(len(b))) }
	v1, err := os.ReadFile("testdata/manifest_v1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		b    []byte
		says string
	}{
		{"empty", nil, "not a manifest"},
		{"other magic", append([]byte("PARQUET!"), good[8:]...), "not a manifest"},
		{"version 0", wrap(0, plain, uint64(len(plain))), "version 0, which no release wrote"},
		{"version 1", v1, "version 1, which no release wrote; this program reads 2 only"},
		{"truncated", good[:len(good)-1], "CRC32C"},
		{"bytes behind", append(bytes.Clone(good), 0), "CRC32C"},
		{"frame behind", wrap(2, plain, uint64(len(plain)-1)), "length"},
		{"absurd length", wrap(2, plain, 1<<40), "exceeds the bound"},
		{"not compressed", seal(append(bytes.Clone(good[:24]), plain...)), "decompress"},
		{"no protobuf", raw([]byte("{}")), "body"},
		{"unknown field", raw(protowire.AppendVarint(protowire.AppendTag(bytes.Clone(plain), 99, protowire.VarintType), 1)), "unknown field 99"},
		{"doubled field", raw(append(protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "x"), plain...)), "canonical"},
		{"kind", edit(func(m *format.Manifest) { m.Kind = 9 }), "Manifest.kind: unknown value 9"},
		{"no kind", edit(func(m *format.Manifest) { m.Kind = 0 }), "kind"},
		{"state's kind", edit(func(m *format.Manifest) { m.Keyed.States[0].Kind = 99 }), "State.kind: unknown value 99"},
		{"exchange", edit(func(m *format.Manifest) { m.Graph.Operators[1].Inputs[0].Exchange = 99 }), "Input.exchange: unknown value 99"},
		{"direction", edit(func(m *format.Manifest) { m.Subtasks[0].InFlight[0].Direction = 99 }), "unknown value 99"},
		{"no job", edit(func(m *format.Manifest) { m.Job = "" }), "job"},
		{"not UTF-8", raw(bytes.Replace(plain, []byte("Delays"), []byte("\xff\xfe\xfd\xfc\xfb\xfa"), 1)), "UTF-8"},
		{"base after", edit(func(m *format.Manifest) { m.Base = 41 }), "base"},
		{"time", edit(func(m *format.Manifest) { m.TriggeredNs = -5 }), "time"},
		{"parallelism", edit(func(m *format.Manifest) { m.Graph.MaxParallelism = 1e6 }), "max parallelism"},
		{"groups", edit(func(m *format.Manifest) { m.Keyed.Handles[0].Groups.End = 129 }), "key groups"},
		{"a gap at the end", edit(func(m *format.Manifest) { bare(m).Groups.End = 127 }), "nothing holds key groups [127,128)"},
		{"a gap at the start", edit(func(m *format.Manifest) { bare(m).Groups.First = 1 }), "nothing holds key groups [0,1)"},
		{"input", edit(func(m *format.Manifest) { m.Graph.Operators[1].Inputs[0].Operator = "out" }), "not in the graph"},
		{"object name", edit(func(m *format.Manifest) { m.Keyed.Objects.Stems[0] = "../../etc/passwd/0123" }), "not the name of a data object"},
		{"object twice", edit(func(m *format.Manifest) {
			o := m.Keyed.Objects
			o.Random[1], o.Bytes[1], o.Crc32C[1], o.Place[1], o.Stem[1] = o.Random[0], o.Bytes[0], o.Crc32C[0], o.Place[0], o.Stem[0]
		}), "canonical"},
		{"object unused", edit(func(m *format.Manifest) { m.Subtasks[0].InFlight = m.Subtasks[0].InFlight[:1] }), "canonical"},
		{"adopted more than all", edit(func(m *format.Manifest) { m.Keyed.Uses.AdoptedBytes[0] = 1e9 }), "adopted"},
		{"store without a job", edit(func(m *format.Manifest) { m.Keyed.Places[0].Job = "" }), "without a job"},
		{"file name with slash", edit(func(m *format.Manifest) { m.Keyed.Files.Name[0] = "../CURRENT" }), "not allowed"},
		{"file name hidden", edit(func(m *format.Manifest) { m.Keyed.Files.Name[0] = ".CURRENT" }), "not allowed"},
		{"file doubled", edit(func(m *format.Manifest) { m.Keyed.Files.Name[0] = "MANIFEST-000005" }), "doubled"},
		{"columns of two lengths", edit(func(m *format.Manifest) { m.Keyed.Files.Crc32C = m.Keyed.Files.Crc32C[1:] }), "columns of files"},
		{"object index", edit(func(m *format.Manifest) { m.Keyed.Files.Use[1] = 2 }), "object 2 of 2"},
		{"range beyond object", edit(func(m *format.Manifest) { m.Keyed.Files.Bytes[2] = 18 }), "do not lie in"},
		{"range overflows", edit(func(m *format.Manifest) { m.Keyed.Files.Offset[1] = math.MaxInt64 }), "do not lie in"},
		{"negative range", edit(func(m *format.Manifest) { m.Keyed.Files.Offset[1] = math.MaxUint64 }), "do not lie in"},
		{"no room for chunk sums", edit(func(m *format.Manifest) { m.Keyed.Files.Offset[3] = 7 }), "chunk sums"},
		{"sums of one chunk", edit(func(m *format.Manifest) { m.Keyed.Files.ChunksCrc32C[1] = 7 }), "one chunk"},
		{"handle too few files", edit(func(m *format.Manifest) { bare(m).Files = 3 }), "belong to no subtask"},
		{"handle too many files", edit(func(m *format.Manifest) { m.Keyed.Handles[0].Files = 5 }), "5 files of 4"},
		{"handle without subtask", edit(func(m *format.Manifest) { m.Subtasks[0].Keyed, m.Subtasks[0].InFlight = false, nil }), "belong to no subtask"},
		{"subtask without handle", edit(func(m *format.Manifest) { m.Subtasks[1].Keyed = true }), "missing"},
		{"table of no shard", edit(func(m *format.Manifest) { m.Keyed.Tables.Shard[0] = 3 }), "shard 3 of 3"},
		{"table of another instance's shard", edit(func(m *format.Manifest) { m.Keyed.Tables.Shard[0] = 1 }), "another column"},
		{"shard of no state", edit(func(m *format.Manifest) { m.Keyed.Handles[0].Shards[2].State = 2 }), "state 2 of 2"},
		{"shards with a gap", edit(func(m *format.Manifest) { m.Keyed.Handles[0].Shards[2].Groups.First = 65 }), "nothing holds key groups [64,65)"},
		{"shards that overlap", edit(func(m *format.Manifest) { m.Keyed.Handles[0].Shards[2].Groups.First = 63 }), "held twice"},
		{"shard beyond the handle", edit(func(m *format.Manifest) { m.Keyed.Handles[0].Shards[2].Groups.End = 129 }), "reach beyond"},
		{"shards of one column", edit(func(m *format.Manifest) {
			m.Keyed.Handles[0].Shards[2].Instance = 0
			m.Keyed.Files.Instance[3] = 0
			m.Keyed.Tables.Shard[0] = 1
			f := m.Keyed.Files
			f.Name[0], f.Name[3] = f.Name[3], f.Name[0]
		}), "doubled"},
		{"table of no file", edit(func(m *format.Manifest) { m.Keyed.Tables.File[0] = 4 }), "canonical"},
		{"keys turned round", edit(func(m *format.Manifest) {
			m.Keyed.Tables.SmallestKey[0], m.Keyed.Tables.LargestKey[0] = []byte{9, 9}, []byte{0, 0}
		}), "keys from"},
		{"table's groups", edit(func(m *format.Manifest) { m.Keyed.Tables.EndGroup[0] = 100 }), "key groups"},
		{"seqnos turned round", edit(func(m *format.Manifest) { m.Keyed.Tables.SmallestSeqno[0] = 100 }), "sequence numbers"},
		{"auxiliary file of no state", edit(func(m *format.Manifest) { m.Keyed.Handles[0].Auxiliary[0].State = "x" }), "lacks one of them"},
		{"states out of order", edit(func(m *format.Manifest) { m.Keyed.States[0].Name = "zebra" }), "out of order"},
		{"subtask index", edit(func(m *format.Manifest) { m.Subtasks[0].Index = math.MaxUint32 }), "not a valid subtask"},
		{"subtask of no operator", edit(func(m *format.Manifest) {
			m.Graph.Operators[0].Id = "on"
			m.Graph.Operators[1].Inputs[0].Operator = "on"
		}), "no such subtask"},
		{"subtask beyond", edit(func(m *format.Manifest) { m.Subtasks[1].Index = 1 }), "no such subtask"},
		{"subtask missing", edit(func(m *format.Manifest) { m.Graph.Operators[0].Parallelism = 2 }), `operator "in": 1 of its 2 subtasks`},
		{"operator missing", edit(func(m *format.Manifest) { m.Subtasks = m.Subtasks[:1] }), `operator "in": 1 of its 1 subtasks`},
		{"other checkpoint", edit(func(m *format.Manifest) { m.Keyed.Handles[0].Checkpoint = 40 }), "of checkpoint 40"},
		{"fired beyond the watermark", edit(func(m *format.Manifest) { m.Subtasks[0].Progress[0].FiredEventMs = 5001 }), "beyond the watermark"},
		{"progress doubled", edit(func(m *format.Manifest) { m.Subtasks[0].Progress[1].Groups.First = 63 }), "doubled"},
		{"split doubled", edit(func(m *format.Manifest) {
			m.Sources[0].Unassigned = append(m.Sources[0].Unassigned, m.Sources[0].Unassigned[0])
		}), "doubled"},
		{"records in flight nowhere", edit(func(m *format.Manifest) {
			f := m.Subtasks[0].InFlight[0]
			f.Kinds, f.TimesMs, f.Records = nil, nil, nil
		}), "inline or in an object"},
		{"records and times", edit(func(m *format.Manifest) { m.Subtasks[0].InFlight[0].TimesMs = nil }), "0 times"},
		{"piece beyond object", edit(func(m *format.Manifest) { m.Subtasks[0].InFlight[1].Piece.Bytes = 61 }), "in 61 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := incremental.DecodeManifest(c.b)
			if _, ok := errors.AsType[*incremental.CorruptManifestError](err); !ok {
				t.Fatalf("got %v, %v; want a CorruptManifestError", m, err)
			}
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "restore from another checkpoint") {
				t.Errorf("error does not say %q and what to do: %v", c.says, err)
			}
		})
	}
	_, err = incremental.DecodeManifest(wrap(3, []byte("whatever is in version 3"), 3))
	if !errors.Is(err, incremental.ErrNewerVersion) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("version 3: %v", err)
	}
}

// I10: no single changed byte goes unnoticed.
func TestDecodeNoticesEveryFlip(t *testing.T) {
	good := encode(t, sample())
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 1 << (i % 8)
		if _, err := incremental.DecodeManifest(b); err == nil {
			t.Errorf("flipped bit %d of byte %d unnoticed", i%8, i)
		}
	}
}

// I10: a changed body behind a right checksum is refused, or is the one
// encoding of another manifest.
func TestEveryBodyHasOneSpelling(t *testing.T) {
	plain := body(t, encode(t, sample()))
	for i := range plain {
		for _, bit := range []byte{1, 1 << (i % 8), 0x80} {
			b := bytes.Clone(plain)
			b[i] ^= bit
			m, err := incremental.DecodeManifest(wrap(2, b, uint64(len(b))))
			if err == nil && !bytes.Equal(body(t, encode(t, m)), b) {
				t.Fatalf("byte %d ^ %#x: accepted, and written in another way", i, bit)
			}
		}
		if m, err := incremental.DecodeManifest(wrap(2, plain[:i], uint64(i))); err == nil && !bytes.Equal(body(t, encode(t, m)), plain[:i]) {
			t.Fatalf("cut to %d bytes: accepted, and written in another way", i)
		}
	}
}

// What cannot be read back is not written.
func TestEncodeRefusesWhatDecodeWould(t *testing.T) {
	for name, spoil := range map[string]func(*incremental.Manifest){
		"file name": func(m *incremental.Manifest) { m.Subtasks[0].Keyed.Files[0].Name = "../x" },
		"object":    func(m *incremental.Manifest) { m.Subtasks[0].Keyed.Objects[0].Name = "x" },
		"unused":    func(m *incremental.Manifest) { m.Subtasks[0].Keyed.Files = m.Subtasks[0].Keyed.Files[:1] },
		"order":     func(m *incremental.Manifest) { m.Subtasks[0], m.Subtasks[1] = m.Subtasks[1], m.Subtasks[0] },
		"utf-8":     func(m *incremental.Manifest) { m.Subtasks[1].State[0].Codec = "\xff" },
		"epoch":     func(m *incremental.Manifest) { m.Epoch = 0 },
		"time":      func(m *incremental.Manifest) { m.Created = time.Time{} },
		"kind":      func(m *incremental.Manifest) { m.Kind = 77 },
		"no source": func(m *incremental.Manifest) { m.Subtasks = m.Subtasks[:1] },
		"gap":       func(m *incremental.Manifest) { m.Subtasks[0].Keyed.Range.End = 64 },
	} {
		m := sample()
		spoil(m)
		if _, err := incremental.EncodeManifest(m); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

func TestDecodeHandleRefuses(t *testing.T) {
	good, err := incremental.EncodeHandle(nil, sample().Subtasks[0].Keyed)
	if err != nil {
		t.Fatal(err)
	}
	m := &format.Keyed{}
	if err := format.Unmarshal(good[1:], m); err != nil {
		t.Fatal(err)
	}
	m.Handles = append(m.Handles, m.Handles[0])
	two, err := format.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"empty": nil, "no body": good[:1], "cut": good[:len(good)-1], "other version": append([]byte{1}, good[1:]...),
		"two handles": append([]byte{2}, two...), "bytes behind": append(bytes.Clone(good), 0), "too large": make([]byte, incremental.MaxHandleBytes+1),
	} {
		if h, err := incremental.DecodeHandle(b); !errors.Is(err, incremental.ErrHandle) {
			t.Errorf("%s: %v, %v", name, h, err)
		}
	}
	if b, err := (incremental.HandleCodec{}).EncodeHandle(nil); err == nil {
		t.Errorf("no handle is encoded as %x", b)
	}
}

func FuzzDecodeManifest(f *testing.F) {
	seeds, err := filepath.Glob("testdata/manifest*.golden")
	if err != nil || len(seeds) == 0 {
		f.Fatal("no golden manifests to start from", err)
	}
	for _, name := range seeds {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(body(f, b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		// As it is, and as a body with a right header: otherwise the checksum
		// keeps the fuzzer out of everything behind it.
		for _, b := range [][]byte{b, wrap(2, b, uint64(len(b)))} {
			m, err := incremental.DecodeManifest(b)
			if err != nil {
				continue
			}
			again, err := incremental.EncodeManifest(m)
			if err != nil {
				t.Fatalf("accepted, but cannot be written: %v", err)
			}
			if !bytes.Equal(body(t, again), body(t, b)) {
				t.Fatal("accepted, and written in another way")
			}
		}
	})
}

func FuzzDecodeHandle(f *testing.F) {
	b, err := os.ReadFile("testdata/handle_v2.golden")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := incremental.DecodeHandle(b)
		if err != nil {
			return
		}
		if again, err := incremental.EncodeHandle(nil, h); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted, and written as %x: %v", again, err)
		}
	})
}
