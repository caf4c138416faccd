package jobs

import (
	"fmt"
	"hash/crc32"
	"time"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/source/nexmark"
	"github.com/tidemark/tidemark/engine/state"
)

// StatesRow is a row of the job states: what the states of a key hold at the end of the
// input. Nothing in it depends on the order in which records came.
type StatesRow struct {
	Key      uint64 `json:"key"`
	Records  int64  `json:"records"`  // of the key; by a Value of a number, and by one with a TTL
	Last     int64  `json:"last"`     // the greatest number of a record; by a Value of its bytes
	LastSum  uint32 `json:"last_sum"` // checksum of these
	Items    int64  `json:"items"`    // of a List
	ItemsSum uint64 `json:"items_sum"`
	Entries  int64  `json:"entries"` // of a Map
	EntrySum uint64 `json:"entries_sum"`
	Sum      int64  `json:"sum"`      // of the numbers; by a Reducing
	Greatest int64  `json:"greatest"` // and the greatest; by an Aggregating
	// Counted is how many records the subtasks have counted in OperatorLists, in a row
	// of its own.
	Counted int64 `json:"counted,omitempty"`
}

// Hash implements sink.Hasher.
func (r StatesRow) Hash() (h uint64) {
	for _, x := range []uint64{r.Key, uint64(r.Records), uint64(r.Last), uint64(r.LastSum), uint64(r.Items), r.ItemsSum, uint64(r.Entries), r.EntrySum, uint64(r.Sum), uint64(r.Greatest), uint64(r.Counted)} {
		h = nexmark.Fold(h, x)
	}
	return h
}

// StatesKey is the key of record n of the job states.
func StatesKey(n, keys int64) uint64 { return nexmark.Fold(1, uint64(n)) % uint64(keys) }

// StatesValue is what record n of the job states has stored: from 16 bytes to 1 MiB.
func StatesValue(n int64) []byte {
	size := 16
	switch {
	case n%1024 == 7:
		size = 1 << 20
	case n%128 == 3:
		size = 64 << 10
	case n%16 == 1:
		size = 4 << 10
	}
	b := make([]byte, size)
	fillValue(b, uint64(size), n)
	return b
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// StatesSum is the checksum of a stored value.
func StatesSum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

type (
	// numbered is the value of record N.
	numbered struct {
		N     int64
		Bytes []byte
	}
	// brief is a value that expires, and when it was written.
	brief struct{ N, UnixMilli int64 }
)

const (
	briefly     = 200 * time.Millisecond // a TTL that ends while the job runs
	briefGrace  = time.Second            // in which the machine's clock may be read late
	long        = 24 * time.Hour         // and one that does not
	statesKeys  = 200
	scratchSize = 3
)

// everyState keeps what it gets of a key in states of every kind.
type everyState struct {
	count    state.Value[int64]
	last     state.Value[numbered]
	long     state.Value[int64]
	brief    state.Value[brief]
	items    state.List[numbered]
	entries  state.Map[int64, []byte]
	scratch  state.Map[int64, int64] // filled and cleared for each record
	sum      state.Reducing[int64]
	greatest state.Aggregating[int64, int64, int64]
	counted  state.OperatorList[int64]
}

func (p *everyState) Open(c engine.OpenContext) error {
	p.count = state.NewValue[int64](c, "count")
	p.last = state.NewValue[numbered](c, "last")
	p.long = state.NewValue[int64](c, "long", state.TTL(long))
	p.brief = state.NewValue[brief](c, "brief", state.TTL(briefly))
	p.items = state.NewList[numbered](c, "items", state.TTL(long))
	p.entries = state.NewMap[int64, []byte](c, "entries")
	p.scratch = state.NewMap[int64, int64](c, "scratch")
	p.sum = state.NewReducing(c, "sum", func(a, b int64) int64 { return a + b })
	greater := func(a, b int64) int64 { return max(a, b) }
	p.greatest = state.NewAggregating(c, "greatest", state.Aggregate[int64, int64, int64]{
		Add: greater, Merge: greater, Result: func(a int64) int64 { return a },
	})
	p.counted = state.NewOperatorList[int64](c, "counted", checkpoint.Split)
	return nil
}

func (p *everyState) Process(c engine.Context[uint64], n int64, _ engine.Out[StatesRow]) error {
	v := StatesValue(n)
	one := func(n int64, _ bool) (int64, error) { return n + 1, nil }
	last, found, err := p.last.Get(c)
	if err == nil && (!found || last.N < n) {
		err = p.last.Set(c, numbered{n, v})
	}
	for _, step := range []func() error{
		func() error { return p.count.Update(c, one) },
		func() error { return p.long.Update(c, one) },
		func() error { return p.keepBriefly(c, n) },
		func() error { return p.items.Add(c, numbered{n, v}) },
		func() error { return p.entries.Set(c, n, v) },
		func() error { return p.useScratch(c, n) },
		func() error { return p.sum.Add(c, n) },
		func() error { return p.greatest.Add(c, n) },
		p.countOne,
	} {
		if err == nil {
			err = step()
		}
	}
	return err
}

// keepBriefly fails if it finds what has expired.
func (p *everyState) keepBriefly(c engine.Context[uint64], n int64) error {
	now := time.Now()
	old, found, err := p.brief.Get(c)
	if err != nil {
		return err
	}
	if age := now.Sub(time.UnixMilli(old.UnixMilli)); found && age > briefly+briefGrace {
		return engine.Permanent(fmt.Errorf("what record %d wrote %v ago is there, with a TTL of %v", old.N, age, briefly))
	}
	return p.brief.Set(c, brief{n, now.UnixMilli()})
}

// useScratch leaves nothing: neither a checkpoint nor a crash falls in between.
func (p *everyState) useScratch(c engine.Context[uint64], n int64) error {
	for i := range int64(scratchSize) {
		if err := p.scratch.Set(c, n+i, i); err != nil {
			return err
		}
	}
	found := 0
	for _, err := range p.scratch.All(c) {
		if err != nil {
			return err
		}
		found++
	}
	if found != scratchSize {
		return engine.Permanent(fmt.Errorf("record %d: the cleared map has %d entries of %d", n, found, scratchSize))
	}
	return p.scratch.Clear(c)
}

func (p *everyState) countOne() error {
	n, err := p.countedUntilNow()
	if err != nil {
		return err
	}
	return p.counted.Set([]int64{n + 1})
}

func (p *everyState) countedUntilNow() (sum int64, err error) {
	all, err := p.counted.Get()
	for _, n := range all {
		sum += n
	}
	return sum, err
}

func (p *everyState) FinishKey(c engine.Context[uint64], out engine.Out[StatesRow]) error {
	r := StatesRow{Key: c.Key()}
	lasting, err := p.long.GetOr(c, 0)
	if err != nil {
		return err
	}
	if r.Records, err = p.count.GetOr(c, 0); err == nil && r.Records != lasting {
		err = engine.Permanent(fmt.Errorf("%d records, and %d by the state with a TTL", r.Records, lasting))
	}
	if err != nil {
		return err
	}
	last, _, err := p.last.Get(c)
	if err != nil {
		return err
	}
	r.Last, r.LastSum = last.N, StatesSum(last.Bytes)
	for item, err := range p.items.All(c) {
		if err != nil {
			return err
		}
		r.Items++
		r.ItemsSum += nexmark.Fold(uint64(item.N), uint64(StatesSum(item.Bytes)))
	}
	for e, err := range p.entries.All(c) {
		if err != nil {
			return err
		}
		r.Entries++
		r.EntrySum += nexmark.Fold(uint64(e.Key), uint64(StatesSum(e.Value)))
	}
	if r.Sum, _, err = p.sum.Get(c); err != nil {
		return err
	}
	r.Greatest, _, err = p.greatest.Get(c)
	out.Emit(r)
	return err
}

func (p *everyState) Finish(out engine.Out[StatesRow]) error {
	n, err := p.countedUntilNow()
	out.Emit(StatesRow{Counted: n})
	return err
}

func states(b *builder) {
	keys := b.options.Keys
	if keys == 0 {
		keys = statesKeys
	}
	numbers := nexmark.Numbers(b.options.nexmark())
	b.results.Records = numbers.Records()
	byKey := engine.KeyBy(engine.From(b.job, "numbers", numbers), func(n int64) uint64 { return StatesKey(n, keys) })
	rows := engine.Process(byKey, "states", func() engine.Processor[uint64, int64, StatesRow] { return &everyState{} })
	counts := engine.Filter(rows, "counts", StatesRow.isCount)
	counted := engine.Process(engine.KeyBy(counts, func(StatesRow) uint64 { return 0 }), "counted",
		func() engine.Processor[uint64, StatesRow, StatesRow] { return &addCounts{} })
	keyed := engine.Filter(rows, "keys", func(r StatesRow) bool { return !r.isCount() })
	output(b, engine.Union(keyed, counted), "out", "", true)
}

// isCount reports whether a row is not a key's, but a subtask's.
func (r StatesRow) isCount() bool { return r.Records == 0 }

// addCounts makes one row of the subtasks' rows.
type addCounts struct{ sum state.Value[int64] }

func (p *addCounts) Open(c engine.OpenContext) error {
	p.sum = state.NewValue[int64](c, "sum")
	return nil
}

func (p *addCounts) Process(c engine.Context[uint64], r StatesRow, _ engine.Out[StatesRow]) error {
	return p.sum.Update(c, func(n int64, _ bool) (int64, error) { return n + r.Counted, nil })
}

func (p *addCounts) FinishKey(c engine.Context[uint64], out engine.Out[StatesRow]) error {
	n, err := p.sum.GetOr(c, 0)
	out.Emit(StatesRow{Counted: n})
	return err
}
