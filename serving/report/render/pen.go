package render

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	xfont "golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/text/unicode/bidi"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// Colours, each with a contrast on white of at least 4.5 to 1 where it is text.
var (
	ink      = color.RGBA{0x1c, 0x23, 0x2b, 0xff}
	quiet    = color.RGBA{0x5b, 0x65, 0x70, 0xff}
	hairline = color.RGBA{0xe3, 0xe7, 0xeb, 0xff}
	alarm    = color.RGBA{0x9a, 0x34, 0x12, 0xff}
	// palette is told apart by people with any kind of colour vision in its first five; the
	// labels stand at the lines, so that no colour must be looked up.
	palette = []color.RGBA{
		{0x1d, 0x5f, 0xa9, 0xff}, // blue
		{0xc2, 0x41, 0x0c, 0xff}, // vermilion
		{0x0f, 0x76, 0x6e, 0xff}, // teal
		{0x7e, 0x3a, 0x9e, 0xff}, // purple
		{0x92, 0x5f, 0x09, 0xff}, // ochre
		{0xb8, 0x1d, 0x5b, 0xff}, // magenta
		{0x3f, 0x6b, 0x21, 0xff}, // olive
		{0x1c, 0x23, 0x2b, 0xff}, // ink
	}
)

func colourOf(rank int) color.RGBA {
	if rank == restRank {
		return quiet
	}
	return palette[rank%len(palette)]
}

// surface is the part of vg.Canvas that charts need; a page of a PDF file has it too.
type surface interface {
	SetColor(color.Color)
	SetLineWidth(vg.Length)
	Stroke(vg.Path)
	Fill(vg.Path)
	FillString(font.Face, vg.Point, string)
}

// fonts are the faces of pictures and pages.
type fonts struct{ regular, bold *opentype.Font }

// loadFonts parses the fonts, which are part of the binary.
var loadFonts = sync.OnceValues(func() (fonts, error) {
	regular, err := opentype.Parse(liberationsansregular.TTF)
	if err != nil {
		return fonts{}, fmt.Errorf("parse regular font: %w", err)
	}
	bold, err := opentype.Parse(liberationsansbold.TTF)
	if err != nil {
		return fonts{}, fmt.Errorf("parse bold font: %w", err)
	}
	return fonts{regular, bold}, nil
})

// face returns a font of a size in pixels.
func (f fonts) face(size float64, bold bool) font.Face {
	face := font.Face{Face: f.regular, Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: pixels(size)}}
	if bold {
		face.Face, face.Font.Weight = f.bold, xfont.WeightBold
	}
	return face
}

// missing stands for a character that the font does not have.
const missing = '□'

// drawable returns text as it is drawn glyph by glyph: characters without a glyph become boxes,
// and text that runs from right to left is put into the order of the eye.
func (f fonts) drawable(text string) string {
	var buffer sfnt.Buffer
	rightToLeft := false
	text = strings.Map(func(r rune) rune {
		if p, _ := bidi.LookupRune(r); p.Class() == bidi.R || p.Class() == bidi.AL {
			rightToLeft = true
		}
		if unicode.Is(unicode.Cf, r) { // says how to draw others, and has no form of its own
			return -1
		}
		if glyph, err := f.regular.GlyphIndex(&buffer, r); err != nil || glyph == 0 || r > math.MaxUint16 {
			return missing
		}
		return r
	}, oneLine(text))
	if !rightToLeft {
		return text
	}
	return visualOrder(text)
}

// visualOrder puts the runs of a line, which the library tells in the order of reading, where
// the eye finds them: by the direction of the first letter.
func visualOrder(text string) string {
	var p bidi.Paragraph
	if _, err := p.SetString(text); err != nil {
		return text
	}
	order, err := p.Order()
	if err != nil {
		return text
	}
	runs := make([]string, order.NumRuns())
	for i := range runs {
		run := order.Run(i)
		runs[i] = run.String()
		if run.Direction() == bidi.RightToLeft {
			runs[i] = bidi.ReverseString(runs[i])
		}
	}
	if startsRightToLeft(text) {
		slices.Reverse(runs)
	}
	return strings.Join(runs, "")
}

func startsRightToLeft(text string) bool {
	for _, r := range text {
		switch p, _ := bidi.LookupRune(r); p.Class() {
		case bidi.L:
			return false
		case bidi.R, bidi.AL:
			return true
		}
	}
	return false
}

// pen draws on a surface in pixels from the top left corner.
type pen struct {
	surface
	fonts         fonts
	width, height float64
	logical       bool // the surface orders and shapes text itself
}

// pixels converts CSS pixels, 96 to the inch.
func pixels(v float64) vg.Length { return vg.Length(v) * vg.Inch / 96 }

func (p *pen) place(x, y float64) vg.Point { return vg.Point{X: pixels(x), Y: pixels(p.height - y)} }

func (p *pen) line(c color.Color, width float64, points ...[2]float64) {
	var path vg.Path
	for i, at := range points {
		if i == 0 {
			path.Move(p.place(at[0], at[1]))
		} else {
			path.Line(p.place(at[0], at[1]))
		}
	}
	p.SetColor(c)
	p.SetLineWidth(pixels(width))
	p.Stroke(path)
}

func (p *pen) rectangle(c color.Color, x, y, width, height float64) {
	var path vg.Path
	path.Move(p.place(x, y))
	path.Line(p.place(x+width, y))
	path.Line(p.place(x+width, y+height))
	path.Line(p.place(x, y+height))
	path.Close()
	p.SetColor(c)
	p.Fill(path)
}

func (p *pen) dot(c color.Color, x, y, radius float64) {
	var path vg.Path
	path.Move(p.place(x+radius, y))
	path.Arc(p.place(x, y), pixels(radius), 0, 2*math.Pi)
	path.Close()
	p.SetColor(c)
	p.Fill(path)
}

// style is how text is written.
type style struct {
	size  float64
	bold  bool
	color color.Color
	align float64 // the part of the text's width that is left of its place
}

// text writes on the base line y.
func (p *pen) text(s style, x, y float64, text string) {
	face := p.fonts.face(s.size, s.bold)
	shown := p.fonts.drawable(text)
	x -= s.align * p.fonts.measure(face, shown)
	if p.logical {
		shown = oneLine(text)
	}
	p.SetColor(s.color)
	p.FillString(face, p.place(x, y), shown)
}

// textWidth measures text in pixels.
func (p *pen) textWidth(size float64, bold bool, text string) float64 {
	return p.fonts.measure(p.fonts.face(size, bold), p.fonts.drawable(text))
}

func (f fonts) measure(face font.Face, text string) float64 {
	return float64(face.Width(text) / pixels(1))
}

// fit shortens text to a width.
func (p *pen) fit(size float64, bold bool, text string, width float64) string {
	if p.textWidth(size, bold, text) <= width {
		return text
	}
	runes := []rune(text)
	low, high := 0, min(len(runes), int(width)) // no character is narrower than a pixel
	for low < high {
		middle := (low + high + 1) / 2
		if p.textWidth(size, bold, string(runes[:middle])+"…") <= width {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return strings.TrimRight(string(runes[:low]), " ") + "…"
}
