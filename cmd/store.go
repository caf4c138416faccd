package tidemarkcmd

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/upload/probe"
	"github.com/tidemark/tidemark/upload/storeurl"
)

func storeCommand() *cobra.Command {
	c := &cobra.Command{Use: "store", Short: "Say what a store guarantees"}
	c.AddCommand(analyzeCommand())
	return c
}

// analyzed is what store analyze --json prints.
type analyzed struct {
	probe.Report
	Fit   bool     `json:"fit"`
	Unfit []string `json:"unfit"` // what is lacking or destroys
}

func analyzeCommand() *cobra.Command {
	var store cli.StoreFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "analyze <store>",
		Short: "Try what a job needs of a store, and say what its settings do to a job",
		Long: "Try with objects of its own what a job needs of a store: conditional writes by several writers at once, listings after\n" +
			"writes, ranges, uploads in parts and so on. Read the bucket's settings, as far as that is permitted, and say what they\n" +
			"would destroy or pile up. It deletes its objects, and touches no others. The exit code is 0 if a job can use the store, and 3\n" +
			"if something that it needs is lacking, or a setting destroys its objects.",
		Args: cli.Args(cobra.ExactArgs(1)),
	}
	store.Bind(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := storeurl.Bare(c.Context(), args[0], storeurl.Options{S3: store.Options()})
		if err != nil {
			return fmt.Errorf("%w %s: %w", launch.ErrStore, args[0], err)
		}
		r, err := probe.Analyze(c.Context(), s)
		if err != nil {
			return fmt.Errorf("%w %s: analyze: %w", launch.ErrStore, args[0], err)
		}
		unfit := append([]string{}, r.Unfit()...)
		if asJSON {
			err = cli.PrintJSON(c.OutOrStdout(), analyzed{r, len(unfit) == 0 && r.Err() == nil, unfit})
		} else {
			err = printAnalyzed(c.OutOrStdout(), r)
		}
		switch {
		case err != nil:
			return err
		case len(unfit) > 0:
			return cli.Damaged(fmt.Errorf("%s is not fit for a job: %s", args[0], strings.Join(unfit, ", ")))
		}
		return r.Err()
	}
	return c
}

var effectNames = map[probe.Effect]string{probe.Destroys: "DESTROYS", probe.PilesUp: "piles up", probe.Lacks: "lacks", probe.Harmless: "harmless"}

func printAnalyzed(w io.Writer, r probe.Report) error {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	p("%s\n\n", r.Store)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "CHECK\tDOES IT\tNEEDED\tSO THAT\tDETAIL")
	for _, f := range r.Findings {
		needed := map[bool]string{true: "yes", false: "no"}[f.Required]
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", f.Check, f.Verdict, needed, f.Allows, f.Detail)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	p("\n")
	for _, s := range r.Settings.Read {
		p("%s: %s\n", s.Name, s.Value)
	}
	for _, s := range r.Settings.Unread {
		p("%s: not read: %s\n", s.Name, s.Value)
	}
	for _, a := range r.Settings.Advice {
		p("\n%s  %s: %s", effectNames[a.Effect], a.Setting, a.Text)
	}
	if len(r.Settings.Advice) > 0 {
		p("\n")
	}
	if r.Left != "" {
		p("\nobjects of this analysis are left: %s\n", r.Left)
	}
	if len(r.Unfit()) == 0 && r.Err() == nil {
		p("\na job can use this store\n")
	}
	return nil
}
