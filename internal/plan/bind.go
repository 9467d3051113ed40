package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

// maxTextBytes bounds the SQL of one expression. Functions that ClickHouse lacks repeat
// an argument in it, so that it can grow with each level.
const maxTextBytes = 256 << 10

// BindExpr binds a parsed scalar expression to a schema. Errors are *sql.Error.
func BindExpr(e sql.Expr, schema *event.Schema) (Expr, error) {
	n, err := (&binder{schema}).bind(e)
	if err != nil {
		return nil, err
	}
	if n.typ.base == nothing {
		return nil, refuse(n.pos, "write CAST(NULL AS Nullable(String)), or another type", "NULL alone has no type")
	}
	return newBound(n, schema), nil
}

type binder struct{ schema *event.Schema }

func (b *binder) bind(e sql.Expr) (*node, error) {
	switch e := e.(type) {
	case *sql.Literal:
		return bindLiteral(e.Pos, e.Value)
	case *sql.Ident:
		return b.column(e)
	case *sql.Call:
		return b.call(e)
	case *sql.Star:
		return nil, refuse(e.Pos, "name the columns", "* is not an expression")
	case *sql.Tuple:
		return nil, refuse(e.Pos, "lists stand on the right of IN", "a list is not a value")
	case *sql.Interval:
		return nil, refuse(e.Pos, "intervals are added to times, and arguments of toStartOfInterval and tumble", "an interval is not a value")
	}
	return nil, refuse(e.Position(), "", "%s cannot stand in an expression", e)
}

func (b *binder) column(e *sql.Ident) (*node, error) {
	i := b.schema.Index(e.Name)
	if i >= 0 {
		return newColumn(e.Pos, i, b.schema.Columns[i]), nil
	}
	names := make([]string, len(b.schema.Columns))
	for i, c := range b.schema.Columns {
		names[i] = c.Name
	}
	return nil, refuse(e.Pos, suggest(e.Name, names), "there is no column %s", sql.QuoteName(e.Name))
}

// bindLiteral gives a constant the type that ClickHouse gives it: the smallest integer.
func bindLiteral(pos sql.Pos, value any) (*node, error) {
	var n *node
	switch v := value.(type) {
	case nil:
		n = newConstant(pos, valueType{base: nothing, nullable: true}, "NULL", func(v *event.Vector) { v.Nulls = []uint8{1} })
	case bool:
		n = newConstant(pos, valueType{base: boolean}, strconv.FormatBool(v), func(c *event.Vector) { c.AppendBool(v) })
	case int64:
		if v >= 0 {
			return bindLiteral(pos, uint64(v))
		}
		n = newConstant(pos, narrowest(true, uint64(-(v+1))), strconv.FormatInt(v, 10), func(c *event.Vector) { c.AppendInt64(v) })
		n.literal = true
	case uint64:
		n = newConstant(pos, narrowest(false, v), strconv.FormatUint(v, 10), func(c *event.Vector) { c.AppendUInt64(v) })
		n.literal = true
	case float64:
		n = newConstant(pos, valueType{base: float64s}, (&sql.Literal{Value: v}).String(), func(c *event.Vector) { c.AppendFloat64(v) })
		n.literal = true
	case string:
		n = newConstant(pos, valueType{base: text}, sql.QuoteString(v), func(c *event.Vector) { c.AppendString([]byte(v)) })
	default:
		return nil, refuse(pos, "", "constants of type %T are not supported", value)
	}
	return n, nil
}

// narrowest returns the smallest integer type with room for magnitude.
func narrowest(signed bool, magnitude uint64) valueType {
	bits := 8
	for ; bits < 64; bits *= 2 {
		limit := bits
		if signed {
			limit--
		}
		if magnitude < 1<<limit {
			break
		}
	}
	return integerOf(signed, bits)
}

// call is a function call while its entry binds it.
type call struct {
	pos  sql.Pos
	name string
	ast  []sql.Expr // arguments as parsed
	args []*node    // bound; nil where the entry binds them itself. Rules may convert them
	// text replaces the text that the entry's spelling would give; operator says that it
	// is an operator's.
	text     string
	operator bool
}

// binding is what an entry makes of a call.
type binding struct {
	typ   valueType // nullable is added for nullIfAnyArg
	run   kernel
	nulls nullRule
	size  func(args []operand, rows int) int
	// same, where not nil, is the argument that the call is equal to; run is nil then.
	same *node
}

func (b *binder) call(e *sql.Call) (*node, error) {
	if shifted, ok := shiftCall(e); ok {
		e = shifted
	}
	f, ok := registry.lookup(e.Name)
	if !ok {
		return nil, unknownFunction(e)
	}
	if len(e.Params) > 0 {
		return nil, refuse(e.Pos, "", "%s has no parameters", f.Name)
	}
	if len(e.Args) < f.Min || (f.Max >= 0 && len(e.Args) > f.Max) {
		return nil, refuse(e.Pos, "write "+f.Usage, "%s got %d arguments", f.Name, len(e.Args))
	}
	c := &call{pos: e.Pos, name: f.Name, ast: e.Args, args: make([]*node, len(e.Args))}
	for i, a := range e.Args {
		if f.syntax != nil && f.syntax(i) {
			continue
		}
		n, err := b.bind(a)
		if err != nil {
			return nil, err
		}
		c.args[i] = n
	}
	originals := append([]*node(nil), c.args...)
	r, err := f.bind(c)
	if err != nil {
		return nil, err
	}
	n := &node{pos: e.Pos, typ: r.typ, column: -1, run: r.run, nulls: r.nulls, size: r.size, text: c.text, operator: c.operator}
	if n.text == "" {
		n.text, n.operator = f.spell(fullColumns(originals, r.typ))
	}
	if len(n.text) > maxTextBytes {
		return nil, refuse(e.Pos, "split the expression", "the expression is too large")
	}
	for _, a := range originals {
		n.lowCardinality = n.lowCardinality || a != nil && a.lowCardinality
	}
	if r.same != nil {
		n.typ, n.column, n.constant, n.run, n.args, n.nulls, n.size = r.same.typ, r.same.column, r.same.constant, r.same.run, r.same.args, r.same.nulls, r.same.size
		if r.typ.base != nothing {
			n.typ = r.typ
		}
		return n, nil
	}
	for _, a := range c.args {
		if a != nil {
			n.args = append(n.args, a)
		}
	}
	if n.nulls == nullIfAnyArg {
		for _, a := range n.args {
			n.typ.nullable = n.typ.nullable || a.typ.nullable
		}
	}
	fold(n)
	return n, nil
}

// fullColumns takes LowCardinality away from the arguments of a function that gives a
// Float64: ClickHouse would compute it per dictionary entry and keep the results in a
// dictionary again, where -0 and 0 are one.
func fullColumns(args []*node, result valueType) []*node {
	if result.base != float64s {
		return args
	}
	full := make([]*node, len(args))
	for i, a := range args {
		full[i] = a
		if a != nil && a.lowCardinality {
			c := *a
			c.text, c.operator = fmt.Sprintf("CAST(%s AS %s)", a.text, a.typ.name()), false
			full[i] = &c
		} else if a != nil && a.constant == nil {
			return args // ClickHouse does without the dictionary by itself
		}
	}
	return full
}

// fold computes a node whose arguments are constants.
func fold(n *node) {
	for _, a := range n.args {
		if a.constant == nil {
			return
		}
	}
	s := &step{node: n}
	s.out.Type = n.typ.event()
	for _, a := range n.args {
		s.in = append(s.in, operand{a.constant, true})
	}
	s.compute(1)
	n.constant, n.run, n.args = &s.out, nil, nil
}

// mapArg returns a node that converts n by a kernel; in ClickHouse's text it is n.
func mapArg(n *node, t valueType, run kernel) *node {
	t.nullable = n.typ.nullable
	m := &node{
		pos: n.pos, typ: t, text: n.text, operator: n.operator, lowCardinality: n.lowCardinality,
		column: -1, run: run, args: []*node{n},
	}
	fold(m)
	return m
}

// unknownFunction says why a call that the registry lacks cannot stand where it does. The
// names of allowed can stand there too.
func unknownFunction(e *sql.Call, allowed ...string) error {
	if agg.Has(e.Name) {
		return refuse(e.Pos, "aggregate functions stand in the SELECT list and in HAVING of a view", "the aggregate function %s cannot stand here", e.Name)
	}
	if why, instead, ok := agg.Refused(e.Name); ok {
		return refuse(e.Pos, instead, "%s is refused: %s", e.Name, why)
	}
	if reason, ok := registry.refused[strings.ToLower(e.Name)]; ok {
		return refuse(e.Pos, reason.hint, "%s is refused: %s", e.Name, reason.why)
	}
	hint := "SHOW FUNCTIONS lists those of views"
	if near := sql.Nearest(e.Name, slices.Concat(registry.names, allowed)); near != "" {
		hint = "did you mean " + sql.QuoteName(near) + "? " + hint
	}
	return refuse(e.Pos, hint, "there is no function %s in views", sql.QuoteName(e.Name))
}

// suggest says which columns there are, the likely one first.
func suggest(name string, known []string) string {
	hint := ""
	if near := sql.Nearest(name, known); near != "" {
		hint = "did you mean " + sql.QuoteName(near) + "? "
	}
	return hint + "known columns: " + strings.Join(known, ", ")
}
