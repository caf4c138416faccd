package engine

import (
	"context"
	"fmt"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/deploy"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// prepare comes before an execution is deployed: it checks that the job fits the
// checkpoint that it starts from, lists the splits of sources that start from nothing,
// and recovers the sinks' targets. It runs users' code, and turns a panic into an
// error.
func (d *driver) prepare(ctx context.Context, x checkpoint.Execution) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanic("", v)
		}
	}()
	if r := d.restored; r != nil {
		if err := d.graph.Fit(r.Graph, r.Stateful(), r.Drop); err != nil {
			return fmt.Errorf("restore checkpoint %v: %w", r.Checkpoint, err)
		}
		for _, id := range r.Stateful() {
			if _, ok := d.graph.Operator(id); !ok {
				d.log.Warn("state of the checkpoint is dropped", "operator", id)
			}
		}
		d.log.Info("starting from a checkpoint", "attempt", uint64(x.Attempt), "checkpoint_id", uint64(r.Checkpoint), "final", r.Final)
	}
	if d.subtasks, err = d.subtasksOf(ctx, x); err != nil {
		return err
	}
	return d.recoverSinks(ctx, x.Epoch)
}

// snapshots returns what an operator's subtasks left in the checkpoint that
// the attempt starts from.
func (d *driver) snapshots(id checkpoint.OperatorID) []checkpoint.OperatorSnapshot {
	if d.restored == nil {
		return nil
	}
	return d.restored.Operators[id]
}

// subtasksOf deals what the attempt starts from out to the job's subtasks.
func (d *driver) subtasksOf(ctx context.Context, x checkpoint.Execution) ([]deploy.Subtask, error) {
	var subtasks []deploy.Subtask
	at := map[*planned]int{} // the first subtask of a vertex
	for _, p := range d.plan.nodes {
		operators, err := d.operators(ctx, x, p)
		if err != nil {
			return nil, err
		}
		if p.head == p {
			at[p] = len(subtasks)
			for i := range p.parallelism {
				subtasks = append(subtasks, deploy.Subtask{ID: p.subtask(i)})
			}
		}
		for i, o := range operators {
			s := &subtasks[at[p.head]+i]
			s.Operators = append(s.Operators, o)
		}
	}
	return subtasks, nil
}

// operators returns what each subtask of an operator starts from.
func (d *driver) operators(ctx context.Context, x checkpoint.Execution, p *planned) ([]deploy.Operator, error) {
	snaps := d.snapshots(p.id)
	operators := make([]deploy.Operator, p.parallelism)
	states := redistribute(snaps, p.parallelism)
	var drop []string
	if d.restored != nil {
		drop = d.restored.DroppedStates(p.id)
	}
	for i := range operators {
		operators[i] = deploy.Operator{ID: p.id, States: states[i], Drop: drop}
		if p.kind == kindProcess {
			operators[i].Handles = overlapping(snaps, keygroup.Assign(d.graph.MaxParallelism, p.parallelism, i))
		}
	}
	if p.kind != kindSource && p.kind != kindSink {
		return operators, nil
	}
	records, malformed, err := restoredCounts(snaps)
	if err != nil {
		return nil, err
	}
	if p.kind == kindSource || p.inputs[0].side == "" { // what is malformed is no row
		d.cfg.Metrics.restored(int(x.Attempt), p.id, p.kind, records, malformed)
	}
	if p.kind == kindSink {
		return operators, nil
	}
	if len(snaps) > 0 {
		if x.Attempt == 1 {
			d.overlooked(ctx, p, snaps)
		}
		return operators, nil
	}
	splits, err := d.splits(ctx, p)
	for i, s := range splits {
		o := &operators[i%p.parallelism]
		o.Splits = append(o.Splits, s)
	}
	return operators, err
}

// splits lists the splits of a source that starts from nothing, once a run.
func (d *driver) splits(ctx context.Context, p *planned) ([]Split, error) {
	splits, listed := d.listed[p.id]
	if !listed {
		var err error
		if splits, err = p.splits(ctx, p.parallelism); err != nil {
			return nil, fmt.Errorf("operator %q: list splits: %w", p.id, err)
		}
		d.listed[p.id] = splits
	}
	return splits, nil
}

// namedOverlooked is how much of the input that is not read is named.
const namedOverlooked = 3

// overlooked warns of input that came too late for a source that resumes.
func (d *driver) overlooked(ctx context.Context, p *planned, snaps []checkpoint.OperatorSnapshot) {
	if p.overlooked == nil {
		return
	}
	var splits []Split
	for _, snap := range snaps {
		for _, s := range snap.State {
			if s.Name == StateSplits {
				for _, item := range s.Items {
					splits = append(splits, Split(item))
				}
			}
		}
	}
	names, err := p.overlooked(ctx, splits)
	if err != nil {
		d.log.Warn("cannot tell whether there is new input", "operator", p.id, "error", err)
	}
	if len(names) > 0 {
		d.log.Warn("new input is not read: the job reads what was there when it began. To read it, start the job anew, or let another job read it",
			"operator", p.id, "count", len(names), "such_as", names[:min(len(names), namedOverlooked)])
	}
}

// recoverSinks brings every sink's target to the restored checkpoint.
func (d *driver) recoverSinks(ctx context.Context, epoch checkpoint.Epoch) error {
	for _, p := range d.plan.nodes {
		if p.kind != kindSink {
			continue
		}
		r := Recovery{Job: d.cfg.Identity, Operator: p.id, Epoch: epoch}
		if d.restored != nil {
			r.Restored = d.restored.Checkpoint
			var err error
			if r.Pending, err = restoredPending(d.snapshots(p.id)); err != nil {
				return err
			}
		}
		if err := p.recover(ctx, r); err != nil {
			return fmt.Errorf("operator %q: recover: %w", p.id, err)
		}
	}
	return nil
}

// redistribute deals operator state out; the snapshots are by index.
func redistribute(snaps []checkpoint.OperatorSnapshot, parallelism int) [][]checkpoint.OperatorState {
	old := make([][]checkpoint.OperatorState, len(snaps))
	for i, s := range snaps {
		old[i] = s.State
	}
	return state.Redistribute(old, parallelism)
}

// overlapping returns the handles that hold state of some of the key groups.
func overlapping(snaps []checkpoint.OperatorSnapshot, groups keygroup.Range) (handles []checkpoint.StateHandle) {
	for _, s := range snaps {
		if s.Keyed != nil && s.Keyed.KeyGroups().Intersect(groups).Len() > 0 {
			handles = append(handles, s.Keyed)
		}
	}
	return handles
}

// restoredCounts is what a source had read and skipped, or a sink written, at a
// checkpoint.
func restoredCounts(snaps []checkpoint.OperatorSnapshot) (records, malformed int64, err error) {
	for _, snap := range snaps {
		for _, s := range snap.State {
			var n int64
			switch s.Name {
			case stateRecords:
				n, err = sumCounts(s)
				records += n
			case stateMalformed:
				n, err = sumCounts(s)
				malformed += n
			}
			if err != nil {
				return 0, 0, fmt.Errorf("operator %q subtask %d: %w", snap.Operator, snap.Index, err)
			}
		}
	}
	return records, malformed, nil
}
