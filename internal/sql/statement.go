package sql

import "strings"

func (p *parser) statement() (Statement, error) {
	start := p.peek()
	switch {
	case p.peekWords("SELECT"):
		return p.selectQuery()
	case p.acceptWords("CREATE", "STREAM"):
		return p.createStream(start.pos)
	case p.acceptWords("CREATE", "VIEW"):
		v, err := p.createView(start.pos, "the view's name")
		return &v, err
	case p.acceptWords("CREATE", "LEADERBOARD"):
		v, err := p.createView(start.pos, "the leaderboard's name")
		return &CreateLeaderboard{v}, err
	case p.acceptWords("CREATE", "REPORT"):
		return p.createReport(start.pos)
	case p.acceptWords("CREATE"):
		return nil, p.unexpected("STREAM, VIEW, LEADERBOARD or REPORT")
	case p.acceptWords("DROP"):
		return p.drop(start.pos)
	case p.acceptWords("SHOW", "CREATE"):
		return p.showCreate(start.pos)
	case p.acceptWords("SHOW"):
		return p.show(start.pos)
	case p.acceptWords("DESCRIBE"), p.acceptWords("DESC"):
		return p.describe(start.pos)
	case p.acceptWords("EXISTS"):
		return p.exists(start.pos)
	}
	return nil, p.unexpected("CREATE, DROP, SHOW, DESCRIBE, EXISTS or SELECT")
}

func (p *parser) createStream(pos Pos) (*CreateStream, error) {
	s := &CreateStream{Pos: pos, IfNotExists: p.acceptWords("IF", "NOT", "EXISTS")}
	s.NamePos = p.peek().pos
	var err error
	if s.Name, err = p.expectName("the stream's name"); err != nil {
		return nil, err
	}
	if err := p.expectSymbol("("); err != nil {
		return nil, err
	}
	err = p.list(func() error {
		c, err := p.columnDef()
		s.Columns = append(s.Columns, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !p.acceptSymbol(")") {
		return nil, p.unexpected(`"," or ")"`)
	}
	s.Options, err = p.options()
	return s, err
}

func (p *parser) columnDef() (ColumnDef, error) {
	c := ColumnDef{Pos: p.peek().pos}
	var err error
	if c.Name, err = p.expectName("a column's name"); err != nil {
		return c, err
	}
	c.Type, err = p.typeExpr()
	return c, err
}

// typeExpr reads Name or Name(arguments).
func (p *parser) typeExpr() (TypeExpr, error) {
	if err := p.enter(); err != nil {
		return TypeExpr{}, err
	}
	defer p.leave()
	t := TypeExpr{Pos: p.peek().pos}
	if p.peek().kind != wordToken {
		return t, p.unexpected("a type")
	}
	t.Name = p.next().text
	if !p.acceptSymbol("(") {
		return t, nil
	}
	err := p.list(func() error {
		switch a := p.peek(); a.kind {
		case stringToken:
			t.Strs = append(t.Strs, p.next().text)
		case numberToken:
			v, _ := parseNumber(a.text, false)
			n, ok := v.(int64)
			if !ok {
				return p.unexpected("a whole number")
			}
			p.next()
			t.Nums = append(t.Nums, n)
		default:
			arg, err := p.typeExpr()
			if err != nil {
				return err
			}
			t.Args = append(t.Args, arg)
		}
		return nil
	})
	if err != nil {
		return t, err
	}
	if !p.acceptSymbol(")") {
		return t, p.unexpected(`"," or ")"`)
	}
	return t, nil
}

// options reads WITH (name = literal, …) where it follows.
func (p *parser) options() ([]Option, error) {
	if !p.acceptWords("WITH") {
		return nil, nil
	}
	if err := p.expectSymbol("("); err != nil {
		return nil, err
	}
	var options []Option
	err := p.list(func() error {
		o := Option{Pos: p.peek().pos}
		var err error
		if t := p.peek(); t.kind == wordToken && p.peekAt(1).isSymbol("=") {
			o.Name = p.next().text // a keyword too: no other meaning is possible here
		} else if o.Name, err = p.expectName("an option's name"); err != nil {
			return err
		}
		if err := p.expectSymbol("="); err != nil {
			return err
		}
		value, err := p.constant()
		if err != nil {
			return err
		}
		o.Value = *value
		options = append(options, o)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !p.acceptSymbol(")") {
		return nil, p.unexpected(`"," or ")"`)
	}
	return options, nil
}

// constant reads a literal, with its sign.
func (p *parser) constant() (*Literal, error) {
	l, err := p.literal()
	if err != nil {
		return nil, err
	}
	if l == nil {
		return nil, p.unexpected("a string, a number, true, false or NULL")
	}
	return l, nil
}

// createView reads what follows CREATE VIEW or CREATE LEADERBOARD; name says what the
// name is of.
func (p *parser) createView(pos Pos, name string) (CreateView, error) {
	v := CreateView{Pos: pos, IfNotExists: p.acceptWords("IF", "NOT", "EXISTS")}
	v.NamePos = p.peek().pos
	var err error
	if v.Name, err = p.expectName(name); err != nil {
		return v, err
	}
	if err := p.expectWord("AS"); err != nil {
		return v, err
	}
	if v.Select, err = p.selectQuery(); err != nil {
		return v, err
	}
	v.Options, err = p.options()
	return v, err
}

func (p *parser) drop(pos Pos) (*Drop, error) {
	d := &Drop{Pos: pos}
	switch {
	case p.acceptWords("STREAM"):
		d.Kind = "STREAM"
	case p.acceptWords("VIEW"):
		d.Kind = "VIEW"
	case p.acceptWords("LEADERBOARD"):
		d.Kind = "LEADERBOARD"
	case p.acceptWords("REPORT"):
		d.Kind = "REPORT"
	default:
		return nil, p.unexpected("STREAM, VIEW, LEADERBOARD or REPORT")
	}
	d.IfExists = p.acceptWords("IF", "EXISTS")
	var err error
	d.Name, err = p.expectName("the name of what to drop")
	return d, err
}

func (p *parser) show(pos Pos) (*Show, error) {
	for _, what := range [...]string{"STREAMS", "VIEWS", "LEADERBOARDS", "REPORTS", "TABLES", "FUNCTIONS", "DATABASES"} {
		if p.acceptWords(what) {
			return p.showFilter(&Show{Pos: pos, What: what})
		}
	}
	return nil, p.unexpected("STREAMS, VIEWS, LEADERBOARDS, REPORTS, TABLES, FUNCTIONS, DATABASES or CREATE")
}

// showFilter reads [FROM|IN database] [[NOT] LIKE|ILIKE 'pattern'].
func (p *parser) showFilter(s *Show) (*Show, error) {
	if p.acceptWords("FROM") || p.acceptWords("IN") {
		s.DatabasePos = p.peek().pos
		var err error
		if s.Database, err = p.expectName("a database"); err != nil {
			return nil, err
		}
	}
	s.NotLike = p.acceptWords("NOT")
	switch {
	case p.acceptWords("LIKE"):
	case p.acceptWords("ILIKE"):
		s.AnyCase = true
	case s.NotLike:
		return nil, p.unexpected("LIKE")
	default:
		return s, nil
	}
	if p.peek().kind != stringToken {
		return nil, p.unexpected("a pattern in quotes")
	}
	pattern := p.next().text
	s.Like = &pattern
	return s, nil
}

func (p *parser) describe(pos Pos) (*Describe, error) {
	p.skipKind()
	database, name, err := p.qualifiedName()
	return &Describe{Pos: pos, Database: database, Name: name}, err
}

func (p *parser) exists(pos Pos) (*Exists, error) {
	p.skipKind()
	database, name, err := p.qualifiedName()
	return &Exists{Pos: pos, Database: database, Name: name}, err
}

func (p *parser) showCreate(pos Pos) (*ShowCreate, error) {
	p.skipKind()
	database, name, err := p.qualifiedName()
	return &ShowCreate{Pos: pos, Database: database, Name: name}, err
}

// qualifiedName reads [database.]name.
func (p *parser) qualifiedName() (database, name string, err error) {
	if t := p.peek(); t.isName() && p.peekAt(1).isSymbol(".") {
		database = t.text
		p.at += 2
	}
	name, err = p.expectName("the name of a stream or view")
	return database, name, err
}

// skipKind reads TABLE, STREAM, VIEW, LEADERBOARD or REPORT where a name follows it; otherwise
// the word is itself the name.
func (p *parser) skipKind() {
	if t := p.peek(); t.kind != wordToken || !p.peekAt(1).isName() {
		return
	} else if k := strings.ToUpper(t.text); k == "TABLE" || k == "STREAM" || k == "VIEW" || k == "LEADERBOARD" || k == "REPORT" {
		p.at++
	}
}
