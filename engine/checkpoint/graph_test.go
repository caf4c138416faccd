package checkpoint_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

func graph(edit func(*checkpoint.Graph)) checkpoint.Graph {
	g := checkpoint.Graph{Job: "j", MaxParallelism: 128, Operators: []checkpoint.GraphOperator{
		{ID: "in", Type: "source", Parallelism: 2},
		{ID: "sum", Type: "process", Parallelism: 2, Key: "int64", Inputs: []checkpoint.GraphInput{{From: "in"}}},
	}}
	if edit != nil {
		edit(&g)
	}
	return g
}

func TestFit(t *testing.T) {
	old := graph(nil)
	stateful := []checkpoint.OperatorID{"in", "sum"}
	renamed := func(g *checkpoint.Graph) { g.Operators[1].ID = "total" }
	for name, c := range map[string]struct {
		edit func(*checkpoint.Graph)
		drop string
		want string // part of the message; empty: fits
	}{
		"same":             {nil, "", ""},
		"other name":       {func(g *checkpoint.Graph) { g.Job = "k" }, "", ""},
		"more operators":   {func(g *checkpoint.Graph) { g.Operators = append(g.Operators, checkpoint.GraphOperator{ID: "out"}) }, "", ""},
		"max parallelism":  {func(g *checkpoint.Graph) { g.MaxParallelism = 64 }, "", "was 128 and is 64"},
		"renamed operator": {renamed, "", `"sum" has state`},
		"other key":        {func(g *checkpoint.Graph) { g.Operators[1].Key = "string" }, "", "keyed by int64 and is keyed by string"},
		"other type":       {func(g *checkpoint.Graph) { g.Operators[0].Type = "sink" }, "", "was a source and is a sink"},
		"dropped":          {renamed, "sum", ""},
		"one state of it":  {renamed, "sum/n", `"sum" has state`},
		"dropped, but not": {nil, "sum", `the state of operator "sum" is to be dropped, but the job has the operator`},
		"a state dropped":  {nil, "sum/n", ""},
		"of another one":   {renamed, "in/n", `"sum" has state`},
		"mistyped":         {func(g *checkpoint.Graph) { g.Operators[1].ID = "smu" }, "", `or drop its state; the job has ["smu"]`},
		"mistyped drop":    {renamed, "sun", `or drop its state; to be dropped is ["sun"]`},
	} {
		t.Run(name, func(t *testing.T) {
			var drop []checkpoint.Drop
			if c.drop != "" {
				d, err := checkpoint.ParseDrop(c.drop)
				if err != nil || d.String() != c.drop {
					t.Fatalf("%q is %v, %v", c.drop, d, err)
				}
				drop = append(drop, d)
			}
			err := graph(c.edit).Fit(old, stateful, drop)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, checkpoint.ErrGraphMismatch) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want it to name %q", err, c.want)
			}
		})
	}
}

func TestParseDropRefuses(t *testing.T) {
	for _, s := range []string{"", "/", "a/", "/a", "a/b/c", "A", "a/_splits", "a b"} {
		if d, err := checkpoint.ParseDrop(s); err == nil {
			t.Errorf("%q is %v", s, d)
		}
	}
}

func TestFingerprintIgnoresParallelismOnly(t *testing.T) {
	base := graph(nil).Fingerprint()
	if f := graph(func(g *checkpoint.Graph) { g.Operators[0].Parallelism = 9 }).Fingerprint(); f != base {
		t.Error("parallelism changed the fingerprint")
	}
	for name, edit := range map[string]func(*checkpoint.Graph){
		"key":   func(g *checkpoint.Graph) { g.Operators[1].Key = "string" },
		"edge":  func(g *checkpoint.Graph) { g.Operators[1].Inputs = nil },
		"id":    func(g *checkpoint.Graph) { g.Operators[0].ID = "x" },
		"limit": func(g *checkpoint.Graph) { g.MaxParallelism = 1 },
	} {
		if graph(edit).Fingerprint() == base {
			t.Errorf("%s does not change the fingerprint", name)
		}
	}
}

func TestValidOperatorID(t *testing.T) {
	for id, want := range map[checkpoint.OperatorID]bool{
		"a": true, "9-x_y": true, checkpoint.OperatorID(strings.Repeat("a", 64)): true,
		"": false, "-a": false, "A": false, "a/b": false, "a.b": false, "ä": false, checkpoint.OperatorID(strings.Repeat("a", 65)): false,
	} {
		if checkpoint.ValidOperatorID(id) != want {
			t.Errorf("ValidOperatorID(%q) is %v", id, !want)
		}
	}
}
