package render_test

import (
	"bytes"
	"encoding/xml"
	"image/color"
	"image/png"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/serving/report/render"
)

func TestChartsAreChecked(t *testing.T) {
	day, name, n, other := column("day", "Date"), column("name", "LowCardinality(String)"), column("n", "Nullable(UInt64)"), column("tags", "Array(String)")
	for _, c := range []struct {
		chart     render.Chart
		columns   []render.Column
		complaint string // "" for none
	}{
		{"", nil, ""},
		{"table", []render.Column{name}, ""},
		{"line", []render.Column{day, n}, ""},
		{"line", []render.Column{n, name, column("at", "DateTime64(3, 'UTC')")}, ""},
		{"line", []render.Column{column("at", "Nullable(DateTime)"), column("price", "Decimal(9, 2)")}, ""},
		{"line", []render.Column{name, n}, "needs a column of times (Date, DateTime or DateTime64); the query has name LowCardinality(String), n Nullable(UInt64)"},
		{"line", []render.Column{day, name}, "a line chart needs a column of numbers"},
		{"line", []render.Column{day, n, name, other}, "one column of text; the query has 2"},
		{"bar", []render.Column{name, n}, ""},
		{"bar", []render.Column{column("state", "Enum8('a' = 1)"), column("x", "Int256")}, ""},
		{"bar", []render.Column{day, n}, "a bar chart needs a column of text that names the bars; the query has day Date, n Nullable(UInt64): use toString(…)"},
		{"bar", []render.Column{name}, "a bar chart needs a column of numbers"},
		{"bar", nil, "the query has no columns"},
		{"pie", []render.Column{name, n}, `unknown chart "pie": use 'line', 'bar' or 'table'`},
		{"line", slices.Repeat([]render.Column{name}, 100), "and 92 more"},
	} {
		switch err := c.chart.Check(c.columns); {
		case c.complaint == "" && err != nil:
			t.Errorf("%s of %v: %v", c.chart, c.columns, err)
		case c.complaint != "" && (err == nil || !strings.Contains(err.Error(), c.complaint)):
			t.Errorf("%s of %v: %v, want %s", c.chart, c.columns, err, c.complaint)
		}
	}
}

// drawing is what an SVG file shows: its texts, and how often lines of each colour begin.
type drawing struct {
	texts []string
	lines map[string]int
}

func draw(t *testing.T, name string, d *render.Document, width, height int) drawing {
	t.Helper()
	svg, err := render.SVG(d, width, height)
	if err != nil {
		t.Fatal(err)
	}
	keep(t, name+".svg", svg)
	var file struct {
		Label string `xml:"aria-label,attr"`
		Group struct {
			Texts []string `xml:"text"`
			Paths []struct {
				D     string `xml:"d,attr"`
				Style string `xml:"style,attr"`
			} `xml:"path"`
		} `xml:"g"`
	}
	if err := xml.Unmarshal(svg, &file); err != nil {
		t.Fatal(err)
	}
	if file.Label == "" {
		t.Error("the picture has no description")
	}
	shown := drawing{texts: file.Group.Texts, lines: map[string]int{}}
	for _, p := range file.Group.Paths {
		if _, stroke, ok := strings.Cut(p.Style, "stroke:#"); ok {
			shown.lines[stroke[:6]]++
		}
	}
	return shown
}

const blue = "1D5FA9" // of the first line

func TestLinesAreNamedAndFew(t *testing.T) {
	shown := draw(t, "hourly-carriers", samples(t)["hourly-carriers"], 520, 300)
	for _, text := range []string{"flights", "Southwest", "Frontier", "3 others", "0", "1000", "Mon 26 Oct", "06:00"} {
		if !slices.Contains(shown.texts, text) {
			t.Errorf("the chart lacks %q: %q", text, shown.texts)
		}
	}
	if slices.Contains(shown.texts, "Mesa") || shown.lines[blue] != 1 {
		t.Errorf("texts %q, %d blue lines", shown.texts, shown.lines[blue])
	}
}

func TestNullBreaksTheLine(t *testing.T) {
	shown := draw(t, "daily-gap", samples(t)["daily-gap"], 520, 300)
	if shown.lines[blue] != 3 { // three NULLs together and a NaN
		t.Errorf("the line is in %d parts", shown.lines[blue])
	}
}

// Averages cannot be added up: lines that are left out are counted instead.
func TestAveragesAreNotSummed(t *testing.T) {
	d := samples(t)["hourly-carriers"]
	d.Table.Columns[2].Type = "Float64"
	for _, row := range d.Table.Rows {
		row[2] = float64(row[2].(uint64))
	}
	shown := draw(t, "averages", d, 520, 300)
	if !slices.Contains(shown.texts, "3 more lines are not drawn.") || slices.Contains(shown.texts, "3 others") {
		t.Errorf("texts %q", shown.texts)
	}
	bars := samples(t)["bars-many"]
	if shown := draw(t, "bars-many", bars, 520, 430); !slices.Contains(shown.texts, "29 others") {
		t.Errorf("texts %q", shown.texts)
	}
	bars.Table.Columns[2].Type = "Float32"
	if shown := draw(t, "bars-averages", bars, 520, 430); !slices.Contains(shown.texts, "29 more rows are not drawn.") {
		t.Errorf("texts %q", shown.texts)
	}
}

func TestBarsBearTheirValues(t *testing.T) {
	shown := draw(t, "bars-signed", samples(t)["bars-signed"], 520, 300)
	want := []string{"Southwest", "Delta", "American", "United", "Alaska", "JetBlue", "change", "−26.7", "−13.4", "0", "13.4", "26.7", "–"}
	if !slices.Equal(shown.texts, want) {
		t.Errorf("texts %q, want %q", shown.texts, want)
	}
}

func TestScalesHavePanels(t *testing.T) {
	shown := draw(t, "two-scales", samples(t)["two-scales"], 520, 300)
	for _, title := range []string{"flights, cancelled", "avg_delay"} {
		if !slices.Contains(shown.texts, title) {
			t.Errorf("no panel %q: %q", title, shown.texts)
		}
	}
}

func TestChartsOfLittle(t *testing.T) {
	all := samples(t)
	if shown := draw(t, "empty", all["empty"], 520, 300); !slices.Equal(shown.texts, []string{"No rows"}) {
		t.Errorf("of nothing: %q", shown.texts)
	}
	if shown := draw(t, "single-point", all["single-point"], 520, 300); !slices.Contains(shown.texts, "1.23 M") || !slices.Contains(shown.texts, "25 Oct") {
		t.Errorf("of one point: %q", shown.texts)
	}
	nulls := all["single-point"]
	nulls.Table.Rows = [][]any{{time.Unix(0, 0).UTC(), nil}, {nil, uint64(7)}}
	if shown := draw(t, "nulls", nulls, 520, 300); !slices.Equal(shown.texts, []string{"No values to draw"}) {
		t.Errorf("of NULLs: %q", shown.texts)
	}
}

// The time axis is of the report's zone; days are the same in every zone.
func TestTimeAxisHasTheZone(t *testing.T) {
	d := samples(t)["hourly-carriers"]
	d.Zone = time.FixedZone("+05:30", 5*3600+1800)
	for i, row := range d.Table.Rows {
		row[0] = time.Date(2026, 7, 1, 18, 30, 0, 0, time.UTC).Add(time.Duration(i/11) * time.Hour)
	}
	if shown := draw(t, "zone", d, 520, 300); !slices.Contains(shown.texts, "Thu 2 Jul") || slices.Contains(shown.texts, "Wed 1 Jul") {
		t.Errorf("the axis begins at midnight in India: %q", shown.texts)
	}
	days := samples(t)["single-point"]
	days.Zone = time.FixedZone("-10:00", -36000)
	if shown := draw(t, "single-point", days, 520, 300); !slices.Contains(shown.texts, "25 Oct") {
		t.Errorf("25 October is another day in Hawaii: %q", shown.texts)
	}
}

func TestPicturesAreDense(t *testing.T) {
	for name, d := range samples(t) {
		picture, err := render.PNG(d, 300, 200)
		if err != nil {
			t.Fatal(err)
		}
		keep(t, name+".png", picture)
		decoded, err := png.Decode(bytes.NewReader(picture))
		if err != nil {
			t.Fatal(err)
		}
		if size := decoded.Bounds().Size(); size.X != 600 || size.Y != 400 {
			t.Errorf("%s has %v pixels", name, size)
		}
		if ground := decoded.At(0, 0); ground != (color.RGBA{255, 255, 255, 255}) {
			t.Errorf("%s stands on %v", name, ground)
		}
		if strings.HasPrefix(name, "hourly") && !hasColour(decoded.Bounds().Max.X, decoded.Bounds().Max.Y, decoded.At) {
			t.Errorf("%s has no line", name)
		}
	}
}

// hasColour looks for the first line's blue.
func hasColour(width, height int, at func(x, y int) color.Color) bool {
	for y := range height {
		for x := range width {
			if at(x, y) == (color.RGBA{0x1d, 0x5f, 0xa9, 0xff}) {
				return true
			}
		}
	}
	return false
}
