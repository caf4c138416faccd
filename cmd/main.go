package tidemarkcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/engine"
)

// Exit codes.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// errInterrupted is the cause of a run's end by SIGINT or SIGTERM.
var errInterrupted = errors.New("interrupted")

// Main runs the command line of the process and exits. The verb run runs job; nil: the
// built-in jobs, by name. verbs are added to those that every program has.
func Main(job *engine.Job, verbs ...*cobra.Command) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel(errInterrupted)
		<-signals // a second one: now
		os.Exit(exitInterrupted)
	}()
	os.Exit(Run(ctx, job, os.Args[1:], os.Stdout, os.Stderr, verbs...))
}

// Run runs a command line as Main does, and returns its exit code.
func Run(ctx context.Context, job *engine.Job, args []string, stdout, stderr io.Writer, verbs ...*cobra.Command) int {
	root := &cobra.Command{
		Use:           "tidemark",
		Short:         "A stream engine with incremental RocksDB checkpoints",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return cli.Usage(err) })
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(runCommand(job), checkpointsCommand(), versionCommand())
	root.AddCommand(verbs...)
	err := root.ExecuteContext(ctx)
	var usage cli.UsageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errInterrupted):
		_, _ = fmt.Fprintln(stderr, "tidemark: interrupted; the same command resumes from the newest checkpoint")
		return exitInterrupted
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(stderr, "tidemark: %v\n", err)
		return exitUsage
	}
	_, _ = fmt.Fprintf(stderr, "tidemark: %v\n", err)
	return exitFailed
}
