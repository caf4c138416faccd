package tidemarkcmd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/upload"
)

// retireJob takes the lead of a job away, once nothing shows that it runs and somebody has
// typed its name.
func retireJob(c *cobra.Command, store upload.Store, url string) error {
	plan, err := coordinator.Sweep(c.Context(), store, coordinator.SweepOptions{DryRun: true, AsIfRetired: true})
	if err != nil {
		return err
	}
	line := newProgressLine(c.ErrOrStderr(), 10*time.Second)
	h, err := coordinator.Standstill(c.Context(), store, coordinator.StandstillOptions{
		Answers: serves,
		Watching: func(passed, of time.Duration) {
			line.show(passed, fmt.Sprintf("watching head for signs of life: %v of %v", passed.Round(time.Second), of.Round(time.Second)))
		},
	})
	line.end()
	if err != nil {
		return err
	}
	if host, _, err := net.SplitHostPort(h.Leader); err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback()) {
		_, _ = fmt.Fprintf(c.ErrOrStderr(), "the leader's address, %s, is one of its own machine: if that is not this one, it was not asked\n", h.Leader)
	}
	_, _ = fmt.Fprintf(c.ErrOrStderr(), "nothing shows that %s runs. If it does after all, it is fenced and ends. Retained checkpoints stay; %d objects and %d uploads go.\nTo retire it type the job's name (%s): ",
		url, len(plan.Orphans), len(plan.Uploads), h.Job)
	typed, err := readLine(c.Context(), c.InOrStdin())
	if err != nil {
		return err
	}
	if strings.TrimSpace(typed) != h.Job {
		return cli.Usage(fmt.Errorf("%q is not the name of the job, %s: nothing was changed", strings.TrimSpace(typed), h.Job))
	}
	_, err = coordinator.EditHead(c.Context(), store, coordinator.Retire(h))
	return err
}

// readLine reads a line, until ctx ends. Then the read is left to the end of the process.
func readLine(ctx context.Context, r io.Reader) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := bufio.NewReader(io.LimitReader(r, 1<<10)).ReadString('\n')
		done <- result{text, err}
	}()
	select {
	case got := <-done:
		if errors.Is(got.err, io.EOF) {
			got.err = nil
		}
		return got.text, got.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// askLeader bounds how long a leader may take to answer.
const askLeader = 5 * time.Second

// serves reports whether the job's leader answers at an address. Any answer counts but that
// of a server which names its jobs, and this one is not among them: an address such as
// 127.0.0.1 may mean another process here than it did where the leader ran.
func serves(ctx context.Context, address, job string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askLeader)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/jobs", nil)
	if err != nil {
		return false, err
	}
	answer, err := http.DefaultClient.Do(r)
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		return false, nil // nobody is there
	}
	if err != nil {
		return true, nil // somebody took the connection, and may be slow or stopped
	}
	defer answer.Body.Close()
	var list struct {
		Jobs []struct {
			ID string `json:"id"`
		} `json:"jobs"`
	}
	if answer.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&list) != nil || len(list.Jobs) == 0 {
		return true, nil
	}
	for _, j := range list.Jobs {
		if j.ID == job {
			return true, nil
		}
	}
	return false, nil
}
