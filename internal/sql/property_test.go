package sql_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/sql"
)

// Any tree prints as SQL that reads as the same tree.
func TestPrintedExprReadsAsItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := exprs(4).Draw(t, "tree")
		text := e.String()
		again, err := sql.ParseExpr(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got, want := tree(again), tree(e); got != want {
			t.Fatalf("%s\n reads as %s\nwant     %s", text, got, want)
		}
		if again.String() != text {
			t.Fatalf("%s prints as %s", text, again)
		}
	})
}

var names = rapid.OneOf(
	rapid.StringMatching(`[A-Za-z_][A-Za-z0-9_]{0,5}`),
	rapid.SampledFrom([]string{"select", "From", "inf", "NULL", "interval", "case", "not", "date", "cast", "as", "desc"}),
	rapid.StringN(1, 8, -1),
)

var literals = rapid.Custom(func(t *rapid.T) sql.Expr {
	var value any
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
	case 1:
		value = rapid.Bool().Draw(t, "bool")
	case 2:
		value = rapid.Int64().Draw(t, "int")
	case 3:
		value = rapid.Uint64Min(math.MaxInt64+1).Draw(t, "uint")
	case 4:
		value = rapid.Float64().Draw(t, "float")
	case 5:
		value = rapid.SampledFrom([]float64{math.Inf(1), math.Inf(-1), math.NaN(), math.Copysign(0, -1), 1, 1e21}).Draw(t, "float")
	case 6:
		value = rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"\x00", "'", `\`, "\xff", `\%`, "\n\t\r"})).Draw(t, "string")
	}
	return &sql.Literal{Value: value}
})

// exprs draws trees as the parser makes them.
func exprs(depth int) *rapid.Generator[sql.Expr] {
	return rapid.Custom(func(t *rapid.T) sql.Expr {
		most := 8
		if depth == 0 {
			most = 2
		}
		arg := func(label string) sql.Expr { return exprs(depth-1).Draw(t, label) }
		args := func(least, most int) []sql.Expr {
			return rapid.SliceOfN(exprs(depth-1), least, most).Draw(t, "args")
		}
		switch rapid.IntRange(0, most).Draw(t, "node") {
		case 0, 1:
			return &sql.Ident{Name: names.Draw(t, "name")}
		case 2:
			return literals.Draw(t, "literal")
		case 3:
			op := rapid.SampledFrom([]string{
				"plus", "minus", "multiply", "divide", "modulo", "equals", "notEquals", "less", "greater",
				"lessOrEquals", "greaterOrEquals", "like", "notLike", "ilike", "notILike", "concat", "and", "or",
			}).Draw(t, "operator")
			return &sql.Call{Name: op, Args: []sql.Expr{arg("left"), arg("right")}}
		case 4:
			op := rapid.SampledFrom([]string{"not", "negate", "isNull", "isNotNull"}).Draw(t, "operator")
			return &sql.Call{Name: op, Args: []sql.Expr{arg("operand")}}
		case 5:
			op := rapid.SampledFrom([]string{"and", "or", "concat", "if", "f", "left", "in", "toDate"}).Draw(t, "function")
			return &sql.Call{Name: op, Args: args(2, 4)}
		case 6:
			op := rapid.SampledFrom([]string{"in", "notIn"}).Draw(t, "operator")
			return &sql.Call{Name: op, Args: []sql.Expr{arg("left"), &sql.Tuple{Items: args(1, 3)}}}
		case 7:
			return &sql.Call{Name: "quantile", Params: []sql.Literal{{Value: 0.5}}, Args: args(1, 2)}
		default:
			return &sql.Call{Name: "CAST", Args: []sql.Expr{arg("value"), &sql.Literal{Value: "Nullable(String)"}}}
		}
	})
}

// FuzzParse feeds any text: no panic, errors with a place in the text, and what is read
// prints as SQL that reads as the same again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"CREATE STREAM s (ts DateTime64(3, 'UTC'), a Nullable(Int64)) WITH (event_time = 'ts', partitions = 4)",
		"CREATE VIEW v AS SELECT a, quantile(0.5)(b) AS q FROM s WHERE c NOT IN (1, 'x', NULL) GROUP BY a, tumble(ts, INTERVAL 1 DAY) WITH (ttl = '7d')",
		"SELECT DISTINCT -a::Float64 + 0x1F, CASE b WHEN 1 THEN 'it''s' END x FROM (SELECT * FROM t) AS u ORDER BY a DESC NULLS FIRST LIMIT 1, 2",
		"SELECT `a``b`, \"c\\\"d\" /* /* x */ */ -- y\n, a BETWEEN 1 AND .5e-3 ? inf : - -1",
		"CREATE LEADERBOARD b AS SELECT a, max(c) FROM s GROUP BY a, tumble(ts, INTERVAL 1 DAY) WITH (tie = 'first')",
		"CREATE REPORT r SCHEDULE '@daily' TIME ZONE 'UTC' AS SELECT a[1], {p:Int64} FROM t -- x\n WITH (format = 'csv')",
		"SHOW CREATE VIEW v; DESCRIBE s; DROP VIEW IF EXISTS v; SHOW STREAMS",
		"SELECT DATE '2020-01-01', TIMESTAMP '2020-01-01 00:00:00.12', CAST(a AS Date), not(1), and(1, 2, 3), in(a, (1))",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		statements, err := sql.Parse(text)
		if err != nil {
			var e *sql.Error
			if !errors.As(err, &e) || e.Pos.Offset < 0 || e.Pos.Offset > len(text) || e.Pos.Line < 1 || e.Pos.Column < 1 {
				t.Fatalf("%q: error %v", text, err)
			}
			return
		}
		var printed []string
		for _, s := range statements {
			printed = append(printed, s.String())
		}
		joined := strings.Join(printed, ";\n")
		again, err := sql.Parse(joined)
		if err != nil {
			// Printing adds parentheses and writes BETWEEN twice: it may pass the limits.
			if strings.Contains(err.Error(), "nests deeper") || strings.Contains(err.Error(), "the limit is") {
				return
			}
			t.Fatalf("%q prints as %q: %v", text, joined, err)
		}
		for i, s := range again {
			if s.String() != printed[i] {
				t.Fatalf("%q prints as %q and then as %q", text, printed[i], s)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	const text = `CREATE VIEW page_hits AS
		SELECT page, count() AS hits, uniq(user_id) AS users, sum(price) AS revenue, quantile(0.95)(latency_ms) AS p95
		FROM clicks WHERE ok AND country IN ('CH', 'AT', 'DE') GROUP BY page, tumble(ts, INTERVAL 1 MINUTE)
		WITH (batch = '*/15 * * * *', ttl = '400d')`
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sql.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
