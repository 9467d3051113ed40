// Package sql parses Millrace's SQL, a subset of ClickHouse's, into a syntax tree that
// keeps the place of everything it read.
//
// The one invariant: a tree prints back (String) as SQL that parses to the same tree.
package sql

import "fmt"

// Pos is a place in the statement's text.
type Pos struct {
	Offset int // bytes from 0
	Line   int // from 1
	Column int // characters from 1
}

// Error is a refusal with its place.
type Error struct {
	Pos  Pos
	Msg  string
	Hint string // what to do instead; may be empty
}

func (e *Error) Error() string {
	s := fmt.Sprintf("line %d, column %d: %s", e.Pos.Line, e.Pos.Column, e.Msg)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// errorAt makes an Error; hint may be empty.
func errorAt(pos Pos, hint, format string, args ...any) *Error {
	return &Error{Pos: pos, Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// Statement is one statement: *CreateStream, *CreateView, *CreateLeaderboard,
// *CreateReport, *Drop, *Show, *Describe, *ShowCreate, *Exists or *Select.
type Statement interface {
	Position() Pos
	String() string
}

// Expr is a node of an expression.
type Expr interface {
	Position() Pos
	String() string
}

// Option is one name = literal of WITH (…).
type Option struct {
	Pos   Pos
	Name  string
	Value Literal
}

// ColumnDef is one column of CREATE STREAM; Type is its text as parsed.
type ColumnDef struct {
	Pos  Pos
	Name string
	Type TypeExpr
}

// TypeExpr is a type with arguments: DateTime64(3), Nullable(String).
type TypeExpr struct {
	Pos  Pos
	Name string
	Args []TypeExpr // nested types
	Nums []int64    // numeric arguments
	Strs []string   // string arguments: a time zone
}

// CreateStream is CREATE STREAM [IF NOT EXISTS] name (columns) WITH (options).
type CreateStream struct {
	Pos         Pos
	Name        string
	NamePos     Pos
	IfNotExists bool
	Columns     []ColumnDef
	Options     []Option
}

// CreateView is CREATE VIEW [IF NOT EXISTS] name AS select WITH (options).
type CreateView struct {
	Pos         Pos
	Name        string
	NamePos     Pos
	IfNotExists bool
	Select      *Select
	Options     []Option
}

// CreateLeaderboard is CREATE LEADERBOARD, which is written as CREATE VIEW is.
type CreateLeaderboard struct{ CreateView }

// CreateReport is CREATE REPORT [IF NOT EXISTS] name SCHEDULE 'cron' [TIME ZONE 'zone'] AS
// query WITH (options). The query is any SELECT of ClickHouse, not only of this package's
// subset, so it stays text.
type CreateReport struct {
	Pos         Pos
	Name        string
	NamePos     Pos
	IfNotExists bool
	Schedule    Literal  // a string
	Zone        *Literal // a string; nil: none was given
	Query       string
	QueryPos    Pos
	Options     []Option
}

// Drop is DROP STREAM|VIEW|LEADERBOARD|REPORT [IF EXISTS] name.
type Drop struct {
	Pos      Pos
	Kind     string // "STREAM", "VIEW", "LEADERBOARD" or "REPORT"
	Name     string
	IfExists bool
}

// Show is SHOW STREAMS|VIEWS|LEADERBOARDS|REPORTS|TABLES|FUNCTIONS|DATABASES [FROM database]
// [[NOT] LIKE pattern].
type Show struct {
	Pos         Pos
	What        string
	Database    string // empty: none was given
	DatabasePos Pos
	Like        *string // pattern of LIKE; nil: none
	NotLike     bool
	AnyCase     bool // ILIKE
}

// Describe is DESCRIBE [TABLE|STREAM|VIEW|LEADERBOARD|REPORT] [database.]name.
type Describe struct {
	Pos      Pos
	Database string
	Name     string
}

// ShowCreate is SHOW CREATE [TABLE|STREAM|VIEW|LEADERBOARD|REPORT] [database.]name.
type ShowCreate struct {
	Pos      Pos
	Database string
	Name     string
}

// Exists is EXISTS [TABLE|STREAM|VIEW|LEADERBOARD|REPORT] [database.]name.
type Exists struct {
	Pos      Pos
	Database string
	Name     string
}

// Select is a query. FROM names one stream or view, or a subquery.
type Select struct {
	Pos      Pos
	Distinct bool
	Items    []SelectItem
	From     string // empty where there is no FROM
	FromPos  Pos
	Sub      *Select // FROM (SELECT …); then From is its alias, or empty
	Where    Expr
	GroupBy  []Expr
	Having   Expr
	OrderBy  []OrderItem
	Limit    *int64
	Offset   *int64
	LimitPos Pos // of LIMIT, where there is one
}

// SelectItem is one output of a SELECT; Expr is *Star for *.
type SelectItem struct {
	Expr  Expr
	Alias string
}

// OrderItem is one key of ORDER BY.
type OrderItem struct {
	Expr       Expr
	Desc       bool
	NullsFirst *bool // nil: ClickHouse's default, nulls last
}

// Literal is a constant: Value is nil, bool, int64, uint64, float64 or string.
type Literal struct {
	Pos   Pos
	Value any
}

// Ident is a column's name.
type Ident struct {
	Pos  Pos
	Name string
}

// Star is *.
type Star struct{ Pos Pos }

// Call is a function, operator or cast in prefix form. Operators have ClickHouse's
// function names: plus, minus, multiply, divide, modulo, negate, equals, notEquals,
// less, greater, lessOrEquals, greaterOrEquals, and, or, not, like, notLike, ilike,
// notILike, in, notIn, isNull, isNotNull, concat, if (CASE and ?: too), CAST (type as a
// string literal). A chain of AND, of OR or of || is one call of all its operands, as in
// ClickHouse. Pos of an operator is the operator's own place.
type Call struct {
	Pos    Pos
	Name   string
	Params []Literal // of a parametric aggregate: quantile(0.95)(x)
	Args   []Expr
}

// Tuple is (a, b, …), the right side of IN; only there may it have one item.
type Tuple struct {
	Pos   Pos
	Items []Expr
}

// Interval is INTERVAL n unit.
type Interval struct {
	Pos  Pos
	N    int64
	Unit string // lower case, singular: second … year
}

// Position returns where the statement begins.
func (s *CreateStream) Position() Pos { return s.Pos }

// Position returns where the statement begins.
func (s *CreateView) Position() Pos { return s.Pos }

// Position returns where the statement begins.
func (s *CreateReport) Position() Pos { return s.Pos }

// Position returns where the statement begins.
func (s *Drop) Position() Pos { return s.Pos }

// Position returns where the statement begins.
func (s *Show) Position() Pos { return s.Pos }

// Position returns where the statement begins.
func (s *Describe) Position() Pos { return s.Pos }

// Position returns where the statement begins.
func (s *ShowCreate) Position() Pos { return s.Pos }

// Position returns where the statement begins.
func (s *Exists) Position() Pos { return s.Pos }

// Position returns where the query begins.
func (s *Select) Position() Pos { return s.Pos }

// Position returns where the constant begins.
func (l *Literal) Position() Pos { return l.Pos }

// Position returns where the name begins.
func (i *Ident) Position() Pos { return i.Pos }

// Position returns the place of the star.
func (s *Star) Position() Pos { return s.Pos }

// Position returns the place of the function's name or of the operator.
func (c *Call) Position() Pos { return c.Pos }

// Position returns the place of the opening parenthesis.
func (t *Tuple) Position() Pos { return t.Pos }

// Position returns the place of INTERVAL.
func (i *Interval) Position() Pos { return i.Pos }
