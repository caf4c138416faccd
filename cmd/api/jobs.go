package api

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
)

// FlinkVersion is the release of Flink whose shapes the answers have.
const FlinkVersion = "2.3.0"

// JobState is the state of a job or a task, by Flink's names.
type JobState string

// The states that a job here can be in.
const (
	Initializing JobState = "INITIALIZING" // no attempt has begun
	Running      JobState = "RUNNING"
	Restarting   JobState = "RESTARTING" // an attempt failed, and the next is due
	Cancelling   JobState = "CANCELLING"
	Canceled     JobState = "CANCELED" // by the API, or by a signal
	Finished     JobState = "FINISHED" // its input has ended, or it was stopped
	Failed       JobState = "FAILED"
)

var jobStates = []JobState{Initializing, "CREATED", Running, "FAILING", Failed, Cancelling, Canceled, Finished, Restarting, "SUSPENDED", "RECONCILING"}

var taskStates = []JobState{"CREATED", "SCHEDULED", "DEPLOYING", Running, Finished, "CANCELING", Canceled, Failed, "RECONCILING", Initializing}

// Overview counts jobs.
type Overview struct {
	TaskManagers   int    `json:"taskmanagers"`
	SlotsTotal     int    `json:"slots-total"`
	SlotsAvailable int    `json:"slots-available"`
	Running        int    `json:"jobs-running"`
	Finished       int    `json:"jobs-finished"`
	Cancelled      int    `json:"jobs-cancelled"`
	Failed         int    `json:"jobs-failed"`
	FlinkVersion   string `json:"flink-version" doc:"the release of Flink whose shapes the answers have"`
	FlinkCommit    string `json:"flink-commit" doc:"empty"`
}

// Dashboard is what Flink's dashboard asks first.
type Dashboard struct {
	RefreshMS      int64    `json:"refresh-interval" doc:"milliseconds"`
	Timezone       string   `json:"timezone-name"`
	TimezoneOffset int      `json:"timezone-offset" doc:"milliseconds"`
	FlinkVersion   string   `json:"flink-version" doc:"the release of Flink whose shapes the answers have"`
	FlinkRevision  string   `json:"flink-revision" doc:"empty"`
	Features       Features `json:"features"`
	Tidemark       struct {
		Version string `json:"version"`
	} `json:"tidemark"`
}

// Features are what the server can do of what Flink's can.
type Features struct {
	Submit  bool `json:"web-submit"`
	Cancel  bool `json:"web-cancel"`
	Rescale bool `json:"web-rescale"`
	History bool `json:"web-history"`
}

// Jobs lists jobs.
type Jobs struct {
	Jobs []JobStatus `json:"jobs"`
}

// JobStatus is a job and its state.
type JobStatus struct {
	ID     string   `json:"id" doc:"the job's id in the store"`
	Status JobState `json:"status"`
}

// JobsOverview lists jobs with times and tasks.
type JobsOverview struct {
	Jobs []JobOverview `json:"jobs"`
}

// JobOverview is a job in a list. Times are milliseconds since 1970.
type JobOverview struct {
	ID               string         `json:"jid"`
	Name             string         `json:"name"`
	State            JobState       `json:"state"`
	StartTime        int64          `json:"start-time"`
	EndTime          int64          `json:"end-time" doc:"-1: it has not ended"`
	Duration         int64          `json:"duration"`
	LastModification int64          `json:"last-modification"`
	Tasks            map[string]int `json:"tasks" doc:"subtasks by state, in lower case, and their total"`
}

// JobDetails describes a job. Times are milliseconds, or milliseconds since 1970.
type JobDetails struct {
	ID             string             `json:"jid"`
	Name           string             `json:"name"`
	IsStoppable    bool               `json:"isStoppable" doc:"false: it is stopped with a checkpoint, by POST …/stop"`
	State          JobState           `json:"state"`
	Type           string             `json:"job-type"`
	StartTime      int64              `json:"start-time"`
	EndTime        int64              `json:"end-time" doc:"-1: it has not ended"`
	Duration       int64              `json:"duration"`
	MaxParallelism int                `json:"maxParallelism"`
	Now            int64              `json:"now"`
	Timestamps     map[JobState]int64 `json:"timestamps" doc:"when the job last came to a state; 0: never"`
	Vertices       []Vertex           `json:"vertices"`
	StatusCounts   map[JobState]int   `json:"status-counts" doc:"vertices by state"`
	Plan           Plan               `json:"plan"`
	Tidemark       JobExtra           `json:"tidemark"`
}

// JobExtra is what Flink does not tell of a job.
type JobExtra struct {
	Attempt          int     `json:"attempt" doc:"1 is the first of this process"`
	Records          int64   `json:"records" doc:"that the sources have read since the job began"`
	Malformed        int64   `json:"malformed" doc:"records that the sources skipped"`
	Written          int64   `json:"written" doc:"records that the sinks have taken since the job began"`
	Store            string  `json:"store" doc:"where checkpoints lie; empty: they are off"`
	Epoch            uint64  `json:"epoch" doc:"of the leader; 0: checkpoints are off"`
	Leads            bool    `json:"leads"`
	NewestCheckpoint uint64  `json:"newest_checkpoint" doc:"0: none"`
	InDoubtSince     int64   `json:"commit_in_doubt_since" doc:"milliseconds since 1970; 0: no commit is in doubt"`
	Alarms           []Alarm `json:"alarms"`
}

// Alarm is something that a person must look into.
type Alarm struct {
	Code  string `json:"code"`
	Text  string `json:"text"`
	Since int64  `json:"since" doc:"milliseconds since 1970"`
}

// Vertex is a chain of operators that share subtasks.
type Vertex struct {
	ID             string           `json:"id" doc:"the id of the chain's first operator"`
	Name           string           `json:"name"`
	MaxParallelism int              `json:"maxParallelism"`
	Parallelism    int              `json:"parallelism"`
	Status         JobState         `json:"status"`
	StartTime      int64            `json:"start-time"`
	EndTime        int64            `json:"end-time"`
	Duration       int64            `json:"duration"`
	Tasks          map[JobState]int `json:"tasks" doc:"subtasks by state"`
	Metrics        VertexMetrics    `json:"metrics"`
	Tidemark       VertexExtra      `json:"tidemark"`
}

// VertexExtra is what Flink does not tell of a vertex.
type VertexExtra struct {
	Operators []OperatorInfo `json:"operators"`
}

// OperatorInfo is an operator of a vertex.
type OperatorInfo struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
	In   int64  `json:"in" doc:"records since the attempt began"`
	Out  int64  `json:"out" doc:"records since the attempt began"`
}

// VertexMetrics sums up a vertex's subtasks since the attempt began.
type VertexMetrics struct {
	ReadBytes            int64 `json:"read-bytes" doc:"0: not measured, as read-bytes-complete says"`
	ReadBytesComplete    bool  `json:"read-bytes-complete"`
	WriteBytes           int64 `json:"write-bytes" doc:"0: not measured, as write-bytes-complete says"`
	WriteBytesComplete   bool  `json:"write-bytes-complete"`
	ReadRecords          int64 `json:"read-records"`
	ReadRecordsComplete  bool  `json:"read-records-complete"`
	WriteRecords         int64 `json:"write-records"`
	WriteRecordsComplete bool  `json:"write-records-complete"`
	BackpressuredMS      int64 `json:"accumulated-backpressured-time" doc:"milliseconds that subtasks waited for room in queues"`
	IdleMS               int64 `json:"accumulated-idle-time" doc:"milliseconds that subtasks waited for records"`
	BusyMS               int64 `json:"accumulated-busy-time" doc:"the rest of their milliseconds"`
}

// Plan is a job's graph of vertices.
type Plan struct {
	ID    string     `json:"jid"`
	Name  string     `json:"name"`
	Type  string     `json:"type"`
	Nodes []PlanNode `json:"nodes"`
}

// PlanNode is a vertex of a plan.
type PlanNode struct {
	ID          string         `json:"id"`
	Parallelism int            `json:"parallelism"`
	Operator    string         `json:"operator"`
	Strategy    string         `json:"operator_strategy"`
	Description string         `json:"description"`
	Inputs      []PlanInput    `json:"inputs"`
	Optimizer   map[string]any `json:"optimizer_properties"`
}

// PlanInput is an edge of a plan.
type PlanInput struct {
	Num      int    `json:"num"`
	ID       string `json:"id"`
	Ship     string `json:"ship_strategy"`
	Exchange string `json:"exchange"`
}

// state is the state of the job, and since when.
func (s *Server) state(m engine.MetricsSnapshot) (JobState, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.mu.ended != "":
		return s.mu.ended, s.mu.at
	case s.mu.cancelling:
		return Cancelling, s.mu.at
	case m.Attempts == 0:
		return Initializing, s.job.Started
	case !m.Failed.IsZero():
		return Restarting, m.Failed
	}
	return Running, m.Began
}

// Ended tells how the job ended, for whoever still asks.
func (s *Server) Ended(state JobState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.ended, s.mu.at = state, time.Now()
}

func (s *Server) overview(*http.Request) (any, error) {
	o := Overview{TaskManagers: 1, FlinkVersion: FlinkVersion}
	for _, op := range s.job.Graph.Operators {
		o.SlotsTotal = max(o.SlotsTotal, op.Parallelism)
	}
	switch state, _ := s.state(s.job.Metrics.Snapshot()); state {
	case Finished:
		o.Finished++
	case Canceled:
		o.Cancelled++
	case Failed:
		o.Failed++
	default:
		o.Running++
	}
	return o, nil
}

func (s *Server) dashboard(*http.Request) (any, error) {
	zone, offset := time.Now().Zone()
	d := Dashboard{RefreshMS: 3000, Timezone: zone, TimezoneOffset: offset * 1000, FlinkVersion: FlinkVersion, Features: Features{Cancel: true}}
	d.Tidemark.Version = s.job.Version
	return d, nil
}

func (s *Server) document(*http.Request) (any, error) { return json.RawMessage(openAPI), nil }

func (s *Server) jobs(*http.Request) (any, error) {
	state, _ := s.state(s.job.Metrics.Snapshot())
	return Jobs{[]JobStatus{{s.job.ID, state}}}, nil
}

func (s *Server) jobsOverview(*http.Request) (any, error) {
	d := s.describe(time.Now())
	o := JobOverview{
		ID: d.ID, Name: d.Name, State: d.State, StartTime: d.StartTime, EndTime: d.EndTime, Duration: d.Duration,
		LastModification: d.Timestamps[d.State], Tasks: map[string]int{},
	}
	for _, state := range taskStates {
		for _, v := range d.Vertices {
			o.Tasks[strings.ToLower(string(state))] += v.Tasks[state]
			o.Tasks["total"] += v.Tasks[state]
		}
	}
	return JobsOverview{[]JobOverview{o}}, nil
}

func (s *Server) details(*http.Request) (any, error) { return s.describe(time.Now()), nil }

// describe makes the details of the job.
func (s *Server) describe(now time.Time) JobDetails {
	m := s.job.Metrics.Snapshot()
	state, since := s.state(m)
	end := int64(-1)
	if state == Finished || state == Canceled || state == Failed {
		now, end = since, milliseconds(since)
	}
	g := s.job.Graph
	d := JobDetails{
		ID: s.job.ID, Name: cmp.Or(g.Name, s.job.ID), State: state, Type: "STREAMING", StartTime: milliseconds(s.job.Started), EndTime: end,
		Duration: now.Sub(s.job.Started).Milliseconds(), MaxParallelism: g.MaxParallelism, Now: milliseconds(now),
		Timestamps: map[JobState]int64{}, StatusCounts: map[JobState]int{},
		Plan: plan(s.job.ID, g), Tidemark: JobExtra{
			Attempt: m.Attempts, Records: m.SourceRecords, Malformed: m.Malformed, Written: m.SinkRecords, Store: s.place(), Alarms: []Alarm{},
		},
	}
	for _, t := range jobStates {
		d.Timestamps[t] = 0
	}
	d.Timestamps[Initializing] = d.StartTime
	if m.Attempts > 0 {
		d.Timestamps[Running] = milliseconds(m.Began)
	}
	d.Timestamps[state] = milliseconds(since)
	for _, t := range taskStates {
		d.StatusCounts[t] = 0
	}
	for _, v := range vertices(g) {
		vertex := describeVertex(v, g, m)
		vertex.Status = taskState(state)
		vertex.StartTime, vertex.EndTime, vertex.Duration = -1, end, -1
		if m.Attempts > 0 {
			vertex.StartTime, vertex.Duration = milliseconds(m.Began), now.Sub(m.Began).Milliseconds()
		}
		for _, t := range taskStates {
			vertex.Tasks[t] = 0
		}
		vertex.Tasks[vertex.Status] = vertex.Parallelism
		d.StatusCounts[vertex.Status]++
		d.Vertices = append(d.Vertices, vertex)
	}
	if s.job.Coordinator != nil {
		d.Tidemark.lead(s.job.Coordinator.Status())
	}
	return d
}

// lead adds what the coordinator knows.
func (x *JobExtra) lead(st coordinator.Status) {
	x.Epoch, x.Leads = uint64(st.Epoch), st.Leads
	x.NewestCheckpoint = uint64(st.Newest())
	for _, p := range st.Pending {
		if !p.InDoubtSince.IsZero() {
			x.InDoubtSince = milliseconds(p.InDoubtSince)
		}
	}
	for _, a := range st.Alarms {
		x.Alarms = append(x.Alarms, Alarm{string(a.Code), a.Text, milliseconds(a.Since)})
	}
}

// taskState is the state of the subtasks of a job.
func taskState(s JobState) JobState {
	switch s {
	case Initializing, Restarting:
		return "CREATED"
	case Cancelling:
		return "CANCELING"
	}
	return s
}

// vertices returns the operators of each vertex, in the order of the graph.
func vertices(g checkpoint.Graph) (all [][]checkpoint.GraphOperator) {
	chains := g.Vertices()
	for _, o := range g.Operators {
		var chain []checkpoint.GraphOperator
		for _, id := range chains[o.ID] {
			op, _ := g.Operator(id)
			chain = append(chain, op)
		}
		if chain != nil {
			all = append(all, chain)
		}
	}
	return all
}

func describeVertex(chain []checkpoint.GraphOperator, g checkpoint.Graph, m engine.MetricsSnapshot) Vertex {
	first, last := chain[0], chain[len(chain)-1]
	v := Vertex{
		ID: string(first.ID), Name: names(chain), MaxParallelism: g.MaxParallelism, Parallelism: first.Parallelism, Tasks: map[JobState]int{},
		Metrics: VertexMetrics{
			ReadRecords: m.Operators[first.ID].In, ReadRecordsComplete: true, WriteRecords: m.Operators[last.ID].Out, WriteRecordsComplete: true,
		},
	}
	for i := range first.Parallelism {
		sub := m.Subtasks[checkpoint.SubtaskID{Vertex: first.ID, Index: i}]
		v.Metrics.BackpressuredMS += sub.Blocked.Milliseconds()
		v.Metrics.IdleMS += sub.Idle.Milliseconds()
		v.Metrics.BusyMS += sub.Busy.Milliseconds()
	}
	for _, o := range chain {
		x := m.Operators[o.ID]
		v.Tidemark.Operators = append(v.Tidemark.Operators, OperatorInfo{string(o.ID), cmp.Or(o.Name, string(o.ID)), o.Type, x.In, x.Out})
	}
	return v
}

// names joins the names of a chain, as Flink does.
func names(chain []checkpoint.GraphOperator) string {
	var all []string
	for _, o := range chain {
		all = append(all, cmp.Or(o.Name, string(o.ID)))
	}
	return strings.Join(all, " -> ")
}

var shipStrategies = map[checkpoint.Exchange]string{
	checkpoint.Forward: "FORWARD", checkpoint.Rebalance: "REBALANCE", checkpoint.ToAll: "BROADCAST", checkpoint.HashBy: "HASH",
}

func plan(id string, g checkpoint.Graph) Plan {
	p := Plan{ID: id, Name: cmp.Or(g.Name, id), Type: "STREAMING", Nodes: []PlanNode{}}
	vertexOf := map[checkpoint.OperatorID]string{}
	for _, chain := range vertices(g) {
		for _, o := range chain {
			vertexOf[o.ID] = string(chain[0].ID)
		}
		n := PlanNode{ID: string(chain[0].ID), Parallelism: chain[0].Parallelism, Description: names(chain), Inputs: []PlanInput{}, Optimizer: map[string]any{}}
		for i, in := range chain[0].Inputs {
			n.Inputs = append(n.Inputs, PlanInput{i, vertexOf[in.From], shipStrategies[in.Exchange], "pipelined_bounded"})
		}
		p.Nodes = append(p.Nodes, n)
	}
	return p
}

// milliseconds since 1970; 0 for no time.
func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
