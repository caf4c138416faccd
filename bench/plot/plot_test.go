package plot_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/bench/measure"
	"github.com/tidemark/tidemark/bench/plot"
)

var draws = map[string]func() ([]byte, error){
	"ratios": func() ([]byte, error) {
		return plot.Ratios("beside the bars", []plot.Ratio{
			{Label: "q17", Summary: measure.Summary{N: 3, Low: 6, Median: 7, High: 9}, Bar: measure.Bar{AtLeast: 8}, Verdict: measure.Open},
			{Label: "pause <&>", Summary: measure.Summary{N: 1, Low: 0.03, Median: 0.03, High: 0.03}, Bar: measure.Bar{AtMost: 1}, Verdict: measure.Reached},
			{Label: "nothing"},
		})
	},
	"lines": func() ([]byte, error) {
		return plot.Lines("pause <&>", plot.Axes{X: "state, bytes", Y: "q17, ms", LogX: true, LogY: true, Marked: true}, []plot.Series{
			{Name: "p99", Points: []plot.XY{{X: 1e7, Y: 0.03}, {X: 1e9, Y: 0.04}, {X: 0, Y: 1}}}, {Name: "none"},
		})
	},
	"bars": func() ([]byte, error) {
		return plot.Bars("CPU pause <&>", "µs", []string{"ours", "theirs"}, []plot.Group{{Label: "q17", Values: []float64{0.5, 4}}, {Label: "q18", Values: []float64{2}}})
	},
}

// What is drawn is an SVG that holds the words, and is the same each time.
func TestDraws(t *testing.T) {
	for name, draw := range draws {
		svg, err := draw()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var text strings.Builder
		for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if chars, ok := token.(xml.CharData); ok {
				text.Write(chars)
			}
		}
		for _, want := range []string{"q17", "pause <&>"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%s lacks %q: %s", name, want, text.String())
			}
		}
		if strings.Contains(text.String(), "nothing") {
			t.Errorf("%s tells of what has no value", name)
		}
		again, err := draw()
		if err != nil || !bytes.Equal(svg, again) {
			t.Errorf("%s: drawn again it differs (%v)", name, err)
		}
	}
}

func TestEmpty(t *testing.T) {
	for name, draw := range map[string]func() ([]byte, error){
		"ratios": func() ([]byte, error) { return plot.Ratios("", []plot.Ratio{{Label: "nothing"}}) },
		"lines": func() ([]byte, error) {
			return plot.Lines("", plot.Axes{LogY: true}, []plot.Series{{Name: "none", Points: []plot.XY{{X: 1}}}})
		},
		"bars": func() ([]byte, error) { return plot.Bars("", "", nil, nil) },
	} {
		if _, err := draw(); !errors.Is(err, plot.ErrEmpty) {
			t.Errorf("%s: %v, want ErrEmpty", name, err)
		}
	}
}
