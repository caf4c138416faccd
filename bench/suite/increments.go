package suite

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/measure"
	"github.com/tidemark/tidemark/cmd/jobs"
	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// The figures of increments.
const (
	changedPer     = "changed bytes per checkpoint"
	newPer         = "new bytes per checkpoint"
	newPerMax      = "new bytes per checkpoint, greatest"
	reusedPer      = "reused bytes per checkpoint"
	uploadedByte   = "bytes uploaded / bytes changed"
	uploadedMiddle = "bytes uploaded / bytes changed, the median checkpoint's"
	putsPer        = "PUTs a subtask a checkpoint"
	liveFiles      = "files of the last checkpoint"
	checkpointsIn  = "checkpoints compared"
)

// incrementRounds bounds the rounds of what is mostly counts.
const incrementRounds = 2

// increments runs update over states of two sizes, with one key in a hundred
// changing between two checkpoints, and over one that only grows.
func increments(bytes int64, checkpoints int, interval time.Duration) experiment.Experiment {
	small := max(bytes/100, 1<<20)
	name := func(n int64) string { return fmt.Sprintf("%d MB, 1 %%", n/1e6) }
	compare := []experiment.Comparison{}
	for _, arm := range []string{name(small), name(bytes)} {
		compare = append(compare, experiment.Comparison{Value: uploadedByte, Arm: arm, Bar: measure.Bar{AtMost: 3}})
	}
	compare = append(compare, experiment.Comparison{Value: uploadedByte, Arm: appendOnly, Bar: measure.Bar{AtMost: 1.2}})
	for _, arm := range []string{name(small), name(bytes), appendOnly} {
		compare = append(compare, experiment.Comparison{Value: putsPer, Arm: arm, Bar: measure.Bar{AtMost: 2}})
	}
	for _, v := range []string{uploadedMiddle, stateBytes, changedPer, newPer, newPerMax, reusedPer, liveFiles, checkpointsIn, experiment.SyncP50} {
		compare = append(compare, experiment.Comparison{Value: v, Arm: name(bytes)})
	}
	for _, v := range []string{experiment.SyncP99, experiment.SyncMax} {
		for _, arm := range []string{name(small), name(bytes)} {
			compare = append(compare, experiment.Comparison{Value: v, Arm: arm, Bar: measure.Bar{AtMost: 1}})
		}
	}
	return experiment.Experiment{
		Name: "increments", Rounds: incrementRounds,
		About: fmt.Sprintf("Job update with values of 1000 bytes that do not compress, to a file store, a checkpoint every %v. ", interval) +
			"\"1 %\": every key is written once, then keys drawn at random, one in a hundred between two checkpoints; " +
			"\"append\": new keys only. Bytes changed are those of the distinct keys written between two checkpoints (8 bytes and the value), known exactly from the sources' positions in their manifests; " +
			"checkpoints that hold part of the first writing are left out of \"1 %\".",
		Arms: []experiment.Arm{
			incrementArm(name(small), small, checkpoints, interval, false), incrementArm(name(bytes), bytes, checkpoints, interval, false),
			incrementArm(appendOnly, bytes/4, checkpoints, interval, true),
		},
		Compare: compare,
	}
}

const appendOnly = "append"

func incrementArm(name string, bytes int64, checkpoints int, interval time.Duration, grow bool) experiment.Arm {
	keys := max(100, bytes/checkpointSize)
	o := jobs.Options{Keys: keys, Events: keys, ValueBytes: checkpointSize}
	perSecond := 0.0 // of the engine
	if grow {
		perSecond = float64(keys) / float64(checkpoints) / interval.Seconds()
	} else {
		o.UpdatesPerSecond = float64(keys) / 100 / interval.Seconds()
		o.Events += int64(o.UpdatesPerSecond * interval.Seconds() * float64(checkpoints))
	}
	command := fmt.Sprintf("tidemark run update --keys=%d --events=%d --value-size=%d --updates-per-second=%g --rate-limit=%g --interval=%v --retain=1000", o.Keys, o.Events, o.ValueBytes, o.UpdatesPerSecond, perSecond, interval)
	return experiment.Arm{Name: name, Command: command, Run: func(ctx context.Context) (experiment.Sample, error) {
		dir, err := os.MkdirTemp("", "tidemark-bench-")
		if err != nil {
			return experiment.Sample{}, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		r, err := runUpdate(ctx, dir, "file://"+filepath.Join(dir, "checkpoints"), o, interval, func(c *launch.Config) {
			c.Engine.RateLimit, c.Checkpoints.Retention.Newest = perSecond, 1000
		})
		if err != nil {
			return experiment.Sample{}, err
		}
		return incrementSample(ctx, r, o, grow)
	}}
}

// checkpointed is a checkpoint of update, with how far its sources had come.
type checkpointed struct {
	info     coordinator.CheckpointInfo
	stats    incremental.Stats
	splits   []jobs.UpdateSplit // sorted by First
	subtasks int                // with keyed state
}

// history reads the retained checkpoints of update, oldest first.
func history(ctx context.Context, store upload.Reader) ([]checkpointed, error) {
	infos, err := coordinator.List(ctx, store)
	if err != nil {
		return nil, err
	}
	var all []checkpointed
	for _, info := range infos {
		m, err := incremental.ReadManifest(ctx, store, info.ID, info.Epoch)
		if err != nil {
			return nil, err
		}
		k := checkpointed{info: info, stats: m.Stats}
		for _, sub := range m.Subtasks {
			if sub.Keyed != nil {
				k.subtasks++
			}
			if sub.Operator != "keys" {
				continue
			}
			for _, st := range sub.State {
				if st.Name != engine.StateSplits {
					continue
				}
				for _, item := range st.Items {
					split, err := jobs.ParseUpdateSplit(item)
					if err != nil {
						return nil, fmt.Errorf("checkpoint %v: %w", info.ID, err)
					}
					k.splits = append(k.splits, split)
				}
			}
		}
		slices.SortFunc(k.splits, func(a, b jobs.UpdateSplit) int { return int(a.First - b.First) })
		all = append(all, k)
	}
	return all, nil
}

// distinct counts the keys that were written between two checkpoints.
func distinct(u jobs.UpdateKeys, from, to []jobs.UpdateSplit) int64 {
	keys := map[uint64]struct{}{}
	for i, s := range to {
		for n := from[i].Read; n < s.Read; n++ {
			keys[u.Key(s.First+n*s.Stride)] = struct{}{}
		}
	}
	return int64(len(keys))
}

// loaded: every key was written before the checkpoint.
func loaded(u jobs.UpdateKeys, splits []jobs.UpdateSplit) bool {
	for _, s := range splits {
		if s.First+s.Read*s.Stride < u.Keys {
			return false
		}
	}
	return true
}

func incrementSample(ctx context.Context, r updateRun, o jobs.Options, grow bool) (experiment.Sample, error) {
	all, err := history(ctx, r.store)
	if err != nil {
		return experiment.Sample{}, err
	}
	u := jobs.UpdateKeysOf(o)
	entry := float64(keyBytes + o.ValueBytes)
	var ratios []float64
	var changed, uploaded, reused, objects, subtasks, n, greatest float64
	for i := 1; i < len(all); i++ {
		before, k := all[i-1], all[i]
		if len(before.splits) != len(k.splits) || !grow && !loaded(u, before.splits) {
			continue
		}
		n++
		between := entry * float64(distinct(u, before.splits, k.splits))
		if between > 0 {
			ratios = append(ratios, float64(k.stats.NewBytes)/between)
		}
		changed += between
		uploaded += float64(k.stats.NewBytes)
		greatest = max(greatest, float64(k.stats.NewBytes))
		reused += float64(k.stats.FullBytes - k.stats.NewBytes)
		objects += float64(k.stats.NewObjects)
		subtasks = float64(k.subtasks)
	}
	if n == 0 || changed == 0 || subtasks == 0 {
		return experiment.Sample{}, fmt.Errorf("of %d checkpoints none lies between two others of the part to measure: the machine is too slow, or the run too short", len(all))
	}
	last := all[len(all)-1]
	s := r.sample()
	maps.Copy(s.Values, map[string]float64{
		stateBytes: float64(last.stats.FullBytes), changedPer: changed / n, newPer: uploaded / n, newPerMax: greatest, reusedPer: reused / n,
		uploadedByte: uploaded / changed, uploadedMiddle: measure.Summarize(ratios).Median,
		putsPer: objects / n / subtasks, liveFiles: float64(last.stats.Files), checkpointsIn: n,
	})
	return s, nil
}
