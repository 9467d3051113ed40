package plan

import "github.com/millrace/millrace/internal/event"

var logicalFunctions = []Function{
	{
		Name: "and", AnyCase: true, Group: "Logic", Usage: "a AND b", Min: 2, Max: -1, infix: "AND",
		Doc:     "1 where all are true. Integers count as true where they are not 0. NULL is unknown: 0 AND NULL is 0, 1 AND NULL is NULL. Bool where one argument is Bool.",
		Example: "1 AND 0", Result: "0",
		bind: connective(0),
	},
	{
		Name: "or", AnyCase: true, Group: "Logic", Usage: "a OR b", Min: 2, Max: -1, infix: "OR",
		Doc:     "1 where one is true. 1 OR NULL is 1, 0 OR NULL is NULL.",
		Example: "1 OR 0", Result: "1",
		bind: connective(1),
	},
	{
		Name: "xor", AnyCase: true, Group: "Logic", Usage: "xor(a, b)", Min: 2, Max: -1,
		Doc:     "1 where an odd number of arguments is true; NULL where one is NULL.",
		Example: "xor(1, 1)", Result: "0",
		bind: exclusiveOr,
	},
	{
		Name: "not", AnyCase: true, Group: "Logic", Usage: "NOT x", Min: 1, Max: 1,
		Doc:     "1 where x is 0; NULL where x is NULL.",
		Example: "NOT 1", Result: "0",
		bind: negation,
	},
}

// truths checks that all arguments are conditions and makes them values of 0 or 1. The
// result is Bool where one argument is, as in ClickHouse; sees says which are looked at.
func (c *call) truths(sees func(valueType) bool) (valueType, error) {
	t := valueType{base: logical}
	for i, a := range c.args {
		if err := c.check(i, class{name: "a condition or an integer", accept: valueType.integer}); err != nil {
			return t, err
		}
		if a.typ.base == boolean && sees(a.typ) {
			t.base = boolean
		}
		c.args[i] = truthOf(a)
	}
	return t, nil
}

// truthOf returns n != 0 as 0 or 1.
func truthOf(n *node) *node {
	t := valueType{base: logical}
	switch {
	case n.typ.truth():
		return n
	case n.typ.signed():
		return mapArg(n, t, map1(i64, u8, func(v int64) uint8 { return truth(v != 0) }))
	case n.typ.unsigned():
		return mapArg(n, t, map1(u64, u8, func(v uint64) uint8 { return truth(v != 0) }))
	}
	return mapArg(n, t, map1(f64, u8, func(v float64) uint8 { return truth(v != 0) }))
}

// connective is the rule of AND and OR. decides is the value that decides the result
// alone, whatever else is NULL: 0 of AND, 1 of OR.
func connective(decides uint8) rule {
	return func(c *call) (binding, error) {
		t, err := c.truths(func(t valueType) bool { return !t.nullable })
		if err != nil {
			return binding{}, err
		}
		for _, a := range c.args {
			t.nullable = t.nullable || a.typ.nullable
		}
		return binding{typ: t, nulls: nullByKernel, run: func(out *event.Vector, args []operand, rows int) {
			connect(out, args, rows, decides)
		}}, nil
	}
}

func connect(out *event.Vector, args []operand, rows int, decides uint8) {
	dst := slot[uint8](u8).sized(out, rows)
	turn := decides ^ 1 // makes a deciding value 1
	// First dst is whether anything decides, and nulls whether anything is null.
	nulls := out.Nulls
	clear(dst)
	for _, arg := range args {
		values, mask := slot[uint8](u8).values(arg)
		if len(arg.Nulls) == 0 {
			for i := range dst {
				dst[i] |= values[i&mask] ^ turn
			}
			continue
		}
		for i := range dst {
			null := arg.Nulls[i&mask]
			dst[i] |= (values[i&mask] ^ turn) &^ null
			nulls[i] |= null
		}
	}
	for i := range nulls {
		nulls[i] &^= dst[i]
	}
	for i := range dst {
		dst[i] ^= turn
	}
	for i, null := range nulls {
		dst[i] &^= null
	}
}

func exclusiveOr(c *call) (binding, error) {
	t, err := c.truths(valueType.truth)
	if err != nil {
		return binding{}, err
	}
	return binding{typ: t, run: func(out *event.Vector, args []operand, rows int) {
		dst := slot[uint8](u8).sized(out, rows)
		clear(dst)
		for _, arg := range args {
			values, mask := slot[uint8](u8).values(arg)
			for i := range dst {
				dst[i] ^= values[i&mask]
			}
		}
	}}, nil
}

func negation(c *call) (binding, error) {
	// In ClickHouse not(a) = b is NOT ((a) = b), so it is spelled as the operator it is.
	c.text, c.operator = "NOT "+c.args[0].operand(), true
	t, err := c.truths(valueType.truth)
	if err != nil {
		return binding{}, err
	}
	return binding{typ: t, run: map1(u8, u8, func(v uint8) uint8 { return v ^ 1 })}, nil
}
