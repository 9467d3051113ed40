package clickhouse_test

import (
	"fmt"
	"testing"

	"github.com/millrace/millrace/internal/clickhouse/enginetest"
)

// BenchmarkSmallQuery is the round trip of a query that costs the engine nothing.
func BenchmarkSmallQuery(b *testing.B) {
	c := enginetest.Client(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.QueryBatch(b.Context(), "SELECT 1"); err != nil {
			b.Fatal(err)
		}
	}
}

const benchRows = 100_000

// BenchmarkInsert writes rows of an integer, a string and a float to disk.
func BenchmarkInsert(b *testing.B) {
	c := enginetest.Client(b)
	rows, err := c.QueryBatch(b.Context(), fmt.Sprintf("SELECT number AS n, toString(number %% 1000) AS s, number / 3 AS f FROM numbers(%d)", benchRows))
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Exec(b.Context(), "CREATE OR REPLACE TABLE bench (n UInt64, s String, f Float64) ENGINE = MergeTree ORDER BY n"); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(rows.SizeBytes()))
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Insert(b.Context(), "bench", rows); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkQueryBatch reads the same rows back in columns.
func BenchmarkQueryBatch(b *testing.B) {
	c := enginetest.Client(b)
	query := fmt.Sprintf("SELECT number AS n, toString(number %% 1000) AS s, number / 3 AS f FROM numbers(%d)", benchRows)
	b.ReportAllocs()
	for b.Loop() {
		rows, err := c.QueryBatch(b.Context(), query)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(rows.SizeBytes()))
	}
	b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds(), "rows/s")
}
