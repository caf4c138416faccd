package suite

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/measure"
	"github.com/tidemark/tidemark/cmd/jobs"
)

// flights runs the job over a file, and compares its rows with the expected ones, if
// there is a directory with <file>.routes.csv and <file>.airports.csv.
func flights(c experiment.Child, input, expected string) experiment.Experiment {
	arm := func(name, interval string) experiment.Arm {
		a := c.Arm(name, "flights", "--input="+input, "--interval="+interval)
		a.Command += " --output=…"
		a.Run = func(ctx context.Context) (experiment.Sample, error) {
			dir, err := os.MkdirTemp(c.Dir, "tidemark-bench-")
			if err != nil {
				return experiment.Sample{}, err
			}
			defer func() { _ = os.RemoveAll(dir) }()
			s, err := c.Run(ctx, "flights", "--input="+input, "--interval="+interval, "--output="+dir)
			if err != nil || expected == "" {
				return s, err
			}
			name := strings.TrimSuffix(filepath.Base(input), filepath.Ext(input))
			rows, err := sameFlights(dir, filepath.Join(expected, name))
			s.Note = fmt.Sprintf("its %d rows are those of %s.*.csv", rows, name)
			return s, err
		}
		return a
	}
	about := "Job flights over " + filepath.Base(input) + ", to JSON Lines and a file store."
	if expected == "" {
		about += " Its result was compared with nothing: no directory with the expected one was given."
	}
	return experiment.Experiment{
		Name: "flights", About: about, Arms: []experiment.Arm{arm("off", "0"), arm("1 s", "1s")},
		Compare: []experiment.Comparison{
			{Value: experiment.EventsPerCPUS, Arm: "off"}, {Value: experiment.EventsPerS, Arm: "off"},
			{Value: experiment.EventsPerCPUS, Arm: "1 s", Against: "off"}, {Value: experiment.EventsPerS, Arm: "1 s", Against: "off"},
			{Value: experiment.SyncMax, Arm: "1 s", Bar: measure.Bar{AtMost: 1}},
		},
	}
}

// errFlights: the job's rows are not the expected ones.
var errFlights = errors.New("wrong result")

func sameFlights(dir, expected string) (rows int, err error) {
	for part, columns := range map[string]func([]byte) (string, error){"routes": routeCSV, "airports": airportCSV} {
		got, err := jsonRows(filepath.Join(dir, part), columns)
		if err != nil {
			return 0, err
		}
		want, err := csvRows(expected + "." + part + ".csv")
		if err != nil {
			return 0, err
		}
		if !slices.Equal(got, want) {
			return 0, fmt.Errorf("%w: flights/%s: %d rows, want the %d of %s.%s.csv: %s", errFlights, part, len(got), len(want), expected, part, firstDifference(got, want))
		}
		rows += len(got)
	}
	return rows, nil
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%q, want %q", got[i], want[i])
		}
	}
	return "one has more rows"
}

func jsonRows(dir string, columns func([]byte) (string, error)) (rows []string, err error) {
	parts, err := filepath.Glob(filepath.Join(dir, "part-*"))
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		f, err := os.Open(part)
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			row, rowErr := columns(lines.Bytes())
			if rowErr != nil {
				_ = f.Close()
				return nil, fmt.Errorf("%s: %w", part, rowErr)
			}
			rows = append(rows, row)
		}
		if err := errors.Join(lines.Err(), f.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", part, err)
		}
	}
	slices.Sort(rows)
	return rows, nil
}

func routeCSV(b []byte) (string, error) {
	var r jobs.RouteDelays
	err := json.Unmarshal(b, &r)
	return fmt.Sprintf("%s,%s,%d,%d,%d,%d", r.Origin, r.Destination, r.Flights, r.DelaySum, r.DelayMax, r.DistanceSum), err
}

func airportCSV(b []byte) (string, error) {
	var r jobs.AirportDelays
	err := json.Unmarshal(b, &r)
	return fmt.Sprintf("%d,%s,%d,%d,%d,%s", r.Rank, r.Origin, r.Flights, r.Routes, r.DelaySum, strconv.FormatFloat(r.Mean, 'f', 3, 64)), err
}

func csvRows(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("expected result: %w", err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil || len(records) == 0 {
		return nil, errors.Join(fmt.Errorf("expected result %s: %d rows", path, len(records)), err)
	}
	var rows []string
	for _, r := range records[1:] {
		if mean := len(r) - 1; records[0][mean] == "mean" {
			v, err := strconv.ParseFloat(r[mean], 64)
			if err != nil {
				return nil, fmt.Errorf("expected result %s: %w", path, err)
			}
			r[mean] = strconv.FormatFloat(v, 'f', 3, 64)
		}
		rows = append(rows, strings.Join(r, ","))
	}
	slices.Sort(rows)
	return rows, nil
}
