package arrowbatch

import (
	"encoding/binary"
	"errors"

	flatbuffers "github.com/google/flatbuffers/go"
)

// The slots of Arrow's flatbuffer tables that a record batch message uses, and the
// values of its enums, from Message.fbs of the Arrow format (metadata version 5).
const (
	slotMessageVersion    = 0
	slotMessageHeaderType = 1
	slotMessageHeader     = 2
	slotMessageBodyLength = 3
	messageSlots          = 5

	slotBatchLength      = 0
	slotBatchNodes       = 1
	slotBatchBuffers     = 2
	slotBatchCompression = 3
	batchSlots           = 5

	metadataV5        = 4
	headerRecordBatch = 3

	pairBytes = 16 // FieldNode and Buffer are structs of two int64
)

// node is Arrow's FieldNode: rows and nulls of one column.
type node struct{ rows, nulls int64 }

// buffer is Arrow's Buffer: where in the body one buffer of a column lies.
type buffer struct{ offset, length int64 }

// batchMeta is the metadata of a record batch message.
type batchMeta struct {
	rows       int64
	nodes      []node
	buffers    []buffer
	bodyLength int64
}

// appendMeta appends the metadata as a flatbuffer.
func appendMeta(dst []byte, m *batchMeta) []byte {
	b := flatbuffers.NewBuilder(128 + pairBytes*(len(m.nodes)+len(m.buffers)))
	b.StartVector(pairBytes, len(m.nodes), 8)
	for i := len(m.nodes) - 1; i >= 0; i-- { // flatbuffers are built back to front
		b.PrependInt64(m.nodes[i].nulls)
		b.PrependInt64(m.nodes[i].rows)
	}
	nodes := b.EndVector(len(m.nodes))
	b.StartVector(pairBytes, len(m.buffers), 8)
	for i := len(m.buffers) - 1; i >= 0; i-- {
		b.PrependInt64(m.buffers[i].length)
		b.PrependInt64(m.buffers[i].offset)
	}
	buffers := b.EndVector(len(m.buffers))

	b.StartObject(batchSlots)
	b.PrependInt64Slot(slotBatchLength, m.rows, 0)
	b.PrependUOffsetTSlot(slotBatchNodes, nodes, 0)
	b.PrependUOffsetTSlot(slotBatchBuffers, buffers, 0)
	header := b.EndObject()

	b.StartObject(messageSlots)
	b.PrependInt16Slot(slotMessageVersion, metadataV5, 0)
	b.PrependByteSlot(slotMessageHeaderType, headerRecordBatch, 0)
	b.PrependUOffsetTSlot(slotMessageHeader, header, 0)
	b.PrependInt64Slot(slotMessageBodyLength, m.bodyLength, 0)
	b.Finish(b.EndObject())
	return append(dst, b.FinishedBytes()...)
}

var errMetadata = errors.New("metadata of the record batch is malformed")

// readMeta reads a metadata flatbuffer with wantNodes columns and wantBuffers buffers.
// It is written by hand because flatbuffers' own accessors panic on malformed bytes.
func readMeta(meta []byte, wantNodes, wantBuffers int) (*batchMeta, error) {
	msg, ok := table{buf: meta}.at(0)
	if !ok || msg.int(slotMessageVersion, 2) != metadataV5 || msg.int(slotMessageHeaderType, 1) != headerRecordBatch {
		return nil, errMetadata
	}
	batch, ok := msg.child(slotMessageHeader)
	if !ok || batch.field(slotBatchCompression, 4) != nil {
		return nil, errMetadata // compression is the entry's business
	}
	nodes, ok := batch.pairs(slotBatchNodes, wantNodes)
	if !ok {
		return nil, errMetadata
	}
	buffers, ok := batch.pairs(slotBatchBuffers, wantBuffers)
	if !ok {
		return nil, errMetadata
	}
	m := &batchMeta{
		rows:       batch.int(slotBatchLength, 8),
		nodes:      make([]node, wantNodes),
		buffers:    make([]buffer, wantBuffers),
		bodyLength: msg.int(slotMessageBodyLength, 8),
	}
	for i := range m.nodes {
		m.nodes[i].rows, m.nodes[i].nulls = pair(nodes, i)
	}
	for i := range m.buffers {
		m.buffers[i].offset, m.buffers[i].length = pair(buffers, i)
	}
	return m, nil
}

func pair(pairs []byte, i int) (first, second int64) {
	p := pairs[i*pairBytes:]
	return int64(binary.LittleEndian.Uint64(p)), int64(binary.LittleEndian.Uint64(p[8:]))
}

// table is a flatbuffer table at pos of buf whose vtable is known to lie in buf. Every
// access checks its bounds.
type table struct {
	buf    []byte
	pos    int
	vtable []byte
}

// at follows the offset at pos to a table.
func (t table) at(pos int) (table, bool) {
	target, ok := t.follow(pos)
	if !ok || target+4 > len(t.buf) {
		return table{}, false
	}
	// A table starts with the signed distance back to its vtable, whose first number
	// is the vtable's own size.
	v := target - int(int32(binary.LittleEndian.Uint32(t.buf[target:])))
	if v < 0 || v+4 > len(t.buf) {
		return table{}, false
	}
	size := int(binary.LittleEndian.Uint16(t.buf[v:]))
	if size < 4 || v+size > len(t.buf) {
		return table{}, false
	}
	return table{buf: t.buf, pos: target, vtable: t.buf[v : v+size]}, true
}

// follow returns the place that the relative offset at pos points to.
func (t table) follow(pos int) (int, bool) {
	if pos < 0 || pos+4 > len(t.buf) {
		return 0, false
	}
	target := pos + int(binary.LittleEndian.Uint32(t.buf[pos:]))
	return target, target < len(t.buf)
}

// field returns the bytes of the field in a slot, nil if it is absent or out of bounds.
func (t table) field(slot, size int) []byte {
	pos, ok := t.fieldPos(slot, size)
	if !ok {
		return nil
	}
	return t.buf[pos : pos+size]
}

func (t table) fieldPos(slot, size int) (int, bool) {
	entry := 4 + 2*slot
	if entry+2 > len(t.vtable) {
		return 0, false
	}
	offset := int(binary.LittleEndian.Uint16(t.vtable[entry:]))
	pos := t.pos + offset
	return pos, offset != 0 && pos+size <= len(t.buf)
}

// int returns the integer of 1, 2 or 8 bytes in a slot, 0 if it is absent: the default
// of every integer that a record batch message has.
func (t table) int(slot, size int) int64 {
	b := t.field(slot, size)
	switch {
	case b == nil:
		return 0
	case size == 1:
		return int64(b[0])
	case size == 2:
		return int64(int16(binary.LittleEndian.Uint16(b)))
	default:
		return int64(binary.LittleEndian.Uint64(b))
	}
}

// child returns the table that a slot points to.
func (t table) child(slot int) (table, bool) {
	pos, ok := t.fieldPos(slot, 4)
	if !ok {
		return table{}, false
	}
	return t.at(pos)
}

// pairs returns the bytes of a vector of exactly n pairs.
func (t table) pairs(slot, n int) ([]byte, bool) {
	pos, ok := t.fieldPos(slot, 4)
	if !ok {
		return nil, false
	}
	vector, ok := t.follow(pos)
	if !ok || vector+4+n*pairBytes > len(t.buf) || int(binary.LittleEndian.Uint32(t.buf[vector:])) != n {
		return nil, false
	}
	return t.buf[vector+4 : vector+4+n*pairBytes], true
}
