package suite

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/rocks"
)

// The figures of files.
const (
	createdShare   = "of them, in files that a spill wrote"
	compactedShare = "of them, in files that compaction wrote"
	passingShare   = "of them, in files of one checkpoint"
	runsMean       = "files, mean"
	runsMax        = "files, greatest"
	spaceMax       = "bytes on disk / bytes of state, greatest"
)

// filesWorkload is what happens to a database between its checkpoints.
type filesWorkload struct {
	keys, valueBytes, checkpoints int
	changed                       float64 // share of the keys that are written; new keys where grow is set
	grow                          bool
}

func (w filesWorkload) name() string {
	if w.grow {
		return fmt.Sprintf("append, %d checkpoints", w.checkpoints)
	}
	return fmt.Sprintf("%g %%, values of %d bytes", 100*w.changed, w.valueBytes)
}

// files runs a database alone over many checkpoints, until its files are in a
// steady state; share makes the work smaller.
func files(share int64) experiment.Experiment {
	e := experiment.Experiment{
		Name: "files", Rounds: 1,
		About: "A database alone, without engine and store, over hundreds of checkpoints: what the plan of each would upload by what changed, once the files are as they stay. " +
			"Compaction is at rest before each checkpoint. Values do not compress. All is counted.",
	}
	for _, w := range []filesWorkload{
		{keys: 20_000, valueBytes: 1000, checkpoints: 400, changed: 0.01},
		{keys: 100_000, valueBytes: 100, checkpoints: 400, changed: 0.01},
		{keys: 300_000, valueBytes: 100, checkpoints: 1500, changed: 0.001},
		{keys: 100_000, valueBytes: 100, checkpoints: 100, changed: 0.1},
		{keys: 30_000, valueBytes: 100, checkpoints: 100, changed: 1},
		{keys: 20_000, valueBytes: 1000, checkpoints: 30, changed: 0.01, grow: true},
		{keys: 20_000, valueBytes: 1000, checkpoints: 400, changed: 0.01, grow: true},
	} {
		w.keys, w.checkpoints = w.keys/int(share), max(5, w.checkpoints/int(share))
		e.Arms = append(e.Arms, experiment.Arm{Name: w.name(), Run: w.run})
		for _, v := range []string{uploadedByte, createdShare, compactedShare, passingShare, putsPer, runsMean, runsMax, spaceMax} {
			e.Compare = append(e.Compare, experiment.Comparison{Value: v, Arm: w.name()})
		}
	}
	return e
}

// filesRun is a database under a filesWorkload.
type filesRun struct {
	w      filesWorkload
	dir    string
	db     *rocks.DB
	column state.Column
	random *rand.Rand
	next   uint64 // the first key not yet written

	base    *incremental.Handle
	objects int
}

func (w filesWorkload) run(ctx context.Context) (s experiment.Sample, err error) {
	dir, err := os.MkdirTemp("", "tidemark-bench-")
	if err != nil {
		return experiment.Sample{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	resources, err := rocks.NewResources(rocks.Options{TableBytes: 64 << 20})
	if err != nil {
		return experiment.Sample{}, err
	}
	defer func() { err = errors.Join(err, resources.Close()) }()
	values := state.Descriptor{Name: "value", Kind: state.KindValue}
	r := filesRun{w: w, dir: dir, random: rand.New(rand.NewPCG(1, 2))}
	if r.db, err = rocks.Open(filepath.Join(dir, "db"), resources, []state.Descriptor{values}); err != nil {
		return experiment.Sample{}, err
	}
	defer func() { err = errors.Join(err, r.db.Close()) }()
	if r.column, err = r.db.Column(values); err != nil {
		return experiment.Sample{}, err
	}
	return r.measure(ctx)
}

func (r *filesRun) measure(ctx context.Context) (experiment.Sample, error) {
	if !r.w.grow {
		for range r.w.keys {
			if err := r.put(r.next); err != nil {
				return experiment.Sample{}, err
			}
			r.next++
		}
		if _, err := r.checkpoint(); err != nil {
			return experiment.Sample{}, err
		}
	}
	var total filesUpload
	var changed, fileCount, most, space float64
	entry := float64(keyBytes + r.w.valueBytes)
	for range r.w.checkpoints {
		n, err := r.change()
		if err != nil {
			return experiment.Sample{}, err
		}
		changed += float64(n) * entry
		u, err := r.checkpoint()
		if err != nil {
			return experiment.Sample{}, err
		}
		total.add(u)
		m := r.db.Metrics()
		fileCount += float64(m.Files)
		most = max(most, float64(m.Files))
		space = max(space, float64(m.LiveBytes)/(float64(r.next)*entry))
		if err := r.rest(ctx); err != nil {
			return experiment.Sample{}, err
		}
	}
	n := float64(r.w.checkpoints)
	return experiment.Sample{Values: map[string]float64{
		uploadedByte: float64(total.spilled+total.compacted+total.passing) / changed,
		createdShare: float64(total.spilled) / changed, compactedShare: float64(total.compacted) / changed, passingShare: float64(total.passing) / changed,
		putsPer: float64(total.puts) / n, runsMean: fileCount / n, runsMax: most, spaceMax: space,
	}}, nil
}

// change writes what changes between two checkpoints, and returns the number of
// changed keys.
func (r *filesRun) change() (int, error) {
	keys := map[uint64]struct{}{}
	for range int(float64(r.w.keys) * r.w.changed) {
		k := r.next
		if r.w.grow {
			r.next++
		} else {
			k = r.random.Uint64N(r.next)
		}
		keys[k] = struct{}{}
		if err := r.put(k); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

func (r *filesRun) put(k uint64) error {
	k = k*0x9E3779B97F4A7C15 + 1 // spread over all keys, as by a hash
	value := make([]byte, 0, r.w.valueBytes+8)
	for len(value) < r.w.valueBytes {
		value = binary.NativeEndian.AppendUint64(value, r.random.Uint64())
	}
	return r.column.Put(binary.BigEndian.AppendUint64(nil, k), value[:r.w.valueBytes])
}

// rest waits until no compaction runs.
func (r *filesRun) rest(ctx context.Context) error {
	for quiet := 0; quiet < 2; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
		if r.db.Metrics().RunningJobs == 0 {
			quiet++
		} else {
			quiet = 0
		}
	}
	return nil
}

// filesUpload is what a checkpoint puts, in bytes by where it comes from.
type filesUpload struct {
	spilled, compacted, passing int64
	puts                        int
}

func (u *filesUpload) add(v filesUpload) {
	u.spilled += v.spilled
	u.compacted += v.compacted
	u.passing += v.passing
	u.puts += v.puts
}

// checkpoint makes a checkpoint, and plans and packs it as a backend does.
func (r *filesRun) checkpoint() (u filesUpload, err error) {
	before, err := r.files(filepath.Join(r.dir, "db"))
	if err != nil {
		return u, err
	}
	compacted := map[string]bool{} // or there before
	for _, f := range before {
		compacted[f.Name] = true
	}
	dir := filepath.Join(r.dir, "checkpoint")
	if err := r.db.Checkpoint(dir); err != nil {
		return u, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	now, err := r.files(dir)
	if err != nil {
		return u, err
	}
	plan := incremental.Plan(r.base, now, incremental.PlanOptions{})
	for _, f := range plan.Upload {
		switch {
		case !f.Immutable:
			u.passing += f.Size
		case compacted[f.Name]:
			u.compacted += f.Size
		default:
			u.spilled += f.Size
		}
	}
	packed := incremental.Pack(plan.Upload, incremental.PlanOptions{})
	u.puts = len(packed)
	r.advance(plan.Reuse, packed)
	return u, nil
}

// advance makes the handle that the next checkpoint is compared with.
func (r *filesRun) advance(reuse []incremental.File, packed [][]incremental.LocalFile) {
	put := make([]incremental.Put, len(packed))
	for i, files := range packed {
		r.objects++
		o := incremental.Object{Name: fmt.Sprint(r.objects)}
		for _, f := range files {
			put[i].Files = append(put[i].Files, incremental.File{
				Name: f.Name, Immutable: f.Immutable, Ref: incremental.FileRef{Object: o.Name, Offset: o.Size, Length: f.Size},
			})
			o.Size += f.Size
		}
		put[i].Object = o
	}
	base := r.base
	r.base = &incremental.Handle{}
	r.base.Assemble(base, reuse, put)
}

func (r *filesRun) files(dir string) ([]incremental.LocalFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []incremental.LocalFile
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // compaction is over, and has removed it
		}
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			all = append(all, incremental.LocalFile{Name: e.Name(), Size: info.Size(), Immutable: r.db.Immutable(e.Name())})
		}
	}
	return all, nil
}
