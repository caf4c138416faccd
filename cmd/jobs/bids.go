package jobs

import (
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source/nexmark"
)

// Bid is a row of q0 and q18.
type Bid nexmark.Bid

// Hash implements sink.Hasher.
func (b Bid) Hash() uint64 {
	h := uint64(0)
	for _, x := range [...]int64{b.Bidder, b.Auction, b.N, b.Price, b.DateTime} {
		h = nexmark.Fold(h, uint64(x))
	}
	h = nexmark.FoldString(h, b.Channel)
	h = nexmark.FoldString(h, b.URL)
	return nexmark.FoldString(h, b.Extra)
}

// Prices is a row of q17: the bids on an auction in a day.
type Prices struct {
	Auction int64 `json:"auction"`
	Day     int64 `json:"day"` // since 1970
	Stats
}

// Stats are statistics of prices, in cents.
type Stats struct {
	Total int64 `json:"total_bids"`
	Low   int64 `json:"rank1_bids"` // under 10,000
	Mid   int64 `json:"rank2_bids"` // from 10,000 and under 1,000,000
	High  int64 `json:"rank3_bids"` // from 1,000,000
	Min   int64 `json:"min_price"`
	Max   int64 `json:"max_price"`
	Sum   int64 `json:"sum_price"`
}

// Hash implements sink.Hasher.
func (r Prices) Hash() uint64 {
	h := uint64(0)
	for _, x := range [...]int64{r.Auction, r.Day, r.Total, r.Low, r.Mid, r.High, r.Min, r.Max, r.Sum} {
		h = nexmark.Fold(h, uint64(x))
	}
	return h
}

const dayMillis = 86_400_000

func (s *Stats) add(price int64) {
	if s.Total == 0 {
		s.Min, s.Max = price, price
	}
	s.Total++
	switch {
	case price < 10_000:
		s.Low++
	case price < 1_000_000:
		s.Mid++
	default:
		s.High++
	}
	s.Min, s.Max, s.Sum = min(s.Min, price), max(s.Max, price), s.Sum+price
}

// auctionDay and bidderAuction are the keys of q17 and q18.
type (
	auctionDay    struct{ Auction, Day int64 }
	bidderAuction struct{ Bidder, Auction int64 }
)

func q0(b *builder) {
	bids := nexmark.Bids(b.options.nexmark())
	b.results.Records = bids.Records()
	rows := engine.Map(engine.From(b.job, "bids", bids), "pass", func(v nexmark.Bid) Bid { return Bid(v) })
	output(b, rows, "out", "", true)
}

func q17(b *builder) {
	bids := nexmark.Prices(b.options.nexmark())
	b.results.Records = bids.Records()
	keyed := engine.KeyBy(engine.From(b.job, "bids", bids), func(v nexmark.Price) auctionDay {
		return auctionDay{v.Auction, v.DateTime / dayMillis}
	})
	rows := aggregate(b, keyed, "stats", aggregation[auctionDay, nexmark.Price, Stats, Prices]{
		update: func(s *Stats, _ bool, v nexmark.Price) bool {
			s.add(v.Price)
			return true
		},
		row: func(k auctionDay, s Stats) Prices { return Prices{k.Auction, k.Day, s} },
	})
	output(b, rows, "out", "", true)
}

func q18(b *builder) {
	bids := nexmark.Bids(b.options.nexmark())
	b.results.Records = bids.Records()
	keyed := engine.KeyBy(engine.From(b.job, "bids", bids), func(v nexmark.Bid) bidderAuction {
		return bidderAuction{v.Bidder, v.Auction}
	})
	rows := aggregate(b, keyed, "last", aggregation[bidderAuction, nexmark.Bid, nexmark.Bid, Bid]{
		update: func(last *nexmark.Bid, found bool, v nexmark.Bid) bool {
			if found && (v.DateTime < last.DateTime || v.DateTime == last.DateTime && v.N <= last.N) {
				return false
			}
			*last = v
			return true
		},
		row: func(_ bidderAuction, last nexmark.Bid) Bid { return Bid(last) },
	})
	output(b, rows, "out", "", true)
}
