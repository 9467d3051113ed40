package sql

import "strings"

// Binding powers of the operators, loosest first: ClickHouse's, where || binds looser
// than +, and IS NULL and BETWEEN looser than a comparison.
const (
	powerAny = iota
	powerTernary
	powerOr
	powerAnd
	powerNot
	powerIs
	powerBetween
	powerCompare
	powerConcat
	powerAdd
	powerMultiply
	powerNegate
	powerCast
)

// binary is a left-associative operator of two operands.
type binary struct {
	symbol   string // as printed
	function string
	power    int
}

var binaries = [...]binary{
	{"=", "equals", powerCompare},
	{"!=", "notEquals", powerCompare},
	{"<=", "lessOrEquals", powerCompare},
	{">=", "greaterOrEquals", powerCompare},
	{"<", "less", powerCompare},
	{">", "greater", powerCompare},
	{"LIKE", "like", powerCompare},
	{"NOT LIKE", "notLike", powerCompare},
	{"ILIKE", "ilike", powerCompare},
	{"NOT ILIKE", "notILike", powerCompare},
	{"IN", "in", powerCompare},
	{"NOT IN", "notIn", powerCompare},
	{"+", "plus", powerAdd},
	{"-", "minus", powerAdd},
	{"*", "multiply", powerMultiply},
	{"/", "divide", powerMultiply},
	{"%", "modulo", powerMultiply},
}

// chain is an operator whose run of operands is one call.
type chain struct {
	symbol   string
	function string
	power    int
}

var chains = [...]chain{
	{"OR", "or", powerOr},
	{"AND", "and", powerAnd},
	{"||", "concat", powerConcat},
}

// rootExpr reads an expression and checks the depth of its tree, which a long chain of
// operators makes deep without any nesting in the text.
func (p *parser) rootExpr() (Expr, error) {
	e, err := p.expr(powerAny)
	if err == nil && depth(e) > MaxDepth {
		return nil, tooDeep(e.Position())
	}
	return e, err
}

// repeat accounts for one more copy of x in the tree.
func (p *parser) repeat(x Expr) error {
	Walk(x, func(Expr) bool {
		p.copies++
		return p.copies <= maxCopies
	})
	if p.copies > maxCopies {
		return errorAt(x.Position(), "split it into simpler parts", "BETWEEN or CASE repeats too large an expression")
	}
	return nil
}

func depth(e Expr) int {
	most := 0
	for _, c := range children(e) {
		most = max(most, depth(c))
	}
	return most + 1
}

// expr reads an expression of operators that bind at least as tightly as power.
func (p *parser) expr(power int) (Expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	left, err := p.prefix()
	for err == nil {
		op := p.operator()
		if op.power == powerAny || op.power < power {
			return left, nil
		}
		left, err = p.infix(left, op)
	}
	return nil, err
}

// operator describes the operator that follows, of any kind, without reading it: how
// many tokens it has, its printed symbol and its power; the zero value if none follows.
type operator struct {
	tokens   int
	symbol   string
	function string
	power    int
}

func (p *parser) operator() operator {
	t := p.peek()
	symbol := t.text
	tokens := 1
	switch t.kind {
	case symbolToken:
		switch symbol {
		case "==":
			symbol = "="
		case "<>":
			symbol = "!="
		case "?":
			return operator{1, symbol, "if", powerTernary}
		case "::":
			return operator{1, symbol, "CAST", powerCast}
		}
	case wordToken:
		symbol = strings.ToUpper(symbol)
		if symbol == "NOT" && p.peekAt(1).kind == wordToken {
			symbol += " " + strings.ToUpper(p.peekAt(1).text)
			tokens = 2
		}
		switch symbol {
		case "IS":
			return operator{1, symbol, "", powerIs}
		case "BETWEEN", "NOT BETWEEN":
			return operator{tokens, symbol, "", powerBetween}
		}
	default:
		return operator{}
	}
	for _, b := range binaries {
		if b.symbol == symbol {
			return operator{tokens, symbol, b.function, b.power}
		}
	}
	for _, c := range chains {
		if c.symbol == symbol {
			return operator{tokens, symbol, c.function, c.power}
		}
	}
	return operator{}
}

// infix reads the operator and what stands to its right.
func (p *parser) infix(left Expr, op operator) (Expr, error) {
	pos := p.peek().pos
	p.at += op.tokens
	switch op.symbol {
	case "?":
		return p.ternary(left, pos)
	case "::":
		t, err := p.typeExpr()
		return newCast(pos, left, t), err
	case "IS":
		function := "isNull"
		if p.acceptWords("NOT") {
			function = "isNotNull"
		}
		return call(pos, function, left), p.expectWord("NULL")
	case "BETWEEN", "NOT BETWEEN":
		return p.between(left, pos, op.symbol == "NOT BETWEEN")
	case "IN", "NOT IN":
		list, err := p.inList()
		if err == nil && p.operator().power > powerCompare {
			// ClickHouse takes the operator to belong to the list.
			err = errorAt(p.peek().pos, "put x IN (…) in parentheses", "%s cannot follow a list", p.peek().describe())
		}
		return call(pos, op.function, left, list), err
	case "OR", "AND", "||":
		return p.chain(left, pos, op)
	}
	right, err := p.expr(op.power + 1)
	return call(pos, op.function, left, right), err
}

// chain reads the operands of a run of one operator.
func (p *parser) chain(first Expr, pos Pos, op operator) (Expr, error) {
	c := call(pos, op.function, first)
	for {
		operand, err := p.expr(op.power + 1)
		if err != nil {
			return nil, err
		}
		c.Args = append(c.Args, operand)
		if p.operator().symbol != op.symbol {
			return c, nil
		}
		p.at += op.tokens
	}
}

func (p *parser) ternary(condition Expr, pos Pos) (Expr, error) {
	then, err := p.expr(powerAny)
	if err != nil {
		return nil, err
	}
	if err := p.expectSymbol(":"); err != nil {
		return nil, err
	}
	otherwise, err := p.expr(powerTernary)
	return call(pos, "if", condition, then, otherwise), err
}

// between writes x BETWEEN a AND b as the two comparisons that it stands for.
func (p *parser) between(x Expr, pos Pos, not bool) (Expr, error) {
	if err := p.repeat(x); err != nil {
		return nil, err
	}
	low, err := p.expr(powerCompare)
	if err != nil {
		return nil, err
	}
	if err := p.expectWord("AND"); err != nil {
		return nil, err
	}
	high, err := p.expr(powerCompare)
	if not {
		return call(pos, "or", call(pos, "less", x, low), call(pos, "greater", x, high)), err
	}
	return call(pos, "and", call(pos, "greaterOrEquals", x, low), call(pos, "lessOrEquals", x, high)), err
}

// inList reads the right side of IN.
func (p *parser) inList() (Expr, error) {
	t := &Tuple{Pos: p.peek().pos}
	if !p.acceptSymbol("(") {
		return nil, p.unexpected("a list in parentheses")
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
	return t, nil
}

func call(pos Pos, name string, args ...Expr) *Call {
	return &Call{Pos: pos, Name: name, Args: args}
}

func newCast(pos Pos, x Expr, t TypeExpr) *Call {
	return call(pos, "CAST", x, &Literal{Pos: t.Pos, Value: t.String()})
}
