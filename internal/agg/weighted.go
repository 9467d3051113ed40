package agg

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/millrace/millrace/internal/event"
)

// avgWeighted in ClickHouse adds values times weights in the type of the weight. So it
// would cut the fractions off Float64 values with whole weights, and take the sign from
// Int64 values with unsigned ones.
var (
	errCutValues = errors.New("ClickHouse would cut off the fractions of the values; convert the weight, as in avgWeighted(x, toFloat64(w))")
	errLostSigns = errors.New("ClickHouse would take the values for unsigned; convert the weight, as in avgWeighted(x, toInt64(w))")
)

func bindAvgWeighted(args []event.Type, _ []float64) (kernel, error) {
	value, weight := args[0], args[1]
	k := kernel{result: event.Type{Kind: event.Float64}}
	switch {
	case !value.Numeric() || !weight.Numeric():
		return kernel{}, errTypes
	case weight.Kind == event.Float64:
		k.states = func() States { return &floatMeans{} }
	case value.Kind == event.Float64:
		return kernel{}, errCutValues
	case weight.Kind == event.Int64:
		k.states = func() States { return &wholeMeans{signed: true} }
	case value.Kind == event.Int64:
		return kernel{}, errLostSigns
	default:
		k.states = func() States { return &wholeMeans{} }
	}
	return k, nil
}

// floatMean is the sum of values times weights, and the sum of the weights.
type floatMean struct{ sum, weight float64 }

// floatMeans is avgWeighted with Float64 weights. Its state is the two sums, Float64 each.
type floatMeans struct {
	means           []floatMean
	values, weights floatValues
}

func (s *floatMeans) Grow(n int) { s.means = resized(s.means, n) }
func (s *floatMeans) Reset()     { s.means = s.means[:0] }

func (s *floatMeans) Update(groups []uint32, args []*event.Vector) {
	values, weights := s.values.of(args[0], len(groups)), s.weights.of(args[1], len(groups))
	for i, g := range groups {
		m := &s.means[g]
		m.sum += float64(values[i] * weights[i])
		m.weight += weights[i]
	}
}

func (s *floatMeans) Merge(g uint32, b []byte) ([]byte, error) {
	sum, rest, err := readFixed(b, 8)
	if err != nil {
		return nil, err
	}
	weight, rest, err := readFixed(rest, 8)
	if err != nil {
		return nil, err
	}
	s.means[g].sum += math.Float64frombits(sum)
	s.means[g].weight += math.Float64frombits(weight)
	return rest, nil
}

func (s *floatMeans) Append(dst []byte, g uint32) []byte {
	return appendFloats(dst, []float64{s.means[g].sum, s.means[g].weight})
}

func (s *floatMeans) Final(out *event.Vector, g uint32) {
	out.AppendFloat64(s.means[g].sum / s.means[g].weight)
}

// wholeMean is what floatMean is, of whole numbers of 64 bits, which wrap around.
type wholeMean struct{ sum, weight uint64 }

// wholeMeans is avgWeighted with whole weights. Its state is the sum, 8 bytes, and the
// weight: 8 bytes where it is signed, else VarUInt.
type wholeMeans struct {
	signed          bool // weights are, and so the sum
	means           []wholeMean
	values, weights wholeValues
}

func (s *wholeMeans) Grow(n int) { s.means = resized(s.means, n) }
func (s *wholeMeans) Reset()     { s.means = s.means[:0] }

func (s *wholeMeans) Update(groups []uint32, args []*event.Vector) {
	values, weights := s.values.of(args[0], len(groups)), s.weights.of(args[1], len(groups))
	for i, g := range groups {
		m := &s.means[g]
		m.sum += values[i] * weights[i]
		m.weight += weights[i]
	}
}

func (s *wholeMeans) Merge(g uint32, b []byte) ([]byte, error) {
	sum, rest, err := readFixed(b, 8)
	if err != nil {
		return nil, err
	}
	var weight uint64
	if s.signed {
		weight, rest, err = readFixed(rest, 8)
	} else {
		weight, rest, err = readVarUInt(rest)
	}
	if err != nil {
		return nil, err
	}
	s.means[g].sum += sum
	s.means[g].weight += weight
	return rest, nil
}

func (s *wholeMeans) Append(dst []byte, g uint32) []byte {
	m := s.means[g]
	dst = binary.LittleEndian.AppendUint64(dst, m.sum)
	if s.signed {
		return binary.LittleEndian.AppendUint64(dst, m.weight)
	}
	return binary.AppendUvarint(dst, m.weight)
}

func (s *wholeMeans) Final(out *event.Vector, g uint32) {
	m := s.means[g]
	sum, weight := float64(m.sum), float64(m.weight)
	if s.signed {
		sum, weight = float64(int64(m.sum)), float64(int64(m.weight))
	}
	out.AppendFloat64(sum / weight)
}

// wholeValues shows whole numbers of every kind as the bits of 64.
type wholeValues struct{ scratch []uint64 }

// of returns the first n values of v; they are valid until the next call.
func (w *wholeValues) of(v *event.Vector, n int) []uint64 {
	switch v.Type.Kind {
	case event.UInt64:
		return v.U64[:n]
	case event.Bool:
		return widened(w, v.U8[:n])
	}
	return widened(w, v.I64[:n])
}

func widened[V uint8 | int64](w *wholeValues, values []V) []uint64 {
	w.scratch = resized(w.scratch[:0], len(values))
	for i, x := range values {
		w.scratch[i] = uint64(x)
	}
	return w.scratch
}
