package launch

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/tidemark/tidemark/cmd/api"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/filestore"
	"github.com/tidemark/tidemark/upload/memstore"
	"github.com/tidemark/tidemark/upload/storeurl"
)

// How long the end of a run waits for the coordinator to settle a commit in doubt and to
// delete objects; the next start does what is left. A run that was told to end, and will be
// started again, is killed by most supervisors after 30 s.
const (
	closeTimeout = time.Minute
	stopTimeout  = 10 * time.Second
)

// Errors of a start. cli.Explain says what to do about them.
var (
	ErrStore    = errors.New("checkpoint store")          // it cannot be opened
	ErrStateDir = errors.New("directory for local state") // it cannot be used
	ErrProfiles = errors.New("directory for profiles")    // they cannot be written
)

// parts are what a job runs on.
type parts struct {
	store       upload.Store
	identity    engine.Identity
	requests    upload.Counters // of the store
	resources   *rocks.Resources
	backends    state.Factory
	coordinator *coordinator.Coordinator // nil: checkpoints are off
	server      *api.Server              // nil: nothing is served
	history     history
	metrics     engine.Metrics
	closers     []func(context.Context) error // of what was opened, in that order
}

// open opens the parts. They must be closed after an error too.
func (p *parts) open(ctx context.Context, c Config) error {
	// All places are locked before the lead is taken: a second start of the job must
	// not fence the first.
	for _, open := range []func(context.Context, Config) error{p.openStore, p.openBackends, p.holdJob, p.holdOutput, p.listen, p.lead} {
		if err := open(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// close closes what was opened, in the opposite order.
func (p *parts) close(ctx context.Context) error {
	var errs []error
	for _, c := range slices.Backward(p.closers) {
		errs = append(errs, c(ctx))
	}
	return errors.Join(errs...)
}

// stopping says how the run ends when it is told to.
func (p *parts) stopping(c Config) *stopping {
	s := &stopping{grace: c.StopGrace}
	if p.coordinator != nil {
		s.stopper = p.coordinator
	}
	return s
}

// config returns the engine's part of c, with the parts.
func (p *parts) config(c Config) engine.Config {
	e := c.Engine
	e.Identity = p.identity
	e.Backends, e.Metrics, e.Logger = p.backends, &p.metrics, c.Logger
	if p.coordinator != nil {
		e.Coordinator = announcing{p.coordinator, c.Starting, p.coordinator.Status().Resumed}
	}
	return e
}

// checkpoints sums up the checkpoints until now.
func (p *parts) checkpoints() Checkpoints {
	if p.coordinator == nil {
		return Checkpoints{}
	}
	return p.history.summary(p.coordinator.Status())
}

// newest is the newest checkpoint in the store; zero: none.
func (p *parts) newest() uint64 {
	if p.coordinator == nil {
		return 0
	}
	return uint64(p.coordinator.Status().Newest())
}

func (p *parts) openStore(ctx context.Context, c Config) (err error) {
	p.identity.ID = c.JobID
	if c.Interval == 0 {
		p.store = memstore.New() // nothing is written to it
		return nil
	}
	decorate := c.Decorate
	c.Decorate = func(s upload.Store) upload.Store {
		if s = upload.Counting(s, &p.requests); decorate != nil {
			s = decorate(s)
		}
		return s
	}
	if p.store, err = OpenStore(ctx, c); err != nil {
		return err
	}
	p.identity.Store = p.store.String()
	return nil
}

// openBackends opens RocksDB backends whose snapshots go to the store.
func (p *parts) openBackends(_ context.Context, c Config) error {
	resources, err := rocks.NewResources(c.Rocks)
	if err != nil {
		return err
	}
	p.resources = resources
	p.closers = append(p.closers, func(context.Context) error { return resources.Close() })
	dir, err := filepath.Abs(c.StateDir)
	if err != nil {
		return fmt.Errorf("%w %s: %w", ErrStateDir, c.StateDir, err)
	}
	factory, err := incremental.NewFactory(incremental.Options{
		Dir: dir, Store: p.store, Plan: c.Plan, Log: c.Logger, Backend: backend(),
		OpenBase: func(dir string, states []state.Descriptor) (incremental.Base, error) {
			return rocks.Open(dir, resources, states)
		},
	})
	if err != nil {
		return fmt.Errorf("%w %s: %w", ErrStateDir, dir, err)
	}
	p.backends = factory
	p.closers = append(p.closers, func(context.Context) error { return factory.Close() })
	return nil
}

// backend describes the local store that is linked.
func backend() incremental.BackendInfo {
	l := rocks.Linked()
	return incremental.BackendInfo{Name: rocks.StoreName, Version: l.Version, Format: l.TableFormat}
}

// holdJob keeps other processes on this machine from running the job, where the store
// is a directory. With S3 a second start takes the lead, and the first is fenced.
func (p *parts) holdJob(_ context.Context, c Config) error {
	dir, ok := storeurl.Dir(c.Store)
	if !ok || c.Interval == 0 {
		return nil
	}
	release, err := filestore.Hold(dir, c.JobID)
	if err != nil {
		return fmt.Errorf("run job %s in %s: %w", c.JobID, c.Store, err)
	}
	p.closers = append(p.closers, func(context.Context) error { return release() })
	return nil
}

// holdOutput keeps other jobs out of the directories that the job writes to.
func (p *parts) holdOutput(_ context.Context, c Config) error {
	release, err := c.Job.Hold(p.identity)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, func(context.Context) error { return release() })
	return nil
}

// lead opens the job's coordinator.
func (p *parts) lead(ctx context.Context, c Config) (err error) {
	if c.Interval == 0 {
		return nil
	}
	o := c.Checkpoints
	o.Store, o.Job, o.Graph, o.Interval, o.Logger, o.Backend = p.store, c.JobID, c.graph(), c.Interval, c.Logger, backend()
	if p.server != nil {
		o.Leader = p.server.Reached()
	}
	o.Resume = true
	ended := o.Listener.Ended
	o.Listener.Ended = func(r coordinator.Report) {
		p.history.add(r)
		if ended != nil {
			ended(r)
		}
	}
	if p.coordinator, err = coordinator.Open(ctx, o); err != nil {
		return fmt.Errorf("lead job %s in %s: %w", c.JobID, c.Store, err)
	}
	p.closers = append(p.closers, func(ctx context.Context) error {
		// The job may have ended because ctx did: it is tidied up all the same.
		limit := closeTimeout
		if ctx.Err() != nil {
			limit = stopTimeout
		}
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		if err := p.coordinator.Close(closing); err != nil {
			return fmt.Errorf("close the coordinator of job %s: %w", c.JobID, err)
		}
		return nil
	})
	return nil
}

// OpenStore opens the checkpoint store that c names, and checks that it can be
// used.
func OpenStore(ctx context.Context, c Config) (upload.Store, error) {
	if c.S3.Logger == nil {
		c.S3.Logger = c.Logger
	}
	s, err := storeurl.Open(ctx, c.Store, storeurl.Options{Create: true, Probe: true, S3: c.S3, Limits: c.Limits, Retry: upload.RetryOptions{Attempts: 1}})
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrStore, c.Store, err)
	}
	s = upload.Prefixed(s, c.JobID)
	if c.Decorate != nil {
		s = c.Decorate(s)
	}
	if c.Retry.Retried == nil {
		c.Retry.Retried = (&retryLog{log: c.Logger.With("job", c.JobID)}).add
	}
	return upload.Retrying(s, c.Retry), nil
}
