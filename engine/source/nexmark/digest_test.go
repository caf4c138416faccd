package nexmark_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source/nexmark"
)

// published is an entry of testdata/nexmark/digests.json.
type published struct {
	Job     string
	Events  int64
	Seed    uint64
	Rate    int64
	Digest  string
	Records int64
	Keys    int64
	Rows    int
}

func digests(t *testing.T) (all []published) {
	t.Helper()
	b, err := os.ReadFile("../../../testdata/nexmark/digests.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func fold(fields ...uint64) (h uint64) {
	for _, x := range fields {
		h = nexmark.Fold(h, x)
	}
	return h
}

// The digests of results that plain maps compute from the generated events
// are those that Flink and DuckDB published.
func TestDigests(t *testing.T) {
	tested := map[string]bool{}
	for _, d := range digests(t) {
		if testing.Short() && d.Events > 100_000 {
			continue
		}
		o := nexmark.Options{Events: d.Events, Seed: d.Seed, RatePerSecond: d.Rate, Keys: d.Keys}
		var sum uint64
		var rows int
		switch d.Job {
		case "count":
			sum, rows = countDigest(t, nexmark.CountKeys(o))
		case "count-hot":
			sum, rows = countDigest(t, nexmark.HotCountKeys(o))
		case "q17":
			sum, rows = q17Digest(t, o)
		case "q18":
			sum, rows = q18Digest(t, o)
		default:
			continue
		}
		tested[d.Job] = true
		if got := fmt.Sprintf("%016x", sum); got != d.Digest || d.Rows != 0 && d.Rows != rows {
			t.Errorf("%+v: got digest %s of %d rows", d, got, rows)
		}
	}
	if !testing.Short() && len(tested) != 4 {
		t.Errorf("tested only %v", tested)
	}
}

func countDigest(t *testing.T, s nexmark.Source[uint64]) (sum uint64, rows int) {
	counts := map[uint64]uint64{}
	for _, k := range drain(t, s, splitsOf(t, s, 1)) {
		counts[k]++
	}
	for k, n := range counts {
		sum += fold(k, n)
	}
	return sum, len(counts)
}

func q17Digest(t *testing.T, o nexmark.Options) (sum uint64, rows int) {
	type key struct{ auction, day int64 }
	type row struct{ total, low, mid, high, min, max, sum int64 }
	table := map[key]*row{}
	s := nexmark.Prices(o)
	for _, b := range drain(t, s, splitsOf(t, s, 1)) {
		k := key{b.Auction, b.DateTime / 86_400_000}
		r := table[k]
		if r == nil {
			r = &row{min: b.Price, max: b.Price}
			table[k] = r
		}
		r.total++
		switch {
		case b.Price < 10_000:
			r.low++
		case b.Price < 1_000_000:
			r.mid++
		default:
			r.high++
		}
		r.min, r.max, r.sum = min(r.min, b.Price), max(r.max, b.Price), r.sum+b.Price
	}
	for k, r := range table {
		sum += fold(uint64(k.auction), uint64(k.day), uint64(r.total), uint64(r.low), uint64(r.mid), uint64(r.high), uint64(r.min), uint64(r.max), uint64(r.sum))
	}
	return sum, len(table)
}

func q18Digest(t *testing.T, o nexmark.Options) (sum uint64, rows int) {
	type key struct{ bidder, auction int64 }
	last := map[key]nexmark.Bid{}
	s := nexmark.Bids(o)
	// One split after the other, so that bids come out of order.
	for _, split := range splitsOf(t, s, 4) {
		for _, b := range drain(t, s, []engine.Split{split}) {
			k := key{b.Bidder, b.Auction}
			if was, ok := last[k]; !ok || b.DateTime > was.DateTime || b.DateTime == was.DateTime && b.N > was.N {
				last[k] = b
			}
		}
	}
	for _, b := range last {
		h := fold(uint64(b.Bidder), uint64(b.Auction), uint64(b.N), uint64(b.Price), uint64(b.DateTime))
		h = nexmark.FoldString(h, b.Channel)
		h = nexmark.FoldString(h, b.URL)
		sum += nexmark.FoldString(h, b.Extra)
	}
	return sum, len(last)
}
