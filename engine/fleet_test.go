package engine_test

import (
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/deploy"
	"github.com/tidemark/tidemark/engine/enginetest"
	"github.com/tidemark/tidemark/engine/state/memstate"
)

// fleetConfig is how a job runs on a fleet of three hosts.
func fleetConfig(co checkpoint.Coordinator, rng *rand.Rand) engine.Config {
	return engine.Config{
		Parallelism: 3, Backends: memstate.Factory{}, Coordinator: co, Restart: engine.FixedDelay{Attempts: 200},
		Logger: slog.New(slog.DiscardHandler), BatchRecords: 1 + rng.IntN(64), QueueBatches: 1 + rng.IntN(3),
	}
}

// I3, I6, I8, I13, I15: a job on three hosts gives what it gives on one. Users'
// code fails, hosts are lost and go on unseen, checkpoints are refused, and
// commands and reports come twice, late and out of order.
func TestFleet(t *testing.T) {
	s := seed(t)
	rounds := 30
	if testing.Short() {
		rounds = 6
	}
	restarts, restored, lost, late := 0, 0, 0, 0
	for round := 0; round < rounds || round < 200 && (restarts == 0 || restored == 0 || lost == 0 || late == 0); round++ {
		rng := rand.New(rand.NewPCG(s, uint64(round)))
		a, b := inputs(rng, 2000+rng.IntN(8000)), inputs(rng, rng.IntN(300))

		sums, wantSums := enginetest.Collect[row]()
		raw, wantRaw := enginetest.Collect[row]()
		calm := shapedJob(&bomb{}, a, b, 0, sums, raw)
		calm.MaxParallelism = 16
		enginetest.Run(t, calm, enginetest.Parallelism(1))

		sums, gotSums := enginetest.Collect[row]()
		raw, gotRaw := enginetest.Collect[row]()
		boom := &bomb{armed: true}
		boom.left.Store(1 + rng.Int64N(3*int64(len(a))))
		j := shapedJob(boom, a, b, time.Duration(rng.IntN(200))*time.Microsecond, sums, raw)
		j.MaxParallelism = 16
		refuse := rand.New(rand.NewPCG(s, uint64(round)))
		co := &enginetest.Coordinator{
			Every: time.Duration(100+rng.IntN(1000)) * time.Microsecond,
			Commit: func(checkpoint.ID) error {
				if refuse.IntN(4) == 0 {
					return errors.New("refused by the test")
				}
				return nil
			},
		}
		f := &engine.Fleet{Hosts: 3, Lose: time.Duration(2+rng.IntN(20)) * time.Millisecond}
		result, err := f.Run(t, rng.Uint64(), j, fleetConfig(co, rng))
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		restarts += result.Attempts - 1
		lost, late = lost+f.Lost, late+f.Late
		if co.Last() != nil && result.Attempts > 1 {
			restored++
		}
		if got, want := counts(gotSums()), counts(wantSums()); !maps.Equal(got, want) {
			t.Fatalf("round %d: sums are %v, want %v", round, got, want)
		}
		if got, want := counts(gotRaw()), counts(wantRaw()); !maps.Equal(got, want) {
			t.Fatalf("round %d: raw output has %d distinct rows, want %d with the same counts", round, len(got), len(want))
		}
		if want := int64(len(a) + len(b)); result.Records != want {
			t.Fatalf("round %d: %d records were read, want %d over all restarts", round, result.Records, want)
		}
	}
	t.Logf("%d restarts, %d rounds from a checkpoint, %d hosts lost, %d late commands", restarts, restored, lost, late)
	if restarts == 0 || restored == 0 || lost == 0 || late == 0 {
		t.Error("nothing went wrong: the test tests nothing")
	}
}

// Without checkpoints a fleet publishes everything at the end.
func TestFleetWithoutCheckpoints(t *testing.T) {
	sink, got := enginetest.Collect[row]()
	j := engine.NewJob("plain")
	in := engine.From(j, "in", enginetest.FromSlice(1, 2, 3, 1))
	engine.Process(engine.KeyBy(in, identity), "sum", sumProcessor).To("out", sink)
	cfg := fleetConfig(nil, rand.New(rand.NewPCG(1, 1)))
	if _, err := (&engine.Fleet{Hosts: 3}).Run(t, 1, j, cfg); err != nil {
		t.Fatal(err)
	}
	if m := counts(got()); len(m) != 3 || m[row{1, 2, 2}] != 1 {
		t.Fatalf("got %v", m)
	}
}

// What a failure means, and whose it is, survives the way from host to driver.
func TestFleetFailureKeepsItsKind(t *testing.T) {
	for kind, err := range map[deploy.FailureKind]error{
		deploy.FailurePermanent: engine.Permanent(errBoom),
		deploy.FailureFenced:    checkpoint.ErrFenced,
		deploy.FailureOther:     errBoom,
	} {
		j := engine.NewJob("failing")
		in := engine.From(j, "in", enginetest.FromSlice(1))
		engine.Process(engine.KeyBy(in, identity), "fail", func() engine.Processor[int, int, row] { return failing{err} }).To("out", enginetest.Discard[row]())
		cfg := fleetConfig(&enginetest.Coordinator{}, rand.New(rand.NewPCG(1, 1)))
		cfg.Restart = engine.FixedDelay{Attempts: 2}
		r, got := (&engine.Fleet{Hosts: 3}).Run(t, 1, j, cfg)
		want := 1
		if !kind.Permanent() {
			want = 3
		}
		var f *deploy.Failure
		if !errors.As(got, &f) || f.Kind != kind || f.Operator != "fail" || engine.KindOf(got) != kind || r.Attempts != want || !strings.Contains(got.Error(), err.Error()) {
			t.Errorf("%v: %d attempts, want %d; %v", kind, r.Attempts, want, got)
		}
	}
}
