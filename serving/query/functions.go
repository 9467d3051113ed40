package query

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
)

// engineFunctions are ClickHouse functions that a SELECT may use beside those of the
// view language: pure functions of their arguments, which open nothing and reveal nothing.
var engineFunctions = []string{
	"abs", "ceil", "exp", "floor", "greatest", "intDiv", "least", "log", "log10", "log2", "pow", "round", "sign", "sqrt",
	"toString", "toInt32", "toUInt32", "toUInt8", "toFloat32", "toDateTime", "toUnixTimestamp", "toYYYYMM", "toYYYYMMDD", "toISOWeek", "toWeek",
	"formatDateTime", "dateDiff", "date_diff", "toIntervalDay", "toIntervalHour", "toIntervalMinute",
	"base64Encode", "base64Decode", "cityHash64", "hex", "lengthUTF8", "lowerUTF8", "match", "extract", "replace", "replaceAll",
	"replaceRegexpAll", "reverse", "splitByChar", "trim", "upperUTF8", "xxHash64", "JSONExtractString", "JSONExtractInt",
	"JSONExtractFloat", "JSONExtractBool", "JSONExtractRaw", "JSONHas", "tuple", "array",
	"any", "anyLast", "argMax", "argMin", "avgWeighted", "corr", "median", "quantileExact", "stddevPop", "stddevSamp", "topK",
	"uniqExact", "varPop", "varSamp",
}

// checkFunctions refuses a SELECT that calls what is not known to be pure.
func checkFunctions(s *sql.Select) error {
	allowed := map[string]bool{}
	for _, f := range plan.Functions() {
		allowed[f.Name] = true
		for _, alias := range f.Aliases {
			allowed[alias] = true
		}
	}
	for _, list := range [][]string{agg.Known(), engineFunctions} {
		for _, f := range list {
			allowed[f] = true
		}
	}
	var refused error
	check := func(e sql.Expr) bool {
		c, ok := e.(*sql.Call)
		switch {
		case !ok || refused != nil:
		case !allowed[c.Name]:
			refused = &sql.Error{Pos: c.Pos, Msg: fmt.Sprintf("function %s is not known here", c.Name), Hint: "SHOW FUNCTIONS lists those of views"}
		case (c.Name == "in" || c.Name == "notIn") && !isList(c):
			// The engine would take a name there for one of its own tables.
			refused = &sql.Error{Pos: c.Pos, Msg: "what follows IN is not a list", Hint: "write x IN (a, b, …)"}
		}
		return refused == nil
	}
	for q := s; q != nil; q = q.Sub {
		exprs := slices.Clone(q.GroupBy)
		for _, i := range q.Items {
			exprs = append(exprs, i.Expr)
		}
		for _, o := range q.OrderBy {
			exprs = append(exprs, o.Expr)
		}
		for _, e := range append(exprs, q.Where, q.Having) {
			if e != nil {
				sql.Walk(e, check)
			}
		}
	}
	return refused
}

// isList reports whether the right side of IN is a list of values.
func isList(in *sql.Call) bool {
	if len(in.Args) != 2 {
		return false
	}
	_, ok := in.Args[1].(*sql.Tuple)
	return ok
}
