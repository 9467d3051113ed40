package render

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/xuri/excelize/v2"
)

// drawn is the data of one native chart: a column of names or times, and columns of values.
type drawnTable struct {
	title  string
	kind   excelize.ChartType
	labels []any
	series []drawnSeries
	times  string // the format of labels that are times
}

type drawnSeries struct {
	name   string
	colour string
	values []any
}

// writeChart adds a sheet with the native charts and, right of them, what they draw: a line that
// is split by names has its values in rows of the table, where a sheet's chart needs columns.
func (b *workbook) writeChart() error {
	var tables []drawnTable
	switch b.document.Chart {
	case ChartLine:
		tables = b.lineTables()
	case ChartBar:
		tables = b.barTables()
	}
	if len(tables) == 0 {
		return nil
	}
	if _, err := b.file.NewSheet(chartSheet); err != nil {
		return err
	}
	const dataColumn, chartRows = 14, 18
	column := dataColumn
	for i, t := range tables {
		if err := b.writeDrawn(t, column); err != nil {
			return fmt.Errorf("write the data of a chart: %w", err)
		}
		if err := b.addChart(t, column, "B"+strconv.Itoa(2+i*chartRows)); err != nil {
			return fmt.Errorf("add chart: %w", err)
		}
		column += len(t.series) + 2
	}
	return nil
}

func hexOf(rank int) string {
	c := colourOf(rank)
	return fmt.Sprintf("%02X%02X%02X", c.R, c.G, c.B)
}

// lineTables makes a table of each panel: a row for each time, the newest maxDrawnRows of them.
func (b *workbook) lineTables() []drawnTable {
	data := lines(&b.document.Table, maxSeries)
	column := Column{Type: "DateTime"}
	format := "yyyy-mm-dd hh:mm"
	if data.dates {
		column.Type, format = "Date", "yyyy-mm-dd"
	}
	var tables []drawnTable
	for _, p := range data.panels {
		t := drawnTable{title: p.title, kind: excelize.Line, times: format}
		rowOf := map[time.Time]int{}
		for _, at := range timesOf(p) {
			rowOf[at] = len(t.labels)
			t.labels = append(t.labels, b.timeCell(column, at))
		}
		for _, s := range p.series {
			values := make([]any, len(t.labels))
			for _, point := range s.points {
				if row, ok := rowOf[point.at]; ok && !point.gap {
					values[row] = point.value
				}
			}
			t.series = append(t.series, drawnSeries{s.name, hexOf(s.rank), values})
		}
		tables = append(tables, t)
	}
	return tables
}

// timesOf returns the times of all lines of a panel in order.
func timesOf(p panel) []time.Time {
	var times []time.Time
	for _, s := range p.series {
		for _, point := range s.points {
			times = append(times, point.at)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	times = slices.CompactFunc(times, time.Time.Equal)
	return times[max(0, len(times)-maxDrawnRows):]
}

func (b *workbook) barTables() []drawnTable {
	data := bars(&b.document.Table, maxBars, maxPanels)
	if len(data.bars) == 0 {
		return nil
	}
	var tables []drawnTable
	for c, title := range data.titles {
		t := drawnTable{title: title, kind: excelize.Bar, series: []drawnSeries{{name: title, colour: hexOf(0)}}}
		for _, bar := range data.bars {
			t.labels = append(t.labels, bar.label)
			var v any
			if !bar.gaps[c] {
				v = bar.values[c]
			}
			t.series[0].values = append(t.series[0].values, v)
		}
		tables = append(tables, t)
	}
	return tables
}

// writeDrawn writes a chart's data from a column on.
func (b *workbook) writeDrawn(t drawnTable, column int) error {
	set := func(column, row int, value any) error {
		name, err := excelize.CoordinatesToCellName(column, row)
		if err != nil {
			return err
		}
		if cell, ok := value.(excelize.Cell); ok { // a time with its style
			if err := b.file.SetCellStyle(chartSheet, name, name, cell.StyleID); err != nil {
				return err
			}
			value = cell.Value
		}
		if text, ok := value.(string); ok {
			return b.file.SetCellStr(chartSheet, name, sheetText(text))
		}
		return b.file.SetCellValue(chartSheet, name, value)
	}
	for r, label := range t.labels {
		if err := set(column, r+2, label); err != nil {
			return err
		}
	}
	for i, s := range t.series {
		if err := set(column+1+i, 1, s.name); err != nil {
			return err
		}
		for r, v := range s.values {
			if v == nil {
				continue
			}
			if err := set(column+1+i, r+2, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *workbook) addChart(t drawnTable, column int, cell string) error {
	area := func(column, from, to int) (string, error) {
		name, err := excelize.ColumnNumberToName(column)
		return fmt.Sprintf("%s!$%s$%d:$%s$%d", chartSheet, name, from, name, to), err
	}
	labels, err := area(column, 2, len(t.labels)+1)
	if err != nil {
		return err
	}
	yes := uint(50)
	chart := &excelize.Chart{
		Type: t.kind, Title: excelize.ChartTitle{Paragraph: []excelize.RichTextRun{{Text: shorten(t.title, 80)}}},
		Dimension: excelize.ChartDimension{Width: 720, Height: 340}, ShowBlanksAs: "gap", GapWidth: &yes,
		XAxis:  excelize.ChartAxis{NumFmt: excelize.ChartNumFmt{CustomNumFmt: t.times}, ReverseOrder: t.kind == excelize.Bar},
		YAxis:  excelize.ChartAxis{MajorGridLines: true},
		Legend: excelize.ChartLegend{Position: "bottom"},
		Format: excelize.GraphicOptions{AltText: shorten(describeChart(b.document), 250)},
	}
	if len(t.series) == 1 {
		chart.Legend.Position = "none"
	}
	for i, s := range t.series {
		name, err := area(column+1+i, 1, 1)
		if err != nil {
			return err
		}
		values, err := area(column+1+i, 2, len(t.labels)+1)
		if err != nil {
			return err
		}
		fill := excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{s.colour}}
		chart.Series = append(chart.Series, excelize.ChartSeries{
			Name: name, Categories: labels, Values: values, Fill: fill,
			Line: excelize.LineOptions{Fill: fill, Width: 1.75}, Marker: excelize.ChartMarker{Symbol: "none"},
		})
	}
	return b.file.AddChart(chartSheet, cell, chart)
}
