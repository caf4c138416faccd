package rocks_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zeebo/xxh3"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/rocks"
)

// placeAt is where an entry of a row is; the entry without a suffix stands for
// the row itself.
func placeAt(row, suffix string) *state.Place {
	p := state.Place{Row: len(row), RowHash: xxh3.HashString(row)}.In([]byte(row + suffix))
	return &p
}

// I8: accesses by place, whatever is expected, spilled, forgotten or scanned
// meanwhile, are those of a map of maps.
func TestPlacesAreAMapOfRows(t *testing.T) {
	for _, memory := range []int64{64 << 10, 1 << 20} {
		t.Run(fmt.Sprint("table=", memory), func(t *testing.T) { testPlaces(t, memory) })
	}
}

func testPlaces(t *testing.T, memory int64) {
	r, err := rocks.NewResources(rocks.Options{MemoryBytes: 16 << 20, ColumnBufferBytes: 256 << 10, TableBytes: memory, FileBytes: 256 << 10, BackgroundThreads: 1, OpenFiles: 64})
	check(t, err)
	t.Cleanup(func() { check(t, r.Close()) })
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		check(t, err)
		defer os.RemoveAll(dir)
		db := open(t, filepath.Join(dir, "db"), r, count)
		defer func() { check(t, db.Close()) }()
		c := column(t, db, count)
		rows, err := c.(state.RowColumn).Rows(state.Access{Grouped: true})
		check(t, err)
		model := map[string]map[string]string{}
		names := 0
		type opened struct {
			it   state.Iterator
			row  string
			want map[string]string
		}
		var scans []opened
		defer func() { // rapid may give up a sequence in its middle
			for _, s := range scans {
				check(t, s.it.Close())
			}
		}()
		draw := func(rt *rapid.T) (row, suffix string) {
			row = fmt.Sprintf("row%02d.", rapid.IntRange(0, 40).Draw(rt, "row"))
			if n := rapid.IntRange(0, 12).Draw(rt, "suffix"); n > 0 {
				suffix = fmt.Sprintf("%03d", n)
			}
			return row, suffix
		}
		set := func(row, suffix, value string) {
			check(t, rows.Put(placeAt(row, suffix), []byte(value)))
			if model[row] == nil {
				model[row] = map[string]string{}
			}
			model[row][suffix] = value
		}
		endScan := func(rt *rapid.T) {
			if len(scans) == 0 {
				return
			}
			s := scans[0]
			scans = scans[1:]
			var keys []string
			got := map[string]string{}
			for s.it.Next() {
				suffix, ok := strings.CutPrefix(string(s.it.Key()), s.row)
				if !ok {
					rt.Fatalf("scan of %s comes to %s", s.row, s.it.Key())
				}
				keys = append(keys, suffix)
				got[suffix] = string(s.it.Value())
			}
			check(t, s.it.Err())
			check(t, s.it.Close())
			if !slices.IsSorted(keys) || len(keys) != len(got) || !maps.Equal(got, s.want) {
				rt.Fatalf("scan of %s finds %q: %.200q, want %.200q", s.row, keys, got, s.want)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				row, suffix := draw(rt)
				set(row, suffix, fmt.Sprint(names, string(make([]byte, rapid.IntRange(0, 2000).Draw(rt, "size")))))
			},
			"put many": func(rt *rapid.T) {
				v := fmt.Sprint("many", rapid.IntRange(0, 1000).Draw(rt, "value"))
				for i := range 400 {
					set(fmt.Sprintf("row%02d.", i%50), fmt.Sprintf("%03d", i/50+8), v)
				}
			},
			"put a large one": func(rt *rapid.T) {
				row, suffix := draw(rt)
				set(row, suffix, strings.Repeat("x", rapid.IntRange(10_000, 400_000).Draw(rt, "size")))
			},
			"delete": func(rt *rapid.T) {
				row, suffix := draw(rt)
				check(t, rows.Delete(placeAt(row, suffix)))
				delete(model[row], suffix)
			},
			"expect and get": func(rt *rapid.T) {
				var places []state.Place
				var at [][2]string
				for range rapid.IntRange(1, 64).Draw(rt, "places") {
					row, suffix := draw(rt)
					at = append(at, [2]string{row, suffix})
					places = append(places, *placeAt(row, suffix))
				}
				if e := c.(state.ExpectingColumn); e.Expects() {
					check(t, e.Expect(places))
				}
				for i, p := range places {
					want, ok := model[at[i][0]][at[i][1]]
					v, found, err := rows.Get(nil, &p)
					check(t, err)
					if found != ok || string(v) != want {
						rt.Fatalf("%s is %.50q, %v; want %.50q, %v", p.Key, v, found, want, ok)
					}
					if i%3 == 0 {
						set(at[i][0], at[i][1], fmt.Sprint("seen ", i))
					}
				}
			},
			"scan": func(rt *rapid.T) {
				row, _ := draw(rt)
				scans = append(scans, opened{rows.Scan(placeAt(row, "")), row, maps.Clone(model[row])})
			},
			"end scan": endScan,
			"checkpoint": func(rt *rapid.T) {
				names++
				write, release, err := db.Freeze(filepath.Join(dir, fmt.Sprint(names)))
				check(t, err)
				if rapid.Bool().Draw(rt, "release") {
					release()
				} else {
					check(t, write())
				}
			},
		})
		for len(scans) > 0 {
			endScan(rt)
		}
	})
}
