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
	return binding{typ: t, nulls: nullByKernel, size: pickSize, run: pickRows(t, func(args []operand, i int) int {
		for j := 0; j+1 < len(args); j += 2 {
			condition := args[j]
			if condition.U8[i&condition.mask()] != 0 && !condition.null(i) {
				return j + 1
			}
		}
		return len(args) - 1
	})}, nil
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

// pickRows makes a kernel that takes row i from the argument that pick chooses.
func pickRows(t valueType, pick func(args []operand, i int) int) kernel {
	switch t.event().Kind {
	case event.Bool:
		return pickFrom(u8, pick)
	case event.UInt64:
		return pickFrom(u64, pick)
	case event.Float64:
		return pickFrom(f64, pick)
	case event.String:
		return pickTexts(pick)
	default:
		return pickFrom(i64, pick)
	}
}

func pickFrom[T any](s slot[T], pick func(args []operand, i int) int) kernel {
	return func(out *event.Vector, args []operand, rows int) {
		dst := s.sized(out, rows)
		for i := range dst {
			a := args[pick(args, i)]
			dst[i] = (*s(a.Vector))[i&a.mask()]
			if out.Nulls != nil {
				out.Nulls[i] = truth(a.null(i))
			}
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

func pickTexts(pick func(args []operand, i int) int) kernel {
	return func(out *event.Vector, args []operand, rows int) {
		texts := newTexts(out, rows)
		for i := range rows {
			a := args[pick(args, i)]
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
	for _, v := range values {
		c.args = append(c.args, convert(v, t))
	}
	return binding{typ: t, nulls: nullByKernel, size: pickSize, run: pickRows(t, func(args []operand, i int) int {
		for j, a := range args {
			if !a.null(i) {
				return j
			}
		}
		return len(args) - 1
	})}, nil
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
	pick := pickRows(t, func([]operand, int) int { return 0 })
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
	return binding{typ: t, nulls: nullByKernel, run: pickRows(t, func([]operand, int) int { return 0 })}, nil
}
