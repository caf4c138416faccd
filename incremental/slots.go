package incremental

import "context"

// slots bounds how many transfers run at once.
type slots chan struct{}

// do runs f once a slot is free, or returns ctx's error.
func (s slots) do(ctx context.Context, f func() error) error {
	select {
	case s <- struct{}{}:
		defer func() { <-s }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	return f()
}
