package incremental

import (
	"bytes"
	"slices"
	"sort"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// ChunkBytes is the length of a chunk of a file, the last one excepted. A chunk
// can be verified without the rest of its file. A block of an SST has 4 to 32
// KiB, so a read of one block verifies little more than it needs, and the sums
// of a file take 1/16384 of its length.
const ChunkBytes = 64 << 10

// FileRef says in which piece of an object the bytes of a file lie. Many small files
// may share one object. An object lives as long as a checkpoint refers to any of it.
type FileRef struct {
	Object string // see ObjectName
	Offset int64
	Length int64
	CRC32C uint32 // of these bytes
	// ChunksCRC32C is the checksum of the file's chunk sums, which lie in the
	// object directly before Offset; see chunks. Zero for a file of one chunk.
	ChunksCRC32C uint32
}

// File is one file of a local store's snapshot.
type File struct {
	// Name is the file's base name in the local store. It means nothing
	// outside the instance of the store that wrote it: another instance uses
	// the same name for other bytes. Never used as a path without LocalName.
	Name string
	// Immutable says that the file (an SST) never changes under its name while the
	// instance lives. Checkpoints share such files; others belong to one snapshot.
	Immutable bool
	// Instance is the local store that the file belongs to, where a handle holds
	// several. Zero: the first, and today the only one.
	Instance int
	Ref      FileRef
	// Table describes a file of sorted entries. Nil: it is none. Never changed.
	Table *Table
}

// Table describes a file of sorted entries: a state.TableFile without its name, and the
// range of key groups that its keys lie in. Its column is that of a shard of the
// handle. Smallest and Largest are cut to MaxTableKey bytes. So every key of the file
// is at least Smallest; it is at most Largest, or begins with it.
type Table struct {
	state.TableFile
	Groups keygroup.Range
}

// NewTable returns what a manifest keeps of a table file.
func NewTable(f state.TableFile) *Table {
	f.Name = ""
	t := &Table{TableFile: f, Groups: groupsOfKeys(f.Smallest, f.Largest)}
	t.Smallest = bytes.Clone(t.Smallest[:min(len(t.Smallest), MaxTableKey)])
	t.Largest = bytes.Clone(t.Largest[:min(len(t.Largest), MaxTableKey)])
	return t
}

// MaxTableKey is the length in bytes to which the keys of a Table are cut.
const MaxTableKey = 256

// Object is what a handle knows of an object that it refers to.
type Object struct {
	Name   string
	Size   int64
	CRC32C uint32
	// Adopted is how many bytes of the object this handle used when it first referred
	// to it. Plan compares the bytes that are still live with this. It is less than
	// Size if the object holds chunk sums, or files of other handles.
	Adopted int64
	// Place names the job that the object belongs to. The zero Place: this job.
	Place Place
}

// Place names the job and store of an object that belongs to another job. Reserved for
// jobs that share or claim another's checkpoint.
type Place struct {
	Store string // URL; empty: the store of the manifest
	Job   string
}

// BackendInfo says what wrote the files of a handle. The zero value is a local
// store without versions.
type BackendInfo struct {
	Name    string // "rocksdb"
	Version string // "7.8.3"
	Format  int    // of its table files
}

// Shard is a part of a state: a column of a local store that answers for a range of key
// groups. Today a handle has one for each state, with the handle's range. Several are
// reserved for a rescale that copies nothing: then a state has one for each handle that
// it comes from, and the files of a shard may hold other key groups too, which nobody
// reads and compaction drops.
type Shard struct {
	State    string
	Column   string // name of the column in the local store
	Groups   keygroup.Range
	Instance int // see File
}

// Auxiliary is a file that belongs to a state, but holds none of its entries. Reserved.
type Auxiliary struct {
	State   string
	Purpose string // what a reader needs it for, in a word
	File    string // name of a file of the handle
}

// Handle is the keyed state of one operator subtask at one checkpoint. It
// implements checkpoint.StateHandle, and is immutable once made.
type Handle struct {
	Operator   checkpoint.OperatorID
	Index      int
	Range      keygroup.Range
	Checkpoint checkpoint.ID
	Backend    BackendInfo
	States     []state.Descriptor // sorted by name
	// Shards say in which columns the states lie. They are sorted by state and groups,
	// and the ranges of a state's shards together are the handle's. None: the local
	// store has no columns.
	Shards    []Shard
	Auxiliary []Auxiliary // sorted by state, purpose, file
	Files     []File      // sorted by instance and name
	Objects   []Object    // all that Files refer to, sorted by name
	Uploaded  int64       // bytes that this checkpoint put
}

var _ checkpoint.StateHandle = (*Handle)(nil)

// KeyGroups implements checkpoint.StateHandle.
func (h *Handle) KeyGroups() keygroup.Range { return h.Range }

// FullBytes implements checkpoint.StateHandle: the sum of the files' lengths.
func (h *Handle) FullBytes() int64 {
	var n int64
	for _, f := range h.Files {
		n += f.Ref.Length
	}
	return n
}

// NewBytes implements checkpoint.StateHandle.
func (h *Handle) NewBytes() int64 { return h.Uploaded }

// NewObjects implements checkpoint.StateHandle.
func (h *Handle) NewObjects() (names []string) {
	for _, o := range h.Objects {
		if n, ok := ParseObjectName(o.Name); ok && n.Checkpoint == h.Checkpoint && o.Place == (Place{}) {
			names = append(names, o.Name)
		}
	}
	return names
}

// shardOf returns the number of the shard that a table file belongs to, -1 if there is
// none. The search is short: a handle has one or two shards for each state.
func (h *Handle) shardOf(f *File) int {
	return slices.IndexFunc(h.Shards, func(s Shard) bool { return s.Column == f.Table.Column && s.Instance == f.Instance })
}

// StateOf returns the state whose table file f is, a file of the handle. Empty: it is of
// no state alone.
func (h *Handle) StateOf(f *File) string {
	if f.Table == nil {
		return ""
	}
	if i := h.shardOf(f); i >= 0 {
		return h.Shards[i].State
	}
	return ""
}

// objectFinder returns a function that numbers the handle's objects by name; -1:
// there is none of that name. Objects are in order.
func (h *Handle) objectFinder() func(name string) int {
	last := 0 // neighbours often share an object
	return func(name string) int {
		if last < len(h.Objects) && h.Objects[last].Name == name {
			return last
		}
		n := sort.Search(len(h.Objects), func(i int) bool { return h.Objects[i].Name >= name })
		if n == len(h.Objects) || h.Objects[n].Name != name {
			return -1
		}
		last = n
		return n
	}
}
