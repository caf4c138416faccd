package incremental_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

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
