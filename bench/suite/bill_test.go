package suite

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/meter"
	"github.com/tidemark/tidemark/upload"
)

// A bill is of the part of the run between its start and its end, and of the greatest
// amount that was stored.
func TestBill(t *testing.T) {
	began := time.Now()
	var all []glance
	for second := range 11 {
		n := int64(second)
		counts := meter.Counts{meter.Put: {Requests: 10 * n, In: 100 * n}, meter.Head: {Requests: 5 * n, Refused: n}, meter.Delete: {Requests: 2 * n}}
		if second < 4 || second > 9 { // what start and end ask for
			counts[meter.List] = meter.Count{Requests: 1000 + n}
		} else {
			counts[meter.List] = meter.Count{Requests: 1004}
		}
		all = append(all, glance{began.Add(time.Duration(second) * time.Second), counts, 1 << 30 * min(n, 7)})
	}
	s := experiment.Sample{Values: map[string]float64{}}
	if err := bill(&s, all, upload.Prices{Storage: 2, Put: 1, Get: 0.1}); err != nil {
		t.Fatal(err)
	}
	const hours = 730
	for name, want := range map[string]float64{
		requestsAll: 17 * 3600, putsBilled: 10 * 3600, getsBilled: 5 * 3600, bytesUp: 100 * 3600, bytesDown: 0, bytesStored: 7 << 30,
		dollarsAsked: (10*1 + 5*0.1) / 1000 * 3600 * hours, dollarsKept: 14, dollars: (10*1+5*0.1)/1000*3600*hours + 14,
	} {
		if got := s.Values[name]; math.Abs(got-want) > 1e-6*want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if want := "PUT 36000 (0 refused), HEAD 18000 (3600 refused), DELETE 7200 (0 refused)"; strings.Contains(s.Note, "LIST") || !strings.Contains(s.Note, want) {
		t.Errorf("note %q, want %q", s.Note, want)
	}
	if err := bill(&s, all[:4], upload.S3Prices); err == nil {
		t.Error("a run of three seconds has a bill")
	}
}
