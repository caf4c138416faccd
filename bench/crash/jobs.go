package crash

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
)

// Names of the jobs.
const (
	flights = "flights"
	q18     = "q18"
	changes = "q17-changes"
	states  = "states"
)

// Jobs lists the jobs that can be killed: flights and q18, whose rows come at the end,
// q17-changes, which commits rows with every checkpoint, and states, which has states of
// every kind with values up to 1 MiB. Each process of states has another parallelism and
// little memory, in a container if this process may make one.
func Jobs() []string { return []string{flights, q18, changes, states} }

// job is what to run and how to judge its output.
type job struct {
	name string
	args []string // after "run"
	// compare says how the output differs from the reference; empty: in nothing
	// that matters.
	compare func(got, want rows) []string
	// continuous: rows are published with every checkpoint.
	continuous bool
	rescale    bool  // each process has another parallelism
	container  int64 // limit of a process's memory, in bytes; zero: none
}

// What the job states may take: its budgets, and the limit of its container. The limit
// is a fifth above what the program states for twice the default parallelism.
const (
	statesTable     = "16MiB"
	statesNative    = "32MiB"
	statesContainer = 320 << 20
	statesShare     = 10 // one event of so many: each of them is large
)

func newJob(name string, o Options) (job, error) {
	records, rate := o.Events, func(n int64) string {
		return strconv.FormatFloat(float64(n)/o.RunFor.Seconds(), 'f', 0, 64)
	}
	events := strconv.FormatInt(o.Events, 10)
	switch name {
	case flights:
		b, err := os.ReadFile(o.Input)
		if err != nil {
			return job{}, fmt.Errorf("input of job %s: %w", flights, err)
		}
		records = int64(bytes.Count(b, []byte("\n")))
		return job{name: name, args: []string{"flights", "--input", o.Input, "--rate-limit", rate(records)}, compare: compareRows}, nil
	case q18:
		return job{name: name, args: []string{"q18", "--events", events, "--rate-limit", rate(records)}, compare: compareRows}, nil
	case changes:
		return job{
			name: name, args: []string{"q17", "--emit", "changes", "--events", events, "--rate-limit", rate(records)},
			compare: compareChanges, continuous: true,
		}, nil
	case states:
		n := o.Events / statesShare
		args := []string{"states", "--events", strconv.FormatInt(n, 10), "--keys", strconv.Itoa(statesKeys), "--rate-limit", rate(n), "--native-memory", statesNative}
		if o.TableBytes == 0 {
			args = append(args, "--table-memory", statesTable)
		}
		return job{
			name: name, args: args, rescale: true, container: statesContainer,
			compare: func(got, _ rows) []string { return compareStates(got, n) },
		}, nil
	}
	return job{}, fmt.Errorf("no job %q", name)
}

// shownDifferences bounds how many differences are listed.
const shownDifferences = 5

// compareRows lists the rows that only one side has, as often as it has them.
func compareRows(got, want rows) []string {
	var d differences
	i, j := 0, 0
	for i < len(got) || j < len(want) {
		switch {
		case j == len(want) || i < len(got) && got[i] < want[j]:
			d.add("surplus row %s", got[i])
			i++
		case i == len(got) || got[i] > want[j]:
			d.add("lost row %s", want[j])
			j++
		default:
			i, j = i+1, j+1
		}
	}
	return d.list(fmt.Sprintf("%d rows where the reference has %d", len(got), len(want)))
}

// priceRow is the part of a row of q17 that is compared.
type priceRow struct {
	Auction int64 `json:"auction"`
	Day     int64 `json:"day"`
	Total   int64 `json:"total_bids"`
	line    row
}

// compareChanges checks that each key's totals are 1, 2, 3, … and that the number
// of rows and the last row of each key are those of the reference. Earlier rows
// depend on the order in which the bids arrived.
func compareChanges(got, want rows) []string {
	var d differences
	g, err := parsePrices(got)
	w, err2 := parsePrices(want)
	if err = cmp.Or(err, err2); err != nil {
		return []string{err.Error()}
	}
	for _, side := range []struct {
		name string
		rows []priceRow
	}{{"", g}, {"in the reference: ", w}} {
		var last priceRow
		for _, r := range side.rows {
			next := last.Total + 1
			if r.Auction != last.Auction || r.Day != last.Day {
				next = 1
			}
			if r.Total != next {
				d.add("%sauction %d, day %d: total %d where %d should come", side.name, r.Auction, r.Day, r.Total, next)
			}
			last = r
		}
	}
	last := func(p []priceRow) (l rows) {
		for i, r := range p {
			if i+1 == len(p) || p[i+1].Auction != r.Auction || p[i+1].Day != r.Day {
				l = append(l, r.line)
			}
		}
		slices.Sort(l)
		return l
	}
	if len(g) != len(w) {
		d.add("%d rows for %d bids", len(g), len(w))
	}
	return append(d.list("totals"), compareRows(last(g), last(w))...)
}

// parsePrices reads rows, and sorts them by key and total.
func parsePrices(lines rows) ([]priceRow, error) {
	parsed := make([]priceRow, len(lines))
	for i, line := range lines {
		r := &parsed[i]
		if err := json.Unmarshal([]byte(line.json()), r); err != nil {
			return nil, fmt.Errorf("output row %q: %w", line, err)
		}
		r.line = line
	}
	slices.SortFunc(parsed, func(a, b priceRow) int {
		return cmp.Or(cmp.Compare(a.Auction, b.Auction), cmp.Compare(a.Day, b.Day), cmp.Compare(a.Total, b.Total))
	})
	return parsed, nil
}

// differences gathers what differs, and renders the first few.
type differences struct {
	n     int
	first []string
}

func (d *differences) add(format string, args ...any) {
	if d.n++; d.n <= shownDifferences {
		d.first = append(d.first, fmt.Sprintf(format, args...))
	}
}

func (d *differences) list(what string) []string {
	if d.n == 0 {
		return nil
	}
	return append([]string{fmt.Sprintf("output: %d differences; %s", d.n, what)}, d.first...)
}
