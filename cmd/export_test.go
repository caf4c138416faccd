package tidemarkcmd

import (
	"context"
	"io"
)

// RunFlags is Run for a job with flags of its own.
func RunFlags(ctx context.Context, p Program, args []string, stdout, stderr io.Writer) int {
	return run(ctx, "numbers", p, args, stdout, stderr)
}
