package agg_test

import (
	"testing"

	"github.com/millrace/millrace/internal/clickhouse/enginetest"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// ask runs a query whose columns are all String.
func ask(t testing.TB, sql string) [][]string {
	t.Helper()
	rows, err := enginetest.Client(t).Query(t.Context(), sql)
	if err != nil {
		t.Fatalf("%.2000s\n%v", sql, err)
	}
	defer rows.Close()
	var answer [][]string
	for rows.Next() {
		row := make([]string, len(rows.Columns()))
		dest := make([]any, len(row))
		for i := range row {
			dest[i] = &row[i]
		}
		if err := rows.Scan(dest...); err != nil {
			t.Fatalf("%.2000s\n%v", sql, err)
		}
		answer = append(answer, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%.2000s\n%v", sql, err)
	}
	return answer
}
