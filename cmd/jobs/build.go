package jobs

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/sink"
	"github.com/tidemark/tidemark/internal/nearest"
)

// Info says what a job is.
type Info struct {
	Name   string
	Help   string // one line
	Seeded bool   // it makes its events, and reads no input

	keys      bool // Options.Keys means something
	values    bool // so do Options.ValueBytes, UpdatesPerSecond and ZipfExponent
	finalOnly bool // it cannot emit changes
	build     func(*builder)
}

// jobs is in the order in which they are listed.
var jobs = []Info{
	{Name: "wordcount", Help: "lines of text: the count of each word (letters and digits, in lower case)", build: wordcount},
	{Name: "flights", Help: "flights of Parquet, CSV or JSONL files: delays by route, and the 20 airports with the greatest mean delay", finalOnly: true, build: flights},
	{Name: "count", Help: "generated keys, evenly spread: the count of each", Seeded: true, keys: true, build: count},
	{Name: "count-hot", Help: "generated keys, nine of ten from a tenth of the keys: the count of each", Seeded: true, keys: true, build: countHot},
	{Name: "update", Help: "generated keys: each written once, then read, changed and written at random", Seeded: true, keys: true, values: true, build: update},
	{Name: "states", Help: "generated numbers: states of every kind, with values from 16 bytes to 1 MiB; what each key holds at the end", Seeded: true, keys: true, finalOnly: true, build: states},
	{Name: "q0", Help: "generated bids, passed through", Seeded: true, build: q0},
	{Name: "q17", Help: "generated bids: statistics of the prices of each auction and day", Seeded: true, build: q17},
	{Name: "q18", Help: "generated bids: the last whole bid of each bidder on each auction", Seeded: true, build: q18},
}

// Jobs lists the jobs.
func Jobs() []Info { return slices.Clone(jobs) }

// Results is what a job leaves besides its rows. Read it when the job has ended.
type Results struct {
	// Digest is that of the job's rows, where it was asked for, else nil; of
	// flights, that of the routes.
	Digest *sink.DigestResult
	// Records is how many records the sources have in all; 0: not known.
	Records int64
}

// Build makes the job of that name.
func Build(name string, o Options) (*engine.Job, *Results, error) {
	i := slices.IndexFunc(jobs, func(j Info) bool { return j.Name == name })
	if i < 0 {
		var names []string
		for _, j := range jobs {
			names = append(names, j.Name)
		}
		return nil, nil, fmt.Errorf("%w: no job %q: %s", ErrOptions, name, nearest.Hint(name, names))
	}
	if err := o.validate(jobs[i]); err != nil {
		return nil, nil, err
	}
	b := &builder{job: engine.NewJob(name), options: o, results: &Results{}}
	jobs[i].build(b)
	if b.err != nil {
		return nil, nil, b.err
	}
	if err := b.job.Validate(); err != nil {
		return nil, nil, err
	}
	return b.job, b.results, nil
}

// builder is what a job is built with.
type builder struct {
	job     *engine.Job
	options Options
	results *Results
	err     error
}

// output sends the rows to where the options say, under a directory of its own
// if sub is not empty, and into the digest if it is asked for.
func output[T sink.Hasher](b *builder, rows engine.Stream[T], operator, sub string, digest bool, opts ...engine.Option) {
	var sinks []engine.Sink[T]
	switch dir := b.options.Output; dir {
	case "", OutputNone:
	case OutputStdout:
		sinks = append(sinks, sink.Stdout[T]())
	default:
		sinks = append(sinks, sink.JSONL[T](filepath.Join(dir, sub)))
	}
	if digest && b.options.Digest {
		b.results.Digest = &sink.DigestResult{}
		sinks = append(sinks, sink.Digest[T](b.results.Digest))
	}
	switch len(sinks) {
	case 0:
		rows.To(operator, sink.Discard[T](), opts...)
	case 1:
		rows.To(operator, sinks[0], opts...)
	default:
		rows.To(operator, sink.Tee(sinks...), opts...)
	}
}
