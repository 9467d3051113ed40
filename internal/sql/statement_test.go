package sql_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/sql"
)

// Each statement with its canonical text, which must read as itself.
func TestParse(t *testing.T) {
	tests := []struct{ text, canonical string }{
		{
			`create stream if not exists clicks (ts DateTime64(3), user_id String, "a b" Nullable ( Float64 ), at DateTime64(6,'UTC'))
			 with (event_time='ts', partitions = 4, "x y" = -1.5, ok = true)`,
			"CREATE STREAM IF NOT EXISTS clicks (\n  ts DateTime64(3),\n  user_id String,\n  `a b` Nullable(Float64),\n  at DateTime64(6, 'UTC')\n) WITH (event_time = 'ts', partitions = 4, `x y` = -1.5, ok = true)",
		},
		{"CREATE STREAM s (a Int64)", "CREATE STREAM s (\n  a Int64\n)"},
		{
			"CREATE VIEW page_hits AS SELECT page, count(*) hits, quantile(0.95)(latency_ms) AS p95 FROM clicks WHERE ok GROUP BY page, tumble(ts, INTERVAL 1 MINUTE) WITH (batch='*/15 * * * *', ttl='400d')",
			"CREATE VIEW page_hits AS\nSELECT page, count() AS hits, quantile(0.95)(latency_ms) AS p95\nFROM clicks\nWHERE ok\nGROUP BY page, tumble(ts, INTERVAL 1 MINUTE)\nWITH (batch = '*/15 * * * *', ttl = '400d')",
		},
		{"drop stream if exists s", "DROP STREAM IF EXISTS s"},
		{"DROP VIEW `a-b`", "DROP VIEW `a-b`"},
		{
			"create leaderboard if not exists top as select user_id, sum(points) score from games group by user_id with (order='desc', windows = 'all,day')",
			"CREATE LEADERBOARD IF NOT EXISTS top AS\nSELECT user_id, sum(points) AS score\nFROM games\nGROUP BY user_id\nWITH (order = 'desc', windows = 'all,day')",
		},
		{
			"create report if not exists daily schedule '0 8 * * *' time zone 'Europe/Berlin' as with x as (select [1, 2] as a) select arrayMap(v -> v + {n:Int64}, a) from x -- all\n with (format='html', deliver = 'mailto:a@b.c')",
			"CREATE REPORT IF NOT EXISTS daily SCHEDULE '0 8 * * *' TIME ZONE 'Europe/Berlin' AS\nwith x as (select [1, 2] as a) select arrayMap(v -> v + {n:Int64}, a) from x -- all\nWITH (format = 'html', deliver = 'mailto:a@b.c')",
		},
		{"CREATE REPORT r SCHEDULE '@daily' AS SELECT a FROM t WHERE f(a = 1)", "CREATE REPORT r SCHEDULE '@daily' AS\nSELECT a FROM t WHERE f(a = 1)"},
		{"CREATE REPORT r SCHEDULE '@daily' AS WITH (SELECT max(a) FROM t) AS m SELECT m", "CREATE REPORT r SCHEDULE '@daily' AS\nWITH (SELECT max(a) FROM t) AS m SELECT m"},
		{"drop report if exists r", "DROP REPORT IF EXISTS r"},
		{"show reports like 'a%'", "SHOW REPORTS LIKE 'a%'"},
		{"SHOW CREATE REPORT report", "SHOW CREATE report"},
		{"DROP leaderboard IF EXISTS top", "DROP LEADERBOARD IF EXISTS top"},
		{"show leaderboards", "SHOW LEADERBOARDS"},
		{"DESCRIBE LEADERBOARD top", "DESCRIBE top"},
		{"SHOW CREATE LEADERBOARD leaderboard", "SHOW CREATE leaderboard"},
		{"show tables", "SHOW TABLES"},
		{"SHOW FUNCTIONS", "SHOW FUNCTIONS"},
		{"SHOW CREATE VIEW v", "SHOW CREATE v"},
		{"SHOW CREATE view", "SHOW CREATE view"},
		{"show databases", "SHOW DATABASES"},
		{"SHOW TABLES FROM millrace NOT ILIKE 'a%'", "SHOW TABLES FROM millrace NOT ILIKE 'a%'"},
		{"SHOW TABLES IN millrace LIKE 'it''s'", `SHOW TABLES FROM millrace LIKE 'it\'s'`},
		{"exists table millrace.v", "EXISTS millrace.v"},
		{"DESCRIBE TABLE millrace.`v w`", "DESCRIBE millrace.`v w`"},
		{"SHOW CREATE TABLE millrace.v", "SHOW CREATE millrace.v"},
		{"desc stream s", "DESCRIBE s"},
		{"DESCRIBE table", "DESCRIBE table"},
		{"SELECT *", "SELECT *"},
		{"SELECT 1 x, 'a' AS `from`, b", "SELECT 1 AS x, 'a' AS `from`, b"},
		{"select distinct a from t where a group by a, b having c order by a desc nulls first, b asc, c nulls last limit 5, 10",
			"SELECT DISTINCT a FROM t WHERE a GROUP BY a, b HAVING c ORDER BY a DESC NULLS FIRST, b, c NULLS LAST LIMIT 10 OFFSET 5"},
		{"SELECT a FROM t LIMIT 0 OFFSET 3", "SELECT a FROM t LIMIT 0 OFFSET 3"},
		{"SELECT a FROM (SELECT b AS a FROM t) AS x WHERE a", "SELECT a FROM (SELECT b AS a FROM t) AS x WHERE a"},
		{"SELECT a FROM (SELECT b AS a FROM t) x", "SELECT a FROM (SELECT b AS a FROM t) AS x"},
		{"SELECT a FROM (SELECT 1 AS a)", "SELECT a FROM (SELECT 1 AS a)"},
	}
	for _, tt := range tests {
		for _, text := range []string{tt.text, tt.canonical} {
			s, err := sql.Parse(text + " ;")
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			if got := s[0].String(); len(s) != 1 || got != tt.canonical {
				t.Errorf("%s:\n prints %s\nwant    %s", text, got, tt.canonical)
			}
		}
	}
}

func TestParseSeveral(t *testing.T) {
	s, err := sql.Parse(";; SHOW VIEWS;\n-- a comment; no more\n SELECT 1; /* ; */ DROP VIEW v")
	if err != nil || len(s) != 3 {
		t.Fatalf("%d statements, %v", len(s), err)
	}
	if p := s[1].Position(); p.Line != 3 || p.Column != 2 {
		t.Errorf("SELECT is at %+v", p)
	}
	create, err := sql.Parse("CREATE STREAM s (\n a Int64,\n  b Foo(Bar))\nWITH (x = 'y')")
	if err != nil {
		t.Fatal(err)
	}
	c := create[0].(*sql.CreateStream)
	if p := c.Columns[1].Type.Args[0].Pos; p != (sql.Pos{Offset: 36, Line: 3, Column: 9}) {
		t.Errorf("Bar is at %+v", p)
	}
	if p := c.Options[0].Value.Pos; p.Line != 4 || p.Column != 11 {
		t.Errorf("'y' is at %+v", p)
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ text, message string }{
		{"", "line 1, column 1: expected a statement, found the end of the text"},
		{"; -- x", "expected a statement"},
		{"INSERT INTO t", `column 1: expected CREATE, DROP, SHOW, DESCRIBE, EXISTS or SELECT, found "INSERT"; events enter over HTTP`},
		{"CREATE TABLE t", `column 8: expected STREAM, VIEW, LEADERBOARD or REPORT, found "TABLE"; Millrace has streams and views`},
		{"CREATE STREAM (", `column 15: expected the stream's name, found "("`},
		{"CREATE STREAM s", `column 16: expected "(", found the end of the text`},
		{"CREATE STREAM s ()", "column 18: expected a column's name"},
		{"CREATE STREAM s (a)", "column 19: expected a type"},
		{"CREATE STREAM s (a Int64 b)", `column 26: expected "," or ")", found "b"`},
		{"CREATE STREAM s (a Int64,)", "column 26: expected a column's name"},
		{"CREATE STREAM s (a Enum8('x' = 1))", `column 30: expected "," or ")", found "="`},
		{"CREATE STREAM s (a Decimal(1.5))", "column 28: expected a whole number"},
		{"CREATE STREAM s (a Int64) WITH (x)", `column 34: expected "=", found ")"`},
		{"CREATE STREAM s (a Int64) WITH (x = y)", "column 37: expected a string, a number, true, false or NULL"},
		{"CREATE STREAM s (a Int64) ENGINE = Log", "column 27: expected a semicolon or the end of the statement"},
		{"CREATE STREAM select (a Int64)", `column 15: expected the stream's name, found "select"; put it in backticks if it is a name`},
		{"CREATE VIEW v SELECT 1", "column 15: expected AS"},
		{"CREATE VIEW v AS DROP VIEW v", "column 18: expected SELECT"},
		{"CREATE VIEW db.v AS SELECT 1", "column 15: names are not qualified here"},
		{"DROP TABLE v", "column 6: expected STREAM, VIEW, LEADERBOARD or REPORT"},
		{"CREATE REPORT r AS SELECT 1", `column 17: expected SCHEDULE, found "AS"`},
		{"CREATE REPORT r SCHEDULE daily AS SELECT 1", "column 26: expected a schedule in quotes, such as '0 8 * * *', found \"daily\""},
		{"CREATE REPORT r SCHEDULE '@daily' TIME ZONE AS SELECT 1", "column 45: expected a time zone in quotes"},
		{"CREATE REPORT r SCHEDULE '@daily' AS SHOW TABLES", "column 38: expected SELECT"},
		{"CREATE REPORT r SCHEDULE '@daily' AS WITH (format = 'csv')", "column 38: expected SELECT"},
		{"CREATE REPORT r SCHEDULE '@daily' AS SELECT 1 WITH (format = )", "column 62: expected a string, a number"},
		{"SELECT a[1] FROM t", `column 9: the character '[' has no meaning here`},
		{"SHOW PROCESSLIST", "column 6: expected STREAMS, VIEWS, LEADERBOARDS, REPORTS, TABLES, FUNCTIONS, DATABASES or CREATE"},
		{"SHOW TABLES NOT 'x'", "column 17: expected LIKE"},
		{"SHOW TABLES LIKE x", "column 18: expected a pattern in quotes"},
		{"SELECT FROM t", `column 8: expected an expression, found "FROM"`},
		{"SELECT a, FROM t", `column 11: expected an expression, found "FROM"`},
		{"SELECT a AS 1", "column 13: expected an alias"},
		{"SELECT a b c", `column 12: expected a semicolon or the end of the statement, found "c"`},
		{"SELECT a FROM", "column 14: expected the name of a stream or view, or a query in parentheses"},
		{"SELECT a FROM t JOIN u", "column 17: expected a semicolon or the end of the statement, found \"JOIN\"; a query reads one stream"},
		{"SELECT a FROM t UNION ALL SELECT 1", "send the queries one by one"},
		{"SELECT a FROM t FORMAT CSV", "choose the output"},
		{"SELECT a FROM t GROUP a", "column 23: expected BY"},
		{"SELECT a FROM t ORDER BY a NULLS", "column 33: expected FIRST or LAST"},
		{"SELECT a FROM t LIMIT -1", "column 23: expected a whole number"},
		{"SELECT a FROM t LIMIT 1.5", "column 23: expected a whole number"},
		{"SELECT a FROM t OFFSET 1", "column 17: expected a semicolon"},
		{"SELECT sum(a) OVER (PARTITION BY b) FROM t", "there are no window functions"},
		{strings.Repeat("SELECT a FROM (", 300), "nests deeper than 200 levels"},
		{"CREATE STREAM s (a " + strings.Repeat("Nullable(", 300), "nests deeper than 200 levels"},
	}
	for _, tt := range tests {
		_, err := sql.Parse(tt.text)
		var e *sql.Error
		if !errors.As(err, &e) || !strings.Contains(e.Error(), tt.message) {
			t.Errorf("%.60q:\n got %v\nwant %s", tt.text, err, tt.message)
		}
	}
}
