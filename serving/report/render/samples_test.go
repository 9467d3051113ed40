package render_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/millrace/millrace/serving/report/render"
)

// samplesFolder holds the documents of the last test run, for people to look at.
const samplesFolder = "../../../bin/report-samples"

func berlin(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func column(name, columnType string) render.Column {
	return render.Column{Name: name, Type: columnType}
}

// samples are documents of each kind that a report may be.
func samples(t testing.TB) map[string]*render.Document {
	tick := time.Date(2026, 10, 26, 7, 0, 0, 0, time.UTC)
	source := render.Source{Name: "flights_by_hour", Generation: 41, CutTime: tick.Add(-40 * time.Minute), Complete: true, LagMs: 180}
	document := func(name, title string, chart render.Chart, table render.Table) *render.Document {
		return &render.Document{Name: name, Title: title, Query: "SELECT hour, carrier, flights FROM flights_by_hour ORDER BY hour", Tick: tick, Zone: berlin(t),
			Table: table, Chart: chart, Sources: []render.Source{source}, Unsubscribe: "https://millrace.example/v1/reports/unsubscribe?t=abc&r=1"}
	}
	docs := map[string]*render.Document{
		"hourly-carriers": document("flights", "Flights by carrier", render.ChartLine, hourly(tick)),
		"daily-gap":       document("delay", "Average delay", render.ChartLine, daily(tick)),
		"two-scales":      document("load", "Flights and their delay", render.ChartLine, scales(tick)),
		"bars":            document("airports", "Busiest airports", render.ChartBar, airports(5)),
		"bars-many":       document("airports", "Busiest airports", render.ChartBar, airports(40)),
		"bars-signed":     document("balance", "Change to last week", render.ChartBar, signed()),
		"single-point": document("first", "First day", render.ChartLine, render.Table{Columns: []render.Column{column("day", "Date"), column("flights", "UInt64")},
			Rows: [][]any{{time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC), uint64(1234567)}}}),
		"empty": document("nothing", "Cancelled flights", render.ChartLine, render.Table{Columns: []render.Column{column("day", "Date"), column("flights", "UInt64")}}),
		"table": document("table", "All that a table may hold", render.ChartTable, everyType(tick)),
		"long":  document("long", "Every flight", render.ChartTable, long(tick, 700)),
	}
	docs["incomplete"] = document("flights", "Flights by carrier", render.ChartLine, hourly(tick))
	docs["incomplete"].Sources = append(docs["incomplete"].Sources, render.Source{Name: "delays", Generation: 7, CutTime: tick.Add(-26 * time.Hour), LagMs: 5_400_000})
	return docs
}

func hourly(tick time.Time) render.Table {
	random := rand.New(rand.NewPCG(1, 2))
	t := render.Table{Columns: []render.Column{column("hour", "DateTime('UTC')"), column("carrier", "LowCardinality(String)"), column("flights", "UInt64")}}
	for h := range 36 {
		at := tick.Add(time.Duration(h-36) * time.Hour)
		for i, carrier := range []string{"Southwest", "Delta", "American", "United", "Alaska", "JetBlue", "Spirit", "Frontier", "Hawaiian", "Mesa", "Envoy"} {
			wave := 1.2 + math.Sin(float64(at.Hour()-8)/24*2*math.Pi)
			t.Rows = append(t.Rows, []any{at, carrier, uint64(wave*float64(420-38*i)) + random.Uint64N(30)})
		}
	}
	return t
}

func daily(tick time.Time) render.Table {
	t := render.Table{Columns: []render.Column{column("day", "Date"), column("avg_delay", "Nullable(Float64)")}}
	day := time.Date(2026, 9, 20, 0, 0, 0, 0, time.UTC)
	for i := range 36 {
		var v any = 11 + 4*math.Sin(float64(i)/3) + float64(i%5)/3
		if i > 14 && i < 18 {
			v = nil
		}
		if i == 25 {
			v = math.NaN()
		}
		t.Rows = append(t.Rows, []any{day.AddDate(0, 0, i), v})
	}
	return t
}

func scales(tick time.Time) render.Table {
	t := render.Table{Columns: []render.Column{column("minute", "DateTime64(3, 'UTC')"), column("flights", "UInt64"), column("cancelled", "UInt64"), column("avg_delay", "Float64")}}
	for i := range 90 {
		t.Rows = append(t.Rows, []any{tick.Add(time.Duration(i-90) * time.Minute), uint64(1_200_000 + 9000*i), uint64(240_000 + 70_000*(i%7)), 8 + math.Cos(float64(i)/9)})
	}
	return t
}

func airports(n int) render.Table {
	names := []string{"Atlanta Hartsfield-Jackson International Airport", "Dallas/Fort Worth", "Denver", "Chicago O'Hare", "Los Angeles"}
	t := render.Table{Columns: []render.Column{column("airport", "String"), column("departures", "UInt64"), column("cancelled", "UInt32")}}
	for i := range n {
		name := fmt.Sprintf("Airport %d", i)
		if i < len(names) {
			name = names[i]
		}
		t.Rows = append(t.Rows, []any{name, uint64(982_314 / (i + 1)), uint64(4200 / (i + 2))})
	}
	return t
}

func signed() render.Table {
	t := render.Table{Columns: []render.Column{column("carrier", "String"), column("change", "Decimal(9, 2)")}}
	for i, name := range []string{"Southwest", "Delta", "American", "United", "Alaska"} {
		t.Rows = append(t.Rows, []any{name, fmt.Sprintf("%.2f", float64(i-2)*13.37)})
	}
	t.Rows = append(t.Rows, []any{"JetBlue", nil})
	return t
}

func everyType(tick time.Time) render.Table {
	return render.Table{Columns: []render.Column{
		column("name", "String"), column("big", "UInt64"), column("small", "Int64"), column("ratio", "Float64"), column("price", "Decimal(38, 10)"),
		column("at", "DateTime('UTC')"), column("day", "Date"), column("ok", "Bool"), column("tags", "Array(String)")},
		Rows: [][]any{
			{"plain", uint64(42), int64(-7), 0.5, "12.50", tick, time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC), true, "['a','b']"},
			{`<b>"quotes" & 'marks'</b>`, uint64(math.MaxUint64), int64(math.MinInt64), math.NaN(), "-99999999999999999999.0000000001", tick.Add(-25*time.Hour + time.Second), time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC), false, "[]"},
			{"=1+cmd|' /C calc'!A0", uint64(1 << 53), int64(1<<53 + 1), math.Inf(1), "0", tick, time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC), nil, "['=HYPERLINK(\"x\")']"},
			{"Ελλάδα Україна Łódź", nil, nil, math.Inf(-1), nil, nil, nil, nil, nil},
			{"שלום עולם 123", uint64(2026), int64(0), 1.0 / 3, "1", tick, nil, true, "{}"},
			{"مرحبا", uint64(1), int64(1), 1e300, "1", tick, nil, true, ""},
			{"日本語 🚀 \u202Eevil\u202C", uint64(1), int64(1), 1e-12, "1", tick, nil, true, "tab\there"},
			{"control \x00\x07\x1b and bad \xff\xfe", uint64(1), int64(1), -0.0, "1", tick, nil, true, "line\nbreak"},
		}}
}

func long(tick time.Time, n int) render.Table {
	t := render.Table{Columns: []render.Column{column("time", "DateTime('UTC')"), column("from", "String"), column("to", "String"), column("delay", "Int32"), column("distance", "UInt32")}, Truncated: true}
	for i := range n {
		t.Rows = append(t.Rows, []any{tick.Add(time.Duration(i) * 91 * time.Second), fmt.Sprintf("A%02d", i%37), fmt.Sprintf("B%02d", i%53), int64(i%90 - 20), uint64(i * 31 % 2800)})
	}
	return t
}

// keep writes a document into the folder of samples.
func keep(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(samplesFolder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(samplesFolder, name), data, 0o644); err != nil {
		t.Fatal(err)
	}
}
