package metrics

import (
	"github.com/tidemark/tidemark/coordinator"
)

// expensive are the operations that a store charges as it does a PUT. Deleting and
// ending an upload are free, all others are charged as a GET.
var expensive = map[string]bool{"put": true, "copy": true, "list": true, "uploads": true, "versions": true}

var free = map[string]bool{"delete": true, "abort": true}

// store sends what was asked of the store, what lies there, and what is deleted.
func (c *collector) store(s sender, st coordinator.Status) {
	var puts, gets int64
	for _, o := range c.job.Requests.Snapshot() {
		s.counter("tidemark_store_requests_total", "operations on the store, each try; an object in parts, or a long listing, is one", float64(o.Ops), "op", o.Op)
		s.counter("tidemark_store_request_failures_total", "operations that failed; an absent object is no failure", float64(o.Failures), "op", o.Op)
		s.counter("tidemark_store_bytes_total", "bytes read and put", float64(o.Bytes), "op", o.Op)
		switch {
		case expensive[o.Op]:
			puts += o.Ops
		case !free[o.Op]:
			gets += o.Ops
		}
	}
	const dollars = "what the operations of this process cost at S3's list prices, estimated"
	s.counter("tidemark_store_dollars_total", dollars, c.job.Prices.Requests(puts, 0), "kind", "put")
	s.counter("tidemark_store_dollars_total", dollars, c.job.Prices.Requests(0, gets), "kind", "get")

	k := st.Cleaner
	s.counter("tidemark_deleted_objects_total", "objects that this leader deleted", float64(k.Deleted))
	s.counter("tidemark_delete_failures_total", "requests to delete, or to look for what can be deleted, that failed; they are tried again", float64(k.Failures))
	s.gauge("tidemark_waiting_deletes", "objects that wait to be deleted", float64(k.Waiting))
	s.gauge("tidemark_left_to_sweep_objects", "objects that were given up: a later sweep deletes them", float64(k.LeftToSweep))
	s.counter("tidemark_aborted_uploads_total", "unfinished uploads of dead checkpoints that were ended", float64(k.Uploads))
	s.gauge("tidemark_deletion_paused", "1: deletion waits, since the store refuses it", bit(k.Paused != nil))
	s.gauge("tidemark_deletion_halted", "1: nothing is deleted until the next start, since a manifest cannot be read", bit(k.Halted != nil))
	v := k.Survey
	if v.At.IsZero() {
		return
	}
	s.gauge("tidemark_store_surveyed_time_seconds", "when a sweep last listed the store, since 1970", seconds(v.At))
	for class, a := range map[string]coordinator.Amount{"stored": v.Stored, "reachable": v.Reachable, "dead": v.Dead, "foreign": v.Foreign} {
		s.gauge("tidemark_store_objects", "objects that the last sweep found: all, those that a retained checkpoint reaches, those that nothing can ever reach, those with names that are not the job's", float64(a.Objects), "class", class)
		s.gauge("tidemark_store_size_bytes", "their bytes", float64(a.Bytes), "class", class)
	}
	s.gauge("tidemark_store_month_dollars", "what it costs a month to store all that the last sweep found, at S3's list prices", c.job.Prices.Month(v.Stored.Bytes))
}
