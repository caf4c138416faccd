package jobs_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/tidemark/tidemark/cmd/jobs"
)

func TestKnownDigest(t *testing.T) {
	if got, ok := jobs.KnownDigest("q18", jobs.Options{Events: 100_000}); !ok || got != "db1849ab9602fd71" {
		t.Errorf("q18: %q, %v", got, ok)
	}
	if got, ok := jobs.KnownDigest("count", jobs.Options{Events: 1_000_000, Keys: 100_000}); !ok || got != "7104535116ddbe2f" {
		t.Errorf("count: %q, %v", got, ok)
	}
	for name, o := range map[string]jobs.Options{
		"q18":   {Events: 100_001},
		"q17":   {Events: 100_000, Emit: jobs.Changes},
		"count": {Events: 1_000_000}, // other keys
	} {
		if got, ok := jobs.KnownDigest(name, o); ok {
			t.Errorf("%s %+v: digest %q, want none", name, o, got)
		}
	}
	published, err := os.ReadFile(testdata + "nexmark/digests.json")
	if err != nil {
		t.Fatal(err)
	}
	copied, err := os.ReadFile("digests.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(published, copied) {
		t.Error("cmd/jobs/digests.json is no copy of testdata/nexmark/digests.json")
	}
}
