package engine

import (
	"context"
	"errors"

	"github.com/tidemark/tidemark/engine/state"
)

type assembly struct{}

type opInfo struct{ counters *counters }

func buildSource[T any](a *assembly, p *planned, s Source[T]) {}

func buildStateless[T, U any](a *assembly, p *planned, f func(T, Out[U])) {}

func buildProcess[K comparable, T, U any](a *assembly, p *planned, key func(T) K, codec state.KeyCodec[K], newProcessor func() Processor[K, T, U]) {
}

func buildSink[T any](a *assembly, p *planned, s Sink[T]) {}

func run(ctx context.Context, j *Job, cfg Config) (Result, error) {
	if err := errors.Join(j.Validate(), cfg.Validate()); err != nil {
		return Result{}, err
	}
	return Result{}, errors.New("running a job is not built yet")
}
