package faults_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/faultstore"
)

// kind is a column of the matrix: what happens to one operation, and to which
// it can happen.
type kind struct {
	name  string
	fault faultstore.Fault
	to    func(faultstore.Op) bool
	// soon: writes that come late come a few operations later, and not after
	// the end of the run.
	soon bool
	// fails: some operation that it happens to fails, so that without retries a
	// checkpoint, an attempt or the start must fail too.
	fails bool
}

func any_(faultstore.Op) bool     { return true }
func reads(o faultstore.Op) bool  { return o.Kind == faultstore.Get || o.Kind == faultstore.GetRange }
func writes(o faultstore.Op) bool { return o.Kind.Writes() }
func bodies(o faultstore.Op) bool { return reads(o) || o.Kind == faultstore.Put }

var kinds = []kind{
	{name: "fails", fails: true, fault: faultstore.Fault{Before: faultstore.ErrInjected}, to: any_},
	{name: "throttled", fails: true, fault: faultstore.Fault{Before: upload.ErrThrottled}, to: any_},
	{name: "denied", fails: true, fault: faultstore.Fault{Before: upload.ErrDenied}, to: any_},
	{name: "full", fails: true, fault: faultstore.Fault{Before: upload.ErrNoSpace}, to: writes},
	{name: "hangs", fails: true, fault: faultstore.Fault{Hang: true}, to: any_},
	{name: "applied-but-failed", fails: true, fault: faultstore.Fault{After: faultstore.ErrInjected}, to: any_},
	{name: "late", fails: true, fault: faultstore.Fault{Late: faultstore.ErrInjected}, to: writes},
	{name: "late-soon", fails: true, fault: faultstore.Fault{Late: faultstore.ErrInjected}, to: writes, soon: true},
	{name: "cut", fails: true, fault: faultstore.Fault{Cut: 60, CutShort: io.ErrUnexpectedEOF}, to: bodies},
	// What is damaged on its way is read again, and need not be felt.
	{name: "flipped", fault: faultstore.Fault{Flip: true, FlipAt: 90}, to: reads},
	{name: "twice", fault: faultstore.Fault{Twice: true}, to: writes},
}

// soonAfter is by how many operations a late write is late.
const soonAfter = 4

// patient ends a ranged read in which nothing moves, as a store on a network
// has to and s3store does: a restore has no time limit of its own, since nobody
// knows how long it may take. All other operations are bounded by who asks.
type patient struct{ upload.Store }

func (p patient) GetRange(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	r, err := p.Store.GetRange(ctx, name, offset, length)
	if err != nil {
		cancel()
		return nil, err
	}
	return stalling{r, cancel}, nil
}

type stalling struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (s stalling) Close() error {
	s.cancel()
	return s.ReadCloser.Close()
}

// nth injects a kind into the k-th operation that it can happen to.
type nth struct {
	kind  kind
	left  int
	store *faultstore.Store
	after int // operations since the fault; -1: none yet
	hit   faultstore.Op
	wg    sync.WaitGroup
}

func (n *nth) Inject(op faultstore.Op) faultstore.Fault {
	if n.after >= 0 {
		if n.after++; n.after == soonAfter && n.kind.soon {
			// Not here: the store is locked while it asks.
			n.wg.Go(func() { n.store.ApplyLate(context.Background()) })
		}
		return faultstore.Fault{}
	}
	if !n.kind.to(op) {
		return faultstore.Fault{}
	}
	if n.left--; n.left >= 0 {
		return faultstore.Fault{}
	}
	n.after, n.hit = 0, op
	return n.kind.fault
}

// soak reports whether the whole matrix is asked for.
func soak() bool { return os.Getenv("SOAK") != "" }

// The matrix, with the store's own retries and without: a single fault of any
// kind at any operation of the store loses nothing (I1, I3, I5, I6, I10, I11).
func TestStoreFaults(t *testing.T) {
	start := begun(t)
	want := start.unfailing(t)
	for _, mode := range []struct {
		name   string
		retry  upload.RetryOptions
		stride int // without SOAK
	}{
		{"once", upload.RetryOptions{Attempts: 1}, 2},
		{"retried", upload.RetryOptions{Base: time.Millisecond}, 7},
	} {
		t.Run(mode.name, func(t *testing.T) {
			stride := mode.stride
			if soak() {
				stride = 1
			}
			var g errgroup.Group
			g.SetLimit(6)
			for i, kind := range kinds {
				g.Go(func() error {
					// Columns begin at operations of their own, so that all together
					// meet most even with a stride.
					n, felt, k := 0, 0, i%stride
					for ; ; k += stride {
						met, failures := inject(t, start, want, kind, mode.retry, k)
						if !met && n == 0 && k > 0 {
							k = -stride // a run of few operations: begin with the first
							continue
						}
						if !met {
							break
						}
						n++
						if failures {
							felt++
						}
					}
					t.Logf("%s: %d runs with a fault, the last at operation %d, stride %d; %d felt it", kind.name, n, k-stride, stride, felt)
					if n == 0 || mode.retry.Attempts == 1 && felt == 0 && kind.fails {
						t.Errorf("%s: of %d runs with a fault %d felt it", kind.name, n, felt)
					}
					return nil
				})
			}
			_ = g.Wait()
		})
	}
}

// inject runs the job from start with a fault in the k-th operation, checks all
// that has to hold, and reports whether there was one, and whether a checkpoint, an
// attempt or the start failed for it.
func inject(t *testing.T, start trial, want expect, kind kind, retry upload.RetryOptions, k int) (met, felt bool) {
	r, free := start.again(t)
	defer free()
	n := &nth{kind: kind, left: k, after: -1}
	var store *faultstore.Store
	got := r.run(t.Context(), options{retry: retry, decorate: func(s upload.Store) upload.Store {
		store = faultstore.Wrap(s, n)
		n.store = store
		return patient{store}
	}})
	n.wg.Wait()
	if store.Injected() == 0 {
		return false, false
	}
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s, operation %d (%s %s): %s", kind.name, k, n.hit.Kind, n.hit.Name, fmt.Sprintf(format, args...))
	}
	switch {
	case got.err == nil:
		if got.digest != want.digest || got.rows != want.rows {
			fail("digest %x of %d rows, want %x of %d", got.digest, got.rows, want.digest, want.rows)
		}
		if err := r.same(want); err != nil {
			fail("%v", err)
		}
	case got.report.Attempts > 0 && got.digest == want.digest && got.rows == want.rows:
		// All is done and published, but the coordinator did not tidy up: it
		// deletes nothing more once it could not read what is reachable.
		if !strings.Contains(got.err.Error(), "close the coordinator") {
			fail("the job has ended, and the run failed: %v", got.err)
		}
		if err := r.same(want); err != nil {
			fail("%v", err)
		}
	case got.report.Attempts > 0:
		fail("a job that had started failed after %d attempts: %v", got.report.Attempts, got.err)
	case kind.fault.Before != nil && !errors.Is(got.err, kind.fault.Before):
		fail("the start was refused for another reason: %v", got.err)
	}
	if err := r.whole(t); err != nil {
		fail("after the run: %v", err)
	}
	store.ApplyLate(t.Context())
	if err := r.whole(t); err != nil {
		fail("after what came late: %v", err)
	}
	if last := r.run(t.Context(), options{}); last.err != nil {
		fail("the next start: %v", last.err)
	}
	for _, err := range []error{r.same(want), r.whole(t), r.exact(t)} {
		if err != nil {
			fail("after the next start and end: %v", err)
		}
	}
	return true, got.err != nil || got.report.Attempts > 1 || got.report.Checkpoints.Failed > 0
}
