package tidemarkcmd

import (
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
	Checkpoint uint64    `json:"checkpoint"`
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
			"With --all: of every job below <store>. Nothing is changed. The exit code is 0 only if all is as the manifests say.",
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
			if jobs, err = coordinator.Jobs(c.Context(), store); err != nil {
				return err
			}
			if len(jobs) == 0 {
				return fmt.Errorf("no job below %s: none has a head", args[0])
			}
		}
		results := []verified{}
		for _, job := range jobs {
			r, name := store, path.Base(strings.TrimSuffix(args[0], "/"))
			if job != "" {
				r, name = upload.PrefixedReader(store, job), job
			}
			got, err := verifyJob(c, f, r, name, args)
			results = append(results, got...)
			if err != nil {
				return err
			}
		}
		if f.json {
			if err := cli.PrintJSON(c.OutOrStdout(), results); err != nil {
				return err
			}
		}
		bad := 0
		for _, r := range results {
			if !r.OK {
				bad++
			}
		}
		if bad > 0 {
			return fmt.Errorf("%w: %d of %d checkpoints. Nothing was changed; start from one that is whole with --restore <id>", errDamaged, bad, len(results))
		}
		return nil
	}
	return c
}

func verifyJob(c *cobra.Command, f *checkpointFlags, r upload.Reader, job string, args []string) ([]verified, error) {
	infos, err := coordinator.List(c.Context(), r)
	if err != nil {
		return nil, noJob(r.String(), err)
	}
	if len(args) == 2 {
		info, err := chosen(infos, args)
		if err != nil {
			return nil, err
		}
		infos = []coordinator.CheckpointInfo{info}
	}
	var out []verified
	for _, info := range infos {
		report, err := incremental.VerifyCheckpoint(c.Context(), r, info.ID, info.Epoch, incremental.VerifyOptions{})
		if err != nil {
			return out, fmt.Errorf("job %s, checkpoint %v: %w", job, info.ID, err)
		}
		v := verified{Job: job, Checkpoint: uint64(info.ID), Objects: report.Objects, Bytes: report.Bytes, OK: report.OK(), Damaged: []damaged{}}
		for _, d := range report.Damaged {
			v.Damaged = append(v.Damaged, damaged{d.Object, d.Files, d.Err.Error()})
		}
		out = append(out, v)
		if !f.json {
			printVerified(c.OutOrStdout(), v)
		}
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
	for _, d := range v.Damaged {
		_, _ = fmt.Fprintf(w, "%s %d: DAMAGED %s: %s\n", v.Job, v.Checkpoint, d.Object, d.Error)
	}
}
