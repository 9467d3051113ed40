package arrowbatch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/millrace/millrace/internal/event"
)

// A message is one encapsulated Arrow IPC message:
//
//	continuation mark 0xFFFFFFFF, Int32 size of the metadata with its padding,
//	metadata (flatbuffer Message with a RecordBatch), padding to 8 bytes, body.
//
// Its columns have the physical types of event.Vector, so that the message is lossless
// for every value: Date and DateTime64 are Int64, the rest is as in Schema. The buffers
// of the body start at multiples of 8; a validity bitmap is left out where nothing is null.
const (
	continuationMark = 0xFFFFFFFF
	prefixBytes      = 8
	alignment        = 8
)

// ErrMessage is the class of errors of bytes that are no message of the schema.
var ErrMessage = errors.New("not a record batch message of this schema")

// AppendMessage appends the batch to dst as one Arrow IPC message without its schema.
func AppendMessage(dst []byte, b *event.Batch) ([]byte, error) {
	meta, err := layout(b)
	if err != nil {
		return dst, fmt.Errorf("encode batch: %w", err)
	}
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, continuationMark)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = pad(appendMeta(dst, meta), start)
	binary.LittleEndian.PutUint32(dst[start+4:], uint32(len(dst)-start-prefixBytes))
	next := 0
	for i := range b.Columns {
		n := bufferCount(b.Columns[i].Type)
		dst = appendColumn(dst, start, &b.Columns[i], meta.buffers[next:next+n], b.Rows)
		next += n
	}
	return dst, nil
}

// layout computes the metadata of a batch: where each buffer of its body will lie.
func layout(b *event.Batch) (*batchMeta, error) {
	if b.Rows > event.MaxEntryRows {
		return nil, fmt.Errorf("%d rows, more than %d", b.Rows, event.MaxEntryRows)
	}
	m := &batchMeta{
		rows:    int64(b.Rows),
		nodes:   make([]node, len(b.Columns)),
		buffers: make([]buffer, 0, 3*len(b.Columns)),
	}
	place := func(size int) {
		m.buffers = append(m.buffers, buffer{offset: m.bodyLength, length: int64(size)})
		m.bodyLength += int64(size+alignment-1) &^ (alignment - 1)
	}
	for i := range b.Columns {
		v := &b.Columns[i]
		if v.Len() != b.Rows || (v.Nulls != nil && len(v.Nulls) != b.Rows) {
			return nil, fmt.Errorf("column %q has %d values and %d null marks for %d rows",
				b.Schema.Columns[i].Name, v.Len(), len(v.Nulls), b.Rows)
		}
		nulls := countOnes(v.Nulls)
		m.nodes[i] = node{rows: m.rows, nulls: int64(nulls)}
		if nulls > 0 {
			place(bitmapBytes(b.Rows))
		} else {
			place(0)
		}
		switch v.Type.Kind {
		case event.Bool:
			place(bitmapBytes(b.Rows))
		case event.String:
			place(4 * (b.Rows + 1))
			place(len(stringBytes(&v.Str)))
		case event.Int64, event.UInt64, event.Float64, event.Date, event.DateTime64:
			place(8 * b.Rows)
		default:
			return nil, fmt.Errorf("column %q: type %s cannot be stored", b.Schema.Columns[i].Name, v.Type)
		}
	}
	return m, nil
}

// bufferCount is the number of Arrow buffers of a column: validity, values, and for
// strings their offsets between the two.
func bufferCount(t event.Type) int {
	if t.Kind == event.String {
		return 3
	}
	return 2
}

// stringBytes returns the bytes of all values, without what may lie around them.
func stringBytes(s *event.Strings) []byte {
	if len(s.Offsets) == 0 {
		return nil
	}
	return s.Data[s.Offsets[0]:s.Offsets[len(s.Offsets)-1]]
}

func appendColumn(dst []byte, start int, v *event.Vector, buffers []buffer, rows int) []byte {
	if buffers[0].length > 0 {
		dst = pad(appendBits(dst, v.Nulls, 1), start)
	}
	switch v.Type.Kind {
	case event.Bool:
		return pad(appendBits(dst, v.U8, 0), start)
	case event.UInt64:
		return append(dst, arrow.Uint64Traits.CastToBytes(v.U64)...)
	case event.Float64:
		return append(dst, arrow.Float64Traits.CastToBytes(v.F64)...)
	case event.String:
		dst = pad(appendOffsets(dst, v.Str.Offsets), start)
		return pad(append(dst, stringBytes(&v.Str)...), start)
	default:
		return append(dst, arrow.Int64Traits.CastToBytes(v.I64)...)
	}
}

// appendOffsets appends string offsets, moved so that they start at 0.
func appendOffsets(dst []byte, offsets []int32) []byte {
	switch {
	case len(offsets) == 0:
		return append(dst, 0, 0, 0, 0)
	case offsets[0] == 0:
		return append(dst, arrow.Int32Traits.CastToBytes(offsets)...)
	}
	for _, o := range offsets {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(o-offsets[0]))
	}
	return dst
}

// pad appends zeros up to the next multiple of the alignment from start.
func pad(dst []byte, start int) []byte {
	for (len(dst)-start)%alignment != 0 {
		dst = append(dst, 0)
	}
	return dst
}

// ReadMessage reverses AppendMessage. The batch shares msg's memory, which must not
// change as long as the batch lives. Bytes that are not a message of the schema give an
// error of kind ErrMessage; reading them allocates no more than a small multiple of
// their size.
func ReadMessage(schema *event.Schema, msg []byte) (*event.Batch, error) {
	b, err := readMessage(schema, msg)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return b, nil
}

func readMessage(schema *event.Schema, msg []byte) (*event.Batch, error) {
	if len(msg) < prefixBytes || binary.LittleEndian.Uint32(msg) != continuationMark {
		return nil, errors.New("prefix of the message is malformed")
	}
	metaSize := uint64(binary.LittleEndian.Uint32(msg[4:]))
	if metaSize%alignment != 0 || metaSize > uint64(len(msg)-prefixBytes) {
		return nil, fmt.Errorf("metadata of %d bytes does not fit the message", metaSize)
	}
	wantBuffers := 0
	for _, c := range schema.Columns {
		wantBuffers += bufferCount(c.Type)
	}
	body := msg[prefixBytes+metaSize:]
	meta, err := readMeta(msg[prefixBytes:prefixBytes+metaSize], len(schema.Columns), wantBuffers)
	if err != nil {
		return nil, err
	}
	if meta.rows < 0 || meta.rows > event.MaxEntryRows || meta.bodyLength != int64(len(body)) {
		return nil, fmt.Errorf("%d rows in a body of %d bytes, which has %d", meta.rows, meta.bodyLength, len(body))
	}
	b := event.NewBatch(schema)
	b.Rows = int(meta.rows)
	body = aligned(body)
	next := 0
	for i := range b.Columns {
		n := bufferCount(b.Columns[i].Type)
		if err := readColumn(&b.Columns[i], b.Rows, meta.nodes[i], body, meta.buffers[next:next+n]); err != nil {
			return nil, fmt.Errorf("column %q: %w", schema.Columns[i].Name, err)
		}
		next += n
	}
	return b, nil
}

// aligned returns body, or a copy of it where it does not start at a multiple of 8 in
// memory, as the wider values that alias it need.
func aligned(body []byte) []byte {
	if uintptr(unsafe.Pointer(unsafe.SliceData(body)))%alignment == 0 {
		return body
	}
	words := make([]uint64, (len(body)+7)/8)
	out := arrow.Uint64Traits.CastToBytes(words)[:len(body)]
	copy(out, body)
	return out
}

func readColumn(v *event.Vector, rows int, n node, body []byte, buffers []buffer) error {
	if n.rows != int64(rows) || n.nulls < 0 || n.nulls > n.rows || (n.nulls > 0 && !v.Type.Nullable) {
		return fmt.Errorf("%d values and %d nulls for %d rows of %s", n.rows, n.nulls, rows, v.Type)
	}
	if n.nulls > 0 {
		bitmap, err := slice(body, buffers[0], bitmapBytes(rows))
		if err != nil {
			return err
		}
		v.Nulls = make([]byte, rows)
		expandBits(v.Nulls, bitmap, 1)
	}
	switch v.Type.Kind {
	case event.Bool:
		bitmap, err := slice(body, buffers[1], bitmapBytes(rows))
		if err != nil {
			return err
		}
		v.U8 = make([]byte, rows)
		expandBits(v.U8, bitmap, 0)
		return nil
	case event.String:
		return readStrings(&v.Str, rows, body, buffers)
	}
	values, err := slice(body, buffers[1], 8*rows)
	if err != nil {
		return err
	}
	switch v.Type.Kind {
	case event.UInt64:
		v.U64 = arrow.Uint64Traits.CastFromBytes(values)
	case event.Float64:
		v.F64 = arrow.Float64Traits.CastFromBytes(values)
	case event.Int64, event.Date, event.DateTime64:
		v.I64 = arrow.Int64Traits.CastFromBytes(values)
	default:
		return fmt.Errorf("type %s cannot be read", v.Type)
	}
	return nil
}

func readStrings(s *event.Strings, rows int, body []byte, buffers []buffer) error {
	raw, err := slice(body, buffers[1], 4*(rows+1))
	if err != nil {
		return err
	}
	if buffers[2].length < 0 || buffers[2].length > int64(len(body)) {
		return fmt.Errorf("strings of %d bytes in a body of %d", buffers[2].length, len(body))
	}
	data, err := slice(body, buffers[2], int(buffers[2].length))
	if err != nil {
		return err
	}
	offsets := arrow.Int32Traits.CastFromBytes(raw)
	previous := int32(0)
	for _, o := range offsets {
		if o < previous {
			return errors.New("string offsets do not ascend")
		}
		previous = o
	}
	if int(previous) > len(data) {
		return fmt.Errorf("strings end at %d of %d bytes", previous, len(data))
	}
	s.Offsets, s.Data = offsets, data
	return nil
}

// slice returns the first size bytes of a buffer, with no room to append.
func slice(body []byte, b buffer, size int) ([]byte, error) {
	if b.offset < 0 || b.offset%alignment != 0 || b.length < int64(size) ||
		b.offset > int64(len(body)) || int64(size) > int64(len(body))-b.offset {
		return nil, fmt.Errorf("buffer of %d bytes at %d does not hold %d in a body of %d", b.length, b.offset, size, len(body))
	}
	return body[b.offset : b.offset+int64(size) : b.offset+int64(size)], nil
}
