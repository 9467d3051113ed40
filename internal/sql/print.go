package sql

import (
	"fmt"
	"strings"
)

// ColumnName returns the name that ClickHouse gives to the column of an expression
// without an alias: its prefix form, plus(a, b).
func ColumnName(e Expr) string {
	if i, ok := e.(*Ident); ok {
		return i.Name
	}
	return string(printer{prefix: true}.expr(nil, e, powerAny))
}

// String returns the constant as SQL; the other String methods likewise.
func (l *Literal) String() string { return string(appendValue(nil, l.Value)) }

func (i *Ident) String() string { return QuoteName(i.Name) }

func (*Star) String() string { return "*" }

func (c *Call) String() string { return string(printer{}.expr(nil, c, powerAny)) }

func (t *Tuple) String() string { return string(printer{}.expr(nil, t, powerAny)) }

func (i *Interval) String() string {
	return fmt.Sprintf("INTERVAL %d %s", i.N, strings.ToUpper(i.Unit))
}

// printer writes expressions: with operators and no more parentheses than needed, or in
// prefix form.
type printer struct{ prefix bool }

// expr appends e so that an operator of the given power may stand around it.
func (p printer) expr(dst []byte, e Expr, power int) []byte {
	switch e := e.(type) {
	case *Call:
		return p.call(dst, e, power)
	case *Tuple:
		if len(e.Items) == 1 {
			dst = append(dst, "tuple"...)
		}
		return p.list(dst, e.Items)
	case nil:
		return dst
	default:
		return append(dst, e.String()...)
	}
}

func (p printer) call(dst []byte, c *Call, power int) []byte {
	own := powerOf(c)
	if p.prefix || own == powerAny {
		return p.function(dst, c)
	}
	if own < power {
		dst = append(dst, '(')
		return append(p.operation(dst, c, own), ')')
	}
	return p.operation(dst, c, own)
}

func (p printer) function(dst []byte, c *Call) []byte {
	name := c.Name
	if !isFunctionWord(token{kind: wordToken, text: name}) && !p.prefix {
		name = QuoteName(name)
	}
	dst = append(dst, name...)
	if len(c.Params) > 0 {
		dst = append(dst, '(')
		for i, l := range c.Params {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendValue(dst, l.Value)
		}
		dst = append(dst, ')')
	}
	return p.list(dst, c.Args)
}

func (p printer) list(dst []byte, items []Expr) []byte {
	dst = append(dst, '(')
	for i, e := range items {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = p.expr(dst, e, powerAny)
	}
	return append(dst, ')')
}

// powerOf returns the power of the operator that a call prints as, powerAny where it
// prints as a function.
func powerOf(c *Call) int {
	if len(c.Params) > 0 {
		return powerAny
	}
	switch {
	case c.Name == "not" && len(c.Args) == 1:
		return powerNot
	case c.Name == "negate" && len(c.Args) == 1:
		return powerNegate
	case (c.Name == "isNull" || c.Name == "isNotNull") && len(c.Args) == 1:
		return powerIs
	case c.Name == "and" && len(c.Args) > 1:
		return powerAnd
	case c.Name == "or" && len(c.Args) > 1:
		return powerOr
	case len(c.Args) != 2:
		return powerAny
	case c.Name == "in" || c.Name == "notIn":
		if _, ok := c.Args[1].(*Tuple); !ok {
			return powerAny
		}
	}
	for _, b := range binaries {
		if b.function == c.Name {
			return b.power
		}
	}
	return powerAny
}

// operation appends a call as an operator of the given power.
func (p printer) operation(dst []byte, c *Call, power int) []byte {
	switch c.Name {
	case "not":
		return p.expr(append(dst, "NOT "...), c.Args[0], power)
	case "negate":
		// -5 is a constant and -- a comment: only a name or a function goes without parentheses.
		switch x := c.Args[0].(type) {
		case *Ident:
			return p.expr(append(dst, '-'), x, power)
		case *Call:
			if powerOf(x) == powerAny {
				return p.expr(append(dst, '-'), x, power)
			}
		}
		dst = append(dst, "-("...)
		return append(p.expr(dst, c.Args[0], powerAny), ')')
	case "isNull":
		return append(p.expr(dst, c.Args[0], power), " IS NULL"...)
	case "isNotNull":
		return append(p.expr(dst, c.Args[0], power), " IS NOT NULL"...)
	case "and", "or":
		for i, a := range c.Args {
			if i > 0 {
				dst = append(append(append(dst, ' '), strings.ToUpper(c.Name)...), ' ')
			}
			dst = p.expr(dst, a, power+1)
		}
		return dst
	}
	dst = p.expr(dst, c.Args[0], power)
	for _, b := range binaries {
		if b.function == c.Name {
			dst = append(append(append(dst, ' '), b.symbol...), ' ')
		}
	}
	if t, ok := c.Args[1].(*Tuple); ok && (c.Name == "in" || c.Name == "notIn") {
		return p.list(dst, t.Items)
	}
	return p.expr(dst, c.Args[1], power+1)
}
