package upload_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/memstore"
)

// within runs f in a bubble of time, and fails the test if it does not take that long, give
// or take a fifth.
func within(t *testing.T, want time.Duration, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		f(t)
		if took := time.Since(begin); took < want*4/5 || took > want*6/5 {
			t.Errorf("it took %v, want %v", took, want)
		}
	})
}

// twiceRead reads each body before it is put, as s3store reads a part to have its checksum.
type twiceRead struct{ upload.Store }

func (s twiceRead) Put(ctx context.Context, name string, body upload.Body, o upload.PutOptions) (upload.Info, error) {
	r, err := body.Open()
	if err != nil {
		return upload.Info{}, err
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return upload.Info{}, err
	}
	return s.Store.Put(ctx, name, body, o)
}

func TestLimitsOfBytes(t *testing.T) {
	content := bytes.Repeat([]byte("x"), 1_000_000)
	for want, limits := range map[time.Duration]upload.Limits{
		8 * time.Second: {UploadBytes: 1_000_000, RestoreBytes: 500_000}, // 4 MB put, and 2 MB read
		0:               {},
	} {
		within(t, want, func(t *testing.T) {
			s := upload.Limited(twiceRead{memstore.New()}, upload.NewLimiter(limits))
			var wg sync.WaitGroup
			for i := range 4 {
				wg.Go(func() { // all of them together
					if _, err := s.Put(t.Context(), fmt.Sprint(i), upload.BodyFromBytes(content), upload.PutOptions{}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if b, _, err := upload.ReadAll(t.Context(), s, "0", 1<<30); err != nil || !bytes.Equal(b, content) {
				t.Errorf("read %d bytes, %v", len(b), err)
			}
			r, err := s.GetRange(t.Context(), "1", 0, int64(len(content)))
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, r); err != nil || n != int64(len(content)) {
				t.Errorf("read %d bytes, %v", n, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// busy is a store whose operations take a second; it knows how many are under way.
type busy struct {
	upload.Store
	now, most atomic.Int64
}

func (s *busy) work() func() {
	n := s.now.Add(1)
	s.most.Store(max(s.most.Load(), n))
	time.Sleep(time.Second)
	return func() { s.now.Add(-1) }
}

func (s *busy) Put(ctx context.Context, name string, body upload.Body, o upload.PutOptions) (upload.Info, error) {
	defer s.work()()
	return s.Store.Put(ctx, name, body, o)
}

func (s *busy) Get(ctx context.Context, name string) (io.ReadCloser, upload.Info, error) {
	defer s.work()()
	return s.Store.Get(ctx, name)
}

func TestLimitInFlight(t *testing.T) {
	within(t, 4*time.Second, func(t *testing.T) { // 12 puts, 3 at a time
		below := &busy{Store: memstore.New()}
		s := upload.Limited(below, upload.NewLimiter(upload.Limits{InFlight: 3}))
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				if _, err := s.Put(t.Context(), fmt.Sprint(i), upload.BodyFromBytes(nil), upload.PutOptions{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := below.most.Load(); n != 3 {
			t.Errorf("%d operations were under way at once", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := upload.Limited(&busy{Store: memstore.New()}, upload.NewLimiter(upload.Limits{InFlight: 1}))
		mustPut(t, s, "a", "x")
		body, _, err := s.Get(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		// The body is open, so nothing else may begin, and nothing was asked of the store.
		if _, err := s.Head(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, upload.ErrThrottled) {
			t.Errorf("head beside an open body: %v", err)
		}
		for range 2 {
			if err := body.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := s.Head(t.Context(), "a"); err != nil {
			t.Error(err)
		}
	})
}

// throttling is a store that bears so many operations a second.
type throttling struct {
	upload.Store
	mu             sync.Mutex
	bears, left    float64
	last           time.Time
	passed, denied int
}

func (s *throttling) Put(ctx context.Context, name string, body upload.Body, o upload.PutOptions) (upload.Info, error) {
	s.mu.Lock()
	now := time.Now()
	s.left = min(s.bears, s.left+now.Sub(s.last).Seconds()*s.bears)
	s.last = now
	denied := s.left < 1
	if denied {
		s.denied++
	} else {
		s.left--
		s.passed++
	}
	s.mu.Unlock()
	time.Sleep(10 * time.Millisecond)
	if denied {
		return upload.Info{}, upload.ErrThrottled
	}
	return s.Store.Put(ctx, name, body, o)
}

// Writers that do not know of each other slow down together: few of their requests are
// denied, and they get most of what the store bears.
func TestThrottlingSlowsAll(t *testing.T) { // I11
	for _, bears := range []float64{5, 50, 500} {
		synctest.Test(t, func(t *testing.T) {
			below := &throttling{Store: memstore.New(), bears: bears, last: time.Now()}
			s := upload.Retrying(upload.Limited(below, upload.NewLimiter(upload.Limits{})), upload.RetryOptions{Attempts: 1000, Elapsed: -1, Max: 100 * time.Millisecond})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			var wg sync.WaitGroup
			for i := range 30 {
				wg.Go(func() {
					for ctx.Err() == nil {
						_, _ = s.Put(ctx, fmt.Sprint(i), upload.BodyFromBytes(nil), upload.PutOptions{}) // counted below
					}
				})
			}
			wg.Wait()
			got := float64(below.passed) / 600
			denied := float64(below.denied) / float64(below.denied+below.passed)
			t.Logf("of %.0f operations a second %.1f passed; %.3f of all were denied", bears, got, denied)
			if got < 0.6*bears || denied > 0.1 {
				t.Errorf("of %.0f operations a second %.1f passed; %.3f of all were denied", bears, got, denied)
			}
		})
	}
}

// The swap of head waits for no transfer and for no turn.
func TestSwapsPassTransfers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := upload.NewLimiter(upload.Limits{InFlight: 2, UploadBytes: 1})
		s := upload.Limited(memstore.New(), l)
		info, err := memHead(t, s)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			r, _, err := s.Get(t.Context(), "head")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
		}
		for range 20 {
			l.Throttled()
			time.Sleep(2 * time.Second)
		}
		began := time.Now()
		if _, err := s.Put(t.Context(), "head", upload.BodyFromBytes([]byte("next")), upload.PutOptions{IfMatch: info.Version}); err != nil || time.Since(began) != 0 {
			t.Errorf("a swap took %v: %v", time.Since(began), err)
		}
		if err := (upload.Limits{InFlight: 1}).Validate(); err == nil {
			t.Error("one request in flight is allowed")
		}
	})
}

func memHead(t *testing.T, s upload.Store) (upload.Info, error) {
	t.Helper()
	return s.Put(t.Context(), "head", upload.BodyFromBytes([]byte("v")), upload.PutOptions{})
}
