package jobs

import (
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/engine/source"
	"github.com/tidemark/tidemark/engine/source/nexmark"
)

// ErrOptions is wrapped by what Build returns for an option that cannot be.
var ErrOptions = errors.New("options of a built-in job")

// Emit says which rows a job emits.
type Emit uint8

// What a job emits.
const (
	// Final: each key's result once, at the end of the input.
	Final Emit = iota
	// Changes: a key's result whenever it changes.
	Changes
)

// ParseEmit reads "final" or "changes".
func ParseEmit(s string) (Emit, error) {
	switch s {
	case "final":
		return Final, nil
	case "changes":
		return Changes, nil
	}
	return 0, fmt.Errorf("%w: emit %q: use final or changes", ErrOptions, s)
}

// String is the form that ParseEmit reads.
func (e Emit) String() string {
	switch e {
	case Final:
		return "final"
	case Changes:
		return "changes"
	}
	return fmt.Sprintf("emit(%d)", uint8(e))
}

// What Options.Output can be besides a directory.
const (
	OutputNone   = "none"
	OutputStdout = "-"
)

// Defaults of Options.
const (
	DefaultEvents = 1_000_000
	DefaultSeed   = 1

	maxValueBytes   = 1 << 20
	maxZipfExponent = 10
)

// Options of the jobs. A job refuses those that mean nothing to it.
type Options struct {
	// Input is a file, directory or glob of what wordcount and flights read.
	Input string
	// Output is the directory that the rows go to (flights has two in it,
	// routes and airports), OutputStdout, or OutputNone or empty to drop them.
	Output string
	// Events is the number of generated events. Zero: DefaultEvents.
	Events int64
	// Seed is the seed of the events. Zero: DefaultSeed.
	Seed uint64
	// RatePerSecond is the number of events in a second of event time. Zero:
	// nexmark.DefaultRatePerSecond.
	RatePerSecond int64
	// Keys is the number of keys of count, count-hot and update. Zero:
	// nexmark.DefaultKeys. states has 200 by default.
	Keys int64
	// ValueBytes is the size of a value of update. Zero: DefaultValueBytes.
	ValueBytes int
	// UpdatesPerSecond paces update by wall time, once each key was written.
	// Zero: no limit.
	UpdatesPerSecond float64
	// ZipfExponent skews the keys that update draws: the r-th most frequent
	// comes in proportion to r^-ZipfExponent. Zero: each is as likely as
	// another.
	ZipfExponent float64
	Emit         Emit
	// Digest asks for Results.Digest.
	Digest bool
	// OnMalformed says what to do with input records that cannot be read.
	OnMalformed source.OnMalformed
	// MinFlights is how many departures an airport needs to be ranked by the
	// job flights. Zero: 1,000 where there are a million flights in all, else
	// 100.
	MinFlights int64
}

// validate checks the options against the job.
func (o Options) validate(job Info) error {
	var errs []error
	mistake := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: job %s: %s", ErrOptions, job.Name, fmt.Sprintf(format, args...)))
	}
	if job.Seeded {
		if o.Input != "" {
			mistake("it makes its events and reads no input: leave out input %q", o.Input)
		}
		if o.OnMalformed != source.Refuse {
			mistake("it makes its events, none of which is malformed: leave the policy for such out")
		}
		if err := o.nexmark().Validate(); err != nil {
			mistake("%v", err)
		}
	} else {
		if o.Input == "" {
			mistake("it needs an input: give a file, a directory or a glob")
		}
		for _, option := range []struct {
			name  string
			given bool
		}{{"events", o.Events != 0}, {"seed", o.Seed != 0}, {"rate", o.RatePerSecond != 0}} {
			if option.given {
				mistake("it reads its input, and makes no events: leave out %s", option.name)
			}
		}
	}
	if o.Keys != 0 && !job.keys {
		mistake("it has no number of keys: leave out keys (count, count-hot, update and states have one)")
	}
	if (o.ValueBytes != 0 || o.UpdatesPerSecond != 0 || o.ZipfExponent != 0) && !job.values {
		mistake("it has no values of a given size: leave out the size, the rate of updates and the keys' skew (update has them)")
	}
	if o.ValueBytes < 0 || o.ValueBytes > maxValueBytes {
		mistake("values of %d bytes: use 1 to %d", o.ValueBytes, maxValueBytes)
	}
	if !(o.UpdatesPerSecond >= 0) {
		mistake("%v updates a second: it must not be negative", o.UpdatesPerSecond)
	}
	if !(o.ZipfExponent >= 0 && o.ZipfExponent <= maxZipfExponent) {
		mistake("a Zipf exponent of %v: use 0 to %d", o.ZipfExponent, maxZipfExponent)
	}
	if o.MinFlights != 0 && job.Name != "flights" {
		mistake("it ranks no airports: leave out the least number of flights (flights has one)")
	}
	if o.MinFlights < 0 {
		mistake("at least %d flights: must be positive", o.MinFlights)
	}
	switch {
	case o.Emit > Changes:
		mistake("%v: use final or changes", o.Emit)
	case o.Emit == Changes && job.finalOnly:
		mistake("its rows are final: it cannot emit changes")
	}
	return errors.Join(errs...)
}

func (o Options) nexmark() nexmark.Options {
	n := nexmark.Options{Events: o.Events, Seed: o.Seed, RatePerSecond: o.RatePerSecond, Keys: o.Keys}
	if n.Events == 0 {
		n.Events = DefaultEvents
	}
	if n.Seed == 0 {
		n.Seed = DefaultSeed
	}
	return n
}
