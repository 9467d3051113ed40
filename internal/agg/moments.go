package agg

import (
	"encoding/binary"
	"math"

	"github.com/millrace/millrace/internal/event"
)

// moments is the family of variances, skewness and kurtosis: the number of values and the
// sums of their powers up to the order. The formulas are ClickHouse's, which has no
// protection from cancellation here: the error of the result is relative to the sum of
// squares, not to the variance.
//
// Its state is these sums, Float64 each, from the power 0 on.
type moments struct {
	order  int
	result func(*moments, []float64) float64
	sums   []float64 // order+1 by group
	values floatValues
}

func bindMoments(order int, result func(*moments, []float64) float64) func([]event.Type, []float64) (kernel, error) {
	return func(args []event.Type, _ []float64) (kernel, error) {
		if !args[0].Numeric() {
			return kernel{}, errTypes
		}
		return kernel{event.Type{Kind: event.Float64}, func() States {
			return &moments{order: order, result: result}
		}}, nil
	}
}

func (m *moments) Grow(n int) { m.sums = resized(m.sums, n*(m.order+1)) }
func (m *moments) Reset()     { m.sums = m.sums[:0] }

func (m *moments) of(g uint32) []float64 {
	width := m.order + 1
	return m.sums[int(g)*width:][:width:width]
}

func (m *moments) Update(groups []uint32, args []*event.Vector) {
	values := m.values.of(args[0], len(groups))
	for i, g := range groups {
		s := m.of(g)
		// The conversions keep each product from being fused with the addition.
		x := values[i]
		power := x
		s[0]++
		s[1] += x
		for k := 2; k < len(s); k++ {
			power = float64(power * x)
			s[k] += power
		}
	}
}

func (m *moments) Merge(g uint32, b []byte) ([]byte, error) { return addFloats(m.of(g), b) }

func (m *moments) Append(dst []byte, g uint32) []byte { return appendFloats(dst, m.of(g)) }

func (m *moments) Final(out *event.Vector, g uint32) { out.AppendFloat64(m.result(m, m.of(g))) }

// squares is the sum of the squares of the distances from the mean.
func squares(s []float64) float64 { return s[2] - float64(s[1]*s[1])/s[0] }

// notNegative is std::max(0, x), which rounding may ask for; NaN becomes 0 as there.
func notNegative(x float64) float64 {
	if x > 0 {
		return x
	}
	return 0
}

func (*moments) varPop(s []float64) float64 {
	if s[0] == 0 {
		return math.NaN()
	}
	return notNegative(squares(s) / s[0])
}

func (*moments) varSamp(s []float64) float64 {
	if s[0] <= 1 {
		return math.NaN()
	}
	return notNegative(squares(s) / (s[0] - 1))
}

func (m *moments) stddevPop(s []float64) float64  { return math.Sqrt(m.varPop(s)) }
func (m *moments) stddevSamp(s []float64) float64 { return math.Sqrt(m.varSamp(s)) }
func (m *moments) skewPop(s []float64) float64    { return standardised(third(s), m.varPop(s), 1.5) }
func (m *moments) skewSamp(s []float64) float64   { return standardised(third(s), m.varSamp(s), 1.5) }
func (m *moments) kurtPop(s []float64) float64    { return standardised(fourth(s), m.varPop(s), 2) }
func (m *moments) kurtSamp(s []float64) float64   { return standardised(fourth(s), m.varSamp(s), 2) }

// third is the third central moment.
func third(s []float64) float64 {
	n, sum := s[0], s[1]
	inner := float64(3*s[2]) - float64(2*sum*sum)/n
	return (s[3] - float64(inner*sum)/n) / n
}

// fourth is the fourth central moment.
func fourth(s []float64) float64 {
	n, sum := s[0], s[1]
	inner := float64(6*s[2]) - float64(3*sum*sum)/n
	inner = float64(4*s[3]) - float64(inner*sum)/n
	return (s[4] - float64(inner*sum)/n) / n
}

// standardised divides a central moment by a power of the variance.
func standardised(moment, variance, power float64) float64 {
	if !(variance > 0) {
		return math.NaN()
	}
	return moment / math.Pow(variance, power)
}

// floatValues shows numbers of every kind as Float64.
type floatValues struct{ scratch []float64 }

// of returns the first n values of v; they are valid until the next call.
func (f *floatValues) of(v *event.Vector, n int) []float64 {
	switch v.Type.Kind {
	case event.Bool:
		return converted(f, v.U8[:n])
	case event.Int64:
		return converted(f, v.I64[:n])
	case event.UInt64:
		return converted(f, v.U64[:n])
	}
	return v.F64[:n]
}

func converted[V number](f *floatValues, values []V) []float64 {
	f.scratch = resized(f.scratch[:0], len(values))
	for i, x := range values {
		f.scratch[i] = float64(x)
	}
	return f.scratch
}

// addFloats adds the Float64s at the front of b to sums and returns what follows.
func addFloats(sums []float64, b []byte) (rest []byte, err error) {
	size := 8 * len(sums)
	if len(b) < size {
		return nil, errTruncated
	}
	for i := range sums {
		sums[i] += math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return b[size:], nil
}

func appendFloats(dst []byte, values []float64) []byte {
	for _, x := range values {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
	}
	return dst
}
