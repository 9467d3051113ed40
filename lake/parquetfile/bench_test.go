package parquetfile

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/millrace/millrace/internal/event"
)

// clickRows is DESIGN's seven columns: the event that its figures speak of.
func clickRows(n int, seed uint64) *event.Batch {
	s, err := event.NewSchema(
		event.Column{Name: "ts", Type: event.Type{Kind: event.DateTime64, Precision: 3}},
		event.Column{Name: "user_id", Type: event.Type{Kind: event.String}},
		event.Column{Name: "page", Type: event.Type{Kind: event.String}},
		event.Column{Name: "country", Type: event.Type{Kind: event.String}},
		event.Column{Name: "latency_ms", Type: event.Type{Kind: event.Int64}},
		event.Column{Name: "price", Type: event.Type{Kind: event.Float64}},
		event.Column{Name: "ok", Type: event.Type{Kind: event.Bool}},
		event.Column{Name: event.ExtraColumn, Type: event.Type{Kind: event.String}},
	)
	if err != nil {
		panic(err)
	}
	r := rand.New(rand.NewPCG(seed, 2))
	b := event.NewBatch(s)
	for i := range n {
		b.Columns[0].AppendInt64(1_700_000_000_000 + int64(i) + r.Int64N(1000))
		b.Columns[1].AppendString(fmt.Appendf(nil, "user-%06d", r.IntN(50_000)))
		b.Columns[2].AppendString(fmt.Appendf(nil, "/page/%d", r.IntN(500)))
		b.Columns[3].AppendString([]byte([]string{"DE", "US", "FR", "JP", "BR"}[r.IntN(5)]))
		b.Columns[4].AppendInt64(int64(r.ExpFloat64() * 40))
		b.Columns[5].AppendFloat64(float64(r.IntN(10000)) / 100)
		b.Columns[6].AppendBool(r.IntN(10) > 0)
		b.Columns[7].AppendString(nil)
		b.Rows++
	}
	return b
}

// BenchmarkWriter encodes a file of a million rows from entries of ten thousand, on one
// core. Rows and bytes a second are those of the columns in memory.
func BenchmarkWriter(b *testing.B) {
	const entry, entries = 10_000, 100
	batches := make([]*event.Batch, 10)
	for i := range batches {
		batches[i] = clickRows(entry, uint64(i))
	}
	w, err := NewWriter(batches[0].Schema, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(batches[0].SizeBytes()) * entries)
	b.ReportAllocs()
	var size int64
	for b.Loop() {
		w.Start(io.Discard)
		for i := range entries {
			if err := w.Append(batches[i%len(batches)], nil, 1, uint64(i+1), int64(i)*1e7); err != nil {
				b.Fatal(err)
			}
		}
		s, err := w.Close()
		if err != nil {
			b.Fatal(err)
		}
		size = s.SizeBytes
	}
	b.ReportMetric(float64(entry*entries*b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(size)/(entry*entries), "file-B/row")
}
