package deploy

import "github.com/tidemark/tidemark/engine/checkpoint"

// Guard decides which commands a host obeys: those of the highest execution
// that it has seen. The zero Guard has seen none.
type Guard struct {
	newest   checkpoint.Execution
	deployed bool
	over     bool // it was cancelled
}

// Verdict is what a host does with a command.
type Verdict uint8

// The verdicts.
const (
	Ignore Verdict = iota // it is of a dead execution
	Obey                  // carry it out
	Repeat                // it was carried out before: report its outcome again
)

// Admit decides about a command of an execution. superseded says that the execution is
// newer than all before: the host must first cancel the one that runs, if any.
func (g *Guard) Admit(x checkpoint.Execution, c Command) (v Verdict, superseded bool) {
	switch order := x.Compare(g.newest); {
	case order < 0:
		return Ignore, false
	case order > 0:
		superseded = true
		*g = Guard{newest: x}
	}
	switch c.(type) {
	case Cancel:
		if g.over {
			return Repeat, superseded
		}
		g.over = true
		return Obey, superseded
	case Deployment:
		switch {
		case g.over:
			return Ignore, superseded
		case g.deployed:
			return Repeat, superseded
		}
		g.deployed = true
		return Obey, superseded
	}
	if g.over || !g.deployed {
		return Ignore, superseded
	}
	return Obey, superseded
}
