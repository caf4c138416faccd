package suite

import (
	"context"
	"fmt"
	"math"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/measure"
)

// keyedRow is a comparison of read-modify-writes with db_bench's.
type keyedRow struct {
	name          string
	keys, updates int64
	memory        int64   // bytes for state
	zipf          float64 // exponent of the keys' skew; zero: none
	bar           float64
	// times, if set, is how many times as large as memory the state is; keys
	// and updates follow from it.
	times int64
}

// The working set is within the budget in the first two, the state eight times
// budget and cache in the third.
var keyedRows = []keyedRow{
	{name: "keyed-update-uniform", keys: 1_000_000, updates: 4_000_000, memory: 512 << 20, bar: 5},
	{name: "keyed-update-zipf", keys: 1_000_000, updates: 4_000_000, memory: 512 << 20, zipf: zipfExponent, bar: 5},
	{name: "keyed-update-8x", memory: 32 << 20, times: 8, bar: 1},
}

// scaled returns a row with its work divided by share.
func (r keyedRow) scaled(share int64) keyedRow {
	r.keys, r.updates = r.keys/share, r.updates/share
	if r.times > 0 {
		r.memory = max(leastKeyedMemory, r.memory/share)
		r.keys = r.times * r.memory / (keyedValueBytes + keyBytes)
		r.updates = r.keys
	}
	return r
}

const (
	// leastKeyedMemory is the least that RocksDB and a table can do with.
	leastKeyedMemory = 8 << 20
	keyedValueBytes  = 100
	zipfExponent     = 0.99
)

// keyed compares the job update with db_bench's read-modify-writes of the same
// number of keys, sizes and memory, in one thread each.
func keyed(c experiment.Child, r keyedRow) experiment.Experiment {
	args := []string{
		"update", fmt.Sprintf("--keys=%d", r.keys), fmt.Sprintf("--events=%d", r.keys+r.updates), fmt.Sprintf("--value-size=%d", keyedValueBytes), "--interval=0",
		"--parallelism=1", fmt.Sprintf("--table-memory=%d", r.memory/2), fmt.Sprintf("--native-memory=%d", r.memory/2),
	}
	drawn := "evenly drawn"
	if r.zipf != 0 {
		args = append(args, fmt.Sprintf("--zipf=%g", r.zipf))
		drawn = fmt.Sprintf("drawn by Zipf's law with exponent %g", r.zipf)
	}
	ours := c.Arm(tidemarkArm, args...)
	ours.Run = func(ctx context.Context) (experiment.Sample, error) {
		run, cpuS, err := c.Report(ctx, 0, args)
		if err != nil {
			return experiment.Sample{}, err
		}
		return experiment.AfterIfLong(experiment.SampleOf(run, cpuS), run.Series, r.keys), nil
	}
	e := experiment.Experiment{
		Name: r.name,
		About: fmt.Sprintf("%d updates (read, change, write) of %d keys of 8 bytes with values of %d, %s, %d MiB for state in both, no checkpoints, no log. "+
			"The first write of each key is not counted. Files stay in the page cache, for both. ", r.updates, r.keys, keyedValueBytes, drawn, r.memory>>20),
		Arms: []experiment.Arm{ours, updateRandom(r)},
		Compare: []experiment.Comparison{
			{Value: experiment.EventsPerCPUS, Arm: tidemarkArm, Against: updateRandomArm, Bar: measure.Bar{AtLeast: r.bar}},
			{Value: experiment.EventsPerS, Arm: tidemarkArm, Against: updateRandomArm},
			{Value: experiment.CPUMicros, Arm: tidemarkArm}, {Value: experiment.CPUMicros, Arm: updateRandomArm},
		},
	}
	if r.zipf != 0 {
		e.About += "db_bench's updaterandom draws evenly only. Its mixgraph draws skewed keys, and has reads and writes that know nothing of one another: two of its operations stand for one update. " +
			"Its law, a power of the rank, is fitted so that the hottest hundredth of the keys gets the same share; within that it is more skewed, which favours it."
		e.Arms = append(e.Arms, mixGraph(r))
		e.Compare = append(e.Compare, experiment.Comparison{Value: experiment.EventsPerCPUS, Arm: tidemarkArm, Against: mixGraphArm, Bar: measure.Bar{AtLeast: r.bar}}, experiment.Comparison{Value: experiment.CPUMicros, Arm: mixGraphArm})
	}
	return e
}

// hottest is the share of draws that the most frequent hundredth of the keys
// gets by Zipf's law.
func hottest(keys int64, exponent float64) float64 {
	var part, all float64
	for rank := int64(1); rank <= keys; rank++ {
		all += math.Pow(float64(rank), -exponent)
		if rank == keys/100 {
			part = all
		}
	}
	return part / all
}
