package agg

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/millrace/millrace/internal/event"
)

// maxExactValues bounds the values of one group to what a block may hold.
const maxExactValues = 1 << maxBlockClass

// exactQuantiles is quantileExact and its kin: all values of a group, NaN left out. It
// takes 8 bytes for each row of the view.
//
// Its state is the number of values as VarUInt and then the values, in the order of rows.
type exactQuantiles struct {
	kind  event.Kind
	level float64
	place func(level float64, n int) int
	lists []valueList
	data  blocks[uint64] // bits of values

	sorted []uint64 // scratch
}

func bindQuantileExact(place func(float64, int) int) func([]event.Type, []float64) (kernel, error) {
	return func(args []event.Type, params []float64) (kernel, error) {
		if args[0].Kind == event.String {
			return kernel{}, errTypes
		}
		return kernel{args[0], func() States {
			return &exactQuantiles{kind: args[0].Kind, level: params[0], place: place}
		}}, nil
	}
}

// exactPlace is where the quantile lies among n sorted values.
func exactPlace(level float64, n int) int {
	return min(int(level*float64(n)), n-1)
}

// exactLowPlace is the lower one of two middle values; elsewhere it is exactPlace.
func exactLowPlace(level float64, n int) int {
	if level == defaultLevel {
		return (n - 1) / 2
	}
	return exactPlace(level, n)
}

func (q *exactQuantiles) Grow(n int) { q.lists = resized(q.lists, n) }

func (q *exactQuantiles) Reset() {
	q.lists = q.lists[:0]
	q.data.reset()
}

func (q *exactQuantiles) Update(groups []uint32, args []*event.Vector) {
	for i, g := range groups {
		q.add(g, bitsAt(args[0], i))
	}
}

func (q *exactQuantiles) add(g uint32, bits uint64) {
	if q.kind == event.Float64 && isNaN(bits) {
		return
	}
	q.lists[g].push(&q.data, bits)
}

func (q *exactQuantiles) values(g uint32) []uint64 { return q.lists[g].values(&q.data) }

func (q *exactQuantiles) Merge(g uint32, b []byte) ([]byte, error) {
	count, rest, err := readVarUInt(b)
	if err != nil {
		return nil, err
	}
	width := widthOf(q.kind)
	if count > uint64(len(rest)/width) {
		return nil, errTruncated
	}
	if total := int(count) + q.lists[g].n; total > maxExactValues {
		return nil, fmt.Errorf("state of quantileExact has %d values with those of the group; the most are %d", total, maxExactValues)
	}
	values, rest := rest[:int(count)*width], rest[int(count)*width:]
	if q.kind == event.Bool {
		if err := checkBools(values); err != nil {
			return nil, err
		}
	}
	for ; len(values) > 0; values = values[width:] {
		bits, _, err := readFixed(values, width)
		if err != nil {
			return nil, err
		}
		q.add(g, bits)
	}
	return rest, nil
}

func (q *exactQuantiles) Append(dst []byte, g uint32) []byte {
	values := q.values(g)
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	for _, bits := range values {
		dst = appendFixed(dst, bits, widthOf(q.kind))
	}
	return dst
}

// Final gives, for a group without values, NaN or the type's zero, as ClickHouse does.
func (q *exactQuantiles) Final(out *event.Vector, g uint32) {
	values := q.values(g)
	if len(values) == 0 {
		if q.kind == event.Float64 {
			out.AppendFloat64(floatOf(0, 0))
		} else {
			out.AppendZero(false)
		}
		return
	}
	q.sorted = append(q.sorted[:0], values...)
	slices.SortFunc(q.sorted, func(a, b uint64) int { return compareBits(q.kind, a, b) })
	appendBits(out, q.kind, q.sorted[q.place(q.level, len(q.sorted))])
}
