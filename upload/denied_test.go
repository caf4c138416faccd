package upload_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/tidemark/tidemark/upload"
)

func TestDeniedNames(t *testing.T) {
	denied := func(name string) error {
		return &upload.Error{Op: "delete", Name: name, Err: fmt.Errorf("%w: locked", upload.ErrDenied)}
	}
	other := &upload.Error{Op: "delete", Name: "c", Err: errors.New("broken")}
	for what, c := range map[string]struct {
		err   error
		names []string
		ok    bool
	}{
		"none":                 {nil, nil, false},
		"one":                  {denied("a"), []string{"a"}, true},
		"joined and wrapped":   {fmt.Errorf("given up: %w", errors.Join(denied("a"), fmt.Errorf("x: %w", errors.Join(denied("b"))))), []string{"a", "b"}, true},
		"another failure, too": {errors.Join(denied("a"), other), nil, false},
		"only another":         {other, nil, false},
		"no store's error":     {upload.ErrDenied, nil, false},
	} {
		names, ok := upload.DeniedNames(c.err)
		if ok != c.ok || ok && !slices.Equal(names, c.names) {
			t.Errorf("%s: %q, %v", what, names, ok)
		}
	}
}
