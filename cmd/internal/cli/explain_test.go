package cli

import (
	"errors"
	goflag "flag"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/tidemark/tidemark/engine/source"
)

// Advice names only flags that the program has.
func TestAdviceNamesFlagsThatThereAre(t *testing.T) {
	causes := []error{fmt.Errorf("read: %w", &source.MalformedError{Err: errors.New("boom")})}
	for _, a := range advice {
		causes = append(causes, fmt.Errorf("start: %w", a.is))
	}
	flag := regexp.MustCompile(`--([a-z][a-z-]*)`)
	for _, builtIn := range []bool{true, false} {
		var f RunFlags
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		if builtIn {
			f.BindBuiltIn(fs)
		} else if err := f.BindOwn(fs, &goflag.FlagSet{}); err != nil {
			t.Fatal(err)
		}
		for _, cause := range causes {
			err := Explain(cause, "words", builtIn)
			if !errors.Is(err, cause) || !strings.Contains(err.Error(), "what to do: ") {
				t.Errorf("no advice for %v", cause)
			}
			for _, m := range flag.FindAllStringSubmatch(err.Error(), -1) {
				if fs.Lookup(m[1]) == nil {
					t.Errorf("built-in jobs %v: %q names %s", builtIn, err, m[0])
				}
			}
			if strings.Contains(err.Error(), "PROGRAM") || strings.Contains(err.Error(), "tidemark checkpoints") {
				t.Errorf("%q does not name the program", err)
			}
		}
	}
}
