package parquetfile

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/event"
)

// allTypes is a schema with every kind, plain and nullable; the first column is the
// event time.
func allTypes() *event.Schema {
	columns := []event.Column{{Name: "ts", Type: event.Type{Kind: event.DateTime64, Precision: 3}}}
	for _, t := range []event.Type{
		{Kind: event.Bool}, {Kind: event.Int64}, {Kind: event.UInt64}, {Kind: event.Float64}, {Kind: event.String}, {Kind: event.Date},
		{Kind: event.DateTime64}, {Kind: event.DateTime64, Precision: 1}, {Kind: event.DateTime64, Precision: 3},
		{Kind: event.DateTime64, Precision: 5}, {Kind: event.DateTime64, Precision: 6}, {Kind: event.DateTime64, Precision: 7},
		{Kind: event.DateTime64, Precision: 9},
	} {
		columns = append(columns,
			event.Column{Name: fmt.Sprintf("c%d", len(columns)), Type: t},
			event.Column{Name: fmt.Sprintf("c%d", len(columns)+1), Type: t.OrNull()})
	}
	columns = append(columns,
		event.Column{Name: "odd `na\\me'", Type: event.Type{Kind: event.String, LowCardinality: true}},
		event.Column{Name: event.ExtraColumn, Type: event.Type{Kind: event.String}})
	s, err := event.NewSchema(columns...)
	if err != nil {
		panic(err)
	}
	return s
}

// edges are values that must survive, by kind; times are in seconds.
var (
	edgeInts    = []int64{0, 1, -1, math.MinInt64, math.MaxInt64, 1 << 40}
	edgeUints   = []uint64{0, 1, math.MaxInt64, 1 << 63, math.MaxUint64}
	edgeFloats  = []float64{0, math.Copysign(0, -1), 1.5, math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, math.SmallestNonzeroFloat64}
	edgeStrings = []string{"", "a", "héllo", "\x00\xff\xfe", "'quote\\", "long long long long long long long long long long long"}
	edgeDays    = []int64{0, 1, 20000, 65535}
	edgeTimes   = []int64{0, 1, -1, -1_000_000_000, 1_700_000_000, 4_000_000_000}
)

// drawValue appends a drawn value, or null where the type allows.
func drawValue(t *rapid.T, v *event.Vector) {
	if v.Type.Nullable && rapid.IntRange(0, 3).Draw(t, "null") == 0 {
		v.AppendZero(true)
		return
	}
	switch v.Type.Kind {
	case event.Bool:
		v.AppendBool(rapid.Bool().Draw(t, "bool"))
	case event.Int64:
		v.AppendInt64(rapid.OneOf(rapid.SampledFrom(edgeInts), rapid.Int64()).Draw(t, "int"))
	case event.UInt64:
		v.AppendUInt64(rapid.OneOf(rapid.SampledFrom(edgeUints), rapid.Uint64()).Draw(t, "uint"))
	case event.Float64:
		v.AppendFloat64(rapid.OneOf(rapid.SampledFrom(edgeFloats), rapid.Float64()).Draw(t, "float"))
	case event.String:
		v.AppendString([]byte(rapid.OneOf(rapid.SampledFrom(edgeStrings), rapid.String()).Draw(t, "string")))
	case event.Date:
		v.AppendInt64(rapid.OneOf(rapid.SampledFrom(edgeDays), rapid.Int64Range(0, 65535)).Draw(t, "date"))
	case event.DateTime64:
		s := rapid.OneOf(rapid.SampledFrom(edgeTimes), rapid.Int64Range(-2e9, 4e9)).Draw(t, "seconds")
		f := rapid.Int64Range(0, event.Pow10[v.Type.Precision]-1).Draw(t, "fraction")
		v.AppendInt64(s*event.Pow10[v.Type.Precision] + f)
	}
}

func drawBatch(t *rapid.T, s *event.Schema, rows int) *event.Batch {
	b := event.NewBatch(s)
	for range rows {
		for i := range b.Columns {
			drawValue(t, &b.Columns[i])
		}
		b.Rows++
	}
	return b
}

// encode writes batches as the entries 1, 2, … of a partition.
func encode(t testing.TB, w *Writer, batches ...*event.Batch) ([]byte, Summary) {
	t.Helper()
	var out bytes.Buffer
	w.Start(&out)
	for i, b := range batches {
		if err := w.Append(b, nil, 3, uint64(i+1), int64(i)*1e9); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if sum.SizeBytes != int64(out.Len()) {
		t.Fatalf("summary says %d bytes, the file has %d", sum.SizeBytes, out.Len())
	}
	return out.Bytes(), sum
}

func newWriter(t testing.TB, s *event.Schema) *Writer {
	t.Helper()
	w, err := NewWriter(s, 0)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func readAll(t testing.TB, r *Reader) *event.Batch {
	t.Helper()
	all := event.NewBatch(r.Schema())
	if err := r.Each(func(b *event.Batch) error { all.AppendRange(b, 0, b.Rows); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

func source(data []byte) Source {
	return io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
}

// wantColumn compares the values of two columns, NaN equal to NaN.
func wantColumn(t testing.TB, name string, got, want *event.Vector) {
	t.Helper()
	if got.Len() != want.Len() {
		t.Fatalf("%s: %d rows, want %d", name, got.Len(), want.Len())
	}
	for i := range want.Len() {
		g, w := got.Value(i), want.Value(i)
		if gf, ok := g.(float64); ok {
			if wf, ok := w.(float64); ok && math.Float64bits(gf) == math.Float64bits(wf) {
				continue
			}
		}
		if g != w {
			t.Fatalf("%s %s row %d: %v (%T), want %v (%T)", name, want.Type, i, g, g, w, w)
		}
	}
}
