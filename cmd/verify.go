package tidemarkcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// verified is the outcome for one checkpoint, as verify --json prints it.
type verified struct {
	Job        string    `json:"job"`
	Checkpoint uint64    `json:"checkpoint"` // 0: of none, since head is lost
	Objects    int       `json:"objects"`
	Bytes      int64     `json:"bytes"`
	OK         bool      `json:"ok"`
	Damaged    []damaged `json:"damaged"`
}

type damaged struct {
	Object string   `json:"object"`
	Files  []string `json:"files"`
	Error  string   `json:"error"`
}

// errDamaged is the end of a verification that found something.
var errDamaged = errors.New("damaged")

func verifyCommand(f *checkpointFlags) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "verify <store>/<job-id> [<checkpoint>]",
		Short: "Read every object of the retained checkpoints and compare its checksum",
		Long: "Read every object that the job's retained checkpoints reach, or one of them, and compare sizes and checksums.\n" +
			"With --all: of every job below <store>. Nothing is changed. The exit code is 0 only if all is as the manifests say, and 3\n" +
			"if something is damaged or a job's head is lost.",
		Args: cli.Args(cobra.RangeArgs(1, 2)),
	}
	c.Flags().BoolVar(&all, "all", false, "verify every job below the store")
	c.RunE = func(c *cobra.Command, args []string) error {
		store, err := f.open(c.Context(), args[0])
		if err != nil {
			return err
		}
		jobs := []string{""}
		if all {
			if len(args) == 2 {
				return cli.Usage(errors.New("--all verifies every checkpoint: name none"))
			}
			if jobs, err = allJobs(c.Context(), store); err != nil {
				return err
			}
		}
		results, errs := []verified{}, []error(nil)
		for _, job := range jobs {
			r, name := store, path.Base(strings.TrimSuffix(args[0], "/"))
			if job != "" {
				r, name = upload.PrefixedReader(store, job), job
			}
			got, err := verifyJob(c, f, r, name, args)
			results, errs = append(results, got...), append(errs, err)
		}
		if f.json {
			errs = append(errs, cli.PrintJSON(c.OutOrStdout(), results))
		}
		return errors.Join(append(errs, judge(results))...)
	}
	return c
}

// allJobs returns the jobs below a store.
func allJobs(ctx context.Context, store upload.Reader) ([]string, error) {
	jobs, err := coordinator.Jobs(ctx, store)
	if err != nil || len(jobs) > 0 {
		return jobs, err
	}
	if _, _, err := coordinator.ReadHead(ctx, store); !errors.Is(err, coordinator.ErrNoHead) {
		return nil, cli.Usage(fmt.Errorf("%v is a job itself, and --all verifies the jobs below a store: leave --all out", store))
	}
	return nil, fmt.Errorf("%v: %w", store, coordinator.ErrNoJob)
}

// judge returns nil only if all is whole.
func judge(results []verified) error {
	checkpoints, bad, heads := 0, 0, 0
	for _, r := range results {
		if r.Checkpoint == 0 {
			heads++
			continue
		}
		checkpoints++
		if !r.OK {
			bad++
		}
	}
	var what []string
	if heads > 0 {
		what = append(what, fmt.Sprintf("%d jobs have lost their head, so their checkpoints were not verified", heads))
	}
	if bad > 0 {
		what = append(what, fmt.Sprintf("%d of %d checkpoints; start from one that is whole with --restore <id>", bad, checkpoints))
	}
	if len(what) == 0 {
		return nil
	}
	return cli.Damaged(fmt.Errorf("%w: %s. Nothing was changed", errDamaged, strings.Join(what, "; ")))
}

// verifyJob verifies a job's checkpoints. A lost head is damage, of no checkpoint.
func verifyJob(c *cobra.Command, f *checkpointFlags, r upload.Reader, job string, args []string) (out []verified, err error) {
	add := func(v verified) {
		out = append(out, v)
		if !f.json {
			printVerified(c.OutOrStdout(), v)
		}
	}
	infos, err := coordinator.List(c.Context(), r)
	if err = noJob(c.Context(), r, err); errors.Is(err, coordinator.ErrHeadMissing) {
		add(verified{Job: job, Damaged: []damaged{{Object: incremental.HeadName, Files: []string{}, Error: err.Error()}}})
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("job %s: %w", job, err)
	}
	if len(args) == 2 {
		info, err := chosen(infos, args)
		if err != nil {
			return nil, err
		}
		infos = []coordinator.CheckpointInfo{info}
	}
	for _, info := range infos {
		report, err := incremental.VerifyCheckpoint(c.Context(), r, info.ID, info.Epoch, incremental.VerifyOptions{})
		if err != nil {
			return out, fmt.Errorf("job %s, checkpoint %v: %w", job, info.ID, err)
		}
		v := verified{Job: job, Checkpoint: uint64(info.ID), Objects: report.Objects, Bytes: report.Bytes, OK: report.OK(), Damaged: []damaged{}}
		for _, d := range report.Damaged {
			v.Damaged = append(v.Damaged, damaged{d.Object, d.Files, d.Err.Error()})
		}
		add(v)
	}
	if len(infos) == 0 && !f.json {
		_, _ = fmt.Fprintf(c.OutOrStdout(), "%s: no checkpoint yet\n", job)
	}
	return out, nil
}

func printVerified(w io.Writer, v verified) {
	if v.OK {
		_, _ = fmt.Fprintf(w, "%s %d: ok, %d objects, %s\n", v.Job, v.Checkpoint, v.Objects, cli.BytesText(v.Bytes))
		return
	}
	of := v.Job
	if v.Checkpoint != 0 {
		of = fmt.Sprintf("%s %d", v.Job, v.Checkpoint)
	}
	for _, d := range v.Damaged {
		_, _ = fmt.Fprintf(w, "%s: DAMAGED %s: %s\n", of, d.Object, d.Error)
	}
}
