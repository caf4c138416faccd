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

// usageError marks an error of the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// Main runs the command line of the process and exits. job is what "run"
// runs; nil: the built-in jobs, by name.
func Main(job *engine.Job) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel(errInterrupted)
		<-signals // a second one: now
		os.Exit(exitInterrupted)
	}()
	os.Exit(Run(ctx, job, os.Args[1:], os.Stdout, os.Stderr))
}

// Run runs a command line and returns its exit code.
func Run(ctx context.Context, job *engine.Job, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "tidemark",
		Short:         "A stream engine with incremental RocksDB checkpoints",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(runCommand(job), checkpointsCommand(), benchCommand(job), versionCommand())
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errInterrupted):
		_, _ = fmt.Fprintln(stderr, "tidemark: interrupted; the same command goes on from the newest checkpoint")
		return exitInterrupted
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(stderr, "tidemark: %v\n", err)
		return exitUsage
	}
	_, _ = fmt.Fprintf(stderr, "tidemark: %v\n", err)
	return exitFailed
}

// usageArgs turns a complaint about arguments into a usage error.
func usageArgs(f cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := f(c, args); err != nil {
			return usageError{fmt.Errorf("%w (see %s --help)", err, c.CommandPath())}
		}
		return nil
	}
}
