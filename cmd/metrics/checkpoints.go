package metrics

import (
	"slices"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/coordinator/history"
)

// newest returns the newest completed checkpoint of history; nil: none.
func newest(h history.History) *history.Checkpoint {
	for _, c := range slices.Backward(h.Checkpoints) {
		if c.Status == history.Completed {
			return &c
		}
	}
	return nil
}

// flink sends what Flink's reporter for Prometheus sends of checkpoints, under its names
// and in its units: milliseconds and bytes.
func flink(s sender, st coordinator.Status, h history.History) {
	gauge := func(name, help string, v float64) { s.gauge("flink_jobmanager_job_"+name, help, v) }
	pending := float64(len(st.Pending))
	gauge("numberOfInProgressCheckpoints", "checkpoints under way", pending)
	gauge("numberOfCompletedCheckpoints", "checkpoints completed since the job began", float64(h.Completed))
	gauge("numberOfFailedCheckpoints", "checkpoints failed since the job began", float64(h.Failed))
	gauge("totalNumberOfCheckpoints", "checkpoints since the job began", pending+float64(h.Completed+h.Failed))
	if r := st.Restored; r != nil {
		gauge("lastCheckpointRestoreTimestamp", "when the attempt was started from a checkpoint, milliseconds since 1970", float64(r.At.UnixMilli()))
	}
	c := newest(h)
	if c == nil {
		return
	}
	gauge("lastCompletedCheckpointId", "number of the newest completed checkpoint", float64(c.ID))
	gauge("lastCheckpointDuration", "from its trigger to its commit, milliseconds", float64(c.Duration.Milliseconds()))
	gauge("lastCheckpointSize", "bytes that it uploaded", float64(c.NewBytes))
	gauge("lastCheckpointFullSize", "bytes of all keyed state", float64(c.FullBytes))
	gauge("lastCheckpointCompletedTimestamp", "when it was committed, milliseconds since 1970", float64(c.Ended().UnixMilli()))
	for _, r := range st.Retained {
		if r.Ref() == c.Ref() {
			gauge("lastCheckpointMetadataSize", "bytes of its manifest", float64(r.ManifestBytes))
		}
	}
}

// checkpoints sends what Flink does not.
func checkpoints(s sender, st coordinator.Status, h history.History, now time.Time) {
	s.gauge("tidemark_epoch", "epoch of the leader", float64(st.Epoch))
	s.gauge("tidemark_leads", "1: this process leads the job; a newer leader may exist that it has not noticed", bit(st.Leads))
	s.gauge("tidemark_retained_checkpoints", "checkpoints that head retains", float64(len(st.Retained)))
	if n := len(st.Retained); n > 0 {
		s.gauge("tidemark_newest_checkpoint_age_seconds", "age of the newest retained checkpoint: what a crash now would have to process again", now.Sub(st.Retained[n-1].Created).Seconds())
	}
	s.gauge("tidemark_consecutive_checkpoint_failures", "checkpoints in a row that failed, and count as failures", float64(st.ConsecutiveFailures))
	for cause, n := range st.AbortedBy {
		s.counter("tidemark_checkpoints_aborted_total", "checkpoints that this leader aborted, by cause", float64(n), "cause", cause)
	}
	var doubt time.Time // the oldest
	for _, p := range st.Pending {
		if !p.InDoubtSince.IsZero() && (doubt.IsZero() || p.InDoubtSince.Before(doubt)) {
			doubt = p.InDoubtSince
		}
	}
	if !doubt.IsZero() {
		s.gauge("tidemark_commit_in_doubt_since_seconds", "since when the outcome of a commit is not known, since 1970; absent: none is in doubt", seconds(doubt))
	}
	raised := map[coordinator.AlarmCode]bool{}
	for _, a := range st.Alarms {
		raised[a.Code] = true
	}
	for _, code := range []coordinator.AlarmCode{
		coordinator.CommitInDoubt, coordinator.CheckpointsFailing, coordinator.DeletionPaused, coordinator.DeletionHalted, coordinator.LeadershipLost,
	} {
		s.gauge("tidemark_alarm", "1: an alarm is raised", bit(raised[code]), "code", string(code))
	}
	c := newest(h)
	if c == nil {
		return
	}
	const help = "how long a step of the newest completed checkpoint took in the slowest subtask: the barrier's way, alignment, the pause of records, persisting"
	for step, d := range map[string]time.Duration{"start": c.Start, "align": c.Align, "sync": c.Sync, "async": c.Async} {
		s.gauge("tidemark_last_checkpoint_step_seconds", help, d.Seconds(), "step", step)
	}
	s.gauge("tidemark_last_checkpoint_shared_files", "files of the newest completed checkpoint that earlier ones uploaded", float64(c.SharedFiles))
	s.gauge("tidemark_last_checkpoint_files", "files of the newest completed checkpoint", float64(c.Files))
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
