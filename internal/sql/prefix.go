package sql

import (
	"fmt"
	"math"
	"strings"
)

// prefix reads an expression up to its first operator.
func (p *parser) prefix() (Expr, error) {
	if l, err := p.literal(); l != nil || err != nil {
		return l, err
	}
	t := p.peek()
	switch {
	case t.isWord("NOT"):
		p.at++
		x, err := p.expr(powerNot)
		return call(t.pos, "not", x), err
	case t.isSymbol("-"):
		p.at++
		x, err := p.expr(powerNegate)
		return call(t.pos, "negate", x), err
	case t.isSymbol("("):
		return p.parenthesised()
	case t.isWord("CASE"):
		return p.caseWhen()
	case t.isWord("INTERVAL") && p.intervalFollows():
		return p.interval()
	case t.isWord("CAST") && p.peekAt(1).isSymbol("("):
		return p.cast()
	case (t.isWord("DATE") || t.isWord("TIMESTAMP")) && p.peekAt(1).kind == stringToken:
		return p.timeLiteral()
	case p.peekAt(1).isSymbol("(") && (t.isName() || isFunctionWord(t)):
		return p.function()
	case t.isName():
		p.at++
		if p.peekSymbol(".") {
			return nil, errorAt(t.pos, "write the column's name alone; put a name that has a dot in backticks", "the column's name is qualified")
		}
		return &Ident{Pos: t.pos, Name: t.text}, nil
	case t.isSymbol("*"):
		return nil, errorAt(t.pos, "* stands alone in SELECT, or in count(*)", "expected an expression, found *")
	}
	return nil, p.unexpected("an expression")
}

// isFunctionWord reports whether a reserved word is also the name of a function.
func isFunctionWord(t token) bool {
	return t.isWord("AND") || t.isWord("OR") || t.isWord("IN") || t.isWord("LIKE") || t.isWord("ILIKE")
}

// literal reads a constant where one follows, with its sign; otherwise it returns nil.
func (p *parser) literal() (*Literal, error) {
	t := p.peek()
	negative := t.isSymbol("-") && isNumber(p.peekAt(1))
	value := t
	if negative {
		value = p.peekAt(1)
	}
	l := &Literal{Pos: t.pos}
	switch {
	case value.kind == numberToken:
		var ok bool
		if l.Value, ok = parseNumber(value.text, negative); !ok {
			return nil, errorAt(value.pos, "", "%s is beyond the largest number", shorten(value.text))
		}
	case isInfinity(value):
		l.Value = math.Inf(1)
		if negative {
			l.Value = math.Inf(-1)
		}
	case value.kind == stringToken:
		l.Value = value.text
	case value.isWord("NAN"):
		l.Value = math.NaN()
	case value.isWord("TRUE"):
		l.Value = true
	case value.isWord("FALSE"):
		l.Value = false
	case value.isWord("NULL"):
	default:
		return nil, nil
	}
	if negative {
		p.at++
	}
	p.at++
	return l, nil
}

func isNumber(t token) bool { return t.kind == numberToken || isInfinity(t) }

func isInfinity(t token) bool { return t.isWord("INF") || t.isWord("INFINITY") }

// parenthesised reads (x), which is x, or the tuple (x, y, …).
func (p *parser) parenthesised() (Expr, error) {
	t := &Tuple{Pos: p.next().pos}
	if p.peekWords("SELECT") {
		return nil, errorAt(p.peek().pos, "a query in parentheses can stand in FROM only", "a query is not an expression here")
	}
	err := p.list(func() error {
		e, err := p.expr(powerAny)
		t.Items = append(t.Items, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !p.acceptSymbol(")") {
		return nil, p.unexpected(`"," or ")"`)
	}
	if len(t.Items) == 1 {
		return t.Items[0], nil
	}
	return t, nil
}

// caseWhen reads both forms of CASE and writes them as nested ifs.
func (p *parser) caseWhen() (Expr, error) {
	type branch struct {
		pos             Pos
		condition, then Expr
	}
	start := p.next().pos
	var subject Expr
	var err error
	if !p.peekWords("WHEN") {
		if subject, err = p.expr(powerAny); err != nil {
			return nil, err
		}
	}
	var branches []branch
	for p.peekWords("WHEN") {
		b := branch{pos: p.next().pos}
		if b.condition, err = p.expr(powerAny); err != nil {
			return nil, err
		}
		if subject != nil {
			if err := p.repeat(subject); err != nil {
				return nil, err
			}
			b.condition = call(b.pos, "equals", subject, b.condition)
		}
		if err := p.expectWord("THEN"); err != nil {
			return nil, err
		}
		if b.then, err = p.expr(powerAny); err != nil {
			return nil, err
		}
		branches = append(branches, b)
	}
	if len(branches) == 0 {
		return nil, p.unexpected("WHEN")
	}
	var result Expr = &Literal{Pos: start}
	if p.acceptWords("ELSE") {
		if result, err = p.expr(powerAny); err != nil {
			return nil, err
		}
	}
	if err := p.expectWord("END"); err != nil {
		return nil, err
	}
	for i := len(branches) - 1; i >= 0; i-- {
		b := branches[i]
		result = call(b.pos, "if", b.condition, b.then, result)
	}
	return result, nil
}

// intervalFollows tells INTERVAL 1 DAY from a column named interval.
func (p *parser) intervalFollows() bool {
	n := p.peekAt(1)
	if n.isSymbol("-") {
		return p.peekAt(2).kind == numberToken && unitOf(p.peekAt(3).text) != ""
	}
	return n.kind == numberToken || n.kind == stringToken
}

// interval reads INTERVAL 5 MINUTE, INTERVAL '5' MINUTE or INTERVAL '5 minute'.
func (p *parser) interval() (Expr, error) {
	i := &Interval{Pos: p.next().pos}
	negative := p.acceptSymbol("-")
	value := p.next()
	number, unit := value.text, ""
	if value.kind == stringToken {
		number = strings.TrimSpace(number)
		if n, u, ok := strings.Cut(number, " "); ok {
			number, unit = n, strings.TrimSpace(u)
		}
		if n, ok := strings.CutPrefix(number, "-"); ok {
			number, negative = n, true
		}
	}
	v, _ := parseNumber(number, negative)
	n, ok := v.(int64)
	if !ok {
		return nil, errorAt(value.pos, "as in INTERVAL 5 MINUTE", "expected a whole number, found %s", value.describe())
	}
	i.N = n
	unitPos := value.pos
	if unit == "" {
		unitPos, unit = p.peek().pos, p.peek().text
		if p.peek().kind != wordToken {
			unit = ""
		} else {
			p.at++
		}
	}
	if i.Unit = unitOf(unit); i.Unit == "" {
		return nil, errorAt(unitPos, "units are "+strings.Join(units[:], ", "), "%s is not a unit of time", orNothing(unit))
	}
	return i, nil
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return shorten(s)
}

var units = [...]string{"second", "minute", "hour", "day", "week", "month", "quarter", "year"}

// unitOf returns the unit that a word names, in the singular; empty if none.
func unitOf(word string) string {
	word = strings.TrimSuffix(strings.ToLower(word), "s")
	for _, u := range units {
		if u == word {
			return u
		}
	}
	return ""
}

// cast reads CAST(x AS T) and CAST(x, 'T').
func (p *parser) cast() (Expr, error) {
	pos := p.next().pos
	p.at++ // the parenthesis
	x, err := p.expr(powerAny)
	if err != nil {
		return nil, err
	}
	var c *Call
	switch {
	case p.acceptWords("AS"):
		t, err := p.typeExpr()
		if err != nil {
			return nil, err
		}
		c = newCast(pos, x, t)
	case p.acceptSymbol(","):
		t := p.peek()
		if t.kind != stringToken {
			return nil, p.unexpected("a type as a string")
		}
		p.at++
		c = call(pos, "CAST", x, &Literal{Pos: t.pos, Value: t.text})
	default:
		return nil, p.unexpected("AS and a type")
	}
	return c, p.expectSymbol(")")
}

// timeLiteral reads DATE '2024-05-01' and TIMESTAMP '2024-05-01 10:00:00.123' as casts;
// the second to the precision that is written.
func (p *parser) timeLiteral() (Expr, error) {
	word, text := p.next(), p.next()
	value := &Literal{Pos: text.pos, Value: text.text}
	typ := "Date"
	if word.isWord("TIMESTAMP") {
		_, fraction, _ := strings.Cut(text.text, ".")
		typ = fmt.Sprintf("DateTime64(%d, 'UTC')", min(len(fraction), 9))
	}
	return call(word.pos, "CAST", value, &Literal{Pos: word.pos, Value: typ}), nil
}

// function reads f(x, …) and f(parameter, …)(x, …).
func (p *parser) function() (Expr, error) {
	t := p.next()
	c := &Call{Pos: t.pos, Name: t.text}
	if isFunctionWord(t) {
		c.Name = strings.ToLower(t.text)
	}
	var err error
	if c.Args, err = p.arguments(t); err != nil {
		return nil, err
	}
	if !p.peekSymbol("(") {
		return c, nil
	}
	for _, a := range c.Args {
		l, ok := a.(*Literal)
		if !ok {
			return nil, errorAt(a.Position(), "as in quantile(0.95)(latency)", "a parameter of %s is not a constant", t.text)
		}
		c.Params = append(c.Params, *l)
	}
	if len(c.Params) == 0 {
		return nil, errorAt(p.peek().pos, "as in quantile(0.95)(latency)", "%s has two argument lists, and no parameter in the first", t.text)
	}
	c.Args, err = p.arguments(t)
	return c, err
}

// arguments reads (x, …) of a function. The star of count(*) is no argument.
func (p *parser) arguments(function token) ([]Expr, error) {
	p.at++ // the parenthesis
	if p.acceptSymbol(")") {
		return nil, nil
	}
	if function.isWord("COUNT") && p.peekSymbol("*") && p.peekAt(1).isSymbol(")") {
		p.at += 2
		return nil, nil
	}
	if p.peekWords("DISTINCT") && !p.peekAt(1).isSymbol(")") && !p.peekAt(1).isSymbol(",") {
		return nil, errorAt(p.peek().pos, "count different values with uniq(x)", "DISTINCT has no meaning in %s", function.text)
	}
	var args []Expr
	err := p.list(func() error {
		e, err := p.expr(powerAny)
		args = append(args, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !p.acceptSymbol(")") {
		return nil, p.unexpected(`"," or ")"`)
	}
	return args, nil
}
