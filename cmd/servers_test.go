package tidemarkcmd_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

// TestKillAndResumeOnServers kills a job on each of the other S3 servers that the probe
// lets pass, and runs it again.
func TestKillAndResumeOnServers(t *testing.T) { // I3
	if os.Getenv(s3server.ToolsEnv) == "" {
		t.Skip("make servers installs other S3 servers, and names their directory in " + s3server.ToolsEnv)
	}
	want, _ := unbroken(t)
	for _, kind := range s3server.Others() {
		t.Run(kind.Name, func(t *testing.T) {
			server, err := s3server.Start(t.Context(), s3server.Options{Kind: kind})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := server.Close(); err != nil {
					t.Error(err)
				}
			})
			if err := server.CreateBucket("jobs"); err != nil {
				t.Fatal(err)
			}
			for _, kv := range server.Env() {
				k, v, _ := strings.Cut(kv, "=")
				t.Setenv(k, v)
			}
			p := place{t.TempDir()}
			args := p.run("--checkpoint-store", "s3://jobs/a")
			cmd, _, stderr := process(t, append(args, "--rate-limit", "12000")...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			for strings.Count(tidemark(t, "checkpoints", "ls", "s3://jobs/a/count").out, "\n") < 3 { // two, below the heading
				select {
				case <-ended:
					if strings.Contains(stderr.String(), "not supported by this store") {
						t.Skipf("the probe refuses it: %s", stderr)
					}
					t.Fatalf("it ended before it was killed: %s", stderr)
				case <-time.After(50 * time.Millisecond):
				}
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-ended
			r := tidemark(t, args...)
			for range 5 { // moto's faults are seldom: most probes pass, and some do not
				if r.code != 1 || !strings.Contains(r.stderr, "not supported by this store") {
					break
				}
				r = tidemark(t, args...)
			}
			if strings.Contains(r.stderr, "not supported by this store") {
				t.Skipf("the probe refuses it: %s", r.stderr)
			}
			if r.code != 0 {
				t.Fatal(r)
			}
			if got := lines(t, p.output()); !slices.Equal(got, want) {
				t.Errorf("%d rows that are not the %d of an unbroken run", len(got), len(want))
			}
			ok(t, "checkpoints", "verify", "s3://jobs/a/count")
		})
	}
}
