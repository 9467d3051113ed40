package plan

import (
	"math"

	"github.com/millrace/millrace/internal/event"
)

var arithmeticFunctions = []Function{
	{
		Name: "plus", Group: "Arithmetic", Usage: "a + b", Min: 2, Max: 2, infix: "+",
		Doc:     "Sum. Integers wrap around at 64 bits; with a Float64 the result is Float64, and Int64 with UInt64 gives Int64.",
		Example: "1 + 2", Result: "3",
		bind: arithmetic(false, addRows[int64], addRows[uint64], addRows[float64]),
	},
	{
		Name: "minus", Group: "Arithmetic", Usage: "a - b", Min: 2, Max: 2, infix: "-",
		Doc:     "Difference. Of integers always signed, wrapping around at 64 bits.",
		Example: "1 - 2", Result: "-1",
		bind: arithmetic(true, subtractRows[int64], subtractRows[uint64], subtractRows[float64]),
	},
	{
		Name: "multiply", Group: "Arithmetic", Usage: "a * b", Min: 2, Max: 2, infix: "*",
		Doc:     "Product. Integers wrap around at 64 bits.",
		Example: "6 * 7", Result: "42",
		bind: arithmetic(false, multiplyRows[int64], multiplyRows[uint64], multiplyRows[float64]),
	},
	{
		Name: "divide", Group: "Arithmetic", Usage: "a / b", Min: 2, Max: 2, infix: "/",
		Doc:     "Quotient, always Float64: division by zero gives inf, -inf or nan.",
		Example: "7 / 2", Result: "3.5",
		bind: takes(float64s, divideRows, aFloat, aFloat),
	},
	{
		Name: "intDiv", Group: "Arithmetic", Usage: "intDiv(a, b)", Min: 2, Max: 2,
		Doc:     "Integer quotient, rounded towards zero, of the width of a. Since ClickHouse fails on a division by zero, b must be a constant other than 0 and -1; see intDivOrZero.",
		Example: "intDiv(-7, 2)", Result: "-3",
		bind: integerDivision(intDivType, divideIntegers, false),
	},
	{
		Name: "intDivOrZero", Group: "Arithmetic", Usage: "intDivOrZero(a, b)", Min: 2, Max: 2,
		Doc:     "Like intDiv for any b; 0 where b is 0 or where the quotient has no room.",
		Example: "intDivOrZero(1, 0)", Result: "0",
		bind: integerDivision(intDivType, divideIntegers, true),
	},
	{
		Name: "modulo", Aliases: []string{"mod"}, AnyCase: true, Group: "Arithmetic", Usage: "a % b", Min: 2, Max: 2, infix: "%",
		Doc:     "Remainder with the sign of a. With a Float64 it is that of floating division. Of integers, b must be a constant other than 0; see moduloOrZero.",
		Example: "-7 % 3", Result: "-1",
		bind: integerDivision(moduloType, remainderIntegers, false),
	},
	{
		Name: "moduloOrZero", Group: "Arithmetic", Usage: "moduloOrZero(a, b)", Min: 2, Max: 2,
		Doc:     "Like modulo for any b; 0 where an integer b is 0.",
		Example: "moduloOrZero(1, 0)", Result: "0",
		bind: integerDivision(moduloType, remainderIntegers, true),
	},
	orNullFunction("intDivOrNull", "intDivOrNull(1, 0)", "intDiv", integerDivision(intDivType, divideIntegers, true)),
	orNullFunction("moduloOrNull", "moduloOrNull(1, 0)", "modulo", integerDivision(moduloType, remainderIntegers, true)),
	{
		Name: "divideOrNull", Group: "Arithmetic", Usage: "divideOrNull(a, b)", Min: 2, Max: 2,
		Doc:     "Quotient, Float64; NULL where b is 0.",
		Example: "isNull(divideOrNull(1, 0))", Result: "1",
		bind: divideOrNull,
	},
	{
		Name: "negate", Group: "Arithmetic", Usage: "-x", Min: 1, Max: 1,
		Doc:     "The number with the other sign. The smallest Int64 stays itself.",
		Example: "negate(5)", Result: "-5",
		bind: negate,
	},
	{
		Name: "abs", AnyCase: true, Group: "Arithmetic", Usage: "abs(x)", Min: 1, Max: 1,
		Doc:     "Absolute value; of a signed integer it is unsigned.",
		Example: "abs(-5)", Result: "5",
		bind: absolute,
	},
}

// arithmetic is the rule of plus, minus and multiply: ClickHouse computes in the next
// larger type, so that only 64-bit integers wrap around.
func arithmetic(signed bool, ints, uints, floats kernel) rule {
	return func(c *call) (binding, error) {
		for i := range c.args {
			if err := c.check(i, aNumber); err != nil {
				return binding{}, err
			}
		}
		a, b := c.args[0].typ, c.args[1].typ
		var t valueType
		var run kernel
		if a.base == float64s || b.base == float64s {
			t, run = valueType{base: float64s}, floats
		} else {
			t = integerOf(signed || a.signed() || b.signed(), 2*max(a.bits(), b.bits()))
			run = uints
			if t.signed() {
				run = ints
			}
		}
		wide := widest(t)
		c.args[0], c.args[1] = convert(c.args[0], wide), convert(c.args[1], wide)
		return binding{typ: t, run: run}, nil
	}
}

// widest returns the 64-bit type that holds the values of a number type in memory.
func widest(t valueType) valueType {
	if t.integer() {
		return integerOf(t.signed(), 64)
	}
	return t
}

func addRows[T number](out0 *event.Vector, args []operand, rows int) {
	a, am, b, bm, out := operands[T](out0, args, rows)
	for i := range out {
		out[i] = a[i&am] + b[i&bm]
	}
}

func subtractRows[T number](out0 *event.Vector, args []operand, rows int) {
	a, am, b, bm, out := operands[T](out0, args, rows)
	for i := range out {
		out[i] = a[i&am] - b[i&bm]
	}
}

func multiplyRows[T number](out0 *event.Vector, args []operand, rows int) {
	a, am, b, bm, out := operands[T](out0, args, rows)
	for i := range out {
		out[i] = a[i&am] * b[i&bm]
	}
}

func divideRows(out0 *event.Vector, args []operand, rows int) {
	a, am, b, bm, out := operands[float64](out0, args, rows)
	for i := range out {
		out[i] = a[i&am] / b[i&bm]
	}
}

// operands returns the values of two arguments of one number type, with the masks of
// their row numbers, and room for the result.
func operands[T number](out *event.Vector, args []operand, rows int) (a []T, am int, b []T, bm int, dst []T) {
	s := slotOf[T]()
	a, am = s.values(args[0])
	b, bm = s.values(args[1])
	return a, am, b, bm, s.sized(out, rows)
}

func slotOf[T number]() slot[T] {
	var zero T
	var s any
	switch any(zero).(type) {
	case int64:
		s = slot[int64](i64)
	case uint64:
		s = slot[uint64](u64)
	default:
		s = slot[float64](f64)
	}
	return s.(slot[T])
}

func negate(c *call) (binding, error) {
	if err := c.check(0, aNumber); err != nil {
		return binding{}, err
	}
	t := c.args[0].typ.notNull()
	if t.base == float64s {
		return binding{typ: t, run: map1(f64, f64, func(v float64) float64 { return -v })}, nil
	}
	bits := t.bits()
	if !t.signed() {
		bits = min(2*bits, 64)
	}
	c.args[0] = convert(c.args[0], integerOf(true, 64))
	return binding{typ: integerOf(true, bits), run: map1(i64, i64, func(v int64) int64 { return wrapSigned(-v, bits) })}, nil
}

func absolute(c *call) (binding, error) {
	if err := c.check(0, aNumber); err != nil {
		return binding{}, err
	}
	switch t := c.args[0].typ; {
	case t.base == float64s:
		return binding{typ: t.notNull(), run: map1(f64, f64, math.Abs)}, nil
	case t.signed():
		return binding{typ: integerOf(false, t.bits()), run: map1(i64, u64, magnitude)}, nil
	default:
		c.args[0] = convert(c.args[0], integerOf(false, 64))
		return binding{typ: integerOf(false, t.bits()), run: copyRows(u64)}, nil
	}
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}
