package tidemarkcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/engine"
)

// Exit codes.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitDamaged     = 3
	exitInterrupted = 130
)

// errInterrupted is the cause of a run's end by SIGINT, SIGTERM or SIGHUP.
var errInterrupted = errors.New("interrupted")

// Main runs the command line of the process and exits. The verb run runs job; nil: the
// built-in jobs, by name. verbs are added to those that every program has.
func Main(job *engine.Job, verbs ...*cobra.Command) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		<-signals
		cancel(errInterrupted)
		<-signals // a second one: now
		os.Exit(exitInterrupted)
	}()
	os.Exit(run(ctx, filepath.Base(os.Args[0]), job, os.Args[1:], os.Stdout, os.Stderr, verbs...))
}

// Run runs a command line as Main does, and returns its exit code.
func Run(ctx context.Context, job *engine.Job, args []string, stdout, stderr io.Writer, verbs ...*cobra.Command) int {
	program := "tidemark"
	if job != nil {
		program = job.Name()
	}
	return run(ctx, program, job, args, stdout, stderr, verbs...)
}

func run(ctx context.Context, program string, job *engine.Job, args []string, stdout, stderr io.Writer, verbs ...*cobra.Command) int {
	root := &cobra.Command{
		Use:           program,
		Short:         "A stream engine with incremental RocksDB checkpoints",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	if job != nil {
		root.Short = fmt.Sprintf("The stream job %s, with incremental checkpoints", job.Name())
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return cli.Usage(err) })
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(runCommand(job), jobCommand(), checkpointsCommand(), stateCommand(), storeCommand(), versionCommand())
	root.AddCommand(verbs...)
	cli.RequireVerbs(root)
	err := cli.Explain(root.ExecuteContext(ctx), program, job == nil)
	var usage cli.UsageError
	var damage cli.DamageError
	code := exitFailed
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errInterrupted):
		code = exitInterrupted
	case errors.As(err, &usage):
		code = exitUsage
	case errors.As(err, &damage):
		code = exitDamaged
	}
	_, _ = fmt.Fprintf(stderr, "%s: %v\n", program, err)
	return code
}
