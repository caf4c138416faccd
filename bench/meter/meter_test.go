package meter_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/tidemark/tidemark/bench/meter"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/s3store"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
	"github.com/tidemark/tidemark/upload/storeurl"
)

// What a client does against a real server through the meter is counted by kind, and the
// server accepts its signatures.
func TestCountsWhatAClientDoes(t *testing.T) {
	server := s3server.ForTest(t)
	if err := server.CreateBucket("metered"); err != nil {
		t.Fatal(err)
	}
	m, err := meter.Start(t.Context(), server.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx := t.Context()
	store, err := storeurl.Open(ctx, "s3://metered/a", storeurl.Options{S3: s3store.Options{
		Endpoint: m.Endpoint(), Region: s3server.Region, AccessKeyID: s3server.AccessKey, SecretAccessKey: s3server.SecretKey, MultipartBytes: 6 << 20, PartBytes: 5 << 20,
	}})
	if err != nil {
		t.Fatal(err)
	}
	before := m.Counts()
	put := func(name string, size int) {
		if _, err := store.Put(ctx, name, upload.BodyFromBytes(bytes.Repeat([]byte{7}, size)), upload.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	put("small", 1000)
	put("large", 11<<20)
	if b, _, err := upload.ReadAll(ctx, store, "small", 1000); err != nil || len(b) != 1000 {
		t.Fatal(len(b), err)
	}
	if _, err := store.Head(ctx, "absent"); err == nil {
		t.Fatal("an absent object is there")
	}
	for _, err := range store.List(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Delete(ctx, "small", "large"); err != nil {
		t.Fatal(err)
	}
	got := m.Counts().Since(before)
	for kind, want := range map[meter.Kind]meter.Count{
		meter.Put: {Requests: 1, In: 1000}, meter.Create: {Requests: 1}, meter.Part: {Requests: 3, In: 11 << 20}, meter.Complete: {Requests: 1},
		meter.Get: {Requests: 2, Refused: 1, Out: 1000}, meter.Head: {Requests: 1, Refused: 1}, meter.List: {Requests: 1}, meter.Delete: {Requests: 1},
	} {
		n := got[kind]
		if n.Requests != want.Requests || n.Refused != want.Refused || want.In > 0 && n.In < want.In || n.In > want.In+4<<10 || n.Out < want.Out {
			t.Errorf("%s: counted %+v, want %+v", kind, n, want)
		}
		delete(got, kind)
	}
	if len(got) > 0 {
		t.Errorf("counted besides: %+v", got)
	}
}

func TestMonth(t *testing.T) {
	c := meter.Counts{meter.Put: {Requests: 600}, meter.List: {Requests: 400}, meter.Get: {Requests: 500}, meter.Head: {Requests: 500}, meter.Delete: {Requests: 9e9}}
	if puts, gets := c.Billed(); puts != 1000 || gets != 1000 {
		t.Errorf("billed %d and %d", puts, gets)
	}
	if got := c.Month(upload.Prices{Put: 5, Get: 1}, 73*time.Hour); got < 59.99 || got > 60.01 {
		t.Errorf("a month of 730 hours costs %v, want 60", got)
	}
}
