package upload_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/faultstore"
	"github.com/tidemark/tidemark/upload/memstore"
)

var ifAbsent = upload.PutOptions{IfAbsent: true}

func broken(is func(faultstore.Op) bool, times int, f faultstore.Fault) (*faultstore.Store, *memstore.Store) {
	inner := memstore.New()
	return faultstore.Wrap(inner, faultstore.Times(times, faultstore.When(is, f))), inner
}

func TestRetryUntilItSucceeds(t *testing.T) { // I6, I11
	any := func(faultstore.Op) bool { return true }
	for what, f := range map[string]faultstore.Fault{
		"before":    {Before: faultstore.ErrInjected},
		"after":     {After: faultstore.ErrInjected},
		"throttled": {Before: upload.ErrThrottled},
		"cut":       {CutShort: faultstore.ErrInjected, Cut: 3},
		"twice":     {Twice: true, After: faultstore.ErrInjected},
	} {
		t.Run(what, func(t *testing.T) {
			faults, inner := broken(any, 2, f)
			s := upload.Retrying(faults, quick)
			again := func() { faults.Set(faultstore.Times(2, faultstore.When(any, f))) }
			body := upload.BodyFromBytes([]byte("hello, world"))
			if _, err := s.Put(t.Context(), "a", body, upload.PutOptions{}); err != nil {
				t.Fatalf("put: %v", err)
			}
			again()
			if _, err := s.Put(t.Context(), "b", body, ifAbsent); err != nil {
				t.Fatalf("put if absent: %v", err)
			}
			again()
			if _, err := s.Head(t.Context(), "a"); err != nil {
				t.Errorf("head: %v", err)
			}
			again()
			if b, _, err := upload.ReadAll(t.Context(), s, "a", 100); err != nil || string(b) != "hello, world" {
				t.Errorf("get: %q, %v", b, err)
			}
			again()
			r, err := s.GetRange(t.Context(), "a", 1, 10)
			if err != nil {
				t.Fatalf("range: %v", err)
			}
			if b, err := io.ReadAll(r); err != nil || string(b) != "ello, worl" {
				t.Errorf("range: %q, %v", b, err)
			}
			again()
			var names []string
			for info, err := range s.List(t.Context(), "") {
				if err != nil {
					t.Fatalf("list: %v", err)
				}
				names = append(names, info.Name)
			}
			if got := strings.Join(names, " "); got != "a b" {
				t.Errorf("lists %s", got)
			}
			again()
			if err := s.Copy(t.Context(), "a", "c"); err != nil {
				t.Errorf("copy: %v", err)
			}
			again()
			if err := s.Delete(t.Context(), "a", "b"); err != nil {
				t.Errorf("delete: %v", err)
			}
			if got := strings.Join(inner.Names(), " "); got != "c" {
				t.Errorf("the store holds %s", got)
			}
			if faults.Injected() == 0 {
				t.Error("no fault was injected")
			}
		})
	}
}

func TestRetryNeverRepeatsACompareAndSwap(t *testing.T) { // I4
	for what, f := range map[string]faultstore.Fault{
		"before": {Before: faultstore.ErrInjected},
		"after":  {After: faultstore.ErrInjected},
		"late":   {Late: faultstore.ErrInjected},
	} {
		faults, _ := broken(faultstore.OfKind(faultstore.Put), 1, f)
		faults.Set(nil)
		s := upload.Retrying(faults, quick)
		info := mustPut(t, s, "head", "1")
		faults.Set(faultstore.When(faultstore.OfKind(faultstore.Put), f))
		before := faults.Ops()
		_, err := s.Put(t.Context(), "head", upload.BodyFromBytes([]byte("2")), upload.PutOptions{IfMatch: info.Version})
		if !errors.Is(err, faultstore.ErrInjected) {
			t.Errorf("%s: %v", what, err)
		}
		if n := faults.Ops() - before; n != 1 {
			t.Errorf("%s: sent %d times", what, n)
		}
	}
	// A store that says it applied nothing may be asked again.
	faults, _ := broken(faultstore.OfKind(faultstore.Put), 0, faultstore.Fault{})
	s := upload.Retrying(faults, quick)
	info := mustPut(t, s, "head", "1")
	faults.Set(faultstore.Times(2, faultstore.When(faultstore.OfKind(faultstore.Put), faultstore.Fault{Before: upload.ErrThrottled})))
	if _, err := s.Put(t.Context(), "head", upload.BodyFromBytes([]byte("2")), upload.PutOptions{IfMatch: info.Version}); err != nil {
		t.Errorf("throttled: %v", err)
	}
}

func TestRetryResolvesALostAcknowledgement(t *testing.T) { // I6, I7
	first := faultstore.OnIndex(0, faultstore.Fault{After: faultstore.ErrInjected})
	t.Run("ours", func(t *testing.T) {
		inner := memstore.New()
		s := upload.Retrying(faultstore.Wrap(inner, first), quick)
		info, err := s.Put(t.Context(), "a", upload.BodyFromBytes([]byte("mine")), ifAbsent)
		if err != nil {
			t.Fatal(err)
		}
		if head, err := inner.Head(t.Context(), "a"); err != nil || head.Version != info.Version {
			t.Errorf("put says %+v, head %+v, %v", info, head, err)
		}
	})
	for what, content := range map[string]string{"same length": "them", "another length": "others"} {
		t.Run(what, func(t *testing.T) {
			inner := memstore.New()
			mustPut(t, inner, "a", content)
			// The first try fails before it is applied, so the object is theirs.
			lost := faultstore.OnIndex(0, faultstore.Fault{Before: faultstore.ErrInjected})
			s := upload.Retrying(faultstore.Wrap(inner, lost), quick)
			if _, err := s.Put(t.Context(), "a", upload.BodyFromBytes([]byte("mine")), ifAbsent); !errors.Is(err, upload.ErrPrecondition) {
				t.Errorf("put over an object of %q: %v", content, err)
			}
		})
	}
	t.Run("first answer", func(t *testing.T) {
		// The very first answer is no lost acknowledgement, whatever the content.
		inner := memstore.New()
		mustPut(t, inner, "a", "mine")
		s := upload.Retrying(inner, quick)
		if _, err := s.Put(t.Context(), "a", upload.BodyFromBytes([]byte("mine")), ifAbsent); !errors.Is(err, upload.ErrPrecondition) {
			t.Errorf("put over an object of the same content: %v", err)
		}
	})
	t.Run("read back fails", func(t *testing.T) {
		inner := memstore.New()
		s := upload.Retrying(faultstore.Wrap(inner, faultstore.First(first,
			faultstore.When(faultstore.OfKind(faultstore.Get), faultstore.Fault{Before: upload.ErrDenied}))), quick)
		_, err := s.Put(t.Context(), "a", upload.BodyFromBytes([]byte("mine")), ifAbsent)
		if !errors.Is(err, upload.ErrDenied) {
			t.Errorf("put that cannot be read back: %v", err)
		}
	})
}

func TestRetryGivesUp(t *testing.T) { // I11
	for _, permanent := range []error{upload.ErrNotExist, upload.ErrDenied, upload.ErrNoBucket, upload.ErrNoSpace, upload.ErrCorrupt, upload.ErrUnsupported} {
		s := faultstore.Wrap(memstore.New(), faultstore.When(func(faultstore.Op) bool { return true }, faultstore.Fault{Before: permanent}))
		_, err := upload.Retrying(s, quick).Head(t.Context(), "a")
		if !errors.Is(err, permanent) || s.Ops() != 1 {
			t.Errorf("%v: %v after %d tries", permanent, err, s.Ops())
		}
	}
	s := faultstore.Wrap(memstore.New(), faultstore.When(func(faultstore.Op) bool { return true }, faultstore.Fault{Before: faultstore.ErrInjected}))
	o := quick
	o.Attempts = 4
	var told []string
	o.Retried = func(r upload.Retry) { told = append(told, r.Op+" "+r.Name) }
	_, err := upload.Retrying(s, o).Head(t.Context(), "a")
	if !errors.Is(err, faultstore.ErrInjected) || s.Ops() != 4 || !strings.Contains(err.Error(), "4 tries") {
		t.Errorf("%v after %d tries", err, s.Ops())
	}
	if got := strings.Join(told, ", "); got != "head a, head a, head a" {
		t.Errorf("told of %s", got)
	}
}

func TestRetryPauses(t *testing.T) { // I11
	always := faultstore.When(func(faultstore.Op) bool { return true }, faultstore.Fault{Before: faultstore.ErrInjected})
	synctest.Test(t, func(t *testing.T) {
		s := faultstore.Wrap(memstore.New(), always)
		o := upload.RetryOptions{Attempts: 1000, Elapsed: time.Minute, Base: time.Second, Max: 8 * time.Second}
		var pauses []time.Duration
		o.Retried = func(r upload.Retry) { pauses = append(pauses, r.Pause) }
		start := time.Now()
		_, err := upload.Retrying(s, o).Head(t.Context(), "a")
		if took := time.Since(start); !errors.Is(err, faultstore.ErrInjected) || took > time.Minute || took < 20*time.Second {
			t.Errorf("gave up after %v: %v", took, err)
		}
		limit := time.Second
		for i, p := range pauses {
			if p > limit {
				t.Errorf("pause %d is %v, longer than %v", i, p, limit)
			}
			limit = min(2*limit, 8*time.Second)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := upload.Retrying(faultstore.Wrap(memstore.New(), always), upload.RetryOptions{Attempts: 1000, Elapsed: -1, Base: time.Hour, Max: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Head(ctx, "a")
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, faultstore.ErrInjected) {
			t.Errorf("the end of the context in a pause: %v", err)
		}
	})
}

// TestResume cuts a body again and again.
func TestResume(t *testing.T) {
	want := strings.Repeat("0123456789", 30)
	for _, known := range []bool{true, false} {
		inner := memstore.New()
		mustPut(t, inner, "a", want)
		faults := faultstore.Wrap(&withoutChecksums{inner, known}, faultstore.When(
			faultstore.OfKind(faultstore.Get, faultstore.GetRange), faultstore.Fault{CutShort: io.ErrUnexpectedEOF, Cut: 100}))
		s := upload.Retrying(faults, quick)
		b, _, err := upload.ReadAll(t.Context(), s, "a", 1000)
		if known && (err != nil || string(b) != want) {
			t.Errorf("read %d bytes, %v", len(b), err)
		}
		if !known && err == nil {
			// It begins anew each time, and so gets no further than the cut.
			t.Error("read beyond the cut")
		}
		faults.Set(faultstore.Times(1, faultstore.When(faultstore.OfKind(faultstore.Get), faultstore.Fault{CutShort: io.ErrUnexpectedEOF, Cut: 100})))
		if b, _, err := upload.ReadAll(t.Context(), s, "a", 1000); err != nil || string(b) != want {
			t.Errorf("after one cut read %d bytes, %v", len(b), err)
		}
	}
}

// TestResumeOfAnotherObject replaces an object while its body is being read.
func TestResumeOfAnotherObject(t *testing.T) { // I10
	for _, known := range []bool{true, false} {
		t.Run(fmt.Sprint(known), func(t *testing.T) {
			inner := memstore.New()
			mustPut(t, inner, "a", strings.Repeat("old", 100))
			faults := faultstore.Wrap(&withoutChecksums{inner, known}, faultstore.OnIndex(0, faultstore.Fault{CutShort: io.ErrUnexpectedEOF, Cut: 100}))
			rc, _, err := upload.Retrying(faults, quick).Get(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			mustPut(t, inner, "a", strings.Repeat("new", 100))
			if b, err := io.ReadAll(rc); !errors.Is(err, upload.ErrCorrupt) {
				t.Errorf("read %d bytes of two objects, %v", len(b), err)
			}
			if err := rc.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// withoutChecksums is a store that may not know them.
type withoutChecksums struct {
	upload.Store
	known bool
}

func (s *withoutChecksums) Get(ctx context.Context, name string) (io.ReadCloser, upload.Info, error) {
	rc, info, err := s.Store.Get(ctx, name)
	if !s.known {
		info.CRC32C, info.HasCRC32C = 0, false
	}
	return rc, info, err
}

// A zero option means its default, and a negative one that has no meaning is refused.
func TestRetryOptionsValidate(t *testing.T) {
	for _, c := range []struct {
		o    upload.RetryOptions
		good bool
	}{
		{upload.RetryOptions{}, true},
		{upload.RetryOptions{Attempts: 1, Base: 1, Max: 1, Elapsed: -1}, true},
		{upload.RetryOptions{Attempts: -1}, false},
		{upload.RetryOptions{Base: -1}, false},
		{upload.RetryOptions{Max: -1}, false},
	} {
		if err := c.o.Validate(); (err == nil) != c.good {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}
