package plan

import (
	"bytes"
	"fmt"
	"math"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

// comparison is an operator of two values. Its bit pattern says for which outcomes it
// holds.
type comparison uint8

const (
	isLess comparison = 1 << iota
	isEqual
	isGreater
	isUnordered // one side is NaN
)

var comparisonFunctions = []Function{
	comparisonFunction("equals", "=", "1 = 1.0", "1", isEqual, "Equality. NaN equals nothing."),
	comparisonFunction("notEquals", "!=", "1 != 1", "0", isLess|isGreater|isUnordered, "Inequality."),
	comparisonFunction("less", "<", "'a' < 'b'", "1", isLess, "Order. Strings compare byte by byte."),
	comparisonFunction("greater", ">", "2 > 1", "1", isGreater, "Order."),
	comparisonFunction("lessOrEquals", "<=", "2 <= 1", "0", isLess|isEqual, "Order."),
	comparisonFunction("greaterOrEquals", ">=", "toDate('2024-05-02') >= '2024-05-01'", "1", isGreater|isEqual, "Order."),
}

func comparisonFunction(name, operator, example, result string, op comparison, doc string) Function {
	const types = " Numbers of different types compare by value; times with each other and with constant strings such as '2024-05-01 10:00:00'."
	return Function{
		Name: name, Group: "Comparison", Usage: "a " + operator + " b", Min: 2, Max: 2, infix: operator,
		Doc: doc + types, Example: example, Result: result,
		bind: func(c *call) (binding, error) { return bindComparison(c, op) },
	}
}

func bindComparison(c *call, op comparison) (binding, error) {
	for i := range c.args {
		if err := c.check(i, anything); err != nil {
			return binding{}, err
		}
	}
	result := valueType{base: logical}
	if err := c.parseTimes(); err != nil {
		return binding{}, err
	}
	a, b := c.args[0], c.args[1]
	switch {
	case a.typ.base == text && b.typ.base == text:
		return binding{typ: result, run: compareTexts(op)}, nil
	case a.typ.temporal() && b.typ.temporal():
		run, err := c.compareTimes(op)
		return binding{typ: result, run: run}, err
	case a.typ.numeric() && b.typ.numeric():
		return binding{typ: result, run: c.compareNumbers(op)}, nil
	}
	return binding{}, refuse(c.pos, "cast one of them", "%s cannot be compared with %s", a.typ.name(), b.typ.name())
}

// compareNumbers brings both sides to one type in memory where that loses nothing, and
// else compares by mathematical value.
func (c *call) compareNumbers(op comparison) kernel {
	for i := range c.args {
		c.args[i] = narrowConstant(c.args[i], c.args[1-i].typ)
	}
	a, b := c.args[0].typ, c.args[1].typ
	switch {
	case a.truth() && b.truth():
		return compareRows(u8, op)
	case a.base == float64s && b.base == float64s:
		return compareRows(f64, op)
	case a.signed() && b.signed():
		return compareRows(i64, op)
	case !a.signed() && !b.signed() && a.integer() && b.integer():
		c.widen(0, uint64s)
		c.widen(1, uint64s)
		return compareRows(u64, op)
	}
	c.widenTruth()
	a, b = c.args[0].typ, c.args[1].typ
	switch {
	case a.signed() && b.unsigned():
		return orderRows(i64, u64, op, orderIntUint)
	case a.unsigned() && b.signed():
		return orderRows(u64, i64, op, reversed(orderIntUint))
	case a.signed():
		return orderRows(i64, f64, op, orderIntFloat)
	case b.signed():
		return orderRows(f64, i64, op, reversed(orderIntFloat))
	case a.unsigned():
		return orderRows(u64, f64, op, orderUintFloat)
	default:
		return orderRows(f64, u64, op, reversed(orderUintFloat))
	}
}

func (c *call) widen(i int, to base) { c.args[i] = convert(c.args[i], valueType{base: to}) }

func (c *call) widenTruth() {
	for i := range c.args {
		if c.args[i].typ.truth() {
			c.widen(i, uint64s)
		}
	}
}

// narrowConstant gives a constant the type of the other side, where it has its value
// there; so that most comparisons run in one loop.
func narrowConstant(n *node, other valueType) *node {
	if n.constant == nil || n.isNull() || n.typ.truth() || other.truth() {
		return n
	}
	v := n.constant
	switch {
	case n.typ.unsigned() && other.signed() && int64(v.U64[0]) >= 0,
		n.typ.signed() && other.unsigned() && v.I64[0] >= 0,
		n.typ.unsigned() && other.base == float64s && v.U64[0] <= maxExactFloat,
		n.typ.signed() && other.base == float64s && magnitude(v.I64[0]) <= maxExactFloat:
		return convert(n, widest(other))
	}
	return n
}

// maxExactFloat is the largest integer below which a Float64 has all of them.
const maxExactFloat = 1 << 53

// compareRows compares values of one type in memory.
func compareRows[T ordered](s slot[T], op comparison) kernel {
	loops := map[comparison]func(dst []uint8, a []T, am int, b []T, bm int){
		isEqual:                          equalRows[T],
		isLess | isGreater | isUnordered: differentRows[T],
		isLess:                           lessRows[T],
		isLess | isEqual:                 notGreaterRows[T],
	}
	swap := op == isGreater || op == isGreater|isEqual
	if swap {
		op = op&isEqual | isLess
	}
	loop := loops[op]
	return func(out *event.Vector, args []operand, rows int) {
		a, am := s.values(args[0])
		b, bm := s.values(args[1])
		dst := slot[uint8](u8).sized(out, rows)
		if swap {
			a, am, b, bm = b, bm, a, am
		}
		loop(dst, a, am, b, bm)
	}
}

// The loops stand alone so that the compiler makes them free of calls and branches.

func equalRows[T ordered](dst []uint8, a []T, am int, b []T, bm int) {
	for i := range dst {
		dst[i] = truth(a[i&am] == b[i&bm])
	}
}

func differentRows[T ordered](dst []uint8, a []T, am int, b []T, bm int) {
	for i := range dst {
		dst[i] = truth(a[i&am] != b[i&bm])
	}
}

func lessRows[T ordered](dst []uint8, a []T, am int, b []T, bm int) {
	for i := range dst {
		dst[i] = truth(a[i&am] < b[i&bm])
	}
}

func notGreaterRows[T ordered](dst []uint8, a []T, am int, b []T, bm int) {
	for i := range dst {
		dst[i] = truth(a[i&am] <= b[i&bm])
	}
}

// orderRows compares by a three-way function; order returns one bit of comparison.
func orderRows[A, B any](sa slot[A], sb slot[B], op comparison, order func(A, B) comparison) kernel {
	return map2(sa, sb, u8, func(a A, b B) uint8 { return truth(order(a, b)&op != 0) })
}

func reversed[A, B any](order func(A, B) comparison) func(B, A) comparison {
	return func(b B, a A) comparison {
		switch c := order(a, b); c {
		case isLess:
			return isGreater
		case isGreater:
			return isLess
		default:
			return c
		}
	}
}

func orderOf[T int64 | uint64 | float64](a, b T) comparison {
	switch {
	case a < b:
		return isLess
	case a > b:
		return isGreater
	}
	return isEqual
}

func orderIntUint(a int64, b uint64) comparison {
	if a < 0 {
		return isLess
	}
	return orderOf(uint64(a), b)
}

// orderIntFloat compares exactly: within the range of Int64 first the whole part of the
// float, then its fraction.
func orderIntFloat(a int64, b float64) comparison {
	switch {
	case math.IsNaN(b):
		return isUnordered
	case b >= 1<<63:
		return isLess
	case b < -1<<63:
		return isGreater
	}
	whole := math.Trunc(b)
	if c := orderOf(a, int64(whole)); c != isEqual {
		return c
	}
	return orderOf(whole, b)
}

func orderUintFloat(a uint64, b float64) comparison {
	switch {
	case math.IsNaN(b):
		return isUnordered
	case b >= 1<<64:
		return isLess
	case b < 0:
		return isGreater
	}
	whole := math.Trunc(b)
	if c := orderOf(a, uint64(whole)); c != isEqual {
		return c
	}
	return orderOf(whole, b)
}

// compareTexts compares byte by byte. Equality has its own loop, since lengths decide
// most of it.
func compareTexts(op comparison) kernel {
	return func(out *event.Vector, args []operand, rows int) {
		a, b := args[0], args[1]
		am, bm := a.mask(), b.mask()
		dst := slot[uint8](u8).sized(out, rows)
		if op == isEqual || op == isLess|isGreater|isUnordered {
			negated := truth(op != isEqual)
			for i := range dst {
				dst[i] = truth(bytes.Equal(a.Str.At(i&am), b.Str.At(i&bm))) ^ negated
			}
			return
		}
		for i := range dst {
			order := isLess << (bytes.Compare(a.Str.At(i&am), b.Str.At(i&bm)) + 1)
			dst[i] = truth(order&op != 0)
		}
	}
}

// parseTimes gives a constant string beside a time the time's type.
func (c *call) parseTimes() error {
	for i, n := range c.args {
		other := c.args[1-i].typ
		if n.typ.base != text || !other.temporal() {
			continue
		}
		if n.constant == nil {
			return refuse(n.pos, "compare with a constant, or parse into a column at ingest", "a String column cannot be compared with %s", other.name())
		}
		parsed, err := parseConstantTime(n, other)
		if err != nil {
			return err
		}
		c.args[i] = parsed
	}
	return nil
}

// parseConstantTime reads a constant string as a time of the given type.
func parseConstantTime(n *node, t valueType) (*node, error) {
	if n.isNull() {
		return nullOf(n, t), nil
	}
	v, err := parseTime(string(n.constant.Str.At(0)), t)
	if err != nil {
		return nil, refuse(n.pos, "as in '2024-05-01' or '2024-05-01 10:00:00.123'", "%s", err)
	}
	m := *n
	m.typ = valueType{base: t.base, precision: t.precision, nullable: n.typ.nullable}
	m.constant = &event.Vector{Type: m.typ.event()}
	m.constant.AppendInt64(v)
	return &m, nil
}

// compareTimes brings both sides to the finer type.
func (c *call) compareTimes(op comparison) (kernel, error) {
	t, ok := commonTime(c.args)
	if !ok {
		return nil, errFinePrecision(c.pos)
	}
	for i, a := range c.args {
		c.args[i] = convert(a, t)
	}
	return compareRows(i64, op), nil
}

func errFinePrecision(pos sql.Pos) error {
	return refuse(pos, fmt.Sprintf("cast the finer one to DateTime64(%d) or less", safePrecision),
		"a DateTime64(%d) or finer has no room for all times of a coarser one", safePrecision+1)
}
