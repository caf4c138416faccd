package suite

import (
	"context"
	"fmt"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/measure"
)

const (
	memoryName = "memory"
	boundBytes = "bytes stated before"
	ofBound    = "greatest RSS by what was stated"
)

// memory runs update with the same budgets over two states, one twenty times
// the other (I12).
func memory(c experiment.Child, budget int64) experiment.Experiment {
	const valueBytes, times = 4000, 20
	e := experiment.Experiment{
		Name: memoryName, Rounds: 3,
		About: fmt.Sprintf("Job update with values of %d bytes and %d MiB for state, half of it the table's and half RocksDB's, a checkpoint every 2 s: over a state of twice that, and over one %d times as large. "+
			"Every key is written once, and then half as many updates. Before it begins a run states how much memory it may take: budgets, queues, what writing takes, garbage by GOGC, and the program.", valueBytes, budget>>20, times),
	}
	arm := func(name string, bytes int64) {
		keys := bytes / (valueBytes + keyBytes)
		args := []string{
			"update", fmt.Sprintf("--keys=%d", keys), fmt.Sprintf("--events=%d", keys*3/2), fmt.Sprintf("--value-size=%d", valueBytes), "--interval=2s",
			fmt.Sprintf("--table-memory=%d", budget/2), fmt.Sprintf("--native-memory=%d", budget/2),
		}
		a := c.Arm(name, args...)
		a.Run = func(ctx context.Context) (experiment.Sample, error) {
			r, cpuS, err := c.Report(ctx, 0, args)
			if err != nil {
				return experiment.Sample{}, err
			}
			s := experiment.SampleOf(r, cpuS)
			s.Series = r.Series
			s.Values[boundBytes], s.Values[ofBound] = float64(r.Memory.Total), float64(r.MaxRSSBytes)/float64(r.Memory.Total)
			return s, nil
		}
		e.Arms = append(e.Arms, a)
		e.Compare = append(e.Compare,
			experiment.Comparison{Value: ofBound, Arm: name, Bar: measure.Bar{AtMost: 1.1}}, experiment.Comparison{Value: boundBytes, Arm: name}, experiment.Comparison{Value: experiment.RSSBytes, Arm: name})
	}
	small, large := sizeName(2*budget), sizeName(2*times*budget)
	arm(small, 2*budget)
	arm(large, 2*times*budget)
	e.Compare = append(e.Compare, experiment.Comparison{Value: experiment.RSSBytes, Arm: large, Against: small})
	return e
}
