package plan

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

func bindText(t testing.TB, text string) (Expr, error) {
	t.Helper()
	e, err := sql.ParseExpr(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return BindExpr(e, testSchema)
}

func TestRefusals(t *testing.T) {
	cases := []struct {
		text   string
		column int
		says   string // in message or hint
	}{
		{"lengt(s)", 1, "did you mean length?"},
		{"1 + lengt(s)", 5, "there is no function lengt in views"},
		{"1 + qqqqq(s)", 5, "SHOW FUNCTIONS"},
		{"JSONExtractStrin(s, 'a')", 1, "did you mean JSONExtractString?"},
		{"i + pric", 5, "known columns: n, b"},
		{"s2_ = 'a'", 1, "did you mean s2?"},
		{"s + 1", 1, "argument 1 of plus must be a number, not String"},
		{"s = 1", 3, "String cannot be compared with UInt8"},
		{"d = 'yesterday'", 5, `"yesterday" is not a time`},
		{"d = '2024-02-30'", 5, "is not a time"},
		{"d = '1969-12-31'", 5, "is not a Date"},
		{"t3 > s", 6, "compare with a constant"},
		{"now()", 1, "recomputation would differ"},
		{"sum(i)", 1, "aggregate function sum cannot stand here"},
		{"toInt64(s)", 1, "use toInt64OrNull or toInt64OrZero"},
		{"CAST(s AS Float64)", 1, "use toFloat64OrNull"},
		{"toDate(s)", 1, "declare the column"},
		{"intDiv(i, j)", 11, "intDivOrZero"},
		{"i % 0", 5, "division by zero"},
		{"intDiv(i, -1)", 11, "use negate"},
		{"CAST(ni AS Int64)", 1, "Nullable(Int64)"},
		{"x'", 0, ""},
		{"if(b, i, f)", 10, "Int64 and Float64 have no common type"},
		{"if(b, i, u)", 10, "Int64 and UInt64 have no common type"},
		{"if(i, 1, 2)", 4, "compare it"},
		{"NULL", 1, "NULL alone has no type"},
		{"i + NULL", 5, "is always NULL"},
		{"coalesce(NULL, NULL)", 1, "is NULL"},
		{"i IN (1, j)", 10, "constants only"},
		{"i IN ('a')", 7, "cannot be in a list of Int64"},
		{"f IN (nan)", 7, "NaN"},
		{"s LIKE s2", 8, "must be a constant"},
		{`s LIKE 'a\\'`, 8, "ends in a backslash"},
		{"s ILIKE 'é'", 9, "beyond ASCII"},
		{"substring(s, 0)", 14, "the first byte is 1"},
		{"substring(s)", 1, "write substring(s, offset[, length])"},
		{"toStartOfHour(d)", 15, "must be a DateTime64, not Date"},
		{"toStartOfInterval(t3, 5)", 23, "must be an interval"},
		{"toStartOfInterval(t3, INTERVAL 7 HOUR)", 23, "divide a day"},
		{"toDateTime64(t3, 9)", 1, "has no room"},
		{"t9 > t3", 4, "has no room"},
		{"toDateTime64('2024-05-01', 10)", 28, "from 0 to 9"},
		{"toDateTime64(t3, 3, 'Europe/Berlin')", 21, "all times are UTC"},
		{"toUInt64(t3)", 1, "use toInt64"},
		{"CAST(s AS LowCardinality(String))", 11, "leave LowCardinality out"},
		{"CAST(s AS Decimal(3))", 11, "Decimal"},
		{"length(1)(s)", 1, "no parameters"},
		{"(1, 2)", 1, "a list is not a value"},
		{"gcd(i, j)", 1, "fails in ClickHouse"},
		{"1 + exp(f)", 5, "mathematics library"},
		{"domainRFC(s)", 1, "use domain"},
		{"round(f, i)", 10, "must be a constant"},
		{"round(f, 19)", 10, "from -18 to 18"},
		{"round(toInt8(i), -1)", 7, "takes 64-bit numbers, not Int8"},
		{"least(i, u)", 10, "no common type"},
		{"bitShiftLeft(i, j)", 17, "must be an unsigned integer"},
		{"bitTest(toUInt8(u), 8)", 21, "from 0 to 7"},
		{"repeat(s, i)", 11, "a constant from 0 to 1000"},
		{"leftPad(s, 1001)", 12, "from 0 to 1000"},
		{"match(s, s2)", 10, "argument 2 of match must be a constant"},
		{"match(s, '(')", 10, "missing closing )"},
		{"match(s, '\\\\pL')", 10, "classes of Unicode"},
		{"replaceRegexpAll(s, 'a*', '')", 21, "matches an empty text"},
		{"replaceRegexpAll(s, 'a', '\\\\1')", 26, "names group 1 of 0"},
		{"dateDiff('eon', d, t3)", 10, "from 'second' to 'year'"},
		{"formatDateTime(t3, '%f')", 20, "%f is no placeholder"},
		{"d + INTERVAL 1 HOUR", 1, "must be a DateTime64, not Date"},
		{"t3 + INTERVAL 101 YEAR", 6, "from -100 to 100"},
		{"addDays(t9, 1)", 9, "no room for all shifted times"},
		{"addDays(d, i)", 12, "must be a constant"},
		{"JSONHas(s, s2)", 12, "must be a constant"},
		{"JSONType(ns)", 10, "use ifNull"},
		{"toInt8OrDefault(s, 5)", 20, "write toInt8("},
		{"cityHash64(toInt8(i))", 12, "must be a String, Int64 or UInt64"},
	}
	for _, c := range cases {
		e, err := sql.ParseExpr(c.text)
		if c.column == 0 {
			if err == nil {
				t.Errorf("%s: parsed", c.text)
			}
			continue
		}
		if err == nil {
			_, err = BindExpr(e, testSchema)
		}
		var refused *sql.Error
		if !errors.As(err, &refused) {
			t.Errorf("%s: not refused, but %v", c.text, err)
			continue
		}
		if !strings.Contains(refused.Error(), c.says) {
			t.Errorf("%s: says %q, not %q", c.text, refused, c.says)
		}
		if refused.Pos.Column != c.column {
			t.Errorf("%s: refused at column %d, not %d: %v", c.text, refused.Pos.Column, c.column, refused)
		}
	}
}

func TestBoundText(t *testing.T) {
	cases := []struct{ text, want, typ string }{
		{"i", "i", "Int64"},
		{"lc", "lc", "LowCardinality(String)"},
		{"lower(lc)", "CAST(lower(lc) AS String)", "String"},
		{"i + 1 * 2", "i + (1 * 2)", "Int64"},
		{"NOT b", "NOT b", "Bool"},
		{"(NOT i) = 1", "CAST((NOT i) = 1 AS Bool)", "Bool"},
		{"b AND i > 0 AND s = 'a'", "b AND (i > 0) AND (s = 'a')", "Bool"},
		{"i > 0", "CAST(i > 0 AS Bool)", "Bool"},
		{"toHour(t3)", "CAST(toHour(t3) AS UInt64)", "UInt64"},
		{"toStartOfHour(nt3)", "CAST(toStartOfHour(nt3) AS Nullable(DateTime64(0, 'UTC')))", "Nullable(DateTime64(0, 'UTC'))"},
		{"s || 'x'", "concat(s, 'x')", "String"},
		{"SUBSTR(s, 2)", "substring(s, 2)", "String"},
		{"toDateTime64('2024-05-01', 3)", "toDateTime64('2024-05-01', 3, 'UTC')", "DateTime64(3, 'UTC')"},
		{"ni::Nullable(Float64)", "CAST(ni AS Nullable(Float64))", "Nullable(Float64)"},
		{"CASE WHEN b THEN 'x' END", "if(b, 'x', NULL)", "Nullable(String)"},
		{"i NOT IN (1, 2)", "CAST(i NOT IN (1, 2) AS Bool)", "Bool"},
		{"i - -5", "i - -5", "Int64"},
		{"-(-i)", "negate(negate(i))", "Int64"},
	}
	for _, c := range cases {
		e, err := bindText(t, c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if e.ClickHouse() != c.want || e.Type().String() != c.typ {
			t.Errorf("%s\n  is   %s, %s\n  not  %s, %s", c.text, e.ClickHouse(), e.Type(), c.want, c.typ)
		}
	}
	e, _ := bindText(t, "i > 0 AND j > 0")
	if got := Condition(e); got != "(i > 0) AND (j > 0)" {
		t.Errorf("condition: %s", got)
	}
	seen := map[int]bool{}
	e.Columns(seen)
	if len(seen) != 2 || !seen[testSchema.Index("i")] || !seen[testSchema.Index("j")] {
		t.Errorf("columns: %v", seen)
	}
}

// TestRowsAreIndependent: a row's value does not depend on the rows beside it, on what
// the evaluator computed before, or on whether Nulls is left out.
func TestRowsAreIndependent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		g := generator{r: r}
		f := pickOne(r, Functions())
		var tr trial
		var err error
		for range 50 {
			if tr, err = newTrial(g.call(f.Name, 2)); err == nil {
				break
			}
		}
		if err != nil {
			return
		}
		eval := Compile(tr.bound)
		eval2 := Compile(tr.bound)
		for range 2 {
			rows := 1 + r.IntN(40)
			b := randomBatch(r, testSchema, rows)
			all, err := eval.Eval(b.Columns, rows)
			if err != nil || all.Len() != rows {
				rt.Fatalf("%s: %d rows, %v", tr.text, all.Len(), err)
			}
			for i := range rows {
				one := event.NewBatch(testSchema)
				one.AppendRange(b, i, i+1)
				for c := range one.Columns {
					if v := &one.Columns[c]; len(v.Nulls) == 1 && v.Nulls[0] == 0 {
						v.Nulls = nil
					}
				}
				alone, err := eval2.Eval(one.Columns, 1)
				if err != nil || !sameValue(all.Value(i), alone.Value(0)) {
					rt.Fatalf("%s: row %d is %#v among others, %#v alone, %v", tr.text, i, all.Value(i), alone.Value(0), err)
				}
			}
		}
	})
}

func TestStringsHaveALimit(t *testing.T) {
	const rows = MaxStringBytes>>17 + 1
	e, err := bindText(t, "concat(s, '"+strings.Repeat("x", 1<<17)+"')")
	if err != nil {
		t.Fatal(err)
	}
	b := randomBatch(rand.New(rand.NewPCG(1, 1)), testSchema, rows)
	if _, err := Compile(e).Eval(b.Columns, rows); err == nil || !strings.Contains(err.Error(), "over the limit") {
		t.Errorf("made a text of 256 MiB: %v", err)
	}
}

// FuzzLike compares the matcher's quick ways with its general one, and looks for panics.
func FuzzLike(f *testing.F) {
	f.Add("%a_c%", "xabc", false)
	f.Add("a%\\%", "a\xff%", true)
	f.Fuzz(func(t *testing.T, pattern, s string, anyCase bool) {
		p, problem := parsePattern([]byte(pattern), anyCase)
		if problem != "" {
			return
		}
		quick := p.matcher()([]byte(s))
		if _, plain := p.plain(); plain && !anyCase && quick != p.match([]byte(s)) {
			t.Errorf("%q LIKE %q: %v and %v", s, pattern, quick, !quick)
		}
	})
}
