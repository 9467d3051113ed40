package event

import "fmt"

// Strings is a column of byte strings, laid out as Arrow does: value i is
// Data[Offsets[i]:Offsets[i+1]]. Offsets has one element more than there are values
// (an empty column may have none).
type Strings struct {
	Offsets []int32
	Data    []byte
}

// At returns value i; the caller must not change it.
func (s *Strings) At(i int) []byte { return s.Data[s.Offsets[i]:s.Offsets[i+1]] }

// Len returns the number of values.
func (s *Strings) Len() int {
	if len(s.Offsets) == 0 {
		return 0
	}
	return len(s.Offsets) - 1
}

// Append adds one value.
func (s *Strings) Append(v []byte) {
	if len(s.Offsets) == 0 {
		s.Offsets = append(s.Offsets, 0)
	}
	s.Data = append(s.Data, v...)
	s.Offsets = append(s.Offsets, int32(len(s.Data)))
}

// Vector is one column of a batch or the result of an expression. Which slice is in
// use follows from Type.Kind. Nulls, where not nil, has 1 for each null row; the value
// slice then holds the type's zero at that row.
type Vector struct {
	Type  Type
	Nulls []uint8
	U8    []uint8
	I64   []int64
	U64   []uint64
	F64   []float64
	Str   Strings
}

// Len returns the number of rows.
func (v *Vector) Len() int {
	switch v.Type.Kind {
	case Bool:
		return len(v.U8)
	case Int64, Date, DateTime64:
		return len(v.I64)
	case UInt64:
		return len(v.U64)
	case Float64:
		return len(v.F64)
	case String:
		return v.Str.Len()
	}
	return 0
}

// Null reports whether row i is null.
func (v *Vector) Null(i int) bool { return v.Nulls != nil && v.Nulls[i] != 0 }

// Reset empties the vector and keeps its memory.
func (v *Vector) Reset() {
	v.Nulls = v.Nulls[:0]
	v.U8, v.I64, v.U64, v.F64 = v.U8[:0], v.I64[:0], v.U64[:0], v.F64[:0]
	v.Str.Offsets, v.Str.Data = v.Str.Offsets[:0], v.Str.Data[:0]
}

// AppendZero adds a row with the type's zero value; null says whether it is null. For
// a nullable type Nulls grows with every row, else it stays nil.
func (v *Vector) AppendZero(null bool) {
	switch v.Type.Kind {
	case Bool:
		v.U8 = append(v.U8, 0)
	case Int64, Date, DateTime64:
		v.I64 = append(v.I64, 0)
	case UInt64:
		v.U64 = append(v.U64, 0)
	case Float64:
		v.F64 = append(v.F64, 0)
	case String:
		v.Str.Append(nil)
	}
	v.pushNull(null)
}

// AppendBool adds a row to a Bool vector; the other Append methods likewise.
func (v *Vector) AppendBool(x bool) {
	b := uint8(0)
	if x {
		b = 1
	}
	v.U8 = append(v.U8, b)
	v.pushNull(false)
}

// AppendInt64 adds a row to an Int64, Date or DateTime64 vector.
func (v *Vector) AppendInt64(x int64) { v.I64 = append(v.I64, x); v.pushNull(false) }

// AppendUInt64 adds a row to a UInt64 vector.
func (v *Vector) AppendUInt64(x uint64) { v.U64 = append(v.U64, x); v.pushNull(false) }

// AppendFloat64 adds a row to a Float64 vector.
func (v *Vector) AppendFloat64(x float64) { v.F64 = append(v.F64, x); v.pushNull(false) }

// AppendString adds a row to a String vector.
func (v *Vector) AppendString(x []byte) { v.Str.Append(x); v.pushNull(false) }

func (v *Vector) pushNull(null bool) {
	if !v.Type.Nullable {
		return
	}
	n := uint8(0)
	if null {
		n = 1
	}
	v.Nulls = append(v.Nulls, n)
}

// AppendRange adds rows from..to of src, which has the same kind. A source without
// Nulls counts as having none null.
func (v *Vector) AppendRange(src *Vector, from, to int) {
	switch v.Type.Kind {
	case Bool:
		v.U8 = append(v.U8, src.U8[from:to]...)
	case Int64, Date, DateTime64:
		v.I64 = append(v.I64, src.I64[from:to]...)
	case UInt64:
		v.U64 = append(v.U64, src.U64[from:to]...)
	case Float64:
		v.F64 = append(v.F64, src.F64[from:to]...)
	case String:
		if to > from {
			if len(v.Str.Offsets) == 0 {
				v.Str.Offsets = append(v.Str.Offsets, 0)
			}
			base := int32(len(v.Str.Data)) - src.Str.Offsets[from]
			v.Str.Data = append(v.Str.Data, src.Str.Data[src.Str.Offsets[from]:src.Str.Offsets[to]]...)
			for _, o := range src.Str.Offsets[from+1 : to+1] {
				v.Str.Offsets = append(v.Str.Offsets, o+base)
			}
		}
	}
	if v.Type.Nullable {
		for i := from; i < to; i++ {
			n := uint8(0)
			if src.Null(i) {
				n = 1
			}
			v.Nulls = append(v.Nulls, n)
		}
	}
}

// AppendRows adds the chosen rows of src, which has the same kind.
func (v *Vector) AppendRows(src *Vector, rows []uint32) {
	switch v.Type.Kind {
	case Bool:
		for _, r := range rows {
			v.U8 = append(v.U8, src.U8[r])
		}
	case Int64, Date, DateTime64:
		for _, r := range rows {
			v.I64 = append(v.I64, src.I64[r])
		}
	case UInt64:
		for _, r := range rows {
			v.U64 = append(v.U64, src.U64[r])
		}
	case Float64:
		for _, r := range rows {
			v.F64 = append(v.F64, src.F64[r])
		}
	case String:
		for _, r := range rows {
			v.Str.Append(src.Str.At(int(r)))
		}
	}
	if v.Type.Nullable {
		for _, r := range rows {
			n := uint8(0)
			if src.Null(int(r)) {
				n = 1
			}
			v.Nulls = append(v.Nulls, n)
		}
	}
}

// Value returns row i as a Go value, for messages, tests and output: nil, bool, int64
// (also Date and DateTime64, in their units), uint64, float64 or string.
func (v *Vector) Value(i int) any {
	if v.Null(i) {
		return nil
	}
	switch v.Type.Kind {
	case Bool:
		return v.U8[i] != 0
	case Int64, Date, DateTime64:
		return v.I64[i]
	case UInt64:
		return v.U64[i]
	case Float64:
		return v.F64[i]
	case String:
		return string(v.Str.At(i))
	}
	panic(fmt.Sprintf("event: value of kind %d", v.Type.Kind))
}

// Batch is a set of rows in columns, in the order of its schema.
type Batch struct {
	Schema  *Schema
	Rows    int
	Columns []Vector
}

// NewBatch returns an empty batch of the schema.
func NewBatch(s *Schema) *Batch {
	b := &Batch{Schema: s, Columns: make([]Vector, len(s.Columns))}
	for i, c := range s.Columns {
		b.Columns[i].Type = c.Type
	}
	return b
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.Rows = 0
	for i := range b.Columns {
		b.Columns[i].Reset()
	}
}

// AppendRange adds rows from..to of src, which has the same schema.
func (b *Batch) AppendRange(src *Batch, from, to int) {
	for i := range b.Columns {
		b.Columns[i].AppendRange(&src.Columns[i], from, to)
	}
	b.Rows += to - from
}

// AppendRows adds the chosen rows of src, which has the same schema.
func (b *Batch) AppendRows(src *Batch, rows []uint32) {
	for i := range b.Columns {
		b.Columns[i].AppendRows(&src.Columns[i], rows)
	}
	b.Rows += len(rows)
}

// SizeBytes returns the memory that the rows take.
func (b *Batch) SizeBytes() int {
	n := 0
	for i := range b.Columns {
		v := &b.Columns[i]
		n += len(v.Nulls) + len(v.U8) + 8*(len(v.I64)+len(v.U64)+len(v.F64)) + 4*len(v.Str.Offsets) + len(v.Str.Data)
	}
	return n
}
