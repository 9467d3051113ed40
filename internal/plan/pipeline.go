package plan

import (
	"fmt"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
)

// Pipeline runs a view over batches: filter, project, group, aggregate. It keeps its
// scratch memory between batches and is used by one goroutine.
type Pipeline struct {
	view   *View
	filter *Evaluator // nil: all rows

	// The rest runs over the rows that the filter leaves.
	machine *machine
	keys    []projection
	args    [][]projection // by aggregate
	needed  []int          // columns that machine and panes read

	selected []uint32
	runs     []run
	gathered []event.Vector // by column; filled for needed only
	pane     event.Vector
	groups   []uint32
	vectors  []*event.Vector
}

// projection is an expression of the pipeline.
type projection struct {
	step      *step
	broadcast event.Vector // of a constant
}

// NewPipeline returns a pipeline of the view.
func (v *View) NewPipeline() *Pipeline {
	p := &Pipeline{view: v, machine: newMachine(), gathered: make([]event.Vector, len(v.Stream.Schema.Columns))}
	p.pane.Type = event.Type{Kind: event.Int64}
	needed := map[int]bool{v.Stream.EventTime: true}
	if v.Filter != nil {
		p.filter = Compile(v.Filter)
	}
	project := func(e Expr) projection {
		e.Columns(needed)
		return projection{step: p.machine.add(e.(*bound).root)}
	}
	for _, k := range v.Keys {
		p.keys = append(p.keys, project(k.Expr))
	}
	for _, a := range v.Aggregates {
		args := make([]projection, len(a.Args))
		for i, e := range a.Args {
			args[i] = project(e)
		}
		p.args = append(p.args, args)
	}
	for i, c := range v.Stream.Schema.Columns {
		p.gathered[i].Type = c.Type
		if needed[i] {
			p.needed = append(p.needed, i)
		}
	}
	return p
}

// Apply aggregates the given rows of b (nil: all) into t, which NewTable of the same view
// made. The only errors are those of resource limits; t is then as it was.
func (p *Pipeline) Apply(b *event.Batch, rows []uint32, t *agg.Table) error {
	all, err := p.choose(b, rows)
	if err != nil {
		return fmt.Errorf("filter rows of view %s: %w", p.view.Name, err)
	}
	columns, n := b.Columns, b.Rows
	if !all {
		columns, n = p.gather(b), len(p.selected)
	}
	if n == 0 {
		return nil
	}
	p.machine.begin(columns, n)
	// Everything is computed before anything enters the table, so that an error leaves it
	// whole.
	for i := range p.keys {
		if _, err := p.project(&p.keys[i]); err != nil {
			return fmt.Errorf("compute keys of view %s: %w", p.view.Name, err)
		}
	}
	for i := range p.args {
		for j := range p.args[i] {
			if _, err := p.project(&p.args[i][j]); err != nil {
				return fmt.Errorf("compute aggregates of view %s: %w", p.view.Name, err)
			}
		}
	}
	p.panes(&columns[p.view.Stream.EventTime], n)
	p.vectors = append(p.vectors[:0], &p.pane)
	for i := range p.keys {
		p.vectors = append(p.vectors, p.computed(&p.keys[i]))
	}
	p.groups = t.Groups(p.vectors, n, p.groups)
	for i := range p.args {
		p.vectors = p.vectors[:0]
		for j := range p.args[i] {
			p.vectors = append(p.vectors, p.computed(&p.args[i][j]))
		}
		t.States[i].Update(p.groups, p.vectors)
	}
	return nil
}

// choose writes the rows to aggregate to p.selected; all says that they are all of them.
func (p *Pipeline) choose(b *event.Batch, rows []uint32) (all bool, err error) {
	if p.filter == nil {
		if rows == nil {
			return true, nil
		}
		p.selected = append(p.selected[:0], rows...)
		return false, nil
	}
	condition, err := p.filter.Eval(b.Columns, b.Rows)
	if err != nil {
		return false, err
	}
	if rows == nil {
		p.selected = selectAll(p.selected, condition, b.Rows)
	} else {
		p.selected = p.selected[:0]
		for _, r := range rows {
			if condition.U8[r] != 0 && !condition.Null(int(r)) {
				p.selected = append(p.selected, r)
			}
		}
	}
	return len(p.selected) == b.Rows, nil
}

// selectAll returns the rows for which a condition holds. It does not branch on it, since
// the outcome of a filter is what a processor cannot predict.
func selectAll(dst []uint32, condition *event.Vector, rows int) []uint32 {
	dst = resize(dst, rows)
	n := 0
	if len(condition.Nulls) == 0 {
		for i, v := range condition.U8[:rows] {
			dst[n] = uint32(i)
			n += int(v)
		}
		return dst[:n]
	}
	for i, v := range condition.U8[:rows] {
		dst[n] = uint32(i)
		n += int(v &^ condition.Nulls[i])
	}
	return dst[:n]
}

// gather copies the selected rows of the columns that are needed. Where most rows are
// selected it copies whole runs of neighbours.
func (p *Pipeline) gather(b *event.Batch) []event.Vector {
	dense := len(p.selected) >= b.Rows-b.Rows/4
	if dense {
		p.runs = appendRuns(p.runs[:0], p.selected)
	}
	for _, i := range p.needed {
		v := &p.gathered[i]
		v.Reset()
		if !dense {
			v.AppendRows(&b.Columns[i], p.selected)
			continue
		}
		for _, r := range p.runs {
			v.AppendRange(&b.Columns[i], int(r.from), int(r.to))
		}
	}
	return p.gathered
}

// run is the neighbouring rows from ≤ row < to.
type run struct{ from, to uint32 }

func appendRuns(runs []run, rows []uint32) []run {
	for i := 0; i < len(rows); {
		from := i
		for i++; i < len(rows) && rows[i] == rows[i-1]+1; i++ {
		}
		runs = append(runs, run{rows[from], rows[i-1] + 1})
	}
	return runs
}

func (p *Pipeline) project(e *projection) (*event.Vector, error) {
	return p.machine.vector(e.step, &e.broadcast)
}

// computed returns what project has computed in this run.
func (p *Pipeline) computed(e *projection) *event.Vector {
	if e.step.result.constant {
		return &e.broadcast
	}
	return e.step.result.Vector
}

// panes computes the pane of each row: the start, in seconds since 1970, of the slice of
// event time that it is in.
func (p *Pipeline) panes(times *event.Vector, rows int) {
	p.pane.I64 = resize(p.pane.I64, rows)
	dst := p.pane.I64
	if times.Type.Kind == event.Date {
		for i, day := range times.I64[:rows] {
			dst[i] = event.FloorDiv(day*secondsPerDay, p.view.Pane) * p.view.Pane
		}
		return
	}
	// Neighbours are mostly of the same pane, and a comparison is quicker than a division.
	length := p.view.Pane * event.Pow10[times.Type.Precision]
	var start, pane int64
	for i, v := range times.I64[:rows] {
		if uint64(v-start) >= uint64(length) {
			n := event.FloorDiv(v, length)
			start, pane = n*length, n*p.view.Pane
		}
		dst[i] = pane
	}
}
