package incremental

import (
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// FileRef says where the bytes of a file lie: in a piece of an object. Many
// small files may share one object; references, and the life of an object, are
// counted by object.
type FileRef struct {
	Object string // name in the job's store; see ObjectName
	Offset int64
	Length int64
	CRC32C uint32 // of these bytes
}

// File is one file of a local store's snapshot.
type File struct {
	// Name is the file's base name in the local store. It means nothing
	// outside the instance of the store that wrote it: another instance uses
	// the same name for other bytes. Never used as a path without LocalName.
	Name string
	// Immutable files (SSTs) never change under their name while the instance
	// lives, and are shared between its checkpoints. Others belong to one
	// snapshot.
	Immutable bool
	Ref       FileRef
}

// Object is what a handle knows of an object that it refers to.
type Object struct {
	Name   string
	Size   int64
	CRC32C uint32
}

// Handle is the keyed state of one operator subtask at one checkpoint. It
// implements checkpoint.StateHandle, and is immutable once made.
type Handle struct {
	Operator   checkpoint.OperatorID
	Index      int
	Range      keygroup.Range
	Checkpoint checkpoint.ID
	States     []state.Descriptor
	Files      []File   // sorted by name
	Objects    []Object // all that Files refer to, sorted by name
	Uploaded   int64    // bytes that this checkpoint put
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
		if n, ok := ParseObjectName(o.Name); ok && n.Checkpoint == h.Checkpoint {
			names = append(names, o.Name)
		}
	}
	return names
}
