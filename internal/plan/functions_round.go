package plan

import (
	"math"
	"math/bits"

	"github.com/millrace/millrace/internal/event"
)

const groupRound = "Rounding"

var roundingFunctions = []Function{
	roundFunction("floor", "floor(-2.5)", "-3", "The largest multiple of the unit that is not above x.",
		rounding{roundDown[int64], roundDown[uint64], math.Floor}),
	roundFunction("ceil", "ceil(-2.5)", "-2", "The smallest multiple of the unit that is not below x.",
		rounding{roundUp[int64], roundUp[uint64], math.Ceil}, "ceiling"),
	roundFunction("trunc", "trunc(-2.75, 1)", "-2.7", "x cut towards zero.",
		rounding{roundToZero[int64], roundToZero[uint64], math.Trunc}, "truncate"),
	roundFunction("round", "round(2.345, 2)", "2.35", "The nearest multiple of the unit. Halves of a Float64 go to the even neighbour, those of an integer away from zero.",
		rounding{roundHalfAway[int64], roundHalfAway[uint64], math.RoundToEven}),
	roundFunction("roundBankers", "roundBankers(2.5)", "2", "The nearest multiple of the unit; halves go to the even neighbour.",
		rounding{roundHalfEven[int64], roundHalfEven[uint64], math.RoundToEven}),
	{
		Name: "roundToExp2", Group: groupRound, Usage: "roundToExp2(x)", Min: 1, Max: 1,
		Doc:     "The power of two at or below a whole number, of its type; 0 where it is not positive. A Float64 keeps its sign and loses its fraction bits.",
		Example: "roundToExp2(5)", Result: "4",
		bind: roundToExp2,
	},
	stairs("roundDuration", uint16s, "roundDuration(100)", "60", "Seconds rounded down to 0, 1, 10, 30, 60, 120, 180, 240, 300, 600, 1200, 1800, 3600, 7200, 18000 or 36000.",
		stair{1, 1}, stair{10, 10}, stair{30, 30}, stair{60, 60}, stair{120, 120}, stair{180, 180}, stair{240, 240}, stair{300, 300},
		stair{600, 600}, stair{1200, 1200}, stair{1800, 1800}, stair{3600, 3600}, stair{7200, 7200}, stair{18000, 18000}, stair{36000, 36000}),
	stairs("roundAge", uint8s, "roundAge(20)", "18", "Years in the bands 0, 17 (1 to 17), 18, 25, 35, 45 and 55.",
		stair{1, 17}, stair{18, 18}, stair{25, 25}, stair{35, 35}, stair{45, 45}, stair{55, 55}),
}

// rounding is one way to round: integers to a unit, floats to a whole number.
type rounding struct {
	signed   func(v, unit int64) int64
	unsigned func(v, unit uint64) uint64
	float    func(float64) float64
}

func roundFunction(name, example, result, doc string, r rounding, aliases ...string) Function {
	return Function{
		Name: name, Aliases: aliases, AnyCase: name != "roundBankers", Group: groupRound, Usage: name + "(x[, digits])", Min: 1, Max: 2,
		Doc:     doc + " The unit is 1, or 10^-digits for constant digits from -18 to 18. The result is of x's type and wraps around in it.",
		Example: example, Result: result,
		bind: func(c *call) (binding, error) { return c.round(r) },
	}
}

func (c *call) round(r rounding) (binding, error) {
	if err := c.check(0, aNumber); err != nil {
		return binding{}, err
	}
	digits, err := c.digits()
	if err != nil {
		return binding{}, err
	}
	c.args = c.args[:1]
	t := c.args[0].typ.notNull()
	switch {
	case t.base == float64s:
		return binding{typ: t, run: map1(f64, f64, scaled(r.float, digits))}, nil
	case digits >= 0:
		return binding{same: c.args[0]}, nil
	}
	unit := event.Pow10[-digits]
	switch t.base {
	case int64s:
		return binding{typ: t, run: map1(i64, i64, func(v int64) int64 { return r.signed(v, unit) })}, nil
	case uint64s:
		return binding{typ: t, run: map1(u64, u64, func(v uint64) uint64 { return r.unsigned(v, uint64(unit)) })}, nil
	}
	return binding{}, refuse(c.args[0].pos, "cast it with toInt64", "%s with negative digits takes 64-bit numbers, not %s", c.name, t.name())
}

// maxDigits is the most decimals that a 64-bit unit has room for.
const maxDigits = 18

// digits returns the constant decimals that a rounding function may have as second argument.
func (c *call) digits() (int, error) {
	if len(c.args) == 1 {
		return 0, nil
	}
	if err := c.check(1, anInt); err != nil {
		return 0, err
	}
	n := c.args[1]
	if n.constant == nil || n.isNull() || n.typ.truth() {
		return 0, refuse(n.pos, "as in round(x, 2)", "the digits of %s must be a constant", c.name)
	}
	v := convert(n, integerOf(true, 64)).constant.I64[0]
	if v > maxDigits || v < -maxDigits {
		return 0, refuse(n.pos, "as in round(x, 2)", "the digits of %s must be from -%d to %[2]d", c.name, maxDigits)
	}
	return int(v), nil
}

// scaled rounds to digits as ClickHouse does: by a power of ten, which can lose the last
// digit and can overflow.
func scaled(round func(float64) float64, digits int) func(float64) float64 {
	switch {
	case digits == 0:
		return round
	case digits > 0:
		unit := float64(event.Pow10[digits])
		return func(v float64) float64 { return round(v*unit) / unit }
	}
	unit := float64(event.Pow10[-digits])
	return func(v float64) float64 { return round(v/unit) * unit }
}

func roundDown[T int64 | uint64](v, unit T) T {
	if v < 0 {
		v -= unit - 1
	}
	return v / unit * unit
}

func roundUp[T int64 | uint64](v, unit T) T {
	if v >= 0 {
		v += unit - 1
	}
	return v / unit * unit
}

func roundToZero[T int64 | uint64](v, unit T) T { return v / unit * unit }

func roundHalfAway[T int64 | uint64](v, unit T) T {
	if v < 0 {
		v -= unit
	}
	return (v + unit/2) / unit * unit
}

func roundHalfEven[T int64 | uint64](v, unit T) T {
	if v < 0 {
		v -= unit
	}
	sum := v + unit/2
	q := sum / unit
	if q*unit == sum {
		if v < 0 {
			q++
		}
		q &^= 1
	}
	return q * unit
}

func roundToExp2(c *call) (binding, error) {
	if err := c.check(0, aNumber); err != nil {
		return binding{}, err
	}
	t := c.args[0].typ.notNull()
	if t.truth() {
		t.base = uint8s
	}
	c.args[0] = convert(c.args[0], widest(t))
	switch {
	case t.base == float64s:
		const fraction = 1<<52 - 1
		return binding{typ: t, run: map1(f64, f64, func(v float64) float64 {
			return math.Float64frombits(math.Float64bits(v) &^ fraction)
		})}, nil
	case t.signed():
		return binding{typ: t, run: map1(i64, i64, func(v int64) int64 { return int64(highestBit(uint64(max(v, 0)))) })}, nil
	}
	return binding{typ: t, run: map1(u64, u64, highestBit)}, nil
}

func highestBit(v uint64) uint64 {
	if v == 0 {
		return 0
	}
	return 1 << (bits.Len64(v) - 1)
}

// stair is a step of a function of whole values: what it gives from a value on.
type stair struct{ from, value uint64 }

// stairs is an entry that is 0 below its first step.
func stairs(name string, typ base, example, result, doc string, steps ...stair) Function {
	up := func(below func(from uint64) bool) uint64 {
		var v uint64
		for _, s := range steps {
			if below(s.from) {
				break
			}
			v = s.value
		}
		return v
	}
	return Function{
		Name: name, Group: groupRound, Usage: name + "(x)", Min: 1, Max: 1, Doc: doc, Example: example, Result: result,
		bind: func(c *call) (binding, error) {
			if err := c.check(0, anInt); err != nil {
				return binding{}, err
			}
			t := c.args[0].typ
			r := binding{typ: valueType{base: typ}}
			if t.signed() {
				r.run = map1(i64, u64, func(v int64) uint64 {
					return up(func(from uint64) bool { return v < int64(from) })
				})
				return r, nil
			}
			c.widen(0, uint64s)
			r.run = map1(u64, u64, func(v uint64) uint64 { return up(func(from uint64) bool { return v < from }) })
			return r, nil
		},
	}
}
