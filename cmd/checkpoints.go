package tidemarkcmd

import "github.com/spf13/cobra"

func checkpointsCommand() *cobra.Command {
	var f checkpointFlags
	c := &cobra.Command{Use: "checkpoints", Short: "List, explain, verify and keep a job's checkpoints"}
	f.store.Bind(c.PersistentFlags())
	c.PersistentFlags().BoolVar(&f.json, "json", false, "print JSON")
	c.AddCommand(lsCommand(&f), showCommand(&f), explainCommand(&f), verifyCommand(&f),
		retainCommand(&f), pinCommand(&f), unpinCommand(&f), tagCommand(&f), untagCommand(&f), rmCommand(&f), gcCommand(&f))
	return c
}
