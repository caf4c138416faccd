package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tidemark/tidemark/internal/nearest"
)

// UsageError marks a mistake in the command line.
type UsageError struct{ err error }

func (e UsageError) Error() string { return e.err.Error() }
func (e UsageError) Unwrap() error { return e.err }

// Usage marks err as a mistake in the command line.
func Usage(err error) error { return UsageError{err} }

// FlagError marks a mistake in a flag of c as a usage error, and proposes the nearest flags
// for one that c does not have.
func FlagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return Usage(err)
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	if near := nearest.Names("--"+unknown.GetSpecifiedName(), names); len(near) > 0 {
		return Usage(fmt.Errorf("%w: %s", err, nearest.Hint("--"+unknown.GetSpecifiedName(), near)))
	}
	return Usage(fmt.Errorf("%w (see %s --help)", err, c.CommandPath()))
}

// Args returns f with its errors marked as usage errors.
func Args(f cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := f(c, args); err != nil {
			return Usage(fmt.Errorf("%w (see %s --help)", err, c.CommandPath()))
		}
		return nil
	}
}

// DamageError marks that something stored is not as it should be.
type DamageError struct{ err error }

func (e DamageError) Error() string { return e.err.Error() }
func (e DamageError) Unwrap() error { return e.err }

// Damaged marks err as damage that was found.
func Damaged(err error) error { return DamageError{err} }
