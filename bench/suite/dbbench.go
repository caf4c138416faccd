package suite

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/tidemark/tidemark/bench/measure"
)

const dbBenchArm = "db_bench"

// keyed compares the job update with db_bench's read-modify-write of the same
// number of keys, sizes and memory, in one thread each.
func keyed(c Child, name string, keys, updates, memory int64, bar float64) Experiment {
	const valueBytes = 100
	args := []string{
		"update", fmt.Sprintf("--keys=%d", keys), fmt.Sprintf("--events=%d", keys+updates), fmt.Sprintf("--value-size=%d", valueBytes), "--interval=0",
		"--parallelism=1", fmt.Sprintf("--table-memory=%d", memory/2), fmt.Sprintf("--native-memory=%d", memory/2),
	}
	return Experiment{
		Name: name,
		About: fmt.Sprintf("%d updates (read, change, write) of %d keys of 8 bytes with values of %d, evenly drawn, %d MiB for state in both, no checkpoints, no log. "+
			"Ours writes each key once before and counts that as updates; db_bench's fill is a process of its own and is not counted.", updates, keys, valueBytes, memory>>20),
		Arms: []Arm{c.Arm("Tidemark", args...), dbBench(keys, updates, memory, valueBytes)},
		Compare: []Comparison{
			{Value: EventsPerCPUS, Arm: "Tidemark", Against: dbBenchArm, Bar: measure.Bar{AtLeast: bar}},
			{Value: EventsPerS, Arm: "Tidemark", Against: dbBenchArm},
			{Value: CPUMicros, Arm: "Tidemark"}, {Value: CPUMicros, Arm: dbBenchArm},
		},
	}
}

// findDBBench says whether there is a db_bench.
func findDBBench() error {
	_, err := exec.LookPath("db_bench")
	return err
}

var updateRandom = regexp.MustCompile(`updaterandom\s*:\s*([0-9.]+) micros/op`)

func dbBench(keys, updates, memory, valueBytes int64) Arm {
	shared := []string{
		fmt.Sprintf("--num=%d", keys), "--key_size=8", fmt.Sprintf("--value_size=%d", valueBytes), "--threads=1", "--disable_wal=1", "--compression_type=none", "--bloom_bits=10",
		fmt.Sprintf("--cache_size=%d", memory/2), fmt.Sprintf("--write_buffer_size=%d", memory/4),
	}
	run := append([]string{"db_bench", "--benchmarks=updaterandom", "--use_existing_db=1", fmt.Sprintf("--writes=%d", updates)}, shared...)
	return Arm{Name: dbBenchArm, Command: strings.Join(run, " "), Run: func(ctx context.Context) (Sample, error) {
		dir, err := os.MkdirTemp("", "tidemark-bench-")
		if err != nil {
			return Sample{}, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		fill := append([]string{"db_bench", "--benchmarks=fillseq", "--db=" + dir}, shared...)
		if _, _, _, err := execute(ctx, nil, fill); err != nil {
			return Sample{}, err
		}
		out, cpuS, rss, err := execute(ctx, nil, append(run[:len(run):len(run)], "--db="+dir))
		if err != nil {
			return Sample{}, err
		}
		return parseDBBench(out, updates, cpuS, rss)
	}}
}

func parseDBBench(out []byte, updates int64, cpuS float64, rssBytes int64) (Sample, error) {
	m := updateRandom.FindSubmatch(out)
	if m == nil {
		return Sample{}, fmt.Errorf("db_bench printed no figure of updaterandom: %s", lastLines(out))
	}
	micros, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil || micros == 0 || cpuS == 0 {
		return Sample{}, fmt.Errorf("db_bench: figure %q", m[1])
	}
	n := float64(updates)
	return Sample{Values: map[string]float64{EventsPerS: 1e6 / micros, EventsPerCPUS: n / cpuS, CPUMicros: cpuS * 1e6 / n, RSSBytes: float64(rssBytes)}}, nil
}
