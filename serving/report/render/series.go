package render

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Limits of what one picture shows: more lines or bars than these are not told apart.
const (
	maxSeries = 8
	maxBars   = 12
	maxPanels = 3
	// otherScale is how many times smaller a column's values may be before they get a panel
	// of their own: on a common axis they would lie on its zero.
	otherScale = 10
)

// point is a place of a line; a NULL or NaN breaks the line there.
type point struct {
	at    time.Time
	value float64
	gap   bool
}

// series is one line.
type series struct {
	name   string
	rank   int // of its colour, the same in every panel; the rest has restRank
	points []point
}

const restRank = -1

// panel is a picture with an axis of values.
type panel struct {
	title  string
	series []series
}

// lineData is what a line chart draws.
type lineData struct {
	panels []panel
	dates  bool // the x axis has days, which are the same in every zone
	note   string
}

// roles are the columns that a chart takes its parts from.
type roles struct {
	at, label int // -1 for none
	numbers   []int
	labels    int // how many columns of text there are
}

func rolesOf(columns []Column) roles {
	r := roles{at: -1, label: -1}
	for i, c := range columns {
		switch c.kind() {
		case kindNumber:
			r.numbers = append(r.numbers, i)
		case kindDate, kindTime:
			if r.at < 0 {
				r.at = i
			}
		case kindText:
			if r.label < 0 {
				r.label = i
			}
			r.labels++
		}
	}
	return r
}

// lines turns a table into the lines of a chart with at most limit of them in one panel.
func lines(t *Table, limit int) lineData {
	r := rolesOf(t.Columns)
	if r.at < 0 || len(r.numbers) == 0 {
		return lineData{}
	}
	rows := slices.Clone(t.Rows)
	rows = slices.DeleteFunc(rows, func(row []any) bool { _, ok := row[r.at].(time.Time); return !ok })
	slices.SortStableFunc(rows, func(a, b []any) int { return a[r.at].(time.Time).Compare(b[r.at].(time.Time)) })
	data := lineData{dates: t.Columns[r.at].kind() == kindDate}
	if len(rows) == 0 {
		return data
	}
	if r.label >= 0 {
		data.panels, data.note = splitLinesOf(t.Columns, rows, r, limit)
	} else {
		data.panels, data.note = columnLines(t.Columns, rows, r, limit)
	}
	return data
}

// columnLines makes a line of each column of numbers; those of another scale stand in a
// panel below.
func columnLines(columns []Column, rows [][]any, r roles, limit int) ([]panel, string) {
	var panels []panel
	var peaks []float64
	left := 0
	for _, c := range r.numbers {
		s := series{name: nameOf(columns[c].Name), points: make([]point, len(rows))}
		peak := 0.0
		for i, row := range rows {
			v, ok := number(row[c])
			s.points[i] = point{row[r.at].(time.Time), v, !ok}
			peak = max(peak, math.Abs(v))
		}
		at := slices.IndexFunc(peaks, func(p float64) bool { return p <= peak*otherScale && peak <= p*otherScale })
		switch {
		case at >= 0 && len(panels[at].series) < limit:
			s.rank = len(panels[at].series)
			panels[at].series = append(panels[at].series, s)
			panels[at].title += ", " + s.name
		case at < 0 && len(panels) < maxPanels:
			panels = append(panels, panel{title: s.name, series: []series{s}})
			peaks = append(peaks, peak)
		default:
			left++
		}
	}
	return panels, notDrawn(left, "column", "columns")
}

// splitLinesOf makes a line of each value of the text column, and a panel of each column of
// numbers.
func splitLinesOf(columns []Column, rows [][]any, r roles, limit int) ([]panel, string) {
	names, byName := groupRows(rows, r)
	shown := names[:min(limit, len(names))]
	rest := names[len(shown):]
	numbers := r.numbers[:min(maxPanels, len(r.numbers))]
	var panels []panel
	summed := 0
	for _, c := range numbers {
		p := panel{title: nameOf(columns[c].Name)}
		for rank, name := range shown {
			p.series = append(p.series, series{name: labelOf(name), rank: rank, points: pointsOf(byName[name], r.at, c)})
		}
		if len(rest) > 0 && columns[c].whole() {
			p.series = append(p.series, series{name: fmt.Sprintf("%d others", len(rest)), rank: restRank, points: sumOf(rest, byName, r.at, c)})
			summed++
		}
		panels = append(panels, p)
	}
	left := 0
	if summed < len(numbers) {
		left = len(rest)
	}
	note := notDrawn(left, "line", "lines")
	if more := notDrawn(len(r.numbers)-len(numbers), "column", "columns"); more != "" {
		note = joinNotes(note, more)
	}
	return panels, note
}

// groupRows returns the values of the text column, the greatest sums of the first number
// first, and the rows of each.
func groupRows(rows [][]any, r roles) ([]string, map[string][][]any) {
	byName := map[string][][]any{}
	weight := map[string]float64{}
	var names []string
	f := formatter{zone: time.UTC}
	for _, row := range rows {
		name := f.text(row[r.label])
		if _, known := byName[name]; !known {
			names = append(names, name)
		}
		byName[name] = append(byName[name], row)
		v, _ := number(row[r.numbers[0]])
		weight[name] += math.Abs(v)
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(weight[b], weight[a]) })
	return names, byName
}

func pointsOf(rows [][]any, at, column int) []point {
	points := make([]point, len(rows))
	for i, row := range rows {
		v, ok := number(row[column])
		points[i] = point{row[at].(time.Time), v, !ok}
	}
	return points
}

// sumOf adds up series at each of their times.
func sumOf(names []string, byName map[string][][]any, at, column int) []point {
	sums := map[time.Time]float64{}
	for _, name := range names {
		for _, p := range pointsOf(byName[name], at, column) {
			sums[p.at] += p.value
		}
	}
	points := make([]point, 0, len(sums))
	for t, v := range sums {
		points = append(points, point{at: t, value: v})
	}
	slices.SortFunc(points, func(a, b point) int { return a.at.Compare(b.at) })
	return points
}

// bar is a row of a bar chart: a category and a value in each column.
type bar struct {
	label  string
	values []float64
	gaps   []bool
	rest   bool
}

// barData is what a bar chart draws.
type barData struct {
	titles []string
	bars   []bar
	note   string
}

// bars turns a table into at most limit bars in each of at most panels columns. They stand in
// the answer's order, or by size where some are left out.
func bars(t *Table, limit, panels int) barData {
	r := rolesOf(t.Columns)
	if r.label < 0 || len(r.numbers) == 0 {
		return barData{}
	}
	numbers := r.numbers[:min(panels, len(r.numbers))]
	var data barData
	whole := true
	for _, c := range numbers {
		data.titles = append(data.titles, nameOf(t.Columns[c].Name))
		whole = whole && t.Columns[c].whole()
	}
	f := newFormatter(t, r.label, time.UTC)
	for _, row := range t.Rows {
		b := bar{label: labelOf(f.text(row[r.label]))}
		for _, c := range numbers {
			v, ok := number(row[c])
			b.values = append(b.values, v)
			b.gaps = append(b.gaps, !ok)
		}
		data.bars = append(data.bars, b)
	}
	left := 0
	if len(data.bars) > limit {
		slices.SortStableFunc(data.bars, func(a, b bar) int { return cmp.Compare(math.Abs(b.values[0]), math.Abs(a.values[0])) })
		kept := max(1, limit-1)
		rest := data.bars[kept:]
		data.bars = data.bars[:kept:kept]
		if whole {
			data.bars = append(data.bars, sumBars(rest))
		} else {
			left = len(rest)
		}
	}
	data.note = joinNotes(notDrawn(left, "row", "rows"), notDrawn(len(r.numbers)-len(numbers), "column", "columns"))
	return data
}

func sumBars(rest []bar) bar {
	sum := bar{label: fmt.Sprintf("%d others", len(rest)), values: make([]float64, len(rest[0].values)), gaps: make([]bool, len(rest[0].values)), rest: true}
	for _, b := range rest {
		for i, v := range b.values {
			sum.values[i] += v
		}
	}
	return sum
}

// labelOf is a category's name on one line.
func labelOf(s string) string {
	if s = nameOf(s); s == "" {
		return "(empty)"
	}
	return s
}

func notDrawn(n int, one, many string) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "1 more " + one + " is not drawn."
	}
	return fmt.Sprintf("%d more %s are not drawn.", n, many)
}

func joinNotes(a, b string) string {
	if a != "" && b != "" {
		return a + " " + b
	}
	return a + b
}
