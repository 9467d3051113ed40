package arrowbatch

import (
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"

	"github.com/millrace/millrace/internal/event"
)

// WriteStream writes the batch as a complete Arrow IPC stream: schema, one record
// batch, end mark. See Schema for the types.
func WriteStream(w io.Writer, b *event.Batch) error {
	rec, err := ToRecord(b)
	if err != nil {
		return err
	}
	out := ipc.NewWriter(w, ipc.WithSchema(rec.Schema()))
	if err := out.Write(rec); err != nil {
		return fmt.Errorf("write Arrow stream: %w", err)
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("end Arrow stream: %w", err)
	}
	return nil
}

// FromRecord returns the columns of schema, found by name, as a batch. It reverses
// ToRecord, and takes Binary for Utf8. The batch shares the record's memory where the
// representation is the same: the record must not be released to an allocator that
// reuses memory while the batch lives. A missing column, another type, or a null in a
// column that is not nullable is an error.
func FromRecord(schema *event.Schema, rec arrow.Record) (*event.Batch, error) {
	b := event.NewBatch(schema)
	b.Rows = int(rec.NumRows())
	for i, c := range schema.Columns {
		at := rec.Schema().FieldIndices(c.Name)
		if len(at) != 1 {
			return nil, fmt.Errorf("read Arrow record: column %q occurs %d times", c.Name, len(at))
		}
		if err := fromArray(&b.Columns[i], rec.Column(at[0])); err != nil {
			return nil, fmt.Errorf("read Arrow column %q: %w", c.Name, err)
		}
	}
	return b, nil
}

func fromArray(v *event.Vector, a arrow.Array) error {
	if want := dataType(v.Type); !arrow.TypeEqual(want, a.DataType()) && a.DataType().ID() != arrow.BINARY {
		return fmt.Errorf("type is %s, not %s", a.DataType(), want)
	}
	if a.NullN() > 0 {
		if !v.Type.Nullable {
			return fmt.Errorf("%d nulls in a column of type %s", a.NullN(), v.Type)
		}
		v.Nulls = make([]byte, a.Len())
		for i := range v.Nulls {
			if a.IsNull(i) {
				v.Nulls[i] = 1
			}
		}
	}
	switch a := a.(type) {
	case *array.Boolean:
		v.U8 = make([]byte, a.Len())
		for i := range v.U8 {
			if a.IsValid(i) && a.Value(i) {
				v.U8[i] = 1
			}
		}
	case *array.Int64:
		v.I64 = zeroNulls(a.Int64Values(), v.Nulls)
	case *array.Uint64:
		v.U64 = zeroNulls(a.Uint64Values(), v.Nulls)
	case *array.Float64:
		v.F64 = zeroNulls(a.Float64Values(), v.Nulls)
	case *array.Date32:
		v.I64 = make([]int64, a.Len())
		for i, d := range a.Date32Values() {
			v.I64[i] = int64(d)
		}
		v.I64 = zeroNulls(v.I64, v.Nulls)
	case *array.Timestamp:
		v.I64 = zeroNulls(fromTimestamp(a.TimestampValues(), v.Type.Precision), v.Nulls)
	case *array.String:
		v.Str = stringsOf(a.ValueOffsets(), a.ValueBytes(), v.Nulls)
	case *array.Binary:
		if v.Type.Kind != event.String {
			return fmt.Errorf("type is %s, not %s", a.DataType(), dataType(v.Type))
		}
		v.Str = stringsOf(a.ValueOffsets(), a.ValueBytes(), v.Nulls)
	default:
		return fmt.Errorf("type %s is not known", a.DataType())
	}
	return nil
}

func fromTimestamp(ticks []arrow.Timestamp, precision uint8) []int64 {
	_, factor := timestampUnit(precision)
	out := make([]int64, len(ticks))
	for i, t := range ticks {
		out[i] = event.FloorDiv(int64(t), factor)
	}
	return out
}

// zeroNulls returns values with the zero at each null row, which Arrow leaves undefined
// and a Vector does not; the original is copied before it is changed.
func zeroNulls[T int64 | uint64 | float64](values []T, nulls []byte) []T {
	values = values[:len(values):len(values)]
	copied := false
	for i, null := range nulls {
		if null == 0 || values[i] == 0 {
			continue
		}
		if !copied {
			values, copied = append([]T(nil), values...), true
		}
		values[i] = 0
	}
	return values
}

// stringsOf builds a string column from Arrow's offsets, which may start anywhere, and
// the bytes between the first and the last of them.
func stringsOf(offsets []int32, data, nulls []byte) event.Strings {
	if len(offsets) == 0 {
		return event.Strings{}
	}
	if nulls == nil && offsets[0] == 0 {
		return event.Strings{Offsets: offsets[:len(offsets):len(offsets)], Data: data[:len(data):len(data)]}
	}
	s := event.Strings{Offsets: make([]int32, 0, len(offsets)), Data: make([]byte, 0, len(data))}
	base := offsets[0]
	for i := range len(offsets) - 1 {
		if nulls != nil && nulls[i] != 0 {
			s.Append(nil)
			continue
		}
		s.Append(data[offsets[i]-base : offsets[i+1]-base])
	}
	return s
}
