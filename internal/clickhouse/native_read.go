package clickhouse

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/millrace/millrace/internal/event"
)

const (
	// readBufferBytes is read from the connection at once.
	readBufferBytes = 64 << 10
	// trustedRows of a block have memory before their bytes have come: as many as
	// ClickHouse's own blocks usually have.
	trustedRows = 1 << 16
	// maxBlockRows is far above what ClickHouse puts into one block; a larger count is
	// a broken stream.
	maxBlockRows = 1 << 28
	// maxBlockColumns likewise.
	maxBlockColumns = 1 << 16
	// maxFailureBytes are searched for the reason of a failure: ClickHouse gives at most
	// 16 KiB of text.
	maxFailureBytes = 64 << 10
	// maxNameBytes bounds the name of a column or type.
	maxNameBytes = 1 << 20
)

// errBlock says that the bytes are no Native blocks.
var errBlock = errors.New("malformed native block")

// nativeReader decodes Native blocks of revision 0 into one batch:
//
//	block  = columns:varint rows:varint {column}
//	column = name:string type:string [data, where rows > 0]
//
// Memory grows with the bytes that arrive, not with the counts that they announce.
type nativeReader struct {
	r       *bufio.Reader
	header  []event.Column
	wires   []wire // of the columns
	vectors []event.Vector
	rows    int
	blocks  int
}

// readNative reads blocks to the end. A result without any block has no columns.
func readNative(r io.Reader) (*event.Batch, error) {
	d := &nativeReader{r: bufio.NewReaderSize(r, readBufferBytes)}
	for {
		if _, err := d.r.Peek(1); err == io.EOF {
			break
		}
		if err := d.block(); err != nil {
			return nil, d.reason(err)
		}
	}
	schema, err := event.NewSchema(d.header...)
	if err != nil {
		return nil, err
	}
	return &event.Batch{Schema: schema, Rows: d.rows, Columns: d.vectors}, nil
}

func (d *nativeReader) block() error {
	columns, err := d.count(maxBlockColumns)
	if err != nil {
		return err
	}
	rows, err := d.count(maxBlockRows)
	if err != nil {
		return err
	}
	if d.blocks > 0 && columns != len(d.wires) {
		return fmt.Errorf("%w: %d columns after %d", errBlock, columns, len(d.wires))
	}
	for i := range columns {
		name, err := d.text()
		if err != nil {
			return err
		}
		typeName, err := d.text()
		if err != nil {
			return err
		}
		w, err := parseType(typeName)
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		if d.blocks == 0 {
			d.header = append(d.header, event.Column{Name: name, Type: w.typ})
			d.wires = append(d.wires, w)
			d.vectors = append(d.vectors, event.Vector{Type: w.typ})
		}
		if w != d.wires[i] {
			return fmt.Errorf("%w: column %s changes its type to %s", errBlock, name, typeName)
		}
		if rows == 0 {
			continue
		}
		if err := d.column(&d.vectors[i], w, rows); err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
	}
	d.rows += rows
	d.blocks++
	return nil
}

// column appends the rows of one column.
func (d *nativeReader) column(v *event.Vector, w wire, rows int) error {
	if w.typ.LowCardinality {
		return d.lowCardinality(v, w, rows)
	}
	var nulls []uint8
	if w.typ.Nullable {
		from := len(v.Nulls)
		err := d.fixed(rows, 1, func(b []byte) { v.Nulls = append(v.Nulls, b...) })
		if err != nil {
			return err
		}
		nulls = v.Nulls[from:]
	}
	return d.values(v, w, rows, nulls)
}

// values appends values; null ones become zero, whatever the block holds there.
func (d *nativeReader) values(v *event.Vector, w wire, rows int, nulls []uint8) error {
	switch w.typ.Kind {
	case event.String:
		return d.strings(v, w.width, rows, nulls)
	case event.Bool:
		from := len(v.U8)
		err := d.fixed(rows, 1, func(b []byte) { v.U8 = append(v.U8, b...) })
		return zero(v.U8[from:], nulls, err)
	case event.UInt64:
		from := len(v.U64)
		v.U64 = slices.Grow(v.U64, min(rows, trustedRows))
		err := d.fixed(rows, w.width, func(b []byte) { v.U64 = appendUnsigned(v.U64, b, w.width) })
		return zero(v.U64[from:], nulls, err)
	case event.Int64, event.Date, event.DateTime64:
		from := len(v.I64)
		v.I64 = slices.Grow(v.I64, min(rows, trustedRows))
		err := d.fixed(rows, w.width, func(b []byte) { v.I64 = appendInteger(v.I64, b, w) })
		return zero(v.I64[from:], nulls, err)
	case event.Float64:
		from := len(v.F64)
		v.F64 = slices.Grow(v.F64, min(rows, trustedRows))
		err := d.fixed(rows, w.width, func(b []byte) { v.F64 = appendFloat(v.F64, b, w.width) })
		return zero(v.F64[from:], nulls, err)
	}
	return fmt.Errorf("%w: kind %d", errBlock, w.typ.Kind)
}

// zero clears the null rows, unless reading has failed.
func zero[T any](values []T, nulls []uint8, err error) error {
	if err != nil {
		return err
	}
	var none T
	for i, null := range nulls {
		if null != 0 {
			values[i] = none
		}
	}
	return nil
}

// fixed gives the bytes of rows values in pieces that hold whole values.
func (d *nativeReader) fixed(rows, width int, piece func([]byte)) error {
	for rows > 0 {
		n := min(rows, d.r.Size()/width)
		b, err := d.r.Peek(n * width)
		if err != nil {
			return unexpected(err)
		}
		piece(b)
		if _, err := d.r.Discard(n * width); err != nil {
			return unexpected(err)
		}
		rows -= n
	}
	return nil
}

func appendUnsigned(to []uint64, b []byte, width int) []uint64 {
	for ; len(b) > 0; b = b[width:] {
		switch width {
		case 1:
			to = append(to, uint64(b[0]))
		case 2:
			to = append(to, uint64(binary.LittleEndian.Uint16(b)))
		case 4:
			to = append(to, uint64(binary.LittleEndian.Uint32(b)))
		default:
			to = append(to, binary.LittleEndian.Uint64(b))
		}
	}
	return to
}

func appendInteger(to []int64, b []byte, w wire) []int64 {
	for ; len(b) > 0; b = b[w.width:] {
		switch {
		case w.width == 8:
			to = append(to, int64(binary.LittleEndian.Uint64(b)))
		case w.width == 1:
			to = append(to, int64(int8(b[0])))
		case w.width == 2 && w.signed:
			to = append(to, int64(int16(binary.LittleEndian.Uint16(b))))
		case w.width == 2:
			to = append(to, int64(binary.LittleEndian.Uint16(b)))
		case w.signed:
			to = append(to, int64(int32(binary.LittleEndian.Uint32(b))))
		default:
			to = append(to, int64(binary.LittleEndian.Uint32(b)))
		}
	}
	return to
}

func appendFloat(to []float64, b []byte, width int) []float64 {
	for ; len(b) > 0; b = b[width:] {
		if width == 4 {
			to = append(to, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
		} else {
			to = append(to, math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
	}
	return to
}

// strings appends strings of their own lengths, or of width bytes each.
func (d *nativeReader) strings(v *event.Vector, width, rows int, nulls []uint8) error {
	s := &v.Str
	s.Offsets = slices.Grow(s.Offsets, min(rows, trustedRows)+1)
	if len(s.Offsets) == 0 {
		s.Offsets = append(s.Offsets, 0)
	}
	for i := range rows {
		n := width
		if width == 0 {
			var err error
			if n, err = d.count(math.MaxInt32); err != nil {
				return err
			}
		}
		if len(s.Data)+n > math.MaxInt32 {
			return errors.New("the strings of one column exceed 2 GiB")
		}
		start := len(s.Data)
		for n > 0 {
			b, err := d.r.Peek(min(n, d.r.Size()))
			if err != nil {
				return unexpected(err)
			}
			s.Data = append(s.Data, b...)
			n -= len(b)
			if _, err := d.r.Discard(len(b)); err != nil {
				return unexpected(err)
			}
		}
		if nulls != nil && nulls[i] != 0 {
			s.Data = s.Data[:start]
		}
		s.Offsets = append(s.Offsets, int32(len(s.Data)))
	}
	return nil
}

// Parts of a LowCardinality column, as ClickHouse's SerializationLowCardinality has them.
const (
	lowCardinalityVersion = 1      // shared dictionaries with additional keys
	keyWidthMask          = 0xff   // log2 of the bytes of an index
	hasGlobalDictionary   = 1 << 8 // never in Native blocks
)

// lowCardinality appends rows of a dictionary-coded column:
//
//	version:int64 flags:int64 size:int64 dictionary rows:int64 indexes
//
// Entry 0 of the dictionary of a nullable column stands for null.
func (d *nativeReader) lowCardinality(v *event.Vector, w wire, rows int) error {
	version, err := d.int64()
	if err != nil {
		return err
	}
	flags, err := d.int64()
	if err != nil {
		return err
	}
	width := 1 << (flags & keyWidthMask & 3)
	if version != lowCardinalityVersion || flags&hasGlobalDictionary != 0 || flags&keyWidthMask > 3 {
		return fmt.Errorf("%w: dictionary of version %d, flags %#x", errBlock, version, flags)
	}
	size, err := d.int64()
	if err != nil {
		return err
	}
	if size < 0 || size > maxBlockRows {
		return fmt.Errorf("%w: dictionary of %d entries", errBlock, size)
	}
	plain := w
	plain.typ.LowCardinality, plain.typ.Nullable = false, false
	dictionary := event.Vector{Type: plain.typ}
	if err := d.values(&dictionary, plain, int(size), nil); err != nil {
		return err
	}
	if n, err := d.int64(); err != nil || n != int64(rows) {
		return errors.Join(err, fmt.Errorf("%w: %d indexes for %d rows", errBlock, n, rows))
	}
	var indexes []uint64
	if err := d.fixed(rows, width, func(b []byte) { indexes = appendUnsigned(indexes, b, width) }); err != nil {
		return err
	}
	chosen := make([]uint32, len(indexes))
	for i, index := range indexes {
		if index >= uint64(size) {
			return fmt.Errorf("%w: index %d in a dictionary of %d", errBlock, index, size)
		}
		chosen[i] = uint32(index)
	}
	if w.typ.Nullable {
		dictionary.Nulls = make([]uint8, size)
		if size > 0 {
			dictionary.Nulls[0] = 1
		}
	}
	v.AppendRows(&dictionary, chosen)
	return nil
}

// reason prefers the error that the stream ends with: ClickHouse reports a query that
// fails late behind the last whole block, where no block begins.
func (d *nativeReader) reason(err error) error {
	if !errors.Is(err, errBlock) {
		return err
	}
	if _, late := io.CopyN(io.Discard, d.r, maxFailureBytes); late != nil && !errors.Is(late, io.EOF) {
		return late
	}
	return err
}

// count reads a varint of at most limit.
func (d *nativeReader) count(limit uint64) (int, error) {
	n, err := binary.ReadUvarint(d.r)
	if err != nil {
		return 0, unexpected(err)
	}
	if n > limit {
		return 0, fmt.Errorf("%w: count %d exceeds %d", errBlock, n, limit)
	}
	return int(n), nil
}

func (d *nativeReader) int64() (int64, error) {
	b, err := d.r.Peek(8)
	if err != nil {
		return 0, unexpected(err)
	}
	n := int64(binary.LittleEndian.Uint64(b))
	_, err = d.r.Discard(8)
	return n, err
}

// text reads a name.
func (d *nativeReader) text() (string, error) {
	n, err := d.count(maxNameBytes)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(d.r, int64(n)))
	if err == nil && len(b) < n {
		err = io.ErrUnexpectedEOF
	}
	return string(b), err
}

// unexpected is the error of a block that ends too early.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
