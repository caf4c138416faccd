package suite

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/measure"
	"github.com/tidemark/tidemark/bench/plot"
	"github.com/tidemark/tidemark/bench/report"
	"github.com/tidemark/tidemark/cmd/launch"
)

// charts draws what the experiments measured. What has no values has no chart.
func charts(experiments []report.Experiment) (all []report.Chart, err error) {
	var errs []error
	for _, c := range []struct {
		name, title string
		draw        func(title string, experiments []report.Experiment) ([]byte, error)
	}{
		{"bars", "Figures and their bars", barChart},
		{"flink", "CPU time an event, Tidemark and Flink", flinkChart},
		{"pauses", "Pause of a checkpoint by size of state", pauseChart},
		{"drift", "Throughput over time", driftChart},
		{"memory", "Memory over time", memoryChart},
	} {
		svg, err := c.draw(c.title, experiments)
		switch {
		case err == nil:
			all = append(all, report.Chart{Name: c.name, Title: c.title, SVG: svg})
		case !errors.Is(err, plot.ErrEmpty):
			errs = append(errs, err)
		}
	}
	return all, errors.Join(errs...)
}

func named(experiments []report.Experiment, name string) (report.Experiment, bool) {
	for _, e := range experiments {
		if e.Name == name {
			return e, true
		}
	}
	return report.Experiment{}, false
}

func median(a report.Arm, value string) float64 { return measure.Summarize(a.Values[value]).Median }

func barChart(title string, experiments []report.Experiment) ([]byte, error) {
	var ratios []plot.Ratio
	for _, e := range experiments {
		for _, r := range e.Rows {
			if r.Verdict == measure.NoBar {
				continue
			}
			label := e.Name + ": " + r.Figure + ", " + r.Arm
			if r.Against != "" {
				label += " by " + r.Against
			}
			ratios = append(ratios, plot.Ratio{Label: label, Summary: r.Ratio, Bar: r.Bar, Verdict: r.Verdict})
		}
	}
	return plot.Ratios(title, ratios)
}

func flinkChart(title string, experiments []report.Experiment) ([]byte, error) {
	arms := []string{tidemarkArm, flinkArm, flinkSQL}
	var groups []plot.Group
	for _, e := range experiments {
		name, ok := strings.CutPrefix(e.Name, flinkPrefix)
		if !ok || len(e.Rows) == 0 {
			continue
		}
		g := plot.Group{Label: name, Values: make([]float64, len(arms))}
		for _, a := range e.Arms {
			for i, arm := range arms {
				if a.Name == arm {
					g.Values[i] = median(a, experiment.CPUMicros)
				}
			}
		}
		groups = append(groups, g)
	}
	return plot.Bars(title, "CPU µs an event", arms, groups)
}

func pauseChart(title string, experiments []report.Experiment) ([]byte, error) {
	e, _ := named(experiments, pausesName)
	series := []plot.Series{{Name: "p50"}, {Name: "p99"}, {Name: "max"}}
	for _, a := range e.Arms {
		for i, value := range []string{experiment.SyncP50, experiment.SyncP99, experiment.SyncMax} {
			series[i].Points = append(series[i].Points, plot.XY{X: median(a, stateBytes) / 1e6, Y: median(a, value)})
		}
	}
	return plot.Lines(title, plot.Axes{X: "state, MB", Y: "pause, ms", LogX: true, LogY: true, Marked: true}, series)
}

// chartPoints is about how many points a line over time has.
const chartPoints = 300

// overTime makes a line of what f tells of two points that follow one another.
func overTime(name string, points []launch.Point, f func(from, to launch.Point) float64) plot.Series {
	s := plot.Series{Name: name}
	step := max(1, len(points)/chartPoints)
	for i := step; i < len(points); i += step {
		s.Points = append(s.Points, plot.XY{X: points[i].WallS, Y: f(points[i-step], points[i])})
	}
	return s
}

func driftChart(title string, experiments []report.Experiment) ([]byte, error) {
	e, _ := named(experiments, driftName)
	var series []plot.Series
	for _, a := range e.Arms {
		for i, points := range a.Series {
			series = append(series, overTime(fmt.Sprintf("run %d", i+1), points, func(from, to launch.Point) float64 {
				return float64(to.Events-from.Events) / (to.WallS - from.WallS)
			}))
		}
	}
	return plot.Lines(title, plot.Axes{X: "s", Y: "events a second"}, series)
}

func memoryChart(title string, experiments []report.Experiment) ([]byte, error) {
	const mib = 1 << 20
	e, _ := named(experiments, memoryName)
	var series []plot.Series
	for _, a := range e.Arms {
		for _, points := range a.Series[:min(1, len(a.Series))] {
			series = append(series,
				overTime(a.Name+", RSS", points, func(_, to launch.Point) float64 { return float64(to.RSSBytes) / mib }),
				overTime(a.Name+", of it Go's", points, func(_, to launch.Point) float64 { return float64(to.GoBytes) / mib }))
			if n := len(points); n > 0 {
				bound := median(a, boundBytes) / mib
				series = append(series, plot.Series{Name: a.Name + ", stated", Points: []plot.XY{{X: 0, Y: bound}, {X: points[n-1].WallS, Y: bound}}})
			}
		}
	}
	return plot.Lines(title, plot.Axes{X: "s", Y: "MiB"}, series)
}
