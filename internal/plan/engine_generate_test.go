package plan

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

// generator writes random expressions over testSchema as a user would. Many are of wrong
// types, and are refused; that is part of the test.
type generator struct{ r *rand.Rand }

// value writes an expression of one of the classes: n(umber), i(nteger), s(tring),
// b (condition), t(ime), * (any).
func (g generator) value(class byte, depth int) string {
	if class == '*' {
		class = pickOne(g.r, []byte("niisbtt"))
	}
	if depth == 0 || g.r.IntN(3) == 0 {
		return g.leaf(class)
	}
	var names []string
	switch class {
	case 'n':
		names = []string{"plus", "minus", "multiply", "divide", "modulo", "moduloOrZero", "negate", "abs", "if", "coalesce", "toFloat64", "toFloat64OrZero", "ifNull", "nullIf"}
	case 'i':
		names = []string{"plus", "minus", "multiply", "intDiv", "intDivOrZero", "modulo", "moduloOrZero", "negate", "abs", "if", "coalesce", "length", "toInt64", "toUInt64", "toInt64OrNull", "toUInt64OrZero", "toHour", "toYear", "toDayOfWeek", "position", "multiIf"}
	case 's':
		names = []string{"lower", "upper", "substring", "concat", "toString", "if", "coalesce", "trimBoth", "ifNull", "nullIf"}
	case 'b':
		names = []string{"equals", "notEquals", "less", "greater", "lessOrEquals", "greaterOrEquals", "and", "or", "xor", "not", "isNull", "isNotNull", "in", "notIn", "like", "ilike", "startsWith", "endsWith", "toBool"}
	case 't':
		names = []string{"toStartOfHour", "toStartOfDay", "toStartOfMonth", "toMonday", "toStartOfSecond", "toDate", "toDateTime64", "if", "coalesce", "toStartOfInterval"}
	}
	return g.call(pickOne(g.r, names), depth)
}

var leafColumns = map[byte][]string{
	'n': {"f", "nf", "i", "ni", "u", "nu", "b", "f"},
	'i': {"i", "j", "ni", "u", "nu", "b", "nb"},
	's': {"s", "s2", "ns", "lc", "nlc", "s"},
	'b': {"b", "nb"},
	't': {"d", "nd", "t0", "t3", "nt3", "t6", "t9"},
}

func (g generator) leaf(class byte) string {
	if g.r.IntN(3) > 0 {
		return pickOne(g.r, leafColumns[class])
	}
	return g.literal(class)
}

func (g generator) literal(class byte) string {
	switch class {
	case 'i':
		if g.r.IntN(2) == 0 {
			return strconv.FormatUint(pickOne(g.r, edgeUints), 10)
		}
		return strconv.FormatInt(pickOne(g.r, edgeInts), 10)
	case 'n':
		if g.r.IntN(2) == 0 {
			return g.literal('i')
		}
		for {
			if f := randomFloat(g.r, true); f == f { // NaN literals are for users who ask for it
				return (&sql.Literal{Value: f}).String()
			}
		}
	case 's':
		return sql.QuoteString(randomText(g.r, g.r.IntN(2) == 0))
	case 'b':
		return pickOne(g.r, []string{"true", "false"})
	}
	return g.timeLiteral()
}

func (g generator) timeLiteral() string {
	switch precision := pickOne(g.r, []uint8{0, 3, 3, 6, 9}); g.r.IntN(3) {
	case 0:
		return "toDate('" + string(appendDate(nil, pickOne(g.r, edgeDays))) + "')"
	default:
		t := string(appendTime(nil, randomTime(g.r, true, precision), int(precision)))
		return fmt.Sprintf("toDateTime64('%s', %d, 'UTC')", t, precision)
	}
}

// call writes a call of a function, as an operator where it is one.
func (g generator) call(name string, depth int) string {
	d := depth - 1
	if forms, ok := shapes[name]; ok {
		return g.fill(name, forms, d)
	}
	v := func(class byte) string { return g.value(class, d) }
	operator := func(class byte, symbol string) string {
		return "(" + v(class) + " " + symbol + " " + v(class) + ")"
	}
	list := func(classes string) string {
		parts := make([]string, len(classes))
		for i := range classes {
			parts[i] = v(classes[i])
		}
		return name + "(" + strings.Join(parts, ", ") + ")"
	}
	class := pickOne(g.r, []byte("nisbt"))
	numeric := pickOne(g.r, []byte("ni"))
	switch name {
	case "plus", "minus", "multiply", "divide":
		symbol := map[string]string{"plus": "+", "minus": "-", "multiply": "*", "divide": "/"}[name]
		return operator(numeric, symbol)
	case "modulo", "intDiv":
		divisor := g.literal('i')
		if g.r.IntN(4) == 0 {
			divisor = g.literal('n')
		}
		return name + "(" + v(numeric) + ", " + divisor + ")"
	case "intDivOrZero", "moduloOrZero":
		return list(pickOne(g.r, []string{"ii", "ii", "nn"}))
	case "negate", "abs":
		return list(string(numeric))
	case "equals", "notEquals", "less", "greater", "lessOrEquals", "greaterOrEquals":
		symbol := map[string]string{"equals": "=", "notEquals": "!=", "less": "<", "greater": ">", "lessOrEquals": "<=", "greaterOrEquals": ">="}[name]
		if class == 't' && g.r.IntN(3) == 0 {
			return "(" + v('t') + " " + symbol + " '" + string(appendTime(nil, randomTime(g.r, true, 3), 3))[:[]int{10, 19, 23}[g.r.IntN(3)]] + "')"
		}
		return operator(class, symbol)
	case "and", "or":
		return operator(pickOne(g.r, []byte("bbbi")), name)
	case "xor":
		return list(pickOne(g.r, []string{"bb", "bbb", "bi"}))
	case "not":
		return "(NOT " + v(pickOne(g.r, []byte("bbi"))) + ")"
	case "if":
		return list("b" + strings.Repeat(string(class), 2))
	case "multiIf":
		return list("b" + string(class) + "b" + strings.Repeat(string(class), 2))
	case "coalesce":
		return list(strings.Repeat(string(class), 1+g.r.IntN(3)))
	case "ifNull", "nullIf":
		return list(strings.Repeat(string(class), 2))
	case "isNull", "isNotNull", "assumeNotNull", "toString":
		return list("*")
	case "in", "notIn":
		operator := map[string]string{"in": " IN (", "notIn": " NOT IN ("}[name]
		if class == 't' {
			return "(" + v('t') + operator + "'" + string(appendDate(nil, pickOne(g.r, edgeDays))) + "', '2024-05-01'))"
		}
		items := make([]string, 1+g.r.IntN(12))
		for i := range items {
			items[i] = g.literal(class)
		}
		if g.r.IntN(4) == 0 {
			items = append(items, "NULL")
		}
		return "(" + v(class) + operator + strings.Join(items, ", ") + "))"
	case "like", "notLike", "ilike", "notILike":
		operator := map[string]string{"like": "LIKE", "notLike": "NOT LIKE", "ilike": "ILIKE", "notILike": "NOT ILIKE"}[name]
		return "(" + v('s') + " " + operator + " " + sql.QuoteString(g.pattern()) + ")"
	case "length", "lower", "upper", "trimBoth", "trimLeft", "trimRight":
		return list("s")
	case "substring":
		return list(pickOne(g.r, []string{"si", "sii"}))
	case "concat":
		return list(pickOne(g.r, []string{"ss", "s*", "*s*"}))
	case "startsWith", "endsWith", "position":
		return list("ss")
	case "toStartOfInterval":
		unit := pickOne(g.r, []string{"1 SECOND", "15 SECOND", "5 MINUTE", "1 HOUR", "6 HOUR", "48 HOUR", "1 DAY", "3 DAY", "1 WEEK", "2 WEEK", "1 MONTH", "5 MONTH", "1 QUARTER", "3 QUARTER", "1 YEAR", "7 YEAR"})
		return "toStartOfInterval(" + v('t') + ", INTERVAL " + unit + ")"
	case "toInt64", "toUInt64", "toFloat64":
		return list(pickOne(g.r, []string{"n", "i", "t", "b"}))
	case "toBool":
		return list(pickOne(g.r, []string{"n", "i", "b"}))
	case "toDate":
		return list("t")
	case "toDateTime64":
		return fmt.Sprintf("toDateTime64(%s, %d, 'UTC')", v('t'), g.r.IntN(event.MaxPrecision))
	case "CAST":
		to := pickOne(g.r, []string{"Int64", "UInt64", "Float64", "String", "Bool", "Date", "DateTime64(3, 'UTC')"})
		if g.r.IntN(2) == 0 {
			to = "Nullable(" + to + ")"
		}
		return "CAST(" + v('*') + " AS " + to + ")"
	}
	return list("t") // the others are functions of a time
}

func (g generator) pattern() string {
	alphabet := []string{"a", "b", "c", "A", "%", "%", "_", " ", "é", "\xff", "\\%", "\\_", "\\\\", "s", "k", "1"}
	s := ""
	for range g.r.IntN(6) {
		s += pickOne(g.r, alphabet)
	}
	return s
}
