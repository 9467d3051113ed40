package render_test

import (
	"bytes"
	"fmt"
	"image/png"
	"math"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/millrace/millrace/serving/report/render"
)

// textOf is what a reader sees of an element.
func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// elements returns the elements of a kind.
func elements(root *html.Node, kind string) []*html.Node {
	var found []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == kind {
			found = append(found, n)
		}
	}
	return found
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// mailOf renders a mail and returns its page, parsed, and what a reader sees of it.
func mailOf(t *testing.T, d *render.Document) (root *html.Node, text string, images []render.Image) {
	t.Helper()
	page, images, err := render.HTML(d)
	if err != nil {
		t.Fatal(err)
	}
	harmless(t, page)
	root, err = html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return root, textOf(elements(root, "body")[0]), images
}

func TestMailHoldsTheTable(t *testing.T) {
	d := samples(t)["table"]
	root, _, _ := mailOf(t, d)
	want := [][]string{
		{"name", "big", "small", "ratio", "price", "at", "day", "ok"},
		{"plain", "42", "−7", "0.5000", "12.50", "2026-10-26 08:00:00", "2026-10-25", "true"},
		{`<b>"quotes" & 'marks'</b>`, "18,446,744,073,709,551,615", "−9,223,372,036,854,775,808", "NaN", "−99,999,999,999,999,999,999.0000000001", "2026-10-25 07:00:01", "1999-12-31", "false"},
		{"=1+cmd|' /C calc'!A0", "9,007,199,254,740,992", "9,007,199,254,740,993", "∞", "0", "2026-10-26 08:00:00", "2026-03-29", "–"},
		{"Ελλάδα Україна Łódź", "–", "–", "−∞", "–", "–", "–", "–"},
		{"שלום עולם 123", "2026", "0", "0.3333", "1", "2026-10-26 08:00:00", "–", "true"},
		{"مرحبا", "1", "1", "1e+300", "1", "2026-10-26 08:00:00", "–", "true"},
		{"日本語 🚀 \uFFFDevil\uFFFD", "1", "1", "1e−12", "1", "2026-10-26 08:00:00", "–", "true"},
		{"control \uFFFD\uFFFD\uFFFD and bad \uFFFD", "1", "1", "0.0000", "1", "2026-10-26 08:00:00", "–", "true"},
	}
	var got [][]string
	for _, row := range elements(root, "tr") {
		var cells []string
		for c := range row.ChildNodes() {
			if c.Type == html.ElementNode && strings.Contains(attribute(c, "class"), "rule") && attribute(c, "dir") == "auto" {
				cells = append(cells, textOf(c))
			}
		}
		if cells != nil {
			got = append(got, cells)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d: %q", len(got), len(want), got)
	}
	for r := range want {
		for c := range want[r] {
			if got[r][c] != want[r][c] {
				t.Errorf("row %d, column %d is %q, want %q", r, c, got[r][c], want[r][c])
			}
		}
	}
}

func TestMailSaysWhatMatters(t *testing.T) {
	for name, parts := range map[string][]string{
		"hourly-carriers": {"Flights by carrier Monday 26 October 2026, 08:00 CET flights 1956 Mon 26 Oct, 07:00; +40 % on the value before", "371 more rows, not shown here.",
			"flights_by_hour: generation 41, cut Mon 26 Oct 2026, 07:20:00 CET, complete, 180 ms behind", "Report flights of Millrace; times in Europe/Berlin. Unsubscribe"},
		"incomplete":   {"Incomplete: events of delays are missing, it is 1 h 30 min behind. Numbers may be too low.", "delays: generation 7, cut Sun 25 Oct 2026, 06:00:00 CET, incomplete"},
		"two-scales":   {"flights 2,001,000 Mon 26 Oct, 07:59; +0.5 %", "cancelled 590,000", "avg_delay 7.11"},
		"bars":         {"Atlanta Hartsfield-Jackson International Airport 982,314 departures, the most rows 5"},
		"single-point": {"flights 1,234,567 Sun 25 Oct"},
		"empty":        {"rows 0 The query found nothing."},
		"long":         {"Cut off: the query has more than the 700 rows of this report.", "rows 700 and more, which the report leaves out"},
	} {
		d := samples(t)[name]
		root, text, images := mailOf(t, d)
		plain, err := render.Text(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s: the page lacks %q:\n%s", name, part, text)
			}
		}
		if warned := strings.Contains(text, "ncomplete") || strings.Contains(text, "Cut off"); warned != strings.Contains(string(plain), "\n! ") {
			t.Errorf("%s: page and text differ in their warnings:\n%s", name, plain)
		}
		links := elements(root, "a")
		if len(links) != 1 || attribute(links[0], "href") != d.Unsubscribe || !strings.Contains(string(plain), d.Unsubscribe) {
			t.Errorf("%s: the page has %d links", name, len(links))
		}
		pictures := elements(root, "img")
		if drawn := d.Chart != render.ChartTable; drawn != (len(pictures) == 1) || drawn != (len(images) == 1) {
			t.Errorf("%s: %d pictures in the page, %d beside it", name, len(pictures), len(images))
			continue
		}
		for i, p := range pictures {
			if "cid:"+images[i].ContentID != attribute(p, "src") || attribute(p, "alt") == "" || images[i].ContentType != "image/png" {
				t.Errorf("%s: the picture %+v", name, p.Attr)
			}
			if _, err := png.Decode(bytes.NewReader(images[i].Data)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestMailNamesItsAttachment(t *testing.T) {
	d := samples(t)["hourly-carriers"]
	d.Attachment = "flights.csv"
	_, text, _ := mailOf(t, d)
	plain, err := render.Text(d)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "371 more rows, in the attachment flights.csv.") || !strings.Contains(string(plain), "376 more rows, in the attachment flights.csv.") {
		t.Errorf("page:\n%s\ntext:\n%s", text, plain)
	}
}

func TestMailIsWarnedOfLag(t *testing.T) {
	for lag, warned := range map[int64]bool{59_999: false, 60_000: true} {
		d := samples(t)["bars"]
		d.Sources[0].LagMs = lag
		_, text, _ := mailOf(t, d)
		if strings.Contains(text, "Not current: flights_by_hour is 1 min 0 s behind.") != warned {
			t.Errorf("with a lag of %d ms:\n%s", lag, text)
		}
	}
}

// A page of wide cells has fewer rows, so that mail clients show all of it, and counts the rest.
func TestMailIsSmall(t *testing.T) {
	d := &render.Document{Name: "wide", Table: render.Table{}}
	for c := range 8 {
		d.Table.Columns = append(d.Table.Columns, column(fmt.Sprint("c", c), "String"))
	}
	for range 25 {
		row := make([]any, 8)
		for c := range row {
			row[c] = strings.Repeat("<&>\"🚀", 400)
		}
		d.Table.Rows = append(d.Table.Rows, row)
	}
	_, text, _ := mailOf(t, d) // which checks the size
	if !strings.Contains(text, "more rows, not shown here.") {
		t.Errorf("the page ends\n%s", text[max(0, len(text)-300):])
	}
}

func TestHeadlineOfOneRow(t *testing.T) {
	d := &render.Document{Name: "totals", Tick: time.Unix(0, 0), Table: render.Table{
		Columns: []render.Column{column("events", "UInt64"), column("errors", "UInt64"), column("rate", "Float64"), column("more", "UInt64")},
		Rows:    [][]any{{uint64(math.MaxUint64), uint64(3), 0.25, uint64(1)}}}}
	if _, text, _ := mailOf(t, d); !strings.Contains(text, "events 18,446,744,073,709,551,615 errors 3 rate 0.25 events") {
		t.Errorf("the page reads\n%s", text)
	}
}

// Samples for people.
func TestPagesAreKept(t *testing.T) {
	for name, d := range samples(t) {
		page, err := render.Page(d)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(page, []byte("cid:")) {
			t.Errorf("%s names a picture that is not in it", name)
		}
		keep(t, name+".html", page)
	}
}
