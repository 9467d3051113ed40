package plan

import (
	"fmt"
	"math"

	"github.com/millrace/millrace/internal/event"
)

// MaxStringBytes is the most text that one operation may make of one batch, so that a
// view cannot take the memory of the others; offsets end at 2 GiB in any case.
const MaxStringBytes = 256 << 20

// operand is an argument of a kernel.
type operand struct {
	*event.Vector
	constant bool // one row stands for all
}

// mask makes a row number an index: i&mask is always 0 where the operand is constant.
func (o operand) mask() int {
	if o.constant {
		return 0
	}
	return -1
}

// null reports whether row i is null.
func (o operand) null(i int) bool { return o.Nulls != nil && o.Nulls[i&o.mask()] != 0 }

// kernel computes rows rows of a function into out, which arrives empty and whose memory
// it reuses. It cannot fail, allocates nothing per row and keeps no state.
type kernel func(out *event.Vector, args []operand, rows int)

// step is a node with its memory.
type step struct {
	node   *node
	args   []*step
	in     []operand
	out    event.Vector
	nulls  []uint8 // kept while out.Nulls is nil
	result operand
	run    uint64 // of the machine, when result was computed
}

// machine runs steps over one set of columns at a time. Equal operations of several
// expressions share a step, and so are computed once.
type machine struct {
	steps   map[stepKey]*step
	columns []event.Vector
	rows    int
	run     uint64
}

type stepKey struct {
	typ  valueType
	kind event.Kind // tells a converted value from its source
	text string
}

func newMachine() *machine { return &machine{steps: map[stepKey]*step{}} }

// add makes the step of a node and of all below.
func (m *machine) add(n *node) *step {
	key := stepKey{typ: n.typ, kind: n.typ.event().Kind, text: n.text}
	if s, ok := m.steps[key]; ok {
		return s
	}
	s := &step{node: n, in: make([]operand, len(n.args))}
	for _, a := range n.args {
		s.args = append(s.args, m.add(a))
	}
	s.out.Type = n.typ.event()
	if n.constant != nil {
		s.result = operand{n.constant, true}
	}
	m.steps[key] = s
	return s
}

// begin gives the machine the columns of the next evaluations.
func (m *machine) begin(columns []event.Vector, rows int) {
	m.columns, m.rows = columns, rows
	m.run++
}

func (m *machine) eval(s *step) (operand, error) {
	if s.run == m.run || s.node.constant != nil {
		return s.result, nil
	}
	if s.node.column >= 0 {
		s.result = operand{&m.columns[s.node.column], false}
		s.run = m.run
		return s.result, nil
	}
	for i, a := range s.args {
		var err error
		if s.in[i], err = m.eval(a); err != nil {
			return operand{}, err
		}
	}
	if s.node.size != nil {
		if n := s.node.size(s.in, m.rows); n > MaxStringBytes {
			return operand{}, fmt.Errorf("evaluate %s: %d bytes of text for %d rows are over the limit of %d", shorten(s.node.text), n, m.rows, MaxStringBytes)
		}
	}
	s.compute(m.rows)
	if n := len(s.out.Str.Data); n > MaxStringBytes {
		return operand{}, fmt.Errorf("evaluate %s: more than %d bytes of text for %d rows are over the limit", shorten(s.node.text), MaxStringBytes, m.rows)
	}
	s.result = operand{&s.out, false}
	s.run = m.run
	return s.result, nil
}

// compute runs the kernel and brings the nulls in order.
func (s *step) compute(rows int) {
	if s.out.Nulls != nil {
		s.nulls = s.out.Nulls
	}
	s.out.Reset()
	s.out.Nulls = nil
	if s.node.nulls == nullByKernel {
		if s.node.typ.nullable {
			s.out.Nulls = zeroed(s.nulls, rows)
		}
		s.node.run(&s.out, s.in, rows)
		return
	}
	s.node.run(&s.out, s.in, rows)
	for _, a := range s.in {
		if len(a.Nulls) == 0 {
			continue
		}
		if s.out.Nulls == nil {
			s.out.Nulls = zeroed(s.nulls, rows)
		}
		mask := a.mask()
		for i := range s.out.Nulls {
			s.out.Nulls[i] |= a.Nulls[i&mask]
		}
	}
	if s.out.Nulls != nil {
		clearNulls(&s.out)
	}
}

// clearNulls gives null rows the zero value that a Vector promises.
func clearNulls(v *event.Vector) {
	switch v.Type.Kind {
	case event.Bool:
		clearRows(v.U8, v.Nulls)
	case event.UInt64:
		clearRows(v.U64, v.Nulls)
	case event.Float64:
		clearRows(v.F64, v.Nulls)
	case event.String:
		clearStrings(&v.Str, v.Nulls)
	default:
		clearRows(v.I64, v.Nulls)
	}
}

func clearRows[T any](values []T, nulls []uint8) {
	var zero T
	for i, null := range nulls {
		if null != 0 {
			values[i] = zero
		}
	}
}

// clearStrings moves the values that stay together.
func clearStrings(s *event.Strings, nulls []uint8) {
	var end int32
	for i, null := range nulls {
		from, to := s.Offsets[i], s.Offsets[i+1]
		s.Offsets[i] = end
		if null != 0 {
			continue
		}
		if end != from {
			copy(s.Data[end:], s.Data[from:to])
		}
		end += to - from
	}
	s.Offsets[len(nulls)] = end
	s.Data = s.Data[:end]
}

// Evaluator is the runnable form of an expression, with its own scratch memory. It is
// used by one goroutine.
type Evaluator struct {
	machine   *machine
	root      *step
	broadcast event.Vector // of a constant expression
}

// Compile returns an evaluator of e, which BindExpr made.
func Compile(e Expr) *Evaluator {
	m := newMachine()
	return &Evaluator{machine: m, root: m.add(e.(*bound).root)}
}

// Eval computes the expression for all rows of columns. The result is valid until the
// next Eval and may alias a column. The only errors are those of resource limits.
func (e *Evaluator) Eval(columns []event.Vector, rows int) (*event.Vector, error) {
	e.machine.begin(columns, rows)
	return e.machine.vector(e.root, &e.broadcast)
}

// vector evaluates a step as a whole vector; a constant is written out into scratch.
func (m *machine) vector(s *step, scratch *event.Vector) (*event.Vector, error) {
	r, err := m.eval(s)
	if err != nil {
		return nil, err
	}
	if !r.constant {
		return r.Vector, nil
	}
	if scratch.Len() != m.rows || scratch.Type.Kind == event.Invalid {
		if r.Type.Kind == event.String && len(r.Str.Data)*m.rows > math.MaxInt32 {
			return nil, fmt.Errorf("evaluate %s: a constant of %d bytes for %d rows is over the limit", shorten(s.node.text), len(r.Str.Data), m.rows)
		}
		scratch.Type = r.Type
		scratch.Reset()
		for range m.rows {
			scratch.AppendRange(r.Vector, 0, 1)
		}
	}
	return scratch, nil
}

// zeroed returns n zeros in the memory of b.
func zeroed(b []uint8, n int) []uint8 {
	b = resize(b, n)
	clear(b)
	return b
}

// resize returns a slice of n elements, in the memory of s where that is enough. The
// elements are not cleared.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// shorten cuts a text for a message.
func shorten(s string) string {
	const limit = 60 // characters: a message stays on a line
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}
