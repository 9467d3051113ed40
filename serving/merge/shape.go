package merge

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/speed/redisview"
)

// shape is what a query makes of its view: which keys are kept, how time is bucketed,
// and which outputs can be told from that.
type shape struct {
	query     *Query
	view      *plan.View
	keep      []int // indices into view.Keys
	keyTypes  []event.Type
	functions []*agg.Function
	outputs   []plan.Output
	where     *plan.Evaluator
}

// KeySchema is what Query.Where runs over: the view's keys.
func KeySchema(v *plan.View) (*event.Schema, error) {
	columns := make([]event.Column, len(v.Keys))
	for i, k := range v.Keys {
		columns[i] = event.Column{Name: k.Name, Type: k.Type.Plain()}
	}
	return event.NewSchema(columns...)
}

func newShape(q *Query) (*shape, error) {
	v := q.View.Plan
	s := &shape{query: q, view: v}
	if err := s.keepKeys(); err != nil {
		return nil, err
	}
	s.keyTypes = append(s.keyTypes, event.Type{Kind: event.Int64}) // the bucket
	for _, k := range s.keep {
		s.keyTypes = append(s.keyTypes, v.Keys[k].Type.Plain())
	}
	for _, a := range v.Aggregates {
		s.functions = append(s.functions, a.Func)
	}
	if err := s.chooseOutputs(); err != nil {
		return nil, err
	}
	if q.Where != nil {
		s.where = plan.Compile(q.Where)
	}
	for _, o := range q.Order {
		if s.output(o.Column) < 0 {
			return nil, problem.New(http.StatusBadRequest, "unknown-column",
				fmt.Sprintf("order: the answer has no column %q", o.Column), fmt.Sprintf("it has %v", s.names()))
		}
	}
	return s, nil
}

// keepKeys resolves Query.By.
func (s *shape) keepKeys() error {
	if s.query.By == nil {
		for i := range s.view.Keys {
			s.keep = append(s.keep, i)
		}
		return nil
	}
	for _, name := range s.query.By {
		if name == plan.WindowColumn && s.view.Window.Unit != plan.NoUnit {
			s.query.Bucketing = ByWindow
			continue
		}
		i := slices.IndexFunc(s.view.Keys, func(k plan.Key) bool { return k.Name == name })
		if i < 0 {
			return problem.New(http.StatusBadRequest, "unknown-column",
				fmt.Sprintf("by: view %s is not grouped by %q", s.view.Name, name),
				fmt.Sprintf("it is grouped by %v", keyNames(s.view)))
		}
		if !slices.Contains(s.keep, i) {
			s.keep = append(s.keep, i)
		}
	}
	return nil
}

func keyNames(v *plan.View) []string {
	names := make([]string, len(v.Keys))
	for i, k := range v.Keys {
		names[i] = k.Name
	}
	return names
}

// chooseOutputs keeps the outputs that need no dropped key, and leads with the time of
// the bucket where the query is by step.
func (s *shape) chooseOutputs() error {
	final := s.view.FinalSchema()
	for _, o := range s.view.Outputs {
		reads := map[int]bool{}
		o.Expr.Columns(reads)
		usable := true
		for c := range reads {
			switch {
			case c == 0:
				usable = usable && s.query.Bucketing == ByWindow
			case c <= len(s.view.Keys):
				usable = usable && slices.Contains(s.keep, c-1)
			}
		}
		if usable {
			s.outputs = append(s.outputs, o)
		}
	}
	if s.query.Bucketing == ByStep {
		time, err := plan.BindExpr(&sql.Ident{Name: plan.WindowColumn}, final)
		if err != nil {
			return fmt.Errorf("bind time of %s: %w", s.view.Name, err)
		}
		s.outputs = slices.Insert(s.outputs, 0, plan.Output{Name: TimeColumn, Type: time.Type(), Expr: time})
	}
	return nil
}

func (s *shape) output(name string) int {
	return slices.IndexFunc(s.outputs, func(o plan.Output) bool { return o.Name == name })
}

func (s *shape) names() []string {
	names := make([]string, len(s.outputs))
	for i, o := range s.outputs {
		names[i] = o.Name
	}
	return names
}

// bucket returns the start of the bucket that holds a pane.
func (s *shape) bucket(pane int64) int64 {
	switch s.query.Bucketing {
	case ByWindow:
		if s.view.Window.Unit != plan.NoUnit {
			return s.view.Window.Start(pane)
		}
	case ByStep:
		return s.query.Step.Start(pane)
	}
	return 0
}

// addSpeed merges one partition's partials into the table.
func (s *shape) addSpeed(table *agg.Table, snapshot redisview.Snapshot) error {
	for _, e := range snapshot.Epochs {
		// The partials' keys are (pane, all keys); they are decoded in columns.
		source := s.view.NewTable()
		for _, p := range e.Partials {
			g, err := source.GroupOf(p.Key)
			if err != nil {
				return fmt.Errorf("epoch %d: %w", e.Epoch, err)
			}
			if err := source.MergePartial(g, p.States); err != nil {
				return fmt.Errorf("epoch %d: %w", e.Epoch, err)
			}
		}
		if err := s.fold(table, source); err != nil {
			return err
		}
	}
	return nil
}

// fold merges the groups of a table by (pane, all keys) that the query asks for into the
// answer's table by (bucket, kept keys).
func (s *shape) fold(table, source *agg.Table) error {
	n := source.Len()
	if n == 0 {
		return nil
	}
	columns := source.KeyColumns()
	panes, keys := columns[0].I64, columns[1:]
	wanted := make([]bool, n)
	for i, pane := range panes {
		wanted[i] = pane >= s.query.From && pane < s.query.To
	}
	if s.where != nil {
		match, err := s.where.Eval(keys, n)
		if err != nil {
			return fmt.Errorf("evaluate where: %w", err)
		}
		for i := range wanted {
			wanted[i] = wanted[i] && match.U8[i] != 0 && !match.Null(i)
		}
	}
	buckets := event.Vector{Type: s.keyTypes[0], I64: make([]int64, n)}
	for i, pane := range panes {
		buckets.I64[i] = s.bucket(pane)
	}
	// Groups are made for wanted rows only: gather them first.
	rows := make([]uint32, 0, n)
	for i, w := range wanted {
		if w {
			rows = append(rows, uint32(i))
		}
	}
	kept := make([]*event.Vector, 0, len(s.keyTypes))
	for i, t := range s.keyTypes {
		from := &buckets
		if i > 0 {
			from = &keys[s.keep[i-1]]
		}
		v := &event.Vector{Type: t}
		v.AppendRows(from, rows)
		kept = append(kept, v)
	}
	groups := table.Groups(kept, len(rows), nil)
	var state []byte
	for i := range s.functions {
		for j, row := range rows {
			state = source.States[i].Append(state[:0], row)
			if _, err := table.States[i].Merge(groups[j], state); err != nil {
				return fmt.Errorf("merge state of %s: %w", s.functions[i].Name, err)
			}
		}
	}
	return nil
}
