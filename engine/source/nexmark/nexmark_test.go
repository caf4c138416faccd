package nexmark_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source/nexmark"
)

// drain opens the splits and reads them to the end.
func drain[T any](t *testing.T, s nexmark.Source[T], splits []engine.Split) []T {
	t.Helper()
	r, err := s.Open(engine.SourceContext{}, splits)
	if err != nil {
		t.Fatal(err)
	}
	return readAll(t, r)
}

func readAll[T any](t *testing.T, r engine.Reader[T]) (all []T) {
	t.Helper()
	for batch := make([]T, 0, 100); ; {
		got, err := r.Read(context.Background(), batch)
		all = append(all, got...)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// deal returns the splits of one subtask, as the engine deals them.
func deal(splits []engine.Split, parallelism, index int) (mine []engine.Split) {
	for i := index; i < len(splits); i += parallelism {
		mine = append(mine, splits[i])
	}
	return mine
}

func splitsOf[T any](t *testing.T, s nexmark.Source[T], parallelism int) []engine.Split {
	t.Helper()
	splits, err := s.Splits(context.Background(), parallelism)
	if err != nil {
		t.Fatal(err)
	}
	return splits
}

// The events are those that a Java program made of the same definition.
func TestGolden(t *testing.T) {
	f, err := os.Open("../../../testdata/nexmark/events-200.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := nexmark.Events(nexmark.Options{Events: 200, Seed: 1, RatePerSecond: 100_000})
	events := drain(t, s, splitsOf(t, s, 1))
	lines := bufio.NewScanner(f)
	n := 0
	for ; lines.Scan(); n++ {
		got, err := json.Marshal(events[n])
		if err != nil {
			t.Fatal(err)
		}
		// encoding/json escapes the ampersands of URLs.
		if got := strings.ReplaceAll(string(got), `\u0026`, "&"); got != lines.Text() {
			t.Fatalf("event %d:\n got %s\nwant %s", n, got, lines.Text())
		}
	}
	if n != 200 || len(events) != n {
		t.Fatalf("%d golden events, %d made", n, len(events))
	}
}

// A source of less than all events has the same ones.
func TestBidsAndPricesAreTheEventsBids(t *testing.T) {
	o := nexmark.Options{Events: 20_037, Seed: 7, RatePerSecond: 3}
	all := nexmark.Events(o)
	var want []nexmark.Bid
	for _, e := range drain(t, all, splitsOf(t, all, 1)) {
		if e.Person == nil && e.Auction == nil {
			want = append(want, e.Bid)
		}
	}
	bids, prices := nexmark.Bids(o), nexmark.Prices(o)
	gotBids, gotPrices := drain(t, bids, splitsOf(t, bids, 1)), drain(t, prices, splitsOf(t, prices, 1))
	if len(gotBids) != len(want) || len(gotPrices) != len(want) || bids.Records() != int64(len(want)) {
		t.Fatalf("%d bids and %d prices of %d (%d announced)", len(gotBids), len(gotPrices), len(want), bids.Records())
	}
	for i, b := range want {
		if gotBids[i] != b {
			t.Fatalf("bid %d is %+v, want %+v", i, gotBids[i], b)
		}
		if p := (nexmark.Price{Auction: b.Auction, Price: b.Price, DateTime: b.DateTime}); gotPrices[i] != p {
			t.Fatalf("price %d is %+v, want %+v", i, gotPrices[i], p)
		}
	}
}

// I8: whatever the parallelism, and wherever readers are closed and opened
// again from their splits, dealt anew, every record comes exactly once.
func TestSplitsPartitionTheRecords(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 30 {
		s := nexmark.Bids(nexmark.Options{Events: rnd.Int64N(3000), Seed: rnd.Uint64()})
		p := 1 + rnd.IntN(20)
		splits := splitsOf(t, s, p)
		seen := map[int64]int{}
		for round := range 20 {
			var next []engine.Split
			for i := range p {
				r, err := s.Open(engine.SourceContext{}, deal(splits, p, i))
				if err != nil {
					t.Fatal(err)
				}
				for range rnd.IntN(6) {
					got, err := r.Read(context.Background(), make([]nexmark.Bid, 0, 1+rnd.IntN(40)))
					for _, b := range got {
						if round == 0 && (b.N/50*46+b.N%50-4)%int64(p) != int64(i) {
							t.Fatalf("subtask %d of %d read bid %d", i, p, b.N)
						}
						seen[b.N]++
					}
					if err == io.EOF {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				next = append(next, r.Splits()...)
			}
			splits, p = next, 1+rnd.IntN(20)
		}
		for _, b := range drain(t, s, splits) {
			seen[b.N]++
		}
		if int64(len(seen)) != s.Records() {
			t.Fatalf("%d of %d bids", len(seen), s.Records())
		}
		for n, times := range seen {
			if times != 1 {
				t.Fatalf("bid %d came %d times", n, times)
			}
		}
	}
}

func TestRefusesForeignSplits(t *testing.T) {
	o := nexmark.Options{Events: 100, Seed: 1}
	s := nexmark.Bids(o)
	good := splitsOf(t, s, 1)[0]
	other := o
	other.Seed = 2
	foreign := map[string]engine.Split{
		"seed":             splitsOf(t, nexmark.Bids(other), 1)[0],
		"generator":        splitsOf(t, nexmark.Events(o), 1)[0],
		"cut short":        good[:len(good)-1],
		"too long":         append(append(engine.Split{}, good...), 0),
		"unknown encoding": append(engine.Split{9}, good[1:]...),
	}
	for want, split := range foreign {
		_, err := s.Open(engine.SourceContext{}, []engine.Split{split})
		if !errors.Is(err, nexmark.ErrSplit) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to name %q", err, want)
		}
	}
	for i := range good {
		if _, err := s.Open(engine.SourceContext{}, []engine.Split{good[:i]}); !errors.Is(err, nexmark.ErrSplit) {
			t.Errorf("first %d bytes: %v", i, err)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, o := range []nexmark.Options{{Events: -1}, {Events: 1 << 62}, {RatePerSecond: -1}, {Keys: -1}} {
		if err := o.Validate(); !errors.Is(err, nexmark.ErrOptions) {
			t.Errorf("%+v: %v", o, err)
		}
		if _, err := nexmark.Bids(o).Splits(context.Background(), 1); !errors.Is(err, nexmark.ErrOptions) {
			t.Errorf("splits of %+v: %v", o, err)
		}
	}
}

func benchmark[T any](b *testing.B, s nexmark.Source[T]) {
	splits, err := s.Splits(context.Background(), 1)
	if err != nil {
		b.Fatal(err)
	}
	r, err := s.Open(engine.SourceContext{}, splits)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	batch := make([]T, 0, 500)
	for i := 0; i < b.N; i += cap(batch) {
		if _, err := r.Read(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBids(b *testing.B) {
	benchmark(b, nexmark.Bids(nexmark.Options{Events: 1 << 40, Seed: 1}))
}
func BenchmarkPrices(b *testing.B) {
	benchmark(b, nexmark.Prices(nexmark.Options{Events: 1 << 40, Seed: 1}))
}
func BenchmarkCountKeys(b *testing.B) {
	benchmark(b, nexmark.CountKeys(nexmark.Options{Events: 1 << 40, Seed: 1}))
}
