package clickhouse

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/millrace/millrace/internal/event"
)

// writeBlockRows are encoded at once: enough to make ClickHouse efficient, few enough to
// keep the encoded copy of a large batch small. ClickHouse joins blocks up to about a
// million rows, so a batch of that size is one atomic part per partition.
const writeBlockRows = 64 << 10

// nativeWriter gives a batch as Native blocks of revision 0, encoded as they are read.
type nativeWriter struct {
	batch *event.Batch
	next  int // first row that is not encoded yet
	buf   []byte
	rest  []byte
}

func newNativeWriter(b *event.Batch) *nativeWriter { return &nativeWriter{batch: b} }

// Read implements io.Reader.
func (w *nativeWriter) Read(p []byte) (int, error) {
	if len(w.rest) == 0 {
		if w.next == w.batch.Rows {
			return 0, io.EOF
		}
		to := min(w.next+writeBlockRows, w.batch.Rows)
		var err error
		if w.buf, err = appendBlock(w.buf[:0], w.batch, w.next, to); err != nil {
			return 0, err
		}
		w.rest, w.next = w.buf, to
	}
	n := copy(p, w.rest)
	w.rest = w.rest[n:]
	return n, nil
}

// appendBlock encodes rows from..to.
func appendBlock(out []byte, b *event.Batch, from, to int) ([]byte, error) {
	out = binary.AppendUvarint(out, uint64(len(b.Columns)))
	out = binary.AppendUvarint(out, uint64(to-from))
	for i, c := range b.Schema.Columns {
		out = appendText(out, c.Name)
		// A dictionary is the table's matter: ClickHouse builds it from plain strings.
		out = appendText(out, c.Type.Plain().String())
		var err error
		if out, err = appendColumn(out, &b.Columns[i], c.Type, from, to); err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	return out, nil
}

func appendColumn(out []byte, v *event.Vector, t event.Type, from, to int) ([]byte, error) {
	if t.Nullable {
		if v.Nulls != nil {
			out = append(out, v.Nulls[from:to]...)
		} else {
			out = append(out, make([]byte, to-from)...)
		}
	}
	switch t.Kind {
	case event.Bool:
		out = append(out, v.U8[from:to]...)
	case event.Int64, event.DateTime64:
		for _, x := range v.I64[from:to] {
			out = binary.LittleEndian.AppendUint64(out, uint64(x))
		}
	case event.UInt64:
		for _, x := range v.U64[from:to] {
			out = binary.LittleEndian.AppendUint64(out, x)
		}
	case event.Float64:
		for _, x := range v.F64[from:to] {
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(x))
		}
	case event.Date:
		for _, x := range v.I64[from:to] {
			out = binary.LittleEndian.AppendUint16(out, uint16(x))
		}
	case event.String:
		for i := from; i < to; i++ {
			s := v.Str.At(i)
			out = binary.AppendUvarint(out, uint64(len(s)))
			out = append(out, s...)
		}
	default:
		return nil, fmt.Errorf("type %s has no place in a block", t)
	}
	return out, nil
}

func appendText(out []byte, s string) []byte {
	out = binary.AppendUvarint(out, uint64(len(s)))
	return append(out, s...)
}

// checkDates refuses days that ClickHouse's Date cannot hold, before anything is sent.
func checkDates(b *event.Batch) error {
	for i, c := range b.Schema.Columns {
		if c.Type.Kind != event.Date {
			continue
		}
		for row, day := range b.Columns[i].I64 {
			if day < 0 || day > math.MaxUint16 {
				return fmt.Errorf("column %s, row %d: day %d is outside ClickHouse's Date", c.Name, row, day)
			}
		}
	}
	return nil
}
