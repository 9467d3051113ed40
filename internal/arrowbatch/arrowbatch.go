// Package arrowbatch turns columnar batches into Arrow and back: records for other
// Arrow code, complete IPC streams for API answers, and single IPC messages without
// their schema for the entries of a stream.
//
// The one invariant: what is read back equals what was written, value for value and
// null for null; a value that an Arrow type cannot hold is an error, never a change.
package arrowbatch

import (
	"fmt"
	"math"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/millrace/millrace/internal/event"
)

// Schema returns the Arrow schema of records of s:
//
//	Bool            Boolean
//	Int64, UInt64   Int64, UInt64
//	Float64         Float64
//	String          Utf8; the bytes are passed on as they are, also where they are not UTF-8
//	Date            Date32
//	DateTime64(P)   Timestamp, UTC, in the coarsest unit that holds P digits
//
// LowCardinality is a hint of storage and leaves no trace.
func Schema(s *event.Schema) *arrow.Schema {
	fields := make([]arrow.Field, len(s.Columns))
	for i, c := range s.Columns {
		fields[i] = arrow.Field{Name: c.Name, Type: dataType(c.Type), Nullable: c.Type.Nullable}
	}
	return arrow.NewSchema(fields, nil)
}

func dataType(t event.Type) arrow.DataType {
	switch t.Kind {
	case event.Bool:
		return arrow.FixedWidthTypes.Boolean
	case event.Int64:
		return arrow.PrimitiveTypes.Int64
	case event.UInt64:
		return arrow.PrimitiveTypes.Uint64
	case event.Float64:
		return arrow.PrimitiveTypes.Float64
	case event.String:
		return arrow.BinaryTypes.String
	case event.Date:
		return arrow.FixedWidthTypes.Date32
	case event.DateTime64:
		unit, _ := timestampUnit(t.Precision)
		return &arrow.TimestampType{Unit: unit, TimeZone: "UTC"}
	}
	return arrow.Null
}

// timestampUnit returns the coarsest unit with at least that many digits, and how many
// of its ticks make one tick of 10^-precision seconds.
func timestampUnit(precision uint8) (unit arrow.TimeUnit, factor int64) {
	switch {
	case precision == 0:
		return arrow.Second, 1
	case precision <= 3:
		return arrow.Millisecond, event.Pow10[3-precision]
	case precision <= 6:
		return arrow.Microsecond, event.Pow10[6-precision]
	default:
		return arrow.Nanosecond, event.Pow10[event.MaxPrecision-precision]
	}
}

// ToRecord returns the batch as an Arrow record, which shares the memory of Int64,
// UInt64, Float64 and String columns and of DateTime64 with 0, 3, 6 or 9 digits: the
// batch must not change while the record lives. A date or time outside of its Arrow
// type is an error that names column and row.
func ToRecord(b *event.Batch) (arrow.Record, error) {
	schema := Schema(b.Schema)
	columns := make([]arrow.Array, len(b.Columns))
	for i := range b.Columns {
		v := &b.Columns[i]
		values, err := valueBuffers(v, b.Rows)
		if err != nil {
			return nil, fmt.Errorf("convert column %q to Arrow: %w", b.Schema.Columns[i].Name, err)
		}
		validity, nulls := validityBuffer(v)
		data := array.NewData(schema.Field(i).Type, b.Rows, append([]*memory.Buffer{validity}, values...), nil, nulls, 0)
		columns[i] = array.MakeFromData(data)
	}
	return array.NewRecord(schema, columns, int64(b.Rows)), nil
}

// valueBuffers returns the Arrow buffers of a column behind its validity bitmap.
func valueBuffers(v *event.Vector, rows int) ([]*memory.Buffer, error) {
	var b []byte
	switch v.Type.Kind {
	case event.Bool:
		b = appendBits(make([]byte, 0, bitmapBytes(rows)), v.U8, 0)
	case event.Int64:
		b = arrow.Int64Traits.CastToBytes(v.I64)
	case event.UInt64:
		b = arrow.Uint64Traits.CastToBytes(v.U64)
	case event.Float64:
		b = arrow.Float64Traits.CastToBytes(v.F64)
	case event.Date:
		days, err := toDate32(v.I64)
		if err != nil {
			return nil, err
		}
		b = arrow.Int32Traits.CastToBytes(days)
	case event.DateTime64:
		ticks, err := toTimestamp(v.I64, v.Type.Precision)
		if err != nil {
			return nil, err
		}
		b = arrow.Int64Traits.CastToBytes(ticks)
	case event.String:
		offsets := v.Str.Offsets
		if len(offsets) == 0 {
			offsets = []int32{0}
		}
		return []*memory.Buffer{
			memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets)),
			memory.NewBufferBytes(v.Str.Data),
		}, nil
	default:
		return nil, fmt.Errorf("type %s has no Arrow type", v.Type)
	}
	return []*memory.Buffer{memory.NewBufferBytes(b)}, nil
}

func toDate32(days []int64) ([]int32, error) {
	out := make([]int32, len(days))
	for i, d := range days {
		if d < math.MinInt32 || d > math.MaxInt32 {
			return nil, fmt.Errorf("row %d: day %d does not fit Date32", i, d)
		}
		out[i] = int32(d)
	}
	return out, nil
}

func toTimestamp(ticks []int64, precision uint8) ([]int64, error) {
	unit, factor := timestampUnit(precision)
	if factor == 1 {
		return ticks, nil
	}
	out := make([]int64, len(ticks))
	limit := math.MaxInt64 / factor
	for i, t := range ticks {
		if t > limit || t < -limit {
			return nil, fmt.Errorf("row %d: time %d (DateTime64(%d)) does not fit a timestamp in %s", i, t, precision, unit)
		}
		out[i] = t * factor
	}
	return out, nil
}

// validityBuffer returns the bitmap of rows that are not null, or nil if all are.
func validityBuffer(v *event.Vector) (*memory.Buffer, int) {
	nulls := countOnes(v.Nulls)
	if nulls == 0 {
		return nil, 0
	}
	return memory.NewBufferBytes(appendBits(make([]byte, 0, bitmapBytes(len(v.Nulls))), v.Nulls, 1)), nulls
}
