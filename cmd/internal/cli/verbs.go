package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/internal/nearest"
)

// RequireVerbs makes it a usage error to give root, or any command below it that
// only has verbs, none of them or one that it does not have.
func RequireVerbs(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	requireVerbs(root)
	for _, c := range root.Commands() {
		if c.Name() == "help" {
			c.RunE, c.Run = func(_ *cobra.Command, args []string) error { return help(root, args) }, nil
		}
	}
}

func requireVerbs(c *cobra.Command) {
	for _, verb := range c.Commands() {
		requireVerbs(verb)
	}
	if c.Runnable() || !c.HasSubCommands() {
		return
	}
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return Usage(fmt.Errorf("%s: a verb is missing: %s", c.CommandPath(), nearest.Hint("", verbs(c))))
		}
		return unknownVerb(c, args[0])
	}
}

func unknownVerb(c *cobra.Command, verb string) error {
	return Usage(fmt.Errorf("unknown command %q of %s: %s", verb, c.CommandPath(), nearest.Hint(verb, verbs(c))))
}

// verbs lists the verbs of c.
func verbs(c *cobra.Command) (all []string) {
	for _, verb := range c.Commands() {
		if verb.IsAvailableCommand() {
			all = append(all, verb.Name())
		}
	}
	return all
}

// help prints the help of the command that args name.
func help(root *cobra.Command, args []string) error {
	c := root
	for _, name := range args {
		next, _, err := c.Find([]string{name})
		if err != nil || next == c {
			return unknownVerb(c, name)
		}
		c = next
	}
	c.InitDefaultHelpFlag()
	return c.Help()
}
