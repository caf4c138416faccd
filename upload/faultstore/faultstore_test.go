package faultstore_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/faultstore"
	"github.com/tidemark/tidemark/upload/memstore"
	"github.com/tidemark/tidemark/upload/storetest"
)

func TestStoreWithoutFaults(t *testing.T) {
	storetest.Run(t, func(*testing.T) upload.Store { return faultstore.Wrap(memstore.New(), nil) })
}

func body(s string) upload.Body { return upload.BodyFromBytes([]byte(s)) }

func exists(t *testing.T, s upload.Reader, name string) bool {
	t.Helper()
	_, err := s.Head(t.Context(), name)
	if err != nil && !errors.Is(err, upload.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestPutFaults(t *testing.T) {
	for what, c := range map[string]struct {
		fault   faultstore.Fault
		want    error
		applied bool
	}{
		"none":   {faultstore.Fault{}, nil, true},
		"before": {faultstore.Fault{Before: upload.ErrThrottled}, upload.ErrThrottled, false},
		"after":  {faultstore.Fault{After: faultstore.ErrInjected}, faultstore.ErrInjected, true},
		"cut":    {faultstore.Fault{Cut: 2, CutShort: io.ErrUnexpectedEOF}, io.ErrUnexpectedEOF, false},
		"late":   {faultstore.Fault{Late: faultstore.ErrInjected}, faultstore.ErrInjected, false},
		"twice":  {faultstore.Fault{Twice: true}, nil, true},
	} {
		inner := memstore.New()
		s := faultstore.Wrap(inner, faultstore.OnIndex(0, c.fault))
		_, err := s.Put(t.Context(), "a", body("hello"), upload.PutOptions{})
		if !errors.Is(err, c.want) || exists(t, inner, "a") != c.applied {
			t.Errorf("%s: error %v, applied %v", what, err, exists(t, inner, "a"))
		}
		if injected := s.Injected() == 1; injected == (what == "none") {
			t.Errorf("%s: %d faults were injected", what, s.Injected())
		}
		if _, err := s.Put(t.Context(), "b", body("hello"), upload.PutOptions{}); err != nil || s.Ops() != 2 {
			t.Errorf("%s: next operation: %v; %d operations", what, err, s.Ops())
		}
	}
}

func TestLateWrites(t *testing.T) { // I6
	inner := memstore.New()
	s := faultstore.Wrap(inner, nil)
	info, err := s.Put(t.Context(), "head", body("1"), upload.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.Set(faultstore.When(func(op faultstore.Op) bool { return op.Kind.Writes() }, faultstore.Fault{Late: faultstore.ErrInjected}))
	for _, content := range []string{"2", "3"} { // on the same version: one of them must lose
		if _, err := s.Put(t.Context(), "head", body(content), upload.PutOptions{IfMatch: info.Version}); !errors.Is(err, faultstore.ErrInjected) {
			t.Fatal(err)
		}
	}
	if err := s.Delete(t.Context(), "other"); !errors.Is(err, faultstore.ErrInjected) {
		t.Fatal(err)
	}
	if b, _, err := upload.ReadAll(t.Context(), s, "head", 10); err != nil || string(b) != "1" {
		t.Errorf("before it is late: %q, %v", b, err)
	}
	ends := s.ApplyLate(t.Context())
	if len(ends) != 3 || ends[0] != nil || !errors.Is(ends[1], upload.ErrPrecondition) || ends[2] != nil {
		t.Errorf("late writes ended %v", ends)
	}
	if b, _, err := upload.ReadAll(t.Context(), s, "head", 10); err != nil || string(b) != "2" {
		t.Errorf("after it was late: %q, %v", b, err)
	}
	if ends := s.ApplyLate(t.Context()); len(ends) != 0 {
		t.Errorf("applied again: %v", ends)
	}
}

func TestGetFaults(t *testing.T) {
	for what, c := range map[string]struct {
		fault        faultstore.Fault
		whole, piece error
		rangeBytes   string
	}{
		"cut":  {faultstore.Fault{Cut: 2, CutShort: io.ErrUnexpectedEOF}, io.ErrUnexpectedEOF, io.ErrUnexpectedEOF, "he"},
		"flip": {faultstore.Fault{Flip: true, FlipAt: 1}, upload.ErrCorrupt, nil, "hdllo"},
		"far":  {faultstore.Fault{Flip: true, FlipAt: 100}, upload.ErrCorrupt, nil, "helln"},
	} {
		inner := memstore.New()
		if _, err := inner.Put(t.Context(), "a", body("hello"), upload.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		s := faultstore.Wrap(inner, faultstore.When(faultstore.OfKind(faultstore.Get, faultstore.GetRange), c.fault))
		if _, _, err := upload.ReadAll(t.Context(), s, "a", 10); !errors.Is(err, c.whole) {
			t.Errorf("%s: get: %v", what, err)
		}
		r, err := s.GetRange(t.Context(), "a", 0, 5)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); !errors.Is(err, c.piece) || string(b) != c.rangeBytes {
			t.Errorf("%s: range: %q, %v", what, b, err)
		}
	}
}

func TestHangAndDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := faultstore.Wrap(memstore.New(), faultstore.First(
			faultstore.OnIndex(0, faultstore.Fault{Hang: true}), faultstore.OnIndex(1, faultstore.Fault{Delay: time.Hour})))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if _, err := s.Put(ctx, "a", body("x"), upload.PutOptions{}); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("hung for %v: %v", time.Since(start), err)
		}
		start = time.Now()
		if _, err := s.Put(t.Context(), "a", body("x"), upload.PutOptions{}); err != nil || time.Since(start) != time.Hour {
			t.Errorf("delayed by %v: %v", time.Since(start), err)
		}
	})
}

func TestListFaults(t *testing.T) {
	inner := memstore.New()
	if _, err := inner.Put(t.Context(), "a", body("x"), upload.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	s := faultstore.Wrap(inner, faultstore.First(
		faultstore.OnIndex(0, faultstore.Fault{Before: upload.ErrDenied}), faultstore.OnIndex(1, faultstore.Fault{After: upload.ErrDenied})))
	for i, want := range []int{0, 1} {
		n := 0
		var failed error
		for _, err := range s.List(t.Context(), "") {
			if failed = err; err == nil {
				n++
			}
		}
		if n != want || !errors.Is(failed, upload.ErrDenied) {
			t.Errorf("list %d yielded %d objects, then %v", i, n, failed)
		}
	}
	if h := s.History(); len(h) != 2 || h[1].Kind != faultstore.List || h[1].Index != 1 {
		t.Errorf("history is %+v", h)
	}
}
