package probe

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/upload"
)

// Conditions catches a store that ignores the conditions of writes.
var Conditions = Check{
	Name: "conditional_writes", Required: true,
	Allows: "a leader that was replaced cannot commit",
	Run:    conditions,
}

func conditions(ctx context.Context, p *Probe) (string, error) {
	name := p.Name()
	put := func(content string, o upload.PutOptions) (upload.Info, error) {
		return p.putAs(ctx, name, []byte(content), o)
	}
	refused := func(what string, o upload.PutOptions) error {
		_, err := put(what, o)
		switch {
		case err == nil:
			return fmt.Errorf("%s: %w: the server ignores the condition of a write, so two writers would overwrite each other", what, upload.ErrUnsupported)
		case !errors.Is(err, upload.ErrPrecondition):
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
	absent := upload.PutOptions{IfAbsent: true}
	first, err := put("first", absent)
	if err != nil {
		return "", fmt.Errorf("put: %w", err)
	}
	if err := refused("second put where none may be", absent); err != nil {
		return "", err
	}
	second, err := put("second", upload.PutOptions{IfMatch: first.Version})
	if err != nil {
		return "", fmt.Errorf("put on its version: %w", err)
	}
	if second.Version == first.Version {
		return "", fmt.Errorf("put on its version: %w: two contents have the same ETag %s", upload.ErrUnsupported, first.Version)
	}
	return "", refused("put on an old version", upload.PutOptions{IfMatch: first.Version})
}
