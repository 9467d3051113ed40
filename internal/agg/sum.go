package agg

import (
	"encoding/binary"
	"math"

	"github.com/millrace/millrace/internal/event"
)

// number is a value that arithmetic aggregates take; Bool columns hold uint8.
type number interface {
	uint8 | int64 | uint64 | float64
}

// accumulator says how a running total of type A is stored and shown. Integer totals
// wrap on overflow, as ClickHouse's do.
type accumulator[A number] struct {
	bits func(A) uint64 // as stored, little-endian
	of   func(uint64) A
	emit func(*event.Vector, A)
}

var (
	signedTotal = accumulator[int64]{
		bits: func(a int64) uint64 { return uint64(a) },
		of:   func(b uint64) int64 { return int64(b) },
		emit: (*event.Vector).AppendInt64,
	}
	unsignedTotal = accumulator[uint64]{
		bits: func(a uint64) uint64 { return a },
		of:   func(b uint64) uint64 { return b },
		emit: (*event.Vector).AppendUInt64,
	}
	floatTotal = accumulator[float64]{
		bits: math.Float64bits,
		of:   math.Float64frombits,
		emit: (*event.Vector).AppendFloat64,
	}
)

// The slices that hold the values of a numeric vector.
func boolValues(v *event.Vector) []uint8      { return v.U8 }
func int64Values(v *event.Vector) []int64     { return v.I64 }
func uint64Values(v *event.Vector) []uint64   { return v.U64 }
func float64Values(v *event.Vector) []float64 { return v.F64 }

// sums is sum over values V in totals A. Its state is the total, 8 bytes.
type sums[V, A number] struct {
	values func(*event.Vector) []V
	acc    accumulator[A]
	total  []A
}

func bindSum(args []event.Type, _ []float64) (kernel, error) {
	switch args[0].Kind {
	case event.Bool:
		return kernel{event.Type{Kind: event.UInt64}, func() States {
			return &sums[uint8, uint64]{values: boolValues, acc: unsignedTotal}
		}}, nil
	case event.Int64:
		return kernel{args[0], func() States {
			return &sums[int64, int64]{values: int64Values, acc: signedTotal}
		}}, nil
	case event.UInt64:
		return kernel{args[0], func() States {
			return &sums[uint64, uint64]{values: uint64Values, acc: unsignedTotal}
		}}, nil
	case event.Float64:
		return kernel{args[0], func() States {
			return &sums[float64, float64]{values: float64Values, acc: floatTotal}
		}}, nil
	}
	return kernel{}, errTypes
}

func (s *sums[V, A]) Grow(n int) { s.total = resized(s.total, n) }
func (s *sums[V, A]) Reset()     { s.total = s.total[:0] }

func (s *sums[V, A]) Update(groups []uint32, args []*event.Vector) {
	total, x := s.total, s.values(args[0])[:len(groups)]
	for i, g := range groups {
		total[g] += A(x[i])
	}
}

func (s *sums[V, A]) Merge(g uint32, b []byte) ([]byte, error) {
	bits, rest, err := readFixed(b, 8)
	if err != nil {
		return nil, err
	}
	s.total[g] += s.acc.of(bits)
	return rest, nil
}

func (s *sums[V, A]) Append(dst []byte, g uint32) []byte {
	return binary.LittleEndian.AppendUint64(dst, s.acc.bits(s.total[g]))
}

func (s *sums[V, A]) Final(out *event.Vector, g uint32) { s.acc.emit(out, s.total[g]) }

// average is the state of avg in one group.
type average[A number] struct {
	total A
	count uint64
}

// averages is avg over values V in totals A: the total has the type that sum would
// have, so that an Int64 total wraps before it is divided. Its state is the total, 8
// bytes, and the count as VarUInt.
type averages[V, A number] struct {
	values func(*event.Vector) []V
	acc    accumulator[A]
	state  []average[A]
}

func bindAvg(args []event.Type, _ []float64) (kernel, error) {
	k := kernel{result: event.Type{Kind: event.Float64}}
	switch args[0].Kind {
	case event.Bool:
		k.states = func() States { return &averages[uint8, uint64]{values: boolValues, acc: unsignedTotal} }
	case event.Int64:
		k.states = func() States { return &averages[int64, int64]{values: int64Values, acc: signedTotal} }
	case event.UInt64:
		k.states = func() States { return &averages[uint64, uint64]{values: uint64Values, acc: unsignedTotal} }
	case event.Float64:
		k.states = func() States { return &averages[float64, float64]{values: float64Values, acc: floatTotal} }
	default:
		return kernel{}, errTypes
	}
	return k, nil
}

func (s *averages[V, A]) Grow(n int) { s.state = resized(s.state, n) }
func (s *averages[V, A]) Reset()     { s.state = s.state[:0] }

func (s *averages[V, A]) Update(groups []uint32, args []*event.Vector) {
	state, x := s.state, s.values(args[0])[:len(groups)]
	for i, g := range groups {
		a := &state[g]
		a.total += A(x[i])
		a.count++
	}
}

func (s *averages[V, A]) Merge(g uint32, b []byte) ([]byte, error) {
	bits, rest, err := readFixed(b, 8)
	if err != nil {
		return nil, err
	}
	count, rest, err := readVarUInt(rest)
	if err != nil {
		return nil, err
	}
	s.state[g].total += s.acc.of(bits)
	s.state[g].count += count
	return rest, nil
}

func (s *averages[V, A]) Append(dst []byte, g uint32) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, s.acc.bits(s.state[g].total))
	return binary.AppendUvarint(dst, s.state[g].count)
}

// Final gives NaN for a group without values, as ClickHouse does.
func (s *averages[V, A]) Final(out *event.Vector, g uint32) {
	out.AppendFloat64(float64(s.state[g].total) / float64(s.state[g].count))
}
