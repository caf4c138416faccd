package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/tidemark/tidemark/cmd/jobs"
	"github.com/tidemark/tidemark/engine/source"
	"github.com/tidemark/tidemark/engine/source/nexmark"
)

// bindJob adds the flags of the built-in jobs to fs.
func bindJob(fs *pflag.FlagSet, o *jobs.Options) {
	fs.StringVar(&o.Input, "input", "", "file, directory or glob that the job reads")
	fs.StringVar(&o.Output, "output", jobs.OutputNone, "directory for the rows; none discards them, - prints them")
	fs.Var(Parsed(&o.Emit, o.Emit.String(), jobs.ParseEmit), "emit", "final: each key's last result once, at the end of the input; changes: every update")
	fs.Var(Parsed(&o.OnMalformed, "refuse", parseMalformed), "on-malformed", "what to do with input that cannot be read: refuse (fail and say where), skip (and count) or quarantine:DIR (and keep it in DIR, with its place and what is wrong)")
	fs.Int64Var(&o.Events, "events", 0, fmt.Sprintf("number of generated events (default %d)", jobs.DefaultEvents))
	fs.Uint64Var(&o.Seed, "seed", 0, fmt.Sprintf("seed of the events (default %d)", jobs.DefaultSeed))
	fs.Int64Var(&o.RatePerSecond, "rate", 0, fmt.Sprintf("events a second of event time (default %d)", nexmark.DefaultRatePerSecond))
	fs.Int64Var(&o.Keys, "keys", 0, fmt.Sprintf("keys of count, count-hot and update (default %d)", nexmark.DefaultKeys))
	fs.Var(Parsed(&o.ValueBytes, "", parseValueBytes), "value-size", fmt.Sprintf("size of a value of update (default %d)", jobs.DefaultValueBytes))
	fs.Float64Var(&o.UpdatesPerSecond, "updates-per-second", 0, "updates a second, once each key was written (default: no limit)")
	fs.Float64Var(&o.ZipfExponent, "zipf", 0, "exponent of the skew of update's keys (default: no skew)")
	fs.Int64Var(&o.MinFlights, "min-flights", 0, "departures that an airport needs to be ranked (default 1000 from a million flights on, else 100)")
	fs.BoolVar(&o.Digest, "digest", false, "compute a digest of the rows, whatever their order")
}

func parseMalformed(s string) (source.OnMalformed, error) {
	switch dir, keep := strings.CutPrefix(s, "quarantine:"); {
	case s == "refuse":
		return source.Refuse, nil
	case s == "skip":
		return source.Skip, nil
	case keep && dir != "":
		return source.Quarantine(dir), nil
	}
	return source.Refuse, fmt.Errorf("%q: use refuse, skip or quarantine:DIR", s)
}

func parseValueBytes(s string) (int, error) {
	var b Bytes
	err := b.Set(s)
	return int(b), err
}
