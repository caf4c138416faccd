package tidemarkcmd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/api"
	"github.com/tidemark/tidemark/cmd/internal/cli"
)

// jobFlags are the flags that all verbs of job share.
type jobFlags struct {
	server, tokenFile, ca string
	insecure, json        bool
}

func jobCommand() *cobra.Command {
	var f jobFlags
	c := &cobra.Command{Use: "job", Short: "Ask and tell a running job over its API"}
	fs := c.PersistentFlags()
	fs.StringVar(&f.server, "server", "http://"+api.DefaultAddress, "URL of the job's API, which the job prints when it starts")
	fs.StringVar(&f.tokenFile, "token-file", "", "file with the token to send")
	fs.StringVar(&f.ca, "ca", "", "certificates that the server's is checked with, a PEM file (default: the system's)")
	fs.BoolVar(&f.insecure, "insecure", false, "let the token go to another machine over plain HTTP")
	fs.BoolVar(&f.json, "json", false, "print JSON")
	c.AddCommand(jobStatusCommand(&f), jobCheckpointCommand(&f), jobRetentionCommand(&f), jobStopCommand(&f), jobCancelCommand(&f))
	return c
}

// answerTimeout is how long a server may take to answer: longer than the store may take to
// answer the server.
const answerTimeout = time.Minute

// jobVerb makes a verb of job. It gets the server's job, or the one that the argument names.
// If it writes, one of the two must be given: any job may be served at the default address.
func jobVerb(f *jobFlags, verb, short string, writes func() bool, run func(ctx context.Context, c *api.Client, job string, w io.Writer) error) *cobra.Command {
	return &cobra.Command{
		Use: verb + " [<job-id>]", Short: short, Args: cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if writes() && len(args) == 0 && !c.Flags().Changed("server") {
				return cli.Usage(fmt.Errorf("job %s changes a job: give its id, or --server", verb))
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			defer client.HTTP.CloseIdleConnections()
			if len(args) == 0 {
				jobs, err := client.Jobs(c.Context())
				if err != nil {
					return err
				}
				for _, j := range jobs.Jobs {
					args = append(args, j.ID)
				}
			}
			if len(args) != 1 {
				return cli.Usage(fmt.Errorf("%s has the jobs %s: name one", f.server, strings.Join(args, ", ")))
			}
			return run(c.Context(), client, args[0], c.OutOrStdout())
		},
	}
}

func always() bool { return true }
func never() bool  { return false }

func (f *jobFlags) client() (*api.Client, error) {
	if !strings.Contains(f.server, "://") {
		f.server = "http://" + f.server
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = answerTimeout
	c := &api.Client{Server: f.server, HTTP: &http.Client{Transport: transport}, Insecure: f.insecure}
	if f.tokenFile != "" {
		token, err := os.ReadFile(f.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("token: %w", err)
		}
		c.Token = strings.TrimSpace(string(token))
	}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("certificates: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("certificates: %s has none", f.ca)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return c, nil
}

// jobStatus is what job status --json prints.
type jobStatus struct {
	Job         api.JobDetails            `json:"job"`
	Checkpoints *api.CheckpointStatistics `json:"checkpoints"` // null: they are off
}

func jobStatusCommand(f *jobFlags) *cobra.Command {
	return jobVerb(f, "status", "Say how a job does", never, func(ctx context.Context, c *api.Client, job string, w io.Writer) error {
		var s jobStatus
		var err error
		if s.Job, err = c.Job(ctx, job); err != nil {
			return err
		}
		if s.Job.Tidemark.Store != "" {
			x, err := c.Checkpoints(ctx, job)
			if err != nil {
				return err
			}
			s.Checkpoints = &x
		}
		if f.json {
			return cli.PrintJSON(w, s)
		}
		return printStatus(w, s)
	})
}

func printStatus(w io.Writer, s jobStatus) error {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	j := s.Job
	p("%s: %s for %v, attempt %d\n", j.ID, strings.ToLower(string(j.State)), (time.Duration(j.Now-j.Timestamps[j.State]) * time.Millisecond).Round(time.Second), j.Tidemark.Attempt)
	p("records     %d read, %d malformed, %d written\n", j.Tidemark.Records, j.Tidemark.Malformed, j.Tidemark.Written)
	for _, a := range j.Tidemark.Alarms {
		p("alarm       %s since %s: %s\n", a.Code, time.UnixMilli(a.Since).Format(time.DateTime), a.Text)
	}
	if x := s.Checkpoints; x != nil {
		p("checkpoints %d completed, %d failed, %d in progress, in %s\n", x.Counts.Completed, x.Counts.Failed, x.Counts.InProgress, j.Tidemark.Store)
		if c := x.Latest.Completed; c != nil {
			p("newest      %d of %s: %d ms, %s new of %s\n", c.ID, time.UnixMilli(c.Triggered+c.Duration).Format(time.DateTime), c.Duration,
				cli.BytesText(c.NewBytes), cli.BytesText(c.FullBytes))
		}
		if c := x.Latest.Failed; c != nil {
			p("failed      %d of %s: %s\n", c.ID, time.UnixMilli(c.FailedAt).Format(time.DateTime), c.FailureMessage)
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "\nVERTEX\tSUBTASKS\tIN\tOUT\tBUSY\tBACK-PRESSURED")
	for _, v := range j.Vertices {
		m := v.Metrics
		all := max(1, m.BusyMS+m.IdleMS+m.BackpressuredMS)
		_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d%%\t%d%%\n", v.Name, v.Parallelism, m.ReadRecords, m.WriteRecords, 100*m.BusyMS/all, 100*m.BackpressuredMS/all)
	}
	return t.Flush()
}

func jobCheckpointCommand(f *jobFlags) *cobra.Command {
	return jobVerb(f, "checkpoint", "Take a checkpoint now, and wait until it is committed", always, func(ctx context.Context, c *api.Client, job string, w io.Writer) error {
		x, err := c.Checkpoint(ctx, job, api.CheckpointRequest{})
		if err != nil {
			return err
		}
		if f.json {
			return cli.PrintJSON(w, x)
		}
		_, _ = fmt.Fprintf(w, "%s: checkpoint %d is committed\n", job, x.ID)
		return nil
	})
}

func jobRetentionCommand(f *jobFlags) *cobra.Command {
	var request api.RetentionRequest
	var apply bool
	c := jobVerb(f, "retention", "Say which checkpoints a job keeps; with --policy, plan another retention; with --apply, make it the job's",
		func() bool { return apply }, func(ctx context.Context, c *api.Client, job string, w io.Writer) error {
			if apply && request.Policy == "" {
				return cli.Usage(fmt.Errorf("--apply needs --policy"))
			}
			var x api.Edited
			var err error
			if request.DryRun = !apply; request.Policy == "" {
				x, err = c.Retention(ctx, job)
			} else {
				x, err = c.SetRetention(ctx, job, request)
			}
			if err != nil {
				return err
			}
			if f.json {
				return cli.PrintJSON(w, x)
			}
			_, _ = fmt.Fprintf(w, "job %s\n", job)
			return printEdited(w, x)
		})
	c.Flags().StringVar(&request.Policy, "policy", "", "a number of newest checkpoints, or rules such as newest=3,daily=7")
	c.Flags().BoolVar(&apply, "apply", false, "do it")
	return c
}
