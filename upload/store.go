package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
)

// Errors of a store. Implementations wrap them in an *Error. A failure that is
// none of them may have any cause, and a write that fails with none of them
// may or may not have been applied, now or later.
var (
	// ErrNotExist: there is no such object.
	ErrNotExist = errors.New("object does not exist")
	// ErrPrecondition: IfAbsent or IfMatch did not hold. The write was not
	// applied; an earlier try of the same write may have been.
	ErrPrecondition = errors.New("precondition failed")
	// ErrDenied: credentials are wrong or lack a permission.
	ErrDenied = errors.New("access denied")
	// ErrNoBucket: the bucket, or the store's root directory, does not exist.
	ErrNoBucket = errors.New("bucket does not exist")
	// ErrNoSpace: the disk or the quota is full.
	ErrNoSpace = errors.New("no space left")
	// ErrCorrupt: bytes do not match their checksum or length.
	ErrCorrupt = errors.New("corrupt object")
	// ErrThrottled: the store asks for fewer requests, or met a conflicting one
	// at the same moment. Nothing was applied; the same request may succeed
	// later.
	ErrThrottled = errors.New("throttled")
	// ErrName: the name is not legal; see CheckName.
	ErrName = errors.New("illegal object name")
	// ErrUnsupported: this store cannot do that.
	ErrUnsupported = errors.New("not supported by this store")
)

// Error says what failed, on which object, and why.
type Error struct {
	Op    string // "put", "get", "list", …
	Store string // its URL
	Name  string // object or prefix
	Err   error
}

// Error renders "put s3://bucket/prefix/name: cause".
func (e *Error) Error() string {
	return fmt.Sprintf("%s %s/%s: %v", e.Op, strings.TrimSuffix(e.Store, "/"), e.Name, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Info describes a stored object.
type Info struct {
	Name     string
	Size     int64
	Version  string    // changes with the content; an ETag. Opaque, never empty from Head, Get and Put
	Modified time.Time // by the store's clock
	// CRC32C is the Castagnoli checksum of the content where HasCRC32C says
	// that the store knows it, which listings never do.
	CRC32C    uint32
	HasCRC32C bool
}

// Body is what a Put stores: bytes of a known length and checksum that can be
// read more than once, so that a failed try can be repeated.
type Body struct {
	Size   int64
	CRC32C uint32 // Castagnoli
	// Open returns a reader from the start of the bytes.
	Open func() (io.ReadSeekCloser, error)
}

// PutOptions are conditions of a Put. The zero value has none.
type PutOptions struct {
	IfAbsent bool   // only where no object has the name
	IfMatch  string // only where the object has this Version
}

// Reader is the part of a Store that changes nothing.
type Reader interface {
	// Get reads a whole object. The reader fails with ErrCorrupt, at the
	// latest instead of io.EOF, where the store knows that the bytes are not
	// those that were put. The caller closes it; ctx governs it until then.
	Get(ctx context.Context, name string) (io.ReadCloser, Info, error)
	// GetRange reads length bytes from offset; a range that goes beyond the
	// object's end is ErrCorrupt, at the latest instead of io.EOF. The bytes are
	// not verified: the caller compares them with a checksum of its own. A
	// length of zero reads nothing, of any object that exists.
	GetRange(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error)
	Head(ctx context.Context, name string) (Info, error)
	// List yields the objects whose names start with prefix, sorted by name.
	// After an error it yields nothing more; a listing is complete only if it
	// yielded no error.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
	// String is the store's URL, for messages. It holds no secret.
	String() string
}

// Store keeps objects: immutable bytes under slash-separated names. All
// methods may be called from any goroutine. A name is never also the prefix
// "name/" of another.
type Store interface {
	Reader
	// Put stores an object as a whole or not at all, replacing one of the same
	// name unless the options forbid it. It verifies the body's checksum and
	// length on the way. Once Put returned without an error the object is
	// durable and every later Get, Head and List sees it.
	Put(ctx context.Context, name string, body Body, o PutOptions) (Info, error)
	// Delete removes objects; absent ones are no error. Where some could not
	// be removed the error joins an *Error for each.
	Delete(ctx context.Context, names ...string) error
	// Copy copies an object within the store without passing its bytes
	// through this process, or fails with ErrUnsupported.
	Copy(ctx context.Context, src, dst string) error
	// Uploads yields the names of unfinished multipart uploads under prefix,
	// and AbortUpload ends all of one name. Stores without them yield none.
	Uploads(ctx context.Context, prefix string) iter.Seq2[string, error]
	AbortUpload(ctx context.Context, name string) error
}
