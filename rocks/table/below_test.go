package table_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tidemark/tidemark/rocks/table"
)

var errInjected = errors.New("injected")

// sortedMap is a table.Below in memory whose reads and writes may fail.
type sortedMap struct {
	failReads atomic.Bool
	failWrite atomic.Int32 // of the next one: 0 does not fail
	scans     atomic.Int64

	mu      sync.Mutex
	entries map[string]string
	reads   int
}

// Faults of a write.
const (
	beforeEntries = 1 + iota
	amidEntries
	atPublish
	panicking
	faults = iota
)

func newSortedMap() *sortedMap { return &sortedMap{entries: map[string]string{}} }

func (m *sortedMap) contents() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.entries)
}

func (m *sortedMap) get(key []byte) (string, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if m.failReads.Load() {
		return "", false, errInjected
	}
	v, ok := m.entries[string(key)]
	return v, ok, nil
}

func (m *sortedMap) Get(dst, key []byte) ([]byte, bool, error) {
	v, ok, err := m.get(key)
	return append(dst, v...), ok, err
}

func (m *sortedMap) Reader() table.Reader { return m }

func (m *sortedMap) Read(n int, key func(i int) []byte, found func(i int, stored []byte) error) error {
	for i := range n {
		if i > 0 && bytes.Compare(key(i-1), key(i)) >= 0 {
			panic("keys do not ascend")
		}
		v, ok, err := m.get(key(i))
		if err != nil {
			return err
		}
		var stored []byte
		if ok {
			stored = append([]byte{}, v...)
		}
		if err := found(i, stored); err != nil {
			return err
		}
	}
	return nil
}

func (m *sortedMap) Scan(start, end []byte, _ bool) table.Iterator {
	m.scans.Add(1)
	if m.failReads.Load() {
		return table.Failed(errInjected)
	}
	it := &mapIterator{entries: m.contents(), at: -1}
	for k := range it.entries {
		if k >= string(start) && (end == nil || k < string(end)) {
			it.keys = append(it.keys, k)
		}
	}
	slices.Sort(it.keys)
	return it
}

func (m *sortedMap) Write(e *table.Entries) error {
	if e.Len() == 0 {
		return nil // nothing to publish
	}
	fault := m.failWrite.Swap(0)
	if fault == beforeEntries {
		return errInjected
	}
	changes := map[string]*string{}
	last := ""
	err := e.Each(func(key, stored []byte, deleted bool) error {
		if len(changes) > 0 && string(key) <= last {
			panic("entries do not ascend")
		}
		last = string(key)
		if fault == amidEntries && len(changes) > 2 {
			return errInjected
		}
		changes[last] = nil
		if !deleted {
			v := string(stored)
			changes[last] = &v
		}
		return nil
	})
	if err != nil {
		return err
	}
	return e.Publish(func() error {
		switch fault {
		case atPublish:
			return errInjected
		case panicking:
			panic(errInjected)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		for k, v := range changes {
			if v == nil {
				delete(m.entries, k)
			} else {
				m.entries[k] = *v
			}
		}
		return nil
	})
}

type mapIterator struct {
	entries map[string]string
	keys    []string
	at      int
}

func (it *mapIterator) Next() bool {
	it.at = min(it.at+1, len(it.keys))
	return it.at < len(it.keys)
}
func (it *mapIterator) Seek(key []byte) bool {
	if it.at >= 0 && it.at < len(it.keys) && it.keys[it.at] >= string(key) {
		panic("a seek backwards")
	}
	for it.Next() && it.keys[it.at] < string(key) {
	}
	return it.at < len(it.keys)
}
func (it *mapIterator) Key() []byte   { return []byte(it.keys[it.at]) }
func (it *mapIterator) Value() []byte { return []byte(it.entries[it.keys[it.at]]) }
func (it *mapIterator) Err() error    { return nil }
func (it *mapIterator) Close() error  { it.keys = nil; return nil }
