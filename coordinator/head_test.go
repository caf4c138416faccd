package coordinator_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
)

const goldenHead = "testdata/head_v2.golden"

var at = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

// someHead has a value in every field.
func someHead() coordinator.Head {
	return coordinator.Head{
		Version: 9, Edit: "n-5", Job: "flights", Graph: "0123456789abcdef", Epoch: 3, NextID: 44, Writer: "n", Leader: "10.0.0.7:7480", Parallelism: 6,
		Stopped: &coordinator.Stopped{Checkpoint: 43, Savepoint: "before-upgrade", Drained: true, Reason: "upgrade to 1.4", Made: at},
		Restore: &coordinator.AppliedRestore{Request: "41", Epoch: 2, Made: at},
		Policy:  &coordinator.RetentionPolicy{Newest: 3, WithinSeconds: 3600, Hourly: 24, Daily: 7, Weekly: 4, Monthly: 12, OnCancel: coordinator.SurviveAll, OnFinish: coordinator.SurviveNewest},
		History: &coordinator.ObjectRef{Name: "history/3-17", Bytes: 900, CRC32C: 5},
		Retained: []coordinator.Retained{
			{ID: 41, Epoch: 2, Base: 40, Kind: checkpoint.Savepoint, Triggered: at, Created: at, KeptBy: []string{"pin:release-3"}, FullBytes: 7, NewBytes: 3, ManifestBytes: 400, ManifestCRC32C: 1},
			{ID: 43, Epoch: 3, Base: 41, Kind: checkpoint.Final, Triggered: at, Created: at, KeptBy: []string{"newest", "count"}},
		},
		Savepoints: []coordinator.Savepoint{{Name: "before-upgrade", Format: coordinator.NativeSavepoint, Checkpoint: 42, Epoch: 3, Place: "savepoints/before-upgrade/", Bytes: 12, Reason: "upgrade", Made: at}},
		Tags:       []coordinator.Tag{{Name: "2026-01-02", Checkpoint: 43, Reason: "daily", Made: at, Until: at.Add(time.Hour)}},
		Pins:       []coordinator.Pin{{Name: "release-3", Checkpoint: 41, Reason: "release 3 starts from it", Made: at}},
		Claims:     []coordinator.Claim{{Store: "s3://other", Job: "fork", Checkpoint: 41, Mode: coordinator.ClaimShare, Reason: "trial", Made: at}},
		Borrows:    []coordinator.Borrow{{Store: "s3://third", Job: "parent", Checkpoint: 7, Epoch: 1, Mode: coordinator.ClaimOwn, Made: at}},
	}
}

func encodeHead(t testing.TB, h coordinator.Head) []byte {
	t.Helper()
	b, err := coordinator.EncodeHead(h)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A change of the bytes is a new version of the format.
func TestGoldenHead(t *testing.T) {
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(goldenHead, encodeHead(t, someHead()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenHead)
	if err != nil {
		t.Fatal(err)
	}
	if got := encodeHead(t, someHead()); !bytes.Equal(got, want) {
		t.Errorf("head is written as\n%s\nand was\n%s", got, want)
	}
	h, err := coordinator.DecodeHead(want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(someHead(), h); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
}

// The head that the other tests change has a value in every field.
func TestSomeHeadIsFull(t *testing.T) {
	var empty func(path string, v reflect.Value)
	empty = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				break
			}
			for i := range v.NumField() {
				empty(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
			return
		case reflect.Slice:
			if v.Len() > 0 {
				empty(path, v.Index(0))
			}
		case reflect.Pointer:
			if !v.IsNil() {
				empty(path, v.Elem())
				return
			}
		}
		if v.IsZero() && path != "Head.Pins.Until" {
			t.Errorf("%s is empty", path)
		}
	}
	empty("Head", reflect.ValueOf(someHead()))
}

// I1: what is written is what is read.
func TestHeadRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHead(t)
		b, err := coordinator.EncodeHead(h)
		if err != nil {
			t.Fatal(err)
		}
		got, err := coordinator.DecodeHead(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(h, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-written +read):\n%s", diff)
		}
	})
}

// drawHead draws how many there are of each, and texts with all that JSON must
// spell in another way.
func drawHead(t *rapid.T) coordinator.Head {
	h := someHead()
	name := rapid.StringN(1, 20, 200)
	h.Version = rapid.Uint64Range(1, 1<<64-1).Draw(t, "version")
	h.Job, h.Edit, h.Leader = name.Draw(t, "job"), name.Draw(t, "edit"), rapid.StringN(0, 20, 200).Draw(t, "leader")
	made := time.Unix(rapid.Int64Range(0, 1<<35).Draw(t, "made"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).UTC()
	some := func(what string) int { return rapid.IntRange(0, 4).Draw(t, what) }
	for _, drop := range []func(){func() { h.Stopped = nil }, func() { h.Restore = nil }, func() { h.Policy = nil }, func() { h.History = nil }} {
		if rapid.Bool().Draw(t, "drop") {
			drop()
		}
	}
	h.Retained, h.Pins, h.Tags, h.Claims, h.Borrows, h.Savepoints = nil, nil, nil, nil, nil, nil
	h.NextID = checkpoint.ID(100)
	for i := range 1 + some("retained") {
		h.Retained = append(h.Retained, coordinator.Retained{ID: checkpoint.ID(10 + i), Epoch: 3, Triggered: made, Created: made, KeptBy: []string{name.Draw(t, "why")}})
	}
	on := func() checkpoint.ID { return rapid.SampledFrom(h.Retained).Draw(t, "on").ID }
	for i := range some("pins") {
		h.Pins = append(h.Pins, coordinator.Pin{Name: fmt.Sprint("pin", i), Checkpoint: on(), Reason: name.Draw(t, "reason"), Made: made})
	}
	for i := range some("tags") {
		h.Tags = append(h.Tags, coordinator.Tag{Name: fmt.Sprint("tag", i), Checkpoint: on(), Made: made, Until: made.Add(time.Second)})
	}
	for i := range some("claims") {
		h.Claims = append(h.Claims, coordinator.Claim{Job: fmt.Sprint("job", i), Checkpoint: on(), Mode: coordinator.ClaimOwn, Made: made})
	}
	for i := range some("borrows") {
		h.Borrows = append(h.Borrows, coordinator.Borrow{Job: fmt.Sprint("job", i), Checkpoint: 1, Epoch: 1, Mode: coordinator.ClaimShare, Made: made})
	}
	for i := range some("savepoints") {
		h.Savepoints = append(h.Savepoints, coordinator.Savepoint{Name: fmt.Sprint("s", i), Format: coordinator.PortableSavepoint, Checkpoint: 5, Epoch: 1, Place: "s3://b/x", Made: made})
	}
	return h
}

// I10: no changed byte and no truncation goes unnoticed.
func TestHeadNoticesEveryMutation(t *testing.T) {
	good := encodeHead(t, someHead())
	for i := range good {
		for _, bit := range []byte{1, 1 << (i % 8), 0x80} {
			b := bytes.Clone(good)
			b[i] ^= bit
			if h, err := coordinator.DecodeHead(b); !errors.Is(err, coordinator.ErrHeadFormat) {
				t.Fatalf("byte %d ^ %#x: read as %+v, %v", i, bit, h, err)
			}
		}
		if _, err := coordinator.DecodeHead(good[:i]); !errors.Is(err, coordinator.ErrHeadFormat) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
}

// headOf builds a head of any body, with a right checksum.
func headOf(format int, body string) []byte {
	return fmt.Appendf(nil, "tidemark-head %d %08x\n%s", format, crc32.Checksum([]byte(body), crc32.MakeTable(crc32.Castagnoli)), body)
}

// I10: whatever is not completely understood is refused, with the reason.
func TestHeadRefusesWhatItDoesNotUnderstand(t *testing.T) {
	_, plain, _ := strings.Cut(string(encodeHead(t, someHead())), "\n")
	edit := func(old, new string) []byte {
		t.Helper()
		edited := strings.Replace(plain, old, new, 1)
		if edited == plain {
			t.Fatalf("no %q in head", old)
		}
		return headOf(2, edited)
	}
	for _, c := range []struct {
		name string
		b    []byte
		says string
	}{
		{"empty", nil, "does not start with"},
		{"format 1", headOf(1, plain), "its format is 1, which no release wrote, and this program reads 2 only"},
		{"format 3", headOf(3, plain), "its format is 3, and this program reads 2 only"},
		{"unknown field", edit(`"job"`, `"colour": 1, "job"`), "colour"},
		{"unknown field inside", edit(`"drained"`, `"colour": 1, "drained"`), "colour"},
		{"doubled field", edit(`"job"`, `"job": "x", "job"`), "the form in which"},
		{"other case", edit(`"job"`, `"JOB"`), "the form in which"},
		{"space", edit(`"job"`, ` "job"`), "the form in which"},
		{"missing field", edit(`"parallelism": 6,`, ``), "the form in which"},
		{"not in UTC", edit(`T03:04:05.000000006Z`, `T05:04:05.000000006+02:00`), "UTC"},
		{"something behind", headOf(2, plain+"{}"), "behind its end"},
		{"kind", edit(`"savepoint"`, `"sudden"`), "sudden"},
		{"mode", edit(`"share"`, `"steal"`), "steal"},
		{"survivors", edit(`"all"`, `"some"`), "some"},
		{"savepoint's format", edit(`"native"`, `"odd"`), "odd"},
		{"large", headOf(2, plain+strings.Repeat(" ", coordinator.MaxHeadBytes)), "at most"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := coordinator.DecodeHead(c.b)
			if !errors.Is(err, coordinator.ErrHeadFormat) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want it to say %q", err, c.says)
			}
		})
	}
}

func TestEncodeHeadRefusesWhatCannotBe(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for name, change := range map[string]func(*coordinator.Head){
		"no version":          func(h *coordinator.Head) { h.Version = 0 },
		"no job":              func(h *coordinator.Head) { h.Job = "" },
		"no edit":             func(h *coordinator.Head) { h.Edit = "" },
		"long job":            func(h *coordinator.Head) { h.Job = long },
		"job not UTF-8":       func(h *coordinator.Head) { h.Job = "\xff" },
		"parallelism":         func(h *coordinator.Head) { h.Parallelism = -1 },
		"ids fall":            func(h *coordinator.Head) { h.Retained[1].ID = 41 },
		"id not given out":    func(h *coordinator.Head) { h.NextID = 43 },
		"epoch to come":       func(h *coordinator.Head) { h.Retained[1].Epoch = 4 },
		"base after":          func(h *coordinator.Head) { h.Retained[1].Base = 43 },
		"negative size":       func(h *coordinator.Head) { h.Retained[1].ManifestBytes = -1 },
		"pin on nothing":      func(h *coordinator.Head) { h.Pins[0].Checkpoint = 42 },
		"pin without a name":  func(h *coordinator.Head) { h.Pins[0].Name = "" },
		"pin ends before":     func(h *coordinator.Head) { h.Pins[0].Until = at.Add(-1) },
		"long reason":         func(h *coordinator.Head) { h.Pins[0].Reason = long },
		"tag on nothing":      func(h *coordinator.Head) { h.Tags[0].Checkpoint = 42 },
		"tag doubled":         func(h *coordinator.Head) { h.Tags = append(h.Tags, h.Tags[0]) },
		"claim on nothing":    func(h *coordinator.Head) { h.Claims[0].Checkpoint = 1 },
		"claim without mode":  func(h *coordinator.Head) { h.Claims[0].Mode = "" },
		"claim doubled":       func(h *coordinator.Head) { h.Claims = append(h.Claims, h.Claims[0]) },
		"borrow of nothing":   func(h *coordinator.Head) { h.Borrows[0].Epoch = 0 },
		"borrow doubled":      func(h *coordinator.Head) { h.Borrows = append(h.Borrows, h.Borrows[0]) },
		"savepoint to come":   func(h *coordinator.Head) { h.Savepoints[0].Checkpoint = 44 },
		"savepoint nowhere":   func(h *coordinator.Head) { h.Savepoints[0].Place = "" },
		"stopped to come":     func(h *coordinator.Head) { h.Stopped.Checkpoint = 44 },
		"restore to come":     func(h *coordinator.Head) { h.Restore.Epoch = 4 },
		"policy keeps none":   func(h *coordinator.Head) { h.Policy.Newest = 0 },
		"negative policy":     func(h *coordinator.Head) { h.Policy.Monthly = -1 },
		"history elsewhere":   func(h *coordinator.Head) { h.History.Name = "data/x" },
		"time not in UTC":     func(h *coordinator.Head) { h.Stopped.Made = at.In(time.FixedZone("CET", 3600)) },
		"kind that is no one": func(h *coordinator.Head) { h.Retained[0].Kind = 77 },
	} {
		h := someHead()
		change(&h)
		if b, err := coordinator.EncodeHead(h); err == nil {
			t.Errorf("%s: encoded as\n%s", name, b)
		}
	}
}

// A head that could not be read again is not written.
func TestHeadIsBoundedWhenItIsWritten(t *testing.T) {
	h := someHead()
	for i := range 60_000 {
		r := h.Retained[0]
		r.ID = checkpoint.ID(100 + i)
		h.Retained = append(h.Retained, r)
	}
	h.NextID = 1 << 40
	_, err := coordinator.EncodeHead(h)
	if !errors.Is(err, coordinator.ErrHeadSize) || !strings.Contains(err.Error(), "keep fewer") {
		t.Fatal(err)
	}
}

func FuzzDecodeHead(f *testing.F) {
	good, err := os.ReadFile(goldenHead)
	if err != nil {
		f.Fatal(err)
	}
	_, plain, _ := strings.Cut(string(good), "\n")
	f.Add([]byte(plain))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		b := headOf(2, string(body)) // or the checksum keeps the fuzzer out
		h, err := coordinator.DecodeHead(b)
		if err != nil {
			if !errors.Is(err, coordinator.ErrHeadFormat) {
				t.Fatal(err)
			}
			return
		}
		if again, err := coordinator.EncodeHead(h); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted, but is written as\n%s\n%v", again, err)
		}
	})
}

// The cost of head in a commit, with a thousand checkpoints retained.
func BenchmarkHead(b *testing.B) {
	h := someHead()
	for i := range 1000 {
		r := h.Retained[0]
		r.ID = checkpoint.ID(100 + i)
		h.Retained = append(h.Retained, r)
	}
	h.NextID = 1 << 40
	good := encodeHead(b, h)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			encodeHead(b, h)
		}
		b.ReportMetric(float64(len(good)), "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := coordinator.DecodeHead(good); err != nil {
				b.Fatal(err)
			}
		}
	})
	if !json.Valid(good[bytes.IndexByte(good, '\n'):]) {
		b.Fatal("not JSON")
	}
}

// Every field of head is explained in FORMAT.md.
func TestFormatDocumentNamesEveryField(t *testing.T) {
	text, err := os.ReadFile("../incremental/FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, head, _ := strings.Cut(string(text), "## Head")
	for line := range strings.Lines(string(encodeHead(t, someHead()))) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && !strings.Contains(head, "`"+strings.Trim(name, `"`)+"`") {
			t.Errorf("FORMAT.md does not name the field %s of head", name)
		}
	}
}
