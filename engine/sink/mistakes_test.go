package sink_test

import (
	"strings"
	"testing"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/enginetest"
	"github.com/tidemark/tidemark/engine/sink"
)

type appends struct{ N int }

func (appends) AppendJSON(dst []byte) ([]byte, error) { return dst, nil }

// How a sink was made is looked at when the job is validated, also inside a tee.
func TestMistakesOfSinksAreMistakesOfTheJob(t *testing.T) {
	for name, c := range map[string]struct {
		to   engine.Sink[appends]
		says string
	}{
		"no directory":                {sink.JSONL[appends](""), "no output directory"},
		"no directory in a tee":       {sink.Tee(sink.JSONL[appends]("")), "sink 0 of a tee: sink: no output directory"},
		"a nil sink in a tee":         {sink.Tee[appends](nil), "sink 0 of a tee: it is nil"},
		"an AppendJSON never called":  {sink.JSONL[appends](t.TempDir()), "AppendJSON that would never be called: it is a func([]uint8) ([]uint8, error)"},
		"parts of less than no bytes": {sink.JSONL[appends](t.TempDir(), sink.Options{PartBytes: -1}), "parts of -1 bytes"},
	} {
		j := engine.NewJob("j")
		engine.From(j, "in", enginetest.FromSlice(appends{1})).To("out", c.to)
		if err := j.Validate(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}
