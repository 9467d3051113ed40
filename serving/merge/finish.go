package merge

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
)

// finish turns states into values, and orders and limits them.
func (s *shape) finish(table *agg.Table) (*event.Batch, error) {
	n := table.Len()
	if n == 0 && len(s.keep) == 0 && s.oneBucket() {
		// A global aggregate of nothing is one row, as in SQL.
		table.Groups([]*event.Vector{{Type: s.keyTypes[0], I64: []int64{0}}}, 1, nil)
		n = 1
	}
	final := s.finals(table)
	columns := make([]event.Column, len(s.outputs))
	for i, o := range s.outputs {
		columns[i] = event.Column{Name: o.Name, Type: o.Type}
	}
	schema, err := event.NewSchema(columns...)
	if err != nil {
		return nil, fmt.Errorf("answer of %s: %w", s.view.Name, err)
	}
	answer := event.NewBatch(schema)
	for i, o := range s.outputs {
		v, err := plan.Compile(o.Expr).Eval(final.Columns, n)
		if err != nil {
			return nil, fmt.Errorf("evaluate %s of %s: %w", o.Name, s.view.Name, err)
		}
		answer.Columns[i] = *v
		answer.Columns[i].Type = o.Type
	}
	answer.Rows = n
	return s.order(answer)
}

// finals turns states into values, in columns of the view's FinalSchema. Keys that the
// query drops are zeros.
func (s *shape) finals(table *agg.Table) *event.Batch {
	n := table.Len()
	final := event.NewBatch(s.view.FinalSchema())
	keys := table.KeyColumns()
	for i := range final.Columns {
		c := &final.Columns[i]
		switch {
		case i == 0:
			c.I64 = keys[0].I64
		case i <= len(s.view.Keys):
			if at := slices.Index(s.keep, i-1); at >= 0 {
				typed := keys[1+at]
				typed.Type = c.Type
				*c = typed
				break
			}
			for range n {
				c.AppendZero(c.Type.Nullable)
			}
		default:
			*c = table.Final(i - 1 - len(s.view.Keys))
		}
	}
	final.Rows = n
	return final
}

// order sorts and limits the answer.
func (s *shape) order(b *event.Batch) (*event.Batch, error) {
	limit := b.Rows
	if s.query.Limit > 0 && s.query.Limit < int64(limit) {
		limit = int(s.query.Limit)
	}
	if s.query.MaxRows > 0 && int64(limit) > s.query.MaxRows {
		return nil, tooMany(limit, s.query.MaxRows)
	}
	by := s.query.Order
	if len(by) == 0 && s.query.Bucketing == ByStep {
		by = []Order{{Column: TimeColumn}}
	}
	if len(by) == 0 && limit == b.Rows {
		return b, nil
	}
	rows := make([]uint32, b.Rows)
	for i := range rows {
		rows[i] = uint32(i)
	}
	type column struct {
		v    *event.Vector
		desc bool
	}
	var columns []column
	for _, o := range by {
		columns = append(columns, column{&b.Columns[s.output(o.Column)], o.Desc})
	}
	slices.SortStableFunc(rows, func(x, y uint32) int {
		for _, c := range columns {
			if d := Compare(c.v, int(x), int(y), c.desc); d != 0 {
				return d
			}
		}
		return 0
	})
	out := event.NewBatch(b.Schema)
	out.AppendRows(b, rows[:limit])
	return out, nil
}

// Compare orders rows x and y of a vector as ClickHouse's ORDER BY does: nulls last, then
// NaN, in both directions.
func Compare(v *event.Vector, x, y int, desc bool) int {
	if v.Nulls != nil && (v.Nulls[x] != 0 || v.Nulls[y] != 0) {
		return cmp.Compare(v.Nulls[x], v.Nulls[y])
	}
	d := 0
	switch v.Type.Kind {
	case event.Bool:
		d = cmp.Compare(v.U8[x], v.U8[y])
	case event.Int64, event.Date, event.DateTime64:
		d = cmp.Compare(v.I64[x], v.I64[y])
	case event.UInt64:
		d = cmp.Compare(v.U64[x], v.U64[y])
	case event.String:
		d = bytes.Compare(v.Str.At(x), v.Str.At(y))
	case event.Float64:
		a, b := v.F64[x], v.F64[y]
		if math.IsNaN(a) || math.IsNaN(b) {
			return cmp.Compare(b2i(math.IsNaN(a)), b2i(math.IsNaN(b)))
		}
		d = cmp.Compare(a, b)
	}
	if desc {
		return -d
	}
	return d
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
