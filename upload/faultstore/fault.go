package faultstore

import (
	"errors"
	"time"

	"github.com/tidemark/tidemark/upload"
)

// ErrInjected is the cause of every injected failure that names no other. It is
// none of the store's sentinels: as to a caller, it may have any cause.
var ErrInjected = errors.New("injected fault")

// Kind is a kind of operation of a store.
type Kind string

// The kinds, one for each method.
const (
	Get      Kind = "get"
	GetRange Kind = "range"
	Head     Kind = "head"
	List     Kind = "list"
	Put      Kind = "put"
	Delete   Kind = "delete"
	Copy     Kind = "copy"
	Uploads  Kind = "uploads"
	Abort    Kind = "abort"
)

// Writes says whether operations of the kind change the store.
func (k Kind) Writes() bool { return k == Put || k == Delete || k == Copy || k == Abort }

// Op is one operation, as an Injector sees it.
type Op struct {
	Kind  Kind
	Name  string // object or prefix; of a Delete the first; of a Copy the target
	Index int    // 0 for the first operation of the store
	Put   upload.PutOptions
}

// Fault is what happens to one operation. Its fields combine: Delay comes
// first, and the others in the order of their listing. The zero value is no
// fault.
type Fault struct {
	// Delay passes before anything else, or until the context ends.
	Delay time.Duration
	// Before fails the operation with this error, without applying it.
	Before error
	// Hang waits for the end of the context and returns its error, without
	// applying the operation.
	Hang bool
	// Late fails a write with this error at once and keeps it: it is applied,
	// on the conditions that it had, when Store.ApplyLate is called. A body is
	// read into memory meanwhile.
	Late error
	// Cut, where CutShort is set, is the number of bytes after which the body
	// of a Get or GetRange, or that of a Put on its way to the store, fails
	// with CutShort.
	Cut      int64
	CutShort error
	// Flip inverts the lowest bit of the byte at FlipAt (clamped to the last)
	// in what a Get or GetRange returns.
	Flip   bool
	FlipAt int64
	// Twice applies a write a second time, and ignores how that ends.
	Twice bool
	// After applies the operation and then fails it with this error. A Get that
	// it meets returns no body; a List yields everything and then the error.
	After error
}

func (f Fault) isZero() bool { return f == Fault{} }

// Injector decides what happens to an operation. It is called once for each, by
// any goroutine, in the order of the indexes.
type Injector interface {
	Inject(Op) Fault
}

// InjectorFunc is a function as an Injector.
type InjectorFunc func(Op) Fault

// Inject implements Injector.
func (f InjectorFunc) Inject(op Op) Fault { return f(op) }

// OnIndex injects f into the operation of index k, and nothing else.
func OnIndex(k int, f Fault) Injector {
	return When(func(op Op) bool { return op.Index == k }, f)
}

// When injects f into every operation of which is holds.
func When(is func(Op) bool, f Fault) Injector {
	return InjectorFunc(func(op Op) Fault {
		if is(op) {
			return f
		}
		return Fault{}
	})
}

// Times injects what i decides, until it has decided on n faults.
func Times(n int, i Injector) Injector {
	return InjectorFunc(func(op Op) Fault {
		if n <= 0 {
			return Fault{}
		}
		f := i.Inject(op)
		if !f.isZero() {
			n--
		}
		return f
	})
}

// First injects what the first of the injectors decides on that injects
// anything.
func First(injectors ...Injector) Injector {
	return InjectorFunc(func(op Op) Fault {
		for _, i := range injectors {
			if f := i.Inject(op); !f.isZero() {
				return f
			}
		}
		return Fault{}
	})
}

// OfKind is a predicate for When.
func OfKind(kinds ...Kind) func(Op) bool {
	return func(op Op) bool {
		for _, k := range kinds {
			if op.Kind == k {
				return true
			}
		}
		return false
	}
}
