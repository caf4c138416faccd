package tidemarkcmd

import (
	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/engine"
)

func benchCommand(*engine.Job) *cobra.Command {
	c := &cobra.Command{Use: "bench", Short: "Measure workloads, and kill them to see what they lose"}
	c.AddCommand(benchCrashCommand())
	return c
}
