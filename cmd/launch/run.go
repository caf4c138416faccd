package launch

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/memstore"
	"github.com/tidemark/tidemark/upload/storeurl"
)

// closeTimeout bounds how long the end of a run waits for the coordinator to
// delete what is no longer needed; what is left is found by the next start.
const closeTimeout = time.Minute

// Errors of a start, for those who say what to do about them.
var (
	ErrStore    = errors.New("checkpoint store")          // it cannot be opened
	ErrStateDir = errors.New("directory for local state") // it cannot be used
	ErrProfiles = errors.New("directory for profiles")    // they cannot be written
)

// Run runs the job until its bounded input is processed and published, until
// it fails for good, or until ctx ends. The report is as good as it can be
// with an error too.
func Run(ctx context.Context, c Config) (report Report, err error) {
	if err := c.Validate(); err != nil {
		return Report{}, err
	}
	c = c.withDefaults()
	if c.Profiles != "" {
		c.Engine.ProfileLabels = true
		stop, recordErr := record(c.Profiles)
		if recordErr != nil {
			return Report{}, recordErr
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	meter := startMeter()
	history := &history{}
	defer func() {
		report.WallS, report.CPUS = meter.elapsed()
		report.Usage = usage().since(meter.usage)
	}()
	report.Job, report.Memory = c.JobID, c.memory(gcPercent())
	c.Logger.Info("memory that the job may take", "job", c.JobID, "bytes", report.Memory)

	var store upload.Store = memstore.New() // never written to where checkpoints are off
	var coord *coordinator.Coordinator
	if c.Interval > 0 {
		if store, err = OpenStore(ctx, c); err != nil {
			return report, err
		}
	}
	// Local state is locked before the lead is taken: a second start of the job
	// must not fence the first.
	backends, closeBackends, err := openBackends(c, store)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, closeBackends()) }()
	c.Engine.Backends = settling{backends}
	if c.Interval > 0 {
		if coord, err = lead(ctx, c, store, history); err != nil {
			return report, err
		}
		defer func() {
			// The job may have ended because ctx did: what there is to tidy up
			// is tidied up all the same, for a while.
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
			defer cancel()
			closed := coord.Close(closing)
			if closed != nil {
				err = errors.Join(err, fmt.Errorf("close the coordinator of job %s: %w", c.JobID, closed))
			}
			report.Checkpoints = history.summary(coord.Status())
		}()
		c.Engine.Coordinator = restoring{coord, c.Starting}
	}
	metrics := &engine.Metrics{}
	c.Engine.Metrics, c.Engine.Logger = metrics, c.Logger
	stop, sampled := watch(c, metrics, coord), sample(meter, metrics)
	result, err := engine.Run(ctx, c.Job, c.Engine)
	stop()
	report.Series = sampled()
	report.Events, report.Malformed, report.Attempts = result.Records, result.Malformed, result.Attempts
	report.Rows = result.Written
	if result.Restored != 0 {
		id := uint64(result.Restored)
		report.ResumedFrom = &id
	}
	return report, err
}

// OpenStore opens the checkpoint store that c names, and checks that it can be
// used.
func OpenStore(ctx context.Context, c Config) (upload.Store, error) {
	s, err := storeurl.Open(ctx, c.Store, storeurl.Options{Create: true, Probe: true, S3: c.S3, Retry: upload.RetryOptions{Attempts: 1}})
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrStore, c.Store, err)
	}
	s = upload.Prefixed(s, c.JobID)
	if c.Decorate != nil {
		s = c.Decorate(s)
	}
	return upload.Retrying(s, c.Retry), nil
}

func lead(ctx context.Context, c Config, store upload.Store, h *history) (*coordinator.Coordinator, error) {
	o := c.Checkpoints
	o.Store, o.Job, o.Interval, o.Logger = store, c.JobID, c.Interval, c.Logger
	ended := o.Listener.Ended
	o.Listener.Ended = func(r coordinator.Report) {
		h.add(r)
		if ended != nil {
			ended(r)
		}
	}
	coord, err := coordinator.Open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("lead job %s in %s: %w", c.JobID, c.Store, err)
	}
	return coord, nil
}

// openBackends returns RocksDB backends whose snapshots go to the store.
func openBackends(c Config, store upload.Store) (state.Factory, func() error, error) {
	c.Rocks.TableBytes = c.TableBytes
	resources, err := rocks.NewResources(c.Rocks)
	if err != nil {
		return nil, nil, err
	}
	dir, err := filepath.Abs(c.StateDir)
	if err != nil {
		return nil, nil, errors.Join(err, resources.Close())
	}
	factory, err := incremental.NewFactory(incremental.Options{
		Dir: dir, Store: store, Plan: c.Plan, Log: c.Logger,
		OpenBase: func(dir string, states []state.Descriptor) (incremental.Base, error) {
			return rocks.Open(dir, resources, states)
		},
	})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%w %s: %w", ErrStateDir, dir, err), resources.Close())
	}
	return factory, func() error { return errors.Join(factory.Close(), resources.Close()) }, nil
}
