package plan

import (
	"fmt"
	"slices"

	"github.com/robfig/cron/v3"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

// defaultCron runs a view's batch job every quarter of an hour.
const defaultCron = "*/15 * * * *"

// viewOptions lists the options of CREATE VIEW.
var viewOptions = []string{"batch", "ttl"}

// tableColumns are the names that the batch table and FinalSchema have for themselves.
var tableColumns = []string{"_generation", "_day", "_pane", RowsAggregate, WindowColumn}

// viewBuilder turns the SELECT of one CREATE VIEW into a View, clause by clause.
type viewBuilder struct {
	view    *View
	stream  *Stream
	query   *sql.Select
	items   []sql.Expr // of SELECT, with aliases replaced by what they stand for
	aliases map[string]int
	nodes   int // made by replacing aliases so far

	keys   map[string]int    // place in view.Keys by the expression's text
	states map[string]string // name of an aggregate by its stateID
	named  int               // names of aggregates tried so far

	kind      string       // what is built, for messages: a view, or a leaderboard
	windowPos sql.Pos      // of the window in GROUP BY
	hidden    func() error // adds states beyond those of the items; may be nil
}

func newViewBuilder(c *sql.CreateView, stream *Stream) viewBuilder {
	return viewBuilder{
		view:    &View{Name: c.Name, Stream: stream},
		stream:  stream,
		query:   c.Select,
		aliases: make(map[string]int),
		keys:    make(map[string]int),
		states:  make(map[string]string),
		kind:    "view",
	}
}

// BuildView checks a CREATE VIEW against its stream. Errors are *sql.Error.
func BuildView(c *sql.CreateView, stream *Stream) (*View, error) {
	if err := CheckName(c.Name, c.NamePos); err != nil {
		return nil, err
	}
	b := newViewBuilder(c, stream)
	steps := []func() error{
		b.checkShape, b.expandItems, b.buildFilter, b.buildGroups, b.buildOutputs,
		func() error { return b.buildOptions(c.Options) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b.view, nil
}

// checkShape refuses the clauses that belong to a query, not to a view.
func (b *viewBuilder) checkShape() error {
	const hint = "put it in the query that reads the view"
	q := b.query
	switch {
	case q.Sub != nil:
		return refuse(q.FromPos, "select from a stream", "a %s cannot read a subquery", b.kind)
	case q.From == "":
		return refuse(q.Pos, "add FROM "+b.stream.Name, "a %s needs a stream to read", b.kind)
	case q.From != b.stream.Name:
		return refuse(q.FromPos, "", "the %s reads %s, not %s", b.kind, sql.QuoteName(q.From), b.stream.Name)
	case q.Distinct:
		return refuse(q.Pos, "group by the columns instead", "a %s has no DISTINCT", b.kind)
	case q.Having != nil:
		return refuse(q.Having.Position(), hint, "a %s has no HAVING", b.kind)
	case len(q.OrderBy) > 0:
		return refuse(q.OrderBy[0].Expr.Position(), hint, "a %s has no ORDER BY", b.kind)
	case q.Limit != nil:
		return refuse(q.LimitPos, hint, "a %s has no LIMIT", b.kind)
	}
	return nil
}

// buildFilter binds WHERE.
func (b *viewBuilder) buildFilter() error {
	if b.query.Where == nil {
		return nil
	}
	where, err := b.expand(b.query.Where)
	if err != nil {
		return err
	}
	if a := findCall(where, isAggregate); a != nil {
		return refuse(a.Pos, "filter the answer in the query that reads the view", "%s cannot be in WHERE", a)
	}
	b.view.Filter, err = b.bindCondition(where)
	return err
}

// bindCondition binds an expression over the stream as a truth value: a number is true
// where it is not 0, as in ClickHouse.
func (b *viewBuilder) bindCondition(e sql.Expr) (Expr, error) {
	bound, err := b.bind(e)
	if err != nil {
		return nil, err
	}
	switch t := bound.Type(); {
	case t.Kind == event.Bool:
		return bound, nil
	case t.Numeric():
		zero := &sql.Literal{Pos: e.Position(), Value: int64(0)}
		return b.bind(&sql.Call{Pos: e.Position(), Name: "notEquals", Args: []sql.Expr{e, zero}})
	default:
		return nil, refuse(e.Position(), "compare it with something", "a condition must be Bool or a number, not %s", t)
	}
}

// bind binds an expression over the stream's columns.
func (b *viewBuilder) bind(e sql.Expr) (Expr, error) {
	if w := findCall(e, isWindow); w != nil {
		return nil, refuse(w.Pos, "put it in GROUP BY, alone", "%s cannot stand here", w.Name)
	}
	return BindExpr(e, b.stream.Schema)
}

// buildGroups reads GROUP BY into the view's keys and its window.
func (b *viewBuilder) buildGroups() error {
	b.view.Pane, b.windowPos = secondsPerDay, b.query.Pos
	for _, g := range b.query.GroupBy {
		e, err := b.groupExpr(g)
		if err != nil {
			return err
		}
		if c, ok := e.(*sql.Call); ok && isWindow(c) {
			if b.view.Window, err = b.groupWindow(c); err != nil {
				return err
			}
			b.view.Pane, b.windowPos = b.view.Window.pane(), c.Pos
			continue
		}
		if err := b.addKey(e, g.Position()); err != nil {
			return err
		}
	}
	return nil
}

// groupExpr resolves one part of GROUP BY: a place in SELECT, an alias, an expression.
func (b *viewBuilder) groupExpr(g sql.Expr) (sql.Expr, error) {
	l, ok := g.(*sql.Literal)
	if !ok {
		return b.expand(g)
	}
	place, ok := l.Value.(int64)
	if !ok {
		return nil, refuse(l.Pos, "", "a view cannot be grouped by a constant")
	}
	if place < 1 || place > int64(len(b.items)) {
		return nil, refuse(l.Pos, "", "GROUP BY names column %d of SELECT, which has %d", place, len(b.items))
	}
	return b.items[place-1], nil
}

func (b *viewBuilder) groupWindow(c *sql.Call) (Window, error) {
	if b.view.Window.Unit != NoUnit {
		return Window{}, refuse(c.Pos, "make a view for each window", "a view has one window")
	}
	return b.windowOf(c)
}

// windowOf reads tumble(time, INTERVAL n unit).
func (b *viewBuilder) windowOf(c *sql.Call) (Window, error) {
	time := b.stream.Schema.Columns[b.stream.EventTime].Name
	form := fmt.Sprintf("as in tumble(%s, INTERVAL 1 MINUTE)", sql.QuoteName(time))
	if len(c.Args) != 2 {
		return Window{}, refuse(c.Pos, form, "%s takes the event time and an interval", c.Name)
	}
	if i, ok := c.Args[0].(*sql.Ident); !ok || i.Name != time {
		return Window{}, refuse(c.Args[0].Position(), form, "%s takes the stream's event time, which is %s", c.Name, sql.QuoteName(time))
	}
	i, ok := c.Args[1].(*sql.Interval)
	if !ok {
		return Window{}, refuse(c.Args[1].Position(), form, "%s takes an INTERVAL", c.Name)
	}
	return newWindow(i)
}

func (b *viewBuilder) addKey(e sql.Expr, pos sql.Pos) error {
	if a := findCall(e, isAggregate); a != nil {
		return refuse(pos, "group by columns or functions of them", "a view cannot be grouped by the aggregate %s", a)
	}
	text := e.String()
	if _, twice := b.keys[text]; twice {
		return refuse(pos, "", "the view is grouped by %s twice", text)
	}
	bound, err := b.bind(e)
	if err != nil {
		return err
	}
	read := make(map[int]bool)
	if bound.Columns(read); len(read) == 0 {
		return refuse(pos, "leave it out", "a view cannot be grouped by a constant")
	}
	name := b.keyName(e)
	if slices.Contains(tableColumns, name) {
		return refuse(pos, "give it another name with AS", "the name %s is Millrace's own", name)
	}
	if slices.Contains(b.view.KeyNames(), name) {
		return refuse(pos, "give it another name with AS", "two group columns are named %s", sql.QuoteName(name))
	}
	b.keys[text] = len(b.view.Keys)
	b.view.Keys = append(b.view.Keys, Key{Name: name, Type: bound.Type().Plain(), Expr: bound})
	return nil
}

// keyName is the first name under which SELECT shows the expression, or its text.
func (b *viewBuilder) keyName(e sql.Expr) string {
	text := e.String()
	for i, item := range b.items {
		if item.String() == text && b.query.Items[i].Alias != "" {
			return b.query.Items[i].Alias
		}
	}
	return sql.ColumnName(e)
}

func (b *viewBuilder) buildOptions(given []sql.Option) error {
	o, err := newOptions(given, viewOptions)
	if err != nil {
		return err
	}
	if err := b.buildBatch(o); err != nil {
		return err
	}
	b.view.TTL, err = o.duration("ttl", 0)
	return err
}

func (b *viewBuilder) buildBatch(o options) (err error) {
	if b.view.Cron, err = o.text("batch", defaultCron); err != nil {
		return err
	}
	if _, err := cron.ParseStandard(b.view.Cron); err != nil {
		return refuse(o["batch"].Value.Pos, "as in '*/15 * * * *' or '@hourly': minute, hour, day, month, weekday", "option batch is not a schedule: %v", err)
	}
	return nil
}

// isAggregate reports whether a call is one of an aggregate function, in any case of its
// letters: agg.Resolve says which may be written so.
func isAggregate(c *sql.Call) bool { return agg.Has(c.Name) }

// isWindow reports whether a call stands for the view's window.
func isWindow(c *sql.Call) bool { return c.Name == "tumble" || c.Name == "tumbleStart" }

// findCall returns the first call in e that is one, or nil.
func findCall(e sql.Expr, is func(*sql.Call) bool) *sql.Call {
	var found *sql.Call
	sql.Walk(e, func(e sql.Expr) bool {
		if c, ok := e.(*sql.Call); ok && found == nil && is(c) {
			found = c
		}
		return found == nil
	})
	return found
}
