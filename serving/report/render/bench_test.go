package render_test

import (
	"io"
	"testing"
	"time"
)

// BenchmarkDocuments writes a report of 5,000 rows and one with a chart.
func BenchmarkDocuments(b *testing.B) {
	all := samples(b)
	rows := all["long"]
	rows.Table = long(time.Date(2026, 10, 26, 7, 0, 0, 0, time.UTC), 5000)
	for _, format := range []string{"html", "text", "svg", "png", "xlsx", "pdf"} {
		b.Run(format+"/chart", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := documents[format](io.Discard, all["hourly-carriers"]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(format+"/rows", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := documents[format](io.Discard, rows); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
