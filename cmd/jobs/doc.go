// Package jobs answers: which jobs come with Tidemark?
//
// Build makes one by name: on real input (wordcount, flights) and on generated
// events (count, count-hot, update, q0, q17, q18; see package nexmark and
// testdata/nexmark/GENERATOR.md). They are ordinary jobs, written with the
// public API alone.
//
// A row is written as a line of JSON with these fields:
//
//	wordcount     word, count
//	flights       routes: origin, destination, flights, delay_sum, delay_max, distance_sum
//	              airports: rank, origin, flights, routes, delay_sum, mean
//	count         key, count
//	count-hot     key, count
//	q0, q18       n, auction, bidder, price, channel, url, dateTime, extra
//	q17           auction, day, total_bids, rank1_bids, rank2_bids, rank3_bids,
//	              min_price, max_price, sum_price
//
// Delays are in minutes, distances in miles, prices in cents, times in ms since
// 1970, days in days since 1970.
//
// # Invariants
//
//   - The digest of a job's final rows depends on the input alone: not on
//     parallelism, restarts or rescaling (I3, I9).
//   - Run as changes, q17 emits exactly one row a bid, and the totals of a key
//     are 1, 2, … each once.
//   - An option that means nothing to the job is an error.
package jobs
