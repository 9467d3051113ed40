package plan

import (
	"bytes"
	"math"
	"strings"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

const isIn, isNotIn = 1, 0

var setFunctions = []Function{
	{
		Name: "in", Group: "Comparison", Usage: "x IN (a, b, …)", Min: 2, Max: 2, syntax: isSecond,
		Doc:     "1 where x is one of the constants. Constants that x's type has no room for match nothing, and neither does NULL in the list; where x is NULL, so is the result.",
		Example: "2 IN (1, 2, 3)", Result: "1",
		bind: membership(isIn, "IN"),
	},
	{
		Name: "notIn", Group: "Comparison", Usage: "x NOT IN (a, b, …)", Min: 2, Max: 2, syntax: isSecond,
		Doc:     "1 where x is none of the constants.",
		Example: "2 NOT IN (1, 2, 3)", Result: "0",
		bind: membership(isNotIn, "NOT IN"),
	},
}

func isSecond(i int) bool { return i == 1 }

// membership is the rule of IN and NOT IN.
func membership(found uint8, operator string) rule {
	return func(c *call) (binding, error) {
		if err := c.check(0, anything); err != nil {
			return binding{}, err
		}
		items := []sql.Expr{c.ast[1]}
		if t, ok := c.ast[1].(*sql.Tuple); ok {
			items = t.Items
		}
		x := c.args[0]
		set := newVectorSet(x.typ)
		parts := make([]string, len(items))
		for i, item := range items {
			l, ok := item.(*sql.Literal)
			if !ok {
				return binding{}, refuse(item.Position(), "compare with = and OR instead", "the list of IN takes constants only")
			}
			n, err := bindLiteral(l.Pos, l.Value)
			if err != nil {
				return binding{}, err
			}
			if err := set.add(n); err != nil {
				return binding{}, err
			}
			parts[i] = n.text
		}
		c.text, c.operator = x.operand()+" "+operator+" ("+strings.Join(parts, ", ")+")", true
		c.args = c.args[:1]
		return binding{typ: valueType{base: logical}, run: set.kernel(found)}, nil
	}
}

// vectorSet is the constants of an IN, in the type of its left side.
type vectorSet struct {
	typ     valueType
	numbers map[uint64]struct{} // integers, times, and the bits of floats: -0 is not 0 here
	texts   map[string]struct{}
}

func newVectorSet(t valueType) *vectorSet {
	return &vectorSet{typ: t, numbers: map[uint64]struct{}{}, texts: map[string]struct{}{}}
}

// smallSet is the number of constants up to which comparing with each is quicker than
// hashing.
const smallSet = 8

// add adds a constant that the type has; others can match nothing.
func (s *vectorSet) add(n *node) error {
	if n.isNull() {
		return nil
	}
	v := n.constant
	switch {
	case s.typ.base == text && n.typ.base == text:
		s.texts[string(v.Str.At(0))] = struct{}{}
	case s.typ.temporal() && n.typ.base == text:
		parsed, err := parseConstantTime(n, s.typ)
		if err != nil {
			return err
		}
		s.numbers[uint64(parsed.constant.I64[0])] = struct{}{}
	case s.typ.numeric() && n.typ.numeric():
		if n.typ.base == float64s && math.IsNaN(v.F64[0]) {
			return refuse(n.pos, "use isNaN, or x != x", "NaN in a list matches by its bits in ClickHouse")
		}
		if bits, ok := exactBits(n, s.typ); ok {
			s.numbers[bits] = struct{}{}
		}
	default:
		return refuse(n.pos, "write constants of the same type", "%s cannot be in a list of %s", n.typ.name(), s.typ.name())
	}
	return nil
}

// exactBits returns a numeric constant as 64 bits of another numeric type, if that type
// has the value.
func exactBits(n *node, t valueType) (bits uint64, ok bool) {
	v := n.constant
	var negative bool
	var size uint64 // absolute value of a whole number
	switch {
	case n.typ.truth():
		size = uint64(v.U8[0])
	case n.typ.unsigned():
		size = v.U64[0]
	case n.typ.signed():
		size, negative = magnitude(v.I64[0]), v.I64[0] < 0
	default:
		f := v.F64[0]
		if t.base == float64s {
			return math.Float64bits(f), true
		}
		if f != math.Trunc(f) || math.Abs(f) >= 1<<64 {
			return 0, false
		}
		size, negative = uint64(math.Abs(f)), f < 0
	}
	switch {
	case t.base == float64s:
		f := float64(size)
		if f >= 1<<64 || uint64(f) != size {
			return 0, false
		}
		if negative {
			f = -f
		}
		return math.Float64bits(f), true
	case t.truth():
		return size, !negative && size <= 1
	case t.signed():
		if negative {
			return -size, size <= 1<<(t.bits()-1)
		}
		return size, size < 1<<(t.bits()-1)
	default:
		return size, !negative && (t.bits() == 64 || size < 1<<t.bits())
	}
}

func (s *vectorSet) kernel(found uint8) kernel {
	switch s.typ.event().Kind {
	case event.String:
		return s.textKernel(found)
	case event.Bool:
		return inNumbers(u8, s.numbers, found, func(v uint8) uint64 { return uint64(v) })
	case event.UInt64:
		return inNumbers(u64, s.numbers, found, func(v uint64) uint64 { return v })
	case event.Float64:
		return inNumbers(f64, s.numbers, found, math.Float64bits)
	default:
		return inNumbers(i64, s.numbers, found, func(v int64) uint64 { return uint64(v) })
	}
}

func inNumbers[T any](s slot[T], set map[uint64]struct{}, found uint8, bits func(T) uint64) kernel {
	var few []uint64
	for v := range set {
		few = append(few, v)
	}
	if len(few) > smallSet {
		return map1(s, u8, func(v T) uint8 {
			_, ok := set[bits(v)]
			return truth(ok) ^ found ^ 1
		})
	}
	return map1(s, u8, func(v T) uint8 {
		b := bits(v)
		for _, f := range few {
			if f == b {
				return found
			}
		}
		return found ^ 1
	})
}

func (s *vectorSet) textKernel(found uint8) kernel {
	if len(s.texts) > smallSet {
		return textOf(u8, func(v []byte) uint8 {
			_, ok := s.texts[string(v)]
			return truth(ok) ^ found ^ 1
		})
	}
	var few [][]byte
	for v := range s.texts {
		few = append(few, []byte(v))
	}
	return textOf(u8, func(v []byte) uint8 {
		for _, f := range few {
			if bytes.Equal(f, v) {
				return found
			}
		}
		return found ^ 1
	})
}
