package crash

import (
	"encoding/json"
	"fmt"

	"github.com/tidemark/tidemark/cmd/jobs"
	"github.com/tidemark/tidemark/engine/source/nexmark"
)

// statesKeys is the number of keys of the job states.
const statesKeys = 100

// statesRows computes what the states of each key hold after that many records, with
// neither engine nor state.
func statesRows(records int64) map[uint64]jobs.StatesRow {
	rows := map[uint64]jobs.StatesRow{}
	for n := range records {
		key := jobs.StatesKey(n, statesKeys)
		sum := jobs.StatesSum(jobs.StatesValue(n))
		part := nexmark.Fold(uint64(n), uint64(sum))
		r := rows[key]
		r.Key = key
		r.Records, r.Items, r.Entries = r.Records+1, r.Items+1, r.Entries+1
		r.Last, r.LastSum, r.Greatest = n, sum, n // records are numbered upwards
		r.ItemsSum, r.EntrySum = r.ItemsSum+part, r.EntrySum+part
		r.Sum += n
		rows[key] = r
	}
	return rows
}

// compareStates compares rows with what was computed.
func compareStates(got rows, records int64) []string {
	var d differences
	want, counted := statesRows(records), int64(0)
	for _, line := range got {
		var r jobs.StatesRow
		if err := json.Unmarshal([]byte(line.json()), &r); err != nil {
			return []string{fmt.Sprintf("output row %q: %v", line, err)}
		}
		if r.Records == 0 {
			counted += r.Counted
			continue
		}
		switch w, ok := want[r.Key]; {
		case !ok:
			d.add("surplus row %s", line)
		case r != w:
			d.add("key %d has %+v, computed were %+v", r.Key, r, w)
		}
		delete(want, r.Key)
	}
	for key := range want {
		d.add("lost row of key %d", key)
	}
	if counted != records {
		d.add("the subtasks counted %d records of %d", counted, records)
	}
	return d.list("states")
}
