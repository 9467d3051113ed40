package plan

import (
	"fmt"

	"github.com/millrace/millrace/internal/event"
)

var conditionalFunctions = []Function{
	{
		Name: "if", AnyCase: true, Group: "Conditions and NULL", Usage: "if(condition, then, else)", Min: 3, Max: 3,
		Doc:     "then where the condition is true, else where it is false or NULL. Both branches need a common type.",
		Example: "if(1 > 2, 'a', 'b')", Result: "b",
		bind: choose,
	},
	{
		Name: "multiIf", AnyCase: true, Group: "Conditions and NULL", Usage: "multiIf(condition, then, …, else)", Min: 3, Max: -1,
		Doc:     "The value after the first true condition, or else the last one.",
		Example: "multiIf(1 > 2, 'a', 2 > 1, 'b', 'c')", Result: "b",
		bind: choose,
	},
	{
		Name: "coalesce", AnyCase: true, Group: "Conditions and NULL", Usage: "coalesce(a, …)", Min: 1, Max: -1,
		Doc:     "The first argument that is not NULL.",
		Example: "coalesce(NULL, 5)", Result: "5",
		bind: coalesce,
	},
	{
		Name: "ifNull", AnyCase: true, Group: "Conditions and NULL", Usage: "ifNull(x, other)", Min: 2, Max: 2,
		Doc:     "x, or other where x is NULL.",
		Example: "ifNull(NULL, 'none')", Result: "none",
		bind: coalesce,
	},
	{
		Name: "nullIf", AnyCase: true, Group: "Conditions and NULL", Usage: "nullIf(x, y)", Min: 2, Max: 2,
		Doc:     "NULL where x equals y, else x.",
		Example: "ifNull(nullIf('', ''), 'empty')", Result: "empty",
		bind: nullIf,
	},
	{
		Name: "isNull", AnyCase: true, Group: "Conditions and NULL", Usage: "x IS NULL", Min: 1, Max: 1,
		Doc:     "1 where x is NULL.",
		Example: "isNull(1)", Result: "0",
		bind: nullTest(0),
	},
	{
		Name: "isNotNull", AnyCase: true, Group: "Conditions and NULL", Usage: "x IS NOT NULL", Min: 1, Max: 1,
		Doc:     "1 where x is not NULL.",
		Example: "isNotNull(1)", Result: "1",
		bind: nullTest(1),
	},
	{
		Name: "assumeNotNull", Group: "Conditions and NULL", Usage: "assumeNotNull(x)", Min: 1, Max: 1,
		Doc:     "x as a type that is not Nullable. Where x is NULL, ClickHouse leaves the value open; here it is the type's zero.",
		Example: "assumeNotNull(CAST(5 AS Nullable(Int64)))", Result: "5",
		bind: assumeNotNull,
	},
}

// choose is the rule of if and multiIf: pairs of condition and value, and a last value.
func choose(c *call) (binding, error) {
	if len(c.args)%2 == 0 {
		return binding{}, refuse(c.pos, "give pairs of condition and value, and a last value", "%s needs an odd number of arguments", c.name)
	}
	var values []*node
	for i, a := range c.args {
		if i%2 == 1 || i == len(c.args)-1 {
			values = append(values, a)
			continue
		}
		switch {
		case a.typ.base == nothing:
			c.args[i] = nullOf(a, valueType{base: logical})
		case a.typ.truth() || a.typ.base == uint8s:
			c.args[i] = truthOf(a)
		default:
			return binding{}, refuse(a.pos, "compare it, as in x != 0", "a condition of %s must be Bool or a comparison, not %s", c.name, a.typ.name())
		}
	}
	t, err := c.common(values)
	if err != nil {
		return binding{}, err
	}
	c.nameTruth(values, t)
	for i, a := range c.args {
		if i%2 == 1 || i == len(c.args)-1 {
			c.args[i] = convert(a, t)
		}
	}
	var choices []choice
	for i := 0; i+1 < len(c.args); i += 2 {
		choices = append(choices, choice{value: i + 1, test: isTrue, condition: i})
	}
	choices = append(choices, choice{value: len(c.args) - 1})
	return binding{typ: t, nulls: nullByKernel, size: pickSize, run: pickRows(t, choices)}, nil
}

// common returns the common type of values, or says which do not go together.
func (c *call) common(values []*node) (valueType, error) {
	t, ok := commonType(values)
	if ok {
		return t, nil
	}
	if t.base == nothing {
		untyped := true
		for _, v := range values {
			untyped = untyped && v.typ.base == nothing
		}
		if untyped {
			return t, refuse(c.pos, "cast one, as in CAST(NULL AS Nullable(String))", "every value of %s is NULL", c.name)
		}
	}
	first := values[0].typ
	for _, v := range values[1:] {
		if _, ok := commonType([]*node{values[0], v}); !ok {
			return t, refuse(v.pos, "cast them to one type; Int64 goes neither with UInt64 nor with Float64", "%s and %s have no common type in %s", first.name(), v.typ.name(), c.name)
		}
	}
	return t, refuse(c.pos, "cast them to one type", "the values of %s have no common type", c.name)
}

// nameTruth writes the type out where Bool meets UInt8: with a constant condition,
// ClickHouse's result has sometimes the type of the one branch that is left.
func (c *call) nameTruth(values []*node, t valueType) {
	for _, v := range values {
		if t.truth() && v.typ.truth() && v.typ.base != t.base {
			c.text = fmt.Sprintf("CAST(%s AS %s)", prefixed(c.name, c.args), t.name())
			return
		}
	}
}

// choice is an argument that a row's value may be taken from: from the first choice whose
// test holds.
type choice struct {
	value     int // index of the argument
	test      choiceTest
	condition int // index of the argument that isTrue looks at
}

type choiceTest uint8

const (
	always choiceTest = iota
	isTrue
	valueNotNull
)

func (c choice) holds(args []operand, i int) bool {
	switch c.test {
	case isTrue:
		a := args[c.condition]
		return a.U8[i&a.mask()] != 0 && !a.null(i)
	case valueNotNull:
		return !args[c.value].null(i)
	}
	return true
}

// pickRows makes a kernel that takes each row from the first choice that holds; the last
// one always does.
func pickRows(t valueType, choices []choice) kernel {
	switch t.event().Kind {
	case event.Bool:
		return pickFrom(u8, choices)
	case event.UInt64:
		return pickFrom(u64, choices)
	case event.Float64:
		return pickFrom(f64, choices)
	case event.String:
		return pickTexts(choices)
	default:
		return pickFrom(i64, choices)
	}
}

// pickFrom writes the choices over each other, the first one last.
func pickFrom[T any](s slot[T], choices []choice) kernel {
	return func(out *event.Vector, args []operand, rows int) {
		dst := s.sized(out, rows)
		for j := len(choices) - 1; j >= 0; j-- {
			c := choices[j]
			value := args[c.value]
			values, mask := s.values(value)
			switch c.test {
			case always:
				for i := range dst {
					dst[i] = values[i&mask]
				}
			case isTrue:
				condition := args[c.condition]
				pickWhere(dst, values, mask, condition.U8, condition.Nulls, condition.mask())
			case valueNotNull:
				for i := range dst {
					if !value.null(i) {
						dst[i] = values[i&mask]
					}
				}
			}
			if out.Nulls != nil {
				for i := range dst {
					if c.test == always || c.holds(args, i) {
						out.Nulls[i] = truth(value.null(i))
					}
				}
			}
		}
	}
}

// pickWhere takes the rows whose condition is true.
func pickWhere[T any](dst, values []T, mask int, condition, nulls []uint8, cm int) {
	if len(nulls) > 0 {
		for i := range dst {
			if condition[i&cm]&^nulls[i&cm] != 0 {
				dst[i] = values[i&mask]
			}
		}
		return
	}
	for i := range dst {
		if condition[i&cm] != 0 {
			dst[i] = values[i&mask]
		}
	}
}

// pickSize bounds the text that picking from the arguments can make.
func pickSize(args []operand, rows int) int {
	n := 0
	for _, a := range args {
		n += textSize(a, rows)
	}
	return n
}

func pickTexts(choices []choice) kernel {
	return func(out *event.Vector, args []operand, rows int) {
		texts := newTexts(out, rows)
		for i := range rows {
			j := 0
			for !choices[j].holds(args, i) {
				j++
			}
			a := args[choices[j].value]
			texts.data = append(texts.data, a.Str.At(i&a.mask())...)
			texts.end(i)
			if out.Nulls != nil {
				out.Nulls[i] = truth(a.null(i))
			}
		}
		texts.finish(out)
	}
}

// coalesce is the rule of coalesce and ifNull: what stands behind the first argument
// that is never NULL does not count, not even for the type.
func coalesce(c *call) (binding, error) {
	var values []*node
	for _, a := range c.args {
		if a.typ.base == nothing {
			continue
		}
		values = append(values, a)
		if !a.typ.nullable {
			break
		}
	}
	if len(values) == 0 {
		return binding{}, refuse(c.pos, "", "every value of %s is NULL", c.name)
	}
	last := values[len(values)-1]
	nullable := last.typ.nullable
	if len(values) == 1 {
		return binding{same: last}, nil
	}
	t, err := c.common(values)
	if err != nil {
		return binding{}, err
	}
	t.nullable = nullable
	c.nameTruth(values, t)
	c.args = c.args[:0:0]
	var choices []choice
	for i, v := range values {
		c.args = append(c.args, convert(v, t))
		choices = append(choices, choice{value: i, test: valueNotNull})
	}
	choices[len(choices)-1].test = always
	return binding{typ: t, nulls: nullByKernel, size: pickSize, run: pickRows(t, choices)}, nil
}

func nullIf(c *call) (binding, error) {
	x := c.args[0]
	if err := c.check(0, anything); err != nil {
		return binding{}, err
	}
	if c.args[1].typ.base == nothing {
		return binding{}, refuse(c.args[1].pos, "leave nullIf out", "nullIf with NULL changes nothing")
	}
	equal, err := bindComparison(c, isEqual)
	if err != nil {
		return binding{}, err
	}
	test := &node{
		pos: c.pos, typ: equal.typ.orNull(c.args[0].typ.nullable || c.args[1].typ.nullable), column: -1,
		run: equal.run, args: c.args, text: "equals(" + x.text + ", " + c.args[1].text + ")",
	}
	fold(test)
	c.args = []*node{x, test}
	t := x.typ.orNull(true)
	pick := pickRows(t, []choice{{}})
	return binding{typ: t, nulls: nullByKernel, size: pickSize, run: func(out *event.Vector, args []operand, rows int) {
		pick(out, args, rows)
		mask := args[1].mask()
		for i := range out.Nulls {
			out.Nulls[i] |= args[1].U8[i&mask]
		}
		clearNulls(out)
	}}, nil
}

// nullTest is the rule of isNull and isNotNull; negated is the result where x is NULL,
// turned.
func nullTest(negated uint8) rule {
	return func(c *call) (binding, error) {
		t := valueType{base: logical}
		if c.args[0].typ.base == nothing {
			c.args[0] = nullOf(c.args[0], t)
		}
		return binding{typ: t, nulls: nullByKernel, run: func(out *event.Vector, args []operand, rows int) {
			dst := slot[uint8](u8).sized(out, rows)
			for i := range dst {
				dst[i] = truth(args[0].null(i)) ^ negated
			}
		}}, nil
	}
}

// assumeNotNull spells itself so that ClickHouse gives a defined value for NULL.
func assumeNotNull(c *call) (binding, error) {
	a := c.args[0]
	if err := c.check(0, anything); err != nil {
		return binding{}, err
	}
	if !a.typ.nullable {
		return binding{same: a}, nil
	}
	t := a.typ.notNull()
	c.text = "ifNull(" + a.text + ", " + t.zeroText() + ")"
	return binding{typ: t, nulls: nullByKernel, run: pickRows(t, []choice{{}})}, nil
}
