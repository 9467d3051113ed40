package plan

import (
	"math"
	"strings"

	"github.com/millrace/millrace/internal/event"
)

// integerPair is the types of two integer operands; their values come as 64 bits.
type integerPair struct{ a, b valueType }

// integerDivision is the rule of intDiv and modulo. With orZero any divisor is allowed.
func integerDivision(result func(p integerPair) valueType, divide func(p integerPair, orZero bool) func(a, b uint64) uint64, orZero bool) rule {
	return func(c *call) (binding, error) {
		for i := range c.args {
			if err := c.check(i, aNumber); err != nil {
				return binding{}, err
			}
		}
		p := integerPair{c.args[0].typ.notNull(), c.args[1].typ.notNull()}
		if p.a.base == float64s || p.b.base == float64s {
			return floatDivision(c)
		}
		if !orZero {
			if err := c.checkDivisor(p); err != nil {
				return binding{}, err
			}
		}
		t := result(p)
		for i, a := range c.args {
			c.args[i] = convert(a, integerOf(false, 64)) // the bits, whatever the sign
		}
		f, bits := divide(p, orZero), t.bits()
		if t.signed() {
			return binding{typ: t, run: map2(u64, u64, i64, func(a, b uint64) int64 {
				return wrapSigned(int64(f(a, b)), bits)
			})}, nil
		}
		return binding{typ: t, run: map2(u64, u64, u64, func(a, b uint64) uint64 {
			return wrapUnsigned(f(a, b), bits)
		})}, nil
	}
}

func floatDivision(c *call) (binding, error) {
	if strings.HasPrefix(c.name, "intDiv") {
		return binding{}, refuse(c.pos, "write toInt64(a / b)", "%s takes integers", c.name)
	}
	for i, a := range c.args {
		c.args[i] = convert(a, valueType{base: float64s})
	}
	return binding{typ: valueType{base: float64s}, run: map2(f64, f64, f64, remainderFloat)}, nil
}

// remainderFloat is ClickHouse's formula, which is not fmod: its error grows with a / b.
// The conversion keeps the compiler from fusing the two operations.
func remainderFloat(a, b float64) float64 { return a - float64(math.Trunc(a/b)*b) }

// checkDivisor refuses what would make ClickHouse fail at some row.
func (c *call) checkDivisor(p integerPair) error {
	hint := "use " + c.name + "OrZero, which gives 0 there"
	b := c.args[1].constant
	if b == nil {
		return refuse(c.args[1].pos, hint, "%s fails in ClickHouse where the divisor is 0; the divisor must be a constant", c.name)
	}
	var v int64
	switch {
	case b.Null(0):
		return nil
	case p.b.truth():
		v = int64(b.U8[0])
	case p.b.signed():
		v = b.I64[0]
	default:
		v = int64(b.U64[0])
	}
	if v == 0 {
		return refuse(c.args[1].pos, hint, "division by zero")
	}
	if c.name == "modulo" && p.b.signed() && v == -1<<(p.b.bits()-1) {
		return refuse(c.args[1].pos, hint, "modulo by the smallest %s fails in ClickHouse", p.b.name())
	}
	if c.name == "intDiv" && wrapSigned(v, min(p.a.bits(), p.b.bits())) == -1 && (p.a.signed() || p.b.signed()) {
		return refuse(c.args[1].pos, "use negate", "intDiv by -1 fails in ClickHouse for the smallest integer")
	}
	return nil
}

func intDivType(p integerPair) valueType {
	return integerOf(p.a.signed() || p.b.signed(), p.a.bits())
}

func moduloType(p integerPair) valueType {
	if p.a.signed() {
		return integerOf(true, 2*p.b.bits())
	}
	return integerOf(false, p.b.bits())
}

// divideIntegers follows ClickHouse's intDiv: where one side is signed, both become
// signed in the width of a, or of b where that is wider.
func divideIntegers(p integerPair, orZero bool) func(a, b uint64) uint64 {
	if !p.a.signed() && !p.b.signed() {
		return func(a, b uint64) uint64 {
			if b == 0 {
				return 0
			}
			return a / b
		}
	}
	abits, bbits := p.a.bits(), max(p.a.bits(), p.b.bits())
	return func(a, b uint64) uint64 {
		x, y := wrapSigned(int64(a), abits), wrapSigned(int64(b), bbits)
		if y == 0 || orZero && y == -1 && x == math.MinInt64>>(64-abits) {
			return 0
		}
		return uint64(x / y)
	}
}

// remainderIntegers follows C++: both sides are promoted to the wider type, at least 32
// bits, which is unsigned where the wider side is.
func remainderIntegers(p integerPair, _ bool) func(a, b uint64) uint64 {
	width := max(32, p.a.bits(), p.b.bits())
	unsigned := !p.a.signed() && p.a.bits() == width || !p.b.signed() && p.b.bits() == width
	return func(a, b uint64) uint64 {
		if unsigned {
			x, y := wrapUnsigned(a, width), wrapUnsigned(b, width)
			if y == 0 {
				return 0
			}
			return x % y
		}
		if b == 0 {
			return 0
		}
		return uint64(int64(a) % int64(b))
	}
}

// orNullFunction is an entry that is NULL where the division of another one fails; zero
// is the rule of the entry that is 0 there.
func orNullFunction(name, example, like string, zero rule) Function {
	return Function{
		Name: name, Group: "Arithmetic", Usage: name + "(a, b)", Min: 2, Max: 2,
		Doc:     "Like " + like + " for any b; NULL where b is 0 or where the quotient has no room.",
		Example: "isNull(" + example + ")", Result: "1",
		bind: func(c *call) (binding, error) {
			for i := range c.args {
				if err := c.check(i, aNumber); err != nil {
					return binding{}, err
				}
			}
			p := integerPair{c.args[0].typ.notNull(), c.args[1].typ.notNull()}
			r, err := zero(c)
			if err != nil {
				return r, err
			}
			return r.nullWhere(c.divisionFails(p)), nil
		},
	}
}

func divideOrNull(c *call) (binding, error) {
	r, err := takes(float64s, divideRows, aFloat, aFloat)(c)
	if err != nil {
		return r, err
	}
	return r.nullWhere(zeroDivisor), nil
}

// nullWhere makes rows null besides those where an argument is.
func (r binding) nullWhere(null func(args []operand, i int) bool) binding {
	run := r.run
	r.typ.nullable, r.nulls = true, nullByKernel
	r.run = func(out *event.Vector, args []operand, rows int) {
		run(out, args, rows)
		for i := range out.Nulls {
			isNull := null(args, i)
			for _, a := range args {
				isNull = isNull || a.null(i)
			}
			out.Nulls[i] = truth(isNull)
		}
		clearNulls(out)
	}
	return r
}

func zeroDivisor(args []operand, i int) bool { return args[1].F64[i&args[1].mask()] == 0 }

// divisionFails returns where ClickHouse's division fails; c's arguments are converted.
func (c *call) divisionFails(p integerPair) func(args []operand, i int) bool {
	if c.args[1].typ.base == float64s {
		return zeroDivisor
	}
	smallest := ^uint64(0) << (p.a.bits() - 1)
	width := max(p.a.bits(), p.b.bits()) // intDiv makes both signed where one is
	noRoom := p.a.signed() && p.b.signed()
	if c.name == "intDivOrNull" {
		noRoom = p.a.signed() || p.b.signed()
	}
	return func(args []operand, i int) bool {
		a, b := args[0].U64[i&args[0].mask()], args[1].U64[i&args[1].mask()]
		return b == 0 || noRoom && wrapSigned(int64(b), width) == -1 && uint64(wrapSigned(int64(a), p.a.bits())) == smallest
	}
}
