package render

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"math"
	"strconv"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// SVG draws the document's chart in CSS pixels. Text stays text, in Liberation Sans or what
// the reader has in its place.
func SVG(d *Document, width, height int) ([]byte, error) {
	width, height = side(width), side(height)
	s := &svgSurface{height: float64(height), colour: "#000"}
	fmt.Fprintf(&s.out, `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="%s" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Liberation Sans, Arial, Helvetica, sans-serif">`+"\n",
		html.EscapeString(describeChart(d)), width, height, width, height)
	if err := drawOn(s, d, width, height, true); err != nil {
		return nil, fmt.Errorf("draw chart as SVG: %w", err)
	}
	s.out.WriteString("</svg>\n")
	return s.out.Bytes(), nil
}

// svgSurface writes what a pen draws as elements.
type svgSurface struct {
	out    bytes.Buffer
	height float64 // in pixels
	colour string
	width  float64 // of lines
}

func (s *svgSurface) SetColor(c color.Color) {
	r, g, b, _ := c.RGBA()
	s.colour = fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}

func (s *svgSurface) SetLineWidth(width vg.Length) { s.width = inPixels(width) }

func (s *svgSurface) Stroke(p vg.Path) {
	fmt.Fprintf(&s.out, `<path d="%s" fill="none" stroke="%s" stroke-width="%s" stroke-linejoin="round"/>`+"\n", s.path(p), s.colour, short(s.width))
}

// Fill writes a full circle, which has an arc, as one, and other paths as they are.
func (s *svgSurface) Fill(p vg.Path) {
	for _, part := range p {
		if part.Type == vg.ArcComp {
			x, y := s.at(part.Pos)
			fmt.Fprintf(&s.out, `<circle cx="%s" cy="%s" r="%s" fill="%s"/>`+"\n", short(x), short(y), short(inPixels(part.Radius)), s.colour)
			return
		}
	}
	fmt.Fprintf(&s.out, `<path d="%s" fill="%s"/>`+"\n", s.path(p), s.colour)
}

func (s *svgSurface) FillString(face font.Face, at vg.Point, text string) {
	weight := ""
	if face.Font.Weight == xfont.WeightBold {
		weight = ` font-weight="bold"`
	}
	x, y := s.at(at)
	fmt.Fprintf(&s.out, `<text x="%s" y="%s" font-size="%s"%s fill="%s">%s</text>`+"\n", short(x), short(y), short(inPixels(face.Font.Size)), weight, s.colour, html.EscapeString(text))
}

// path writes lines, which are all that the pen makes beside circles.
func (s *svgSurface) path(p vg.Path) []byte {
	var d []byte
	for _, part := range p {
		x, y := s.at(part.Pos)
		switch part.Type {
		case vg.MoveComp:
			d = append(d, 'M')
		case vg.LineComp:
			d = append(d, 'L')
		case vg.CloseComp:
			d = append(d, 'Z')
			continue
		}
		d = append(append(append(d, short(x)...), ' '), short(y)...)
	}
	return d
}

func (s *svgSurface) at(p vg.Point) (x, y float64) {
	return inPixels(p.X), s.height - inPixels(p.Y)
}

func inPixels(l vg.Length) float64 { return float64(l / pixels(1)) }

// short writes a hundredth of a pixel, which nobody sees the half of.
func short(v float64) string {
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}
