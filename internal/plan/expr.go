package plan

import (
	"fmt"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

// Expr is a bound scalar expression. It is immutable; Compile makes its runnable form.
type Expr interface {
	Type() event.Type
	// ClickHouse returns the expression in ClickHouse's SQL over columns of the same
	// names. Its type there is exactly Type.
	ClickHouse() string
	// Columns adds the indices of the columns that the expression reads.
	Columns(seen map[int]bool)
}

// bound is the Expr of a tree of nodes.
type bound struct {
	root *node
	typ  event.Type
	text string
}

func (b *bound) Type() event.Type          { return b.typ }
func (b *bound) ClickHouse() string        { return b.text }
func (b *bound) Columns(seen map[int]bool) { b.root.columns(seen) }

// Condition returns the text of a Bool expression for WHERE and HAVING: without the
// cast to Bool that ClickHouse adds to comparisons, which would hide them from
// ClickHouse's indices.
func Condition(e Expr) string {
	if b, ok := e.(*bound); ok && b.typ.Kind == event.Bool {
		return b.root.text
	}
	return e.ClickHouse()
}

// node is a bound operation: a column, a constant, or a function of its arguments.
// Exactly one of them: column ≥ 0, constant ≠ nil, run ≠ nil.
type node struct {
	pos sql.Pos
	typ valueType
	// text is the operation in ClickHouse's SQL, of the type typ there.
	text string
	// operator says that text needs parentheses where an operator stands around it.
	operator bool
	// lowCardinality says that a LowCardinality column is below, which can give the
	// result in ClickHouse that type.
	lowCardinality bool
	// literal says that the node is a number as written, not a computed constant.
	literal bool

	column   int
	constant *event.Vector // one row
	run      kernel
	nulls    nullRule
	// size returns an upper bound of the bytes of a String result, for kernels whose
	// result can be longer than their arguments.
	size func(args []operand, rows int) int
	args []*node
}

// nullRule says who computes which rows of a result are null.
type nullRule uint8

const (
	// nullIfAnyArg: a row is null where any argument is. The evaluator sees to it, and
	// the kernel reads the zero values that stand at null rows.
	nullIfAnyArg nullRule = iota
	// nullByKernel: the kernel sets Nulls, which arrives zeroed and with a byte per row
	// where the result is nullable.
	nullByKernel
)

func (n *node) columns(seen map[int]bool) {
	if n.column >= 0 {
		seen[n.column] = true
	}
	for _, a := range n.args {
		a.columns(seen)
	}
}

// operand returns the text as it can stand beside an operator.
func (n *node) operand() string {
	if n.operator {
		return "(" + n.text + ")"
	}
	return n.text
}

// isNull reports whether n is the constant NULL.
func (n *node) isNull() bool { return n.constant != nil && n.constant.Null(0) }

func newColumn(pos sql.Pos, index int, c event.Column) *node {
	return &node{
		pos: pos, typ: typeOf(c.Type), column: index, text: sql.QuoteName(c.Name),
		lowCardinality: c.Type.LowCardinality,
	}
}

func newConstant(pos sql.Pos, t valueType, text string, set func(v *event.Vector)) *node {
	v := &event.Vector{Type: t.event()}
	set(v)
	return &node{pos: pos, typ: t, text: text, column: -1, constant: v}
}

// newBound ends a tree: a value of one of the engine's finer types leaves it as one of
// the event types, which changes nothing but its name there.
func newBound(n *node, schema *event.Schema) *bound {
	b := &bound{root: n, typ: n.typ.event(), text: n.text}
	switch {
	case n.column >= 0 && n.text == sql.QuoteName(schema.Columns[n.column].Name):
		b.typ = schema.Columns[n.column].Type
	case n.lowCardinality || n.typ.name() != b.typ.String():
		b.text = fmt.Sprintf("CAST(%s AS %s)", n.text, b.typ)
	}
	return b
}

// newNull returns one null row of a type.
func newNull(t valueType) *event.Vector {
	v := &event.Vector{Type: t.event()}
	v.AppendZero(true)
	return v
}
