package tidemarkcmd_test

import (
	"bytes"
	"strings"
	"testing"

	tidemarkcmd "github.com/tidemark/tidemark/cmd"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/enginetest"
)

// A verb or argument that is unknown or missing is a mistake of whoever typed it,
// wherever it is: exit code 2, the nearest verb or all of them, and no help that
// looks like success.
func TestUnknownAndMissingVerbs(t *testing.T) {
	for command, says := range map[string]string{
		"":                              `a verb is missing: use "checkpoints", `,
		"nosuch":                        `unknown command "nosuch" of tidemark: use "checkpoints", `,
		"chekpoints ls":                 `did you mean "checkpoints"?`,
		"checkpoints":                   `a verb is missing: use "copy", "diff", "explain", "gc"`,
		"checkpoints veriy file:///tmp": `unknown command "veriy" of tidemark checkpoints: did you mean "verify"?`,
		"checkpoints --json":            "a verb is missing",
		"store":                         `a verb is missing: use "analyze"`,
		"store analyze":                 "accepts 1 arg(s)",
		"checkpoints ls":                "accepts 1 arg(s)",
		"checkpoints show":              "arg(s)",
		"checkpoints verify":            "arg(s)",
		"help veriy":                    `unknown command "veriy"`,
		"help checkpoints veriy":        `did you mean "verify"?`,
		"completion nosuch":             `unknown command "nosuch"`,
		"run":                           "accepts 1 arg(s)",
		"run nosuch":                    "nosuch",
		"run count --nosuch":            "unknown flag",
		"version 3":                     "unknown command",
	} {
		if r := tidemark(t, strings.Fields(command)...); r.code != 2 || !strings.Contains(r.stderr, says) || r.out != "" {
			t.Errorf("tidemark %s: %v, want exit code 2 and %q", command, r, says)
		}
	}
	for _, command := range []string{"--help", "help", "help checkpoints verify", "checkpoints --help", "completion bash"} {
		ok(t, strings.Fields(command)...)
	}
}

// A program with a job of its own speaks of itself.
func TestAProgramIsHeadedByItsOwnName(t *testing.T) {
	j := engine.NewJob("words")
	engine.From(j, "in", enginetest.FromSlice(1)).To("out", enginetest.Discard[int]())
	for command, says := range map[string]string{
		"--help": "words [command]", "run --help": "words run [flags]", "checkpoints ls --help": "words checkpoints ls",
		"run --output x": "words: unknown flag: --output", "veriy": `of words: `,
	} {
		var out bytes.Buffer
		tidemarkcmd.Run(t.Context(), j, strings.Fields(command), &out, &out)
		if !strings.Contains(out.String(), says) || strings.Contains(out.String(), "tidemark run") {
			t.Errorf("words %s: %s lacks %q", command, out.String(), says)
		}
	}
}
