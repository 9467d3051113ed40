package agg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/millrace/millrace/internal/event"
)

// singles is at most one value of one kind by group. It is what argMin and argMax keep of
// each argument.
type singles struct {
	kind    event.Kind
	has     []uint8
	bits    []uint64      // of fixed-width kinds, as ClickHouse stores them
	strings []stringPlace // of String
	data    blocks[byte]
}

func (s *singles) grow(n int) {
	s.has = resized(s.has, n)
	if s.kind == event.String {
		s.strings = resized(s.strings, n)
	} else {
		s.bits = resized(s.bits, n)
	}
}

func (s *singles) reset() {
	s.has, s.bits, s.strings = s.has[:0], s.bits[:0], s.strings[:0]
	s.data.reset()
}

// set makes row i of v the value of group g.
func (s *singles) set(g uint32, v *event.Vector, i int) {
	s.has[g] = 1
	if s.kind == event.String {
		s.strings[g].store(&s.data, v.Str.At(i))
		return
	}
	s.bits[g] = bitsAt(v, i)
}

// compare orders row i of v and the value of group g: −0 is less than 0, and NaN less than
// all.
func (s *singles) compare(v *event.Vector, i int, g uint32) int {
	if s.kind == event.String {
		return bytes.Compare(v.Str.At(i), s.strings[g].value(&s.data))
	}
	return compareBits(s.kind, bitsAt(v, i), s.bits[g])
}

// appendState writes the value of group g as ClickHouse writes a single value.
func (s *singles) appendState(dst []byte, g uint32) []byte {
	switch {
	case s.kind == event.String && s.has[g] == 0:
		return appendSingleString(dst, nil, false)
	case s.kind == event.String:
		return appendSingleString(dst, s.strings[g].value(&s.data), true)
	case s.has[g] == 0:
		return append(dst, 0)
	}
	return appendFixed(append(dst, 1), s.bits[g], widthOf(s.kind))
}

func (s *singles) final(out *event.Vector, g uint32) {
	switch {
	case s.has[g] == 0:
		out.AppendZero(false)
	case s.kind == event.String:
		out.AppendString(s.strings[g].value(&s.data))
	default:
		appendBits(out, s.kind, s.bits[g])
	}
}

// readSingle reads what appendState writes; a value is added to v.
func readSingle(b []byte, v *event.Vector) (has bool, rest []byte, err error) {
	kind := v.Type.Kind
	if kind == event.String {
		var x []byte
		if x, has, rest, err = readSingleString(b); has {
			v.AppendString(x)
		}
		return has, rest, err
	}
	flag, rest, err := readFixed(b, 1)
	switch {
	case err != nil:
		return false, nil, err
	case flag > 1:
		return false, nil, fmt.Errorf("state begins with %d where 0 or 1 says whether there is a value", flag)
	case flag == 0:
		return false, rest, nil
	}
	bits, rest, err := readFixed(rest, widthOf(kind))
	if err != nil {
		return false, nil, err
	}
	if kind == event.Bool && bits > 1 {
		return false, nil, fmt.Errorf("state holds the Bool %d", bits)
	}
	appendBits(v, kind, bits)
	return true, rest, nil
}

// bitsAt returns row i of a vector of a fixed-width kind as ClickHouse stores it.
func bitsAt(v *event.Vector, i int) uint64 {
	switch v.Type.Kind {
	case event.Bool:
		return uint64(v.U8[i])
	case event.UInt64:
		return v.U64[i]
	case event.Float64:
		return math.Float64bits(v.F64[i])
	}
	return uint64(v.I64[i])
}

// appendBits adds what bitsAt returns.
func appendBits(v *event.Vector, kind event.Kind, bits uint64) {
	switch kind {
	case event.Bool:
		v.AppendBool(bits != 0)
	case event.UInt64:
		v.AppendUInt64(bits)
	case event.Float64:
		v.AppendFloat64(math.Float64frombits(bits))
	default:
		v.AppendInt64(int64(bits))
	}
}

// rankOf maps the bits of a value to an integer of the same order; NaN is the least.
func rankOf(kind event.Kind, bits uint64) uint64 {
	switch kind {
	case event.Bool, event.UInt64:
		return bits
	case event.Float64:
		return floatRank(math.Float64frombits(bits), 0)
	}
	return bits ^ signBit
}

func compareBits(kind event.Kind, a, b uint64) int {
	x, y := rankOf(kind, a), rankOf(kind, b)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// readSingleString reads a string as min and max have it in their states: the size as
// Int32, -1 without a value, and then the string with a zero byte that the size counts.
func readSingleString(b []byte) (x []byte, has bool, rest []byte, err error) {
	bits, rest, err := readFixed(b, 4)
	if err != nil {
		return nil, false, nil, err
	}
	size := int32(bits)
	switch {
	case size == -1:
		return nil, false, rest, nil
	case size < 0 || size == math.MaxInt32:
		return nil, false, nil, fmt.Errorf("state holds a string of size %d", size)
	case int(size) > len(rest):
		return nil, false, nil, errTruncated
	}
	// Some versions of ClickHouse wrote no zero byte; like it, take both.
	return bytes.TrimSuffix(rest[:size], []byte{0}), true, rest[size:], nil
}

func appendSingleString(dst, x []byte, has bool) []byte {
	if !has {
		return binary.LittleEndian.AppendUint32(dst, math.MaxUint32)
	}
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(x)+1))
	return append(append(dst, x...), 0)
}
