package suite

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/tidemark/tidemark/bench/experiment"
)

// The arms of db_bench.
const (
	updateRandomArm = "db_bench updaterandom"
	mixGraphArm     = "db_bench mixgraph"
)

// findDBBench returns an error if there is no db_bench.
func findDBBench() error {
	_, err := exec.LookPath("db_bench")
	return err
}

func updateRandom(r keyedRow) experiment.Arm {
	return dbBench(r, updateRandomArm, 1, "--benchmarks=updaterandom", fmt.Sprintf("--writes=%d", r.updates))
}

// mixGraph reads and writes in turn, at random, with skewed keys. Of its law
// a*rank^b is the share of the first ranks.
func mixGraph(r keyedRow) experiment.Arm {
	b := math.Log(hottest(r.keys, r.zipf)) / math.Log(0.01)
	a := math.Pow(float64(r.keys), -b)
	return dbBench(r, mixGraphArm, 2, "--benchmarks=mixgraph", fmt.Sprintf("--reads=%d", 2*r.updates), "--mix_get_ratio=0.5", "--mix_put_ratio=0.5",
		fmt.Sprintf("--key_dist_a=%.6g", a), fmt.Sprintf("--key_dist_b=%.6g", b),
		"--value_k=0", "--value_sigma=0", fmt.Sprintf("--value_theta=%d", keyedValueBytes)) // values of one size
}

// dbBench is an arm that runs a benchmark of db_bench over a database that an
// earlier process filled. operations of db_bench make one update.
func dbBench(r keyedRow, name string, operations int64, benchmark ...string) experiment.Arm {
	shared := []string{
		fmt.Sprintf("--num=%d", r.keys), "--key_size=8", fmt.Sprintf("--value_size=%d", keyedValueBytes), "--threads=1", "--disable_wal=1", "--compression_type=none", "--bloom_bits=10",
		fmt.Sprintf("--cache_size=%d", r.memory/2), fmt.Sprintf("--write_buffer_size=%d", r.memory/4),
	}
	run := append(append([]string{"db_bench"}, benchmark...), "--use_existing_db=1")
	run = append(run, shared...)
	return experiment.Arm{Name: name, Command: strings.Join(run, " "), Run: func(ctx context.Context) (experiment.Sample, error) {
		dir, err := os.MkdirTemp("", "tidemark-bench-")
		if err != nil {
			return experiment.Sample{}, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		fill := append([]string{"db_bench", "--benchmarks=fillseq", "--db=" + dir}, shared...)
		if _, _, err := experiment.Execute(ctx, fill); err != nil {
			return experiment.Sample{}, err
		}
		out, cpuS, err := experiment.Execute(ctx, append(run[:len(run):len(run)], "--db="+dir))
		if err != nil {
			return experiment.Sample{}, err
		}
		return parseDBBench(out, r.updates, operations, cpuS)
	}}
}

var dbBenchMicros = regexp.MustCompile(`(?:updaterandom|mixgraph)\s*:\s*([0-9.]+) micros/op`)

func parseDBBench(out []byte, updates, operations int64, cpuS float64) (experiment.Sample, error) {
	m := dbBenchMicros.FindSubmatch(out)
	if m == nil {
		return experiment.Sample{}, fmt.Errorf("db_bench printed no figure: %s", experiment.LastLines(out))
	}
	micros, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil || micros == 0 || cpuS == 0 {
		return experiment.Sample{}, fmt.Errorf("db_bench: figure %q", m[1])
	}
	n := float64(updates)
	s := experiment.Sample{Values: map[string]float64{
		experiment.EventsPerS: 1e6 / (micros * float64(operations)), experiment.EventsPerCPUS: n / cpuS, experiment.CPUMicros: cpuS * 1e6 / n,
	}}
	if bytes.Contains(out, []byte("Assertions are enabled")) {
		s.Note = "this db_bench has assertions compiled in"
	}
	return s, nil
}
