package sql_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/sql"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// An expression and its canonical text are the same tree to the engine's own parser, so
// that operators bind here as they bind there.
func TestOperatorsBindAsInTheEngine(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := infix(4).Draw(rt, "expression")
		e, err := sql.ParseExpr(text)
		if err != nil && strings.Contains(err.Error(), "cannot follow a list") {
			rt.Skip("ambiguous, and refused")
		}
		if err != nil {
			rt.Fatalf("%s: %v", text, err)
		}
		if got, want := engineTree(t, e.String()), engineTree(t, text); got != want {
			rt.Fatalf("%s prints as %s\nengine's tree of the first:\n%s\nof the second:\n%s", text, e, want, got)
		}
	})
}

func engineTree(t *testing.T, expression string) string {
	t.Helper()
	b, err := enginetest.Client(t).QueryBatch(t.Context(), "EXPLAIN AST SELECT "+expression)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	var lines []string
	for row := range b.Rows {
		lines = append(lines, string(b.Columns[0].Str.At(row)))
	}
	return strings.Join(lines, "\n")
}

// infix draws texts of operators, with few parentheses.
func infix(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if depth == 0 {
			return rapid.SampledFrom([]string{"a", "b", "f(c)", "1", "-2", "0.5", "'x'", "NULL", "d::Int64"}).Draw(t, "leaf")
		}
		part := func(label string) string { return infix(depth-1).Draw(t, label) }
		switch rapid.IntRange(0, 8).Draw(t, "form") {
		case 0:
			return part("leaf")
		case 1:
			return "NOT " + part("operand")
		case 2:
			return "- " + rapid.SampledFrom([]string{"a", "f(b)", "(c)", "(a + b)", "d::Float64"}).Draw(t, "operand")
		case 3:
			return part("operand") + rapid.SampledFrom([]string{" IS NULL", " IS NOT NULL", " IN (1, 2)", " NOT IN ('x', 'y')"}).Draw(t, "suffix")
		case 4:
			return part("x") + rapid.SampledFrom([]string{" BETWEEN ", " NOT BETWEEN "}).Draw(t, "between") +
				infix(0).Draw(t, "low") + " AND " + infix(0).Draw(t, "high")
		case 5:
			return "(" + part("operand") + ")"
		default:
			op := rapid.SampledFrom([]string{"+", "-", "*", "/", "%", "||", "=", "==", "!=", "<>", "<", "<=", ">", ">=", "AND", "OR", "LIKE", "NOT LIKE", "ILIKE"}).Draw(t, "operator")
			return part("left") + " " + op + " " + part("right")
		}
	})
}

// Strings and names are decoded as the engine decodes them, and quoted so that it reads
// the same bytes again.
func TestQuotingAsInTheEngine(t *testing.T) {
	client := enginetest.Client(t)
	rapid.Check(t, func(rt *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("\\'`\"\x00\n\t\r%_/NnxA0é")))).Draw(rt, "string")
		b, err := client.QueryBatch(t.Context(), "SELECT "+sql.QuoteString(value)+" AS s")
		if err != nil {
			rt.Fatalf("%q: %v", value, err)
		}
		if got := string(b.Columns[0].Str.At(0)); got != value {
			rt.Fatalf("%q is %q to the engine", value, got)
		}
		if value == "" {
			return
		}
		name := "n" + value
		if _, err = client.QueryBatch(t.Context(), "SELECT 1 AS "+sql.QuoteName(name)); err != nil {
			rt.Fatalf("%q: %v", name, err)
		}
	})
	for _, text := range []string{`'\d\%\_\x41\N\/\"'`, `'a''b\'c'`, `'\b\f\a\v\e\0'`, `'\é\?'`} {
		l, err := sql.ParseExpr(text)
		if err != nil {
			t.Fatal(err)
		}
		b, err := client.QueryBatch(t.Context(), "SELECT "+text+" AS s")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := l.(*sql.Literal).Value, string(b.Columns[0].Str.At(0)); got != want {
			t.Errorf("%s: %q, to the engine it is %q", text, got, want)
		}
	}
}
