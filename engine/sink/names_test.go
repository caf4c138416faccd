package sink

import "testing"

// A part is of one writer, whatever the names of jobs and operators.
func TestPartsAreOfOneWriter(t *testing.T) {
	writers := []writer{{"out", "out"}, {"out", "5-b"}, {"out", "5"}, {"5-b", "out"}, {"5", "5-b"}, {"a", "b"}}
	for _, of := range writers {
		p := part{writer: of, checkpoint: 7, epoch: 3, attempt: 1, index: 2, number: 9}
		for _, w := range writers {
			if id, ok := checkpointOf(p.finalName(), w); ok != (w == of) || ok && id != 7 {
				t.Errorf("%s of %v is taken for checkpoint %d of %v: %v", p.finalName(), of, id, w, ok)
			}
			if epoch, ok := epochOfTemp(p.tempName(), w); ok != (w == of) || ok && epoch != 3 {
				t.Errorf("%s of %v is taken for epoch %d of %v: %v", p.tempName(), of, epoch, w, ok)
			}
		}
	}
}
