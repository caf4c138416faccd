package tidemarkcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
)

// stateFlags name a state of a checkpoint.
type stateFlags struct {
	checkpointFlags
	operator, state string
}

func stateCommand() *cobra.Command {
	var f stateFlags
	c := &cobra.Command{
		Use: "state", Short: "Read the keyed state in a job's checkpoints, without the job's code",
		Long: "Read the keyed state of any retained checkpoint, with or without a running job. Keys and values are decoded by the\n" +
			"types that the checkpoint states, and printed as JSON. Values that the job encodes itself are base64, and so are\n" +
			"types that marshal themselves. What had expired when the checkpoint was taken is left out.",
	}
	f.store.Bind(c.PersistentFlags())
	c.AddCommand(stateLsCommand(&f), stateGetCommand(&f), stateScanCommand(&f), stateStatsCommand(&f))
	judgeVerbs(c)
	return c
}

// bind adds the flags that name a state to a verb.
func (f *stateFlags) bind(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&f.operator, "operator", "", "operator of the state; may be left out where the state's name is enough")
	c.Flags().StringVar(&f.state, "state", "", "name of the state; may be left out where there is only one")
	return c
}

// open returns a reader, and the named state.
func (f *stateFlags) open(c *cobra.Command, target string) (*stateReader, readableState, error) {
	r, err := f.openState(c.Context(), target)
	if err != nil {
		return nil, readableState{}, err
	}
	s, err := r.choose(f.operator, f.state)
	return r, s, err
}

// printEntries prints entries of a state, at most limit if that is not 0, and says how many.
func printEntries(c *cobra.Command, r *stateReader, s readableState, handles []*incremental.Handle, within bounds, limit int) (n int, err error) {
	out := json.NewEncoder(c.OutOrStdout())
	out.SetEscapeHTML(false)
	err = r.each(c.Context(), s, handles, within, func(e state.UntypedEntry, _ int) error {
		if limit > 0 && n == limit {
			return errEnough
		}
		n++
		return out.Encode(e)
	})
	if err == nil {
		r.told(c.ErrOrStderr(), n)
	}
	return n, err
}

// listedState is a state as ls --json prints it.
type listedState struct {
	Operator string `json:"operator"`
	State    string `json:"state"`
	Kind     string `json:"kind"`
	Key      string `json:"key"`
	MapKey   string `json:"map_key,omitempty"`
	Value    string `json:"value"`
	Subtasks int    `json:"subtasks"`
}

func stateLsCommand(f *stateFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "ls <store>/<job-id>[@<checkpoint>]", Short: "List the states of a checkpoint and their types", Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := f.openState(c.Context(), args[0])
			if err != nil {
				return err
			}
			listed := []listedState{}
			for _, s := range r.states() {
				d := s.Descriptor
				listed = append(listed, listedState{string(s.Operator), d.Name, d.Kind.String(), d.Key, d.MapKey, d.Value, len(s.Handles)})
			}
			if f.json {
				return cli.PrintJSON(c.OutOrStdout(), listed)
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			_, _ = fmt.Fprintln(t, "OPERATOR\tSTATE\tKIND\tSUBTASKS\tKEY\tMAP KEY\tVALUE")
			for _, l := range listed {
				_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", l.Operator, l.State, l.Kind, l.Subtasks, l.Key, l.MapKey, l.Value)
			}
			return t.Flush()
		},
	}
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}

func stateGetCommand(f *stateFlags) *cobra.Command {
	var key string
	c := &cobra.Command{
		Use: "get <store>/<job-id>[@<checkpoint>] --key <key>", Short: "Print what a state holds for one key, a line of JSON for each entry",
		Long: "Print what a state holds for one key, a line of JSON for each entry: one of a value, and one for each item of a list or\n" +
			"entry of a map. The key is JSON, as scan prints it; a string may stand without quotes. The state of the subtask that\n" +
			"has the key is downloaded for it. Exits with 1 if there is nothing.",
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if !c.Flags().Changed("key") {
				return cli.Usage(errors.New("name the key by --key"))
			}
			r, s, err := f.open(c, args[0])
			if err != nil {
				return err
			}
			u, err := state.UntypedOf(s.Descriptor)
			if err != nil {
				return err
			}
			prefix, group, err := u.Row(key, r.manifest.Graph.MaxParallelism)
			if err != nil {
				return cli.Usage(err)
			}
			has := slices.DeleteFunc(slices.Clone(s.Handles), func(h *incremental.Handle) bool { return !h.Range.Contains(group) })
			n, err := printEntries(c, r, s, has, func(*incremental.Handle) (start, end []byte) { return prefix, state.PrefixEnd(prefix) }, 0)
			if err != nil {
				return err
			}
			if n == 0 {
				return fmt.Errorf("state %s/%s has nothing for key %s", s.Operator, s.Descriptor.Name, key)
			}
			return nil
		},
	}
	c.Flags().StringVar(&key, "key", "", "the key")
	return f.bind(c)
}

func stateScanCommand(f *stateFlags) *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use: "scan <store>/<job-id>[@<checkpoint>]", Short: "Print the entries of a state, a line of JSON for each, in the order of key groups and keys",
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			r, s, err := f.open(c, args[0])
			if err != nil {
				return err
			}
			_, err = printEntries(c, r, s, s.Handles, allOf, limit)
			return err
		},
	}
	c.Flags().IntVar(&limit, "limit", 0, "most entries to print; 0: all")
	return f.bind(c)
}
