package render

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"image/png"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Chart is how a report draws its rows.
type Chart string

// The charts of CREATE REPORT.
const (
	ChartTable Chart = "table" // none, the rows speak; the zero value is the same
	ChartLine  Chart = "line"  // over the first column of times, split by a column of text
	ChartBar   Chart = "bar"   // of each row, named by the first column of text
)

// Check says what a chart misses in the columns of a report's query, and what to do.
func (c Chart) Check(columns []Column) error {
	r := rolesOf(columns)
	switch c {
	case "", ChartTable:
		return nil
	case ChartLine:
		switch {
		case r.at < 0:
			return fmt.Errorf("a line chart needs a column of times (Date, DateTime or DateTime64); the query has %s", describe(columns))
		case r.labels > 1:
			return fmt.Errorf("a line chart has a line for each value of one column of text; the query has %d: %s", r.labels, describe(columns))
		}
	case ChartBar:
		if r.label < 0 {
			return fmt.Errorf("a bar chart needs a column of text that names the bars; the query has %s: use toString(…), or chart = 'line' for times", describe(columns))
		}
	default:
		return fmt.Errorf("unknown chart %q: use 'line', 'bar' or 'table'", string(c))
	}
	if len(r.numbers) == 0 {
		return fmt.Errorf("a %s chart needs a column of numbers; the query has %s", c, describe(columns))
	}
	return nil
}

// described bounds how many columns a message names.
const described = 8

func describe(columns []Column) string {
	if len(columns) == 0 {
		return "no columns"
	}
	var names []string
	for i, c := range columns {
		if i == described {
			names = append(names, fmt.Sprintf("and %d more", len(columns)-i))
			break
		}
		names = append(names, nameOf(c.Name)+" "+nameOf(c.Type))
	}
	return strings.Join(names, ", ")
}

// drawn says that the document has a picture.
func (d *Document) drawn() bool { return d.Chart == ChartLine || d.Chart == ChartBar }

// The least and the greatest side of a picture in CSS pixels.
const (
	minSide = 160
	maxSide = 4096
)

// SVG draws the document's chart in CSS pixels.
func SVG(d *Document, width, height int) ([]byte, error) {
	width, height = side(width), side(height)
	canvas := vgsvg.New(pixels(float64(width)), pixels(float64(height)))
	if err := drawOn(canvas, d, width, height, true); err != nil {
		return nil, fmt.Errorf("draw chart as SVG: %w", err)
	}
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("write SVG: %w", err)
	}
	// What the picture shows, for those who do not see it, and fonts for those who lack ours.
	label := fmt.Sprintf(`<svg role="img" aria-label="%s" `, html.EscapeString(describeChart(d)))
	picture := bytes.Replace(out.Bytes(), []byte("<svg "), []byte(label), 1)
	return bytes.ReplaceAll(picture, []byte(`style="font-family:Liberation Sans;`), []byte(`style="font-family:Liberation Sans,Arial,Helvetica,sans-serif;`)), nil
}

// density is how many pixels of a PNG picture a CSS pixel has: screens of phones have two and more.
const density = 2

// PNG draws the document's chart in CSS pixels; the picture has twice as many in each direction.
func PNG(d *Document, width, height int) ([]byte, error) {
	width, height = side(width), side(height)
	canvas := vgimg.NewWith(vgimg.UseWH(pixels(float64(width)), pixels(float64(height))), vgimg.UseDPI(96*density))
	if err := drawOn(canvas, d, width, height, false); err != nil {
		return nil, fmt.Errorf("draw chart as PNG: %w", err)
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, canvas.Image()); err != nil {
		return nil, fmt.Errorf("write PNG: %w", err)
	}
	return out.Bytes(), nil
}

func side(v int) int { return min(max(v, minSide), maxSide) }

// drawOn draws a picture on a white ground, as it also stands in pages of other colours.
func drawOn(canvas vg.Canvas, d *Document, width, height int, logical bool) error {
	f, err := loadFonts()
	if err != nil {
		return err
	}
	p := &pen{surface: canvas, fonts: f, width: float64(width), height: float64(height), logical: logical}
	p.rectangle(color.White, 0, 0, p.width, p.height)
	p.chart(d)
	return nil
}

// chartHeight is the height at which a document's chart looks well.
func chartHeight(d *Document) int {
	switch d.Chart {
	case ChartLine:
		panels := max(1, len(lines(&d.Table, maxSeries).panels))
		return 110 + 190*panels
	case ChartBar:
		rows := max(1, min(maxBars, len(d.Table.Rows)))
		return 62 + barPitch*rows
	}
	return 0
}
