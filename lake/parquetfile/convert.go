package parquetfile

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/schema"

	"github.com/millrace/millrace/internal/event"
)

// columnReader reads one column of a file into vectors. It reads the column chunks of
// parquet/file directly: the library's way to Arrow records, pqarrow, would bring gRPC and
// the compute kernels into the binary.
type columnReader struct {
	typ     event.Type
	divide  int64 // DateTime64 of the lake: the file's unit to ticks; 0: as it is
	wide    bool  // unsigned 32-bit values, which the file stores as signed
	decimal bool  // a String of digits with scale behind the point
	scale   int32
	chunk   file.ColumnChunkReader
	levels  []int16
}

// columnReaderOf finds the event type of a column.
func columnReaderOf(c *schema.Column) (columnReader, error) {
	refuse := func() (columnReader, error) {
		return columnReader{}, fmt.Errorf("column %q has type %s (%s), which no event column can hold; flatten or drop it", c.Path(), c.PhysicalType(), c.LogicalType())
	}
	if c.MaxRepetitionLevel() > 0 || len(c.ColumnPath()) > 1 {
		return columnReader{}, fmt.Errorf("column %q is nested, which no event column can be; flatten or drop it", c.ColumnPath()[0])
	}
	s := columnReader{typ: event.Type{Nullable: c.MaxDefinitionLevel() > 0}}
	switch logical := c.LogicalType().(type) {
	case *schema.TimestampLogicalType:
		s.typ.Kind = event.DateTime64
		switch logical.TimeUnit() {
		case schema.TimeUnitMillis:
			s.typ.Precision = 3
		case schema.TimeUnitMicros:
			s.typ.Precision = 6
		default:
			s.typ.Precision = 9
		}
		return s, nil
	case schema.DateLogicalType:
		s.typ.Kind = event.Date
		return s, nil
	case *schema.IntLogicalType:
		s.typ.Kind = event.Int64
		if !logical.IsSigned() {
			s.typ.Kind, s.wide = event.UInt64, c.PhysicalType() == parquet.Types.Int32
		}
		return s, nil
	case *schema.DecimalLogicalType:
		s.typ.Kind, s.scale = event.String, logical.Scale()
		s.decimal = true
		return s, nil
	case schema.StringLogicalType, schema.JSONLogicalType, schema.EnumLogicalType, schema.NoLogicalType, schema.UnknownLogicalType:
	default:
		return refuse()
	}
	switch c.PhysicalType() {
	case parquet.Types.Boolean:
		s.typ.Kind = event.Bool
	case parquet.Types.Int32, parquet.Types.Int64:
		s.typ.Kind = event.Int64
	case parquet.Types.Float, parquet.Types.Double:
		s.typ.Kind = event.Float64
	case parquet.Types.ByteArray, parquet.Types.FixedLenByteArray:
		s.typ.Kind = event.String
	case parquet.Types.Int96: // timestamps of old writers
		s.typ.Kind, s.typ.Precision = event.DateTime64, 9
	default:
		return refuse()
	}
	return s, nil
}

// read appends the next n rows of the chunk to v.
func (s *columnReader) read(v *event.Vector, n int64) error {
	if s.decimal {
		return s.readDecimals(v, n)
	}
	switch c := s.chunk.(type) {
	case *file.BooleanColumnChunkReader:
		return readValues(s, v, n, c.ReadBatch, func(x bool) { v.U8 = append(v.U8, bit(x)) })
	case *file.Int32ColumnChunkReader:
		if s.wide {
			return readValues(s, v, n, c.ReadBatch, func(x int32) { v.U64 = append(v.U64, uint64(uint32(x))) })
		}
		if s.typ.Kind == event.UInt64 {
			return readValues(s, v, n, c.ReadBatch, func(x int32) { v.U64 = append(v.U64, uint64(x)) })
		}
		return readValues(s, v, n, c.ReadBatch, func(x int32) { v.I64 = append(v.I64, int64(x)) })
	case *file.Int64ColumnChunkReader:
		if s.typ.Kind == event.UInt64 {
			return readValues(s, v, n, c.ReadBatch, func(x int64) { v.U64 = append(v.U64, uint64(x)) })
		}
		divide := max(s.divide, 1)
		return readValues(s, v, n, c.ReadBatch, func(x int64) { v.I64 = append(v.I64, x/divide) })
	case *file.Int96ColumnChunkReader:
		return readValues(s, v, n, c.ReadBatch, func(x parquet.Int96) { v.I64 = append(v.I64, x.ToTime().UnixNano()) })
	case *file.Float32ColumnChunkReader:
		return readValues(s, v, n, c.ReadBatch, func(x float32) { v.F64 = append(v.F64, float64(x)) })
	case *file.Float64ColumnChunkReader:
		return readValues(s, v, n, c.ReadBatch, func(x float64) { v.F64 = append(v.F64, x) })
	case *file.ByteArrayColumnChunkReader:
		return readValues(s, v, n, c.ReadBatch, func(x parquet.ByteArray) { v.Str.Append(x) })
	case *file.FixedLenByteArrayColumnChunkReader:
		return readValues(s, v, n, c.ReadBatch, func(x parquet.FixedLenByteArray) { v.Str.Append(x) })
	}
	return fmt.Errorf("unexpected chunk of %s", s.chunk.Type())
}

// readDecimals appends decimals as their digits.
func (s *columnReader) readDecimals(v *event.Vector, n int64) error {
	push := func(x *big.Int) { v.Str.Append(digits(x, int(s.scale))) }
	switch c := s.chunk.(type) {
	case *file.Int32ColumnChunkReader:
		return readValues(s, v, n, c.ReadBatch, func(x int32) { push(big.NewInt(int64(x))) })
	case *file.Int64ColumnChunkReader:
		return readValues(s, v, n, c.ReadBatch, func(x int64) { push(big.NewInt(x)) })
	case *file.ByteArrayColumnChunkReader:
		return readValues(s, v, n, c.ReadBatch, func(x parquet.ByteArray) { push(signed(x)) })
	case *file.FixedLenByteArrayColumnChunkReader:
		return readValues(s, v, n, c.ReadBatch, func(x parquet.FixedLenByteArray) { push(signed(x)) })
	}
	return fmt.Errorf("unexpected decimal chunk of %s", s.chunk.Type())
}

// signed reads a big-endian two's complement number.
func signed(b []byte) *big.Int {
	x := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		x.Sub(x, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return x
}

// digits writes x with a decimal point before its last scale digits.
func digits(x *big.Int, scale int) []byte {
	text := new(big.Int).Abs(x).String()
	if missing := scale + 1 - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	var out []byte
	if x.Sign() < 0 {
		out = append(out, '-')
	}
	out = append(out, text[:len(text)-scale]...)
	if scale > 0 {
		out = append(append(out, '.'), text[len(text)-scale:]...)
	}
	return out
}

func bit(x bool) uint8 {
	if x {
		return 1
	}
	return 0
}

// readValues reads n rows, a page's worth at a time, and appends each row's value. Byte arrays are valid until the next call of batch only.
func readValues[T any](s *columnReader, v *event.Vector, n int64, batch func(int64, []T, []int16, []int16) (int64, int, error), push func(T)) error {
	values := make([]T, n)
	if int64(len(s.levels)) < n {
		s.levels = make([]int16, n)
	}
	for n > 0 {
		rows, valid, err := batch(n, values, s.levels, nil)
		if err != nil {
			return err
		}
		if rows == 0 {
			return fmt.Errorf("%d rows are missing", n)
		}
		n -= rows
		if !s.typ.Nullable {
			for _, x := range values[:valid] {
				push(x)
			}
			continue
		}
		next := 0
		for _, level := range s.levels[:rows] {
			if level == 0 {
				v.AppendZero(true)
				continue
			}
			push(values[next])
			next++
			v.Nulls = append(v.Nulls, 0)
		}
	}
	return nil
}
