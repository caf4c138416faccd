package incremental_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
)

var update = flag.Bool("update", false, "write testdata/manifest_v1.golden anew")

const golden = "testdata/manifest_v1.golden"

func objectName(id checkpoint.ID, random uint64) string {
	return incremental.ObjectName{Epoch: 3, Checkpoint: id, Operator: "count", Attempt: 2, Random: fmt.Sprintf("%016x", random)}.String()
}

// sample is the manifest in the golden file.
func sample() *incremental.Manifest {
	old, new := objectName(40, 0xfeed), objectName(41, 0xbeef)
	objects := []incremental.Object{{Name: old, Size: 4096, CRC32C: 7}, {Name: new, Size: 333, CRC32C: 0xffffffff}}
	if old > new {
		objects[0], objects[1] = objects[1], objects[0]
	}
	at := time.Date(2026, 11, 21, 4, 0, 0, 123456789, time.UTC)
	return &incremental.Manifest{
		Job: "flights", Checkpoint: 41, Epoch: 3, Base: 40, Kind: checkpoint.Manual,
		Triggered: at, Created: at.Add(1500 * time.Millisecond), Writer: "tidemark 0.1 (RocksDB 7.8.3)",
		Graph: checkpoint.Graph{Job: "flights", MaxParallelism: 128, Operators: []checkpoint.GraphOperator{
			{ID: "in", Type: "source", Parallelism: 1},
			{ID: "count", Type: "process", Parallelism: 1, Key: "string", Inputs: []checkpoint.OperatorID{"in"}},
		}},
		Subtasks: []incremental.Subtask{
			{
				Operator: "count", Index: 0,
				Timings: checkpoint.Timings{Start: time.Millisecond, Align: 2, Sync: 3, Async: time.Second},
				Keyed: &incremental.Handle{
					Operator: "count", Range: keygroup.Range{Start: 0, End: 128}, Checkpoint: 41, Uploaded: 333,
					States: []state.Descriptor{
						{Name: "by-hour", Kind: state.KindMap, Key: "string", MapKey: "int64", Value: "json<T>"},
						{Name: "total", Kind: state.KindValue, Key: "string", Namespace: "window", Value: "int64"},
					},
					Objects: objects,
					Files: []incremental.File{
						{Name: "000012.sst", Immutable: true, Ref: incremental.FileRef{Object: old, Offset: 96, Length: 4000, CRC32C: 1}},
						{Name: "CURRENT", Ref: incremental.FileRef{Object: new, Offset: 0, Length: 16, CRC32C: 2}},
						{Name: "MANIFEST-000005", Ref: incremental.FileRef{Object: new, Offset: 16, Length: 317, CRC32C: 3}},
					},
				},
			},
			{
				Operator: "in", Index: 0,
				State: []checkpoint.OperatorState{
					{Name: "splits", Redistribution: checkpoint.Union, Codec: "split", Items: [][]byte{{0, 255, '<'}, {}}},
				},
			},
		},
		Stats: incremental.Stats{FullBytes: 4333, NewBytes: 333, NewObjects: 1, Files: 3, SharedFiles: 1},
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

// The golden file was written by the first version of the format. It must be
// readable for ever, and its body must be what is written today.
func TestGoldenManifest(t *testing.T) {
	if *update {
		if err := os.WriteFile(golden, encode(t, sample()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	m, err := incremental.DecodeManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), m, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("golden manifest (-want +got):\n%s", diff)
	}
	if got, want := body(t, encode(t, m)), body(t, b); !bytes.Equal(got, want) {
		t.Errorf("the same manifest is written differently:\n%s\nthan it was:\n%s", got, want)
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
	plain := string(body(t, good))
	edit := func(old, new string) []byte {
		t.Helper()
		edited := strings.Replace(plain, old, new, 1)
		if edited == plain {
			t.Fatalf("no %q in the body:\n%s", old, plain)
		}
		return wrap(1, []byte(edited), uint64(len(edited)))
	}
	object := objectName(41, 0xbeef)
	for _, c := range []struct {
		name string
		b    []byte
		says string
	}{
		{"empty", nil, "not a manifest"},
		{"other magic", append([]byte("PARQUET!"), good[8:]...), "not a manifest"},
		{"version 0", wrap(0, []byte(plain), uint64(len(plain))), "version 0"},
		{"truncated", good[:len(good)-1], "CRC32C"},
		{"bytes behind", append(bytes.Clone(good), 0), "CRC32C"},
		{"frame behind", wrap(1, []byte(plain), uint64(len(plain)-1)), "length"},
		{"absurd length", wrap(1, []byte(plain), 1<<40), "exceeds the bound"},
		{"not compressed", seal(append(bytes.Clone(good[:24]), plain...)), "decompress"},
		{"unknown field", edit(`{"job"`, `{"colour":1,"job"`), "unknown field"},
		{"doubled field", edit(`{"job":"flights"`, `{"job":"x","job":"flights"`), "canonical"},
		{"other case", edit(`"job"`, `"JOB"`), "canonical"},
		{"space", edit(`{"job"`, `{ "job"`), "canonical"},
		{"value behind", edit(`"subtasks":[`, `"subtasks":[],"subtasks":[`), "canonical"},
		{"trailing value", wrap(1, []byte(plain+"{}"), uint64(len(plain)+2)), "canonical"},
		{"null list", edit(`"inputs":[]`, `"inputs":null`), "canonical"},
		{"kind", edit(`"kind":"manual"`, `"kind":"sudden"`), "sudden"},
		{"no job", edit(`"job":"flights"`, `"job":""`), "job"},
		{"base after", edit(`"base":40`, `"base":41`), "base"},
		{"parallelism", edit(`"max_parallelism":128`, `"max_parallelism":1000000`), "max parallelism"},
		{"groups", edit(`"end_group":128`, `"end_group":129`), "key groups"},
		{"input", edit(`"inputs":["in"]`, `"inputs":["out"]`), "not in the graph"},
		{"object name", edit(object, "data/../../etc/passwd"), "not the name of a data object"},
		{"file name with slash", edit(`"CURRENT"`, `"../CURRENT"`), "not allowed"},
		{"file name hidden", edit(`"CURRENT"`, `".CURRENT"`), "not allowed"},
		{"file doubled", edit(`"CURRENT"`, `"MANIFEST-000005"`), "doubled"},
		{"object index", edit(`"object":1`, `"object":2`), "object 2 of 2"},
		{"range beyond object", edit(`"length":317`, `"length":318`), "do not lie in"},
		{"range overflows", edit(`"offset":16`, `"offset":9223372036854775807`), "do not lie in"},
		{"negative range", edit(`"offset":16`, `"offset":-16`), "do not lie in"},
		{"states out of order", edit(`"name":"by-hour"`, `"name":"zebra"`), "out of order"},
		{"subtask index", edit(`"index":0`, `"index":-1`), "not a valid subtask"},
		{"other checkpoint", edit(`"end_group":128,"checkpoint":41`, `"end_group":128,"checkpoint":40`), "of checkpoint 40"},
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
	_, err := incremental.DecodeManifest(wrap(2, []byte("whatever is in version 2"), 3))
	if !errors.Is(err, incremental.ErrNewerVersion) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("version 2: %v", err)
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

// What cannot be read back is not written.
func TestEncodeRefusesWhatDecodeWould(t *testing.T) {
	for name, spoil := range map[string]func(*incremental.Manifest){
		"file name": func(m *incremental.Manifest) { m.Subtasks[0].Keyed.Files[0].Name = "../x" },
		"object":    func(m *incremental.Manifest) { m.Subtasks[0].Keyed.Objects[0].Name = "x" },
		"unused":    func(m *incremental.Manifest) { m.Subtasks[0].Keyed.Files = m.Subtasks[0].Keyed.Files[:1] },
		"order":     func(m *incremental.Manifest) { m.Subtasks[0], m.Subtasks[1] = m.Subtasks[1], m.Subtasks[0] },
		"utf-8":     func(m *incremental.Manifest) { m.Subtasks[1].State[0].Codec = "\xff" },
		"epoch":     func(m *incremental.Manifest) { m.Epoch = 0 },
	} {
		m := sample()
		spoil(m)
		if _, err := incremental.EncodeManifest(m); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

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
	})
}

func drawManifest(t *rapid.T) *incremental.Manifest {
	m := sample()
	m.Checkpoint = checkpoint.ID(rapid.Uint64Range(1, 1<<62).Draw(t, "id"))
	m.Base = m.Checkpoint - 1
	m.Kind = rapid.SampledFrom([]checkpoint.Kind{checkpoint.Periodic, checkpoint.Manual, checkpoint.Final}).Draw(t, "kind")
	m.Job = rapid.StringN(1, 20, 60).Draw(t, "job")
	m.Triggered = time.Unix(rapid.Int64Range(0, 1<<35).Draw(t, "triggered"), 5).UTC()
	m.Subtasks = nil
	for i := range rapid.IntRange(0, 4).Draw(t, "subtasks") {
		h := &incremental.Handle{
			Operator: "count", Index: i, Range: keygroup.Range{Start: i, End: i + 1}, Checkpoint: m.Checkpoint,
			Uploaded: rapid.Int64Range(0, 1<<40).Draw(t, "uploaded"),
		}
		for f := range rapid.IntRange(0, 5).Draw(t, "files") {
			size := rapid.Int64Range(0, 1<<40).Draw(t, "size")
			o := incremental.Object{Name: objectName(checkpoint.ID(f+1), uint64(i)), Size: size, CRC32C: rapid.Uint32().Draw(t, "crc")}
			at := rapid.Int64Range(0, size).Draw(t, "offset")
			h.Objects = append(h.Objects, o)
			h.Files = append(h.Files, incremental.File{
				Name: fmt.Sprintf("%06d.sst", f), Immutable: rapid.Bool().Draw(t, "immutable"),
				Ref: incremental.FileRef{Object: o.Name, Offset: at, Length: size - at, CRC32C: rapid.Uint32().Draw(t, "crc")},
			})
		}
		incremental.SortHandle(h)
		s := incremental.Subtask{Operator: "count", Index: i, Keyed: h}
		if rapid.Bool().Draw(t, "no keyed state") {
			s.Keyed = nil
		}
		s.State = []checkpoint.OperatorState{{Name: "pending", Items: rapid.SliceOf(rapid.SliceOf(rapid.Byte())).Draw(t, "items")}}
		m.Subtasks = append(m.Subtasks, s)
	}
	return m
}

func FuzzDecodeManifest(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.golden")
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
		for _, b := range [][]byte{b, wrap(1, b, uint64(len(b)))} {
			m, err := incremental.DecodeManifest(b)
			if err != nil {
				continue
			}
			if _, err := incremental.EncodeManifest(m); err != nil {
				t.Fatalf("accepted, but cannot be written: %v", err)
			}
		}
	})
}
