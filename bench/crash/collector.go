package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// collector runs gc --apply beside a job, one process after the other, and kills every
// third one.
type collector struct {
	end    context.CancelFunc
	done   chan struct{} // closed once the last process ended; then the rest may be read
	runs   int
	killed int
	broken []string
}

// gcTime is about how long a gc of a small job takes.
const gcTime = 100 * time.Millisecond

// collect starts a collector for the instance. The caller stops it.
func (h *harness) collect(ctx context.Context, in *instance, seed uint64) *collector {
	ctx, end := context.WithCancel(ctx)
	c := &collector{end: end, done: make(chan struct{})}
	random := rand.New(rand.NewPCG(seed, uint64(len(in.id))))
	go func() {
		defer close(c.done)
		for ctx.Err() == nil && len(c.broken) == 0 {
			p, err := start(context.WithoutCancel(ctx), h.o.Program, []string{"checkpoints", "gc", "--apply", "--json", h.url + "/" + in.id}, h.env, in.log)
			if err != nil {
				c.broken = append(c.broken, err.Error())
				return
			}
			if c.runs++; c.runs%3 == 0 {
				time.Sleep(time.Duration(random.Int64N(int64(gcTime))))
				if p.kill() {
					c.killed++
					continue
				}
			}
			<-p.done
			if p.err != nil {
				c.broken = append(c.broken, fmt.Sprintf("gc %d failed: %v: %s", c.runs, p.err, p.stderr.String()))
			}
		}
	}()
	return c
}

// stop waits for the last gc, and adds what the collector did to the report.
func (c *collector) stop(r *JobReport) {
	c.end()
	<-c.done
	r.Collections += c.runs
	r.CollectionsKilled += c.killed
	r.Broken = append(r.Broken, c.broken...)
}
