package memstate

import (
	"bytes"
	"slices"
)

// tree is a sorted map of bytes: a B+ tree with copy on write. Trees share nodes
// (writable). Make an empty one by newTree.
type tree struct {
	root  *node // nil: empty
	owner *owner
	bytes int64 // of keys and values
}

// owner marks the nodes that a tree may change in place: those that it made itself.
type owner struct{ _ byte } // of some size, so that two have two addresses

// node is a leaf, with keys and their values, or has children: children[i] holds what
// is less than keys[i], the last one the rest. Deletion does not merge nodes, so they
// may be nearly empty, but are never empty.
type node struct {
	owner    *owner
	keys     [][]byte
	values   [][]byte
	children []*node
}

const maxKeys = 64

func newTree() *tree { return &tree{owner: new(owner)} }

// writable returns a tree with the content of t, whose changes do not reach t. t must
// not be changed any more.
func (t *tree) writable() *tree { return &tree{t.root, new(owner), t.bytes} }

func (n *node) leaf() bool { return n.children == nil }

// child returns the index of the child that key belongs to.
func (n *node) child(key []byte) int {
	i, found := n.search(key)
	if found {
		i++
	}
	return i
}

// search returns the index of the first key of n that is not less than key,
// and whether it is key.
func (n *node) search(key []byte) (i int, found bool) {
	low, high := 0, len(n.keys)
	for low < high {
		middle := (low + high) / 2
		switch order := bytes.Compare(n.keys[middle], key); {
		case order == 0:
			return middle, true
		case order < 0:
			low = middle + 1
		default:
			high = middle
		}
	}
	return low, false
}

func (t *tree) get(key []byte) ([]byte, bool) {
	n := t.root
	if n == nil {
		return nil, false
	}
	for !n.leaf() {
		n = n.children[n.child(key)]
	}
	i, found := n.search(key)
	if !found {
		return nil, false
	}
	return n.values[i], true
}

// put copies key where it keeps it; value belongs to the tree from now on.
func (t *tree) put(key, value []byte) {
	if t.root == nil {
		t.root = &node{owner: t.owner}
	}
	t.root = t.own(t.root)
	if separator, right := t.insert(t.root, key, value); right != nil {
		t.root = &node{owner: t.owner, keys: [][]byte{separator}, children: []*node{t.root, right}}
	}
}

// own returns n, or a copy of it, that t may change.
func (t *tree) own(n *node) *node {
	if n.owner == t.owner {
		return n
	}
	return &node{t.owner, slices.Clone(n.keys), slices.Clone(n.values), slices.Clone(n.children)}
}

// insert puts an entry below n, which t owns. Where n had to be split, it
// returns the right half and the least key that belongs there.
func (t *tree) insert(n *node, key, value []byte) (separator []byte, right *node) {
	if n.leaf() {
		i, found := n.search(key)
		if found {
			t.bytes += int64(len(value) - len(n.values[i]))
			n.values[i] = value
			return nil, nil
		}
		t.bytes += int64(len(key) + len(value))
		n.keys = slices.Insert(n.keys, i, slices.Clone(key))
		n.values = slices.Insert(n.values, i, value)
		if len(n.keys) <= maxKeys {
			return nil, nil
		}
		half := splitAt(len(n.keys), i)
		right = &node{owner: t.owner, keys: slices.Clone(n.keys[half:]), values: slices.Clone(n.values[half:])}
		n.keys, n.values = cut(n.keys, half), cut(n.values, half)
		return right.keys[0], right
	}
	i := n.child(key)
	n.children[i] = t.own(n.children[i])
	separator, below := t.insert(n.children[i], key, value)
	if below == nil {
		return nil, nil
	}
	n.keys = slices.Insert(n.keys, i, separator)
	n.children = slices.Insert(n.children, i+1, below)
	if len(n.keys) <= maxKeys {
		return nil, nil
	}
	half := splitAt(len(n.keys), i)
	separator = n.keys[half]
	right = &node{owner: t.owner, keys: slices.Clone(n.keys[half+1:]), children: slices.Clone(n.children[half+1:])}
	n.keys, n.children = cut(n.keys, half), cut(n.children, half+1)
	return separator, right
}

// splitAt returns where to split n keys, of which that at i is new: in the
// middle, but near the end where keys arrive in order, which leaves nodes full.
func splitAt(n, i int) int {
	if i == n-1 {
		return n - 2
	}
	return n / 2
}

// cut shortens s to n elements and lets go of the others.
func cut[E any](s []E, n int) []E {
	clear(s[n:])
	return s[:n]
}

func (t *tree) delete(key []byte) {
	value, found := t.get(key)
	if !found {
		return
	}
	t.bytes -= int64(len(key) + len(value))
	t.root = t.own(t.root)
	t.remove(t.root, key)
	for t.root != nil && len(t.root.keys) == 0 {
		if len(t.root.children) == 0 {
			t.root = nil
		} else {
			t.root = t.root.children[0]
		}
	}
}

// remove removes key, which is there, from below n, which t owns. It leaves a
// leaf without keys, or a node without children, to its caller to drop.
func (t *tree) remove(n *node, key []byte) {
	if n.leaf() {
		i, _ := n.search(key)
		n.keys = slices.Delete(n.keys, i, i+1)
		n.values = slices.Delete(n.values, i, i+1)
		return
	}
	i := n.child(key)
	c := t.own(n.children[i])
	n.children[i] = c
	t.remove(c, key)
	if len(c.keys) > 0 || !c.leaf() && len(c.children) > 0 {
		return
	}
	n.children = slices.Delete(n.children, i, i+1)
	if len(n.keys) > 0 {
		n.keys = slices.Delete(n.keys, max(i-1, 0), max(i-1, 0)+1)
	}
}

// cursor walks over a tree that does not change, in order.
type cursor struct {
	path []position // from the root to a leaf
	end  []byte     // nil: none
}

// position is a child of a node, or an entry of a leaf.
type position struct {
	*node
	i int
}

// scan returns a cursor before the first key that is not less than start.
func (t *tree) scan(start, end []byte) *cursor {
	c := &cursor{end: end}
	for n := t.root; n != nil; {
		if n.leaf() {
			i, _ := n.search(start)
			c.path = append(c.path, position{n, i - 1})
			break
		}
		i := n.child(start)
		c.path = append(c.path, position{n, i})
		n = n.children[i]
	}
	return c
}

// next moves to the next entry, and reports whether there is one.
func (c *cursor) next() bool {
	for len(c.path) > 0 {
		p := &c.path[len(c.path)-1]
		p.i++
		switch {
		case p.leaf() && p.i < len(p.keys):
			if c.end != nil && bytes.Compare(p.keys[p.i], c.end) >= 0 {
				c.path = nil
				return false
			}
			return true
		case !p.leaf() && p.i < len(p.children):
			c.path = append(c.path, position{p.children[p.i], -1})
		default:
			c.path = c.path[:len(c.path)-1]
		}
	}
	return false
}

// entry returns the key and value that next moved to.
func (c *cursor) entry() (key, value []byte) {
	p := c.path[len(c.path)-1]
	return p.keys[p.i], p.values[p.i]
}
