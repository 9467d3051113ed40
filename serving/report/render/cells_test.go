package render

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func zoneNamed(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestNumbersAreReadable(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "-7": "−7", "2026": "2026", "12345": "12,345", "-1234567": "−1,234,567", "18446744073709551615": "18,446,744,073,709,551,615",
		"12345.678901": "12,345.678901", "-0.5": "−0.5", "no number": "no number", "": "",
	} {
		if got := grouped(text); got != want {
			t.Errorf("%q is written %q, want %q", text, got, want)
		}
	}
	for v, want := range map[float64]string{
		0: "0", 7: "7", 0.05: "0.05", 0.123456: "0.123", 1.5: "1.5", 999: "999", 1234: "1234", 9999: "9999", 10000: "10 k", 12345: "12.3 k", 999_499: "999 k", 999_999: "1 M",
		1_200_000: "1.2 M", -1_200_000: "−1.2 M", 3.5e9: "3.5 G", 1e12: "1 T", 1e18: "1e+18", 1e-9: "1e−09",
	} {
		if got := compact(v); got != want {
			t.Errorf("%v is written %q, want %q", v, got, want)
		}
	}
}

func TestColumnsAreWrittenAlike(t *testing.T) {
	berlin := zoneNamed(t, "Europe/Berlin")
	noon := time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		columnType string
		cells      []any
		want       []string
	}{
		{"Float64", []any{0.5, 12.25, 3.0, nil, math.NaN(), math.Inf(-1)}, []string{"0.50", "12.25", "3.00", "–", "NaN", "−∞"}},
		{"Float64", []any{1.0, 20000.0}, []string{"1", "20,000"}},
		{"Float64", []any{1.0 / 3, 1e-9}, []string{"0.3333", "1e−09"}},
		{"Nullable(UInt64)", []any{uint64(2026), uint64(math.MaxUint64), nil}, []string{"2026", "18,446,744,073,709,551,615", "–"}},
		{"Decimal(38, 4)", []any{"-1234567.8900"}, []string{"−1,234,567.8900"}},
		{"DateTime", []any{noon, noon.Add(time.Hour)}, []string{"2026-07-01 12:00", "2026-07-01 13:00"}},
		{"DateTime", []any{noon, noon.Add(time.Second)}, []string{"2026-07-01 12:00:00", "2026-07-01 12:00:01"}},
		{"DateTime64(6, 'UTC')", []any{noon.Add(1500 * time.Microsecond)}, []string{"2026-07-01 12:00:00.001"}},
		// Clocks go back: the two hours of one name are told apart.
		{"DateTime", []any{time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC)}, []string{"2026-10-25 02:30 +02:00", "2026-10-25 02:30 +01:00"}},
		{"Date", []any{time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)}, []string{"2026-07-01"}},
		{"Bool", []any{true, false}, []string{"true", "false"}},
		{"String", []any{"12345", ""}, []string{"12345", ""}},
	} {
		table := Table{Columns: []Column{{"c", c.columnType}}}
		for _, cell := range c.cells {
			table.Rows = append(table.Rows, []any{cell})
		}
		f := newFormatter(&table, 0, berlin)
		for i, cell := range c.cells {
			if got := f.text(cell); got != c.want[i] {
				t.Errorf("%s: %v is written %q, want %q", c.columnType, cell, got, c.want[i])
			}
		}
	}
	// A day is the same in every zone.
	table := Table{Columns: []Column{{"day", "Date"}}, Rows: [][]any{{time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)}}}
	if got := newFormatter(&table, 0, zoneNamed(t, "America/Los_Angeles")).text(table.Rows[0][0]); got != "2026-07-01" {
		t.Errorf("1 July is %s in Los Angeles", got)
	}
}

func TestAxesAreRound(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{3, 97, "[0 20 40 60 80 100]"},
		{90, 97, "[90 92 94 96 98]"},
		{-30, 60, "[−40 −20 0 20 40 60]"},
		{-90, -40, "[−100 −80 −60 −40 −20 0]"},
		{0, 0, "[0 0.2 0.4 0.6 0.8 1]"},
		{7, 7, "[0 2 4 6 8]"},
		{-7, -7, "[−8 −6 −4 −2 0]"},
		{0, 1.1e6, "[0 250 k 500 k 750 k 1 M 1.25 M]"},
	} {
		var labels []string
		for _, v := range newValueAxis(c.low, c.high, 5).ticks() {
			labels = append(labels, compact(v))
		}
		if got := fmt.Sprint(labels); got != c.want {
			t.Errorf("from %v to %v: %s, want %s", c.low, c.high, got, c.want)
		}
	}
	for _, edge := range [][2]float64{{-greatestDrawn, greatestDrawn}, {leastDrawn, 2 * leastDrawn}, {1e15, 1e15 + 0.125}} {
		if n := len(newValueAxis(edge[0], edge[1], 5).ticks()); n < 2 || n > 12 {
			t.Errorf("from %v to %v: %d ticks", edge[0], edge[1], n)
		}
	}
}

func TestTimeTicksAreOfTheCalendar(t *testing.T) {
	berlin := zoneNamed(t, "Europe/Berlin")
	at := func(text string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04:05", text, berlin)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct{ low, high, want string }{
		{"2026-10-26 08:00:10", "2026-10-26 08:01:10", "08:00:15 Mon 26 Oct|08:00:30|08:00:45|08:01:00|"},
		{"2026-10-26 22:30:00", "2026-10-27 02:10:00", "23:00 Mon 26 Oct|00:00 Tue 27 Oct|01:00|02:00|"},
		// Clocks go back at three: the ticks are of the wall's clock.
		{"2026-10-24 20:00:00", "2026-10-26 07:00:00", "00:00 Sun 25 Oct|12:00|00:00 Mon 26 Oct|"},
		{"2026-10-25 01:00:00", "2026-10-25 04:00:00", "01:00 Sun 25 Oct|02:00|02:00|03:00|04:00|"},
		// And forward at two.
		{"2026-03-28 18:00:00", "2026-03-29 12:00:00", "18:00 Sat 28 Mar|00:00 Sun 29 Mar|06:00|12:00|"},
		{"2026-09-20 00:00:00", "2026-10-25 00:00:00", "21 Sep 2026|28 Sep|5 Oct|12 Oct|19 Oct|"},
		{"2026-10-01 00:00:00", "2026-10-29 00:00:00", "5 Oct 2026|12 Oct|19 Oct|26 Oct|"},
		{"2025-11-15 00:00:00", "2026-05-02 00:00:00", "Jan 2026|Apr|"},
		{"2021-05-01 00:00:00", "2026-05-01 00:00:00", "2022|2024|2026|"},
	} {
		got := ""
		for _, tick := range timeTicks(at(c.low), at(c.high), berlin, 5) {
			got += tick.fine
			if tick.broad != "" {
				got += " " + tick.broad
			}
			got += "|"
		}
		if got != c.want {
			t.Errorf("from %s to %s: %s, want %s", c.low, c.high, got, c.want)
		}
	}
}

// Text has a contrast of at least 4.5 to 1 on white (WCAG 2, AA).
func TestColoursAreRead(t *testing.T) {
	for rank, c := range append(palette[:len(palette):len(palette)], ink, quiet, alarm) {
		linear := func(v uint8) float64 {
			s := float64(v) / 255
			if s <= 0.04045 {
				return s / 12.92
			}
			return math.Pow((s+0.055)/1.055, 2.4)
		}
		luminance := 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
		if contrast := 1.05 / (luminance + 0.05); contrast < 4.5 {
			t.Errorf("colour %d has a contrast of %.2f", rank, contrast)
		}
	}
}

func TestRightToLeft(t *testing.T) {
	f, err := loadFonts()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"plain": "plain", "שלום": "םולש", "שלום 123": "123 םולש", "from שלום to": "from םולש to", "日本 🚀": "□□ □", "a\u202Eb": "a□b",
	} {
		if got := f.drawable(text); got != want {
			t.Errorf("%q is drawn %q, want %q", text, got, want)
		}
	}
}
