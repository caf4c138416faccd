package coordinator

import (
	"errors"
	"slices"
	"time"

	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// machine makes every decision of a coordinator. It does no I/O, reads no
// clock and starts no goroutine: step tells it what happened and when, and
// returns what to do, in order.
type machine struct {
	*settings
	phase phase
	why   error // it stopped
	lead  leading
	head  Head // as this leader last wrote or read it
	etag  string
	next  checkpoint.ID // the next free id
	edits uint64        // of head that this process made

	attempt attempt
	// base is what a checkpoint may build on: the newest that this epoch
	// committed, or else the one that the attempt was restored from.
	base    base
	lineage bool // this epoch committed a checkpoint, so base follows from it

	pending []pending // by rising id
	commit  commit
	writes  int             // manifests that are being written
	aborts  []checkpoint.ID // those of this epoch that were aborted; at most maxAborts

	wanted      bool // somebody asked for a checkpoint
	last        last
	over        error         // the job was stopped on purpose: no attempt begins any more
	failures    int           // in a row
	late        int           // of them: timeouts
	refusals    int           // the last of them, in a row, that the store refused
	patience    time.Duration // how long the next checkpoint may be pending, if that is more than timeout
	records     int64         // read since the last trigger
	lastTrigger time.Time
	lastEnd     time.Time

	sound   bool      // what was restored was readable, so that a sweep may delete
	sweepAt time.Time // when the next sweep is due
	closing bool
	alarms  []alarm

	out []action
}

// ErrClosed: the coordinator was closed.
var ErrClosed = errors.New("coordinator is closed")

// phase is whether a machine leads.
type phase uint8

const (
	idle    phase = iota
	opening       // it tries to lead
	leads
	stopped // it leads no more
)

// settings never change.
type settings struct {
	job, writer, nonce string
	leader             string // the address of its API; empty: none
	graph              checkpoint.Graph
	pace
	timeout   time.Duration
	tolerable int             // negative: any number
	policy    RetentionPolicy // of a head that has none
	restore   Restore
	drop      []checkpoint.Drop
	resume    bool // remove what head says of a stop
	rules     rules
}

func (m *machine) do(a ...action) { m.out = append(m.out, a...) }

// refusal says why nothing may begin, nil where it may.
func (m *machine) refusal() error {
	switch {
	case m.closing:
		return ErrClosed
	case m.phase != leads:
		return m.why
	}
	return m.over
}

// find returns the pending checkpoint with the id.
func (m *machine) find(id checkpoint.ID) (*pending, bool) {
	i := slices.IndexFunc(m.pending, func(p pending) bool { return p.ID == id })
	if i < 0 {
		return nil, false
	}
	return &m.pending[i], true
}

// leading is the attempt to become the leader.
type leading struct {
	tries   int
	sent    Head     // the head that was written last
	found   headRead // the head that is being inspected
	checked Ref      // a checkpoint that fits the job
	fits    string   // the fingerprint of a graph whose checkpoints all fit the job
	failed  Ref      // the checkpoint whose manifest could not be read
	denied  error    // the store denied the write
	cleared *Stopped // what head said of a stop
}

// attempt is the execution of the job that is under way.
type attempt struct {
	stage    attemptStage
	number   checkpoint.Attempt
	graph    checkpoint.Graph
	from     Ref                                               // what is being restored
	subtasks map[checkpoint.SubtaskID]int                      // their indexes in pending.acks; never changed
	chains   map[checkpoint.OperatorID][]checkpoint.OperatorID // the operators of each vertex; never changed
	started  time.Time
	failing  bool // it was told to fail
}

type attemptStage uint8

const (
	noAttempt attemptStage = iota
	waiting                // for a commit in doubt to be resolved
	restoring              // the manifest is being read
	ready                  // not started yet
	running
)

// base is a committed checkpoint and what it reaches. The zero base is none.
type base struct {
	Ref
	objects map[string]incremental.Object // never changed in place
}

// pending is a checkpoint under way.
type pending struct {
	Ref
	kind      checkpoint.Kind
	trigger   history.Trigger
	stop      bool // it is the last before the job is stopped
	base      base
	triggered time.Time
	deadline  time.Time
	state     State
	attempt   checkpoint.Attempt
	acks      []*checkpoint.Ack // by subtask; nil: missing
	missing   int
	parts     []history.Part    // of the subtasks that acknowledged, in that order; only appended to
	stats     incremental.Stats // once assembled
}

// commit is the one commit under way. Only one swap of head is ever
// unresolved, so that what head may hold is always one of two things.
type commit struct {
	stage    commitStage
	ref      Ref
	manifest *incremental.Manifest
	written  incremental.Written
	next     Head      // as it was or will be sent
	sends    int       // how many swaps were sent that may yet be applied
	denied   bool      // the only one was denied
	since    time.Time // the outcome is in doubt; zero: it is not
	cause    error     // why
	tries    int       // how often it stayed so
	again    time.Time
}

type commitStage uint8

const (
	noCommit commitStage = iota
	writing              // the manifest
	swapping             // head, to include the checkpoint
	looking              // at head, since the outcome is in doubt
	resting              // before looking again
)

// sent reports whether the swap that commits id was sent: nothing but head can
// end it then.
func (c commit) sent(id checkpoint.ID) bool { return c.ref.ID == id && c.inDoubt() }

// inDoubt reports whether there is a swap that may or may not win.
func (c commit) inDoubt() bool { return c.stage > writing }

// alarm is one that goes on, or that is raised when it is due.
type alarm struct {
	Alarm
	due  time.Time
	told bool
}
