package query

import (
	"slices"
	"time"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/merge"
)

// pushDown narrows the merged view to what a SELECT over it can need: the operands of
// WHERE's AND that read group columns only, and bounds of the window's start. The engine
// still runs the whole WHERE, so what is not pushed costs time only.
func pushDown(s *sql.Select, q *merge.Query) {
	if s.Where == nil {
		return
	}
	operands := []sql.Expr{s.Where}
	if c, ok := s.Where.(*sql.Call); ok && c.Name == "and" {
		operands = c.Args
	}
	v := q.View.Plan
	schema, err := merge.KeySchema(v)
	if err != nil {
		return
	}
	var onKeys []sql.Expr
	for _, e := range operands {
		if timeBound(s, v, e, q) || !readsOnly(e, func(name string) bool { return isColumn(s, v, name, name) }) {
			continue
		}
		if bound, err := plan.BindExpr(e, schema); err == nil && isCondition(bound) {
			onKeys = append(onKeys, e)
		}
	}
	if len(onKeys) == 0 {
		return
	}
	all := onKeys[0]
	if len(onKeys) > 1 {
		all = &sql.Call{Pos: s.Where.Position(), Name: "and", Args: onKeys}
	}
	if bound, err := plan.BindExpr(all, schema); err == nil {
		q.Where = bound
	}
}

func isCondition(e plan.Expr) bool { return e.Type().Kind == event.Bool }

// readsOnly reports whether every name in e is one that the caller takes.
func readsOnly(e sql.Expr, takes func(name string) bool) bool {
	only := true
	sql.Walk(e, func(e sql.Expr) bool {
		if i, ok := e.(*sql.Ident); ok && !takes(i.Name) {
			only = false
		}
		return only
	})
	return only
}

// isColumn reports whether a name in the WHERE of s means the view's output of that name,
// and that is the given column of its FinalSchema, unchanged. An alias of the SELECT hides
// the output, as in ClickHouse.
func isColumn(s *sql.Select, v *plan.View, name, column string) bool {
	if slices.ContainsFunc(s.Items, func(i sql.SelectItem) bool { return i.Alias == name }) {
		return false
	}
	return slices.ContainsFunc(v.Outputs, func(o plan.Output) bool {
		return o.Name == name && !o.Agg && o.Expr.ClickHouse() == sql.QuoteName(column)
	})
}

// mirrored are comparisons with their sides exchanged.
var mirrored = map[string]string{"less": "greater", "lessOrEquals": "greaterOrEquals", "greater": "less", "greaterOrEquals": "lessOrEquals", "equals": "equals"}

// timeBound takes a comparison of the window's start with a time in quotes into the
// query's range, and reports whether e is one.
func timeBound(s *sql.Select, v *plan.View, e sql.Expr, q *merge.Query) bool {
	c, ok := e.(*sql.Call)
	if !ok || len(c.Args) != 2 || mirrored[c.Name] == "" || v.Window.Unit == plan.NoUnit {
		return false
	}
	comparison, left, right := c.Name, c.Args[0], c.Args[1]
	if _, ok := left.(*sql.Literal); ok {
		comparison, left, right = mirrored[comparison], right, left
	}
	column, ok := left.(*sql.Ident)
	if !ok || !isColumn(s, v, column.Name, plan.WindowColumn) {
		return false
	}
	at, ok := quotedTime(right)
	if !ok {
		return false
	}
	// A pane is never before its window's start, and before the next window's.
	end := func(before int64) int64 {
		if start := v.Window.Start(before); start < before {
			return v.Window.Next(start)
		}
		return before
	}
	switch comparison {
	case "greater", "greaterOrEquals":
		q.From = max(q.From, at)
	case "less":
		q.To = min(q.To, end(at))
	case "lessOrEquals":
		q.To = min(q.To, end(at+1))
	case "equals":
		q.From, q.To = max(q.From, at), min(q.To, end(at+1))
	}
	return true
}

// quotedTime reads the forms of a time in whole seconds that ClickHouse reads too.
func quotedTime(e sql.Expr) (int64, bool) {
	l, ok := e.(*sql.Literal)
	if !ok {
		return 0, false
	}
	text, ok := l.Value.(string)
	if !ok {
		return 0, false
	}
	t, err := time.Parse(time.DateTime, text)
	return t.Unix(), err == nil
}
