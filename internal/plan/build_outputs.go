package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

// maxExpandedNodes limits a SELECT after its aliases were replaced, which can double it
// with each alias that uses another one twice.
const maxExpandedNodes = 1 << 16

// expandItems replaces aliases in the items of SELECT. As in ClickHouse an alias hides a
// column of its name everywhere but in its own definition.
func (b *viewBuilder) expandItems() error {
	for i, item := range b.query.Items {
		if s, ok := item.Expr.(*sql.Star); ok {
			return refuse(s.Pos, "name the group columns and aggregates", "a view cannot select *")
		}
		if item.Alias == "" {
			continue
		}
		if _, twice := b.aliases[item.Alias]; twice {
			return refuse(item.Expr.Position(), "give it another name with AS", "two columns of the view are named %s", sql.QuoteName(item.Alias))
		}
		b.aliases[item.Alias] = i
	}
	for _, item := range b.query.Items {
		e, err := b.expandIn(item.Expr, map[string]bool{item.Alias: true}, 0)
		if err != nil {
			return err
		}
		b.items = append(b.items, e)
	}
	return nil
}

// expand returns e with every alias replaced by what it stands for.
func (b *viewBuilder) expand(e sql.Expr) (sql.Expr, error) {
	return b.expandIn(e, make(map[string]bool), 0)
}

// expandIn does so outside of the definitions of the open aliases.
func (b *viewBuilder) expandIn(e sql.Expr, open map[string]bool, depth int) (sql.Expr, error) {
	b.nodes++
	if b.nodes > maxExpandedNodes || depth > sql.MaxDepth {
		return nil, refuse(e.Position(), "use fewer aliases in other aliases", "the SELECT is too large once its aliases are replaced")
	}
	if i, ok := e.(*sql.Ident); ok {
		place, isAlias := b.aliases[i.Name]
		if !isAlias || open[i.Name] {
			return e, nil
		}
		open[i.Name] = true
		defer delete(open, i.Name)
		return b.expandIn(b.query.Items[place].Expr, open, depth+1)
	}
	return rebuild(e, func(arg sql.Expr) (sql.Expr, error) { return b.expandIn(arg, open, depth+1) })
}

// rebuild returns e with its operands replaced.
func rebuild(e sql.Expr, replace func(sql.Expr) (sql.Expr, error)) (sql.Expr, error) {
	all := func(operands []sql.Expr) ([]sql.Expr, error) {
		replaced := make([]sql.Expr, len(operands))
		for i, o := range operands {
			var err error
			if replaced[i], err = replace(o); err != nil {
				return nil, err
			}
		}
		return replaced, nil
	}
	switch e := e.(type) {
	case *sql.Call:
		args, err := all(e.Args)
		return &sql.Call{Pos: e.Pos, Name: e.Name, Params: e.Params, Args: args}, err
	case *sql.Tuple:
		items, err := all(e.Items)
		return &sql.Tuple{Pos: e.Pos, Items: items}, err
	}
	return e, nil
}

// buildOutputs turns the items of SELECT into expressions over FinalSchema.
func (b *viewBuilder) buildOutputs() error {
	count, err := agg.Resolve("count", nil, nil)
	if err != nil {
		return refuse(b.query.Pos, "", "%v", err)
	}
	rows := Aggregate{Name: RowsAggregate, Func: count}
	b.states[stateID(rows)] = rows.Name
	finals := make([]sql.Expr, len(b.items))
	windowed := false // whether an item is the window
	for i, item := range b.items {
		if finals[i], err = b.final(item); err != nil {
			return err
		}
		windowed = windowed || isWindowColumn(finals[i])
	}
	if b.hidden != nil {
		if err := b.hidden(); err != nil {
			return err
		}
	}
	b.view.Aggregates = append(b.view.Aggregates, rows)
	schema, err := b.view.finalSchema()
	if err != nil {
		return refuse(b.query.Pos, "", "%v", err)
	}
	if b.view.Window.Unit != NoUnit && !windowed {
		if err := b.addOutput(WindowColumn, &sql.Ident{Pos: b.query.Pos, Name: WindowColumn}, schema); err != nil {
			return err
		}
	}
	for i, f := range finals {
		if err := b.addOutput(b.outputName(i, f), f, schema); err != nil {
			return err
		}
	}
	return nil
}

func isWindowColumn(e sql.Expr) bool {
	i, ok := e.(*sql.Ident)
	return ok && i.Name == WindowColumn
}

func (b *viewBuilder) outputName(i int, final sql.Expr) string {
	switch alias := b.query.Items[i].Alias; {
	case alias != "":
		return alias
	case isWindowColumn(final):
		return WindowColumn
	}
	return sql.ColumnName(b.query.Items[i].Expr)
}

func (b *viewBuilder) addOutput(name string, final sql.Expr, schema *event.Schema) error {
	for _, o := range b.view.Outputs {
		if o.Name == name {
			return refuse(final.Position(), "give it another name with AS", "two columns of the view are named %s", sql.QuoteName(name))
		}
	}
	bound, err := BindExpr(final, schema)
	if err != nil {
		return err
	}
	read := make(map[int]bool)
	bound.Columns(read)
	o := Output{Name: name, Type: bound.Type().Plain(), Expr: bound}
	for column := range read {
		o.Agg = o.Agg || column > len(b.view.Keys) // behind the window and the keys
	}
	b.view.Outputs = append(b.view.Outputs, o)
	return nil
}

// final rewrites an item so that it reads FinalSchema: a key, the window or an aggregate
// becomes the column that holds it. A column of the stream must be in one of these.
func (b *viewBuilder) final(e sql.Expr) (sql.Expr, error) {
	if place, ok := b.keys[e.String()]; ok {
		return &sql.Ident{Pos: e.Position(), Name: b.view.Keys[place].Name}, nil
	}
	switch e := e.(type) {
	case *sql.Ident:
		return b.finalColumn(e)
	case *sql.Star:
		return nil, refuse(e.Pos, "", "* cannot stand here")
	case *sql.Call:
		switch {
		case isWindow(e):
			return b.finalWindow(e)
		case isAggregate(e):
			return b.finalAggregate(e)
		}
		// Before its arguments: that a misspelt aggregate's column is not grouped is no help.
		if _, known := registry.lookup(e.Name); !known {
			return nil, unknownFunction(e, agg.Known()...)
		}
	}
	return rebuild(e, b.final)
}

func (b *viewBuilder) finalColumn(i *sql.Ident) (sql.Expr, error) {
	if b.stream.Schema.Index(i.Name) < 0 {
		if i.Name == WindowColumn && b.view.Window.Unit != NoUnit {
			return i, nil
		}
		if _, err := b.bind(i); err != nil {
			return nil, err
		}
	}
	return nil, refuse(i.Pos, fmt.Sprintf("add it to GROUP BY, or aggregate it, as in max(%s)", i), "column %s is neither grouped nor aggregated", i)
}

func (b *viewBuilder) finalWindow(c *sql.Call) (sql.Expr, error) {
	w, err := b.windowOf(c)
	if err != nil {
		return nil, err
	}
	if w != b.view.Window {
		return nil, refuse(c.Pos, fmt.Sprintf("add %s to GROUP BY", &sql.Call{Name: "tumble", Args: c.Args}), "%s is not the window of GROUP BY", c)
	}
	return &sql.Ident{Pos: c.Pos, Name: WindowColumn}, nil
}

// finalAggregate finds or makes the state of an aggregate. The view's own count() is the
// hidden one, which buildOutputs adds as the last.
func (b *viewBuilder) finalAggregate(c *sql.Call) (sql.Expr, error) {
	a, err := b.bindAggregate(c)
	if err != nil {
		return nil, err
	}
	return &sql.Ident{Pos: c.Pos, Name: b.addState(a)}, nil
}

// addState finds or makes the state of an aggregate and returns its name.
func (b *viewBuilder) addState(a Aggregate) string {
	id := stateID(a)
	if _, known := b.states[id]; !known {
		a.Name = b.stateName()
		b.states[id] = a.Name
		b.view.Aggregates = append(b.view.Aggregates, a)
	}
	return b.states[id]
}

// stateName returns the first of s0, s1, … that no aggregate and no key has.
func (b *viewBuilder) stateName() string {
	for {
		name := fmt.Sprintf("s%d", b.named)
		b.named++
		if !slices.Contains(b.view.KeyNames(), name) {
			return name
		}
	}
}

// stateID is the same for two aggregates exactly where their states are the same.
func stateID(a Aggregate) string {
	var id strings.Builder
	id.WriteString(a.Func.StateType)
	for _, arg := range a.Args {
		id.WriteString("\x00" + arg.ClickHouse())
	}
	return id.String()
}

func (b *viewBuilder) bindAggregate(c *sql.Call) (Aggregate, error) {
	var a Aggregate
	var types []event.Type
	for i, arg := range c.Args {
		if inner := findCall(arg, isAggregate); inner != nil {
			return a, refuse(inner.Pos, "an alias hides the column of its name: rename it if that is why", "%s is inside of another aggregate", inner)
		}
		bind := b.bind
		if i == len(c.Args)-1 && agg.Conditional(c.Name) {
			bind = b.bindCondition
		}
		bound, err := bind(arg)
		if err != nil {
			return a, err
		}
		a.Args = append(a.Args, bound)
		types = append(types, bound.Type())
	}
	params, err := levels(c)
	if err != nil {
		return a, err
	}
	if a.Func, err = agg.Resolve(c.Name, params, types); err != nil {
		return a, refuse(c.Pos, "", "%v", err)
	}
	return a, nil
}

// levels returns the parameters of an aggregate as numbers.
func levels(c *sql.Call) ([]float64, error) {
	var levels []float64
	for _, p := range c.Params {
		switch v := p.Value.(type) {
		case int64:
			levels = append(levels, float64(v))
		case uint64:
			levels = append(levels, float64(v))
		case float64:
			levels = append(levels, v)
		default:
			return nil, refuse(p.Pos, "as in quantile(0.95)(latency)", "a parameter of %s must be a number", c.Name)
		}
	}
	return levels, nil
}
