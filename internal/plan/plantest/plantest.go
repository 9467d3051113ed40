// Package plantest plans statements for tests of the packages that run plans.
//
// The one invariant: what a test runs on was planned from SQL, as in the product.
package plantest

import (
	"testing"

	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
)

// Statement parses the one statement of a text.
func Statement[S sql.Statement](tb testing.TB, text string) S {
	tb.Helper()
	parsed, err := sql.Parse(text)
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	s, ok := parsed[0].(S)
	if !ok {
		tb.Fatalf("%s is a %T", text, parsed[0])
	}
	return s
}

// Board plans a CREATE LEADERBOARD over a CREATE STREAM.
func Board(tb testing.TB, stream, text string) *plan.Board {
	tb.Helper()
	s, err := plan.BuildStream(Statement[*sql.CreateStream](tb, stream))
	if err != nil {
		tb.Fatalf("%s: %v", stream, err)
	}
	b, err := plan.BuildBoard(Statement[*sql.CreateLeaderboard](tb, text), s)
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return b
}
