package render_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/millrace/millrace/serving/report/render"
)

// sheet is what Python's openpyxl finds in a workbook.
type sheet struct {
	Name, Freeze, Filter string
	Charts               []string
	Rows                 [][]*struct{ Type, Value, Format string }
}

// python finds an interpreter that has a module: Debian's modules are those of its own python3,
// which need not be the first of the path.
func python(t testing.TB, module string) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import "+module).Run() == nil {
			return name
		}
	}
	t.Fatalf("this test needs Python's %s: apt-get install python3-%s", module, module)
	return ""
}

// workbooks writes documents and reads them back with openpyxl.
func workbooks(t *testing.T, docs map[string]*render.Document) map[string][]sheet {
	t.Helper()
	read := exec.Command(python(t, "openpyxl"), filepath.Join("testdata", "read_workbook.py"))
	names := slices.Sorted(maps.Keys(docs))
	for _, name := range names {
		var book bytes.Buffer
		if err := render.XLSX(&book, docs[name]); err != nil {
			t.Fatal(err)
		}
		keep(t, name+".xlsx", book.Bytes())
		read.Args = append(read.Args, filepath.Join(samplesFolder, name+".xlsx"))
	}
	var complaint bytes.Buffer
	read.Stderr = &complaint
	out, err := read.Output()
	if err != nil {
		t.Fatalf("openpyxl cannot read the workbooks: %v\n%s", err, complaint.String())
	}
	var books [][]sheet
	if err := json.Unmarshal(out, &books); err != nil {
		t.Fatal(err)
	}
	byName := map[string][]sheet{}
	for i, name := range names {
		byName[name] = books[i]
	}
	return byName
}

// expected is what a reader of the sheet finds for a cell: its type and value.
func expected(c render.Column, cell any, zone *time.Location) (kind, value string) {
	text := func(s string) (string, string) { return "s", s }
	number := func(s string) (string, string) {
		if len(strings.Trim(strings.ReplaceAll(s, ".", ""), "-")) > 15 {
			return text(s)
		}
		return "n", s
	}
	switch v := cell.(type) {
	case bool:
		if v {
			return "b", "True"
		}
		return "b", "False"
	case int64:
		return number(strconv.FormatInt(v, 10))
	case uint64:
		return number(strconv.FormatUint(v, 10))
	case float64:
		switch {
		case math.IsNaN(v):
			return text("nan")
		case math.IsInf(v, 1):
			return text("inf")
		case math.IsInf(v, -1):
			return text("-inf")
		}
		return "n", strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		if c.Type == "Date" {
			return "d", v.Format("2006-01-02 15:04:05")
		}
		return "d", v.In(zone).Format("2006-01-02 15:04:05")
	case string:
		if strings.HasPrefix(c.Type, "Decimal") {
			return number(v)
		}
		return text(v)
	}
	return "", ""
}

// compareCells holds the first sheet against the table, cell by cell.
func compareCells(t *testing.T, s sheet, d *render.Document) {
	t.Helper()
	if len(s.Rows) != len(d.Table.Rows)+1 {
		t.Fatalf("the sheet has %d rows, the table %d", len(s.Rows), len(d.Table.Rows))
	}
	for i, c := range d.Table.Columns {
		if head := s.Rows[0][i]; head == nil || head.Value != c.Name || head.Type != "s" {
			t.Errorf("column %d is headed %+v, want %q", i, head, c.Name)
		}
	}
	for r, row := range d.Table.Rows {
		for i, cell := range row {
			got := s.Rows[r+1][i]
			if cell == nil {
				if got != nil {
					t.Errorf("row %d: NULL is %+v", r, got)
				}
				continue
			}
			kind, value := expected(d.Table.Columns[i], cell, d.Zone)
			value = printable(value)
			if got == nil {
				if value != "" {
					t.Errorf("row %d: %v is missing", r, cell)
				}
				continue
			}
			if got.Type != kind || !sameValue(kind, got.Value, value) {
				t.Errorf("row %d, %s: %q is %s %q, want %s %q", r, d.Table.Columns[i].Type, cell, got.Type, got.Value, kind, value)
			}
			if kind == "d" && !strings.HasPrefix(got.Format, "yyyy-mm-dd") {
				t.Errorf("a time has the format %s", got.Format)
			}
		}
	}
}

// printable replaces what XML cannot hold, as the documents promise.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !strings.ContainsRune("\t\n\r", r) || r == 0xFFFE || r == 0xFFFF {
			return 0xFFFD
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// sameValue compares numbers by the 15 digits that a sheet shows.
func sameValue(kind, got, want string) bool {
	if kind != "n" {
		return got == want
	}
	a, errA := strconv.ParseFloat(got, 64)
	b, errB := strconv.ParseFloat(want, 64)
	return errA == nil && errB == nil && math.Abs(a-b) <= 1e-14*math.Abs(b)
}

func TestWorkbookHoldsTheTable(t *testing.T) {
	docs := samples(t)
	for name, sheets := range workbooks(t, docs) {
		d := docs[name]
		t.Run(name, func(t *testing.T) {
			compareCells(t, sheets[0], d)
			if sheets[0].Freeze != "A2" || !strings.HasPrefix(sheets[0].Filter, "$A$1:") {
				t.Errorf("frozen at %q, filter %q", sheets[0].Freeze, sheets[0].Filter)
			}
			partial := d.Table.Truncated || len(d.Sources) > 1
			if want := map[bool]string{false: "Report", true: "Report (incomplete)"}[partial]; sheets[0].Name != want {
				t.Errorf("the first sheet is %q, want %q", sheets[0].Name, want)
			}
			about := ""
			for _, row := range sheets[1].Rows {
				about += row[0].Value + ": " + row[1].Value + "\n"
			}
			for _, part := range []string{"Query: " + d.Query, "generation 41", "Times in: Europe/Berlin"} {
				if !strings.Contains(about, part) {
					t.Errorf("About lacks %q:\n%s", part, about)
				}
			}
			if partial != strings.Contains(about, "Warning: ") {
				t.Errorf("incomplete %v, but About says\n%s", partial, about)
			}
		})
	}
}

func TestWorkbookDrawsTheChart(t *testing.T) {
	books := workbooks(t, samples(t))
	for name, charts := range map[string][]string{
		"hourly-carriers": {"LineChart"}, "two-scales": {"LineChart", "LineChart"}, "bars": {"BarChart", "BarChart"}, "empty": nil, "table": nil,
	} {
		var got []string
		for _, s := range books[name][2:] {
			got = append(got, s.Charts...)
		}
		if !slices.Equal(got, charts) {
			t.Errorf("%s has the charts %v, want %v", name, got, charts)
		}
	}
	// The chart's data has a column for each line and a row for each hour.
	data := books["hourly-carriers"][2].Rows
	var names []string
	for _, cell := range data[0] {
		if cell != nil {
			names = append(names, cell.Value)
		}
	}
	want := []string{"Southwest", "Delta", "American", "United", "Alaska", "JetBlue", "Spirit", "Frontier", "3 others"}
	if !slices.Equal(names, want) || len(data) != 37 {
		t.Errorf("%d rows of %q", len(data), names)
	}
}

// Every nasty text, in a cell, as a name and in the query.
func TestWorkbookOfNastyText(t *testing.T) {
	d := &render.Document{Name: "nasty", Title: nastyText[5], Query: "=1+1", Zone: time.UTC, Chart: render.ChartBar,
		Table: render.Table{Columns: []render.Column{column("=A1", "String"), column("n", "UInt64"), column("<b>", "Array(String)")}}}
	for i, text := range nastyText {
		d.Table.Rows = append(d.Table.Rows, []any{text, uint64(i), text})
	}
	sheets := workbooks(t, map[string]*render.Document{"nasty": d})["nasty"]
	for r, text := range nastyText {
		units := utf16.Encode([]rune(printable(text)))
		got := sheets[0].Rows[r+1][0]
		switch {
		case len(units) <= 32767:
			// What looks like an escape of the format is escaped, which openpyxl does not undo.
			if got == nil || got.Type != "s" || strings.ReplaceAll(got.Value, "_x005F_", "_") != printable(text) {
				t.Errorf("%.40q is %+v", text, got)
			}
		case !strings.HasSuffix(got.Value, "…") || len(utf16.Encode([]rune(got.Value))) > 32767 || len(got.Value) < 32000:
			t.Errorf("text of %d units became %d bytes that end in %q", len(units), len(got.Value), got.Value[len(got.Value)-5:])
		}
	}
	for _, s := range sheets {
		for _, row := range s.Rows {
			for _, cell := range row {
				if cell != nil && cell.Type == "f" {
					t.Errorf("%q is a formula", cell.Value)
				}
			}
		}
	}
}

// Days that Excel does not know, or counts otherwise, are text.
func TestWorkbookOfOldDays(t *testing.T) {
	days := map[string]string{"1900-02-28": "s", "1900-03-01": "d", "2299-12-31": "d"}
	d := &render.Document{Name: "days", Table: render.Table{Columns: []render.Column{column("day", "Date32")}}}
	for _, day := range slices.Sorted(maps.Keys(days)) {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		d.Table.Rows = append(d.Table.Rows, []any{at})
	}
	sheets := workbooks(t, map[string]*render.Document{"days": d})["days"]
	for _, row := range sheets[0].Rows[1:] {
		if day := row[0].Value[:10]; days[day] != row[0].Type {
			t.Errorf("%s is of type %s", day, row[0].Type)
		}
	}
}

func TestWorkbookOfTooManyColumns(t *testing.T) {
	d := &render.Document{Name: "wide", Table: render.Table{Columns: make([]render.Column, 1<<14+1)}}
	if err := render.XLSX(io.Discard, d); err == nil || !strings.Contains(err.Error(), "16385 columns") {
		t.Errorf("error %v", err)
	}
}
