package crash

import (
	"fmt"
	"io"
	"time"
)

// Report is what a run did and found.
type Report struct {
	Seed  uint64      `json:"seed"`
	Kills int         `json:"kills"`
	WallS float64     `json:"wall_s"`
	Jobs  []JobReport `json:"jobs"`
	// Kept is the directory with all files, if something was found broken. Else the
	// directory is removed, and Kept is empty.
	Kept string `json:"kept,omitempty"`
}

// JobReport is what was done to one job.
type JobReport struct {
	Job   string `json:"job"`
	Kills int    `json:"kills"`
	// Paused is how many processes were paused instead, and went on later.
	Paused int `json:"paused"`
	// Collections is how many processes of gc ran beside it, CollectionsKilled how many of
	// them were killed.
	Collections       int `json:"collections,omitempty"`
	CollectionsKilled int `json:"collections_killed,omitempty"`
	// Runs is how often the job came to its end, Starts how many processes that
	// took.
	Runs   int `json:"runs"`
	Starts int `json:"starts"`
	// Resumed is how many starts found a checkpoint to go on from.
	Resumed int `json:"resumed"`
	Rows    int `json:"rows"` // of the reference
	// Container is the limit of its processes' memory, or says why there is none; empty:
	// the job has none.
	Container string `json:"container,omitempty"`
	// Phases counts the kills by what the process did at that moment, Targets by
	// what they were aimed at.
	Phases  map[string]int `json:"phases"`
	Targets map[string]int `json:"targets"`
	// Broken is what was found broken; empty: nothing.
	Broken []string `json:"broken"`
	WallS  float64  `json:"wall_s"`
}

// Write renders the report for people.
func (r Report) Write(w io.Writer) {
	fmt.Fprintf(w, "seed %d: %d kills in %.0f s\n", r.Seed, r.Kills, r.WallS)
	total := map[string]int{}
	for _, j := range r.Jobs {
		verdict := "ok"
		if len(j.Broken) > 0 {
			verdict = "BROKEN"
		}
		kills := fmt.Sprintf("%d kills", j.Kills)
		if j.Paused > 0 {
			kills += fmt.Sprintf(" and %d pauses", j.Paused)
		}
		fmt.Fprintf(w, "%-12s %s: %s, %d processes, %d of them resumed from a checkpoint, %d complete runs of %d rows, %.0f s\n",
			j.Job, verdict, kills, j.Starts, j.Resumed, j.Runs, j.Rows, j.WallS)
		if j.Container != "" {
			fmt.Fprintf(w, "%-12s container for memory: %s\n", "", j.Container)
		}
		if j.Collections > 0 {
			fmt.Fprintf(w, "%-12s gc beside it: %d processes, %d of them killed\n", "", j.Collections, j.CollectionsKilled)
		}
		for _, b := range j.Broken {
			fmt.Fprintf(w, "    %s\n", b)
		}
		for p, n := range j.Phases {
			total[p] += n
		}
	}
	fmt.Fprintf(w, "killed during")
	for _, p := range Phases() {
		fmt.Fprintf(w, "  %s %d", p, total[p])
	}
	fmt.Fprintln(w)
	if r.Kept != "" {
		fmt.Fprintf(w, "everything is kept in %s\n", r.Kept)
	}
}

func seconds(since time.Time) float64 {
	return time.Since(since).Round(time.Millisecond).Seconds()
}
