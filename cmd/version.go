package tidemarkcmd

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/rocks"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Say which version this is, and which RocksDB is linked", Args: cli.Args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n%v\nmanifest format %d\n%s %s/%s\n",
				cli.Version(), rocks.Linked(), incremental.FormatVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
