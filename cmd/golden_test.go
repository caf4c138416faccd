package tidemarkcmd_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/incremental"
)

var update = flag.Bool("update", false, "rewrite the golden files of the verbs")

// goldenVerbs are the command lines of the golden files, without the URL of the job, which
// comes first of the arguments. A verb's JSON is that of its first line.
var goldenVerbs = map[string][]string{
	"ls":      {"ls"},
	"show":    {"show", "show 1", "show 9"},
	"diff":    {"diff 1 3", "diff 1 2"},
	"explain": {"explain " + nameOf(1, 1, 0).String(), "explain " + nameOf(2, 1, 9).String(), "explain " + nameOf(4, 2, 0).String(), "explain manifests/3-2", "explain notes.txt", "explain history/2-1", "explain history/1-7"},
	"verify":  {"verify", "verify --quick", "verify --sample 0%", "verify 3"},
	"retain":  {"retain --policy 1", "retain", "retain --policy 1 --apply"},
	"pin":     {"pin 2 upgrade --reason before-version-8", "unpin upgrade"},
	"tag":     {"tag 3 good", "untag release"},
	"rm":      {"rm 2", "rm 1", "rm 3"},
	"copy":    {"copy DEST"},
	"gc":      {"gc", "gc --apply", "gc --prices storage=100000,put=1000,get=1000", "gc --retire"},
}

// exampleClock is what a store in memory says of the time of a write.
var exampleClock = regexp.MustCompile(`(put |"put": ")20\d\d-\d\d-\d\d[T ][^\n",]*`)

// Each verb, on a store that is whole and on damaged ones: what it prints, as text and as
// JSON, its exit code, and its message. No verb deletes what a retained checkpoint needs,
// and those that only look change nothing.
func TestVerbs(t *testing.T) { // I1, I2, I10
	for verb, lines := range goldenVerbs {
		t.Run(verb, func(t *testing.T) {
			var golden strings.Builder
			whole := map[string]string{}
			for _, d := range damages {
				fmt.Fprintf(&golden, "== %s\n", d.name)
				for _, line := range append(slices.Clone(lines), lines[0]+" --json") {
					x := newExample(t)
					d.do(x)
					before := x.content()
					to := strings.Replace(x.url, "count", "fork", 1)
					words := strings.Fields(strings.ReplaceAll(line, "DEST", to))
					args := slices.Concat([]string{"checkpoints", words[0], x.url}, words[1:])
					r := tidemark(t, args...)
					if r.code != 0 && r.stderr == "" {
						t.Errorf("%s, %s: %v", d.name, line, r)
					}
					x.harmless(d.name+", "+line, before, slices.Contains(words, "--apply"))
					text := fmt.Sprintf("exit code %d\n%s%s", r.code, r.out, prefixed("stderr: ", r.stderr))
					text = strings.NewReplacer(x.url, "STORE/count", to, "STORE/fork").Replace(exampleClock.ReplaceAllString(text, "${1}TIME"))
					if d.name == "whole" {
						whole[line] = text
					} else if text == whole[line] {
						text = "as if whole\n"
					}
					fmt.Fprintf(&golden, "$ %s\n%s\n", line, text)
				}
			}
			path := filepath.Join("testdata", "verbs", verb+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(golden.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := firstDifference(string(want), golden.String()); d != "" {
				t.Errorf("%s differs (rewrite with -update):\n%s", path, d)
			}
		})
	}
}

// harmless fails the test where a verb deleted what a retained checkpoint had before or
// after, or changed anything but head without being told to.
func (x *example) harmless(what string, before map[string]string, applied bool) {
	x.t.Helper()
	after := x.content()
	for name, content := range before {
		now, ok := after[name]
		n, data := incremental.ParseObjectName(name)
		switch {
		case ok && now == content, ok && name == "head":
		case !ok && applied && data && n == nameOf(2, 1, 9), !ok && applied && name == "history/1-7":
		default:
			x.t.Errorf("%s: %s was changed or deleted", what, name)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			x.t.Errorf("%s: %s was made", what, name)
		}
	}
	if h, err := coordinator.DecodeHead([]byte(before["head"])); err == nil && before["head"] != after["head"] {
		if now, err := coordinator.DecodeHead([]byte(after["head"])); err != nil || now.Epoch != h.Epoch || now.Version != h.Version+1 {
			x.t.Errorf("%s: head became %+v, %v", what, now, err)
		}
	}
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+prefix) + "\n"
}

// firstDifference shows the first line that differs, with what stands above it.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		a, b := "(end)", "(end)"
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			above := w[max(0, min(i, len(w))-6):min(i, len(w))]
			return fmt.Sprintf("line %d:\n  %s\nwant %s\ngot  %s", i+1, strings.Join(above, "\n  "), a, b)
		}
	}
	return ""
}
