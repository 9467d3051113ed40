package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"github.com/millrace/millrace/serving/report/render"
)

// reportPage is what a browser makes of a report's page.
type reportPage struct {
	Errors, Loaded  []string
	Cells           []string
	Heading, Ground string
	Overflow        int // pixels by which the page is wider than the screen
	PictureWidth    int // pixels of the picture, as decoded
	PictureShown    int
}

const readReportPage = `JSON.stringify({
  Errors: window.failures,
  Loaded: performance.getEntriesByType('resource').map(r => r.name.slice(0, 40)).filter(name => !name.startsWith('data:')),
  Cells: [...document.querySelectorAll('thead + tbody td')].map(td => td.textContent),
  Heading: document.querySelector('h1').textContent,
  Ground: getComputedStyle(document.querySelector('.sheet')).backgroundColor,
  Overflow: document.documentElement.scrollWidth - innerWidth,
  PictureWidth: document.querySelector('img').naturalWidth,
  PictureShown: document.querySelector('img').getBoundingClientRect().width | 0,
})`

// The page of a report is shown without scripts and without anything from elsewhere, on a desk
// and on a phone, in light and in dark.
func TestReportPageInABrowser(t *testing.T) {
	d := &render.Document{
		Name: "airports", Title: `<b>Busiest</b> "airports"`, Tick: time.Date(2026, 10, 26, 7, 0, 0, 0, time.UTC), Chart: render.ChartBar,
		Table: render.Table{Columns: []render.Column{{Name: "airport", Type: "String"}, {Name: "departures", Type: "UInt64"}, {Name: "note", Type: "String"}}},
	}
	want := []string{
		"<script>window.failures.push('ran')</script>", "1,234,567", `<img src="https://millrace.example/x.png" onerror="window.failures.push('ran')">`,
		"שלום 🚀", "42", "aVeryLongWordThatWouldMakeThePageWiderThanAnyPhoneOnWhichSomebodyMightReadItInTheMorningOnTheirWayToWork",
	}
	d.Table.Rows = [][]any{{want[0], uint64(1234567), want[2]}, {want[3], uint64(42), want[5]}}
	page, err := render.Page(d)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, page, 0o600); err != nil {
		t.Fatal(err)
	}
	browser := startBrowser(t)
	for _, screen := range []struct {
		name   string
		width  int64
		scheme string
		ground string
		shown  int
	}{
		{"desk", 900, "light", "rgb(255, 255, 255)", 560},
		{"phone", 360, "dark", "rgb(28, 34, 41)", 316},
	} {
		t.Run(screen.name, func(t *testing.T) {
			tab := newTab(browser, t, "window.failures = []; addEventListener('error', e => failures.push(String(e.message || e.target.src)), true)")
			call(tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: screen.width, Height: 800, DeviceScaleFactor: 2, Mobile: screen.width < 500})
			call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: screen.scheme}}})
			tab.open("file://" + path)
			tab.until("document.querySelector('img').complete")
			var seen reportPage
			if err := json.Unmarshal([]byte(tab.text(readReportPage)), &seen); err != nil {
				t.Fatal(err)
			}
			if len(seen.Errors) > 0 || len(seen.Loaded) > 0 {
				t.Errorf("errors %q, loaded %q", seen.Errors, seen.Loaded)
			}
			if len(seen.Cells) != len(want) {
				t.Fatalf("cells %q", seen.Cells)
			}
			for i := range want {
				if seen.Cells[i] != want[i] {
					t.Errorf("cell %d is %q, want %q", i, seen.Cells[i], want[i])
				}
			}
			if seen.Heading != d.Title || seen.Ground != screen.ground {
				t.Errorf("heading %q on %s", seen.Heading, seen.Ground)
			}
			if seen.Overflow > 0 || seen.PictureShown != screen.shown || seen.PictureWidth < 2*seen.PictureShown*4/5 {
				t.Errorf("%d pixels too wide; the picture of %d pixels is shown at %d", seen.Overflow, seen.PictureWidth, seen.PictureShown)
			}
		})
	}
}
