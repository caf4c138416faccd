package plot

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/tidemark/tidemark/bench/measure"
)

// Ratio is a figure with its interval and its bar.
type Ratio struct {
	Label   string
	Summary measure.Summary
	Bar     measure.Bar
	Verdict measure.Verdict
}

// Ratios draws figures one below the other, on a logarithmic axis: the median as a
// point, the interval as a line, and the bar as a stroke. It leaves out what is not
// positive.
func Ratios(title string, ratios []Ratio) ([]byte, error) {
	p := newPlot(title, "median, interval of 95 % and bar", "")
	var labels []string
	var drawn []Ratio
	for i := len(ratios) - 1; i >= 0; i-- { // from below
		if r := ratios[i]; positive(r.Summary.Low, r.Summary.Median, r.Summary.High) {
			drawn, labels = append(drawn, r), append(labels, r.Label)
		}
	}
	if len(drawn) == 0 {
		return nil, ErrEmpty
	}
	for i, r := range drawn {
		y, c := float64(i), colorOf(r.Verdict)
		if r.Summary.High > r.Summary.Low {
			line, err := plotter.NewLine(plotter.XYs{{X: r.Summary.Low, Y: y}, {X: r.Summary.High, Y: y}})
			if err != nil {
				return nil, err
			}
			line.Color, line.Width = c, vg.Points(1.5)
			p.Add(line)
		}
		points, err := plotter.NewScatter(plotter.XYs{{X: r.Summary.Median, Y: y}})
		if err != nil {
			return nil, err
		}
		points.GlyphStyle = draw.GlyphStyle{Color: c, Radius: vg.Points(3), Shape: draw.CircleGlyph{}}
		p.Add(points)
		for _, bar := range []float64{r.Bar.AtLeast, r.Bar.AtMost} {
			if bar <= 0 {
				continue
			}
			stroke, err := plotter.NewLine(plotter.XYs{{X: bar, Y: y - 0.4}, {X: bar, Y: y + 0.4}})
			if err != nil {
				return nil, err
			}
			stroke.Color, stroke.Width = grey, vg.Points(2)
			p.Add(stroke)
		}
	}
	p.NominalY(labels...)
	p.Y.Tick.Label.XAlign, p.Y.Tick.Label.Font.Size = draw.XRight, vg.Points(9)
	p.Y.Min, p.Y.Max = -0.6, float64(len(drawn))-0.4
	logarithmic(&p.X)
	return svg(p, 24*vg.Centimeter, vg.Length(len(drawn))*0.6*vg.Centimeter+3*vg.Centimeter)
}

func colorOf(v measure.Verdict) color.RGBA {
	switch v {
	case measure.Reached:
		return green
	case measure.Missed:
		return red
	case measure.Open:
		return orange
	}
	return blue
}

func positive(values ...float64) bool {
	for _, v := range values {
		if !(v > 0) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// logarithmic makes an axis logarithmic, from decade to decade.
func logarithmic(a *plot.Axis) {
	a.Min = math.Pow(10, math.Floor(math.Log10(a.Min)))
	a.Max = math.Pow(10, math.Ceil(math.Log10(a.Max)))
	if a.Max <= a.Min {
		a.Max = 10 * a.Min
	}
	a.Scale, a.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
}
