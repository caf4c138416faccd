package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// UsageError marks a mistake in the command line.
type UsageError struct{ err error }

func (e UsageError) Error() string { return e.err.Error() }
func (e UsageError) Unwrap() error { return e.err }

// Usage marks err as a mistake in the command line.
func Usage(err error) error { return UsageError{err} }

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
