package nearest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/internal/nearest"
)

func TestNames(t *testing.T) {
	names := []string{"wordcount", "count", "count-hot", "update", "q0", "q17", "q18"}
	for written, want := range map[string]string{
		"cuont": "count", "coun": "count count-hot", "COUNT": "count", "wrodcount": "wordcount", "updates": "update",
		"count_hot": "count-hot", "q19": "q17 q18", "q1": "q17 q18 q0", "q99": "", "nosuch": "", "": "", "wordcounter": "wordcount",
		"cöunt": "count", strings.Repeat("count", 1<<20): "",
	} {
		got := nearest.Names(written, names)
		slices.Sort(got)
		w := strings.Fields(want)
		slices.Sort(w)
		if !slices.Equal(got, w) {
			t.Errorf("%.20q: %q, want %q", written, got, w)
		}
	}
}

func TestHint(t *testing.T) {
	for _, c := range []struct{ written, names, want string }{
		{"veriy", "ls show verify", `did you mean "verify"?`},
		{"q19", "q0 q17 q18", `did you mean "q17" or "q18"?`},
		{"x1234", "ls show verify", `use "ls", "show" or "verify"`},
		{"x1234", "ls", `use "ls"`},
		{"x1234", "ls" + strings.Repeat(" a", 24), `use "ls"` + strings.Repeat(`, "a"`, 19) + " or 5 others"},
		{"x1234", "", "there is none at all"},
	} {
		if got := nearest.Hint(c.written, strings.Fields(c.names)); got != c.want {
			t.Errorf("%q of %q: %q, want %q", c.written, c.names, got, c.want)
		}
	}
}
