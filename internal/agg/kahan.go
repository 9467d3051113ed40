package agg

import (
	"encoding/binary"
	"math"

	"github.com/millrace/millrace/internal/event"
)

// kahanSum is a running total and what rounding has taken from it so far, negated.
type kahanSum struct{ total, lost float64 }

// add adds one value by Kahan's summation.
func (k *kahanSum) add(x float64) {
	x -= k.lost
	total := k.total + x
	k.lost = (total - k.total) - x
	k.total = total
}

// merge adds another sum by Knuth's two-sum, in which ClickHouse has the loss of this
// total with the sign of an addend.
func (k *kahanSum) merge(o kahanSum) {
	raw := k.total + o.total
	moved := raw - k.total
	lost := ((o.total - moved) + (k.total - (raw - moved))) + k.lost + o.lost
	k.total = raw + lost
	k.lost = lost - (k.total - raw)
}

// kahanSums is sumKahan. Its state is the total and the loss, Float64 each.
type kahanSums struct {
	sums   []kahanSum
	values floatValues
}

func bindSumKahan(args []event.Type, _ []float64) (kernel, error) {
	if !args[0].Numeric() {
		return kernel{}, errTypes
	}
	return kernel{event.Type{Kind: event.Float64}, func() States { return &kahanSums{} }}, nil
}

func (s *kahanSums) Grow(n int) { s.sums = resized(s.sums, n) }
func (s *kahanSums) Reset()     { s.sums = s.sums[:0] }

func (s *kahanSums) Update(groups []uint32, args []*event.Vector) {
	values := s.values.of(args[0], len(groups))
	for i, g := range groups {
		s.sums[g].add(values[i])
	}
}

func (s *kahanSums) Merge(g uint32, b []byte) ([]byte, error) {
	if len(b) < 16 {
		return nil, errTruncated
	}
	s.sums[g].merge(kahanSum{
		total: math.Float64frombits(binary.LittleEndian.Uint64(b)),
		lost:  math.Float64frombits(binary.LittleEndian.Uint64(b[8:])),
	})
	return b[16:], nil
}

func (s *kahanSums) Append(dst []byte, g uint32) []byte {
	return appendFloats(dst, []float64{s.sums[g].total, s.sums[g].lost})
}

func (s *kahanSums) Final(out *event.Vector, g uint32) { out.AppendFloat64(s.sums[g].total) }
