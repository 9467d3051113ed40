package parquetfile

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/millrace/millrace/internal/event"
)

// converter turns the arrow arrays of one column into vectors.
type converter struct {
	typ    event.Type
	divide int64 // DateTime64 of the lake: the file's unit to ticks; 0: as it is
}

func converterOf(f arrow.Field) (converter, error) {
	t := event.Type{Nullable: f.Nullable}
	switch dt := f.Type.(type) {
	case *arrow.BooleanType:
		t.Kind = event.Bool
	case *arrow.Int8Type, *arrow.Int16Type, *arrow.Int32Type, *arrow.Int64Type:
		t.Kind = event.Int64
	case *arrow.Uint8Type, *arrow.Uint16Type, *arrow.Uint32Type, *arrow.Uint64Type:
		t.Kind = event.UInt64
	case *arrow.Float16Type, *arrow.Float32Type, *arrow.Float64Type:
		t.Kind = event.Float64
	case *arrow.StringType, *arrow.LargeStringType, *arrow.BinaryType, *arrow.LargeBinaryType,
		*arrow.FixedSizeBinaryType, *arrow.Decimal128Type, *arrow.Decimal256Type:
		t.Kind = event.String
	case *arrow.Date32Type, *arrow.Date64Type:
		t.Kind = event.Date
	case *arrow.TimestampType:
		t.Kind = event.DateTime64
		switch dt.Unit {
		case arrow.Second:
			t.Precision = 0
		case arrow.Millisecond:
			t.Precision = 3
		case arrow.Microsecond:
			t.Precision = 6
		default:
			t.Precision = 9
		}
	case *arrow.NullType:
		t.Kind, t.Nullable = event.String, true
	default:
		return converter{}, fmt.Errorf("column %q has type %s, which no event column can hold; flatten or drop it", f.Name, f.Type)
	}
	return converter{typ: t}, nil
}

// number is an element type of arrow's numeric arrays.
type number interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// widen appends values to dst; rows that are null get zero.
func widen[T, S number](dst []T, src []S, a arrow.Array, divide S) []T {
	for i, v := range src {
		switch {
		case a.IsNull(i):
			v = 0
		case divide > 1:
			v /= divide
		}
		dst = append(dst, T(v))
	}
	return dst
}

func (c *converter) convert(v *event.Vector, a arrow.Array) error {
	divide := max(c.divide, 1)
	switch a := a.(type) {
	case *array.Boolean:
		for i := range a.Len() {
			x := uint8(0)
			if a.IsValid(i) && a.Value(i) {
				x = 1
			}
			v.U8 = append(v.U8, x)
		}
	case *array.Int8:
		v.I64 = widen(v.I64, a.Int8Values(), a, 1)
	case *array.Int16:
		v.I64 = widen(v.I64, a.Int16Values(), a, 1)
	case *array.Int32:
		v.I64 = widen(v.I64, a.Int32Values(), a, 1)
	case *array.Int64:
		v.I64 = widen(v.I64, a.Int64Values(), a, 1)
	case *array.Uint8:
		v.U64 = widen(v.U64, a.Uint8Values(), a, 1)
	case *array.Uint16:
		v.U64 = widen(v.U64, a.Uint16Values(), a, 1)
	case *array.Uint32:
		v.U64 = widen(v.U64, a.Uint32Values(), a, 1)
	case *array.Uint64:
		v.U64 = widen(v.U64, a.Uint64Values(), a, 1)
	case *array.Float16:
		for i := range a.Len() {
			x := 0.0
			if a.IsValid(i) {
				x = float64(a.Value(i).Float32())
			}
			v.F64 = append(v.F64, x)
		}
	case *array.Float32:
		v.F64 = widen(v.F64, a.Float32Values(), a, 1)
	case *array.Float64:
		v.F64 = widen(v.F64, a.Float64Values(), a, 1)
	case *array.Date32:
		v.I64 = widen(v.I64, a.Date32Values(), a, 1)
	case *array.Date64:
		for i, ms := range a.Date64Values() {
			if a.IsNull(i) {
				ms = 0
			}
			v.I64 = append(v.I64, event.FloorDiv(int64(ms), secondsPerDay*1000))
		}
	case *array.Timestamp:
		v.I64 = widen(v.I64, a.TimestampValues(), a, arrow.Timestamp(divide))
	default:
		if err := convertStrings(v, a); err != nil {
			return err
		}
	}
	if c.typ.Nullable {
		for i := range a.Len() {
			n := uint8(0)
			if a.IsNull(i) {
				n = 1
			}
			v.Nulls = append(v.Nulls, n)
		}
	}
	return nil
}

func convertStrings(v *event.Vector, a arrow.Array) error {
	var at func(i int) []byte
	switch a := a.(type) {
	case *array.String:
		at = func(i int) []byte { return []byte(a.Value(i)) }
	case *array.LargeString:
		at = func(i int) []byte { return []byte(a.Value(i)) }
	case *array.Binary:
		at = a.Value
	case *array.LargeBinary:
		at = a.Value
	case *array.FixedSizeBinary:
		at = a.Value
	case *array.Decimal128, *array.Decimal256:
		at = func(i int) []byte { return []byte(a.ValueStr(i)) }
	case *array.Null:
		at = func(int) []byte { return nil }
	default:
		return fmt.Errorf("unexpected array of %s", a.DataType())
	}
	for i := range a.Len() {
		if a.IsNull(i) {
			v.Str.Append(nil)
		} else {
			v.Str.Append(at(i))
		}
	}
	return nil
}
