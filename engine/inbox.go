package engine

import (
	"sync"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// inbox is where records reach a subtask. Senders on all hosts of the process find it
// by the subtask's name, and the first user makes it.
type inbox struct {
	wake chan struct{} // the subtask's: something is there
	gate any           // *gate[K, T]; nil: the subtask has no input
}

// inboxes are those of one execution. Batches pass between hosts by reference.
type inboxes struct {
	mu    sync.Mutex
	all   map[checkpoint.SubtaskID]*inbox
	users int // hosts; guarded by links.mu
}

// of returns a subtask's inbox.
func (x *inboxes) of(id checkpoint.SubtaskID) *inbox {
	x.mu.Lock()
	defer x.mu.Unlock()
	in := x.all[id]
	if in == nil {
		in = &inbox{wake: make(chan struct{}, 1)}
		x.all[id] = in
	}
	return in
}

// gateOf returns the input gate of a subtask.
func gateOf[K comparable, T any](x *inboxes, id checkpoint.SubtaskID, make func(wake chan<- struct{}) *gate[K, T]) *gate[K, T] {
	in := x.of(id)
	x.mu.Lock()
	defer x.mu.Unlock()
	if in.gate == nil {
		in.gate = make(in.wake)
	}
	return in.gate.(*gate[K, T])
}

// links joins the hosts of one process. No execution reaches another's inboxes.
type links struct {
	mu         sync.Mutex
	executions map[checkpoint.Execution]*inboxes
}

// join returns the inboxes of an execution; each join is followed by a leave.
func (l *links) join(x checkpoint.Execution) *inboxes {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.executions == nil {
		l.executions = map[checkpoint.Execution]*inboxes{}
	}
	in := l.executions[x]
	if in == nil {
		in = &inboxes{all: map[checkpoint.SubtaskID]*inbox{}}
		l.executions[x] = in
	}
	in.users++
	return in
}

// leave forgets an execution when its last host has left.
func (l *links) leave(x checkpoint.Execution) {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := l.executions[x]
	if in.users--; in.users == 0 {
		delete(l.executions, x)
	}
}
