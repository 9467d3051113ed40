package plan

import (
	"fmt"

	"github.com/millrace/millrace/internal/event"
)

// base is a type as ClickHouse sees it inside of an expression. It is finer than
// event.Kind, because the meaning of some functions depends on the width of their
// arguments: intDiv(200, x) is an Int8, and coalesce(price, 0) a Float64 only because 0
// is a UInt8.
type base uint8

const (
	nothing base = iota // the type of NULL
	boolean
	logical // a UInt8 of 0 or 1: what comparisons give
	uint8s
	uint16s
	uint32s
	uint64s
	int8s
	int16s
	int32s
	int64s
	float64s
	text
	date
	dateTime // whole seconds, UInt32: 1970 to 2106
	dateTime64
)

// valueType is the type of a node.
type valueType struct {
	base      base
	precision uint8 // dateTime64 only
	nullable  bool
}

var baseNames = [...]string{
	nothing: "Nothing", boolean: "Bool", logical: "UInt8",
	uint8s: "UInt8", uint16s: "UInt16", uint32s: "UInt32", uint64s: "UInt64",
	int8s: "Int8", int16s: "Int16", int32s: "Int32", int64s: "Int64",
	float64s: "Float64", text: "String", date: "Date", dateTime: "DateTime('UTC')",
}

// name returns the type as ClickHouse writes it.
func (t valueType) name() string {
	s := ""
	if t.base == dateTime64 {
		s = fmt.Sprintf("DateTime64(%d, 'UTC')", t.precision)
	} else {
		s = baseNames[t.base]
	}
	if t.nullable {
		return "Nullable(" + s + ")"
	}
	return s
}

// typeOf returns the type of a column.
func typeOf(t event.Type) valueType {
	bases := [...]base{
		event.Bool: boolean, event.Int64: int64s, event.UInt64: uint64s, event.Float64: float64s,
		event.String: text, event.Date: date, event.DateTime64: dateTime64,
	}
	return valueType{base: bases[t.Kind], precision: t.Precision, nullable: t.Nullable}
}

// event returns the type that a value of t has outside of the expression; its values are
// held in the same slice of a Vector.
func (t valueType) event() event.Type {
	e := event.Type{Nullable: t.nullable}
	switch {
	case t.base == boolean || t.base == logical:
		e.Kind = event.Bool
	case t.unsigned():
		e.Kind = event.UInt64
	case t.signed():
		e.Kind = event.Int64
	case t.base == float64s:
		e.Kind = event.Float64
	case t.base == text:
		e.Kind = event.String
	case t.base == date:
		e.Kind = event.Date
	case t.temporal():
		e.Kind, e.Precision = event.DateTime64, t.precision
	}
	return e
}

func (t valueType) orNull(nullable bool) valueType {
	t.nullable = t.nullable || nullable
	return t
}

func (t valueType) notNull() valueType { t.nullable = false; return t }

// truth reports whether values are 0 or 1 in Vector.U8.
func (t valueType) truth() bool { return t.base == boolean || t.base == logical }

// unsigned reports whether t is an unsigned integer wider than truth values.
func (t valueType) unsigned() bool { return t.base >= uint8s && t.base <= uint64s }

func (t valueType) signed() bool { return t.base >= int8s && t.base <= int64s }

// integer reports whether arithmetic takes t as an integer; truth values are UInt8.
func (t valueType) integer() bool { return t.base >= boolean && t.base <= int64s }

func (t valueType) numeric() bool { return t.integer() || t.base == float64s }

func (t valueType) temporal() bool { return t.base >= date }

// bits returns the width of an integer.
func (t valueType) bits() int {
	switch {
	case t.unsigned():
		return 8 << (t.base - uint8s)
	case t.signed():
		return 8 << (t.base - int8s)
	}
	return 8
}

// integerOf returns the integer type of a sign and a width, at most 64 bits.
func integerOf(signed bool, bits int) valueType {
	b := uint8s
	if signed {
		b = int8s
	}
	for w := 8; w < bits && w < 64; w *= 2 {
		b++
	}
	return valueType{base: b}
}

// ticks returns how many values of a DateTime or DateTime64 make a second.
func (t valueType) ticks() int64 { return event.Pow10[t.precision] }

// commonType returns the type that all nodes convert to without loss, as the branches
// of `if` do. ok is false where there is none.
func commonType(nodes []*node) (t valueType, ok bool) {
	var signedBits, unsignedBits, floats, integers, temporals, texts, wide int
	for _, n := range nodes {
		t.nullable = t.nullable || n.typ.nullable
		switch {
		case n.typ.base == nothing:
		case n.typ.signed():
			signedBits = max(signedBits, n.typ.bits())
			integers++
		case n.typ.integer():
			integers++
			if n.fitsInt64() && n.typ.base == uint64s {
				wide++ // ClickHouse takes such a literal for either sign
				break
			}
			unsignedBits = max(unsignedBits, n.typ.bits())
		case n.typ.base == float64s:
			floats++
		case n.typ.base == text:
			texts++
		default:
			temporals++
		}
	}
	if wide > 0 && signedBits > 0 {
		signedBits = 64
	} else if wide > 0 {
		unsignedBits = 64
	}
	nullable := t.nullable
	switch {
	case texts > 0 && integers+floats+temporals == 0:
		t.base = text
	case temporals > 0 && integers+floats+texts == 0:
		t, ok = commonTime(nodes)
		return t.orNull(nullable), ok
	case floats > 0 && texts+temporals == 0:
		if max(signedBits, unsignedBits) > 32 {
			return t, false // a Float64 has not the bits for them
		}
		t.base = float64s
	case integers > 0 && floats+texts+temporals == 0:
		t, ok = commonInteger(nodes, signedBits, unsignedBits)
		return t.orNull(nullable), ok
	}
	return t, t.base != nothing
}

// fitsInt64 reports whether n is a literal that ClickHouse takes for an Int64 where the
// other values are signed.
func (n *node) fitsInt64() bool {
	return n.literal && n.typ.unsigned() && int64(n.constant.U64[0]) >= 0
}

func commonInteger(nodes []*node, signedBits, unsignedBits int) (valueType, bool) {
	if signedBits > 0 {
		if unsignedBits >= signedBits {
			signedBits = 2 * unsignedBits
		}
		return integerOf(true, signedBits), signedBits <= 64
	}
	if unsignedBits > 8 {
		return integerOf(false, unsignedBits), true
	}
	// Among types of one byte, the first gives the name.
	var first base
	all := true // are truth values
	for _, n := range nodes {
		if n.typ.base == nothing {
			continue
		}
		if first == nothing {
			first = n.typ.base
		}
		all = all && n.typ.truth()
	}
	switch {
	case first == boolean:
		return valueType{base: boolean}, all // ClickHouse would make a Bool of 2
	case all:
		return valueType{base: logical}, true
	}
	return valueType{base: uint8s}, true
}

func commonTime(nodes []*node) (valueType, bool) {
	t := valueType{base: date}
	for _, n := range nodes {
		if n.typ.base > t.base {
			t.base = n.typ.base
		}
		t.precision = max(t.precision, n.typ.precision)
	}
	for _, n := range nodes {
		if n.typ.base != nothing && !fitsPrecision(n.typ, t) {
			return t, false
		}
	}
	return t, true
}

// safePrecision is the finest precision of DateTime64 that has room for the year 9999.
const safePrecision = 7

// fitsPrecision reports whether every time of type from has a value in type to;
// ClickHouse fails where one has not.
func fitsPrecision(from, to valueType) bool {
	return to.precision <= safePrecision || from.base != dateTime64 || from.precision >= to.precision
}

// zeroText returns the zero of a type as SQL, of exactly that type or one that converts
// to it.
func (t valueType) zeroText() string {
	switch {
	case t.base == boolean:
		return "false"
	case t.integer():
		return "0"
	case t.base == float64s:
		return "0.0"
	case t.base == text:
		return "''"
	}
	return fmt.Sprintf("CAST(0 AS %s)", t.notNull().name())
}
