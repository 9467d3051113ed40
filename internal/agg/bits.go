package agg

import (
	"encoding/binary"

	"github.com/millrace/millrace/internal/event"
)

// bitOperation is what groupBitAnd, groupBitOr or groupBitXor does.
type bitOperation struct {
	empty uint64 // of no values
	apply func(a, b uint64) uint64
}

var (
	bitAnd = bitOperation{empty: ^uint64(0), apply: func(a, b uint64) uint64 { return a & b }}
	bitOr  = bitOperation{apply: func(a, b uint64) uint64 { return a | b }}
	bitXor = bitOperation{apply: func(a, b uint64) uint64 { return a ^ b }}
)

// bitStates is groupBitAnd and its kin over whole numbers. Its state is the value: 1 byte
// of Bool, else 8.
type bitStates struct {
	bitOperation
	kind   event.Kind
	bits   []uint64
	values wholeValues
}

func bindBits(op bitOperation) func([]event.Type, []float64) (kernel, error) {
	return func(args []event.Type, _ []float64) (kernel, error) {
		k := kernel{args[0], func() States { return &bitStates{bitOperation: op, kind: args[0].Kind} }}
		switch args[0].Kind {
		case event.Bool: // UInt8 in ClickHouse
			k.result = event.Type{Kind: event.UInt64}
		case event.Int64, event.UInt64:
		default:
			return kernel{}, errTypes
		}
		return k, nil
	}
}

func (s *bitStates) Grow(n int) {
	old := len(s.bits)
	s.bits = resized(s.bits, n)
	for g := old; g < n; g++ {
		s.bits[g] = s.empty
	}
}

func (s *bitStates) Reset() { s.bits = s.bits[:0] }

func (s *bitStates) Update(groups []uint32, args []*event.Vector) {
	values := s.values.of(args[0], len(groups))
	for i, g := range groups {
		s.bits[g] = s.apply(s.bits[g], values[i])
	}
}

func (s *bitStates) Merge(g uint32, b []byte) ([]byte, error) {
	bits, rest, err := readFixed(b, widthOf(s.kind))
	if err != nil {
		return nil, err
	}
	s.bits[g] = s.apply(s.bits[g], bits)
	return rest, nil
}

func (s *bitStates) Append(dst []byte, g uint32) []byte {
	return appendFixed(dst, s.bits[g], widthOf(s.kind))
}

func (s *bitStates) Final(out *event.Vector, g uint32) {
	switch s.kind {
	case event.Bool:
		out.AppendUInt64(s.bits[g] & 0xFF)
	case event.UInt64:
		out.AppendUInt64(s.bits[g])
	default:
		out.AppendInt64(int64(s.bits[g]))
	}
}

// widthOf is the size of a value of a fixed-width kind in ClickHouse's type.
func widthOf(kind event.Kind) int {
	switch kind {
	case event.Bool:
		return 1
	case event.Date:
		return 2
	}
	return 8
}

// appendFixed writes the low bytes of a number of width 1, 2 or 8.
func appendFixed(dst []byte, bits uint64, width int) []byte {
	switch width {
	case 1:
		return append(dst, uint8(bits))
	case 2:
		return binary.LittleEndian.AppendUint16(dst, uint16(bits))
	}
	return binary.LittleEndian.AppendUint64(dst, bits)
}
