package sql

import (
	"fmt"
	"strings"
)

// String returns the type as it is written in SQL.
func (t TypeExpr) String() string {
	var args []string
	for _, a := range t.Args {
		args = append(args, a.String())
	}
	for _, n := range t.Nums {
		args = append(args, fmt.Sprint(n))
	}
	for _, s := range t.Strs {
		args = append(args, QuoteString(s))
	}
	if args == nil {
		return t.Name
	}
	return t.Name + "(" + strings.Join(args, ", ") + ")"
}

// String returns the statement as SQL, a column to a line.
func (s *CreateStream) String() string {
	var b strings.Builder
	b.WriteString("CREATE STREAM ")
	if s.IfNotExists {
		b.WriteString("IF NOT EXISTS ")
	}
	b.WriteString(QuoteName(s.Name) + " (\n")
	for i, c := range s.Columns {
		if i > 0 {
			b.WriteString(",\n")
		}
		b.WriteString("  " + QuoteName(c.Name) + " " + c.Type.String())
	}
	b.WriteString("\n)")
	if len(s.Options) > 0 {
		b.WriteString(" " + optionsText(s.Options))
	}
	return b.String()
}

// String returns the statement as SQL, a clause to a line.
func (s *CreateView) String() string { return s.text("VIEW") }

// String returns the statement as SQL, a clause to a line.
func (s *CreateLeaderboard) String() string { return s.text("LEADERBOARD") }

func (s *CreateView) text(kind string) string {
	var b strings.Builder
	b.WriteString("CREATE " + kind + " ")
	if s.IfNotExists {
		b.WriteString("IF NOT EXISTS ")
	}
	b.WriteString(QuoteName(s.Name) + " AS\n")
	b.WriteString(strings.Join(s.Select.clauses(), "\n"))
	if len(s.Options) > 0 {
		b.WriteString("\n" + optionsText(s.Options))
	}
	return b.String()
}

func optionsText(options []Option) string {
	parts := make([]string, len(options))
	for i, o := range options {
		name := o.Name
		if !isWord(name) { // a keyword needs no quotes before =
			name = QuoteName(name)
		}
		parts[i] = name + " = " + o.Value.String()
	}
	return "WITH (" + strings.Join(parts, ", ") + ")"
}

// String returns the statement as SQL, a clause to a line.
func (s *CreateReport) String() string {
	var b strings.Builder
	b.WriteString("CREATE REPORT ")
	if s.IfNotExists {
		b.WriteString("IF NOT EXISTS ")
	}
	b.WriteString(QuoteName(s.Name) + " SCHEDULE " + s.Schedule.String())
	if s.Zone != nil {
		b.WriteString(" TIME ZONE " + s.Zone.String())
	}
	b.WriteString(" AS\n" + s.Query)
	if len(s.Options) > 0 {
		b.WriteString("\n" + optionsText(s.Options))
	}
	return b.String()
}

// String returns the statement as SQL.
func (s *Drop) String() string {
	if s.IfExists {
		return "DROP " + s.Kind + " IF EXISTS " + QuoteName(s.Name)
	}
	return "DROP " + s.Kind + " " + QuoteName(s.Name)
}

// String returns the statement as SQL.
func (s *Show) String() string {
	text := "SHOW " + s.What
	if s.Database != "" {
		text += " FROM " + QuoteName(s.Database)
	}
	if s.Like == nil {
		return text
	}
	if s.NotLike {
		text += " NOT"
	}
	if s.AnyCase {
		return text + " ILIKE " + QuoteString(*s.Like)
	}
	return text + " LIKE " + QuoteString(*s.Like)
}

// String returns the statement as SQL.
func (s *Describe) String() string { return "DESCRIBE " + qualify(s.Database, s.Name) }

// String returns the statement as SQL.
func (s *ShowCreate) String() string { return "SHOW CREATE " + qualify(s.Database, s.Name) }

// String returns the statement as SQL.
func (s *Exists) String() string { return "EXISTS " + qualify(s.Database, s.Name) }

// qualify returns [database.]name.
func qualify(database, name string) string {
	if database == "" {
		return QuoteName(name)
	}
	return QuoteName(database) + "." + QuoteName(name)
}

// String returns the query as SQL, in one line.
func (s *Select) String() string { return strings.Join(s.clauses(), " ") }

func (s *Select) clauses() []string {
	head := "SELECT "
	if s.Distinct {
		head += "DISTINCT "
	}
	clauses := []string{head + joined(s.Items, SelectItem.String)}
	switch {
	case s.Sub != nil && s.From != "":
		clauses = append(clauses, "FROM ("+s.Sub.String()+") AS "+QuoteName(s.From))
	case s.Sub != nil:
		clauses = append(clauses, "FROM ("+s.Sub.String()+")")
	case s.From != "":
		clauses = append(clauses, "FROM "+QuoteName(s.From))
	}
	if s.Where != nil {
		clauses = append(clauses, "WHERE "+s.Where.String())
	}
	if len(s.GroupBy) > 0 {
		clauses = append(clauses, "GROUP BY "+joined(s.GroupBy, Expr.String))
	}
	if s.Having != nil {
		clauses = append(clauses, "HAVING "+s.Having.String())
	}
	if len(s.OrderBy) > 0 {
		clauses = append(clauses, "ORDER BY "+joined(s.OrderBy, OrderItem.String))
	}
	if s.Limit != nil {
		limit := fmt.Sprintf("LIMIT %d", *s.Limit)
		if s.Offset != nil {
			limit += fmt.Sprintf(" OFFSET %d", *s.Offset)
		}
		clauses = append(clauses, limit)
	}
	return clauses
}

// String returns the item as SQL.
func (i SelectItem) String() string {
	if i.Alias == "" {
		return i.Expr.String()
	}
	return i.Expr.String() + " AS " + QuoteName(i.Alias)
}

// String returns the sort key as SQL.
func (o OrderItem) String() string {
	s := o.Expr.String()
	if o.Desc {
		s += " DESC"
	}
	switch {
	case o.NullsFirst == nil:
	case *o.NullsFirst:
		s += " NULLS FIRST"
	default:
		s += " NULLS LAST"
	}
	return s
}

func joined[T any](items []T, text func(T) string) string {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = text(item)
	}
	return strings.Join(parts, ", ")
}
