package probe_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/memstore"
	"github.com/tidemark/tidemark/upload/probe"
)

// twoSteps looks at an object's version, and puts the object a little later.
type twoSteps struct {
	upload.Store
	throttle atomic.Int64 // so many puts are throttled first
}

func (s *twoSteps) Put(ctx context.Context, name string, body upload.Body, o upload.PutOptions) (upload.Info, error) {
	if s.throttle.Add(-1) >= 0 {
		return upload.Info{}, &upload.Error{Op: "put", Name: name, Err: upload.ErrThrottled}
	}
	info, err := s.Head(ctx, name)
	if o.IfAbsent && err == nil || o.IfMatch != "" && info.Version != o.IfMatch {
		return upload.Info{}, &upload.Error{Op: "put", Name: name, Err: upload.ErrPrecondition}
	}
	time.Sleep(3 * time.Millisecond)
	return s.Store.Put(ctx, name, body, upload.PutOptions{})
}

// I4: a store that lets two writers win is caught, also once it has throttled, after which
// other requests of the probe come one by one.
func TestTwoWritersThatWinAreCaught(t *testing.T) {
	for _, throttled := range []int64{0, 1, 5} {
		s := &twoSteps{Store: memstore.New()}
		s.throttle.Store(throttled)
		if _, err := probe.Swap(probe.StartRaces).Run(t.Context(), probe.New(s)); !errors.Is(err, upload.ErrUnsupported) {
			t.Errorf("with %d puts throttled first: %v", throttled, err)
		}
	}
}

// A store that throttles and compares and swaps in one step passes, slowly.
func TestRacesOfAStoreThatThrottles(t *testing.T) {
	s := &fair{Store: memstore.New()}
	if _, err := probe.Swap(2).Run(t.Context(), probe.New(s)); err != nil {
		t.Error(err)
	}
	s.all = true
	if _, err := probe.Swap(1).Run(t.Context(), probe.New(s)); !errors.Is(err, upload.ErrThrottled) {
		t.Errorf("a store that throttles all: %v", err)
	}
}

// fair throttles every fourth put, or all.
type fair struct {
	upload.Store
	n   atomic.Int64
	all bool
}

func (s *fair) Put(ctx context.Context, name string, body upload.Body, o upload.PutOptions) (upload.Info, error) {
	if s.all || s.n.Add(1)%4 == 0 {
		return upload.Info{}, &upload.Error{Op: "put", Name: name, Err: upload.ErrThrottled}
	}
	return s.Store.Put(ctx, name, body, o)
}
