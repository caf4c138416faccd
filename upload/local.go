package upload

import (
	"errors"
	"fmt"
	"syscall"
)

// localError wraps an error of the local disk with the sentinel that it means,
// if any.
func localError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w on the local disk: %w", ErrNoSpace, err)
	}
	return err
}
