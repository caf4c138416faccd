package suite

import (
	"time"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/measure"
	"github.com/tidemark/tidemark/bench/report"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

// scale is how much the experiments do.
type scale struct {
	share       int64 // the events, keys and updates are divided by it
	checkpoints int   // of increments
	interval    time.Duration
	pauseBytes  []int64 // of the states of pauses
	pauseS      int64
	driftTime   time.Duration
	billTime    time.Duration
	budget      int64 // bytes for the state of memory
}

var (
	fullScale = scale{
		share: 1, checkpoints: 20, interval: time.Second, pauseBytes: []int64{10_000_000, 1_000_000_000}, pauseS: 30,
		driftTime: 10 * time.Minute, billTime: time.Minute, budget: 64 << 20,
	}
	quickScale = scale{
		share: 40, checkpoints: 5, interval: 200 * time.Millisecond, pauseBytes: []int64{1_000_000, 100_000_000}, pauseS: 5,
		driftTime: 30 * time.Second, billTime: 8 * time.Second, budget: 16 << 20,
	}
)

// Of what takes long, and of --long.
const (
	longPauseBytes  = 10_000_000_000
	driftRounds     = 1
	longDriftRounds = 3
)

// planned gathers experiments.
type planned struct {
	options Options
	run     []experiment.Experiment
	out     []report.LeftOut
}

func (p *planned) wants(name string) bool {
	return p.options.Only == nil || p.options.Only.MatchString(name)
}

// add adds an experiment, unless there is a reason not to.
func (p *planned) add(e experiment.Experiment, unless string) {
	switch {
	case !p.wants(e.Name):
	case unless != "":
		p.leaveOut(e.Name, unless)
	default:
		p.run = append(p.run, e)
	}
}

func (p *planned) leaveOut(name, why string) {
	if p.wants(name) {
		p.out = append(p.out, report.LeftOut{Name: name, Why: why})
	}
}

// missing returns the reason where there is an error.
func missing(what string, err error) string {
	if err == nil {
		return ""
	}
	return what + ": " + err.Error()
}

// Plan returns the experiments that the options ask for, and those left out.
func Plan(o Options) (run []experiment.Experiment, out []report.LeftOut) {
	o = o.withDefaults()
	p, s, rounds := &planned{options: o}, fullScale, driftRounds
	if o.Quick {
		s = quickScale
	}
	c := o.Child
	p.add(noise(c, 8_000_000/s.share), "")
	p.add(tax(c, "q17", 40_000_000/s.share, measure.Bar{AtLeast: 0.95}), "")
	p.add(tax(c, "q18", 12_000_000/s.share, measure.Bar{AtLeast: 0.75}), "")
	p.add(spilling(c, 8_000_000/s.share), "")
	p.add(passThrough(c, 20_000_000/s.share), "")
	p.add(increments(o.StateBytes, s.checkpoints, s.interval), "")
	p.add(files(s.share), "")
	_, err := s3server.Find()
	noServer := missing("there is no S3 server", err)
	for _, e := range transfers(o.StateBytes / 2) {
		p.add(e, noServer)
	}
	p.add(throttled(c, 8_000_000/s.share), noServer)
	for _, row := range billRows {
		why := noServer
		if 4*row.interval > s.billTime {
			why = "it takes more than a minute (without --quick)"
		}
		p.add(bills(c, o.PeerFlink, row, s.billTime), why)
	}
	noDBBench := missing("there is no db_bench (Debian: rocksdb-tools)", findDBBench())
	for _, row := range keyedRows {
		p.add(keyed(c, row.scaled(s.share)), noDBBench)
	}
	if o.Long {
		s.pauseBytes = append(s.pauseBytes[:len(s.pauseBytes):len(s.pauseBytes)], longPauseBytes)
		rounds = longDriftRounds
	} else {
		p.leaveOut(pausesName+" at 10 GB", "it writes tens of GB and takes minutes a round (--long)")
	}
	p.add(pauses(c, s.pauseBytes, s.pauseS), "")
	p.add(memory(c, s.budget), "")
	p.add(drift(c, s.driftTime, rounds), "")
	noFlights := ""
	if o.Flights == "" {
		noFlights = "no file of flights was given (--flights)"
	}
	p.add(flights(c, o.Flights, o.FlightsExpected), noFlights)
	noFlink := ""
	if o.PeerFlink == "" {
		noFlink = "no program that runs Flink was given (--peer-flink)"
	}
	for _, row := range flinkRows {
		row = row.scaled(s.share)
		row.time = o.FlinkTime
		p.add(flink(c, o.PeerFlink, row), noFlink)
	}
	return p.run, p.out
}
