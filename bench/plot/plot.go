package plot

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// ErrEmpty: there is nothing to draw.
var ErrEmpty = errors.New("plot: no values")

var (
	blue   = rgb(31, 119, 180)
	orange = rgb(230, 126, 34)
	green  = rgb(39, 134, 72)
	red    = rgb(192, 57, 43)
	purple = rgb(125, 60, 152)
	grey   = rgb(90, 90, 90)
	pale   = rgb(225, 225, 225)
)

func rgb(r, g, b uint8) color.RGBA { return color.RGBA{R: r, G: g, B: b, A: 255} }

// palette has the colours of series.
var palette = []color.RGBA{blue, orange, green, purple, red, grey}

// XY is a point.
type XY struct{ X, Y float64 }

// Series is a named sequence of points.
type Series struct {
	Name   string
	Points []XY
}

// Axes say what the axes of a plot are.
type Axes struct {
	X, Y       string // with the unit
	LogX, LogY bool
	// Marked draws each point, for series of few points.
	Marked bool
}

// Lines draws series as lines. A logarithmic axis leaves out what is not positive.
func Lines(title string, axes Axes, series []Series) ([]byte, error) {
	p := newPlot(title, axes.X, axes.Y)
	drawn := 0
	for _, s := range series {
		var points plotter.XYs
		for _, v := range s.Points {
			if (!axes.LogX || v.X > 0) && (!axes.LogY || v.Y > 0) {
				points = append(points, plotter.XY(v))
			}
		}
		if len(points) == 0 {
			continue
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, fmt.Errorf("plot %s: %w", title, err)
		}
		c := palette[drawn%len(palette)]
		line.Color, line.Width = c, vg.Points(1.2)
		p.Add(line)
		p.Legend.Add(s.Name, line)
		if axes.Marked {
			marks, err := plotter.NewScatter(points)
			if err != nil {
				return nil, fmt.Errorf("plot %s: %w", title, err)
			}
			marks.GlyphStyle = draw.GlyphStyle{Color: c, Radius: vg.Points(3), Shape: draw.CircleGlyph{}}
			p.Add(marks)
		}
		drawn++
	}
	if drawn == 0 {
		return nil, ErrEmpty
	}
	if axes.LogX {
		logarithmic(&p.X)
	}
	if axes.LogY {
		logarithmic(&p.Y)
	} else {
		p.Y.Min = min(0, p.Y.Min)
		p.Y.Max += (p.Y.Max - p.Y.Min) * legendShare * float64(drawn)
	}
	return svg(p, 20*vg.Centimeter, 9*vg.Centimeter)
}

// Group is a set of bars side by side. Values are in the order of Bars' names; zero
// draws no bar.
type Group struct {
	Label  string
	Values []float64
}

// Bars draws groups of bars.
func Bars(title, unit string, names []string, groups []Group) ([]byte, error) {
	if len(groups) == 0 || len(names) == 0 {
		return nil, ErrEmpty
	}
	p := newPlot(title, "", unit)
	width := vg.Points(14)
	labels := make([]string, len(groups))
	for i, name := range names {
		values := make(plotter.Values, len(groups))
		for j, g := range groups {
			labels[j] = g.Label
			if i < len(g.Values) {
				values[j] = g.Values[i]
			}
		}
		bars, err := plotter.NewBarChart(values, width)
		if err != nil {
			return nil, fmt.Errorf("plot %s: %w", title, err)
		}
		bars.Color, bars.LineStyle.Width = palette[i%len(palette)], 0
		bars.Offset = width * (vg.Length(i) - vg.Length(len(names)-1)/2)
		p.Add(bars)
		p.Legend.Add(name, bars)
	}
	p.NominalX(labels...)
	p.Y.Min = 0
	p.Y.Max *= 1 + legendShare*float64(len(names))
	return svg(p, max(12, vg.Length(len(groups))*3.6)*vg.Centimeter, 9*vg.Centimeter)
}

// legendShare is the room that each line of the legend gets above what is
// drawn.
const legendShare = 0.1

func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = vg.Points(6)
	p.Legend.Top = true
	p.Legend.XOffs, p.Legend.YOffs = -vg.Points(4), -vg.Points(4)
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = pale, pale
	p.Add(grid)
	return p
}

// margin is kept free at the right, for the last number of the axis.
const margin = 0.8 * vg.Centimeter

func svg(p *plot.Plot, width, height vg.Length) ([]byte, error) {
	c := vgsvg.New(width, height)
	p.Draw(draw.Crop(draw.New(c), 0, -margin, 0, 0))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("plot %s: %w", p.Title.Text, err)
	}
	return b.Bytes(), nil
}
