package memstate_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/engine/state/memstate"
	"github.com/tidemark/tidemark/engine/state/statetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBackend(t *testing.T) {
	statetest.Run(t, statetest.Harness{
		Factory:   func(*testing.T) state.Factory { return memstate.Factory{} },
		Sequences: 8500,
	})
}

// I9: a write to a key group of another subtask would be lost at a restore.
func TestPutOutsideTheKeyGroupsIsRefused(t *testing.T) {
	b := open(t, keygroup.Range{Start: 10, End: 20})
	defer b.Close()
	c, err := b.Column(descriptor)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"\x00\x09k", "\x00\x14k", "\x00", ""} {
		if err := c.Put([]byte(key), nil); err == nil {
			t.Errorf("put %x: no error", key)
		}
	}
	if err := c.Put([]byte("\x00\x0ak"), nil); err != nil {
		t.Error(err)
	}
}

func TestUseAfterClose(t *testing.T) {
	b := open(t, keygroup.Range{Start: 0, End: 128})
	c, err := b.Column(descriptor)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	_, _, getErr := c.Get(nil, []byte("\x00\x00k"))
	it := c.Scan(nil, nil)
	_, columnErr := b.Column(descriptor)
	_, snapshotErr := b.Snapshot(t.Context(), checkpoint.Barrier{})
	for what, err := range map[string]error{
		"get": getErr, "put": c.Put([]byte("\x00\x00k"), nil), "delete": c.Delete(nil),
		"scan": it.Err(), "column": columnErr, "snapshot": snapshotErr,
	} {
		if err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("%s after close: %v", what, err)
		}
	}
}

type foreign struct{ checkpoint.StateHandle }

func TestForeignHandleIsRefused(t *testing.T) {
	_, err := memstate.Factory{}.Open(t.Context(), state.OpenRequest{Operator: "op", Handles: []checkpoint.StateHandle{foreign{}}})
	if !errors.Is(err, state.ErrIncompatible) || !strings.Contains(err.Error(), `"op"`) {
		t.Fatalf("got %v", err)
	}
}

func TestPersistHappensOnce(t *testing.T) {
	b := open(t, keygroup.Range{Start: 0, End: 128})
	defer b.Close()
	p, err := b.Snapshot(t.Context(), checkpoint.Barrier{ID: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Persist(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Persist(context.Background()); err == nil {
		t.Fatal("persisted twice")
	}
}

var descriptor = state.Descriptor{Name: "s", Kind: state.KindValue, Key: "string", Value: "string"}

func open(t *testing.T, groups keygroup.Range) state.Backend {
	t.Helper()
	b, err := memstate.Factory{}.Open(t.Context(), state.OpenRequest{Operator: "op", KeyGroups: groups})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
