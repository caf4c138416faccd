package jobs

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source"
	"github.com/tidemark/tidemark/engine/source/nexmark"
	"github.com/tidemark/tidemark/engine/source/parquet"
	"github.com/tidemark/tidemark/engine/state"
)

// Flight has the fields of a flight that the job flights reads.
type Flight struct {
	Delay       int64  `json:"delay" csv:"delay" parquet:"delay"`          // minutes; early is negative
	Distance    int64  `json:"distance" csv:"distance" parquet:"distance"` // miles
	Origin      string `json:"origin" csv:"origin" parquet:"origin"`       // IATA code
	Destination string `json:"destination" csv:"destination" parquet:"destination"`
}

// Validate refuses records that parse but are no flights.
func (f *Flight) Validate() error {
	if f.Origin == "" || f.Destination == "" {
		return errors.New("a flight without origin or destination")
	}
	return nil
}

// RouteDelays is a row of flights/routes.
type RouteDelays struct {
	Origin      string `json:"origin"`
	Destination string `json:"destination"`
	RouteStats
}

// RouteStats is what is known of a route.
type RouteStats struct {
	Flights     int64 `json:"flights"`
	DelaySum    int64 `json:"delay_sum"`
	DelayMax    int64 `json:"delay_max"`
	DistanceSum int64 `json:"distance_sum"`
}

// Hash implements sink.Hasher.
func (r RouteDelays) Hash() uint64 {
	h := nexmark.FoldString(nexmark.FoldString(0, r.Origin), r.Destination)
	for _, x := range [...]int64{r.Flights, r.DelaySum, r.DelayMax, r.DistanceSum} {
		h = nexmark.Fold(h, uint64(x))
	}
	return h
}

// AirportDelays is a row of flights/airports.
type AirportDelays struct {
	Rank   int    `json:"rank"`
	Origin string `json:"origin"`
	AirportStats
	Mean float64 `json:"mean"` // delay, minutes, rounded to 3 decimals
}

// AirportStats is what is known of the departures from an airport.
type AirportStats struct {
	Flights  int64 `json:"flights"`
	Routes   int64 `json:"routes"`
	DelaySum int64 `json:"delay_sum"`
}

func (s AirportStats) mean() float64 { return float64(s.DelaySum) / float64(s.Flights) }

// Hash implements sink.Hasher.
func (r AirportDelays) Hash() uint64 {
	h := nexmark.FoldString(nexmark.Fold(0, uint64(r.Rank)), r.Origin)
	for _, x := range [...]int64{r.Flights, r.Routes, r.DelaySum} {
		h = nexmark.Fold(h, uint64(x))
	}
	return nexmark.Fold(h, math.Float64bits(r.Mean))
}

type route struct{ Origin, Destination string }

func flights(b *builder) {
	in, err := flightSource(b.options.Input, source.Options{OnMalformed: b.options.OnMalformed, Complete: true})
	if err != nil {
		b.err = err
		return
	}
	byRoute := engine.KeyBy(engine.From(b.job, "flights", in), func(f Flight) route {
		return route{f.Origin, f.Destination}
	})
	routes := aggregate(b, byRoute, "routes", aggregation[route, Flight, RouteStats, RouteDelays]{
		update: func(s *RouteStats, found bool, f Flight) bool {
			if !found || f.Delay > s.DelayMax {
				s.DelayMax = f.Delay
			}
			s.Flights++
			s.DelaySum += f.Delay
			s.DistanceSum += f.Distance
			return true
		},
		row: func(k route, s RouteStats) RouteDelays { return RouteDelays{k.Origin, k.Destination, s} },
	})
	output(b, routes, "routes-out", "routes", true)

	byOrigin := engine.KeyBy(routes, func(r RouteDelays) string { return r.Origin })
	top := engine.Process(byOrigin, "airports", func() engine.Processor[string, RouteDelays, AirportDelays] {
		return newAirports(b.options.MinFlights)
	}, engine.Parallelism(1))
	output(b, top, "airports-out", "airports", false, engine.Parallelism(1))
}

// flightSource chooses the format by the extension.
func flightSource(pattern string, o source.Options) (engine.Source[Flight], error) {
	switch name := strings.TrimSuffix(pattern, ".gz"); {
	case strings.HasSuffix(pattern, ".parquet"):
		return parquet.Files[Flight](pattern, o), nil
	case strings.HasSuffix(name, ".csv"):
		return source.CSV[Flight](pattern, o), nil
	case strings.HasSuffix(name, ".jsonl"), strings.HasSuffix(name, ".ndjson"), strings.HasSuffix(name, ".json"):
		return source.JSONL[Flight](pattern, o), nil
	}
	return nil, fmt.Errorf("%w: job flights: input %q: its extension gives its format: end it in .parquet, .csv, .jsonl, .ndjson or .json, or the last four with .gz (for a directory, name its files: dir/*.csv)", ErrOptions, pattern)
}

// airports adds up the routes of each airport, and ranks the airports at the
// end. It has to be one subtask to do that.
type airports struct {
	known state.Value[AirportStats]
	total int64     // flights of all airports, at the end
	tops  []ranking // to choose from, the least minimum first
}

// The default minimum of flights, and the one for large inputs.
const (
	minFlights      = 100
	minFlightsLarge = 1000
	largeFlights    = 1_000_000
)

func newAirports(min int64) *airports {
	if min > 0 {
		return &airports{tops: []ranking{{min: min}}}
	}
	return &airports{tops: []ranking{{min: minFlights}, {min: minFlightsLarge}}}
}

func (p *airports) Open(c engine.OpenContext) error {
	p.known = state.NewValue[AirportStats](c, "known")
	return nil
}

func (p *airports) Process(c engine.Context[string], r RouteDelays, _ engine.Out[AirportDelays]) error {
	s, _, err := p.known.Get(c)
	if err != nil {
		return err
	}
	s.Flights += r.Flights
	s.Routes++
	s.DelaySum += r.DelaySum
	return p.known.Set(c, s)
}

func (p *airports) FinishKey(c engine.Context[string], _ engine.Out[AirportDelays]) error {
	s, found, err := p.known.Get(c)
	if err != nil || !found {
		return err
	}
	p.total += s.Flights
	for i := range p.tops {
		p.tops[i].add(AirportDelays{Origin: c.Key(), AirportStats: s})
	}
	return nil
}

func (p *airports) Finish(out engine.Out[AirportDelays]) error {
	top := p.tops[0]
	if p.total >= largeFlights {
		top = p.tops[len(p.tops)-1]
	}
	for i, a := range top.best {
		a.Rank = i + 1
		a.Mean = math.Round(a.mean()*1000) / 1000
		out.Emit(a)
	}
	return nil
}

// ranking holds the airports with the greatest mean delay, the smaller code
// first where that is equal, of those with at least min flights.
type ranking struct {
	min  int64
	best []AirportDelays
}

const ranks = 20

func (r *ranking) add(a AirportDelays) {
	if a.Flights < r.min {
		return
	}
	at, _ := slices.BinarySearchFunc(r.best, a, func(x, y AirportDelays) int {
		return cmp.Or(cmp.Compare(y.mean(), x.mean()), cmp.Compare(x.Origin, y.Origin))
	})
	r.best = slices.Insert(r.best, at, a)
	r.best = r.best[:min(len(r.best), ranks)]
}
