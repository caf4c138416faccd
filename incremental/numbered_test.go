package incremental_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
)

// numbered is a Base as small as it can be: each Freeze writes what changed
// since the last one to a numbered file, and merges files when there are many.
// Opened anew it takes the lowest free number, so that a number lost with a
// failed attempt comes back with other content, and a file of the same size.
type numbered struct {
	dir     string
	columns map[string]map[string]string
	dirty   map[string]map[string]*string // nil: deleted
	files   []int                         // alive, oldest first
	next    int
	closed  bool
}

const mergeAt = 5 // files

func openNumbered(dir string, _ []state.Descriptor) (incremental.Base, error) {
	n := &numbered{dir: dir, columns: map[string]map[string]string{}, dirty: map[string]map[string]*string{}, next: 1}
	b, err := os.ReadFile(filepath.Join(dir, "LIST"))
	if errors.Is(err, os.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &n.files); err != nil {
		return nil, err
	}
	for _, number := range n.files {
		b, err := os.ReadFile(filepath.Join(dir, fileName(number)))
		if err != nil {
			return nil, err
		}
		var changes map[string]map[string]*string
		if err := json.Unmarshal(bytes.TrimRight(b, "\x00"), &changes); err != nil {
			return nil, err
		}
		for name, entries := range changes {
			for k, v := range entries {
				n.apply(name, k, v)
			}
		}
	}
	for slices.Contains(n.files, n.next) {
		n.next++
	}
	return n, nil
}

func fileName(number int) string { return fmt.Sprintf("%06d.sst", number) }

func (n *numbered) apply(column, k string, v *string) {
	if n.columns[column] == nil {
		n.columns[column] = map[string]string{}
	}
	if v == nil {
		delete(n.columns[column], k)
	} else {
		n.columns[column][k] = *v
	}
}

func (n *numbered) Column(d state.Descriptor) (state.Column, error) {
	return &numberedColumn{n, d.Name}, nil
}

func (n *numbered) Drop(name string) error {
	for k := range n.columns[name] {
		if err := (&numberedColumn{n, name}).Delete([]byte(k)); err != nil {
			return err
		}
	}
	return nil
}

func (n *numbered) Immutable(name string) bool { return strings.HasSuffix(name, ".sst") }

func (n *numbered) Close() error {
	if n.closed {
		return errors.New("closed twice")
	}
	n.closed = true
	return nil
}

// write writes changes to the next file, padded so that files of other content
// often have the same size.
func (n *numbered) write(changes map[string]map[string]*string) error {
	b, err := json.Marshal(changes)
	if err != nil {
		return err
	}
	b = append(b, make([]byte, 256-len(b)%256)...)
	if err := os.WriteFile(filepath.Join(n.dir, fileName(n.next)), b, 0o644); err != nil {
		return err
	}
	n.files = append(n.files, n.next)
	n.next++
	for slices.Contains(n.files, n.next) {
		n.next++
	}
	return nil
}

func (n *numbered) Freeze(dir string) (write func() error, release func(), err error) {
	err = n.checkpoint(dir)
	return func() error { return err }, func() {}, nil
}

func (n *numbered) Contents(string) (state.Contents, error) { return state.Contents{}, nil }

func (n *numbered) checkpoint(dir string) error {
	if len(n.dirty) > 0 {
		if err := n.write(n.dirty); err != nil {
			return err
		}
		n.dirty = map[string]map[string]*string{}
	}
	if len(n.files) >= mergeAt {
		for _, number := range n.files {
			if err := os.Remove(filepath.Join(n.dir, fileName(number))); err != nil {
				return err
			}
		}
		// Numbers of this life are not used again in it.
		n.next = max(n.next, slices.Max(n.files)+1)
		n.files = nil
		whole := map[string]map[string]*string{}
		for name, entries := range n.columns {
			whole[name] = map[string]*string{}
			for k, v := range entries {
				whole[name][k] = &v
			}
		}
		if err := n.write(whole); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for _, number := range n.files {
		if err := os.Link(filepath.Join(n.dir, fileName(number)), filepath.Join(dir, fileName(number))); err != nil {
			return err
		}
	}
	b, err := json.Marshal(n.files)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "LIST"), b, 0o644)
}

type numberedColumn struct {
	n    *numbered
	name string
}

func (c *numberedColumn) Get(dst, key []byte) ([]byte, bool, error) {
	v, ok := c.n.columns[c.name][printable(key)]
	if c.n.closed {
		return dst, false, errors.New("closed")
	}
	raw, err := unprintable(v)
	return append(dst, raw...), ok, err
}

// Keys and values are kept in a form that JSON leaves as it is.
func printable(b []byte) string { return hex.EncodeToString(b) }

func unprintable(s string) ([]byte, error) { return hex.DecodeString(s) }

func (c *numberedColumn) change(key []byte, v *string) error {
	if c.n.closed {
		return errors.New("closed")
	}
	if c.n.dirty[c.name] == nil {
		c.n.dirty[c.name] = map[string]*string{}
	}
	c.n.dirty[c.name][printable(key)] = v
	c.n.apply(c.name, printable(key), v)
	return nil
}

func (c *numberedColumn) Put(key, value []byte) error {
	v := printable(value)
	return c.change(key, &v)
}

func (c *numberedColumn) Delete(key []byte) error { return c.change(key, nil) }

func (c *numberedColumn) Scan(start, end []byte) state.Iterator {
	it := &numberedIterator{entries: maps.Clone(c.n.columns[c.name]), at: -1}
	for k := range it.entries {
		if k >= printable(start) && (end == nil || k < printable(end)) {
			it.keys = append(it.keys, k)
		}
	}
	slices.Sort(it.keys)
	return it
}

type numberedIterator struct {
	entries map[string]string
	keys    []string
	at      int
}

func (i *numberedIterator) Next() bool {
	i.at = min(i.at+1, len(i.keys))
	return i.at < len(i.keys)
}

func (i *numberedIterator) Seek(key []byte) bool {
	for i.Next() {
		if bytes.Compare(i.Key(), key) >= 0 {
			return true
		}
	}
	return false
}

func (i *numberedIterator) Key() []byte {
	b, _ := unprintable(i.keys[i.at])
	return b
}

func (i *numberedIterator) Value() []byte {
	b, _ := unprintable(i.entries[i.keys[i.at]])
	return b
}

func (i *numberedIterator) Err() error { return nil }

func (i *numberedIterator) Close() error {
	i.keys = nil
	return nil
}
