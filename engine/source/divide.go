package source

import (
	"context"
	"math"

	"github.com/tidemark/tidemark/engine/source/internal/input"
)

// Bounds of the size of a split, where Options leave it open: enough splits to
// rescale, and few enough to travel in every checkpoint.
const (
	splitsPerSubtask = 4
	minSplitBytes    = 1 << 20
	maxSplitBytes    = 64 << 20
	maxSplits        = 4096
)

// splitBytes chooses the size of splits for an input of total bytes.
func splitBytes(total int64, parallelism int) int64 {
	size := total / int64(splitsPerSubtask*parallelism)
	size = min(max(size, minSplitBytes), maxSplitBytes)
	return max(size, total/maxSplits)
}

// divideBytes cuts files into ranges of bytes, wherever the lines end.
func (o Options) divideBytes(_ context.Context, files []input.File, parallelism int) ([]input.Split, error) {
	size := o.SplitBytes
	if size == 0 {
		var total int64
		for _, f := range files {
			total += f.Size
		}
		size = splitBytes(total, parallelism)
	}
	var splits []input.Split
	for _, f := range files {
		divisible, err := f.Divisible()
		if err != nil {
			return nil, err
		}
		if !divisible {
			splits = append(splits, wholeFile(f))
			continue
		}
		for start := int64(0); start < f.Size; start += size {
			splits = append(splits, input.Split{File: f, Start: start, End: min(start+size, f.Size), Position: start})
		}
	}
	return splits, nil
}

// divideFiles makes each file a split.
func divideFiles(_ context.Context, files []input.File, _ int) ([]input.Split, error) {
	splits := make([]input.Split, len(files))
	for i, f := range files {
		splits[i] = wholeFile(f)
	}
	return splits, nil
}

func wholeFile(f input.File) input.Split { return input.Split{File: f, End: math.MaxInt64} }
