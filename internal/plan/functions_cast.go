package plan

import (
	"fmt"
	"math"
	"strconv"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/scalar"
	"github.com/millrace/millrace/internal/sql"
)

const groupCast = "Conversion"

var castFunctions = []Function{
	{
		Name: "CAST", AnyCase: true, Group: groupCast, Usage: "CAST(x AS T), x::T", Min: 2, Max: 2, syntax: isSecond,
		Doc:     "x as type T, as the function to… of that type does. A Nullable x needs a Nullable T.",
		Example: "CAST(-1 AS UInt64)", Result: "18446744073709551615",
		bind: bindCast,
	},
	castFunction("toInt64", int64s, "toInt64(-2.9)", "-2",
		"An Int64. UInt64 wraps around; a Float64 is cut towards zero, and 0 where it is NaN or beyond 64 bits; a DateTime64 gives its whole seconds, cut towards zero, a Date its days."),
	castFunction("toUInt64", uint64s, "toUInt64(true)", "1",
		"A UInt64. Negative integers wrap around; a Float64 is cut, and 0 where it is NaN, negative or beyond 64 bits."),
	castFunction("toFloat64", float64s, "toFloat64(toDateTime64('1970-01-01 00:00:01.500', 3))", "1.5",
		"A Float64; a DateTime64 gives its seconds with their fraction, a Date its days."),
	castFunction("toString", text, "toString(1e21)", "1e21",
		"The text of a value, as ClickHouse writes it."),
	castFunction("toBool", boolean, "toBool(5)", "true",
		"A Bool: false where a number is 0."),
	castFunction("toDate", date, "toDate('2024-05-01')", "2024-05-01",
		"The day, as Date. A constant string must be YYYY-MM-DD, from 1970-01-01 to 2149-06-06. A DateTime64 outside of that wraps around, as in ClickHouse."),
	{
		Name: "toDateTime", Group: groupCast, Usage: "toDateTime(t)", Min: 1, Max: 1,
		Doc:     "A Date or DateTime64 in whole seconds, rounded down, as DateTime64(0)." + wraps,
		Example: "toDateTime(toDate('2024-05-01'))", Result: "2024-05-01 00:00:00",
		bind: ofTime(dateTime, aTime, i64, event.FloorDiv, wrapTime),
	},
	{
		Name: "toDateTime64", Group: groupCast, Usage: "toDateTime64(x, precision)", Min: 2, Max: 3, syntax: func(i int) bool { return i > 0 },
		Doc:     "A DateTime64 in UTC of a Date, a DateTime64 (cut towards 1970) or a constant string such as '2024-05-01' or '2024-05-01 10:00:00.123'.",
		Example: "toDateTime64('2024-05-01 10:00:00.129', 2)", Result: "2024-05-01 10:00:00.12",
		bind: toDateTime64,
	},
}

// narrowCasts are the entries of the integers that no column has: the value of a view
// leaves as Int64 or UInt64.
func narrowCasts() []Function {
	var list []Function
	for _, b := range []base{int8s, int16s, int32s, uint8s, uint16s, uint32s} {
		t := valueType{base: b}
		name, other, example, result := "to"+t.name(), "UInt64", "(-2.9)", "-2"
		if t.signed() {
			other = "Int64"
		} else {
			example, result = "(true)", "1"
		}
		list = append(list, castFunction(name, b, name+example, result,
			"The number in "+strconv.Itoa(t.bits())+" bits, in which integers wrap around. A Float64 is cut, and 0 where it is NaN or has no room. For times use to"+other+"."))
	}
	return list
}

// castFunction is an entry that converts to one type.
func castFunction(name string, to base, example, result, doc string) Function {
	return Function{
		Name: name, Group: groupCast, Usage: name + "(x)", Min: 1, Max: 1,
		Doc: doc, Example: example, Result: result,
		bind: func(c *call) (binding, error) {
			if err := c.check(0, anything); err != nil {
				return binding{}, err
			}
			return castTo(c, valueType{base: to})
		},
	}
}

// castTo converts the first argument. The text is that of the entry unless the rule
// here sets another.
func castTo(c *call, to valueType) (binding, error) {
	x := c.args[0]
	from := x.typ.notNull()
	switch {
	case to.base == text:
		t := textOfValue(x)
		return binding{same: t, typ: t.typ}, nil
	case from.base == text:
		return castText(c, to)
	case to.base == boolean && from.numeric():
		t := truthOf(x)
		return binding{same: t, typ: to.orNull(x.typ.nullable)}, nil
	case to.numeric() && from.numeric():
		if from.base == float64s && to.integer() {
			return castFloat(c, to)
		}
		if to.integer() && to.bits() < 64 && !holds(to, from) {
			return castNarrow(c, to)
		}
		t := convert(x, to)
		return binding{same: t, typ: t.typ}, nil
	case to.numeric() && from.temporal() && to.base != boolean && (to.bits() == 64 || to.base == float64s):
		return castTimeToNumber(c, to)
	case to.temporal() && from.temporal():
		return castTime(c, to)
	}
	return binding{}, refuse(c.pos, "", "%s cannot be converted to %s", from.name(), to.name())
}

// castText refuses what fails in ClickHouse at the first text that is not of the type.
func castText(c *call, to valueType) (binding, error) {
	x := c.args[0]
	if x.constant == nil || !to.temporal() {
		hint := fmt.Sprintf("use %[1]sOrNull or %[1]sOrZero", "to"+to.name())
		if to.temporal() {
			hint = "declare the column with that type"
		} else if to.base == boolean {
			hint = "compare it, as in x = 'true'"
		}
		return binding{}, refuse(c.pos, hint, "converting a String to %s fails in ClickHouse where the text is something else", to.name())
	}
	t, err := parseConstantTime(x, to)
	if err != nil {
		return binding{}, err
	}
	return binding{same: t, typ: t.typ}, nil
}

// holds reports whether integer type t has every value of the other.
func holds(t, other valueType) bool {
	if t.signed() == other.signed() {
		return t.bits() >= other.bits()
	}
	return t.signed() && t.bits() > other.bits()
}

// castNarrow converts to an integer of less than 64 bits: through 64 bits, as a C++ cast.
func castNarrow(c *call, to valueType) (binding, error) {
	bits := to.bits()
	x := convert(c.args[0], integerOf(to.signed(), 64))
	c.args[0] = x
	if to.signed() {
		return binding{typ: to, run: map1(i64, i64, func(v int64) int64 { return wrapSigned(v, bits) })}, nil
	}
	return binding{typ: to, run: map1(u64, u64, func(v uint64) uint64 { return wrapUnsigned(v, bits) })}, nil
}

// castFloat cuts a Float64. ClickHouse fails on NaN, even at a null row, and leaves open
// what numbers beyond the integer's range give, so the text keeps them away.
func castFloat(c *call, to valueType) (binding, error) {
	x := c.args[0]
	bits := to.bits()
	var inRange string
	var run kernel
	switch low, high := -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1); {
	case to.unsigned():
		high *= 2
		inRange = fmt.Sprintf("(%[1]s >= 0) AND (%[1]s < %.1[2]f)", x.operand(), high)
		run = map1(f64, u64, func(v float64) uint64 {
			if v >= 0 && v < high {
				return uint64(v)
			}
			return 0
		})
	default:
		inRange = fmt.Sprintf("abs(%s) < %.1f", x.text, high)
		if bits < 64 {
			low-- // its fraction is cut
			inRange = fmt.Sprintf("(%[1]s > %.1[2]f) AND (%[1]s < %.1[3]f)", x.operand(), low, high)
		}
		run = map1(f64, i64, func(v float64) int64 {
			if v > low && v < high {
				return int64(v)
			}
			return 0
		})
	}
	c.text = fmt.Sprintf("to%s(if(%s, %s, 0))", to.name(), inRange, x.text)
	if x.typ.nullable {
		c.text = fmt.Sprintf("if(isNull(%s), NULL, %s)", x.text, c.text)
	}
	return binding{typ: to, run: run}, nil
}

func castTimeToNumber(c *call, to valueType) (binding, error) {
	x := c.args[0]
	ticks := x.typ.ticks()
	switch {
	case to.base == float64s && ticks > 1:
		return binding{typ: to, run: map1(i64, f64, func(v int64) float64 { return float64(v) / float64(ticks) })}, nil
	case to.base == float64s:
		return binding{typ: to, run: convertRows(i64, f64)}, nil
	case to.signed():
		return binding{typ: to, run: map1(i64, i64, func(v int64) int64 { return v / ticks })}, nil
	case x.typ.base == dateTime64:
		return binding{}, refuse(c.pos, "use toInt64", "converting times before 1970 to UInt64 fails in ClickHouse")
	}
	return binding{typ: to, run: convertRows(i64, u64)}, nil
}

func castTime(c *call, to valueType) (binding, error) {
	x := c.args[0]
	if !fitsPrecision(x.typ, to) {
		return binding{}, errFinePrecision(c.pos)
	}
	if to.base == date {
		if x.typ.base == date {
			return binding{same: x}, nil
		}
		ticks := x.typ.ticks()
		return binding{typ: to, run: map1(i64, i64, func(v int64) int64 {
			return event.FloorDiv(v/ticks, secondsPerDay) & maxDate
		})}, nil
	}
	if x.typ.precision > to.precision {
		less := event.Pow10[x.typ.precision-to.precision]
		return binding{typ: to, run: map1(i64, i64, func(v int64) int64 { return v / less })}, nil
	}
	t := convert(x, to)
	return binding{same: t, typ: t.typ}, nil
}

func toDateTime64(c *call) (binding, error) {
	if err := c.check(0, anything); err != nil {
		return binding{}, err
	}
	l, ok := c.ast[1].(*sql.Literal)
	precision, isInt := int64(0), false
	if ok {
		precision, isInt = l.Value.(int64)
	}
	if !isInt || precision < 0 || precision > event.MaxPrecision {
		return binding{}, refuse(c.ast[1].Position(), "as in toDateTime64(x, 3)", "the precision of toDateTime64 must be a constant from 0 to %d", event.MaxPrecision)
	}
	if len(c.ast) == 3 {
		if zone, ok := c.ast[2].(*sql.Literal); !ok || zone.Value != "UTC" {
			return binding{}, refuse(c.ast[2].Position(), "leave it out", "all times are UTC")
		}
	}
	if c.args[0].typ.numeric() {
		return binding{}, refuse(c.args[0].pos, "declare the column as DateTime64", "numbers cannot be converted to DateTime64")
	}
	c.text = fmt.Sprintf("toDateTime64(%s, %d, 'UTC')", c.args[0].text, precision)
	c.args = c.args[:1]
	return castTo(c, valueType{base: dateTime64, precision: uint8(precision)})
}

func bindCast(c *call) (binding, error) {
	l, ok := c.ast[1].(*sql.Literal)
	name, isText := "", false
	if ok {
		name, isText = l.Value.(string)
	}
	if !isText {
		return binding{}, refuse(c.ast[1].Position(), "as in CAST(x AS Int64)", "CAST needs a type")
	}
	typ, err := ParseType(name, l.Pos)
	if err != nil {
		return binding{}, err
	}
	if typ.LowCardinality {
		return binding{}, refuse(l.Pos, "leave LowCardinality out", "LowCardinality is a way to store columns, not a type of values")
	}
	to := typeOf(typ)
	c.args = c.args[:1]
	x := c.args[0]
	if x.typ.nullable && !typ.Nullable {
		return binding{}, refuse(c.pos, "write CAST(x AS Nullable("+typ.String()+")), or use ifNull", "CAST to %s fails in ClickHouse where x is NULL", typ)
	}
	cast := fmt.Sprintf("CAST(%s AS %s)", x.text, typ)
	if x.typ.base == nothing {
		c.text = cast
		return binding{same: nullOf(x, to), typ: to}, nil
	}
	r, err := castTo(c, to.notNull())
	if err != nil {
		return r, err
	}
	if c.text == "" {
		c.text = cast
	} else if typ.Nullable {
		c.text = fmt.Sprintf("CAST(%s AS %s)", c.text, typ)
	}
	r.typ = to
	return r, nil
}

// textOfValue returns the text of a node's values, as toString writes them.
func textOfValue(n *node) *node {
	t := valueType{base: text}
	switch {
	case n.typ.base == text:
		return n
	case n.typ.base == boolean:
		return mapArg(n, t, mapText(u8, func(dst []byte, v uint8) []byte { return strconv.AppendBool(dst, v != 0) }))
	case n.typ.base == logical:
		return mapArg(n, t, mapText(u8, func(dst []byte, v uint8) []byte { return append(dst, '0'+v) }))
	case n.typ.unsigned():
		return mapArg(n, t, mapText(u64, func(dst []byte, v uint64) []byte { return strconv.AppendUint(dst, v, 10) }))
	case n.typ.signed():
		return mapArg(n, t, mapText(i64, func(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }))
	case n.typ.base == float64s:
		return mapArg(n, t, mapText(f64, scalar.AppendFloat))
	case n.typ.base == date:
		return mapArg(n, t, mapText(i64, appendDate))
	}
	precision := int(n.typ.precision)
	return mapArg(n, t, mapText(i64, func(dst []byte, v int64) []byte { return appendTime(dst, v, precision) }))
}
