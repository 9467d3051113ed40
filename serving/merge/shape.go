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
	part      Part // of the batch layer's groups; the zero Part: all
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

// oneBucket reports whether all time is one bucket.
func (s *shape) oneBucket() bool {
	return s.query.Bucketing == WholeRange || s.query.Bucketing == ByWindow && s.view.Window.Unit == plan.NoUnit
}
