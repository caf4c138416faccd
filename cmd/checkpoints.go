package tidemarkcmd

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

func checkpointsCommand() *cobra.Command {
	var f checkpointFlags
	c := &cobra.Command{Use: "checkpoints", Short: "List, explain, verify and keep a job's checkpoints"}
	f.store.Bind(c.PersistentFlags())
	c.PersistentFlags().BoolVar(&f.json, "json", false, "print JSON")
	c.AddCommand(lsCommand(&f), watchCommand(&f), showCommand(&f), diffCommand(&f), copyCommand(&f), explainCommand(&f), verifyCommand(&f),
		retainCommand(&f), pinCommand(&f), unpinCommand(&f), tagCommand(&f), untagCommand(&f), rmCommand(&f), gcCommand(&f))
	judgeVerbs(c)
	return c
}

// judgeVerbs gives the errors of a command's verbs the exit code of damage where they tell of it.
func judgeVerbs(c *cobra.Command) {
	for _, verb := range c.Commands() {
		do := verb.RunE
		verb.RunE = func(c *cobra.Command, args []string) error { return judged(do(c, args)) }
	}
}

// judged marks an error as damage where it says that what is stored cannot be read.
func judged(err error) error {
	if _, ok := errors.AsType[*incremental.CorruptManifestError](err); ok {
		return cli.Damaged(err)
	}
	for _, is := range []error{coordinator.ErrHeadFormat, incremental.ErrNewerVersion, upload.ErrCorrupt, upload.ErrNotExist} {
		if errors.Is(err, is) {
			return cli.Damaged(err)
		}
	}
	return err
}
