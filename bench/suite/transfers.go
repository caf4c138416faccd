package suite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/measure"
	"github.com/tidemark/tidemark/bench/rawstore"
	"github.com/tidemark/tidemark/cmd/jobs"
	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/upload/s3store"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

// The figures of transfers.
const (
	bandwidth   = "MB/s"
	objectsMade = "objects"
	bytesMoved  = "bytes"
)

const (
	rawPut = "raw PUT"
	rawGet = "raw GET"
	// transferParallel is how many objects move at once: the default of
	// incremental.Options, and that of the raw arms.
	transferParallel = 8
	bucket           = "bench"
)

// s3Bench is an S3 server on this machine with what the arms share: the
// checkpoint that was uploaded last, whose objects the raw arms repeat.
type s3Bench struct {
	bytes  int64
	server *s3server.Server
	raw    *rawstore.Client
	runs   int
	prefix string  // of the job's newest run
	sizes  []int64 // of its objects of state
	names  []string
}

func (b *s3Bench) begin(ctx context.Context) (func() error, error) {
	server, err := s3server.Start(ctx, s3server.Options{})
	if err != nil {
		return nil, err
	}
	b.server = server
	if err := server.CreateBucket(bucket); err != nil {
		return nil, errors.Join(err, server.Close())
	}
	b.raw, err = rawstore.New(ctx, rawstore.Server{
		Endpoint: server.Endpoint(), Region: s3server.Region, Bucket: bucket, AccessKeyID: s3server.AccessKey, SecretAccessKey: s3server.SecretKey,
	})
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	// The arms compare with the same objects from the first round on.
	if _, err := b.upload(ctx); err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return server.Close, nil
}

// upload makes a state and uploads it as one checkpoint, the last of a job,
// when nothing else runs.
func (b *s3Bench) upload(ctx context.Context) (experiment.Sample, error) {
	dir, err := os.MkdirTemp("", "tidemark-bench-")
	if err != nil {
		return experiment.Sample{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b.runs++
	old := b.prefix
	b.prefix = fmt.Sprintf("run-%d", b.runs)
	keys := max(100, b.bytes/checkpointSize)
	r, err := runUpdate(ctx, dir, b.url(), jobs.Options{Keys: keys, Events: keys, ValueBytes: checkpointSize}, time.Hour, func(c *launch.Config) { c.S3 = s3Options(b.server) })
	if err != nil {
		return experiment.Sample{}, err
	}
	b.sizes, b.names = nil, nil
	for info, err := range r.store.List(ctx, incremental.DataPrefix) {
		if err != nil {
			return experiment.Sample{}, err
		}
		b.sizes, b.names = append(b.sizes, info.Size), append(b.names, b.prefix+"/update/"+info.Name)
	}
	if old != "" {
		if err := os.RemoveAll(filepath.Join(b.server.BucketDir(bucket), old)); err != nil {
			return experiment.Sample{}, err
		}
	}
	moved, seconds := r.watch.Data.Put.Bytes.Load(), r.watch.PutSeconds()
	if moved == 0 || seconds == 0 || len(b.sizes) == 0 {
		return experiment.Sample{}, fmt.Errorf("the checkpoint uploaded nothing: %+v", r.report.Checkpoints)
	}
	s := r.sample()
	s.Values[bandwidth], s.Values[objectsMade], s.Values[bytesMoved] = float64(moved)/1e6/seconds, float64(len(b.sizes)), float64(moved)
	return s, nil
}

func (b *s3Bench) url() string { return "s3://" + bucket + "/" + b.prefix }

func s3Options(s *s3server.Server) s3store.Options {
	return s3store.Options{Endpoint: s.Endpoint(), Region: s3server.Region, AccessKeyID: s3server.AccessKey, SecretAccessKey: s3server.SecretKey}
}

func (b *s3Bench) put(ctx context.Context) (experiment.Sample, error) {
	b.raw.Prepare(slices.Max(b.sizes))
	begin := time.Now()
	if err := b.raw.Put(ctx, "raw", b.sizes, transferParallel); err != nil {
		return experiment.Sample{}, err
	}
	seconds := time.Since(begin).Seconds()
	if err := os.RemoveAll(filepath.Join(b.server.BucketDir(bucket), "raw")); err != nil {
		return experiment.Sample{}, err
	}
	return b.sample(seconds), nil
}

func (b *s3Bench) get(ctx context.Context) (experiment.Sample, error) {
	dir, err := os.MkdirTemp("", "tidemark-bench-")
	if err != nil {
		return experiment.Sample{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	begin := time.Now()
	n, err := b.raw.Get(ctx, b.names, dir, transferParallel)
	if err != nil {
		return experiment.Sample{}, err
	}
	s := b.sample(time.Since(begin).Seconds())
	if n != int64(s.Values[bytesMoved]) {
		return experiment.Sample{}, fmt.Errorf("%d bytes came, want %.0f", n, s.Values[bytesMoved])
	}
	return s, nil
}

func (b *s3Bench) sample(seconds float64) experiment.Sample {
	var total int64
	for _, n := range b.sizes {
		total += n
	}
	return experiment.Sample{Values: map[string]float64{bandwidth: float64(total) / 1e6 / seconds, objectsMade: float64(len(b.sizes)), bytesMoved: float64(total)}}
}

// restore opens the backends of all keyed subtasks from the checkpoint, as a
// job that starts does.
func (b *s3Bench) restore(ctx context.Context) (s experiment.Sample, err error) {
	dir, err := os.MkdirTemp("", "tidemark-bench-")
	if err != nil {
		return experiment.Sample{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	store, err := launch.OpenStore(ctx, launch.Config{Store: b.url(), JobID: "update", S3: s3Options(b.server)})
	if err != nil {
		return experiment.Sample{}, err
	}
	infos, err := coordinator.List(ctx, store)
	if err != nil || len(infos) == 0 {
		return experiment.Sample{}, errors.Join(err, fmt.Errorf("%d checkpoints in %s", len(infos), b.url()))
	}
	newest := infos[len(infos)-1]
	resources, err := rocks.NewResources(rocks.Options{TableBytes: rocks.DefaultTableBytes / 2})
	if err != nil {
		return experiment.Sample{}, err
	}
	defer func() { err = errors.Join(err, resources.Close()) }()
	factory, err := incremental.NewFactory(incremental.Options{
		Dir: dir, Store: store, Log: slog.New(slog.DiscardHandler),
		OpenBase: func(dir string, states []state.Descriptor) (incremental.Base, error) {
			return rocks.Open(dir, resources, states)
		},
	})
	if err != nil {
		return experiment.Sample{}, err
	}
	defer func() { err = errors.Join(err, factory.Close()) }()

	begin := time.Now()
	m, err := incremental.ReadManifest(ctx, store, newest.ID, newest.Epoch)
	if err != nil {
		return experiment.Sample{}, err
	}
	backends := make([]state.Backend, len(m.Subtasks))
	g, gctx := errgroup.WithContext(ctx)
	for i, sub := range m.Subtasks {
		if sub.Keyed == nil {
			continue
		}
		g.Go(func() (err error) {
			backends[i], err = factory.Open(gctx, state.OpenRequest{
				Operator: sub.Operator, Index: sub.Index, Attempt: 1, KeyGroups: sub.Keyed.Range, Restored: m.Checkpoint,
				Handles: []checkpoint.StateHandle{sub.Keyed},
			})
			return err
		})
	}
	err = g.Wait()
	seconds := time.Since(begin).Seconds()
	for _, backend := range backends {
		if backend != nil {
			err = errors.Join(err, backend.Close())
		}
	}
	return b.sample(seconds), err
}

// transfers makes the two experiments with an S3 server. They share nothing but
// the code.
func transfers(bytes int64) []experiment.Experiment {
	about := fmt.Sprintf("A state of about %d MB, on an S3 server (versitygw) on loopback, which shares this machine's processors and disk. ", bytes/1e6)
	up, down := &s3Bench{bytes: bytes}, &s3Bench{bytes: bytes}
	return []experiment.Experiment{
		{
			Name: "upload", About: about + "The upload of a checkpoint, from the first PUT of state to the last, beside PutObject of objects of the same sizes from memory with the SDK alone, as many at once.",
			Begin: up.begin,
			Arms:  []experiment.Arm{{Name: "checkpoint", Run: up.upload}, {Name: rawPut, Run: up.put}},
			Compare: []experiment.Comparison{
				{Value: bandwidth, Arm: "checkpoint", Against: rawPut, Bar: measure.Bar{AtLeast: 0.9}},
				{Value: objectsMade, Arm: "checkpoint"}, {Value: bytesMoved, Arm: "checkpoint"},
			},
		},
		{
			Name: "restore", About: about + "Restore, from reading the manifest until every backend is open with all bytes verified, beside GetObject of the same objects into files with the SDK alone, as many at once.",
			Begin: down.begin,
			Arms:  []experiment.Arm{{Name: "restore", Run: down.restore}, {Name: rawGet, Run: down.get}},
			Compare: []experiment.Comparison{
				{Value: bandwidth, Arm: "restore", Against: rawGet, Bar: measure.Bar{AtLeast: 0.9}},
				{Value: objectsMade, Arm: "restore"}, {Value: bytesMoved, Arm: "restore"},
			},
		},
	}
}
