package tidemarkcmd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

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

// sameSignal is within what time another signal is the same one: timeout(1), for one, signals
// a process and then its group.
const sameSignal = 50 * time.Millisecond

// errInterrupted is the cause of a run's end by SIGINT, SIGTERM or SIGHUP.
var errInterrupted = errors.New("interrupted")

// Program is a job that has flags of its own. It defines them on flags, and returns what
// builds the job once the command line has been parsed; an error of that is a mistake in
// the command line. A Program may be called any number of times, in several processes:
// the same arguments must build the same job. So it reads neither the clock nor random
// numbers, and keeps what it is told in variables of its own.
type Program func(flags *flag.FlagSet) (build func() (*engine.Job, error))

// Main runs the command line of the process and exits. The verb run runs job; nil: the
// built-in jobs, by name. verbs are added to those that every program has.
func Main(job *engine.Job, verbs ...*cobra.Command) { main(of(job), verbs) }

// MainFlags is Main for a job with flags of its own. The verb run has them beside those
// that every program has, and none may have the name of one of these.
func MainFlags(p Program, verbs ...*cobra.Command) { main(p, verbs) }

// of returns the program of a job without flags; nil: of none.
func of(job *engine.Job) Program {
	if job == nil {
		return nil
	}
	return func(*flag.FlagSet) func() (*engine.Job, error) {
		return func() (*engine.Job, error) { return job, nil }
	}
}

func main(p Program, verbs []*cobra.Command) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		<-signals
		cancel(errInterrupted)
		for first := time.Now(); time.Since(first) < sameSignal; {
			<-signals
		}
		_, _ = fmt.Fprintln(os.Stderr, "a second signal: ended at once; what came after the newest checkpoint is read again")
		os.Exit(exitInterrupted)
	}()
	os.Exit(run(ctx, filepath.Base(os.Args[0]), p, os.Args[1:], os.Stdout, os.Stderr, verbs...))
}

// Run runs a command line as Main does, and returns its exit code.
func Run(ctx context.Context, job *engine.Job, args []string, stdout, stderr io.Writer, verbs ...*cobra.Command) int {
	name := "tidemark"
	if job != nil {
		name = job.Name()
	}
	return run(ctx, name, of(job), args, stdout, stderr, verbs...)
}

// run runs a command line of the program p; nil: of one with the built-in jobs.
func run(ctx context.Context, name string, p Program, args []string, stdout, stderr io.Writer, verbs ...*cobra.Command) int {
	root := &cobra.Command{
		Use:           name,
		Short:         "A stream engine with incremental RocksDB checkpoints",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	if p != nil {
		root.Short = "A stream job with incremental RocksDB checkpoints"
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(cli.FlagError)
	root.CompletionOptions.HiddenDefaultCmd = true
	runJob, err := runCommand(p)
	if err == nil {
		root.AddCommand(runJob, jobCommand(), checkpointsCommand(), stateCommand(), storeCommand(), versionCommand())
		root.AddCommand(verbs...)
		cli.RequireVerbs(root)
		err = cli.Explain(root.ExecuteContext(ctx), name, p == nil)
	}
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
	_, _ = fmt.Fprintf(stderr, "%s: %v\n", name, err)
	return code
}
