package plan

import (
	"bytes"
	"fmt"
	"math"

	"github.com/millrace/millrace/internal/event"
)

const groupMath = "Mathematics"

var mathFunctions = []Function{
	{
		Name: "sqrt", AnyCase: true, Group: groupMath, Usage: "sqrt(x)", Min: 1, Max: 1,
		Doc:     "Square root, Float64; NaN of a negative number.",
		Example: "sqrt(2)", Result: "1.4142135623730951",
		bind: takes(float64s, map1(f64, f64, math.Sqrt), aFloat),
	},
	{
		Name: "sign", AnyCase: true, Group: groupMath, Usage: "sign(x)", Min: 1, Max: 1,
		Doc:     "-1, 0 or 1 (1 for NaN, as in ClickHouse).",
		Example: "sign(-2.5)", Result: "-1",
		bind: sign,
	},
	{
		Name: "degrees", AnyCase: true, Group: groupMath, Usage: "degrees(x)", Min: 1, Max: 1,
		Doc:     "Radians in degrees, Float64.",
		Example: "degrees(3.141592653589793)", Result: "180",
		bind: takes(float64s, map1(f64, f64, func(v float64) float64 { return v * (180 / math.Pi) }), aFloat),
	},
	{
		Name: "radians", AnyCase: true, Group: groupMath, Usage: "radians(x)", Min: 1, Max: 1,
		Doc:     "Degrees in radians, Float64.",
		Example: "radians(180)", Result: "3.141592653589793",
		bind: takes(float64s, map1(f64, f64, func(v float64) float64 { return v * (math.Pi / 180) }), aFloat),
	},
	constantFunction("pi", "3.141592653589793", "The number π.", math.Pi),
	constantFunction("e", "2.718281828459045", "The number e.", math.E),
	integerPower("intExp2", "intExp2(10)", "1024", 2, 64),
	integerPower("intExp10", "intExp10(3)", "1000", 10, 32),
	floatTest("isNaN", "isNaN(nan)", "1", "1 where a number is NaN.", math.IsNaN),
	floatTest("isInfinite", "isInfinite(inf)", "1", "1 where a number is infinite.", func(v float64) bool { return math.IsInf(v, 0) }),
	floatTest("isFinite", "isFinite(nan)", "0", "1 where a number is neither infinite nor NaN.", isFinite),
	{
		Name: "ifNotFinite", Group: groupMath, Usage: "ifNotFinite(x, y)", Min: 2, Max: 2,
		Doc:     "x where it is neither infinite nor NaN, else y; both as Float64.",
		Example: "ifNotFinite(1 / 0, 42.0)", Result: "42",
		bind: ifNotFinite,
	},
	extreme("least", "least(3, 1, 2)", "1", "smallest", isLess),
	extreme("greatest", "greatest(3, 1, 2)", "3", "largest", isGreater),
	{
		Name: "max2", AnyCase: true, Group: groupMath, Usage: "max2(a, b)", Min: 2, Max: 2,
		Doc:     "The larger of two numbers as Float64; the second where one is NaN.",
		Example: "max2(1, 2)", Result: "2",
		bind: takes(float64s, map2(f64, f64, f64, largerNumber), aFloat, aFloat),
	},
	{
		Name: "min2", AnyCase: true, Group: groupMath, Usage: "min2(a, b)", Min: 2, Max: 2,
		Doc:     "The smaller of two numbers as Float64; the second where one is NaN.",
		Example: "min2(1, 2)", Result: "1",
		bind: takes(float64s, map2(f64, f64, f64, smallerNumber), aFloat, aFloat),
	},
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// largerNumber is not C's fmax: of a number and NaN it gives the second.
func largerNumber(a, b float64) float64 {
	if a > b {
		return a
	}
	return b
}

func smallerNumber(a, b float64) float64 {
	if a < b {
		return a
	}
	return b
}

func sign(c *call) (binding, error) {
	if err := c.check(0, aNumber); err != nil {
		return binding{}, err
	}
	t := valueType{base: int8s}
	switch x := c.args[0].typ; {
	case x.base == float64s:
		return binding{typ: t, run: map1(f64, i64, func(v float64) int64 {
			switch {
			case v == 0:
				return 0
			case v < 0:
				return -1
			}
			return 1
		})}, nil
	case x.signed():
		return binding{typ: t, run: map1(i64, i64, func(v int64) int64 { return v>>63 | int64(uint64(-v)>>63) })}, nil
	}
	c.widen(0, uint64s)
	return binding{typ: t, run: map1(u64, i64, func(v uint64) int64 { return int64(min(v, 1)) })}, nil
}

func constantFunction(name, result, doc string, v float64) Function {
	return Function{
		Name: name, AnyCase: name == "pi", Group: groupMath, Usage: name + "()", Doc: doc, Example: name + "()", Result: result,
		bind: func(*call) (binding, error) {
			return binding{typ: valueType{base: float64s}, run: func(out *event.Vector, _ []operand, rows int) {
				dst := slot[float64](f64).sized(out, rows)
				for i := range dst {
					dst[i] = v
				}
			}}, nil
		},
	}
}

// integerPower is an entry of a power that is the largest UInt64 where it has no room.
// width is that in which ClickHouse takes the exponent, and cuts it.
func integerPower(name, example, result string, of uint64, width int) Function {
	powers := []uint64{1}
	for p := uint64(1); p <= math.MaxUint64/of; {
		p *= of
		powers = append(powers, p)
	}
	power := func(n int64) uint64 {
		switch n = wrapSigned(n, width); {
		case n < 0:
			return 0
		case n >= int64(len(powers)):
			return math.MaxUint64
		}
		return powers[n]
	}
	return Function{
		Name: name, Group: groupMath, Usage: name + "(n)", Min: 1, Max: 1,
		Doc:     fmt.Sprintf("The power as UInt64: 0 where n is negative, the largest UInt64 where it has no room. n is a signed integer, of which %d bits count.", width),
		Example: example, Result: result,
		bind: func(c *call) (binding, error) {
			if err := c.check(0, class{"an integer of less than 64 bits, or an Int64", func(t valueType) bool { return t.integer() && t.base != uint64s }, int64s}); err != nil {
				return binding{}, err
			}
			return binding{typ: valueType{base: uint64s}, run: map1(i64, u64, power)}, nil
		},
	}
}

func floatTest(name, example, result, doc string, holds func(float64) bool) Function {
	return Function{
		Name: name, Group: groupMath, Usage: name + "(x)", Min: 1, Max: 1, Doc: doc, Example: example, Result: result,
		bind: takes(logical, map1(f64, u8, func(v float64) uint8 { return truth(holds(v)) }), aFloat),
	}
}

func ifNotFinite(c *call) (binding, error) {
	for i, a := range c.args {
		if a.typ.base != float64s {
			return binding{}, refuse(a.pos, "cast it with toFloat64", "argument %d of ifNotFinite must be a Float64, not %s", i+1, a.typ.name())
		}
	}
	x, y := c.args[0], c.args[1]
	t := x.typ.orNull(y.typ.nullable)
	finite := mapArg(x, valueType{base: logical}, map1(f64, u8, func(v float64) uint8 { return truth(isFinite(v)) }))
	finite.text = "isFinite(" + x.text + ")"
	c.args = []*node{finite, x, y}
	return binding{typ: t, nulls: nullByKernel, run: pickRows(t, []choice{{value: 1, test: isTrue, condition: 0}, {value: 2}})}, nil
}

// extreme is an entry of least or greatest; first is the order in which an argument wins
// over the ones behind it.
func extreme(name, example, result, which string, first comparison) Function {
	return Function{
		Name: name, AnyCase: true, Group: groupMath, Usage: name + "(a, b, …)", Min: 2, Max: -1,
		Doc:     "The " + which + " argument, of their common type. NULL is left out. NaN is left out as well; but of two numbers that cannot be NULL, one of them NaN, it is the second.",
		Example: example, Result: result,
		bind: func(c *call) (binding, error) { return bindExtreme(c, first) },
	}
}

func bindExtreme(c *call, first comparison) (binding, error) {
	var values []*node
	for _, a := range c.args {
		if a.typ.base != nothing {
			values = append(values, a)
		}
	}
	if len(values) < 2 {
		return binding{}, refuse(c.pos, "", "%s needs two values", c.name)
	}
	t, err := c.common(values)
	if err != nil {
		return binding{}, err
	}
	for _, v := range values {
		if v.typ.base == uint64s && t.signed() {
			return binding{}, refuse(v.pos, "cast it with toInt64", "%s of UInt64 and signed integers is of no certain sign in ClickHouse", c.name)
		}
	}
	if t.truth() && len(values) == 2 && !t.nullable {
		t.base = uint8s // ClickHouse takes two plain numbers otherwise than other values
	}
	c.args = values
	for i := range c.args {
		c.args[i] = convert(c.args[i], t)
	}
	pair := len(values) == 2 && !t.nullable
	b := binding{typ: t, nulls: nullByKernel, size: pickSize}
	switch t.event().Kind {
	case event.String:
		b.run = extremeTexts(first)
	case event.Bool:
		b.run = extremeRows(u8, func(best, v uint8) bool { return v != best && v < best == (first == isLess) })
	case event.UInt64:
		b.run = extremeRows(u64, func(best, v uint64) bool { return orderOf(v, best) == first })
	case event.Float64:
		b.run = extremeRows(f64, floatWins(first, pair))
	default:
		b.run = extremeRows(i64, func(best, v int64) bool { return orderOf(v, best) == first })
	}
	return b, nil
}

// extremeRows makes a kernel that keeps the best value that is not null; wins says
// whether a later value takes the place of the best so far.
func extremeRows[T any](s slot[T], wins func(best, v T) bool) kernel {
	return func(out *event.Vector, args []operand, rows int) {
		dst := s.sized(out, rows)
		for i := range dst {
			none := true
			var best T
			for _, a := range args {
				if a.null(i) {
					continue
				}
				values, mask := s.values(a)
				if v := values[i&mask]; none || wins(best, v) {
					best, none = v, false
				}
			}
			dst[i] = best
			if none {
				out.Nulls[i] = 1
			}
		}
	}
}

// floatWins follows ClickHouse: a pair compares as C++ does, more arguments in an order
// where NaN is last.
func floatWins(first comparison, pair bool) func(best, v float64) bool {
	if pair {
		return func(best, v float64) bool {
			if first == isLess {
				return !(best < v)
			}
			return !(best > v)
		}
	}
	return func(best, v float64) bool {
		switch {
		case math.IsNaN(v):
			return false
		case math.IsNaN(best):
			return true
		}
		return orderOf(v, best) == first
	}
}

func extremeTexts(first comparison) kernel {
	return func(out *event.Vector, args []operand, rows int) {
		texts := newTexts(out, rows)
		for i := range rows {
			none := true
			var best []byte
			for _, a := range args {
				if a.null(i) {
					continue
				}
				v := a.Str.At(i & a.mask())
				if none || isLess<<(bytes.Compare(v, best)+1) == first {
					best, none = v, false
				}
			}
			texts.data = append(texts.data, best...)
			texts.end(i)
			if none {
				out.Nulls[i] = 1
			}
		}
		texts.finish(out)
	}
}
