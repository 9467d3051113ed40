package render_test

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/millrace/millrace/serving/report/render"
)

// nastyText is text that some format has trouble with.
var nastyText = []string{
	"", " ", "plain", "=1+1", "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", `"quoted"`, "it's", "a,b;c\td", "line\nbreak\r\n", "<script>alert(1)</script>",
	"</td></table>", "&amp; &lt;", "]]>", "{{.Title}}", "{nb}", "_x0041_", "\x00\x01\x1f\x7f\u0085", "\xff\xfe\xc3", "\uFFFE\uFFFF", "\uD7FF", "🚀👩‍👩‍👧‍👦", "שלום", "مرحبا بالعالم",
	"\u202Etxt.exe\u202C", "\u2066x\u2069", "e\u0301\u0327", "日本語", "(parens) \\ %s %d", "cid:chart@millrace", "javascript:alert(1)", strings.Repeat("long ", 8000), strings.Repeat("🚀", 20000),
	strings.Repeat("W", 40000), "\u00a0", "\u200b", "NaN", "NULL", `\N`, "1e999",
}

func cells(columnType string) *rapid.Generator[any] {
	var some *rapid.Generator[any]
	switch columnType {
	case "UInt64":
		some = rapid.OneOf(rapid.Uint64().AsAny(), rapid.SampledFrom([]uint64{0, 1, 999, 1e15 - 1, 1e15, 1 << 53, math.MaxUint64}).AsAny())
	case "Int64":
		some = rapid.OneOf(rapid.Int64().AsAny(), rapid.SampledFrom([]int64{0, -1, -1e15, math.MinInt64, math.MaxInt64}).AsAny())
	case "Float64":
		some = rapid.OneOf(rapid.Float64().AsAny(), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 0.1, 1e-320, math.MaxFloat64, -math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN()}).AsAny())
	case "Decimal(76, 20)":
		some = rapid.SampledFrom([]string{"0", "-0.01", "12.50", "123456789012345", "1234567890123456", strings.Repeat("9", 56) + ".12345678901234567890", "no number"}).AsAny()
	case "Bool":
		some = rapid.Bool().AsAny()
	case "Date":
		some = rapid.Custom(func(t *rapid.T) time.Time {
			return time.Date(1900, 1, rapid.IntRange(1, 150_000).Draw(t, "day"), 0, 0, 0, 0, time.UTC)
		}).AsAny()
	case "DateTime64(9)":
		some = rapid.OneOf(rapid.Custom(func(t *rapid.T) time.Time {
			return time.Unix(0, rapid.Int64().Draw(t, "nanoseconds")).UTC()
		}).AsAny(), rapid.SampledFrom([]time.Time{{}, time.Unix(0, 0).UTC(), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)}).AsAny())
	default:
		some = rapid.OneOf(rapid.String().AsAny(), rapid.SampledFrom(nastyText).AsAny())
	}
	return rapid.Custom(func(t *rapid.T) any {
		if rapid.IntRange(0, 9).Draw(t, "null") == 0 {
			return nil
		}
		return some.Draw(t, "cell")
	})
}

// nasty draws a document of any shape.
func nasty(t *rapid.T) *render.Document {
	types := []string{"UInt64", "Int64", "Float64", "Decimal(76, 20)", "Bool", "Date", "DateTime64(9)", "String", "Array(String)"}
	text := rapid.OneOf(rapid.SampledFrom(nastyText), rapid.String())
	table := render.Table{Truncated: rapid.Bool().Draw(t, "truncated")}
	for range rapid.IntRange(0, 12).Draw(t, "columns") {
		table.Columns = append(table.Columns, render.Column{Name: text.Draw(t, "name"), Type: rapid.SampledFrom(types).Draw(t, "type")})
	}
	for range rapid.IntRange(0, 30).Draw(t, "rows") {
		row := make([]any, len(table.Columns))
		for i, c := range table.Columns {
			row[i] = cells(c.Type).Draw(t, "cell")
		}
		table.Rows = append(table.Rows, row)
	}
	zone := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Apia", "America/St_Johns"}).Draw(t, "zone")
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return &render.Document{
		Name: text.Draw(t, "name"), Title: text.Draw(t, "title"), Query: text.Draw(t, "query"), Tick: time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "tick"), 0), Zone: location,
		Table: table, Chart: rapid.SampledFrom([]render.Chart{"", render.ChartTable, render.ChartLine, render.ChartBar}).Draw(t, "chart"),
		Sources:     []render.Source{{Name: text.Draw(t, "source"), Complete: rapid.Bool().Draw(t, "complete"), LagMs: rapid.Int64().Draw(t, "lag")}},
		Unsubscribe: rapid.SampledFrom([]string{"", "https://millrace.example/u?a=1&b=2", "javascript:alert(1)", "\" onload=\"x"}).Draw(t, "unsubscribe"), Attachment: text.Draw(t, "attachment"),
	}
}

// Whatever a query answers becomes a document, and the same document the same file.
func TestAnyTableIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := nasty(t)
		name := rapid.SampledFrom([]string{"html", "page", "text", "svg", "png", "xlsx", "pdf"}).Draw(t, "format")
		var first, second bytes.Buffer
		if err := documents[name](&first, d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := documents[name](&second, d); err != nil || !same(t, name, first.Bytes(), second.Bytes()) {
			t.Fatalf("%s differs the second time (%v)", name, err)
		}
		switch name {
		case "svg":
			wellFormed(t, first.Bytes())
		case "html":
			harmless(t, first.Bytes())
		}
	})
}

// same compares two files. In a workbook the library lists the types of its parts in the order
// of a map where there is a chart.
func same(t rapid.TB, name string, first, second []byte) bool {
	t.Helper()
	if name != "xlsx" {
		return bytes.Equal(first, second)
	}
	return maps.Equal(parts(t, first), parts(t, second))
}

func parts(t rapid.TB, workbook []byte) map[string]string {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(workbook), int64(len(workbook)))
	if err != nil {
		t.Fatal(err)
	}
	contents := map[string]string{}
	for _, f := range archive.File {
		part, err := fs.ReadFile(archive, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name != "[Content_Types].xml" {
			contents[f.Name] = string(part)
		}
	}
	return contents
}

func wellFormed(t rapid.TB, svg []byte) {
	t.Helper()
	for decoder := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("the SVG is no XML: %v", err)
		}
	}
}

// harmless checks that a page has no element, attribute or address but the template's.
func harmless(t rapid.TB, page []byte) {
	t.Helper()
	if len(page) > 90<<10 {
		t.Fatalf("the page has %d bytes, Gmail cuts it", len(page))
	}
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	allowed := "html head meta title style body table tbody thead tr td th h1 p div a img"
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if !strings.Contains(" "+allowed+" ", " "+n.Data+" ") {
			t.Fatalf("the page has an element %s", n.Data)
		}
		for _, a := range n.Attr {
			switch {
			case strings.HasPrefix(a.Key, "on"):
				t.Fatalf("an element has %s", a.Key)
			case a.Key == "src" && a.Val != "cid:chart@millrace":
				t.Fatalf("a picture comes from %s", a.Val)
			case a.Key == "href" && strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:"):
				t.Fatalf("a link goes to %s", a.Val)
			}
		}
	}
}

// documents are all ways to write a document.
var documents = map[string]func(io.Writer, *render.Document) error{
	"html": func(w io.Writer, d *render.Document) error { page, _, err := render.HTML(d); return put(w, page, err) },
	"page": func(w io.Writer, d *render.Document) error { page, err := render.Page(d); return put(w, page, err) },
	"text": func(w io.Writer, d *render.Document) error { text, err := render.Text(d); return put(w, text, err) },
	"svg": func(w io.Writer, d *render.Document) error {
		svg, err := render.SVG(d, 520, 300)
		return put(w, svg, err)
	},
	"png": func(w io.Writer, d *render.Document) error {
		png, err := render.PNG(d, 200, 160)
		return put(w, png, err)
	},
	"xlsx": render.XLSX,
	"pdf":  render.PDF,
}

func put(w io.Writer, data []byte, err error) error {
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}
