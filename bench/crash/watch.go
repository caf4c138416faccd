package crash

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// watchEvery is how often the signs of a target are looked for.
const watchEvery = 2 * time.Millisecond

// await returns true at the moment of the aim, and false if the process or ctx
// ended before it.
func (a aim) await(ctx context.Context, p *process, store upload.Reader, outputDir string) bool {
	if !a.awaitSigns(ctx, p, store, outputDir) {
		return false
	}
	t := time.NewTimer(a.delay)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.done:
		return false
	case <-ctx.Done():
		return false
	}
}

func (a aim) awaitSigns(ctx context.Context, p *process, store upload.Reader, outputDir string) bool {
	if a.signs == 0 {
		return true
	}
	sign := map[target]func() string{
		atUpload:  func() string { return newestOf(ctx, store, incremental.DataPrefix) },
		atCommit:  func() string { return newestOf(ctx, store, incremental.ManifestPrefix) },
		atPublish: func() string { return headVersion(ctx, store) },
		atOutput:  func() string { return parts(outputDir, pendingDir+"/*") },
		atParts:   func() string { return parts(outputDir, partPrefix+"*") },
	}[a.target]
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	last := sign()
	for seen := 0; ; {
		select {
		case <-p.done:
			return false
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		now := sign()
		if now == last || now == "" {
			continue
		}
		last = now
		if seen++; seen >= a.signs {
			return true
		}
	}
}

// headVersion changes with head. It is empty while head cannot be read.
func headVersion(ctx context.Context, store upload.Reader) string {
	info, err := store.Head(ctx, incremental.HeadName)
	if err != nil {
		return ""
	}
	return info.Version
}

// newestOf changes when the first object of a new checkpoint is stored. It is empty
// if there is none, or if the store cannot be listed.
func newestOf(ctx context.Context, store upload.Reader, prefix string) string {
	var epoch checkpoint.Epoch
	var id checkpoint.ID
	for info, err := range store.List(ctx, prefix) {
		if err != nil {
			return ""
		}
		i, e, ok := incremental.ParseManifestName(info.Name)
		if n, isData := incremental.ParseObjectName(info.Name); isData {
			i, e, ok = n.Checkpoint, n.Epoch, true
		}
		if ok && (e > epoch || e == epoch && i > id) {
			epoch, id = e, i
		}
	}
	if id == 0 {
		return ""
	}
	return fmt.Sprintf("%v %v", epoch, id)
}

// parts lists the parts in an output directory and one level below it. It changes
// when a part is begun or published.
func parts(dir, pattern string) string {
	var names []string
	for _, p := range []string{pattern, "*/" + pattern} {
		found, _ := filepath.Glob(filepath.Join(dir, p)) // the pattern is sound
		names = append(names, found...)
	}
	return strings.Join(names, " ")
}
