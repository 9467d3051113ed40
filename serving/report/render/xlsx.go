package render

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
)

// Limits of a workbook, which Excel sets.
const (
	maxSheetRows    = 1 << 20
	maxSheetColumns = 1 << 14
	maxSheetCell    = 32767 // UTF-16 units
	// maxSheetDigits is how many decimal digits a number of a sheet keeps.
	maxSheetDigits = 15
	// maxDrawnRows bounds the rows of a native chart: a line of more has no visible points.
	maxDrawnRows = 4000
	// Widths of columns in characters, measured in the first measuredRows.
	minSheetWidth, maxSheetWidth = 9, 60
	measuredRows                 = 200
)

// Names of a workbook's sheets.
const (
	rowsSheet  = "Report"
	partSheet  = "Report (incomplete)"
	aboutSheet = "About"
	chartSheet = "Chart"
)

// The days that are counted alike in Excel and in the calendar: Excel has a 29 February 1900.
var (
	firstSheetDay = time.Date(1900, 3, 1, 0, 0, 0, 0, time.UTC)
	lastSheetDay  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// XLSX writes the document as a workbook: the rows with types, where they come from, and
// the chart as one of the workbook's own. Text is text, also where it begins as a formula does;
// numbers that a sheet would round are text. Times are the clock of the document's zone.
func XLSX(w io.Writer, d *Document) error {
	if n := len(d.Table.Columns); n > maxSheetColumns {
		return fmt.Errorf("render workbook: the answer has %d columns, a sheet at most %d", n, maxSheetColumns)
	}
	f := excelize.NewFile()
	defer f.Close()
	b := &workbook{file: f, document: d, rows: rowsSheet}
	if len(warnings(d)) > 0 {
		b.rows = partSheet
	}
	for _, step := range []func() error{b.properties, b.styles, b.writeRows, b.writeAbout, b.writeChart} {
		if err := step(); err != nil {
			return fmt.Errorf("render workbook: %w", err)
		}
	}
	if err := f.Write(w); err != nil {
		return fmt.Errorf("write workbook: %w", err)
	}
	return nil
}

// workbook is a document on its way into a file.
type workbook struct {
	file         *excelize.File
	document     *Document
	rows         string // the name of the sheet with the rows
	head, strong int    // styles
	moment, day  int
	wrapped      int
}

// properties names the sheets and dates the file by the tick, so that the same document gives
// the same parts.
func (b *workbook) properties() error {
	if err := b.file.SetSheetName("Sheet1", b.rows); err != nil {
		return err
	}
	if _, err := b.file.NewSheet(aboutSheet); err != nil {
		return err
	}
	at := b.document.Tick.UTC().Format(time.RFC3339)
	return b.file.SetDocProps(&excelize.DocProperties{Title: shorten(b.document.title(), 200), Creator: "Millrace", LastModifiedBy: "Millrace", Created: at, Modified: at})
}

func (b *workbook) styles() error {
	momentFormat, dayFormat := "yyyy-mm-dd hh:mm:ss", "yyyy-mm-dd"
	line := []excelize.Border{{Type: "bottom", Color: "B8C0C8", Style: 1}}
	for _, s := range []struct {
		id    *int
		style excelize.Style
	}{
		{&b.head, excelize.Style{Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"EEF1F4"}}, Border: line, Alignment: &excelize.Alignment{Vertical: "top", WrapText: true}}},
		{&b.strong, excelize.Style{Font: &excelize.Font{Bold: true}, Alignment: &excelize.Alignment{Vertical: "top"}}},
		{&b.moment, excelize.Style{CustomNumFmt: &momentFormat}},
		{&b.day, excelize.Style{CustomNumFmt: &dayFormat}},
		{&b.wrapped, excelize.Style{Alignment: &excelize.Alignment{Vertical: "top", WrapText: true}}},
	} {
		id, err := b.file.NewStyle(&s.style)
		if err != nil {
			return fmt.Errorf("make style: %w", err)
		}
		*s.id = id
	}
	return nil
}

// shownRows is how many rows the sheet takes.
func (b *workbook) shownRows() int { return min(len(b.document.Table.Rows), maxSheetRows-1) }

func (b *workbook) writeRows() error {
	t := &b.document.Table
	if len(t.Columns) == 0 {
		return nil
	}
	corner, err := excelize.CoordinatesToCellName(len(t.Columns), b.shownRows()+1)
	if err != nil {
		return err
	}
	// Before the stream, which takes over what the sheet has by then.
	if err := b.file.AutoFilter(b.rows, "A1:"+corner, nil); err != nil {
		return fmt.Errorf("set filter: %w", err)
	}
	sheet, err := b.file.NewStreamWriter(b.rows)
	if err != nil {
		return err
	}
	if err := sheet.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return fmt.Errorf("freeze header: %w", err)
	}
	header := make([]any, len(t.Columns))
	for i, c := range slices.Backward(t.Columns) { // as the library writes widths last to first
		header[i] = excelize.Cell{StyleID: b.head, Value: sheetText(c.Name)}
		if err := sheet.SetColWidth(i+1, i+1, sheetWidth(t, i, b.document.zone())); err != nil {
			return fmt.Errorf("set width of column %d: %w", i+1, err)
		}
	}
	if err := sheet.SetRow("A1", header); err != nil {
		return err
	}
	values := make([]any, len(t.Columns))
	for r, row := range t.Rows[:b.shownRows()] {
		for i, c := range t.Columns {
			values[i] = b.cell(c, row[i])
		}
		if err := sheet.SetRow("A"+strconv.Itoa(r+2), values); err != nil {
			return fmt.Errorf("write row %d: %w", r+1, err)
		}
	}
	return sheet.Flush()
}

func sheetWidth(t *Table, column int, zone *time.Location) float64 {
	f := formatter{column: t.Columns[column], zone: zone, layout: time.DateTime, decimals: 2}
	width := utf8.RuneCountInString(t.Columns[column].Name) + 3 // the filter's button
	for _, row := range t.Rows[:min(len(t.Rows), measuredRows)] {
		width = max(width, utf8.RuneCountInString(f.text(row[column]))+2)
	}
	return float64(min(max(width, minSheetWidth), maxSheetWidth))
}

// cell returns what the library writes for a cell of a column; nil is an empty one.
func (b *workbook) cell(c Column, cell any) any {
	switch v := cell.(type) {
	case nil:
		return nil
	case bool:
		return v
	case int64:
		if digits(strconv.FormatInt(v, 10)) > maxSheetDigits {
			return strconv.FormatInt(v, 10)
		}
		return v
	case uint64:
		if digits(strconv.FormatUint(v, 10)) > maxSheetDigits {
			return strconv.FormatUint(v, 10)
		}
		return v
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(v, 'g', -1, 64), "+"))
		}
		return v
	case time.Time:
		return b.timeCell(c, v)
	case string:
		if v, ok := sheetNumber(c, v); ok {
			return v
		}
		return sheetText(v)
	}
	return sheetText(fmt.Sprint(cell))
}

// sheetNumber returns a decimal, or an integer of many bits, that a sheet keeps whole.
func sheetNumber(c Column, text string) (float64, bool) {
	if c.kind() != kindNumber || digits(text) > maxSheetDigits {
		return 0, false
	}
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil
}

// digits counts the significant digits of a number's text.
func digits(text string) int {
	text = strings.TrimLeft(strings.TrimPrefix(text, "-"), "0.")
	return len(strings.ReplaceAll(text, ".", ""))
}

// timeCell returns a time as the clock of the zone shows it: sheets know no zones. Outside of
// Excel's calendar it is text.
func (b *workbook) timeCell(c Column, t time.Time) any {
	style, layout := b.moment, time.DateTime
	if c.kind() == kindDate {
		t, style, layout = t.UTC(), b.day, time.DateOnly
	} else {
		t = t.In(b.document.zone())
	}
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	clock := time.Date(year, month, day, hour, minute, second, t.Nanosecond(), time.UTC)
	if clock.Before(firstSheetDay) || clock.After(lastSheetDay) {
		return clock.Format(layout)
	}
	return excelize.Cell{StyleID: style, Value: clock}
}

// sheetText fits text into a cell: one that is too long ends with an ellipsis.
func sheetText(s string) string {
	s = clean(s)
	if len(s) <= maxSheetCell {
		return s
	}
	units := utf16.Encode([]rune(s))
	if len(units) <= maxSheetCell {
		return s
	}
	cut := maxSheetCell - 1
	if utf16.IsSurrogate(rune(units[cut-1])) && units[cut-1] < 0xDC00 { // the first half of a pair
		cut--
	}
	return string(utf16.Decode(units[:cut])) + "…"
}

// writeAbout says where the rows come from.
func (b *workbook) writeAbout() error {
	d := b.document
	lines := [][2]string{{"Report", d.title()}, {"Name", d.Name}, {"For", tickLine(d)}, {"Times in", d.zone().String()}}
	for _, w := range warnings(d) {
		lines = append(lines, [2]string{"Warning", w})
	}
	rows := grouped(strconv.Itoa(len(d.Table.Rows)))
	if left := len(d.Table.Rows) - b.shownRows(); left > 0 {
		rows += fmt.Sprintf(", of which the last %s are not in the sheet: Excel takes %s", grouped(strconv.Itoa(left)), grouped(strconv.Itoa(maxSheetRows)))
	}
	lines = append(lines, [2]string{"Rows", rows})
	for _, p := range provenance(d) {
		lines = append(lines, [2]string{"Source", p})
	}
	lines = append(lines, [2]string{"Query", d.Query}, [2]string{"Note", "Numbers of more than 15 digits are text, as a sheet would round them."})
	if err := b.file.SetColWidth(aboutSheet, "A", "A", 12); err != nil {
		return err
	}
	if err := b.file.SetColWidth(aboutSheet, "B", "B", 100); err != nil {
		return err
	}
	for i, line := range lines {
		row := strconv.Itoa(i + 1)
		if err := b.file.SetCellStr(aboutSheet, "A"+row, line[0]); err != nil {
			return err
		}
		if err := b.file.SetCellStr(aboutSheet, "B"+row, sheetText(line[1])); err != nil {
			return err
		}
	}
	last := strconv.Itoa(len(lines))
	if err := b.file.SetCellStyle(aboutSheet, "A1", "A"+last, b.strong); err != nil {
		return err
	}
	return b.file.SetCellStyle(aboutSheet, "B1", "B"+last, b.wrapped)
}
