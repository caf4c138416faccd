package nearest

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Names returns those of names that are nearest to what was written, whatever the case,
// if they are near enough: one letter of three may differ, up to three. What was written
// may also be the beginning of a name.
func Names(written string, names []string) (near []string) {
	best := min((utf8.RuneCountInString(written)+1)/3, 3) + 1
	for _, name := range names {
		if len(written) > len(name)+3*utf8.UTFMax {
			continue // it may be very long
		}
		switch d := distance(strings.ToLower(written), strings.ToLower(name)); {
		case d < best:
			best, near = d, []string{name}
		case d == best && len(near) > 0:
			near = append(near, name)
		}
	}
	return near
}

// Hint says what to write instead: `did you mean "a" or "b"?`, or else `use "a", "b" or
// "c"`.
func Hint(written string, names []string) string {
	if near := Names(written, names); len(near) > 0 {
		return "did you mean " + or(near) + "?"
	}
	if len(names) == 0 {
		return "there is none at all"
	}
	return "use " + or(names)
}

// shown bounds the names in a hint.
const shown = 20

func or(names []string) string {
	var all []string
	for _, name := range names[:min(len(names), shown)] {
		all = append(all, strconv.Quote(name)) // it may come from a file
	}
	if more := len(names) - shown; more > 0 {
		all = append(all, fmt.Sprintf("%d others", more))
	}
	last := len(all) - 1
	if last == 0 {
		return all[0]
	}
	return strings.Join(all[:last], ", ") + " or " + all[last]
}

// distance is the number of letters to add, drop, replace or swap with the next one to
// get from a to b; 1 where b begins with a.
func distance(a, b string) int {
	if a != "" && a != b && strings.HasPrefix(b, a) {
		return 1
	}
	s, t := []rune(a), []rune(b)
	d := make([][]int, len(s)+1) // d[i][j]: from the first i letters of s to the first j of t
	for i := range d {
		d[i] = make([]int, len(t)+1)
		for j := range d[i] {
			switch {
			case i == 0 || j == 0:
				d[i][j] = i + j
				continue
			case s[i-1] == t[j-1]:
				d[i][j] = d[i-1][j-1]
				continue
			}
			d[i][j] = 1 + min(d[i-1][j], d[i][j-1], d[i-1][j-1])
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				d[i][j] = min(d[i][j], 1+d[i-2][j-2])
			}
		}
	}
	return d[len(s)][len(t)]
}
