package upload_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/memstore"
	"github.com/tidemark/tidemark/upload/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) } // I12

// quick are retries that take no time worth mentioning.
var quick = upload.RetryOptions{Base: time.Microsecond, Max: time.Millisecond}

func TestDecorators(t *testing.T) {
	for name, wrap := range map[string]func(upload.Store) upload.Store{
		"prefixed": func(s upload.Store) upload.Store { return upload.Prefixed(s, "jobs/a job") },
		"twice prefixed": func(s upload.Store) upload.Store {
			return upload.Prefixed(upload.Prefixed(s, "/jobs/"), "a")
		},
		"retrying": func(s upload.Store) upload.Store { return upload.Retrying(s, quick) },
		"limited": func(s upload.Store) upload.Store {
			return upload.Limited(s, upload.NewLimiter(upload.Limits{UploadBytes: 1 << 40, RestoreBytes: 1 << 40, InFlight: 2}))
		},
		"counting": func(s upload.Store) upload.Store { return upload.Counting(s, &upload.Counters{}) },
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(*testing.T) upload.Store { return wrap(memstore.New()) })
		})
	}
}

func TestPrefixedSeesNothingElse(t *testing.T) { // I2
	all := memstore.New()
	a, b := upload.Prefixed(all, "a"), upload.Prefixed(all, "ab")
	mustPut(t, a, "x", "of a")
	mustPut(t, b, "x", "of ab")
	for info, err := range a.List(t.Context(), "") {
		if err != nil || info.Name != "x" {
			t.Errorf("a lists %q, %v", info.Name, err)
		}
	}
	if err := a.Delete(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	if got := all.Names(); len(got) != 1 || got[0] != "ab/x" {
		t.Errorf("after the deletion in a there are %q", got)
	}
	if upload.Prefixed(all, "") != upload.Store(all) {
		t.Error("an empty prefix is another store")
	}
	if got := a.String(); got != "mem://memory/a" {
		t.Errorf("URL is %s", got)
	}
	r := upload.PrefixedReader(all, "ab/")
	if got, _, err := upload.ReadAll(t.Context(), r, "x", 100); err != nil || string(got) != "of ab" {
		t.Errorf("reader of ab reads %q, %v", got, err)
	}
}

func TestCounting(t *testing.T) {
	var c upload.Counters
	s := upload.Counting(memstore.New(), &c)
	mustPut(t, s, "a", "12345")
	if _, _, err := upload.ReadAll(t.Context(), s, "a", 10); err != nil {
		t.Fatal(err)
	}
	_, _ = s.Head(t.Context(), "none")                                                           // an answer
	_, _ = s.Put(t.Context(), "a", upload.BodyFromBytes(nil), upload.PutOptions{IfAbsent: true}) // an answer
	_, _ = s.Put(t.Context(), "", upload.BodyFromBytes(nil), upload.PutOptions{})                // a failure
	_, _, _ = upload.ReadAll(t.Context(), s, "none", 10)                                         // an answer
	_ = s.Delete(t.Context(), "a", "b", "c")                                                     // one operation
	for range s.List(t.Context(), "") {                                                          // one operation
	}
	want := map[string][3]int64{"put": {3, 1, 5}, "get": {2, 0, 5}, "head": {1, 0, 0}, "delete": {1, 0, 0}, "list": {1, 0, 0}}
	for _, got := range c.Snapshot() {
		if w := want[got.Op]; got.Ops != w[0] || got.Failures != w[1] || got.Bytes != w[2] {
			t.Errorf("%+v, want %v", got, w)
		}
	}
}

func mustPut(t *testing.T, s upload.Store, name, content string) upload.Info {
	t.Helper()
	info, err := s.Put(t.Context(), name, upload.BodyFromBytes([]byte(content)), upload.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return info
}
