package source_test

import (
	"strings"
	"testing"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/enginetest"
	"github.com/tidemark/tidemark/engine/source"
)

type checksItself struct{ N int }

func (*checksItself) Validate() (string, bool) { return "", true }

// An empty path, as of a variable that was not set, is a mistake of the job.
func TestNoPathIsAMistakeOfTheJob(t *testing.T) {
	for name, s := range map[string]engine.Source[checked]{
		"JSONL": source.JSONL[checked](""), "CSV": source.CSV[checked](""),
	} {
		j := engine.NewJob("j")
		engine.From(j, "in", s).To("out", enginetest.Discard[checked]())
		if err := j.Validate(); err == nil || !strings.Contains(err.Error(), `operator "in": no input: the path of the input is empty`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type checked struct{ N int }

// A record's Validate that would never be called is a mistake of the job.
func TestAMisspeltValidateOfARecordIsAMistakeOfTheJob(t *testing.T) {
	for name, s := range map[string]engine.Source[checksItself]{
		"JSONL": source.JSONL[checksItself]("in"), "CSV": source.CSV[checksItself]("in"),
	} {
		j := engine.NewJob("j")
		engine.From(j, "in", s).To("out", enginetest.Discard[checksItself]())
		if err := j.Validate(); err == nil || !strings.Contains(err.Error(), "method Validate that would never be called: it is a func() (string, bool), and would have to be a func() error") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
