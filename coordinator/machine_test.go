package coordinator

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

var update = flag.Bool("update", false, "rewrite the golden traces")

func TestGoldenTraces(t *testing.T) {
	lost := errors.New("no answer")
	one, two := Ref{ID: 1, Epoch: 1}, Ref{ID: 2, Epoch: 1}
	for name, play := range map[string]func(*director){
		"commit-and-subsume": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(time.Second, ackOf(one))
			d.tell(0, manifestWritten{ref: one})
			d.tell(0, swapped{outcome: won, etag: "e2"})
			d.tell(9*time.Second, ticked{})
			d.tell(0, ackOf(two, object(one)))
			d.tell(0, ackOf(two, object(one))) // doubled
			d.tell(0, manifestWritten{ref: two})
			d.tell(0, swapped{outcome: won, etag: "e3"})
			d.tell(0, ackOf(one)) // late
		},
		"unknown-then-sent-again": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one))
			d.tell(0, manifestWritten{ref: one})
			d.tell(0, swapped{outcome: unknown, err: lost})
			d.tell(0, headRead{head: d.m.head, etag: "e1"})
			d.tell(0, swapped{outcome: unknown, err: lost}) // this answer is lost, too
			d.tell(time.Second, ticked{})
			d.tell(0, headRead{err: lost})
			d.tell(time.Second, ticked{})
			d.tell(0, headRead{head: d.m.head, etag: "e1"})
			d.tell(0, swapped{outcome: won, etag: "e2"})
			d.tell(0, ackOf(one)) // late: revives nothing
		},
		"unknown-then-learned-late": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one))
			d.tell(0, manifestWritten{ref: one})
			d.tell(0, swapped{outcome: unknown, err: lost})
			d.tell(0, headRead{head: d.m.head, etag: "e1"})
			d.tell(0, swapped{outcome: refused, err: lost}) // the commit was first
			d.tell(time.Second, ticked{})
			d.tell(0, headRead{head: d.m.commit.next, etag: "e2"})
		},
		"fenced-by-a-newer-leader": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one))
			d.tell(0, manifestWritten{ref: one})
			d.tell(0, swapped{outcome: refused, err: lost})
			d.tell(0, headRead{head: Head{Version: 2, Epoch: 2, NextID: 2, Writer: "other"}, etag: "x"})
			d.tell(time.Minute, ticked{})
			d.tell(0, attached{testGraph, 2})
		},
		"declined-beyond-tolerance": func(d *director) {
			d.leadAndStart()
			for id := range checkpoint.ID(2) {
				d.tell(10*time.Second, ticked{})
				d.tell(0, declineOf(id+1, checkpoint.DeclinePersist, "disk full"))
			}
			d.tell(10*time.Second, ticked{})
			d.tell(time.Minute, ticked{}) // a timeout neither counts nor hides the others
			d.tell(10*time.Second, declineOf(4, checkpoint.DeclinePersist, "disk full"))
			d.tell(0, detached{})
		},
		"timed-out-again-and-again": func(d *director) {
			d.m.tolerable = 0
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			for range 7 { // 1 has one minute, 2 has two, 3 has four
				d.tell(time.Minute, ticked{})
			}
			d.tell(5*time.Minute, ackOf(Ref{ID: 4, Epoch: 1})) // 4 has eight
			d.tell(0, manifestWritten{ref: Ref{ID: 4, Epoch: 1}})
			d.tell(0, swapped{outcome: won, etag: "e2"})
			d.tell(9*time.Minute, ticked{}) // 5 has ten
			d.tell(time.Minute, ticked{})
		},
		"detached-while-committing": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one))
			d.tell(0, manifestWritten{ref: one})
			d.tell(0, detached{})
			d.tell(0, attached{testGraph, 2}) // waits: what is newest is not known
			d.tell(0, swapped{outcome: won, etag: "e2"})
			d.tell(0, manifestRead{ref: one, manifest: &incremental.Manifest{Checkpoint: 1, Epoch: 1}})
		},
		"detached-while-writing": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one))
			d.tell(0, detached{})
			d.tell(0, manifestWritten{ref: one})
		},
		"final": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, finishing{}) // waits for what is pending
			d.tell(0, declineOf(1, checkpoint.DeclinePersist, "busy"))
			d.tell(0, declineOf(2, checkpoint.DeclinePersist, "busy"))
			d.tell(time.Second, ticked{})
			d.tell(0, ackOf(Ref{ID: 3, Epoch: 1}))
			d.tell(0, manifestWritten{ref: Ref{ID: 3, Epoch: 1}})
			d.tell(0, swapped{outcome: won, etag: "e2"})
			d.tell(time.Minute, ticked{})
		},
		"final-refused": func(d *director) {
			d.m.tolerable = 10
			d.leadAndStart()
			d.tell(0, finishing{})
			d.tell(0, declineOf(1, checkpoint.DeclineRefused, "access denied"))
			d.tell(time.Second, ticked{})
			d.tell(0, declineOf(2, checkpoint.DeclinePersist, "no answer")) // begins anew
			for id := checkpoint.ID(3); id < 6; id++ {
				d.tell(10*time.Second, ticked{})
				d.tell(0, declineOf(id, checkpoint.DeclineRefused, "access denied"))
			}
			d.tell(time.Minute, ticked{})
		},
		"draining": func(d *director) {
			d.m.tolerable = 0
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, draining{})
			d.tell(0, declineOf(1, checkpoint.DeclineDraining, "the trigger came behind the end"))
			d.tell(time.Minute, ticked{}) // nothing is due until all is processed
			d.tell(0, finishing{})
		},
		"overtaken": func(d *director) {
			d.m.maxConcurrent = 2
			d.leadAndStart()
			d.tell(0, asked{})
			d.tell(0, asked{})
			d.tell(0, ackOf(two))
			d.tell(0, manifestWritten{ref: two})
			d.tell(0, swapped{outcome: won, etag: "e2"})
			d.tell(0, ackOf(one))
		},
		"foreign-object": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one, object(Ref{ID: 7, Epoch: 1})))
		},
		"closing": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one)) // its manifest is being written
			d.tell(0, asked{})
			d.tell(0, closing{})
			d.tell(0, asked{})
			d.tell(0, attached{testGraph, 2})
			d.tell(0, manifestWritten{ref: one})
			d.tell(0, attached{testGraph, 3})
			d.tell(0, closing{}) // again
			d.tell(time.Hour, ticked{})
		},
		"closing-with-a-commit-in-doubt": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one))
			d.tell(0, manifestWritten{ref: one})
			d.tell(0, swapped{outcome: unknown, err: lost})
			d.tell(0, closing{})
			d.tell(0, headRead{head: d.m.commit.next, etag: "e2"})
			d.tell(0, ackOf(one)) // late
		},
		"sweeps": func(d *director) {
			d.m.timeout = 2 * time.Hour
			d.m.maxConcurrent = 2
			d.m.interval = 0
			d.leadAndStart()
			d.tell(0, asked{})
			d.tell(time.Hour, ticked{}) // spares what is pending
			d.tell(0, asked{})
			d.tell(time.Minute, declineOf(2, checkpoint.DeclinePersist, "disk full"))
			d.tell(10*time.Minute, ticked{}) // after the abort
			d.tell(0, detached{})
			d.tell(0, attached{testGraph, 2})
			d.tell(0, started{checkpoint.Execution{Epoch: 1, Attempt: 2}, nil})
		},
		"rebased": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one))
			d.tell(0, manifestWritten{ref: one})
			d.tell(0, swapped{outcome: won, etag: "e2"})
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(two, object(one)))
			d.tell(0, manifestWritten{ref: two})
			d.tell(0, swapped{outcome: refused, err: lost})
			h := d.m.head
			h.Version, h.Pins = 3, []Pin{{Name: "release", Checkpoint: 1}}
			d.tell(0, headRead{head: h, etag: "x3"})
			d.tell(0, swapped{outcome: won, etag: "e4"})
		},
		"edited-without-a-version": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one))
			d.tell(0, manifestWritten{ref: one})
			d.tell(0, swapped{outcome: won, etag: "e2"})
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(two, object(one)))
			d.tell(0, manifestWritten{ref: two})
			d.tell(0, swapped{outcome: unknown, err: lost})
			h := d.m.head
			h.Edit, h.Pins = "tool-1", []Pin{{Name: "release", Checkpoint: 1}} // and no other version
			d.tell(0, headRead{head: h, etag: "x2"})
			d.tell(0, swapped{outcome: denied, err: errors.New("access denied")}) // the first may yet be applied, if the tool takes its edit back
			d.tell(0, headRead{head: h, etag: "x2"})
			d.tell(0, swapped{outcome: won, etag: "e4"})
		},
		"put-back": func(d *director) {
			d.leadAndStart()
			first := d.m.head
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one))
			d.tell(0, manifestWritten{ref: one})
			d.tell(0, swapped{outcome: won, etag: "e2"})
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(two, object(one)))
			d.tell(0, manifestWritten{ref: two})
			d.tell(0, swapped{outcome: refused, err: lost})
			d.tell(0, headRead{head: first, etag: "e1"}) // a copy of head from before 1
			d.tell(0, swapped{outcome: won, etag: "e3"})
		},
		"policy-beside-a-leader": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one))
			d.tell(0, manifestWritten{ref: one})
			d.tell(0, swapped{outcome: refused, err: lost})
			h := d.m.head
			h.Version, h.Policy = 2, &RetentionPolicy{Newest: 100}
			d.tell(0, headRead{head: h, etag: "x2"})
		},
		"rebased-without-its-base": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one))
			d.tell(0, manifestWritten{ref: one})
			d.tell(0, swapped{outcome: won, etag: "e2"})
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(two, object(one)))
			d.tell(0, manifestWritten{ref: two})
			d.tell(0, swapped{outcome: refused, err: lost})
			d.tell(0, headRead{head: Head{Version: 3, Epoch: 1, NextID: 2}, etag: "x3"})
			d.tell(10*time.Second, ticked{}) // the next has no base
		},
		"won-and-then-edited": func(d *director) {
			d.m.interval, d.m.maxConcurrent = 0, 2
			d.leadAndStart()
			d.tell(0, asked{})
			d.tell(0, ackOf(one))
			d.tell(0, manifestWritten{ref: one})
			d.tell(0, swapped{outcome: won, etag: "e2"})
			d.tell(0, asked{})
			d.tell(0, asked{})
			d.tell(0, ackOf(two))
			d.tell(0, manifestWritten{ref: two})
			d.tell(0, swapped{outcome: unknown, err: lost})
			h := d.m.commit.next
			h.Version, h.Retained = 4, h.Retained[1:] // a tool dropped 1, on which 3 builds
			d.tell(0, headRead{head: h, etag: "x4"})
		},
		"alarm-of-a-commit-in-doubt": func(d *director) {
			d.m.timeout = 2 * time.Hour
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one))
			d.tell(0, manifestWritten{ref: one})
			d.tell(0, swapped{outcome: unknown, err: lost})
			d.tell(30*time.Second, headRead{err: lost})
			d.tell(30*time.Second, ticked{})
			d.tell(time.Minute, headRead{err: lost})
			d.tell(9*time.Minute, ticked{}) // again
			d.tell(0, headRead{head: d.m.head, etag: "e1"})
			d.tell(0, swapped{outcome: won, etag: "e2"})
		},
		"alarms-of-deletion": func(d *director) {
			d.m.interval = 0
			d.leadAndStart()
			d.tell(0, deletion{err: lost})
			d.tell(time.Second, deletion{}) // too short for an alarm
			d.tell(time.Second, deletion{err: lost})
			d.tell(time.Minute, ticked{})
			d.tell(time.Second, deletion{})
			d.tell(time.Second, deletion{err: lost})
			d.tell(time.Second, deletion{err: errors.New("manifest is corrupt"), halted: true})
		},
		"denied": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one))
			d.tell(0, manifestWritten{ref: one})
			d.tell(0, swapped{outcome: denied, err: errors.New("access denied")})
			d.tell(0, headRead{err: lost}) // proves nothing
			d.tell(time.Second, ticked{})
			d.tell(0, headRead{head: d.m.head, etag: "e1"})
		},
		"denied-although-applied": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one))
			d.tell(0, manifestWritten{ref: one})
			d.tell(0, swapped{outcome: denied, err: errors.New("read-only file system")})
			d.tell(0, headRead{head: d.m.commit.next, etag: "e2"})
		},
		"denied-to-lead-although-applied": func(d *director) {
			d.tell(0, opened{})
			d.tell(0, headRead{absent: true})
			d.tell(0, probed{})
			d.tell(0, swapped{outcome: denied, err: upload.ErrDenied})
			d.tell(0, headRead{head: d.m.lead.sent, etag: "e1"})
		},
		"denied-to-lead": func(d *director) {
			d.tell(0, opened{})
			d.tell(0, headRead{absent: true})
			d.tell(0, probed{})
			d.tell(0, swapped{outcome: denied, err: upload.ErrDenied})
			d.tell(0, headRead{absent: true})
		},
		"denied-after-an-unknown-try": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one))
			d.tell(0, manifestWritten{ref: one})
			d.tell(0, swapped{outcome: unknown, err: lost})
			d.tell(0, headRead{head: d.m.head, etag: "e1"})
			d.tell(0, swapped{outcome: denied, err: errors.New("access denied")})
			d.tell(time.Second, ticked{})
			d.tell(0, headRead{head: d.m.commit.next, etag: "e2"}) // the first try won
		},
		"wrong-job": func(d *director) {
			d.tell(0, opened{})
			d.tell(0, headRead{head: Head{Version: 7, Epoch: 3, NextID: 2, Job: "k", Writer: "other"}, etag: "e7"})
		},
		"wrong-graph": func(d *director) {
			d.m.graph = checkpoint.Graph{MaxParallelism: 8}
			d.tell(0, opened{})
			d.tell(0, headRead{head: Head{Version: 7, Epoch: 3, NextID: 2, Job: "j", Writer: "other", Retained: []Retained{{ID: 1, Epoch: 3}}}, etag: "e7"})
			d.tell(0, manifestRead{ref: Ref{ID: 1, Epoch: 3}, manifest: &incremental.Manifest{Checkpoint: 1, Epoch: 3, Graph: checkpoint.Graph{MaxParallelism: 16}}})
		},
		"dropped-while-starting": func(d *director) {
			d.tell(0, opened{})
			h := Head{Version: 7, Epoch: 3, NextID: 3, Job: "j", Writer: "other", Retained: []Retained{{ID: 1, Epoch: 3}}}
			d.tell(0, headRead{head: h, etag: "e7"})
			d.tell(0, manifestRead{ref: Ref{ID: 1, Epoch: 3}, err: upload.ErrNotExist}) // the leader dropped it
			h.Version, h.Retained = 8, []Retained{{ID: 2, Epoch: 3}}
			d.tell(0, headRead{head: h, etag: "e8"})
			d.tell(0, manifestRead{ref: Ref{ID: 2, Epoch: 3}, manifest: &incremental.Manifest{Checkpoint: 2, Epoch: 3}})
			d.tell(0, swapped{outcome: won, etag: "e9"})
		},
		"taken-over-from-a-fast-leader": func(d *director) {
			d.m.graph = testGraph
			d.tell(0, opened{})
			h := Head{Version: 7, Epoch: 3, NextID: 3, Job: "j", Writer: "other", Graph: testGraph.Fingerprint()}
			commits := func(id checkpoint.ID) headRead {
				h.Version, h.Retained = h.Version+1, []Retained{{ID: id, Epoch: 3}}
				return headRead{head: h, etag: fmt.Sprintf("e%d", h.Version)}
			}
			d.tell(0, commits(1))
			d.tell(0, manifestRead{ref: Ref{ID: 1, Epoch: 3}, err: upload.ErrNotExist}) // it keeps one checkpoint only
			d.tell(0, commits(2))
			d.tell(0, manifestRead{ref: Ref{ID: 2, Epoch: 3}, err: upload.ErrNotExist})
			d.tell(0, commits(3))
			d.tell(0, manifestRead{ref: Ref{ID: 3, Epoch: 3}, manifest: &incremental.Manifest{Checkpoint: 3, Epoch: 3, Graph: testGraph}})
			d.tell(0, swapped{outcome: refused, err: lost})
			d.tell(0, commits(4)) // of the same graph: it need not be read
			d.tell(0, swapped{outcome: won, etag: "e12"})
		},
		"stopped": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, stopping{true, "upgrade"}) // after the one that is pending
			d.commit(one, "e2")
			d.tell(0, ackOf(Ref{ID: 2, Epoch: 1}))
			d.tell(0, manifestWritten{ref: Ref{ID: 2, Epoch: 1}})
			d.tell(0, swapped{outcome: unknown, err: lost})
			d.tell(0, headRead{head: d.m.commit.next, etag: "e3"}) // the stop that it finds there is its own
			d.tell(0, asked{})
			d.tell(0, detached{})
			d.tell(0, attached{testGraph, 2})
		},
		"stopped-at-the-end-of-input": func(d *director) {
			d.leadAndStart()
			d.tell(0, stopping{true, "upgrade"})
			d.tell(0, draining{}) // the subtasks were drained before the barrier came
			d.tell(0, declineOf(1, checkpoint.DeclineDraining, "all input has ended"))
			d.tell(time.Minute, ticked{})
			d.tell(0, finishing{})
			d.commit(Ref{ID: 2, Epoch: 1}, "e2")
		},
		"stop-fails": func(d *director) {
			d.m.tolerable = 1
			d.leadAndStart()
			d.tell(0, stopping{true, "upgrade"})
			d.tell(0, declineOf(1, checkpoint.DeclinePersist, "no"))
			d.tell(time.Second, ticked{})
			d.tell(0, declineOf(2, checkpoint.DeclinePersist, "no"))
			d.tell(0, detached{})
			d.tell(0, attached{testGraph, 2})
		},
		"cancelled": func(d *director) {
			d.leadAndStart()
			d.tell(10*time.Second, ticked{})
			d.tell(0, stopping{false, "no more"})
			d.tell(0, detached{})
			d.tell(0, attached{testGraph, 2})
		},
		"stopped-before-it-runs": func(d *director) {
			d.leadAndStart()
			d.tell(0, detached{})
			d.tell(0, attached{testGraph, 2})
			d.tell(0, stopping{true, "upgrade"})
			d.tell(0, started{checkpoint.Execution{Epoch: 1, Attempt: 2}, []checkpoint.SubtaskID{{Vertex: "op"}}})
			d.tell(0, detached{})
			d.tell(0, stopping{true, "again"})
		},
		"resumed": func(d *director) {
			d.m.resume = true
			d.tell(0, opened{})
			h := Head{Version: 7, Epoch: 3, NextID: 3, Job: "j", Writer: "other", Retained: []Retained{{ID: 1, Epoch: 3}}, Stopped: &Stopped{Checkpoint: 1, Reason: "upgrade"}}
			d.tell(0, headRead{head: h, etag: "e7"})
			d.tell(0, manifestRead{ref: Ref{ID: 1, Epoch: 3}, manifest: &incremental.Manifest{Checkpoint: 1, Epoch: 3}})
			d.tell(0, swapped{outcome: won, etag: "e8"})
		},
		"other-executions": func(d *director) {
			d.leadAndStart()
			d.tell(0, detached{})
			d.tell(0, attached{testGraph, 2})
			d.tell(0, started{checkpoint.Execution{Epoch: 1, Attempt: 1}, []checkpoint.SubtaskID{{Vertex: "op"}}}) // late
			d.tell(0, started{checkpoint.Execution{Epoch: 1, Attempt: 2}, []checkpoint.SubtaskID{{Vertex: "op"}}})
			d.tell(10*time.Second, ticked{})
			d.tell(0, ackOf(one))                                           // of attempt 1
			d.tell(0, declineOf(1, checkpoint.DeclinePersist, "late, too")) // of attempt 1
			zombie := ackOf(Ref{ID: 1, Epoch: 7})
			zombie.Attempt = 2
			d.tell(0, zombie)
			right := ackOf(one)
			right.Attempt = 2
			d.tell(0, right)
		},
		"head-missing": func(d *director) {
			d.tell(0, opened{})
			d.tell(0, headRead{absent: true})
			d.tell(0, probed{found: "manifests/3-1"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := direct(t, nil)
			play(d)
			file := filepath.Join("testdata", name+".trace")
			if *update {
				if err := os.WriteFile(file, []byte(d.trace.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d.trace.String() != string(want) {
				t.Errorf("trace differs from %s (rewrite it with -update):\n%s", file, d.trace.String())
			}
		})
	}
}
