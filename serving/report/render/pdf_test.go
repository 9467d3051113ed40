package render_test

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/serving/report/render"
)

// poppler runs one of its tools.
func poppler(t *testing.T, tool string, args ...string) string {
	t.Helper()
	var complaint bytes.Buffer
	command := exec.Command(tool, args...)
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil || complaint.Len() > 0 {
		t.Fatalf("%s (apt-get install poppler-utils): %v\n%s", tool, err, complaint.String())
	}
	return string(out)
}

// pdf writes a document and returns the file's path and the text of its pages.
func pdf(t *testing.T, name string, d *render.Document) (path string, pages []string) {
	t.Helper()
	var file bytes.Buffer
	if err := render.PDF(&file, d); err != nil {
		t.Fatal(err)
	}
	keep(t, name+".pdf", file.Bytes())
	path = filepath.Join(samplesFolder, name+".pdf")
	text := poppler(t, "pdftotext", "-layout", path, "-")
	return path, strings.Split(strings.TrimSuffix(text, "\f"), "\f")
}

func TestPDFHoldsTheTable(t *testing.T) {
	d := samples(t)["long"]
	path, pages := pdf(t, "long", d)
	info := poppler(t, "pdfinfo", path)
	if want := fmt.Sprintf("Pages:           %d\n", len(pages)); !strings.Contains(info, want) || !strings.Contains(info, "Every flight") {
		t.Errorf("pdfinfo says\n%s", info)
	}
	var rows []string
	for i, page := range pages {
		if !strings.Contains(page, fmt.Sprintf("%d / %d", i+1, len(pages))) {
			t.Errorf("page %d has no number:\n%s", i+1, page)
		}
		header := regexp.MustCompile(`(?m)^\s*time\s+from\s+to\s+delay\s+distance$`)
		if n := len(header.FindAllString(page, -1)); n != 1 {
			t.Errorf("page %d has %d headers", i+1, n)
		}
		for line := range strings.Lines(page) {
			if fields := strings.Fields(line); len(fields) == 6 && strings.HasPrefix(fields[2], "A") {
				rows = append(rows, strings.Join(fields, " "))
			}
		}
	}
	if len(rows) != len(d.Table.Rows) {
		t.Fatalf("%d of %d rows", len(rows), len(d.Table.Rows))
	}
	for i, row := range d.Table.Rows {
		at := row[0].(time.Time).In(d.Zone).Format("2006-01-02 15:04:05")
		want := strings.ReplaceAll(fmt.Sprintf("%s %s %s %d %d", at, row[1], row[2], row[3], row[4]), " -", " −")
		if rows[i] != want {
			t.Fatalf("row %d is %q, want %q", i, rows[i], want)
		}
	}
	last := pages[len(pages)-1]
	for _, part := range []string{"flights_by_hour: generation 41", "complete", "Times in Europe/Berlin."} {
		if !strings.Contains(last, part) {
			t.Errorf("the last page lacks %q:\n%s", part, last)
		}
	}
}

func TestPDFOfEverything(t *testing.T) {
	for name, d := range samples(t) {
		t.Run(name, func(t *testing.T) {
			path, pages := pdf(t, name, d)
			if !strings.HasPrefix(strings.TrimSpace(pages[0]), d.Title) {
				t.Errorf("the first page begins\n%.200s", pages[0])
			}
			if fonts := poppler(t, "pdffonts", path); !strings.Contains(fonts, "CID TrueType") || strings.Contains(fonts, " no  no ") {
				t.Errorf("fonts are not inside the file:\n%s", fonts)
			}
			picture := filepath.Join(t.TempDir(), "page")
			poppler(t, "pdftoppm", "-r", "40", "-png", "-singlefile", path, picture)
			if share := inked(t, picture+".png"); share < 0.005 || share > 0.5 {
				t.Errorf("%.3f of the first page is drawn on", share)
			}
		})
	}
}

// inked returns which part of a picture is not white.
func inked(t *testing.T, path string) float64 {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	box, drawn := picture.Bounds(), 0
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			if r, g, b, _ := picture.At(x, y).RGBA(); r+g+b < 3*0xf000 {
				drawn++
			}
		}
	}
	return float64(drawn) / float64(box.Dx()*box.Dy())
}

func TestPDFSaysWhatIsMissing(t *testing.T) {
	all := samples(t)
	_, pages := pdf(t, "incomplete", all["incomplete"])
	for i, page := range pages {
		want := "Incomplete or not current, see the first page."
		if i == 0 {
			want = "Incomplete: events of delays are missing"
		}
		if !strings.Contains(page, want) {
			t.Errorf("page %d does not say that events are missing:\n%s", i+1, page)
		}
	}
	_, pages = pdf(t, "table", all["table"])
	for _, part := range []string{"Ελλάδα Україна Łódź", "□ stands for a character", "18,446,744,073,709,551,615", "−9,223,372,036,854,775,808", "NaN", "−∞", "1 more column"} {
		if !strings.Contains(pages[0], part) {
			t.Errorf("the page lacks %q:\n%s", part, pages[0])
		}
	}
	_, pages = pdf(t, "bars", all["bars"])
	if strings.Contains(strings.Join(pages, ""), "□") || strings.Contains(strings.Join(pages, ""), "ncomplete") {
		t.Errorf("a complete document warns:\n%s", pages)
	}
}

// The chart of a page is of lines and text, not of pixels.
func TestPDFChartIsDrawn(t *testing.T) {
	path, pages := pdf(t, "hourly-carriers", samples(t)["hourly-carriers"])
	if images := poppler(t, "pdfimages", "-list", path); strings.Count(images, "\n") > 2 {
		t.Errorf("the file has pictures:\n%s", images)
	}
	for _, part := range []string{"Southwest", "3 others", "1000", "Mon 26 Oct", "18:00"} {
		if !strings.Contains(pages[0], part) {
			t.Errorf("the chart lacks %q:\n%s", part, pages[0])
		}
	}
}

// Rows and columns beyond what pages hold are counted.
func TestPDFIsBounded(t *testing.T) {
	d := samples(t)["long"]
	d.Table = long(d.Tick, 5200)
	for i := range 30 {
		d.Table.Columns = append(d.Table.Columns, column(fmt.Sprintf("more%02d", i), "UInt64"))
	}
	for i := range d.Table.Rows {
		for range 30 {
			d.Table.Rows[i] = append(d.Table.Rows[i], uint64(123456789))
		}
	}
	_, pages := pdf(t, "bounded", d)
	if last := pages[len(pages)-1]; !regexp.MustCompile(`200 more rows and \d+ more columns, not shown here\.`).MatchString(last) {
		t.Errorf("the last page says\n%s", last)
	}
}
