// Package batchtest makes random batches for property tests, and compares batches.
//
// The one invariant: what it makes is what event.Batch allows, with all of its corners:
// no rows, nulls or none in nullable columns, empty strings and bytes that are no UTF-8,
// extremes, NaN and -0.
package batchtest

import (
	"bytes"
	"fmt"
	"math"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/event"
)

// Schema draws a schema of 1 to 8 columns.
func Schema(t *rapid.T) *event.Schema {
	n := rapid.IntRange(1, 8).Draw(t, "columns")
	columns := make([]event.Column, n)
	for i := range columns {
		columns[i] = event.Column{Name: fmt.Sprintf("c%d", i), Type: Type(t)}
	}
	s, err := event.NewSchema(columns...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Type draws a column type.
func Type(t *rapid.T) event.Type {
	typ := event.Type{
		Kind: rapid.SampledFrom([]event.Kind{event.Bool, event.Int64, event.UInt64, event.Float64,
			event.String, event.Date, event.DateTime64}).Draw(t, "kind"),
		Nullable: rapid.Bool().Draw(t, "nullable"),
	}
	switch typ.Kind {
	case event.DateTime64:
		typ.Precision = rapid.Uint8Range(0, event.MaxPrecision).Draw(t, "precision")
	case event.String:
		typ.LowCardinality = rapid.Bool().Draw(t, "low cardinality")
	}
	return typ
}

// Batch draws a batch of at most maxRows rows.
func Batch(t *rapid.T, s *event.Schema, maxRows int) *event.Batch {
	b := event.NewBatch(s)
	b.Rows = rapid.IntRange(0, maxRows).Draw(t, "rows")
	for i := range b.Columns {
		someNull := rapid.Bool().Draw(t, "some null")
		for range b.Rows {
			appendValue(t, &b.Columns[i], someNull)
		}
	}
	return b
}

var floats = []float64{0, math.Copysign(0, -1), 1.5, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64}

func appendValue(t *rapid.T, v *event.Vector, someNull bool) {
	if v.Type.Nullable && someNull && rapid.Bool().Draw(t, "null") {
		v.AppendZero(true)
		return
	}
	switch v.Type.Kind {
	case event.Bool:
		v.AppendBool(rapid.Bool().Draw(t, "bool"))
	case event.Int64:
		v.AppendInt64(rapid.Int64().Draw(t, "int64"))
	case event.UInt64:
		v.AppendUInt64(rapid.Uint64().Draw(t, "uint64"))
	case event.Float64:
		v.AppendFloat64(rapid.OneOf(rapid.SampledFrom(floats), rapid.Float64()).Draw(t, "float64"))
	case event.String:
		v.AppendString(rapid.SliceOfN(rapid.Byte(), 0, 12).Draw(t, "string"))
	case event.Date:
		v.AppendInt64(rapid.Int64Range(0, math.MaxUint16).Draw(t, "date"))
	case event.DateTime64:
		// What every precision holds in a timestamp of nanoseconds.
		seconds := rapid.Int64Range(-9_000_000_000, 9_000_000_000).Draw(t, "seconds")
		v.AppendInt64(seconds * event.Pow10[v.Type.Precision])
	}
}

// Equal reports how two batches differ, if they do: in rows, nulls or values, bit by bit.
func Equal(a, b *event.Batch) error {
	if a.Rows != b.Rows || len(a.Columns) != len(b.Columns) {
		return fmt.Errorf("%d rows and %d columns, not %d and %d", a.Rows, len(a.Columns), b.Rows, len(b.Columns))
	}
	for c := range a.Columns {
		x, y := &a.Columns[c], &b.Columns[c]
		if x.Len() != y.Len() && a.Rows > 0 {
			return fmt.Errorf("column %d has %d values, not %d", c, x.Len(), y.Len())
		}
		for r := range a.Rows {
			if !sameValue(x, y, r) {
				return fmt.Errorf("column %d row %d is %v, not %v", c, r, x.Value(r), y.Value(r))
			}
		}
	}
	return nil
}

// sameValue also compares what stands behind a null.
func sameValue(x, y *event.Vector, row int) bool {
	if x.Null(row) != y.Null(row) || x.Type.Kind != y.Type.Kind {
		return false
	}
	switch x.Type.Kind {
	case event.Bool:
		return x.U8[row] == y.U8[row]
	case event.UInt64:
		return x.U64[row] == y.U64[row]
	case event.Float64:
		return math.Float64bits(x.F64[row]) == math.Float64bits(y.F64[row])
	case event.String:
		return bytes.Equal(x.Str.At(row), y.Str.At(row))
	default:
		return x.I64[row] == y.I64[row]
	}
}
