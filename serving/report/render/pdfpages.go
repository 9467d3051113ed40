package render

import (
	"fmt"
	"image/color"
	"strings"
	"unicode/utf8"

	"codeberg.org/go-pdf/fpdf"
)

// pages writes a document from top to bottom and begins a page where one is full.
type pages struct {
	file          *fpdf.Fpdf
	document      *Document
	fonts         fonts
	width, height float64 // of a page in pixels
	pen           *pen    // of the page that is written
	y             float64 // where the next thing goes
	boxes         bool    // a character had no glyph
}

func (p *pages) write() {
	d := p.document
	p.begin()
	p.paragraph(style{size: 21, bold: true, color: ink}, 27, 3, d.title())
	p.paragraph(style{size: 13, color: quiet}, 20, 1, tickLine(d))
	for _, w := range warnings(d) {
		p.y += 6
		p.paragraph(style{size: 13, bold: true, color: alarm}, 18, 3, w)
	}
	p.y += 14
	p.figures(headline(d))
	p.chart()
	rows, columns := p.table()
	p.y += 10
	for _, note := range leftOut(d, rows, columns) {
		p.paragraph(style{size: 12, color: quiet}, 17, 2, note)
	}
	if p.boxes {
		p.paragraph(style{size: 12, color: quiet}, 17, 3, string(missing)+" stands for a character that the font of this file does not have; HTML, workbooks and the data formats have it.")
	}
	p.y += 6
	for _, line := range provenance(d) {
		p.paragraph(style{size: 12, color: quiet}, 17, 2, line)
	}
	p.paragraph(style{size: 12, color: quiet}, 17, 1, fmt.Sprintf("Times in %s.", d.zone()))
	p.footers()
}

func (p *pages) begin() {
	p.file.AddPage()
	p.pen = p.penOf(0, 0, p.width, p.height)
	p.y = pageMargin
}

// penOf returns a pen for a rectangle of the page, in pixels.
func (p *pages) penOf(left, top, width, height float64) *pen {
	s := pdfSurface{file: p.file, left: left * pointsPerPixel, top: top * pointsPerPixel, height: height * pointsPerPixel}
	return &pen{surface: s, fonts: p.fonts, width: width, height: height}
}

// room begins a page where less than a height is left of this one.
func (p *pages) room(height float64) bool {
	if p.y+height <= p.height-pageFoot || p.y <= pageMargin {
		return false
	}
	p.begin()
	return true
}

func (p *pages) textWidth() float64 { return p.width - 2*pageMargin }

func (p *pages) paragraph(s style, line float64, maxLines int, text string) {
	p.see(text)
	for _, l := range p.pen.wrap(s.size, s.bold, text, p.textWidth(), maxLines) {
		p.room(line)
		p.pen.text(s, pageMargin, p.y+s.size, l)
		p.y += line
	}
}

// see remembers that a text is not drawn as it is.
func (p *pages) see(text string) {
	p.boxes = p.boxes || (!strings.ContainsRune(text, missing) && strings.ContainsRune(p.fonts.drawable(text), missing))
}

func (p *pages) figures(figures []figure) {
	width := p.textWidth() / float64(max(1, len(figures)))
	for i, f := range figures {
		x, room := pageMargin+float64(i)*width, width-cellGap
		p.see(f.Label + f.Detail)
		p.pen.text(style{size: 12, color: quiet}, x, p.y+12, p.pen.fit(12, false, f.Label, room))
		p.pen.text(style{size: 28, bold: true, color: ink}, x, p.y+42, p.pen.fit(28, true, f.Value, room))
		for l, line := range p.pen.wrap(12, false, f.Detail, room, 2) {
			p.pen.text(style{size: 12, color: quiet}, x, p.y+60+float64(l)*16, line)
		}
	}
	p.y += 92
}

func (p *pages) chart() {
	if !p.document.drawn() {
		return
	}
	height := min(float64(chartHeight(p.document)), p.height-pageFoot-pageMargin)
	p.room(height)
	p.penOf(pageMargin-margin, p.y, p.textWidth()+2*margin, height).chart(p.document)
	p.y += height + 10
}

// table writes the rows and returns how many rows and columns are shown.
func (p *pages) table() (rows, columns int) {
	t := &p.document.Table
	layout := layoutColumns(p.fonts, p.document, p.textWidth())
	if len(t.Rows) == 0 {
		return 0, len(t.Columns)
	}
	rows = min(len(t.Rows), maxPDFRows)
	p.room(4 * cellLine)
	p.header(layout)
	for _, row := range t.Rows[:rows] {
		cells, lines := p.cells(layout, row)
		if p.room(float64(lines)*cellLine + 6) {
			p.header(layout)
		}
		p.row(layout, cells, lines, style{size: cellSize, color: ink}, hairline)
	}
	return rows, len(layout.widths)
}

func (p *pages) header(layout columnLayout) {
	cells, lines := make([][]string, len(layout.widths)), 1
	for i, width := range layout.widths {
		cells[i] = p.pen.wrap(cellSize, true, layout.formatters[i].column.Name, width-cellGap, maxCellLines)
		lines = max(lines, len(cells[i]))
	}
	p.row(layout, cells, lines, style{size: cellSize, bold: true, color: quiet}, quiet)
}

// cells breaks the text of a row into lines.
func (p *pages) cells(layout columnLayout, row []any) (cells [][]string, lines int) {
	cells, lines = make([][]string, len(layout.widths)), 1
	for i, width := range layout.widths {
		f := layout.formatters[i]
		text := oneLine(f.text(row[i]))
		p.see(text)
		cells[i] = p.pen.wrap(cellSize, false, text, width-cellGap, maxCellLines)
		lines = max(lines, len(cells[i]))
	}
	return cells, lines
}

func (p *pages) row(layout columnLayout, cells [][]string, lines int, s style, rule color.Color) {
	x := float64(pageMargin)
	for i, width := range layout.widths {
		place := x
		s.align = 0
		if layout.formatters[i].column.align() == "right" {
			place, s.align = x+width-cellGap, 1
		}
		for l, text := range cells[i] {
			p.pen.text(s, place, p.y+float64(l)*cellLine+cellSize+2, text)
		}
		x += width
	}
	p.y += float64(lines)*cellLine + 6
	p.pen.line(rule, 0.75, [2]float64{pageMargin, p.y - 2}, [2]float64{x - cellGap, p.y - 2})
}

// footers number the pages, now that their count is known, and say on each where it comes from.
func (p *pages) footers() {
	d := p.document
	from := d.title() + ", " + tickLine(d)
	if len(warnings(d)) > 0 {
		from = "Incomplete or not current, see the first page. " + from
	}
	if lines := provenance(d); len(lines) > 0 {
		from += "; " + strings.Join(lines, "; ")
	}
	count := p.file.PageCount()
	for page := 1; page <= count; page++ {
		p.file.SetPage(page)
		p.file.SetFont(pdfFamily, "B", 1) // the library writes a font only where it is another than on the page before
		number := fmt.Sprintf("%d / %d", page, count)
		s := style{size: 10, color: quiet}
		y := p.height - pageFoot/2
		p.pen.line(hairline, 0.75, [2]float64{pageMargin, y - 16}, [2]float64{p.width - pageMargin, y - 16})
		p.pen.text(s, pageMargin, y, p.pen.fit(s.size, false, from, p.textWidth()-80))
		s.align = 1
		p.pen.text(s, p.width-pageMargin, y, number)
	}
}

// wrap breaks text between words, and within a word that is wider than a line. The last line
// ends with an ellipsis where there is more.
func (p *pen) wrap(size float64, bold bool, text string, width float64, maxLines int) []string {
	text = oneLine(text)
	var lines []string
	for text != "" {
		if len(lines) == maxLines-1 {
			return append(lines, p.fit(size, bold, text, width))
		}
		line := p.head(size, bold, text, width)
		lines = append(lines, strings.TrimSpace(line))
		text = strings.TrimLeft(text[len(line):], " ")
	}
	return lines
}

// head returns the part of a text that goes on one line.
func (p *pen) head(size float64, bold bool, text string, width float64) string {
	if p.textWidth(size, bold, shorten(text, int(width)+1)) <= width {
		return text
	}
	end := 0
	for i := range text {
		if i > 0 && p.textWidth(size, bold, text[:i]) > width {
			break
		}
		end = i
	}
	if space := strings.LastIndexByte(text[:end], ' '); space > 0 {
		return text[:space]
	}
	if end == 0 { // not even one character fits
		_, end = utf8.DecodeRuneInString(text)
	}
	return text[:end]
}
