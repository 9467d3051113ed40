package sql

import "strings"

// createReport reads what follows CREATE REPORT.
func (p *parser) createReport(pos Pos) (*CreateReport, error) {
	r := &CreateReport{Pos: pos, IfNotExists: p.acceptWords("IF", "NOT", "EXISTS")}
	r.NamePos = p.peek().pos
	var err error
	if r.Name, err = p.expectName("the report's name"); err != nil {
		return nil, err
	}
	if err := p.expectWord("SCHEDULE"); err != nil {
		return nil, err
	}
	schedule, err := p.stringLiteral("a schedule in quotes, such as '0 8 * * *'")
	if err != nil {
		return nil, err
	}
	r.Schedule = *schedule
	if p.acceptWords("TIME", "ZONE") {
		if r.Zone, err = p.stringLiteral("a time zone in quotes, such as 'Europe/Berlin'"); err != nil {
			return nil, err
		}
	}
	if err := p.expectWord("AS"); err != nil {
		return nil, err
	}
	if err := p.reportQuery(r); err != nil {
		return nil, err
	}
	r.Options, err = p.options()
	return r, err
}

func (p *parser) stringLiteral(what string) (*Literal, error) {
	t := p.peek()
	if t.kind != stringToken {
		return nil, p.unexpected(what)
	}
	p.at++
	return &Literal{Pos: t.pos, Value: t.text}, nil
}

// reportQuery takes the text of the query, up to the statement's options or its end.
func (p *parser) reportQuery(r *CreateReport) error {
	first := p.peek()
	if !first.isWord("SELECT") && !first.isWord("WITH") && !first.isWord("FROM") && !first.isSymbol("(") {
		return p.unexpected("SELECT")
	}
	start, end := p.at, p.statementEnd()
	if at, ok := p.optionsBefore(start, end); ok {
		end = at
	}
	if end == start {
		return p.unexpected("SELECT")
	}
	r.QueryPos = first.pos
	r.Query = strings.TrimSpace(p.text[first.pos.Offset:p.tokens[end].pos.Offset])
	p.at = end
	return nil
}

// statementEnd is the place of the token that ends the statement.
func (p *parser) statementEnd() int {
	for i := p.at; ; i++ {
		if t := p.tokens[i]; t.kind == endToken || t.isSymbol(";") {
			return i
		}
	}
}

// optionsBefore finds the WITH (name = …) that the tokens from start to end close with.
// ClickHouse has WITH inside a query too; none of its forms can end one like that.
func (p *parser) optionsBefore(start, end int) (at int, ok bool) {
	if !p.tokens[end-1].isSymbol(")") {
		return 0, false
	}
	depth := 0
	for i := end - 1; i >= start; i-- {
		switch t := p.tokens[i]; {
		case t.isSymbol(")"):
			depth++
		case t.isSymbol("("):
			if depth--; depth == 0 {
				named := i+2 < end && p.tokens[i+2].isSymbol("=") && (p.tokens[i+1].kind == wordToken || p.tokens[i+1].kind == quotedToken)
				return i - 1, named && i > start && p.tokens[i-1].isWord("WITH")
			}
		}
	}
	return 0, false
}
