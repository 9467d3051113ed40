package render

import (
	"fmt"
	"image/color"
	"io"
	"math"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"codeberg.org/go-pdf/fpdf"
	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// Sizes of pages in points and, where text is set, in CSS pixels, of which 96 are an inch.
const (
	pageShort, pageLong = 595.28, 841.89 // A4
	pointsPerPixel      = 0.75

	pageMargin = 48
	pageFoot   = 64 // the footer's room below the text
	cellSize   = 11
	cellLine   = 15
	cellGap    = 12
	// maxPDFRows bounds the pages that anybody leafs through, about 150.
	maxPDFRows = 5000
	// maxCellLines is how many lines of text a cell has before it is cut.
	maxCellLines = 4
	// minPDFColumn is the width below which text is not read; columns that would get less
	// are left out.
	minPDFColumn = 44
)

// PDF writes the document as pages: headline, chart, the rows with their header on every page,
// and where they come from. Characters that the font (Latin, Greek, Cyrillic, Hebrew) does not
// have become boxes, and the document says so.
func PDF(w io.Writer, d *Document) error {
	f, err := loadFonts()
	if err != nil {
		return err
	}
	width, height := pageShort, pageLong
	if layout := layoutColumns(f, d, pageShort/pointsPerPixel-2*pageMargin); layout.crowded {
		width, height = pageLong, pageShort
	}
	file := fpdf.NewCustom(&fpdf.InitType{OrientationStr: "P", UnitStr: "pt", Size: fpdf.SizeType{Wd: width, Ht: height}})
	file.SetAutoPageBreak(false, 0)
	file.SetMargins(0, 0, 0)
	// Dated by the tick and sorted, so that the same document has the same bytes.
	file.SetCreationDate(d.Tick.UTC())
	file.SetModificationDate(d.Tick.UTC())
	file.SetCatalogSort(true)
	file.SetTitle(d.title(), true)
	file.SetCreator("Millrace", true)
	file.SetLang("en")
	file.AddUTF8FontFromBytes(pdfFamily, "", liberationsansregular.TTF)
	file.AddUTF8FontFromBytes(pdfFamily, "B", liberationsansbold.TTF)

	pages := &pages{file: file, document: d, fonts: f, width: width / pointsPerPixel, height: height / pointsPerPixel}
	pages.write()
	if err := file.Output(w); err != nil {
		return fmt.Errorf("write PDF: %w", err)
	}
	return nil
}

const pdfFamily = "sans"

// pdfSurface is a rectangle of a page on which a pen draws.
type pdfSurface struct {
	file              *fpdf.Fpdf
	left, top, height float64 // in points from the page's top left corner
}

func (s pdfSurface) SetColor(c color.Color) {
	r, g, b, _ := c.RGBA()
	red, green, blue := int(r>>8), int(g>>8), int(b>>8)
	s.file.SetDrawColor(red, green, blue)
	s.file.SetFillColor(red, green, blue)
	s.file.SetTextColor(red, green, blue)
}

func (s pdfSurface) SetLineWidth(width vg.Length) { s.file.SetLineWidth(width.Points()) }

func (s pdfSurface) Stroke(p vg.Path) { s.path(p, "D") }

func (s pdfSurface) Fill(p vg.Path) { s.path(p, "F") }

func (s pdfSurface) at(p vg.Point) (x, y float64) {
	return s.left + p.X.Points(), s.top + s.height - p.Y.Points()
}

// path draws lines and full circles, which are all that the pen makes.
func (s pdfSurface) path(p vg.Path, how string) {
	for _, part := range p {
		x, y := s.at(part.Pos)
		switch part.Type {
		case vg.MoveComp:
			s.file.MoveTo(x, y)
		case vg.LineComp:
			s.file.LineTo(x, y)
		case vg.ArcComp:
			s.file.Circle(x, y, part.Radius.Points(), how)
			return
		case vg.CloseComp:
			s.file.ClosePath()
		}
	}
	s.file.DrawPath(how)
}

func (s pdfSurface) FillString(face font.Face, at vg.Point, text string) {
	weight := ""
	if face.Font.Weight == xfont.WeightBold {
		weight = "B"
	}
	s.file.SetFont(pdfFamily, weight, face.Font.Size.Points())
	x, y := s.at(at)
	s.file.Text(x, y, text)
}

// columnLayout is how wide a table's columns are on a page.
type columnLayout struct {
	widths     []float64 // of the first columns; the others do not fit
	formatters []formatter
	crowded    bool // a wider page would hold more
}

// layoutColumns gives each column what its cells need. Where that is too much, columns of text
// share what numbers and times leave, as text can be broken.
func layoutColumns(f fonts, d *Document, width float64) columnLayout {
	t := &d.Table
	p := &pen{fonts: f}
	l := columnLayout{}
	var need []float64
	for i, c := range t.Columns {
		formatter := newFormatter(t, i, d.zone())
		l.formatters = append(l.formatters, formatter)
		need = append(need, min(p.neededWidth(formatter, t, i)+cellGap, width))
		if c.kind() == kindText {
			need[i] = min(need[i], width*0.6)
		}
	}
	fixed, free := 0.0, 0.0
	for i, c := range t.Columns {
		if c.kind() == kindText {
			free += need[i]
		} else {
			fixed += need[i]
		}
	}
	share := 1.0
	if fixed+free > width {
		l.crowded = true
		share = max(0, width-fixed) / max(1, free)
	}
	used := 0.0
	for i, c := range t.Columns {
		w := need[i]
		if c.kind() == kindText {
			w = max(min(need[i], minPDFColumn), need[i]*share)
		}
		if used+w > width+0.5 && i > 0 {
			break
		}
		used += w
		l.widths = append(l.widths, w)
	}
	l.spread(width, used)
	return l
}

// spread widens columns that leave much of the page empty, by at most half: rows whose cells
// stand far apart are hard to follow.
func (l *columnLayout) spread(width, used float64) {
	if used == 0 || used >= width {
		return
	}
	factor := min(width/used, 1.5)
	for i := range l.widths {
		l.widths[i] *= factor
	}
}

// neededWidth measures a column by its name and its longest cells.
func (p *pen) neededWidth(f formatter, t *Table, column int) float64 {
	const sample = 120 // characters: longer text is broken anyway
	width := p.textWidth(cellSize, true, shorten(oneLine(f.column.Name), sample))
	longest := 0
	for _, row := range t.Rows[:min(len(t.Rows), maxPDFRows)] {
		text := f.brief(row[column], sample)
		if len(text) < longest*4/5 { // cannot be wider, nearly always, and measuring is slow
			continue
		}
		longest = max(longest, len(text))
		width = max(width, p.textWidth(cellSize, false, text))
	}
	return math.Ceil(width)
}
