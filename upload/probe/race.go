package probe

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/upload"
)

// The races of a probe: raceLanes objects at a time. The writers put each at once, first
// where none may be, then raceRounds times on its version. On two servers that check and
// write in two steps more than one writer won in 15 to 100 of 100 rounds, and of 200 probes
// with StartRaces objects 199 caught them, at a load of 30 on two processors.
const (
	StartRaces   = 8 // of a start
	analyzeRaces = 32
	raceLanes    = 2
	raceRounds   = 3
	raceWriters  = 3
)

// Swap proves on a number of objects that of writers that put the same object at once
// exactly one wins: that the store compares and swaps in one step.
func Swap(objects int) Check { // I4
	return Check{
		Name: "compare_and_swap", Required: true,
		Allows: "of two leaders at once only one commits",
		Run: func(ctx context.Context, p *Probe) (string, error) {
			// A failure cancels no write that is under way: it could be applied once the
			// probe has cleaned up.
			var g errgroup.Group
			var over atomic.Bool
			g.SetLimit(raceLanes)
			for range objects {
				g.Go(func() error {
					err := p.race(ctx, &over)
					if err != nil {
						over.Store(true)
					}
					return err
				})
			}
			return fmt.Sprintf("in %d races of %d writers", objects*(1+raceRounds), raceWriters), g.Wait()
		},
	}
}

func (p *Probe) race(ctx context.Context, over *atomic.Bool) error {
	name, o := p.Name(), upload.PutOptions{IfAbsent: true}
	var won upload.Info
	var content []byte
	for round, slow := 0, 0; round <= raceRounds; {
		if over.Load() {
			return nil
		}
		winner, put, raced, err := p.raceOnce(ctx, name, fmt.Sprintf("round %d.%d", round, slow), o)
		switch {
		case err != nil:
			return err
		case raced:
			round++
		case slow == 2*tries || !rest(ctx, min(slow+1, tries)):
			return fmt.Errorf("%w: too few of %d writers at once came through", upload.ErrThrottled, raceWriters)
		default:
			slow++
		}
		if put != nil {
			won, content, o = winner, put, upload.PutOptions{IfMatch: winner.Version}
		}
	}
	b, info, err := upload.ReadAll(ctx, p.Store, name, 100)
	if err == nil && (string(b) != string(content) || info.Version != won.Version) {
		err = fmt.Errorf("%w: read %q with ETag %s, and %q with ETag %s was put last", upload.ErrUnsupported, b, info.Version, content, won.Version)
	}
	return err
}

// raceOnce lets writers put an object on the same condition, and returns what the winner
// put, nil if there is none. They share one turn, or they would come one after the other. Not
// raced: all but one were throttled.
func (p *Probe) raceOnce(ctx context.Context, name, says string, o upload.PutOptions) (won upload.Info, content []byte, raced bool, err error) {
	if err := p.pace.Turn(ctx); err != nil {
		return won, nil, false, err
	}
	var (
		contents [raceWriters][]byte
		infos    [raceWriters]upload.Info
		errs     [raceWriters]error
		wg       sync.WaitGroup
	)
	for i := range raceWriters {
		contents[i] = fmt.Appendf(nil, "%s, writer %d", says, i)
		wg.Go(func() { infos[i], errs[i] = p.bare.Put(ctx, name, upload.BodyFromBytes(contents[i]), o) })
	}
	wg.Wait()
	refused, throttled := 0, 0
	for i, err := range errs {
		switch {
		case err == nil && content != nil:
			return won, nil, false, fmt.Errorf("%w: the server checks a condition and writes in two steps: of writers at once more than one won, so two leaders could overwrite each other", upload.ErrUnsupported)
		case err == nil:
			won, content = infos[i], contents[i]
		case errors.Is(err, upload.ErrPrecondition), errors.Is(err, upload.ErrConflict):
			refused++
		case errors.Is(err, upload.ErrThrottled):
			throttled++
			p.pace.Throttled()
		default:
			return won, nil, false, err
		}
	}
	if content == nil && refused > 0 {
		return won, nil, false, fmt.Errorf("%w: none of %d writers at once won: %w", upload.ErrThrottled, raceWriters, errors.Join(errs[:]...))
	}
	return won, content, throttled < raceWriters-1, nil
}
