package tracestore_test

import (
	"io"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/faultstore"
	"github.com/tidemark/tidemark/upload/memstore"
	"github.com/tidemark/tidemark/upload/storetest"
	"github.com/tidemark/tidemark/upload/tracestore"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) upload.Store { return tracestore.Wrap(memstore.New(), io.Discard) })
}

func TestTrace(t *testing.T) {
	var trace strings.Builder
	s := tracestore.Wrap(faultstore.Wrap(memstore.New(), faultstore.OnIndex(9, faultstore.Fault{After: faultstore.ErrInjected})), &trace)
	put := func(name string, o upload.PutOptions) upload.Info {
		info, _ := s.Put(t.Context(), name, upload.BodyFromBytes([]byte("12345")), o)
		return info
	}
	head := put("head", upload.PutOptions{IfAbsent: true})
	put("head", upload.PutOptions{IfAbsent: true})
	put("head", upload.PutOptions{IfMatch: head.Version})
	put("data/1", upload.PutOptions{})
	_, _, _ = s.Get(t.Context(), "data/2")
	_, _ = s.GetRange(t.Context(), "data/1", 1, 3)
	_, _ = s.Head(t.Context(), "head")
	_ = s.Copy(t.Context(), "data/1", "data/3")
	for range s.List(t.Context(), "data/") {
	}
	for range s.List(t.Context(), "") {
	}
	_ = s.Delete(t.Context(), "data/1", "data/3")
	for range s.Uploads(t.Context(), "data/") {
	}
	_ = s.AbortUpload(t.Context(), "data/1")
	want := `put head 5 if-absent: ok
put head 5 if-absent: precondition failed
put head 5 if-match: ok
put data/1 5: ok
get data/2: object does not exist
get data/1 [1,4): ok
head head: ok
copy data/1 data/3: ok
list data/: 2
list : 3, then injected fault
delete data/1 data/3: ok
uploads data/: 0
abort data/1: ok
`
	if got := trace.String(); got != want {
		t.Errorf("trace is\n%s\nwant\n%s", got, want)
	}
}
