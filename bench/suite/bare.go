package suite

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source/nexmark"
)

// bareLoop is the arm of the loop without an engine.
const bareLoop = "bare loop"

// BareResult is what the loop ends with.
type BareResult struct {
	Events int64 `json:"events"`
	Sum    int64 `json:"sum"` // of the prices
}

// Bare reads the seeded bids in a plain loop, and adds up their prices.
func Bare(ctx context.Context, events int64) (BareResult, error) {
	bids := nexmark.Bids(nexmark.Options{Events: events, Seed: 1})
	splits, err := bids.Splits(ctx, 1)
	if err != nil {
		return BareResult{}, err
	}
	reader, err := bids.Open(engine.SourceContext{Context: ctx, Parallelism: 1}, splits)
	if err != nil {
		return BareResult{}, err
	}
	var r BareResult
	batch := make([]nexmark.Bid, 0, 512)
	for {
		records, err := reader.Read(ctx, batch[:0])
		for i := range records {
			r.Events++
			r.Sum += records[i].Price
		}
		if err == io.EOF {
			return r, reader.Close()
		}
		if err != nil {
			return r, err
		}
	}
}

// bare is the arm that runs the loop as a child.
func bare(c experiment.Child, events int64) experiment.Arm {
	args := []string{"bench", "bare", fmt.Sprintf("--events=%d", events)}
	return experiment.Arm{Name: bareLoop, Command: "tidemark " + strings.Join(args, " "), Run: func(ctx context.Context) (experiment.Sample, error) {
		out, cpuS, err := c.Execute(ctx, args...)
		if err != nil {
			return experiment.Sample{}, err
		}
		var r BareResult
		if err := json.Unmarshal(out, &r); err != nil {
			return experiment.Sample{}, fmt.Errorf("bare loop: its result: %w", err)
		}
		if r.Events == 0 || cpuS == 0 {
			return experiment.Sample{}, experiment.ErrNothing
		}
		return experiment.Sample{Values: map[string]float64{experiment.EventsPerCPUS: float64(r.Events) / cpuS, experiment.CPUMicros: cpuS * 1e6 / float64(r.Events)}}, nil
	}}
}
