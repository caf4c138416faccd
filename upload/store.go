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

// Errors of a store. Implementations wrap them in an *Error. A failure may also be
// none of these; then its cause is unknown, and a write may have been applied, or
// may still be.
var (
	// ErrNotExist: there is no such object.
	ErrNotExist = errors.New("object does not exist")
	// ErrPrecondition: IfAbsent or IfMatch did not hold. This request was not
	// applied; an earlier try of the same write may have been.
	ErrPrecondition = errors.New("precondition failed")
	// ErrDenied: credentials are wrong or lack a permission.
	ErrDenied = errors.New("access denied")
	// ErrClock is an ErrDenied: the clocks of this machine and of the store differ by more
	// than the store allows.
	ErrClock = fmt.Errorf("%w: the clocks of this machine and of the store differ too much", ErrDenied)
	// ErrKey is an ErrDenied: the key with which the store encrypts objects may not be used,
	// is disabled or does not exist.
	ErrKey = fmt.Errorf("%w: the store may not use the encryption key", ErrDenied)
	// ErrNoBucket: the bucket, or the store's root directory, does not exist.
	ErrNoBucket = errors.New("bucket does not exist")
	// ErrNoSpace: the disk or the quota is full.
	ErrNoSpace = errors.New("no space left")
	// ErrCorrupt: bytes do not match their checksum or length.
	ErrCorrupt = errors.New("corrupt object")
	// ErrThrottled: the store wants fewer requests. Nothing was applied; the request may
	// succeed later.
	ErrThrottled = errors.New("throttled")
	// ErrConflict is an ErrThrottled: another request for the object was under way.
	ErrConflict = fmt.Errorf("%w: another request for the object was under way", ErrThrottled)
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
	// CRC32C is the Castagnoli checksum of the content, valid where HasCRC32C is
	// true. Listings never have it.
	CRC32C    uint32
	HasCRC32C bool
}

// Body is what a Put stores: bytes of known length and checksum. They can be read
// more than once, so a failed try can be repeated.
type Body struct {
	Size   int64
	CRC32C uint32 // Castagnoli
	// Open returns a reader from the start of the bytes.
	Open func() (io.ReadSeekCloser, error)
}

// PutOptions are conditions of a Put. The zero value has none.
type PutOptions struct {
	IfAbsent bool   // put only if no object has the name
	IfMatch  string // put only if the object has this Version
}

// Reader is the part of a Store that changes nothing.
type Reader interface {
	// Get reads a whole object. Where the store finds that the bytes are not those
	// that were put, reading fails with ErrCorrupt instead of ending with io.EOF.
	// The caller closes the reader; ctx applies until then.
	Get(ctx context.Context, name string) (io.ReadCloser, Info, error)
	// GetRange reads length bytes from offset. A range beyond the object's end
	// fails with ErrCorrupt, here or while reading. The bytes are not verified: the
	// caller has to compare their checksum. A length of zero reads nothing; the
	// object must still exist.
	GetRange(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error)
	Head(ctx context.Context, name string) (Info, error)
	// List yields the objects whose names start with prefix, sorted by name. It
	// ends at the first error; only a listing without an error is complete.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
	// String is the store's URL, for messages. It contains no secret.
	String() string
}

// Store keeps objects: immutable bytes under slash-separated names. All methods
// may be called from any goroutine. If "a" is an object, no object's name starts
// with "a/".
type Store interface {
	Reader
	// Put stores an object as a whole or not at all. It replaces an object of the
	// same name unless the options forbid it, and verifies the body's length and
	// checksum. When Put returns without an error the object is durable, and every
	// later Get, Head and List sees it.
	Put(ctx context.Context, name string, body Body, o PutOptions) (Info, error)
	// Delete removes objects; an absent object is no error. If some could not be
	// removed, the error joins an *Error for each.
	Delete(ctx context.Context, names ...string) error
	// Copy copies an object within the store. The bytes do not pass through this
	// process. It may fail with ErrUnsupported.
	Copy(ctx context.Context, src, dst string) error
	// Uploads yields the names of unfinished multipart uploads below prefix, and
	// AbortUpload ends all of one name. A store without multipart uploads yields
	// none.
	Uploads(ctx context.Context, prefix string) iter.Seq2[string, error]
	AbortUpload(ctx context.Context, name string) error
}
