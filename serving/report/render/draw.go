package render

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"
	"time"
)

// Sizes of pictures in CSS pixels. A mail's picture is shown at two thirds of its size on a
// phone, where this text is still read.
const (
	labelSize  = 13
	titleSize  = 14
	lineHeight = 17
	margin     = 12
	barPitch   = 30
	// axisHeight is that of the time axis, which has two lines; panelRest is a panel's height
	// beside its lines.
	axisHeight = 2*lineHeight + 4
	panelRest  = lineHeight + 8 + panelGap
	panelGap   = 22
	// Points get dots where there are at most dotted of them in a line, and few lines.
	dotted      = 40
	dottedLines = 3
)

// chart draws the document's chart on the whole surface.
func (p *pen) chart(d *Document) {
	switch d.Chart {
	case ChartLine:
		p.lineChart(d)
	case ChartBar:
		p.barChart(d)
	}
}

// nothing says that there is nothing to draw.
func (p *pen) nothing(d *Document) {
	text := "No rows"
	if len(d.Table.Rows) > 0 {
		text = "No values to draw"
	}
	p.text(style{size: titleSize, color: quiet, align: 0.5}, p.width/2, p.height/2, text)
}

// caption writes a note at the foot and returns the place above it.
func (p *pen) caption(note string) float64 {
	if note == "" {
		return p.height - margin
	}
	y := p.height - margin
	p.text(style{size: labelSize - 1, color: quiet}, margin, y, p.fit(labelSize-1, false, note, p.width-2*margin))
	return y - lineHeight
}

func (p *pen) lineChart(d *Document) {
	panels := max(1, len(lines(&d.Table, maxSeries).panels))
	fits := int((p.height-4*lineHeight)/float64(panels)/lineHeight) - 2
	data := lines(&d.Table, max(1, min(maxSeries, fits)))
	low, high, any := timeRange(data)
	if !any {
		p.nothing(d)
		return
	}
	zone := d.zone()
	if data.dates {
		zone = time.UTC
	}
	foot := p.caption(data.note) - axisHeight
	pitch := (foot - margin + panelGap) / float64(len(data.panels))
	frame := p.lineFrame(data, pitch-panelRest)
	frame.low, frame.high = low, high
	for i, panel := range data.panels {
		frame.bottom = margin + float64(i+1)*pitch - panelGap
		frame.top = frame.bottom - pitch + panelRest
		p.panel(panel, frame)
	}
	p.timeAxis(frame, zone, low.Equal(high))
}

// frame is where a panel's lines go.
type frame struct {
	left, right, top, bottom float64
	low, high                time.Time
}

func (f frame) x(t time.Time) float64 {
	span := seconds(f.low, f.high)
	if span <= 0 {
		return (f.left + f.right) / 2
	}
	return f.left + seconds(f.low, t)/span*(f.right-f.left)
}

func (f frame) y(a valueAxis, v float64) float64 {
	return f.bottom - (v-a.low)/(a.high-a.low)*(f.bottom-f.top)
}

// lineFrame leaves room for the values at the left and for the names of lines at the right,
// the same in all panels, so that their times stand one below the other.
func (p *pen) lineFrame(data lineData, height float64) frame {
	left, right := 0.0, 0.0
	for _, panel := range data.panels {
		axis, ok := panel.axis(height)
		if !ok {
			continue
		}
		for _, v := range axis.ticks() {
			left = max(left, p.textWidth(labelSize, false, compact(v)))
		}
		for _, s := range panel.series {
			right = max(right, p.textWidth(labelSize, true, panel.endLabel(s)))
		}
	}
	return frame{left: margin + left + 8, right: p.width - margin - min(right, p.width*0.34) - 10}
}

// axis fits the values of a panel's lines; false where it has none.
func (pl panel) axis(height float64) (valueAxis, bool) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range pl.series {
		for _, point := range s.points {
			if !point.gap {
				low, high = min(low, point.value), max(high, point.value)
			}
		}
	}
	if low > high {
		return valueAxis{}, false
	}
	return newValueAxis(low, high, int(min(5, max(3, height/45)))), true
}

// endLabel stands at the end of a line: its name, or its last value where it is the only one.
func (pl panel) endLabel(s series) string {
	if len(pl.series) > 1 {
		return s.name
	}
	last, ok := s.last()
	if !ok {
		return ""
	}
	return compact(last.value)
}

func (s series) last() (point, bool) {
	for _, point := range slices.Backward(s.points) {
		if !point.gap {
			return point, true
		}
	}
	return point{}, false
}

func (p *pen) panel(pl panel, f frame) {
	p.text(style{size: titleSize, bold: true, color: ink}, margin, f.top-lineHeight+4, p.fit(titleSize, true, pl.title, p.width-2*margin))
	axis, ok := pl.axis(f.bottom - f.top)
	if !ok {
		p.text(style{size: labelSize, color: quiet, align: 0.5}, (f.left+f.right)/2, (f.top+f.bottom)/2, "no values")
		return
	}
	for _, v := range axis.ticks() {
		y := f.y(axis, v)
		colour := hairline
		if v == 0 {
			colour = quiet
		}
		p.line(colour, 1, [2]float64{f.left, y}, [2]float64{f.right, y})
		p.text(style{size: labelSize, color: quiet, align: 1}, f.left-8, y+4.5, compact(v))
	}
	for _, s := range slices.Backward(pl.series) { // the greatest above the others
		p.series(s, f, axis, len(s.points) <= dotted && len(pl.series) <= dottedLines)
	}
	p.endLabels(pl, f, axis)
}

func (p *pen) series(s series, f frame, axis valueAxis, dots bool) {
	colour := colourOf(s.rank)
	var run [][2]float64
	flush := func() {
		if len(run) > 1 {
			p.line(colour, 2.2, run...)
		}
		if dots || len(run) == 1 { // a value between two gaps is no line
			for _, at := range run {
				p.dot(colour, at[0], at[1], 2.8)
			}
		}
		run = nil
	}
	for _, point := range s.points {
		if point.gap {
			flush()
			continue
		}
		run = append(run, [2]float64{f.x(point.at), f.y(axis, point.value)})
	}
	flush()
	if last, ok := s.last(); ok {
		p.dot(colour, f.x(last.at), f.y(axis, last.value), 3.6)
	}
}

// endLabels names the lines at their ends, pushed apart where they would lie on each other.
func (p *pen) endLabels(pl panel, f frame, axis valueAxis) {
	type label struct {
		text      string
		x, y, end float64
		colour    color.RGBA
	}
	var labels []label
	for _, s := range pl.series {
		if last, ok := s.last(); ok {
			y := f.y(axis, last.value)
			labels = append(labels, label{pl.endLabel(s), f.x(last.at), y, y, colourOf(s.rank)})
		}
	}
	slices.SortStableFunc(labels, func(a, b label) int { return int(math.Copysign(1, a.y-b.y)) })
	for i := 1; i < len(labels); i++ {
		labels[i].y = max(labels[i].y, labels[i-1].y+lineHeight-1)
	}
	bottom := f.bottom + lineHeight/2
	for i := len(labels) - 1; i >= 0 && labels[i].y > bottom; i-- {
		labels[i].y = bottom
		bottom -= lineHeight - 1
	}
	room := p.width - margin - f.right - 10
	for _, l := range labels {
		if math.Abs(l.y-l.end) > 3 || f.right-l.x > 6 {
			p.line(hairline, 1, [2]float64{l.x + 4, l.end}, [2]float64{f.right + 7, l.y})
		}
		p.text(style{size: labelSize, bold: true, color: l.colour}, f.right+10, l.y+4.5, p.fit(labelSize, true, l.text, room))
	}
}

// tickWidth is the room of a tick's label.
const tickWidth = 62

func (p *pen) timeAxis(f frame, zone *time.Location, single bool) {
	ticks := timeTicks(f.low, f.high, zone, int((f.right-f.left)/tickWidth))
	if single {
		at := f.low.In(zone)
		ticks = []timeTick{{at: at, fine: at.Format("15:04"), broad: at.Format("2 Jan 2006")}}
		if y, m, d := at.Date(); time.Date(y, m, d, 0, 0, 0, 0, zone).Equal(at) {
			ticks[0].fine, ticks[0].broad = at.Format("2 Jan"), at.Format("2006")
		}
	}
	end := 0.0
	for _, t := range ticks {
		x := f.x(t.at)
		p.line(quiet, 1, [2]float64{x, f.bottom}, [2]float64{x, f.bottom + 4})
		width := p.textWidth(labelSize, false, t.fine)
		if x-width/2 < end {
			continue
		}
		end = x + width/2 + 6
		p.text(style{size: labelSize, color: quiet, align: 0.5}, x, f.bottom+lineHeight+3, t.fine)
	}
	end = 0
	for _, t := range ticks {
		x := f.x(t.at)
		width := p.textWidth(labelSize, false, t.broad)
		x = min(max(x, margin+width/2), p.width-margin-width/2)
		if t.broad == "" || x-width/2 < end {
			continue
		}
		end = x + width/2 + 10
		p.text(style{size: labelSize, color: ink, align: 0.5}, x, f.bottom+2*lineHeight+3, t.broad)
	}
}

func timeRange(data lineData) (low, high time.Time, any bool) {
	for _, panel := range data.panels {
		for _, s := range panel.series {
			for _, point := range s.points {
				if point.gap {
					continue
				}
				if !any || point.at.Before(low) {
					low = point.at
				}
				if !any || point.at.After(high) {
					high = point.at
				}
				any = true
			}
		}
	}
	return low, high, any
}

// barColumn is the least width of a column of bars.
const barColumn = 120

func (p *pen) barChart(d *Document) {
	fits := int((p.height - 3*lineHeight) / (barPitch * 2 / 3))
	data := bars(&d.Table, max(1, min(maxBars, fits)), max(1, min(maxPanels, int(p.width*0.7/barColumn))))
	if len(data.bars) == 0 {
		p.nothing(d)
		return
	}
	names := 0.0
	for _, b := range data.bars {
		names = max(names, p.textWidth(labelSize, false, b.label))
	}
	names = min(names, p.width*0.36)
	foot := p.caption(data.note)
	top := float64(margin + lineHeight + 6)
	pitch := min(barPitch, (foot-top)/float64(len(data.bars)))
	for i, b := range data.bars {
		colour := color.Color(ink)
		if b.rest {
			colour = quiet
		}
		y := top + (float64(i)+0.5)*pitch
		p.text(style{size: labelSize, color: colour, align: 1}, margin+names, y+4.5, p.fit(labelSize, false, b.label, names))
	}
	left := margin + names + 10
	width := (p.width - margin - left) / float64(len(data.titles))
	for c, title := range data.titles {
		x := left + float64(c)*width
		p.text(style{size: titleSize, bold: true, color: ink}, x, margin+4.5+4, p.fit(titleSize, true, title, width-12))
		p.barColumn(data.bars, c, x, top, width-12, pitch)
	}
}

// barColumn draws the bars of one column of numbers from a common zero; each bears its value.
func (p *pen) barColumn(bars []bar, column int, left, top, width, pitch float64) {
	low, high, label := 0.0, 0.0, 0.0
	for _, b := range bars {
		low, high = min(low, b.values[column]), max(high, b.values[column])
		label = max(label, p.textWidth(labelSize, false, compact(b.values[column])))
	}
	label += 8
	room := width - label
	if low < 0 {
		room -= label // values of negative bars stand at their left
	}
	span := high - low
	if span == 0 {
		span = 1
	}
	zero := left + (0-low)/span*room
	if low < 0 {
		zero += label
	}
	for i, b := range bars {
		y := top + (float64(i)+0.5)*pitch
		if b.gaps[column] {
			p.text(style{size: labelSize, color: quiet}, zero+6, y+4.5, null)
			continue
		}
		v := b.values[column]
		length := v / span * room
		colour := colourOf(0)
		if b.rest {
			colour = quiet
		}
		p.rectangle(colour, min(zero, zero+length), y-pitch*0.34, math.Abs(length), pitch*0.68)
		at := style{size: labelSize, color: ink}
		x := zero + length + 6
		if v < 0 {
			at.align, x = 1, zero+length-6
		}
		p.text(at, x, y+4.5, compact(v))
	}
	p.line(quiet, 1, [2]float64{zero, top}, [2]float64{zero, top + float64(len(bars))*pitch})
}

// describeChart says in words what the picture shows.
func describeChart(d *Document) string {
	switch d.Chart {
	case ChartLine:
		data := lines(&d.Table, maxSeries)
		low, high, any := timeRange(data)
		if !any {
			return "Line chart without values."
		}
		zone := d.zone()
		if data.dates {
			zone = time.UTC
		}
		var titles []string
		for _, panel := range data.panels {
			titles = append(titles, panel.title)
		}
		return fmt.Sprintf("Line chart of %s from %s to %s.", strings.Join(titles, "; "), low.In(zone).Format("2 Jan 2006 15:04"), high.In(zone).Format("2 Jan 2006 15:04"))
	case ChartBar:
		data := bars(&d.Table, maxBars, maxPanels)
		if len(data.bars) == 0 {
			return "Bar chart without values."
		}
		first := data.bars[0]
		return fmt.Sprintf("Bar chart of %s with %d bars; the first is %s with %s.", strings.Join(data.titles, ", "), len(data.bars), first.label, compact(first.values[0]))
	}
	return ""
}
