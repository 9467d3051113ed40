package query

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/problem"
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
		if c, ok := e.(*sql.Call); ok && !allowed[c.Name] && refused == nil {
			refused = &sql.Error{Pos: c.Pos, Msg: fmt.Sprintf("function %s is not known here", c.Name), Hint: "SHOW FUNCTIONS lists those of views"}
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

// engineProblem gives a refusal by the engine the status of a bad query; what is no
// refusal (the engine is restarting) is a passing fault.
func engineProblem(err error) error {
	var refusal *clickhouse.Error
	if errors.As(err, &refusal) {
		return problem.New(http.StatusBadRequest, "query-refused", refusal.Message, "")
	}
	return err
}
