package statetest

import (
	"maps"
	"math"
	"slices"
)

// never is the expiry of what does not expire.
const never = math.MaxInt64

// ttl is the option of that name, in milliseconds; zero: without.
type ttl struct {
	millis int64
	onRead bool
}

// expiry is that of what is written now.
func (l ttl) expiry(now int64) int64 {
	if l.millis == 0 {
		return never
	}
	return now + l.millis
}

// mortal is what is stored in one place, and when it expires, in Unix
// milliseconds.
type mortal[V any] struct {
	value  V
	expiry int64
}

// read returns m as it is when it has been read.
func (m mortal[V]) read(now int64, l ttl) mortal[V] {
	if next := now + l.millis; l.onRead && m.expiry != never && next-m.expiry > l.millis/16 {
		m.expiry = next
	}
	return m
}

// shelf is a state of the model: mortals by name.
type shelf[V any] map[string]mortal[V]

func (s shelf[V]) set(id string, v V, now int64, l ttl) { s[id] = mortal[V]{v, l.expiry(now)} }

// has reports whether there is anything, without reading it.
func (s shelf[V]) has(id string, now int64) bool {
	m, there := s[id]
	return there && m.expiry > now
}

func (s shelf[V]) get(id string, now int64, l ttl) (v V, there bool) {
	if !s.has(id, now) {
		return v, false
	}
	s[id] = s[id].read(now, l)
	return s[id].value, true
}

// all returns the names of all that there is, in order.
func (s shelf[V]) all(now int64) []string {
	var ids []string
	for id := range s {
		if s.has(id, now) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// model is what the states must hold, by "key|namespace".
type model struct {
	value  shelf[stats]
	number shelf[int64]
	sum    shelf[int64]
	joined shelf[string]
	mean   shelf[[2]int64]
	list   map[string][]mortal[int64]
	table  map[string]shelf[int64]
}

func newModel() *model {
	return &model{shelf[stats]{}, shelf[int64]{}, shelf[int64]{}, shelf[string]{}, shelf[[2]int64]{}, map[string][]mortal[int64]{}, map[string]shelf[int64]{}}
}

func (m *model) clone() *model {
	c := &model{maps.Clone(m.value), maps.Clone(m.number), maps.Clone(m.sum), maps.Clone(m.joined), maps.Clone(m.mean), map[string][]mortal[int64]{}, map[string]shelf[int64]{}}
	for id, items := range m.list {
		c.list[id] = slices.Clone(items)
	}
	for id, table := range m.table {
		c.table[id] = maps.Clone(table)
	}
	return c
}

// items returns the list of id, and reads the first n of it; -1: all.
func (m *model) items(id string, n int, now int64, l ttl) []int64 {
	var values []int64
	for i, item := range m.list[id] {
		if item.expiry > now && len(values) != n {
			m.list[id][i] = item.read(now, l)
			values = append(values, item.value)
		}
	}
	return values
}

func (m *model) length(id string, now int64) int { return len(m.items(id, -1, now, ttl{})) }

// tableOf returns the map of id, to be changed.
func (m *model) tableOf(id string) shelf[int64] {
	if m.table[id] == nil {
		m.table[id] = shelf[int64]{}
	}
	return m.table[id]
}

// holds reports whether any state has anything for id.
func (m *model) holds(id string, now int64) bool {
	return m.value.has(id, now) || m.number.has(id, now) || m.sum.has(id, now) || m.joined.has(id, now) || m.mean.has(id, now) ||
		m.length(id, now) > 0 || len(m.table[id].all(now)) > 0
}
