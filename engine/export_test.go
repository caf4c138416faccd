package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/deploy"
)

// Fleet is hosts in one process, to which commands and reports travel as bytes
// and with faults: each may come twice; those of dead executions come again, at
// any time and in any order; hosts are lost, go on unseen, and are replaced.
type Fleet struct {
	Hosts int           // each with one slot
	Lose  time.Duration // a host is lost about so often; zero: never

	t                   testing.TB
	ctx                 context.Context
	driver              *driver
	links               links
	handles             handleTable
	done                chan struct{}
	running, disturbing sync.WaitGroup

	mu      sync.Mutex
	rng     *rand.Rand
	hosts   map[deploy.WorkerID]*member // those that the driver sees
	all     []*member
	reports []deploy.Report // to come again
	Lost    int             // hosts
	Late    int             // commands of dead executions that were delivered
}

// member is a host and the way to it.
type member struct {
	*host
	incarnation uint64
	inbox       chan posted
	sent        []posted // all that was posted to it
}

type posted struct {
	x checkpoint.Execution
	c deploy.Command
}

// Run runs a job on a fleet.
func (f *Fleet) Run(t testing.TB, seed uint64, j *Job, cfg Config) (Result, error) {
	f.t, f.rng, f.hosts = t, rand.New(rand.NewPCG(seed, 0)), map[deploy.WorkerID]*member{}
	return run(t.Context(), j, cfg, func(ctx context.Context, d *driver) func() {
		f.ctx, f.driver, f.done = ctx, d, make(chan struct{})
		d.fleet = f
		f.fill()
		f.disturbing.Go(f.disturb)
		return f.close
	})
}

// fill adds hosts until there are enough. One may replace another of its id.
func (f *Fleet) fill() {
	for len(f.hosts) < f.Hosts {
		f.join()
	}
}

// join adds a host.
func (f *Fleet) join() {
	id := deploy.WorkerID(fmt.Sprintf("host-%d", len(f.all)%(f.Hosts+1)))
	m := &member{incarnation: uint64(len(f.all)) + 1, inbox: make(chan posted, 1<<16)}
	m.host = newHost(f.ctx, id, f.driver.job, f.driver.cfg, &f.links, func(r deploy.Report) { f.report(m, r) })
	f.mu.Lock()
	f.hosts[id], f.all = m, append(f.all, m)
	f.mu.Unlock()
	f.running.Go(func() {
		for p := range m.inbox {
			m.command(p.x, p.c)
		}
	})
	f.driver.tell(deploy.Joined{Worker: deploy.Worker{ID: id, Incarnation: m.incarnation, Slots: 1}})
}

// post implements fleet.
func (f *Fleet) post(to deploy.WorkerID, x checkpoint.Execution, c deploy.Command) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.hosts[to]
	if m == nil {
		return
	}
	p := posted{x, throughBytes(f.t, &f.handles, c)}
	m.sent = append(m.sent, p)
	m.inbox <- p
	if f.rng.IntN(4) == 0 {
		m.inbox <- p
	}
}

// report passes on what a host says; of one that is lost, acknowledgements only,
// as if they had been on their way.
func (f *Fleet) report(m *member, r deploy.Report) {
	r.Event = throughBytes(f.t, &f.handles, r.Event)
	f.mu.Lock()
	seen := f.hosts[m.worker] == m
	again := f.rng.IntN(4) == 0
	if len(f.reports) < 1000 {
		f.reports = append(f.reports, r)
	}
	f.mu.Unlock()
	switch r.Event.(type) {
	case deploy.Acked, deploy.Declined:
		seen = true
	}
	if seen {
		f.driver.report(r)
		if again {
			f.driver.report(r)
		}
	}
}

// disturb loses hosts, and delivers again what belongs to dead executions.
func (f *Fleet) disturb() {
	for {
		select {
		case <-f.done:
			return
		case <-time.After(50 * time.Microsecond):
		}
		f.mu.Lock()
		if m := f.all[f.rng.IntN(len(f.all))]; len(m.sent) > 0 {
			newest := m.sent[len(m.sent)-1].x
			if p := m.sent[f.rng.IntN(len(m.sent))]; p.x != newest || f.hosts[m.worker] != m {
				m.inbox <- p
				f.Late++
			}
		}
		var late deploy.Report
		if len(f.reports) > 0 {
			late = f.reports[f.rng.IntN(len(f.reports))]
		}
		lose := f.Lose > 0 && f.rng.Int64N(int64(f.Lose)) < int64(50*time.Microsecond)
		var lost deploy.Lost
		toldLate := f.rng.IntN(2) == 0 // after another has taken its place
		if lose {
			ids := slices.Sorted(maps.Keys(f.hosts))
			lost.Worker = ids[f.rng.IntN(len(ids))]
			lost.Incarnation = f.hosts[lost.Worker].incarnation
			delete(f.hosts, lost.Worker)
			f.Lost++
		}
		f.mu.Unlock()
		if late.Event != nil {
			f.driver.report(late)
		}
		if lose {
			if !toldLate {
				f.driver.tell(lost)
			}
			f.fill()
			if toldLate {
				f.driver.tell(lost)
			}
		}
	}
}

// close ends all hosts, those that were lost too.
func (f *Fleet) close() {
	close(f.done)
	f.disturbing.Wait()
	for _, m := range f.all {
		m.host.close()
	}
	f.mu.Lock()
	f.hosts = nil
	for _, m := range f.all {
		close(m.inbox)
	}
	f.mu.Unlock()
	f.running.Wait()
	for _, m := range f.all {
		m.host.close() // what a late command began
	}
	if n := len(f.links.executions); n != 0 {
		f.t.Errorf("the inboxes of %d executions are left", n)
	}
}

// handleTable is a deploy.HandleCodec of handles that live in memory.
type handleTable struct {
	mu  sync.Mutex
	all []checkpoint.StateHandle
}

var _ deploy.HandleCodec = (*handleTable)(nil)

func (h *handleTable) EncodeHandle(s checkpoint.StateHandle) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, s)
	return fmt.Appendf(nil, "%d", len(h.all)-1), nil
}

func (h *handleTable) DecodeHandle(b []byte) (checkpoint.StateHandle, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var i int
	_, err := fmt.Sscan(string(b), &i)
	return h.all[i], err
}

// throughBytes encodes a command or an event and returns what is decoded.
func throughBytes[M any](t testing.TB, codec deploy.HandleCodec, m M) M {
	bare, handles := withoutHandles(any(m))
	body, err := json.Marshal(bare)
	if err != nil {
		t.Fatalf("encode %T: %v", m, err)
	}
	v := reflect.New(reflect.TypeOf(m))
	if err := json.Unmarshal(body, v.Interface()); err != nil {
		t.Fatalf("decode %T: %v", m, err)
	}
	for i, h := range handles {
		b, err := codec.EncodeHandle(h)
		if err != nil {
			t.Fatal(err)
		}
		if handles[i], err = codec.DecodeHandle(b); err != nil {
			t.Fatal(err)
		}
	}
	return withHandles(v.Elem().Interface(), handles).(M)
}

// withoutHandles returns a copy of a message without its handles, and them.
func withoutHandles(m any) (any, []checkpoint.StateHandle) {
	var handles []checkpoint.StateHandle
	switch m := m.(type) {
	case deploy.Deployment:
		m.Subtasks = append([]deploy.Subtask(nil), m.Subtasks...)
		for i := range m.Subtasks {
			s := &m.Subtasks[i]
			s.Operators = append([]deploy.Operator(nil), s.Operators...)
			for j := range s.Operators {
				o := &s.Operators[j]
				handles = append(handles, o.Handles...)
				o.Handles = make([]checkpoint.StateHandle, len(o.Handles))
			}
		}
		return m, handles
	case deploy.Acked:
		m.Ack.Operators = append([]checkpoint.OperatorSnapshot(nil), m.Ack.Operators...)
		for i := range m.Ack.Operators {
			o := &m.Ack.Operators[i]
			handles, o.Keyed = append(handles, o.Keyed), nil
		}
		return m, handles
	}
	return m, nil
}

// withHandles puts handles into a message that has none.
func withHandles(m any, handles []checkpoint.StateHandle) any {
	switch m := m.(type) {
	case deploy.Deployment:
		for i := range m.Subtasks {
			for j := range m.Subtasks[i].Operators {
				handles = handles[copy(m.Subtasks[i].Operators[j].Handles, handles):]
			}
		}
		return m
	case deploy.Acked:
		for i := range m.Ack.Operators {
			m.Ack.Operators[i].Keyed, handles = handles[0], handles[1:]
		}
		return m
	}
	return m
}
