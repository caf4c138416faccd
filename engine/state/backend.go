package state

import (
	"context"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
)

// Kind is the kind of a state.
type Kind uint8

// The kinds of keyed state. Those from KindBroadcast on have their place in a
// checkpoint, and cannot be opened yet.
const (
	KindValue Kind = iota + 1
	KindList
	KindMap
	KindReducing
	KindAggregating
	KindBroadcast        // a table that each subtask holds whole
	KindEventTimers      // ordered by time
	KindProcessingTimers // ordered by time
	KindPanes            // of windows, ordered by their end
	KindSessions
	KindJoinSide // the rows of one side of a join
)

// Descriptor describes a state: its name, kind and types. Every handle holds those of
// its states, and a job that restores a state must match it.
type Descriptor struct {
	Name      string // unique in its operator; as checkpoint.ValidOperatorID
	Kind      Kind
	Key       string // codec signatures; see Codec
	Namespace string
	MapKey    string // KindMap only
	Value     string
}

// Contents describes a snapshot of a local store.
type Contents struct {
	Store   string // "rocksdb"
	Version string // of the store's program: "7.8.3"
	Format  int    // of its table files
	Columns []StoredColumn
	Tables  []TableFile
}

// StoredColumn is a column of a local store, and the state that it holds.
type StoredColumn struct{ Name, State string }

// TableFile describes a file of a local store that holds sorted entries of one
// column.
type TableFile struct {
	Name   string // base name of the file
	Column string // name of the column
	Level  int    // of the store's tree of files; newer entries lie in lower levels
	// SmallestSeqno and LargestSeqno bound the sequence numbers of the writes in
	// the file: of two entries of one key the greater number is newer.
	SmallestSeqno, LargestSeqno uint64
	Epoch                       uint64 // order of files in level 0; zero: not known
	Smallest, Largest           []byte // first and last key
	CreatedUnix                 int64  // seconds since 1970; zero: not known
	Entries, Deletions          uint64 // deletions are entries, too
}

// Factory opens the backend of an operator subtask.
type Factory interface {
	// Open returns a backend that holds exactly what of the restored handles
	// lies in the subtask's key groups: none, and it is empty. Every byte is
	// verified before Open returns (I10).
	Open(ctx context.Context, r OpenRequest) (Backend, error)
}

// OpenRequest says whose backend to open, and from what.
type OpenRequest struct {
	Operator  checkpoint.OperatorID
	Index     int
	Attempt   checkpoint.Attempt
	KeyGroups keygroup.Range
	// Restored is the checkpoint that the handles are of; zero with none.
	Restored checkpoint.ID
	Handles  []checkpoint.StateHandle
	// Drop names states of the handles that are not restored. No later snapshot
	// holds them.
	Drop []string
}

// Backend keeps the keyed state of one operator subtask: a sorted map of bytes
// for each state. It belongs to the subtask's goroutine, except where a method
// says otherwise.
//
// Backends are the base under whatever package state keeps in memory: calls
// are by key, in no order, and may be many; nothing above relies on a call
// being cheap.
type Backend interface {
	// Column opens the column of a state, empty if there was none. It fails
	// with ErrIncompatible if there was one and d does not fit it.
	Column(d Descriptor) (Column, error)
	// Unopened returns the names of the restored states whose columns were not
	// opened, sorted.
	Unopened() []string
	// Snapshot freezes the state (I8), with the columns that were restored but not
	// opened. Records wait for it, so it does no more than it must; Persist does the
	// rest.
	Snapshot(ctx context.Context, b checkpoint.Barrier) (Pending, error)
	// Committed and Aborted say how a checkpoint ended. Any goroutine may call them.
	Committed(id checkpoint.ID)
	Aborted(id checkpoint.ID)
	// Close frees everything, local files included. No snapshot may be in
	// Persist.
	Close() error
}

// Pending is a snapshot on its way to the store.
type Pending interface {
	// Persist makes the snapshot durable. Any goroutine, once. When it fails,
	// or its context ends, the snapshot is released all the same. The error is
	// a PersistError where something may be left in the store.
	Persist(ctx context.Context) (checkpoint.StateHandle, error)
	// Release drops a snapshot that will not be persisted.
	Release()
}

// Column is the sorted map of one state. Keys compare byte-wise and start with
// the key group's prefix. No method retains a slice that it is given. An entry
// may vanish once its value has expired (see Expiry).
type Column interface {
	// Get appends the value of key to dst.
	Get(dst, key []byte) (value []byte, found bool, err error)
	Put(key, value []byte) error
	// Delete of an absent key does nothing.
	Delete(key []byte) error
	// Scan returns the entries with start ≤ key < end in order; a nil end is
	// the end of the column. The iterator sees the column as it was when Scan
	// was called, and must be closed.
	Scan(start, end []byte) Iterator
}

// Iterator is a position in a Column, before the first entry at first.
type Iterator interface {
	// Next moves to the next entry; false at the end and on an error.
	Next() bool
	// Seek moves to the first entry from key on, which is behind the current one; false
	// as for Next. It does not read what lies between.
	Seek(key []byte) bool
	// Key and Value are valid until Next, Seek or Close.
	Key() []byte
	Value() []byte
	Err() error
	Close() error
}
