package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// parsed is a flag that sets *to to what parse makes of its text.
type parsed[T any] struct {
	to    *T
	parse func(string) (T, error)
	text  string
}

// Parsed returns a flag that parses its text into *to. If the flag is not given, *to
// does not change; text describes its value.
func Parsed[T any](to *T, text string, parse func(string) (T, error)) pflag.Value {
	return &parsed[T]{to, parse, text}
}

func (p *parsed[T]) String() string { return p.text }
func (p *parsed[T]) Type() string   { return "string" }

func (p *parsed[T]) Set(s string) (err error) {
	p.text = s
	*p.to, err = p.parse(s)
	return err
}

// ParsePercent parses a share, such as "12.5%".
func ParsePercent(s string) (float64, error) {
	text, ok := strings.CutSuffix(s, "%")
	percent, err := strconv.ParseFloat(text, 64)
	if !ok || err != nil || !(percent >= 0 && percent <= 100) {
		return 0, fmt.Errorf("%q is not a share: write it as 10%%", s)
	}
	return percent / 100, nil
}

// Bytes is a number of bytes on the command line: 512MiB, 1GiB, 1000000.
type Bytes int64

var byteUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}

// String returns what Set takes for the same number, to the byte: a flag is passed on
// to child processes by it.
func (b *Bytes) String() string {
	for i := 3; i >= 0 && *b != 0; i-- {
		if u := byteUnits[i]; int64(*b)%u.bytes == 0 {
			return strconv.FormatInt(int64(*b)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(*b), 10) // pflag does not show a 0 as a default
}

// Type implements pflag.Value.
func (b *Bytes) Type() string { return "bytes" }

// Set implements pflag.Value.
func (b *Bytes) Set(s string) error {
	for _, u := range byteUnits {
		number, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || n < 0 || n*float64(u.bytes) > 1<<50 {
			break
		}
		*b = Bytes(n * float64(u.bytes))
		return nil
	}
	return fmt.Errorf("%q is not a size: write it as 512MiB or 1GB", s)
}

// BytesText renders a size for people.
func BytesText(n int64) string {
	for i := 3; i >= 0; i-- {
		if u := byteUnits[i]; n >= u.bytes {
			return strings.TrimSuffix(strconv.FormatFloat(float64(n)/float64(u.bytes), 'f', 1, 64), ".0") + u.suffix
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}
