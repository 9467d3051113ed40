package render

import (
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// figure is a number that stands first in a document: what, how much, and when or of what.
type figure struct{ Label, Value, Detail string }

// Size is the size of the number's letters in a mail: long ones must fit on a phone.
func (f figure) Size() int {
	if utf8.RuneCountInString(f.Value) > 12 {
		return 20
	}
	return 30
}

// maxFigures is how many numbers a headline has.
const maxFigures = 3

// headline picks the numbers that a reader looks for first: the newest of a line chart, all of
// a table of one row, else the greatest.
func headline(d *Document) []figure {
	t := &d.Table
	r := rolesOf(t.Columns)
	switch {
	case len(t.Rows) == 0:
		return []figure{{Label: "rows", Value: "0", Detail: "The query found nothing."}}
	case d.Chart == ChartLine && r.at >= 0 && len(r.numbers) > 0:
		if figures := newest(d, r); len(figures) > 0 {
			return figures
		}
	case len(t.Rows) == 1 && len(r.numbers) > 0:
		var figures []figure
		for _, c := range r.numbers[:min(maxFigures, len(r.numbers))] {
			figures = append(figures, figure{nameOf(t.Columns[c].Name), newFormatter(t, c, d.zone()).brief(t.Rows[0][c], maxNumber), ""})
		}
		return figures
	case r.label >= 0 && len(r.numbers) > 0:
		if top, ok := greatest(d, r); ok {
			return []figure{top, countOf(t)}
		}
	}
	return []figure{countOf(t)}
}

func countOf(t *Table) figure {
	value := grouped(fmt.Sprint(len(t.Rows)))
	if t.Truncated {
		return figure{"rows", value, "and more, which the report leaves out"}
	}
	return figure{"rows", value, ""}
}

// newest returns the last values of a line chart and how they moved. Lines of counts are added
// up; of others the greatest line speaks.
func newest(d *Document, r roles) []figure {
	data := lines(&d.Table, maxSeries)
	var figures []figure
	for _, panel := range data.panels {
		if r.label >= 0 {
			column := d.Table.Columns[r.numbers[len(figures)]]
			s, what := panel.series[0], panel.title+", "+panel.series[0].name
			if column.whole() {
				s, what = total(panel.series), panel.title
			}
			figures = appendNewest(figures, d, data.dates, what, s)
			continue
		}
		for _, s := range panel.series {
			figures = appendNewest(figures, d, data.dates, s.name, s)
		}
	}
	return figures[:min(maxFigures, len(figures))]
}

// total adds up lines at each time.
func total(all []series) series {
	byName := map[string][][]any{}
	var names []string
	for i, s := range all {
		name := fmt.Sprint(i)
		names = append(names, name)
		for _, p := range s.points {
			if !p.gap {
				byName[name] = append(byName[name], []any{p.at, p.value})
			}
		}
	}
	return series{points: sumOf(names, byName, 0, 1)}
}

func appendNewest(figures []figure, d *Document, dates bool, label string, s series) []figure {
	last, ok := s.last()
	if !ok {
		return figures
	}
	zone, layout := d.zone(), "Mon 2 Jan, 15:04"
	if dates {
		zone, layout = time.UTC, "Mon 2 Jan"
	}
	detail := last.at.In(zone).Format(layout)
	if before, ok := s.before(last); ok {
		detail += "; " + change(before.value, last.value)
	}
	return append(figures, figure{label, readable(last.value), detail})
}

// before returns the value before the last one.
func (s series) before(last point) (point, bool) {
	var found point
	ok := false
	for _, p := range s.points {
		if !p.gap && p.at.Before(last.at) {
			found, ok = p, true
		}
	}
	return found, ok
}

// readable writes a single number: whole where it is short enough to be read.
func readable(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e7 {
		return grouped(fmt.Sprintf("%.0f", v))
	}
	return compact(v)
}

func change(before, after float64) string {
	switch {
	case before == after:
		return "as the value before"
	case before == 0:
		return "0 before"
	}
	percent := (after - before) / math.Abs(before) * 100
	if math.Abs(percent) >= 1000 {
		return compact(before) + " before"
	}
	sign := "+"
	if percent < 0 {
		sign = "−"
	}
	decimals := 1
	if math.Abs(percent) >= 10 {
		decimals = 0
	}
	return fmt.Sprintf("%s%.*f %% on the value before", sign, decimals, math.Abs(percent))
}

func greatest(d *Document, r roles) (figure, bool) {
	t := &d.Table
	best, found := 0, false
	top := math.Inf(-1)
	for i, row := range t.Rows {
		if v, ok := number(row[r.numbers[0]]); ok && v > top {
			best, top, found = i, v, true
		}
	}
	if !found {
		return figure{}, false
	}
	label := labelOf(newFormatter(t, r.label, d.zone()).text(t.Rows[best][r.label]))
	value := newFormatter(t, r.numbers[0], d.zone()).brief(t.Rows[best][r.numbers[0]], maxNumber)
	return figure{label, value, nameOf(t.Columns[r.numbers[0]].Name) + ", the most"}, true
}
