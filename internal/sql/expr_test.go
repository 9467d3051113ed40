package sql_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/sql"
)

// Each expression with its tree in prefix form and its canonical text.
func TestParseExpr(t *testing.T) {
	tests := []struct{ text, prefix, canonical string }{
		{"a", "a", "a"},
		{"`a b`", "a b", "`a b`"},
		{`"a""b"`, `a"b`, "`a\"b`"},
		{"from_", "from_", "from_"},
		{"date", "date", "date"},
		{"interval", "interval", "`interval`"},
		{"interval - 1", "minus(interval, 1)", "`interval` - 1"},
		{"`select`", "select", "`select`"},

		{"1", "1", "1"},
		{"-1", "-1", "-1"},
		{"- 1", "-1", "-1"},
		{"-(1)", "negate(1)", "-(1)"},
		{"-a", "negate(a)", "-a"},
		{"- -a", "negate(negate(a))", "-(-a)"},
		{"-f(a)", "negate(f(a))", "-f(a)"},
		{"-(a + b)", "negate(plus(a, b))", "-(a + b)"},
		{"a - -1", "minus(a, -1)", "a - -1"},
		{"a-1", "minus(a, 1)", "a - 1"},
		{"0x1F + 0b11", "plus(31, 3)", "31 + 3"},
		{"1_000", "1000", "1000"},
		{"007", "7", "7"},
		{"9223372036854775807", "9223372036854775807", "9223372036854775807"},
		{"-9223372036854775808", "-9223372036854775808", "-9223372036854775808"},
		{"18446744073709551615", "18446744073709551615", "18446744073709551615"},
		{"18446744073709551616", "1.8446744073709552e+19", "1.8446744073709552e+19"},
		{"1.", "1.0", "1.0"},
		{".5", "0.5", "0.5"},
		{"-0.0", "-0.0", "-0.0"},
		{"1e3", "1000.0", "1000.0"},
		{"inf + -INF + nan", "plus(plus(inf, -inf), nan)", "inf + -inf + nan"},
		{"NULL = true", "equals(NULL, true)", "NULL = true"},
		{`'it''s \'a\' \x41 \\ 100\% \q'`, `'it\'s \'a\' A \\ 100\\% \\q'`, `'it\'s \'a\' A \\ 100\\% \\q'`},
		{`'a\0b'`, `'a\0b'`, `'a\0b'`},

		{"a + b * c - d", "minus(plus(a, multiply(b, c)), d)", "a + b * c - d"},
		{"(a + b) * c", "multiply(plus(a, b), c)", "(a + b) * c"},
		{"a - (b - c)", "minus(a, minus(b, c))", "a - (b - c)"},
		{"a / b % c", "modulo(divide(a, b), c)", "a / b % c"},
		{"-a % b", "modulo(negate(a), b)", "-a % b"},
		{"a || b + c || d", "concat(a, plus(b, c), d)", "concat(a, b + c, d)"},
		{"a == b <> c", "notEquals(equals(a, b), c)", "a = b != c"},
		{"a = b IS NULL", "isNull(equals(a, b))", "a = b IS NULL"},
		{"a = (b IS NOT NULL)", "equals(a, isNotNull(b))", "a = (b IS NOT NULL)"},
		{"NOT a = b", "not(equals(a, b))", "NOT a = b"},
		{"not(a) = b", "not(equals(a, b))", "NOT a = b"},
		{"a = NOT b", "equals(a, not(b))", "a = (NOT b)"},
		{"a AND b and c OR NOT d AND e", "or(and(a, b, c), and(not(d), e))", "a AND b AND c OR NOT d AND e"},
		{"(a AND b) AND c", "and(and(a, b), c)", "(a AND b) AND c"},
		{"and(a, b, c)", "and(a, b, c)", "a AND b AND c"},
		{"OR(a, b)", "or(a, b)", "a OR b"},
		{"a BETWEEN 1 AND 2 AND b", "and(and(greaterOrEquals(a, 1), lessOrEquals(a, 2)), b)", "(a >= 1 AND a <= 2) AND b"},
		{"a NOT BETWEEN 1 AND 2", "or(less(a, 1), greater(a, 2))", "a < 1 OR a > 2"},
		{"a LIKE 'x%' AND b NOT LIKE c", "and(like(a, 'x%'), notLike(b, c))", "a LIKE 'x%' AND b NOT LIKE c"},
		{"a ILIKE b", "ilike(a, b)", "a ILIKE b"},
		{"a IN (1)", "in(a, tuple(1))", "a IN (1)"},
		{"a NOT IN (1, 'x', NULL)", "notIn(a, (1, 'x', NULL))", "a NOT IN (1, 'x', NULL)"},
		{"in(a, (1, 2))", "in(a, (1, 2))", "a IN (1, 2)"},
		{"(a, b) IN ((1, 2), (3, 4))", "in((a, b), ((1, 2), (3, 4)))", "(a, b) IN ((1, 2), (3, 4))"},
		{"in(a, 1)", "in(a, 1)", "in(a, 1)"},

		{"a ? b : c ? d : e", "if(a, b, if(c, d, e))", "if(a, b, if(c, d, e))"},
		{"CASE WHEN a THEN 1 WHEN b THEN 2 ELSE 3 END", "if(a, 1, if(b, 2, 3))", "if(a, 1, if(b, 2, 3))"},
		{"case x when 1 then 'a' end", "if(equals(x, 1), 'a', NULL)", "if(x = 1, 'a', NULL)"},
		{"a::Int64 + 1", "plus(CAST(a, 'Int64'), 1)", "CAST(a, 'Int64') + 1"},
		{"-a::Nullable(DateTime64(3, 'UTC'))", `negate(CAST(a, 'Nullable(DateTime64(3, \'UTC\'))'))`, `-CAST(a, 'Nullable(DateTime64(3, \'UTC\'))')`},
		{"-1::Int64", "CAST(-1, 'Int64')", "CAST(-1, 'Int64')"},
		{"cast(a AS LowCardinality(String))", "CAST(a, 'LowCardinality(String)')", "CAST(a, 'LowCardinality(String)')"},
		{"CAST(a, 'Date')", "CAST(a, 'Date')", "CAST(a, 'Date')"},
		{"DATE '2024-05-01'", "CAST('2024-05-01', 'Date')", "CAST('2024-05-01', 'Date')"},
		{"TIMESTAMP '2024-05-01 10:00:00.123'", `CAST('2024-05-01 10:00:00.123', 'DateTime64(3, \'UTC\')')`, `CAST('2024-05-01 10:00:00.123', 'DateTime64(3, \'UTC\')')`},
		{"count(*)", "count()", "count()"},
		{"COUNT ( * )", "COUNT()", "COUNT()"},
		{"quantile(0.95)(x)", "quantile(0.95)(x)", "quantile(0.95)(x)"},
		{"left(a, 1)", "left(a, 1)", "`left`(a, 1)"},
		{"tumble(ts, INTERVAL 5 minutes)", "tumble(ts, INTERVAL 5 MINUTE)", "tumble(ts, INTERVAL 5 MINUTE)"},
		{"INTERVAL '2 week'", "INTERVAL 2 WEEK", "INTERVAL 2 WEEK"},
		{"INTERVAL '-2' QUARTER", "INTERVAL -2 QUARTER", "INTERVAL -2 QUARTER"},
		{"interval -1 day", "INTERVAL -1 DAY", "INTERVAL -1 DAY"},
		{"a -- c\n /* x /* nested */ */ + # c\n b", "plus(a, b)", "a + b"},
	}
	for _, tt := range tests {
		e, err := sql.ParseExpr(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got := tree(e); got != tt.prefix {
			t.Errorf("%s:\n got tree %s\nwant      %s", tt.text, got, tt.prefix)
		}
		if got := e.String(); got != tt.canonical {
			t.Errorf("%s:\n prints %s\nwant    %s", tt.text, got, tt.canonical)
		}
		again, err := sql.ParseExpr(e.String())
		if err != nil || tree(again) != tree(e) {
			t.Errorf("%s: prints as %s, which reads as %v, %v", tt.text, e, again, err)
		}
	}
}

// tree shows an expression without any use of operators; it tells all trees apart.
func tree(e sql.Expr) string {
	join := func(items []sql.Expr) string {
		var s []string
		for _, i := range items {
			s = append(s, tree(i))
		}
		return "(" + strings.Join(s, ", ") + ")"
	}
	switch e := e.(type) {
	case *sql.Ident:
		return e.Name
	case *sql.Call:
		s := e.Name
		if len(e.Params) > 0 {
			var params []string
			for _, p := range e.Params {
				params = append(params, p.String())
			}
			s += "(" + strings.Join(params, ", ") + ")"
		}
		return s + join(e.Args)
	case *sql.Tuple:
		if len(e.Items) == 1 {
			return "tuple" + join(e.Items)
		}
		return join(e.Items)
	}
	return e.String()
}

func TestColumnName(t *testing.T) {
	for text, want := range map[string]string{
		"`a b`":                 "a b",
		"-a + 1":                "plus(negate(a), 1)",
		"sum(x) / count(*)":     "divide(sum(x), count())",
		"quantile(0.5)(`x y`)":  "quantile(0.5)(`x y`)",
		"a IN (1, 2) AND NOT b": "and(in(a, (1, 2)), not(b))",
	} {
		e, err := sql.ParseExpr(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := sql.ColumnName(e); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestExprErrors(t *testing.T) {
	tests := []struct {
		text         string
		line, column int
		message      string
	}{
		{"", 1, 1, "expected an expression, found the end of the text"},
		{"a +", 1, 4, "expected an expression, found the end of the text"},
		{"a +\n  )", 2, 3, `expected an expression, found ")"`},
		{"é", 1, 1, "the character 'é' has no meaning here; put a name"},
		{"'é' + 'ü' ; b", 1, 11, `expected the end of the text, found ";"`},
		{"a b", 1, 3, `expected the end of the text, found "b"`},
		{"t.a", 1, 1, "the column's name is qualified"},
		{"f(a", 1, 4, `expected "," or ")", found the end of the text`},
		{"f(DISTINCT a)", 1, 3, "DISTINCT has no meaning in f; count different values with uniq(x)"},
		{"f(*)", 1, 3, "* stands alone in SELECT, or in count(*)"},
		{"f(a)(b)", 1, 3, "a parameter of f is not a constant"},
		{"f()(b)", 1, 4, "f has two argument lists"},
		{"a IN b", 1, 6, "expected a list in parentheses"},
		{"a IN (SELECT 1)", 1, 7, `expected an expression, found "SELECT"`},
		{"a IN ()", 1, 7, "expected an expression"},
		{"(SELECT 1)", 1, 2, "a query is not an expression here"},
		{"a NOT b", 1, 3, `expected the end of the text, found "NOT"`},
		{"a NOT 'like' b", 1, 3, `expected the end of the text, found "NOT"`},
		{"a BETWEEN 1 OR 2", 1, 13, `expected AND, found "OR"`},
		{"a IS 1", 1, 6, `expected NULL, found "1"`},
		{"CASE a END", 1, 8, `expected WHEN, found "END"`},
		{"CASE WHEN a THEN b", 1, 19, "expected END"},
		{"a ? b", 1, 6, `expected ":"`},
		{"CAST(a)", 1, 7, "expected AS and a type"},
		{"CAST(a, b)", 1, 9, "expected a type as a string"},
		{"a::1", 1, 4, "expected a type"},
		{"INTERVAL 1", 1, 11, "nothing is not a unit of time; units are second"},
		{"INTERVAL 1 fortnight", 1, 12, "fortnight is not a unit of time"},
		{"INTERVAL 1.5 day", 1, 10, "expected a whole number"},
		{"1e400", 1, 1, "1e400 is beyond the largest number"},
		{"0x1FFFFFFFFFFFFFFFF", 1, 1, "beyond the largest number"},
		{"12abc", 1, 1, "12abc is not a number"},
		{"'abc", 1, 1, "the string that begins here has no end"},
		{"a + `b", 1, 5, "the quoted name that begins here has no end"},
		{"``", 1, 1, "a name is empty"},
		{`'\x4'`, 1, 2, "the escape sequence is cut short"},
		{"a /* b", 1, 3, "the comment that begins here has no end"},
		{"a \xff", 1, 3, "byte 0xFF is not UTF-8"},
		{strings.Repeat("(", 201) + "a", 1, 201, "nests deeper than 200 levels"},
		{"---a", 1, 5, "expected an expression, found the end of the text"},
		{strings.Repeat("a + ", 250) + "a", 1, 999, "nests deeper than 200 levels"},
		{"a" + strings.Repeat(" BETWEEN 1 AND 2", 30), 1, 0, "repeats too large an expression"},
		{strings.Repeat(" ", sql.MaxTextBytes+1), 1, 1, "the limit is 262144"},
	}
	for _, tt := range tests {
		_, err := sql.ParseExpr(tt.text)
		var e *sql.Error
		if !errors.As(err, &e) {
			t.Errorf("%.60q: no *sql.Error but %v", tt.text, err)
			continue
		}
		if e.Pos.Line != tt.line || tt.column != 0 && e.Pos.Column != tt.column || !strings.Contains(e.Error(), tt.message) {
			t.Errorf("%.60q:\n got %v\nwant %d:%d %s", tt.text, e, tt.line, tt.column, tt.message)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"Int64", "UInt64", "String", "DateTime64"}
	for name, want := range map[string]string{"int64": "Int64", "Int32": "", "Sting": "String", "Datetime": "DateTime64", "DateTime6": "DateTime64", "x": ""} {
		if got := sql.Nearest(name, known); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
