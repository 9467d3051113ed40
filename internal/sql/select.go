package sql

func (p *parser) selectQuery() (*Select, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	s := &Select{Pos: p.peek().pos}
	if err := p.expectWord("SELECT"); err != nil {
		return nil, err
	}
	s.Distinct = p.acceptWords("DISTINCT")
	err := p.list(func() error {
		item, err := p.selectItem()
		s.Items = append(s.Items, item)
		return err
	})
	if err != nil {
		return nil, err
	}
	clauses := []func(*Select) error{p.from, p.where, p.groupBy, p.having, p.orderBy, p.limit}
	for _, clause := range clauses {
		if err := clause(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (p *parser) selectItem() (SelectItem, error) {
	var item SelectItem
	if t := p.peek(); t.isSymbol("*") {
		p.at++
		item.Expr = &Star{Pos: t.pos}
		return item, nil
	}
	var err error
	if item.Expr, err = p.rootExpr(); err != nil {
		return item, err
	}
	switch t := p.peek(); {
	case p.acceptWords("AS"):
		item.Alias, err = p.alias()
	case t.kind == quotedToken, t.kind == wordToken && !isClauseWord(t.text):
		item.Alias, err = p.alias()
	}
	return item, err
}

// alias reads the name behind an expression; every word can stand there.
func (p *parser) alias() (string, error) {
	t := p.peek()
	if t.kind != wordToken && t.kind != quotedToken {
		return "", p.unexpected("an alias")
	}
	p.at++
	return t.text, nil
}

func (p *parser) from(s *Select) error {
	if !p.acceptWords("FROM") {
		return nil
	}
	s.FromPos = p.peek().pos
	var err error
	if !p.acceptSymbol("(") {
		s.From, err = p.expectName("the name of a stream or view, or a query in parentheses")
		return err
	}
	if s.Sub, err = p.selectQuery(); err != nil {
		return err
	}
	if err := p.expectSymbol(")"); err != nil {
		return err
	}
	t := p.peek()
	if p.acceptWords("AS") || t.kind == quotedToken || t.kind == wordToken && !isClauseWord(t.text) {
		s.From, err = p.alias()
	}
	return err
}

func (p *parser) where(s *Select) (err error) {
	if p.acceptWords("WHERE") {
		s.Where, err = p.rootExpr()
	}
	return err
}

func (p *parser) groupBy(s *Select) error {
	if !p.acceptWords("GROUP") {
		return nil
	}
	if err := p.expectWord("BY"); err != nil {
		return err
	}
	return p.list(func() error {
		e, err := p.rootExpr()
		s.GroupBy = append(s.GroupBy, e)
		return err
	})
}

func (p *parser) having(s *Select) (err error) {
	if p.acceptWords("HAVING") {
		s.Having, err = p.rootExpr()
	}
	return err
}

func (p *parser) orderBy(s *Select) error {
	if !p.acceptWords("ORDER") {
		return nil
	}
	if err := p.expectWord("BY"); err != nil {
		return err
	}
	return p.list(func() error {
		o, err := p.orderItem()
		s.OrderBy = append(s.OrderBy, o)
		return err
	})
}

func (p *parser) orderItem() (OrderItem, error) {
	var o OrderItem
	var err error
	if o.Expr, err = p.rootExpr(); err != nil {
		return o, err
	}
	if !p.acceptWords("ASC") {
		o.Desc = p.acceptWords("DESC")
	}
	if p.acceptWords("NULLS") {
		first := p.acceptWords("FIRST")
		if !first && !p.acceptWords("LAST") {
			return o, p.unexpected("FIRST or LAST")
		}
		o.NullsFirst = &first
	}
	return o, nil
}

// limit reads LIMIT n, LIMIT n OFFSET m, or LIMIT m, n.
func (p *parser) limit(s *Select) error {
	s.LimitPos = p.peek().pos
	if !p.acceptWords("LIMIT") {
		s.LimitPos = Pos{}
		return nil
	}
	n, err := p.count()
	if err != nil {
		return err
	}
	s.Limit = n
	switch {
	case p.acceptWords("OFFSET"):
		s.Offset, err = p.count()
	case p.acceptSymbol(","):
		s.Offset = n
		s.Limit, err = p.count()
	}
	return err
}

// count reads a whole number that is not negative.
func (p *parser) count() (*int64, error) {
	if t := p.peek(); t.kind == numberToken {
		if v, _ := parseNumber(t.text, false); v != nil {
			if n, ok := v.(int64); ok {
				p.at++
				return &n, nil
			}
		}
	}
	return nil, p.unexpected("a whole number")
}
