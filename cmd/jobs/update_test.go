package jobs_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/tidemark/tidemark/cmd/jobs"
	"github.com/tidemark/tidemark/engine"
)

// Every record of update is applied once, at any parallelism, and its splits
// say which were read.
func TestUpdate(t *testing.T) {
	for _, exponent := range []float64{0, 0.99} {
		testUpdate(t, jobs.Options{Events: 5000, Keys: 700, ValueBytes: 20, ZipfExponent: exponent, Digest: true})
	}
}

func testUpdate(t *testing.T, o jobs.Options) {
	t.Helper()
	want, rows := run(t, "update", o, 1).Digest.Sum()
	if rows != o.Keys {
		t.Errorf("%d rows, want one of each of %d keys", rows, o.Keys)
	}
	for _, parallelism := range []int{2, 3} {
		if got, _ := run(t, "update", o, parallelism).Digest.Sum(); got != want {
			t.Errorf("parallelism %d: digest %016x, want %016x", parallelism, got, want)
		}
	}
	o.Output = t.TempDir()
	run(t, "update", o, 2)
	writes := int64(0)
	for _, row := range rowsOf(t, o.Output) {
		if row.Writes < 1 {
			t.Errorf("key %d was written %d times, want at least once", row.Key, row.Writes)
		}
		writes += row.Writes
	}
	if writes != o.Events {
		t.Errorf("%d writes, want %d", writes, o.Events)
	}
}

func rowsOf(t *testing.T, dir string) []jobs.KeyWrites {
	return rows[jobs.KeyWrites](t, dir)
}

func TestUpdateSplits(t *testing.T) {
	u := jobs.UpdateKeysOf(jobs.Options{Events: 100, Keys: 10})
	splits, err := u.Splits(context.Background(), 3)
	if err != nil {
		t.Fatal(err)
	}
	r, err := u.Open(engine.SourceContext{Context: context.Background()}, splits[1:2])
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Read(context.Background(), make([]uint64, 0, 5))
	if err != nil || len(got) != 5 {
		t.Fatalf("read %d records, %v; want 5", len(got), err)
	}
	s, err := jobs.ParseUpdateSplit(r.Splits()[0])
	if err != nil || s != (jobs.UpdateSplit{First: 1, Stride: 3, Read: 5}) {
		t.Fatalf("split %+v, %v", s, err)
	}
	for i, key := range got {
		if want := u.Key(s.First + int64(i)*s.Stride); key != want {
			t.Errorf("record %d is key %d, want %d", i, key, want)
		}
	}
	if _, err := jobs.ParseUpdateSplit([]byte("other")); err == nil {
		t.Error("a split of another source was taken")
	}
}

// The pace holds back draws only, and every record comes.
func TestUpdatePaced(t *testing.T) {
	u := jobs.UpdateKeysOf(jobs.Options{Events: 120, Keys: 100, UpdatesPerSecond: 10_000})
	splits, err := u.Splits(context.Background(), 2)
	if err != nil {
		t.Fatal(err)
	}
	r, err := u.Open(engine.SourceContext{Context: context.Background()}, splits)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Read(context.Background(), make([]uint64, 0, 500))
	if err != nil || len(got) != 100 {
		t.Fatalf("first %d records, %v; want the 100 keys", len(got), err)
	}
	for err == nil {
		var more []uint64
		more, err = r.Read(context.Background(), make([]uint64, 0, 500))
		got = append(got, more...)
	}
	if !errors.Is(err, io.EOF) || len(got) != 120 {
		t.Errorf("%d records, %v; want 120", len(got), err)
	}
}

func TestUpdateOptions(t *testing.T) {
	for name, o := range map[string]jobs.Options{
		"update": {Events: 10, Keys: 20},
		"count":  {ValueBytes: 10},
		"q0":     {UpdatesPerSecond: 1},
		"q17":    {ZipfExponent: 1},
	} {
		if _, _, err := jobs.Build(name, o); !errors.Is(err, jobs.ErrOptions) {
			t.Errorf("%s %+v: %v, want an error of the options", name, o, err)
		}
	}
}
