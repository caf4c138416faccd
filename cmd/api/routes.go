package api

import (
	"net/http"
	"strings"

	_ "embed"
)

// route is a path of the API. openapi.json is made of these.
type route struct {
	method, path string
	scope        Scope
	summary      string
	query        []param
	body, answer any  // values of the types; nil: none
	accepted     bool // 202: what was asked for goes on
	store        bool // it asks the store
	handle       func(*Server, *http.Request) (any, error)
}

// param is a parameter of a query.
type param struct {
	name, about string
	required    bool
}

func (r route) status() int {
	if r.accepted {
		return http.StatusAccepted
	}
	return http.StatusOK
}

// pattern is the path as http.ServeMux takes it: of two patterns one must be the more
// specific.
func (r route) pattern() string {
	return strings.Replace(r.path, "/{checkpoint}/explain", "/{checkpoint}/{explain}", 1)
}

// routes are all paths, but those of profiles and metrics.
func routes() []route {
	return []route{
		{method: "GET", path: "/overview", scope: Read, summary: "Count jobs by state", answer: Overview{}, handle: (*Server).overview},
		{method: "GET", path: "/config", scope: Read, summary: "Describe the server, as Flink's dashboard asks", answer: Dashboard{}, handle: (*Server).dashboard},
		{method: "GET", path: "/openapi.json", scope: Read, summary: "This document", answer: map[string]any{}, handle: (*Server).document},
		{method: "GET", path: "/jobs", scope: Read, summary: "List the jobs", answer: Jobs{}, handle: (*Server).jobs},
		{method: "GET", path: "/jobs/overview", scope: Read, summary: "List the jobs with times and tasks", answer: JobsOverview{}, handle: (*Server).jobsOverview},
		{method: "GET", path: "/jobs/{job}", scope: Read, summary: "Describe a job", answer: JobDetails{}, handle: (*Server).details},
		{method: "GET", path: "/jobs/{job}/head", scope: Read, summary: "The job's head, read from the store", answer: map[string]any{}, store: true, handle: (*Server).head},
		{method: "GET", path: "/jobs/{job}/checkpoints", scope: Read, summary: "Count and list checkpoints, newest first", answer: CheckpointStatistics{}, handle: (*Server).checkpoints},
		{method: "GET", path: "/jobs/{job}/checkpoints/config", scope: Read, summary: "How checkpoints are taken", answer: CheckpointConfig{}, handle: (*Server).checkpointConfig},
		{method: "GET", path: "/jobs/{job}/checkpoints/details/{checkpoint}", scope: Read, summary: "Describe a checkpoint, vertex by vertex", answer: Checkpoint{}, handle: (*Server).checkpointDetails},
		{method: "GET", path: "/jobs/{job}/checkpoints/details/{checkpoint}/subtasks/{vertex}", scope: Read, summary: "Describe a vertex's part in a checkpoint, subtask by subtask", answer: VertexCheckpoint{}, handle: (*Server).vertexCheckpoint},
		{method: "POST", path: "/jobs/{job}/checkpoints", scope: Operate, summary: "Take a checkpoint now", body: CheckpointRequest{}, answer: Triggered{}, accepted: true, handle: (*Server).triggerCheckpoint},
		{method: "GET", path: "/jobs/{job}/checkpoints/{request}", scope: Read, summary: "What became of a checkpoint that was asked for", answer: TriggerStatus[CheckpointOutcome]{}, handle: (*Server).checkpointStatus},
		{method: "GET", path: "/jobs/{job}/checkpoints/{checkpoint}/explain", scope: Read, summary: "What a retained checkpoint consists of, and what would go with it", answer: ExplainedCheckpoint{}, store: true, handle: (*Server).explainCheckpoint},
		{method: "GET", path: "/jobs/{job}/retention", scope: Read, summary: "The job's retention, and what it keeps and drops", answer: Edited{}, store: true, handle: (*Server).retention},
		{method: "PUT", path: "/jobs/{job}/retention", scope: Operate, summary: "Change the job's retention", body: RetentionRequest{}, answer: Edited{}, store: true, handle: (*Server).setRetention},
		{method: "POST", path: "/jobs/{job}/stop", scope: Operate, summary: "End the job behind a last checkpoint, which is pinned under the request id", body: StopRequest{}, answer: Triggered{}, accepted: true, handle: (*Server).stop},
		{method: "GET", path: "/jobs/{job}/savepoints/{request}", scope: Read, summary: "What became of a stop", answer: TriggerStatus[StopOutcome]{}, handle: (*Server).stopStatus},
		{method: "PATCH", path: "/jobs/{job}", scope: Operate, summary: "Cancel the job: end it without a checkpoint", query: []param{{"mode", "cancel, which is also meant if it is missing", false}}, answer: struct{}{}, accepted: true, handle: (*Server).cancel},
		{method: "GET", path: "/objects/explain", scope: Read, summary: "What an object is for: who needs it, and when it goes", query: []param{{"name", "the object's name, with or without the job's place", true}}, answer: Explained{}, store: true, handle: (*Server).explainObject},
	}
}

//go:embed openapi.json
var openAPI []byte
