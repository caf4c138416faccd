package incremental_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/incremental/format"
	"github.com/tidemark/tidemark/upload/memstore"
)

// What the format has a place for and this program cannot restore is refused by
// name, each by itself: left out, it would be lost (I3).
func TestWhatCannotBeRestoredIsRefused(t *testing.T) {
	type reason struct {
		says   string
		remove func(*incremental.Manifest)
	}
	refused := func(t *testing.T, reasons []reason, restore func(*incremental.Manifest) error) {
		for i, r := range reasons {
			m := sample()
			for j, other := range reasons {
				if j != i {
					other.remove(m)
				}
			}
			if err := restore(m); !errors.Is(err, incremental.ErrCannotRestore) || !strings.Contains(err.Error(), r.says) {
				t.Errorf("%v; want it to be refused for %q", err, r.says)
			}
			r.remove(m)
			if err := restore(m); errors.Is(err, incremental.ErrCannotRestore) {
				t.Errorf("refused without %q: %v", r.says, err)
			}
		}
	}

	others := []reason{
		{"an enumerator of source", func(m *incremental.Manifest) { m.Sources = nil }},
		{"splits", func(m *incremental.Manifest) {
			for i := range m.Subtasks {
				m.Subtasks[i].Splits = nil
			}
		}},
		{"watermarks", func(m *incremental.Manifest) { m.Subtasks[0].Progress = nil }},
		{"records in flight", func(m *incremental.Manifest) { m.Subtasks[0].InFlight = nil }},
	}
	keyed := []reason{
		{"written by rocksdb 7.8.3", func(m *incremental.Manifest) { m.Subtasks[0].Keyed.Backend.Version = "7.7.9" }},
		{"holds panes", func(m *incremental.Manifest) { m.Subtasks[0].Keyed.States[1].Kind = state.KindValue }},
		{"belongs to job", func(m *incremental.Manifest) {
			for i := range m.Subtasks[0].Keyed.Objects {
				m.Subtasks[0].Keyed.Objects[i].Place = incremental.Place{}
			}
		}},
		{"several shards", func(m *incremental.Manifest) {
			h := m.Subtasks[0].Keyed
			h.Shards = h.Shards[:2]
			h.Shards[1].Groups = h.Range
		}},
		{"a database of its own", func(m *incremental.Manifest) {
			h := m.Subtasks[0].Keyed
			for i := range h.Files {
				h.Files[i].Instance = 0
			}
			slices.SortFunc(h.Files, func(a, b incremental.File) int { return strings.Compare(a.Name, b.Name) })
		}},
		{"has a file for index", func(m *incremental.Manifest) { m.Subtasks[0].Keyed.Auxiliary = nil }},
	}
	local := incremental.BackendInfo{Name: "rocksdb", Version: "7.7.3", Format: 5}
	refused(t, slices.Concat(others, keyed), func(m *incremental.Manifest) error { return m.CheckRestorable(local) })

	f, err := incremental.NewFactory(incremental.Options{Dir: t.TempDir(), Store: memstore.New(), OpenBase: openNumbered, Backend: local})
	check(t, err)
	defer func() { check(t, f.Close()) }()
	refused(t, keyed, func(m *incremental.Manifest) error {
		h := m.Subtasks[0].Keyed
		for i := range h.Files {
			h.Files[i].Table = nil
		}
		_, err := f.Open(t.Context(), state.OpenRequest{
			Operator: h.Operator, Index: h.Index, KeyGroups: h.Range, Restored: h.Checkpoint, Handles: []checkpoint.StateHandle{h},
		})
		return err
	})
}

// A local store reads what older releases of it wrote, and refuses what newer ones or
// another store wrote.
func TestStateOfANewerLocalStoreIsRefused(t *testing.T) {
	rocks := func(version string, format int) incremental.BackendInfo {
		return incremental.BackendInfo{Name: "rocksdb", Version: version, Format: format}
	}
	for _, c := range []struct {
		wrote, reads incremental.BackendInfo
		says         string // empty: it can be read
	}{
		{rocks("7.8.3", 5), rocks("7.8.3", 5), ""},
		{rocks("7.8.4", 5), rocks("7.8.3", 5), ""}, // of one release
		{rocks("7.8.3", 5), rocks("9.10.0", 5), ""},
		{rocks("9.10.0", 5), rocks("10.4.2", 6), ""},
		{rocks("9.9.3", 5), rocks("9.10.0", 5), ""},
		{incremental.BackendInfo{}, rocks("9.10.0", 5), ""},
		{rocks("99.0.0", 9), incremental.BackendInfo{}, ""},
		{rocks("9.10.0", 5), rocks("7.8.3", 5), "written by rocksdb 9.10.0 (table format 5), and this program has 7.8.3 (5)"},
		{rocks("9.10.0", 5), rocks("9.9.3", 5), "build it with rocksdb 9.10 or newer"},
		{rocks("10.0.1", 5), rocks("9.11.2", 5), "10.0 or newer"},
		{rocks("7.8.3", 6), rocks("7.8.3", 5), "table format 6"},
		{rocks("", 5), rocks("7.8.3", 5), `written by rocksdb ""`},
		{rocks("7.8.3", 5), rocks("newest", 5), `this program has "newest"`},
		{incremental.BackendInfo{Name: "pebble", Version: "1.1"}, rocks("7.8.3", 5), "written by pebble, and this program keeps state in rocksdb"},
	} {
		m := &incremental.Manifest{Subtasks: []incremental.Subtask{{Operator: "count", Keyed: &incremental.Handle{Backend: c.wrote}}}}
		switch err := m.CheckRestorable(c.reads); {
		case c.says == "" && err != nil:
			t.Errorf("%+v does not read what %+v wrote: %v", c.reads, c.wrote, err)
		case c.says != "" && (!errors.Is(err, incremental.ErrCannotRestore) || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%+v reads what %+v wrote: %v, want %q", c.reads, c.wrote, err, c.says)
		}
	}
}

// One handle has one encoding: what follows from the rest of an object's name is
// left out, and nothing else is accepted.
func TestObjectNamesHaveOneSpelling(t *testing.T) {
	name := incremental.NewObjectName(1, 2, "op", 0, 1).String()
	b, err := incremental.EncodeHandle(nil, &incremental.Handle{
		Operator: "op", Range: keygroup.Range{Start: 0, End: 8}, Checkpoint: 2,
		Objects: []incremental.Object{{Name: name, Size: 10, Adopted: 10}},
		Files:   []incremental.File{{Name: "a.sst", Immutable: true, Ref: incremental.FileRef{Object: name, Length: 10}}},
	})
	check(t, err)
	body := &format.Keyed{}
	check(t, format.Unmarshal(b[1:], body))
	body.Objects.Stems[0] = name[:len(name)-16]
	longer, err := format.Marshal(body)
	check(t, err)
	if _, err := incremental.DecodeHandle(append([]byte{b[0]}, longer...)); err == nil {
		t.Error("a handle with another spelling of an object's name was accepted")
	}
}

// I2: what is no object's or manifest's name is never taken for one: its owner would
// be a checkpoint of an epoch that is over, and a sweep would delete it.
func TestStrangersHaveNoOwner(t *testing.T) {
	object := func(base string) string { // below the right one of all 256 prefixes
		for i := range 256 {
			if name := fmt.Sprintf("data/%02x/%s", i, base); parsesObject(name) {
				return name
			}
		}
		return ""
	}
	if object("1-2-op.0-1-0123456789abcdef") == "" {
		t.Error("an object's name is not parsed")
	}
	for _, base := range []string{
		"", "-", ".", "notes.txt", "1-2-op-0-1-0123456789abcdef", "1-2-op.0-1-0123456789abcde", "1-2-op.0-1-0123456789abcdeg",
		"1-2-op.0-1-0123456789ABCDEF", "1-2-op.0-1-0123456789abcdef0", "1-2-op.0-1", "1-2-op.0", "1-2", "01-2-op.0-1-0123456789abcdef",
		"+1-2-op.0-1-0123456789abcdef", "1-x-op.0-1-0123456789abcdef", "1--op.0-1-0123456789abcdef", "1-2-Op.0-1-0123456789abcdef", "1-2-.0-1-0123456789abcdef",
		"1-2-op.65536-1-0123456789abcdef", "1-2-op.0-4294967296-0123456789abcdef", "9223372036854775808-2-op.0-1-0123456789abcdef",
	} {
		if name := object(base); name != "" {
			t.Errorf("%s is taken for an object", name)
		}
	}
	if id, e, ok := incremental.ParseManifestName(incremental.ManifestName(3, 4)); id != 3 || e != 4 || !ok {
		t.Errorf("a manifest's name is parsed as %d of epoch %d, %v", id, e, ok)
	}
	for _, name := range []string{
		"", "manifests/", "manifests/1", "manifests/1-", "manifests/-1", "manifests/01-1", "manifests/1-01", "manifests/1-1-1", "manifests/1-1.json", "manifests/+1-1", "manifest/1-1", "1-1",
		"manifests/9223372036854775808-1", "manifests/1-9223372036854775808",
	} {
		if id, e, ok := incremental.ParseManifestName(name); ok {
			t.Errorf("%q is taken for the manifest of %d of epoch %d", name, id, e)
		}
	}
}

func parsesObject(name string) bool { _, ok := incremental.ParseObjectName(name); return ok }

// A number that its field cannot hold is refused: it would be cut.
func TestNumbersFitTheirFields(t *testing.T) {
	for _, v := range []uint64{1, math.MaxUint32, math.MaxUint32 + 1, math.MaxUint32 + 6, math.MaxUint64} {
		b := protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), v) // Handle.index
		body := &format.Handle{}
		if err := format.Unmarshal(b, body); (err == nil) != (v <= math.MaxUint32) || err == nil && uint64(body.Index) != v {
			t.Errorf("%d is read as %d, %v", v, body.Index, err)
		}
	}
}
