package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/meter"
	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
	"github.com/tidemark/tidemark/upload/storeurl"
)

// The figures of bills. Those of requests and bytes are for an hour.
const (
	billPrefix   = "bill-"
	requestsAll  = "requests an hour"
	putsBilled   = "of them billed as PUT"
	getsBilled   = "of them billed as GET"
	bytesUp      = "bytes up an hour"
	bytesDown    = "bytes down an hour"
	bytesStored  = "bytes stored, greatest"
	dollarsAsked = "dollars a month, requests"
	dollarsKept  = "dollars a month, storage"
	dollars      = "dollars a month"
)

// billRow is a job at an interval between checkpoints.
type billRow struct {
	job      string
	interval time.Duration
}

var billRows = []billRow{
	{"count", time.Second}, {"count", 10 * time.Second},
	{"q17", time.Second}, {"q17", 10 * time.Second},
	{"q18", time.Second}, {"q18", 10 * time.Second},
}

// billRate is the bids a second of both: less than either can do, so that both meet the same
// number of checkpoints.
const billRate = 50_000

// The part of a run that is counted: start and end have requests of their own.
const (
	countedFrom = 0.4
	countedTo   = 0.9
)

// biller is what the arms of a bill share: an S3 server, and a meter in front of it.
type biller struct {
	server *s3server.Server
	meter  *meter.Meter
	store  upload.Store // past the meter
	runs   int
}

func (b *biller) begin(ctx context.Context) (end func() error, err error) {
	if b.server, err = s3server.Start(ctx, s3server.Options{}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.server.Close())
		}
	}()
	if err := b.server.CreateBucket(bucket); err != nil {
		return nil, err
	}
	if b.store, err = storeurl.Open(ctx, "s3://"+bucket, storeurl.Options{S3: s3Options(b.server)}); err != nil {
		return nil, err
	}
	if b.meter, err = meter.Start(ctx, b.server.Endpoint()); err != nil {
		return nil, err
	}
	return func() error { return errors.Join(b.meter.Close(), b.server.Close()) }, nil
}

// place returns a new prefix in the bucket.
func (b *biller) place(arm string) string {
	b.runs++
	return fmt.Sprintf("%s-%d", arm, b.runs)
}

// glance is what was asked for by a moment, and what was stored then.
type glance struct {
	at     time.Time
	counts meter.Counts
	stored int64
}

// watch glances once a second until ctx ends.
func (b *biller) watch(ctx context.Context, prefix string) ([]glance, error) {
	var all []glance
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		g := glance{at: time.Now(), counts: b.meter.Counts()}
		for info, err := range b.store.List(context.WithoutCancel(ctx), prefix+"/") {
			if err != nil {
				return nil, err
			}
			g.stored += info.Size
		}
		all = append(all, g)
		select {
		case <-ctx.Done():
			return all, nil
		case <-tick.C:
		}
	}
}

// metered runs an arm and returns its sample with the figures of the bill.
func (b *biller) metered(ctx context.Context, prefix string, run func(context.Context) (experiment.Sample, error)) (experiment.Sample, error) {
	watching, stop := context.WithCancel(ctx)
	type seen struct {
		all []glance
		err error
	}
	watched := make(chan seen, 1)
	go func() {
		all, err := b.watch(watching, prefix)
		watched <- seen{all, err}
	}()
	s, err := run(ctx)
	stop()
	w := <-watched
	if err = errors.Join(err, w.err); err != nil {
		return s, err
	}
	err = bill(&s, w.all, upload.S3Prices)
	return s, err
}

// bill adds the figures of what was counted to the sample.
func bill(s *experiment.Sample, all []glance, prices upload.Prices) error {
	values := s.Values
	from, to := int(countedFrom*float64(len(all)-1)), int(countedTo*float64(len(all)-1))
	if to-from < 3 {
		return fmt.Errorf("a bill needs a run of some seconds: it took %d", len(all))
	}
	counts, within := all[to].counts.Since(all[from].counts), all[to].at.Sub(all[from].at)
	hour := func(n int64) float64 { return float64(n) * float64(time.Hour) / float64(within) }
	puts, gets := counts.Billed()
	total := counts.Total()
	values[requestsAll], values[putsBilled], values[getsBilled] = hour(total.Requests), hour(puts), hour(gets)
	values[bytesUp], values[bytesDown] = hour(total.In), hour(total.Out)
	stored := slices.MaxFunc(all, func(a, b glance) int { return int(a.stored - b.stored) }).stored
	values[bytesStored] = float64(stored)
	values[dollarsAsked], values[dollarsKept] = counts.Month(prices, within), prices.Month(stored)
	values[dollars] = values[dollarsAsked] + values[dollarsKept]
	s.Note = "requests an hour by kind:"
	for _, k := range meter.Kinds {
		if n := counts[k]; n.Requests > 0 {
			s.Note += fmt.Sprintf(" %s %.0f (%.0f refused),", k, hour(n.Requests), hour(n.Refused))
		}
	}
	s.Note = strings.TrimSuffix(s.Note, ",")
	return nil
}

// bills makes the experiment of a row. Flink's arm is left out where there is no Flink.
func bills(c experiment.Child, program string, r billRow, lasts time.Duration) experiment.Experiment {
	b := &biller{}
	seconds := int64(lasts / time.Second)
	events := strconv.FormatInt(seconds*billRate*50/46, 10) // 46 of 50 events are bids
	line := []string{r.job, "--events=" + events, "--rate-limit=" + strconv.Itoa(billRate), "--interval=" + r.interval.String(), "--parallelism=2", "--retain=1"}
	e := experiment.Experiment{
		Name: fmt.Sprintf("%s%s-%s", billPrefix, r.job, r.interval), Rounds: 1, Begin: b.begin,
		About: fmt.Sprintf("What a job asks of its store, counted by a meter in front of one S3 server: %d bids a second, a checkpoint each %v, one retained, from %.0f to %.0f %% of a run of about %v. "+
			"A month has %.0f hours; prices are S3's in us-east-1 (%v), without traffic.", billRate, r.interval, 100*countedFrom, 100*countedTo, lasts, meter.Month.Hours(), &upload.S3Prices),
		Arms: []experiment.Arm{{Name: tidemarkArm, Command: "tidemark run " + strings.Join(line, " "), Run: func(ctx context.Context) (experiment.Sample, error) {
			return b.ours(ctx, c, line)
		}}},
	}
	against := ""
	if program != "" {
		args := []string{"workload=" + r.job, "events=" + events, "rate_limit=" + strconv.Itoa(billRate), "interval_ms=" + strconv.FormatInt(r.interval.Milliseconds(), 10), "parallelism=2"}
		e.Arms = append(e.Arms, experiment.Arm{Name: flinkArm, Command: "peer-flink " + strings.Join(args, " "), Run: func(ctx context.Context) (experiment.Sample, error) {
			return b.flinks(ctx, program, args)
		}})
		against = flinkArm
	}
	for _, f := range []string{dollars, dollarsAsked, dollarsKept, requestsAll, putsBilled, getsBilled, bytesUp, bytesDown, bytesStored, experiment.Completed} {
		e.Compare = append(e.Compare, experiment.Comparison{Value: f, Arm: tidemarkArm, Against: against})
	}
	return e
}

func (b *biller) ours(ctx context.Context, c experiment.Child, line []string) (experiment.Sample, error) {
	prefix := b.place("tidemark")
	return b.metered(ctx, prefix, func(ctx context.Context) (experiment.Sample, error) {
		r, cpuS, err := b.child(ctx, c, prefix, line)
		if err != nil {
			return experiment.Sample{}, err
		}
		return experiment.SampleOf(r, cpuS), nil
	})
}

// child runs a job whose checkpoints go through the meter.
func (b *biller) child(ctx context.Context, c experiment.Child, prefix string, line []string) (launch.Report, float64, error) {
	c.Env = b.server.Env()
	return c.Report(ctx, 0, slices.Concat(line, []string{"--checkpoint-store=s3://" + bucket + "/" + prefix, "--s3-endpoint=" + b.meter.Endpoint()}))
}

func (b *biller) flinks(ctx context.Context, program string, args []string) (experiment.Sample, error) {
	dir, err := os.MkdirTemp("", "tidemark-bench-")
	if err != nil {
		return experiment.Sample{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	prefix := b.place("flink")
	flink := experiment.Child{Program: []string{program}, Env: b.server.Env()}
	return b.metered(ctx, prefix, func(ctx context.Context) (experiment.Sample, error) {
		out, _, err := flink.Execute(ctx, slices.Concat(args, []string{"store=s3://" + bucket + "/" + prefix, "s3_endpoint=" + b.meter.Endpoint(), "localdir=" + dir})...)
		if err != nil {
			return experiment.Sample{}, err
		}
		return parseFlink(out, true)
	})
}
