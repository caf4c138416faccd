package statetest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// Harness says what is tested.
type Harness struct {
	// Factory returns a new factory, which shares nothing with others. The same
	// factory opens the handles of its backends again.
	Factory func(t *testing.T) state.Factory
	// Reload stores a handle as a manifest would, and reads it again. Nil: handles
	// are used as they are.
	Reload func(t *testing.T, h checkpoint.StateHandle) checkpoint.StateHandle
	// Leaks fails the test if the backends did not free what they held. It is
	// called at the end of each test, when all are closed. Nil: not checked.
	Leaks func(t *testing.T)
	// Clock is the clock by which values expire, for a backend that needs to know
	// it. Nil: each test has its own.
	Clock *Clock
	// NoRescale leaves out the tests that open handles for other key groups.
	NoRescale bool
	// Compact makes all open backends compact their files, as they may do by
	// themselves at any time. Nil: they have nothing to compact.
	Compact func()
	// Break makes one of the next snapshots fail to persist, and perhaps those
	// taken until it has ended; n ≥ 0 chooses how. Nil: no snapshot fails in the
	// random test.
	Break func(n int)
	// Sequences is how many sequences the random test runs. Zero: one.
	Sequences int
}

// Run runs all tests on the harness's backend.
func Run(t *testing.T, h Harness) {
	for _, c := range []struct {
		name    string
		test    func(*testing.T, Harness)
		rescale bool
	}{
		{"Column", testColumn, false},
		{"ColumnScan", testColumnScan, false},
		{"ColumnScanIsolation", testColumnScanIsolation, false},
		{"ColumnManyKeys", testColumnManyKeys, false},
		{"Value", testValue, false},
		{"List", testList, false},
		{"Map", testMap, false},
		{"Reducing", testReducing, false},
		{"Aggregating", testAggregating, false},
		{"AddsMeetWhatIsBelow", testAddsMeetWhatIsBelow, false},
		{"AddsOverWhatExpires", testAddsOverWhatExpires, false},
		{"KeysAndNamespacesStayApart", testApart, false},
		{"EmptyValues", testEmptyValues, false},
		{"EachKey", testEachKey, false},
		{"Types", testTypes, false},
		{"ExpiryAfterWrites", testExpiryAfterWrites, false},
		{"ExpiryAfterReads", testExpiryAfterReads, false},
		{"ScanSparesWhatIsNewer", testScanSparesWhatIsNewer, false},
		{"ExpiryStaysWithTheValue", testExpiryStaysWithTheValue, false},
		{"ExpiryOfLists", testExpiryOfLists, false},
		{"ExpiryIsFinal", testExpiryIsFinal, false},
		{"EmptyState", testEmpty, false},
		{"SnapshotIsExact", testSnapshotExact, false},
		{"PersistBesideWrites", testPersistBesideWrites, false},
		{"RestoreAnySnapshot", testRestoreAny, false},
		{"UndeclaredIsRefused", testUndeclared, false},
		{"DroppedIsGone", testDropped, false},
		{"Evolution", testEvolution, false},
		{"IncompatibleIsRefused", testIncompatible, false},
		{"Notices", testNotices, false},
		{"FailedSnapshots", testFailedSnapshots, false},
		{"Rescale", testRescale, true},
		{"Random", Random, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.rescale && h.NoRescale {
				t.Skip("the backend does not open handles for other key groups")
			}
			c.test(t, h)
			if h.Leaks != nil && !t.Failed() {
				h.Leaks(t)
			}
		})
	}
}

// groups is the max parallelism of every test.
const groups = 128

// op is an operator whose subtasks come and go. Each test has its own.
type op struct {
	t        *testing.T
	h        Harness
	factory  state.Factory
	clock    *Clock
	attempt  checkpoint.Attempt
	lastID   checkpoint.ID
	base     checkpoint.ID // newest committed
	subtasks []*subtask
	drop     []string // of what subtasks are opened from
}

func newOp(t *testing.T, h Harness) *op {
	o := &op{t: t, h: h, factory: h.Factory(t), clock: h.Clock}
	if o.clock == nil {
		o.clock = &Clock{}
	}
	return o
}

// stored is a checkpoint of an op.
type stored struct {
	id      checkpoint.ID
	handles []checkpoint.StateHandle
}

// start opens all subtasks, from a checkpoint if from is not nil.
func (o *op) start(parallelism int, from *stored) []*subtask {
	o.t.Helper()
	subtasks, err := o.tryStart(parallelism, from)
	if err != nil {
		o.t.Fatalf("open: %v", err)
	}
	return subtasks
}

func (o *op) tryStart(parallelism int, from *stored) ([]*subtask, error) {
	o.attempt++
	o.base = 0
	o.subtasks = nil
	for i := range parallelism {
		r := state.OpenRequest{Operator: "op", Index: i, Attempt: o.attempt, KeyGroups: keygroup.Assign(groups, parallelism, i), Drop: o.drop}
		if from != nil {
			r.Restored = from.id
			o.base = from.id
			for _, h := range from.handles {
				if h.KeyGroups().Intersect(r.KeyGroups).Len() > 0 {
					r.Handles = append(r.Handles, h)
				}
			}
		}
		b, err := o.factory.Open(o.t.Context(), r)
		if err != nil {
			o.stop()
			return nil, err
		}
		s := &subtask{t: o.t, groups: r.KeyGroups, backend: b, registry: state.NewRegistry(b, keys.Signature(), nil)}
		s.registry.SetClock(o.clock.Now)
		s.registry.Drop(o.drop)
		o.subtasks = append(o.subtasks, s)
	}
	return o.subtasks, nil
}

// one opens a single subtask.
func (o *op) one(from *stored) *subtask {
	o.t.Helper()
	return o.start(1, from)[0]
}

// stop closes all subtasks.
func (o *op) stop() {
	o.t.Helper()
	for _, s := range o.subtasks {
		if err := s.registry.Close(); err != nil {
			o.t.Errorf("close: %v", err)
		}
	}
	o.subtasks = nil
}

// barrier returns the next checkpoint's barrier.
func (o *op) barrier() checkpoint.Barrier {
	o.lastID++
	return checkpoint.Barrier{ID: o.lastID, Epoch: 1, Base: o.base}
}

// snapshot freezes the state of all subtasks.
func (o *op) snapshot() (checkpoint.Barrier, []state.Pending) {
	o.t.Helper()
	b := o.barrier()
	var pending []state.Pending
	for _, s := range o.subtasks {
		p, err := s.registry.Snapshot(o.t.Context(), b)
		if err != nil {
			o.t.Fatalf("snapshot %v: %v", b.ID, err)
		}
		pending = append(pending, p)
	}
	return b, pending
}

// persist persists what snapshot froze.
func (o *op) persist(b checkpoint.Barrier, pending []state.Pending) (*stored, error) {
	c := &stored{id: b.ID}
	for _, p := range pending {
		h, err := p.Persist(o.t.Context())
		if err != nil {
			return nil, fmt.Errorf("persist %v: %w", b.ID, err)
		}
		if o.h.Reload != nil {
			h = o.h.Reload(o.t, h)
		}
		c.handles = append(c.handles, h)
	}
	return c, nil
}

// commit tells all subtasks that c is committed.
func (o *op) commit(c *stored) {
	for _, s := range o.subtasks {
		s.registry.Committed(c.id)
	}
	o.base = max(o.base, c.id)
}

// checkpoint takes a checkpoint and commits it.
func (o *op) checkpoint() *stored {
	o.t.Helper()
	c, err := o.persist(o.snapshot())
	if err != nil {
		o.t.Fatal(err)
	}
	o.commit(c)
	return c
}

// subtask is a running subtask. It is the OpenContext of its states.
type subtask struct {
	t        *testing.T
	groups   keygroup.Range
	backend  state.Backend
	registry *state.Registry
}

// Registry implements state.OpenContext.
func (s *subtask) Registry() *state.Registry { return s.registry }

// opened fails the test if a state could not be opened.
func (s *subtask) opened() {
	s.t.Helper()
	if err := s.registry.Err(); err != nil {
		s.t.Fatal(err)
	}
}

// keys are strings in all tests.
var keys = must(state.KeyCodecOf[string]())

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// at is the state.Context of one key and namespace.
type at struct{ cur state.Current }

// Current implements state.Context.
func (a *at) Current() *state.Current { return &a.cur }

func key(k string) *at { return keyIn(k, "") }

func keyIn(k, namespace string) *at {
	h := keys.Hash(k)
	return &at{state.Current{Hash: h, Group: keygroup.Of(h, groups), Key: keys.Append(nil, k), Namespace: []byte(namespace)}}
}

// owner returns the subtask that owns a key.
func (o *op) owner(a *at) *subtask {
	return o.subtasks[keygroup.Owner(groups, len(o.subtasks), a.cur.Group)]
}

// visited returns the keys that EachKey visits in all subtasks, sorted.
func (o *op) visited() []string { return o.visit(func(string) {}) }

// visit calls f with each of the keys while it is visited.
func (o *op) visit(f func(k string)) []string {
	o.t.Helper()
	var all []string
	for _, s := range o.subtasks {
		err := s.registry.EachKey(o.t.Context(), func(c *state.Current) error {
			k, rest, err := keys.Decode(c.Key)
			if err != nil || len(rest) > 0 || len(c.Namespace) > 0 {
				return fmt.Errorf("key %x in namespace %x: %q, %x follows: %w", c.Key, c.Namespace, k, rest, err)
			}
			if want := key(k).cur; want.Hash != c.Hash || want.Group != c.Group {
				return fmt.Errorf("key %q has hash %x and group %d, want %x and %d", k, c.Hash, c.Group, want.Hash, want.Group)
			}
			if !s.groups.Contains(c.Group) {
				return fmt.Errorf("key %q of group %d is in %v", k, c.Group, s.groups)
			}
			all = append(all, k)
			f(k)
			return nil
		})
		if err != nil {
			o.t.Fatalf("each key: %v", err)
		}
	}
	slices.Sort(all)
	return all
}

// contents returns all entries of a column.
func contents(t *testing.T, c state.Column, start, end []byte) map[string]string {
	t.Helper()
	m := map[string]string{}
	last := ""
	it := c.Scan(start, end)
	for it.Next() {
		k := string(it.Key())
		if len(m) > 0 && k <= last {
			t.Fatalf("scan gives %x after %x", k, last)
		}
		last = k
		m[k] = string(it.Value())
	}
	if err := it.Err(); err != nil {
		t.Fatalf("scan: %v", err)
	}
	if it.Next() {
		t.Fatal("the iterator moves on after its end")
	}
	if err := it.Close(); err != nil {
		t.Fatalf("close iterator: %v", err)
	}
	return m
}

func same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Fatalf("%s: got %s, want %s", what, brief(got), brief(want))
	}
}

// brief renders a map of bytes for a message.
func brief(m map[string]string) string {
	if len(m) > 20 {
		return strconv.Itoa(len(m)) + " entries"
	}
	return fmt.Sprintf("%x", m)
}
