package plan

import (
	"fmt"
	"math"
	"strings"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sortkey"
)

// firstReached turns max(x) or min(x) into an aggregate of the same function whose value
// tells when the member first had that x: max(text(x, −time)) or min(text(x, time)), over
// texts of 16 bytes that compare as the pairs do. It has no name in SQL. ok is false for
// other aggregates, and for values that are no scores.
func firstReached(a Aggregate, stream *Stream) (Aggregate, bool) {
	name := strings.ToLower(strings.TrimSuffix(a.Func.Name, "If"))
	if name != "max" && name != "min" {
		return Aggregate{}, false
	}
	var value string // in ClickHouse, a UInt64 that compares as x does
	var write func(dst []byte, v *event.Vector, i int) []byte
	x := a.Args[0].(*bound)
	switch x.typ.Kind {
	case event.Int64:
		value = fmt.Sprintf("bitXor(reinterpretAsUInt64(%s), toUInt64(%d))", x.text, uint64(1<<63))
		write = func(dst []byte, v *event.Vector, i int) []byte { return sortkey.AppendInt64(dst, v.I64[i]) }
	case event.UInt64:
		value = x.text
		write = func(dst []byte, v *event.Vector, i int) []byte { return sortkey.AppendUInt64(dst, v.U64[i]) }
	case event.Float64:
		nan := uint64(0) // NaN counts only where there is nothing else
		if name == "min" {
			nan = math.MaxUint64
		}
		value = floatOrder(x.text, nan)
		write = func(dst []byte, v *event.Vector, i int) []byte {
			if math.IsNaN(v.F64[i]) {
				return sortkey.AppendUInt64(dst, nan)
			}
			return sortkey.AppendFloat64(dst, v.F64[i])
		}
	default:
		return Aggregate{}, false
	}
	key := pairText(x, value, write, name == "max", stream)
	args := []event.Type{key.typ}
	out := Aggregate{Args: []Expr{key}}
	if len(a.Args) > 1 { // the condition of -If
		name += "If"
		args = append(args, a.Args[1].Type())
		out.Args = append(out.Args, a.Args[1])
	}
	f, err := agg.Resolve(name, nil, args)
	if err != nil {
		return Aggregate{}, false // it takes every String
	}
	out.Func = f
	return out, true
}

// floatOrder is sortkey.AppendFloat64 in ClickHouse, as a UInt64.
func floatOrder(x string, nan uint64) string {
	bits := fmt.Sprintf("reinterpretAsUInt64(%s + 0.)", x)
	return fmt.Sprintf("multiIf(isNaN(%s), toUInt64(%d), bitShiftRight(%s, 63) = 1, bitNot(%s), bitXor(%s, toUInt64(%d)))",
		x, nan, bits, bits, bits, uint64(1<<63))
}

// pairText is the expression of the text of (x, time), or of (x, −time) where less time is
// to be more.
func pairText(x *bound, value string, write func([]byte, *event.Vector, int) []byte, inverted bool, stream *Stream) *bound {
	column := stream.Schema.Columns[stream.EventTime]
	at := newColumn(x.root.pos, stream.EventTime, column)
	ticks := "reinterpretAsInt64(" + at.text + ")"
	if column.Type.Kind == event.Date {
		ticks = "toInt64(toUInt16(" + at.text + "))"
	}
	time := fmt.Sprintf("bitXor(reinterpretAsUInt64(%s), toUInt64(%d))", ticks, uint64(1<<63))
	if inverted {
		time = "bitNot(" + time + ")"
	}
	// reverse makes the engine's little-endian bytes compare as the number does.
	pair := fmt.Sprintf("concat(reverse(reinterpretAsFixedString(%s)), reverse(reinterpretAsFixedString(%s)))", value, time)
	n := &node{
		pos: x.root.pos, typ: valueType{base: text, nullable: x.typ.Nullable}, column: -1, args: []*node{x.root, at},
		run: func(out *event.Vector, args []operand, rows int) {
			xs, times := args[0], args[1]
			xm, tm := xs.mask(), times.mask()
			texts := newTexts(out, rows)
			for i := range rows {
				texts.data = write(texts.data, xs.Vector, i&xm)
				from := len(texts.data)
				texts.data = sortkey.AppendInt64(texts.data, times.I64[i&tm])
				if inverted {
					sortkey.Complement(texts.data[from:])
				}
				texts.end(i)
			}
			texts.finish(out)
		},
		size: func(_ []operand, rows int) int { return 2 * sortkey.Size * rows },
	}
	n.text = fmt.Sprintf("CAST(%s AS %s)", pair, n.typ.name())
	return &bound{root: n, typ: n.typ.event(), text: n.text}
}

// ReachedAt reads the event time, in ticks, out of a value of firstReached's aggregate.
func (b *Board) ReachedAt(value []byte) int64 {
	if len(value) < 2*sortkey.Size {
		return 0 // of a member without a value, whose score is NULL
	}
	var at [sortkey.Size]byte
	copy(at[:], value[sortkey.Size:])
	if strings.HasPrefix(strings.ToLower(b.View.Aggregates[b.Tie].Func.Name), "max") {
		sortkey.Complement(at[:])
	}
	return sortkey.Int64(at[:])
}
