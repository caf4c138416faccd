package faultstore

import (
	"errors"
	"time"

	"github.com/tidemark/tidemark/upload"
)

// ErrInjected is the cause of every injected failure that names no other. It is
// none of upload's errors: to a caller its cause is unknown.
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

// Writes reports whether operations of the kind change the store.
func (k Kind) Writes() bool { return k == Put || k == Delete || k == Copy || k == Abort }

// Op is one operation, as an Injector sees it.
type Op struct {
	Kind  Kind
	Name  string // object or prefix; the first of a Delete; the target of a Copy
	Index int    // 0 for the first operation of the store
	Put   upload.PutOptions
}

// Fault is what happens to one operation. Its fields combine: Delay comes
// first, and the others in the order of their listing. The zero value is no
// fault.
type Fault struct {
	// Delay is a pause before anything else. The end of the context ends it.
	Delay time.Duration
	// Before fails the operation with this error and does not apply it.
	Before error
	// Hang waits for the end of the context and returns its error, without
	// applying the operation.
	Hang bool
	// Late fails a write with this error at once and keeps the write, its body in
	// memory. Store.ApplyLate applies it then, with its conditions.
	Late error
	// CutShort, if not nil, fails a body after Cut bytes: that of a Get or GetRange,
	// or of a Put on its way to the store.
	Cut      int64
	CutShort error
	// Flip inverts the lowest bit of the byte at FlipAt (clamped to the last)
	// in what a Get or GetRange returns.
	Flip   bool
	FlipAt int64
	// Twice applies a write a second time, and ignores the result.
	Twice bool
	// After applies the operation and then fails it with this error. A Get returns
	// no body then; a List yields everything and then the error.
	After error
}

func (f Fault) isZero() bool { return f == Fault{} }

// Injector decides what happens to an operation. It is called once for each
// operation, in the order of their indexes, by any goroutine.
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

// When injects f into every operation for which is returns true.
func When(is func(Op) bool, f Fault) Injector {
	return InjectorFunc(func(op Op) Fault {
		if is(op) {
			return f
		}
		return Fault{}
	})
}

// Times injects what i decides, until n faults were injected.
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

// First asks the injectors in order, and injects the first fault that one decides.
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
