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
	Job        string `json:"job"`
	Checkpoint uint64 `json:"checkpoint"` // 0: of none, since head is lost
	Objects    int    `json:"objects"`    // whose bytes were compared
	Bytes      int64  `json:"bytes"`
	// UnreadObjects were only looked for: existence and size.
	UnreadObjects int       `json:"unread_objects"`
	UnreadBytes   int64     `json:"unread_bytes"`
	OK            bool      `json:"ok"`
	Damaged       []damaged `json:"damaged"`
}

type damaged struct {
	Object string   `json:"object"`
	Files  []string `json:"files"`
	Error  string   `json:"error"`
}

// errDamaged is the end of a verification that found something.
var errDamaged = errors.New("damaged")

func verifyCommand(f *checkpointFlags) *cobra.Command {
	var all, quick bool
	var sample float64
	c := &cobra.Command{
		Use:   "verify <store>/<job-id> [<checkpoint>]",
		Short: "Read every object of the retained checkpoints and compare its checksum",
		Long: "Read every object that the job's retained checkpoints reach, or one of them, and compare sizes and checksums.\n" +
			"With --all: of every job below <store>. With --quick no object is read, and with --sample only some are: the others are\n" +
			"looked for in a listing. Nothing is changed. The exit code is 0 only if all that was looked at is as the manifests say, and\n" +
			"3 if something is damaged or a job's head is lost.",
		Args: cli.Args(cobra.RangeArgs(1, 2)),
	}
	c.Flags().BoolVar(&all, "all", false, "verify every job below the store")
	c.Flags().BoolVar(&quick, "quick", false, "read manifests only; of objects compare existence and size")
	c.Flags().Var(cli.Parsed(&sample, "100%", cli.ParsePercent), "sample", "share of the objects to read, drawn anew each time; of the others compare existence and size")
	c.MarkFlagsMutuallyExclusive("quick", "sample")
	c.RunE = func(c *cobra.Command, args []string) error {
		o := incremental.VerifyOptions{}
		switch {
		case quick:
			o.Unread = 1
		case c.Flags().Changed("sample"):
			o.Unread = 1 - sample
		}
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
			got, err := verifyJob(c, f, r, name, args, o)
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
func verifyJob(c *cobra.Command, f *checkpointFlags, r upload.Reader, job string, args []string, o incremental.VerifyOptions) (out []verified, err error) {
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
	progress := newTransfer(c.ErrOrStderr())
	defer progress.line.end()
	o.Progress = func(p incremental.VerifyProgress) {
		progress.show(fmt.Sprintf("%s %d", job, p.Checkpoint), p.Bytes, p.TotalBytes)
	}
	for found, err := range coordinator.Verify(c.Context(), r, infos, o) {
		if err != nil {
			return out, fmt.Errorf("job %s: %w", job, err)
		}
		if found.Dropped {
			_, _ = fmt.Fprintf(c.ErrOrStderr(), "%s %d: its job dropped it meanwhile\n", job, found.ID)
			continue
		}
		v := verified{
			Job: job, Checkpoint: uint64(found.ID), Objects: found.Objects, Bytes: found.Bytes,
			UnreadObjects: found.UnreadObjects, UnreadBytes: found.UnreadBytes, OK: found.OK(), Damaged: []damaged{},
		}
		for _, d := range found.Damaged {
			v.Damaged = append(v.Damaged, damaged{d.Object, append([]string{}, d.Files...), d.Err.Error()})
		}
		add(v)
	}
	if len(infos) == 0 && !f.json {
		_, _ = fmt.Fprintf(c.OutOrStdout(), "%s: no checkpoint yet\n", job)
	}
	return out, nil
}

func printVerified(w io.Writer, v verified) {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	of := v.Job
	if v.Checkpoint != 0 {
		of = fmt.Sprintf("%s %d", v.Job, v.Checkpoint)
	}
	if v.OK {
		p("%s: ok, %d objects, %s\n", of, v.Objects, cli.BytesText(v.Bytes))
	}
	for _, d := range v.Damaged {
		p("%s: DAMAGED %s: %s\n", of, d.Object, d.Error)
	}
	if v.UnreadObjects > 0 {
		p("%s: not read: %d objects, %s; of these only existence and size were compared\n", of, v.UnreadObjects, cli.BytesText(v.UnreadBytes))
	}
}
