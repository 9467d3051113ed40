package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/klauspost/compress/s2"

	"github.com/millrace/millrace/internal/arrowbatch"
	"github.com/millrace/millrace/internal/event"
)

// Key names a request, so that the same request twice is applied once; the zero Key
// names none. It is a 128-bit hash of stream, Idempotency-Key and the ordinal of the
// segment in its request.
type Key [16]byte

// Segment is a run of rows of an entry that came from one request.
type Segment struct {
	Rows int
	Key  Key
}

// Limits of an entry. Its rows are limited by event.MaxEntryRows.
const (
	// MaxEntryBytes is the size that no payload exceeds: what a NATS server takes in
	// one message without a warning.
	MaxEntryBytes = 8 << 20
	// MaxBodyBytes is the size of an entry's rows before compression, so that a small
	// payload cannot make a reader allocate without bound.
	MaxBodyBytes = 64 << 20
)

// The fields of the payload, byte by byte in docs/formats-entry.md.
const (
	entryVersion = 1

	kindData = 0
	kindTick = 1

	flagS2 = 1 << 0

	offsetVersion  = 0
	offsetKind     = 1
	offsetFlags    = 2
	offsetReserved = 3
	offsetCRC      = 4
	offsetSchema   = 8
	headerBytes    = 12
	tickBytes      = 8

	// minCompressBytes is the body below which S2 saves less than it costs.
	minCompressBytes = 512
	// minSegmentBytes is a segment's least size in the table: rows and key mark.
	minSegmentBytes = 2
)

// ErrTooLarge is the class of EncodeEntry's errors for a batch over a limit of an
// entry; half of the batch may fit.
var ErrTooLarge = errors.New("entry is too large")

// ErrCorrupt is the class of DecodeEntry's errors.
var ErrCorrupt = errors.New("entry is corrupt")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// EncodeEntry appends the payload of an entry to dst. A nil batch makes a tick, which
// has no segments; else the segments cover the batch's rows, each at least one.
func EncodeEntry(dst []byte, batch *event.Batch, segments []Segment) ([]byte, error) {
	start := len(dst)
	if batch == nil {
		if len(segments) != 0 {
			return dst, fmt.Errorf("encode tick: %d segments without rows", len(segments))
		}
		dst = append(dst, entryVersion, kindTick, 0, 0, 0, 0, 0, 0)
		putCRC(dst[start:])
		return dst, nil
	}
	if err := checkSegments(segments, batch.Rows); err != nil {
		return dst, fmt.Errorf("encode entry: %w", err)
	}
	if size := batch.SizeBytes(); size > MaxBodyBytes {
		return dst, fmt.Errorf("encode entry: %d bytes of rows, more than %d: %w", size, MaxBodyBytes, ErrTooLarge)
	}
	scratch := bodies.Get().(*[]byte)
	defer bodies.Put(scratch)
	body, err := arrowbatch.AppendMessage((*scratch)[:0], batch)
	if err != nil {
		return dst, fmt.Errorf("encode entry: %w", err)
	}
	*scratch = body
	if len(body) > MaxBodyBytes {
		return dst, fmt.Errorf("encode entry: body of %d bytes, more than %d: %w", len(body), MaxBodyBytes, ErrTooLarge)
	}
	out := dst // which an error gives back as it was
	out = append(out, entryVersion, kindData, 0, 0, 0, 0, 0, 0)
	out = binary.LittleEndian.AppendUint32(out, fingerprint(batch.Schema))
	out = appendSegments(out, segments)
	out = binary.AppendUvarint(out, uint64(len(body)))
	out, compressed := appendBody(out, body)
	if compressed {
		out[start+offsetFlags] |= flagS2
	}
	if len(out)-start > MaxEntryBytes {
		return dst, fmt.Errorf("encode entry: payload of %d bytes, more than %d: %w", len(out)-start, MaxEntryBytes, ErrTooLarge)
	}
	putCRC(out[start:])
	return out, nil
}

// bodies keeps the memory of bodies, which live only until they are compressed.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// appendBody appends the body, compressed where that makes it smaller.
func appendBody(dst, body []byte) (out []byte, compressed bool) {
	if len(body) < minCompressBytes {
		return append(dst, body...), false
	}
	at := len(dst)
	room := s2.MaxEncodedLen(len(body))
	if cap(dst)-at < room {
		dst = append(make([]byte, 0, at+room), dst...)
	}
	packed := s2.Encode(dst[at:at+room], body)
	if len(packed) >= len(body) {
		return append(dst, body...), false
	}
	return dst[:at+len(packed)], true
}

func checkSegments(segments []Segment, rows int) error {
	sum := 0
	for _, s := range segments {
		if s.Rows < 1 {
			return fmt.Errorf("segment of %d rows", s.Rows)
		}
		sum += s.Rows
	}
	if sum != rows {
		return fmt.Errorf("segments of %d rows for a batch of %d", sum, rows)
	}
	return nil
}

func appendSegments(dst []byte, segments []Segment) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(segments)))
	for _, s := range segments {
		dst = binary.AppendUvarint(dst, uint64(s.Rows))
		if s.Key == (Key{}) {
			dst = append(dst, 0)
			continue
		}
		dst = append(dst, 1)
		dst = append(dst, s.Key[:]...)
	}
	return dst
}

// fingerprint is a checksum of what makes two schemas read the same bytes alike.
func fingerprint(s *event.Schema) uint32 {
	crc := uint32(0)
	for _, c := range s.Columns {
		nullable := byte(0)
		if c.Type.Nullable {
			nullable = 1
		}
		crc = crc32.Update(crc, castagnoli, []byte(c.Name))
		crc = crc32.Update(crc, castagnoli, []byte{0, byte(c.Type.Kind), c.Type.Precision, nullable})
	}
	return crc
}

// putCRC stores the checksum of the payload, computed with zeros in its own place.
func putCRC(payload []byte) {
	binary.LittleEndian.PutUint32(payload[offsetCRC:], checksum(payload))
}

func checksum(payload []byte) uint32 {
	var zero [4]byte
	crc := crc32.Update(0, castagnoli, payload[:offsetCRC])
	crc = crc32.Update(crc, castagnoli, zero[:])
	return crc32.Update(crc, castagnoli, payload[offsetCRC+len(zero):])
}

// DecodeEntry reverses EncodeEntry for the stream's schema. The batch may alias payload.
// Any other bytes give an error of kind ErrCorrupt; no more is allocated than the limits
// of an entry allow. A tick gives neither batch nor segments.
func DecodeEntry(payload []byte, schema *event.Schema) (*event.Batch, []Segment, error) {
	h, err := decodeHead(payload)
	if err != nil {
		return nil, nil, fmt.Errorf("decode entry: %w: %w", ErrCorrupt, err)
	}
	if h.tick {
		return nil, nil, nil
	}
	batch, err := h.decodeBatch(schema)
	if err != nil {
		return nil, nil, fmt.Errorf("decode entry: %w: %w", ErrCorrupt, err)
	}
	return batch, h.segments, nil
}

// head is an entry decoded up to its body.
type head struct {
	tick      bool
	schema    uint32
	segments  []Segment
	rows      int // of all segments
	bodySize  int // before compression
	packed    bool
	bodyBytes []byte // as stored
}

// decodeHead checks the payload and decodes all but the body.
func decodeHead(payload []byte) (head, error) {
	if len(payload) < tickBytes || len(payload) > MaxEntryBytes {
		return head{}, fmt.Errorf("payload of %d bytes", len(payload))
	}
	if v := payload[offsetVersion]; v != entryVersion {
		return head{}, fmt.Errorf("version %d, not %d", v, entryVersion)
	}
	if got, want := checksum(payload), binary.LittleEndian.Uint32(payload[offsetCRC:]); got != want {
		return head{}, fmt.Errorf("checksum is %08x, not %08x", got, want)
	}
	kind, flags := payload[offsetKind], payload[offsetFlags]
	if payload[offsetReserved] != 0 {
		return head{}, errors.New("reserved byte is not zero")
	}
	switch {
	case kind == kindTick && flags == 0 && len(payload) == tickBytes:
		return head{tick: true}, nil
	case kind != kindData || flags&^flagS2 != 0 || len(payload) < headerBytes:
		return head{}, fmt.Errorf("kind %d with flags %#x and %d bytes", kind, flags, len(payload))
	}
	h := head{schema: binary.LittleEndian.Uint32(payload[offsetSchema:]), packed: flags&flagS2 != 0}
	rest, err := h.decodeSegments(payload[headerBytes:])
	if err != nil {
		return head{}, err
	}
	size, n := binary.Uvarint(rest)
	if n <= 0 || size > MaxBodyBytes {
		return head{}, fmt.Errorf("body size is malformed or more than %d", MaxBodyBytes)
	}
	h.bodySize, h.bodyBytes = int(size), rest[n:]
	return h, nil
}

// decodeSegments reads the segment table and returns what follows it.
func (h *head) decodeSegments(b []byte) ([]byte, error) {
	count, n := binary.Uvarint(b)
	if n <= 0 || count > uint64(len(b)-n)/minSegmentBytes {
		return nil, errors.New("segment count is malformed")
	}
	b = b[n:]
	h.segments = make([]Segment, count)
	for i := range h.segments {
		rows, n := binary.Uvarint(b)
		if n <= 0 || rows == 0 || rows > uint64(event.MaxEntryRows-h.rows) || len(b) < n+1 {
			return nil, fmt.Errorf("segment %d is malformed", i)
		}
		mark := b[n]
		b = b[n+1:]
		h.segments[i].Rows = int(rows)
		h.rows += int(rows)
		switch {
		case mark == 0:
		case mark == 1 && len(b) >= len(Key{}):
			b = b[copy(h.segments[i].Key[:], b):]
		default:
			return nil, fmt.Errorf("key of segment %d is malformed", i)
		}
	}
	return b, nil
}

// decodeBatch decodes the body.
func (h *head) decodeBatch(schema *event.Schema) (*event.Batch, error) {
	if want := fingerprint(schema); h.schema != want {
		return nil, fmt.Errorf("written with schema %08x, read with %08x", h.schema, want)
	}
	body := h.bodyBytes
	if h.packed {
		if n, err := s2.DecodedLen(body); err != nil || n != h.bodySize {
			return nil, fmt.Errorf("compressed body says %d bytes, the entry %d: %w", n, h.bodySize, errors.Join(err, ErrCorrupt))
		}
		out, err := s2.Decode(nil, body)
		if err != nil {
			return nil, fmt.Errorf("decompress body: %w", err)
		}
		body = out
	}
	if len(body) != h.bodySize {
		return nil, fmt.Errorf("body of %d bytes, not %d", len(body), h.bodySize)
	}
	batch, err := arrowbatch.ReadMessage(schema, body)
	if err != nil {
		return nil, err
	}
	if batch.Rows != h.rows {
		return nil, fmt.Errorf("%d rows in segments of %d", batch.Rows, h.rows)
	}
	return batch, nil
}
