package deploy

import (
	"fmt"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// repeats counts the failures of the job's own code since its newest checkpoint.
type repeats struct {
	tolerated int // below 1: any number
	from      checkpoint.ID
	seen      map[failed]int
}

// failed is what two failures have in common that count as the same.
type failed struct {
	operator checkpoint.OperatorID
	kind     FailureKind
	text     string
}

// mostSeen bounds the memory for failures whose texts all differ.
const mostSeen = 1000

// startsFrom takes what an attempt starts from. A newer checkpoint than that of
// the attempt before is progress: nothing counts any more.
func (r *repeats) startsFrom(id checkpoint.ID) {
	if id != r.from || len(r.seen) >= mostSeen {
		r.from, r.seen = id, nil
	}
}

// add counts a failure. It returns the failure, or, where that came too often,
// one that ends the job.
func (r *repeats) add(f *Failure) *Failure {
	if r.tolerated < 1 || f.Kind != FailureOther && f.Kind != FailurePanic {
		return f
	}
	if r.seen == nil {
		r.seen = map[failed]int{}
	}
	same := failed{f.Operator, f.Kind, f.Text}
	if r.seen[same]++; r.seen[same] < r.tolerated {
		return f
	}
	last := *f
	last.Kind = FailureRepeated
	last.Text = fmt.Sprintf("%v: failed %d times in the same way with no checkpoint between: %s", ErrRepeated, r.tolerated, f.Text)
	if f.Cause != nil {
		last.Cause = fmt.Errorf("%w: failed %d times in the same way with no checkpoint between: %w", ErrRepeated, r.tolerated, f.Cause)
	}
	return &last
}
