package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client asks and tells a job's server. Its methods may be called from any goroutine.
type Client struct {
	Server string       // URL
	Token  string       // empty: none
	HTTP   *http.Client // nil: http.DefaultClient
	// Insecure lets the token go to another machine over plain HTTP.
	Insecure bool
}

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 64 << 20

// ClientError is a request that the server did not carry out.
type ClientError struct {
	Status int // HTTP's
	Texts  []string
}

func (e *ClientError) Error() string {
	return fmt.Sprintf("%s (%d %s)", strings.Join(e.Texts, "; "), e.Status, http.StatusText(e.Status))
}

// call sends a request and decodes the answer to it. body and to may be nil.
func (c *Client) call(ctx context.Context, method, path string, body, to any) error {
	var send io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		send = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.Server, "/")+path, send)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if c.Token != "" && !c.Insecure && r.URL.Scheme != "https" && !loopback(r.URL.Hostname()) {
		return fmt.Errorf("%s %s: all on the way could read the token: use https, or --insecure", method, r.URL)
	}
	r.Header.Set("Content-Type", "application/json")
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(r)
	if err != nil {
		return err // it names method and URL
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, r.URL, err)
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		var why Errors
		if json.Unmarshal(b, &why) != nil || len(why.Errors) == 0 {
			why.Errors = []string{"the server does not say why"}
		}
		return fmt.Errorf("%s %s: %w", method, r.URL, &ClientError{answer.StatusCode, why.Errors})
	}
	if to == nil {
		return nil
	}
	if err := json.Unmarshal(b, to); err != nil {
		return fmt.Errorf("%s %s: the answer is not what is expected: %w", method, r.URL, err)
	}
	return nil
}

func jobPath(job string, more ...string) string {
	path := "/jobs/" + url.PathEscape(job)
	for _, m := range more {
		path += "/" + url.PathEscape(m)
	}
	return path
}

// Jobs lists the server's jobs.
func (c *Client) Jobs(ctx context.Context) (x Jobs, err error) {
	return x, c.call(ctx, http.MethodGet, "/jobs", nil, &x)
}

// Job describes a job.
func (c *Client) Job(ctx context.Context, job string) (x JobDetails, err error) {
	return x, c.call(ctx, http.MethodGet, jobPath(job), nil, &x)
}

// Checkpoints counts and lists a job's checkpoints.
func (c *Client) Checkpoints(ctx context.Context, job string) (x CheckpointStatistics, err error) {
	return x, c.call(ctx, http.MethodGet, jobPath(job, "checkpoints"), nil, &x)
}

// Checkpoint takes a checkpoint, and returns once it is committed. Sent again with the
// same request id, it takes no second one.
func (c *Client) Checkpoint(ctx context.Context, job string, request CheckpointRequest) (CheckpointOutcome, error) {
	var begun Triggered
	if err := c.call(ctx, http.MethodPost, jobPath(job, "checkpoints"), request, &begun); err != nil {
		return CheckpointOutcome{}, err
	}
	outcome, err := await[CheckpointOutcome](ctx, c, jobPath(job, "checkpoints", begun.RequestID))
	if err == nil && outcome.FailureCause != nil {
		err = fmt.Errorf("checkpoint of job %s: %s", job, outcome.FailureCause.Text)
	}
	return outcome, err
}

// Retention says which checkpoints a job keeps, and why.
func (c *Client) Retention(ctx context.Context, job string) (x Edited, err error) {
	return x, c.call(ctx, http.MethodGet, jobPath(job, "retention"), nil, &x)
}

// SetRetention changes a job's retention.
func (c *Client) SetRetention(ctx context.Context, job string, request RetentionRequest) (x Edited, err error) {
	return x, c.call(ctx, http.MethodPut, jobPath(job, "retention"), request, &x)
}

// How often await asks: sooner at first.
const (
	firstAsk = 20 * time.Millisecond
	lastAsk  = time.Second
)

// await asks what became of a trigger until it is done.
func await[T any](ctx context.Context, c *Client, path string) (none T, _ error) {
	for pause := firstAsk; ; pause = min(2*pause, lastAsk) {
		var x TriggerStatus[T]
		if err := c.call(ctx, http.MethodGet, path, nil, &x); err != nil {
			return none, err
		}
		if x.Operation != nil {
			return *x.Operation, nil
		}
		if x.Status.ID != inProgress {
			return none, fmt.Errorf("%s: the answer is not what is expected: status %q", path, x.Status.ID)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return none, fmt.Errorf("%s goes on: %w", path, context.Cause(ctx))
		}
	}
}

// Stop ends a job behind a last checkpoint, and returns once it is pinned.
func (c *Client) Stop(ctx context.Context, job string, request StopRequest) (StopOutcome, error) {
	var begun Triggered
	if err := c.call(ctx, http.MethodPost, jobPath(job, "stop"), request, &begun); err != nil {
		return StopOutcome{}, err
	}
	outcome, err := await[StopOutcome](ctx, c, jobPath(job, "savepoints", begun.RequestID))
	if err == nil && outcome.FailureCause != nil {
		err = fmt.Errorf("stop of job %s: %s", job, outcome.FailureCause.Text)
	}
	return outcome, err
}

// Cancel ends a job without a checkpoint. It returns once that has begun.
func (c *Client) Cancel(ctx context.Context, job string) error {
	return c.call(ctx, http.MethodPatch, jobPath(job)+"?mode=cancel", nil, nil)
}
