package coordinator

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// CheckpointInfo describes a retained checkpoint.
type CheckpointInfo struct {
	ID        checkpoint.ID
	Epoch     checkpoint.Epoch
	Base      checkpoint.ID // zero: none
	Kind      checkpoint.Kind
	Triggered time.Time
	Created   time.Time
	Duration  time.Duration // from the trigger until all had acknowledged
	FullBytes int64
	NewBytes  int64
	KeptBy    []string
	Manifest  string // name in the job's store
}

// Ref returns the checkpoint's name.
func (i CheckpointInfo) Ref() Ref { return Ref{ID: i.ID, Epoch: i.Epoch} }

// List describes the retained checkpoints by rising id. It reads head only. The error
// wraps ErrNoHead if the job has none.
func List(ctx context.Context, r upload.Reader) ([]CheckpointInfo, error) {
	h, _, err := ReadHead(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("list checkpoints: %w", err)
	}
	infos := make([]CheckpointInfo, 0, len(h.Retained))
	for _, c := range h.Retained {
		infos = append(infos, CheckpointInfo{
			ID: c.ID, Epoch: c.Epoch, Base: c.Base, Kind: c.Kind, Triggered: c.Triggered, Created: c.Created,
			Duration: c.Created.Sub(c.Triggered), FullBytes: c.FullBytes, NewBytes: c.NewBytes, KeptBy: c.KeptBy, Manifest: manifestName(c.Ref()),
		})
	}
	return infos, nil
}

// Reachable returns every object of the job that must not be deleted, head
// itself and savepoints excluded, and who keeps it: "41", "pin:release-3",
// "claim:other", "history". It fails where a retained manifest cannot be read,
// since what is reachable is not known then.
func Reachable(ctx context.Context, r upload.Reader) (map[string][]string, error) {
	h, reg, err := survivors(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("look for reachable objects: %w", err)
	}
	why := map[Ref][]string{}
	for _, c := range h.Retained {
		why[c.Ref()] = append([]string{c.ID.String()}, h.heldBy(c.ID)...)
	}
	out := make(map[string][]string, len(reg.numbers))
	for o := range reg.numbers {
		for _, ref := range reg.keptBy(o) {
			out[o] = append(out[o], why[ref]...)
		}
	}
	n, ok, err := history.Newest(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("look for reachable objects: %w", err)
	}
	if ok {
		out[n.String()] = []string{"history"}
	}
	return out, nil
}

// heldBy lists who holds a checkpoint by name.
func (h Head) heldBy(id checkpoint.ID) (by []string) {
	for _, t := range h.Tags {
		if t.Checkpoint == id {
			by = append(by, "tag:"+t.Name)
		}
	}
	for _, p := range h.Pins {
		if p.Checkpoint == id {
			by = append(by, "pin:"+p.Name)
		}
	}
	for _, l := range h.Claims {
		if l.Checkpoint == id {
			by = append(by, "claim:"+l.Job)
		}
	}
	return by
}

// register reads the manifests of all that head retains.
func register(ctx context.Context, r upload.Reader, h Head) (*registry, error) {
	reg := newRegistry()
	return reg, manifests(ctx, r, h, func(c Retained, m *incremental.Manifest) error {
		return reg.register(c.Ref(), reach(m))
	})
}

// manifestsAhead is how many manifests are read at once: a store takes its time for each.
const manifestsAhead = 8

// manifests calls f with the manifest of each checkpoint that head retains, in order, until
// f fails.
func manifests(ctx context.Context, r upload.Reader, h Head, f func(Retained, *incremental.Manifest) error) error {
	type result struct {
		m   *incremental.Manifest
		err error
	}
	var reading sync.WaitGroup
	defer reading.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var ahead []chan result
	next := 0
	for _, c := range h.Retained {
		for ; next < len(h.Retained) && len(ahead) < manifestsAhead; next++ {
			c, done := h.Retained[next], make(chan result, 1)
			ahead = append(ahead, done)
			reading.Go(func() {
				m, err := incremental.ReadManifest(ctx, r, c.ID, c.Epoch)
				done <- result{m, err}
			})
		}
		got := <-ahead[0]
		ahead = ahead[1:]
		if got.err == nil {
			got.err = f(c, got.m)
		}
		if got.err != nil {
			return fmt.Errorf("find what retained checkpoint %d reaches: %w", c.ID, got.err)
		}
	}
	return nil
}
