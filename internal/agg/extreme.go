package agg

import (
	"fmt"
	"math"

	"github.com/millrace/millrace/internal/event"
)

const signBit = 1 << 63

// extremes is min and max over the fixed-width kinds. It keeps values as ranks:
// unsigned integers of which the greater is the better one, for min and max and every
// kind alike. NaN has rank 0, the worst, so that it shows only where there is nothing
// else; -0 is less than 0, so that the result never depends on the order of rows.
//
// Its state is a byte that says whether there is a value, and then the value in the
// width of its ClickHouse type.
type extremes struct {
	kind event.Kind
	flip uint64 // all ones for min, so that small values rank high
	has  []uint8
	best []uint64

	ranks []uint64 // scratch
}

func bindMin(args []event.Type, _ []float64) (kernel, error) {
	if args[0].Kind == event.String {
		return kernel{args[0], func() States { return &stringExtremes{sign: -1} }}, nil
	}
	return kernel{args[0], func() States { return &extremes{kind: args[0].Kind, flip: ^uint64(0)} }}, nil
}

func bindMax(args []event.Type, _ []float64) (kernel, error) {
	if args[0].Kind == event.String {
		return kernel{args[0], func() States { return &stringExtremes{sign: 1} }}, nil
	}
	return kernel{args[0], func() States { return &extremes{kind: args[0].Kind} }}, nil
}

func (e *extremes) Grow(n int) { e.has, e.best = resized(e.has, n), resized(e.best, n) }
func (e *extremes) Reset()     { e.has, e.best = e.has[:0], e.best[:0] }

func (e *extremes) Update(groups []uint32, args []*event.Vector) {
	ranks := e.rankAll(args[0], len(groups))
	has, best := e.has, e.best
	for i, g := range groups {
		if r := ranks[i]; r > best[g] || has[g] == 0 {
			best[g], has[g] = r, 1
		}
	}
}

func (e *extremes) offer(g uint32, rank uint64) {
	if rank > e.best[g] || e.has[g] == 0 {
		e.best[g], e.has[g] = rank, 1
	}
}

// rankAll ranks the first n values of v.
func (e *extremes) rankAll(v *event.Vector, n int) []uint64 {
	e.ranks = resized(e.ranks[:0], n)
	ranks, flip := e.ranks, e.flip
	switch e.kind {
	case event.Bool:
		for i, x := range v.U8[:n] {
			ranks[i] = uint64(x) ^ flip
		}
	case event.UInt64:
		for i, x := range v.U64[:n] {
			ranks[i] = x ^ flip
		}
	case event.Float64:
		for i, x := range v.F64[:n] {
			ranks[i] = floatRank(x, flip)
		}
	default: // Int64, Date, DateTime64
		for i, x := range v.I64[:n] {
			ranks[i] = uint64(x) ^ signBit ^ flip
		}
	}
	return ranks
}

// floatRank orders floats by value: negative ones have all bits turned, others the sign.
func floatRank(x float64, flip uint64) uint64 {
	if x != x {
		return 0
	}
	b := math.Float64bits(x)
	return b ^ (uint64(int64(b)>>63) | signBit) ^ flip
}

// floatOf reverses floatRank. NaN comes back as ClickHouse's own.
func floatOf(rank, flip uint64) float64 {
	if rank == 0 {
		return math.Float64frombits(0x7FF8000000000000)
	}
	b := rank ^ flip
	return math.Float64frombits(b ^ (^uint64(int64(b)>>63) | signBit))
}

func (e *extremes) Merge(g uint32, b []byte) ([]byte, error) {
	has, rest, err := readFixed(b, 1)
	if err != nil {
		return nil, err
	}
	if has == 0 {
		return rest, nil
	}
	if has != 1 {
		return nil, fmt.Errorf("state begins with %d where 0 or 1 says whether there is a value", has)
	}
	bits, rest, err := readFixed(rest, widthOf(e.kind))
	if err != nil {
		return nil, err
	}
	switch e.kind {
	case event.Bool:
		if bits > 1 {
			return nil, fmt.Errorf("state holds the Bool %d", bits)
		}
		e.offer(g, bits^e.flip)
	case event.UInt64:
		e.offer(g, bits^e.flip)
	case event.Float64:
		e.offer(g, floatRank(math.Float64frombits(bits), e.flip))
	default:
		e.offer(g, bits^signBit^e.flip)
	}
	return rest, nil
}

func (e *extremes) Append(dst []byte, g uint32) []byte {
	if e.has[g] == 0 {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	bits := e.best[g] ^ e.flip
	switch e.kind {
	case event.Bool, event.UInt64:
	case event.Float64:
		bits = math.Float64bits(floatOf(e.best[g], e.flip))
	default:
		bits ^= signBit
	}
	return appendFixed(dst, bits, widthOf(e.kind))
}

// Final gives the type's zero for a group without values, as ClickHouse does.
func (e *extremes) Final(out *event.Vector, g uint32) {
	if e.has[g] == 0 {
		out.AppendZero(false)
		return
	}
	switch r := e.best[g]; e.kind {
	case event.Bool:
		out.AppendBool(r^e.flip != 0)
	case event.UInt64:
		out.AppendUInt64(r ^ e.flip)
	case event.Float64:
		out.AppendFloat64(floatOf(r, e.flip))
	default:
		out.AppendInt64(int64(r ^ signBit ^ e.flip))
	}
}
