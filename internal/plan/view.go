package plan

import (
	"time"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
)

// Key is a group column of a view.
type Key struct {
	Name string // the output's alias, or the expression's text
	Type event.Type
	Expr Expr // over the stream's columns
}

// Aggregate is one aggregation state of a view.
type Aggregate struct {
	Name string // column of the batch table: "s0", "s1", …; "_rows" for the hidden count
	Func *agg.Function
	Args []Expr // over the stream's columns
}

// Output is one column of the view's answer.
type Output struct {
	Name string
	Type event.Type
	// Expr runs over FinalSchema: keys by name, aggregates by Name, and WindowColumn.
	Expr Expr
	Agg  bool // whether an aggregate is in it; otherwise it can stand in `by`
}

// WindowColumn is the start of a group's window in FinalSchema, DateTime64(0).
const WindowColumn = "window_start"

// RowsAggregate is the hidden count() that every view carries, for drift and checks. A
// count() of the view's own is the same state.
const RowsAggregate = "_rows"

// View is the logical plan of a view. It is immutable and safe for concurrent use.
type View struct {
	Name       string
	Stream     *Stream
	Filter     Expr // Bool over the stream's columns; nil: all rows
	Keys       []Key
	Window     Window        // Unit NoUnit: no window, one group for all time
	Pane       int64         // seconds: the smallest slice kept; divides a day
	Aggregates []Aggregate   // the last one is RowsAggregate
	Outputs    []Output      // a windowed view begins with WindowColumn unless it selects its window itself
	Cron       string        // batch schedule, robfig/cron syntax
	TTL        time.Duration // how long the view keeps events by event time; 0: for ever
}

// KeyNames returns the names of the group columns, in order.
func (v *View) KeyNames() []string {
	names := make([]string, len(v.Keys))
	for i, k := range v.Keys {
		names[i] = k.Name
	}
	return names
}

// NewTable returns an empty group table of the view: its keys are the pane (Int64,
// seconds since 1970) and then Keys; its states are Aggregates.
func (v *View) NewTable() *agg.Table {
	keys := make([]event.Type, 0, len(v.Keys)+1)
	keys = append(keys, event.Type{Kind: event.Int64})
	for _, k := range v.Keys {
		keys = append(keys, k.Type)
	}
	functions := make([]*agg.Function, len(v.Aggregates))
	for i, a := range v.Aggregates {
		functions[i] = a.Func
	}
	return agg.NewTable(keys, functions)
}

// FinalSchema is what Outputs run over: WindowColumn (DateTime64(0)), Keys, Aggregates
// with their results' types.
func (v *View) FinalSchema() *event.Schema {
	schema, err := v.finalSchema()
	if err != nil {
		return &event.Schema{} // BuildView makes no view with a name twice
	}
	return schema
}

func (v *View) finalSchema() (*event.Schema, error) {
	columns := make([]event.Column, 0, 1+len(v.Keys)+len(v.Aggregates))
	columns = append(columns, event.Column{Name: WindowColumn, Type: windowType})
	for _, k := range v.Keys {
		columns = append(columns, event.Column{Name: k.Name, Type: k.Type})
	}
	for _, a := range v.Aggregates {
		columns = append(columns, event.Column{Name: a.Name, Type: a.Func.Result})
	}
	return event.NewSchema(columns...)
}

// windowType is the type of a window's start: whole seconds.
var windowType = event.Type{Kind: event.DateTime64}
