package vet_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/query/vet"
)

// query is a query of someone who may read clicks and page_hits.
func query(text string) vet.Query {
	return vet.Query{
		Text:      text,
		MayRead:   func(name string) bool { return name == "clicks" || name == "page_hits" },
		Databases: []string{"millrace", "default"}, System: []string{"tables", "columns"},
		Constants: map[string]string{"currentuser": "'ann'", "currentdatabase": "'millrace'"}, Known: "there are clicks, page_hits",
		Params: map[string]string{"n": "5", "t": "clicks"},
	}
}

func TestApproved(t *testing.T) {
	for _, tc := range []struct{ text, inner, tables, system string }{
		{"SELECT 1", "SELECT 1", "", ""},
		{"select * from clicks", "", "clicks", ""},
		{"FROM clicks SELECT 1", "", "clicks", ""},
		{"(SELECT 1) UNION ALL SELECT 2", "", "", ""},
		{"SELECT 1 -- the end", "", "", ""},
		{"SELECT $$a ) ; file('x')$$", "", "", ""},
		{"SELECT * FROM `millrace`.clicks AS c JOIN default.page_hits p ON c.page = p.page", "SELECT * FROM clicks AS c JOIN page_hits p ON c.page = p.page", "clicks page_hits", ""},
		{"SELECT millrace.clicks.page FROM millrace.clicks", "SELECT clicks.page FROM clicks", "clicks", ""},
		{"WITH a AS (SELECT 1 AS x), b AS MATERIALIZED (SELECT * FROM clicks) SELECT * FROM a, b WHERE x IN a", "", "clicks", ""},
		{"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r", "", "", ""},
		{"WITH x -> x + 1 AS inc SELECT inc(1), arrayMap(y -> inc(y), [1])", "", "", ""},
		{"SELECT sum(n) OVER (PARTITION BY page ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW), sumIf(1, 1), uniqExactArrayIf([1], 1) FROM clicks", "", "clicks", ""},
		{"SELECT ABS(1), Sum(1), CAST(1 AS String), DATE '2020-01-01' + INTERVAL 1 DAY, now()", "", "", ""},
		{"SELECT * FROM clicks WHERE page IN page_hits", "", "clicks page_hits", ""},
		{"SELECT name FROM system.tables WHERE name IN (SELECT table FROM System.columns)", "SELECT name FROM mr_system_tables WHERE name IN (SELECT table FROM mr_system_columns)", "", "tables columns"},
		{"SELECT * FROM system.one, system.numbers LIMIT 1", "", "", ""},
		{"SELECT currentUser(), currentDatabase() AS d, concat(currentUser(), 'x')", "SELECT ('ann' AS `currentUser()`), 'millrace' AS d, concat('ann', 'x')", "", ""},
		{"SELECT 'currentUser()' FROM values('a Int64, b Enum8(\\'x\\' = 1)', (1, 'x')), numbers(3), null('a Int64'), (VALUES (1), (2))", "", "", ""},
		{"SELECT * FROM values((1, 2), (3, 4)), values(1, 2)", "", "", ""},
		{"SELECT EXISTS(SELECT 1), grouping(n), untuple((1, 2)) FROM clicks GROUP BY n WITH ROLLUP", "", "clicks", ""},
		{"SELECT {n:Int64} FROM numbers({n:UInt64})", "", "", ""},
		{"SELECT * EXCEPT (page) REPLACE (n + 1 AS n), COLUMNS('a'), clicks.* FROM clicks FINAL SAMPLE 0.1 PREWHERE n > 1 GROUP BY GROUPING SETS ((a), (b)) QUALIFY 1 ORDER BY n WITH FILL LIMIT 1 BY n LIMIT 5 WITH TIES", "", "clicks", ""},
	} {
		a, err := vet.Select(t.Context(), enginetest.Client(t), query(tc.text))
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		if tc.inner != "" && a.Text != "SELECT * FROM (\n"+tc.inner+"\n)" {
			t.Errorf("%s: became %s", tc.text, a.Text)
		}
		if got := strings.Join(a.Tables, " "); got != tc.tables {
			t.Errorf("%s: tables %q, want %q", tc.text, got, tc.tables)
		}
		if got := strings.Join(a.System, " "); got != tc.system {
			t.Errorf("%s: system tables %q, want %q", tc.text, got, tc.system)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, tc := range []struct{ text, at, want string }{
		// Syntax, with its place.
		{"SELECT 1,\n  2 FROM (", "(", "parentheses"},
		{"SELECT 1 FROMM x y z", "x", "syntax error"},
		{"SELECT 1 +", "", "ends too early"},
		{"SELECT 1; SELECT 2", ";", "syntax error"},
		{"SELECT 1) UNION ALL (SELECT 2", ")", "syntax error"},
		{"SELECT 1 /* never closed", "/*", "syntax error"},
		{"SELECT 'never closed", "'", "syntax error"},
		{"SELECT \x001", "\x00", "NUL"},
		// What belongs to a whole statement.
		{"SELECT 1 INTO OUTFILE '/tmp/x'", "OUTFILE", "OUTFILE"},
		{"SELECT 1 FORMAT JSON", "FORMAT", "FORMAT"},
		{"SELECT 1 PARALLEL WITH SELECT 2", "PARALLEL", "PARALLEL"},
		{"EXPLAIN SELECT 1", "", "viewExplain"},
		{"SHOW TABLES", "SHOW", ""},
		{"SELECT * FROM (EXPLAIN SELECT 1)", "", "viewExplain"},
		// Settings.
		{"SELECT 1 SETTINGS max_threads = 1", "SETTINGS", "settings"},
		{"SELECT * FROM (SELECT * FROM clicks SETTINGS readonly = 0)", "SETTINGS", "settings"},
		// Names.
		{"SELECT * FROM secret", "secret", "no stream or view"},
		{"SELECT * FROM millrace.secret", "secret", "no stream or view"},
		{"SELECT * FROM `system`.`users`", "`users`", "no stream or view"},
		{"SELECT * FROM system.processes", "processes", "no stream or view"},
		{"SELECT * FROM information_schema.tables", "tables", "no stream or view"},
		{"SELECT 1 IN system.users", "users", "IN"},
		{"SELECT 1 WHERE 'x' GLOBAL NOT IN `system`.`users`", "`users`", "IN"},
		{"SELECT * FROM clicks AS `x\n Literal UInt64_1`", "`", "name in quotes"},
		{"SELECT * FROM {t:Identifier}", "Identifier", "parameter"},
		{"SELECT {missing:String}", "", "missing"},
		{"SELECT _path FROM clicks", "_path", "column"},
		{"SELECT _path.size FROM clicks", "_path", "column"},
		{"SELECT COLUMNS(_path) FROM clicks", "_path", "column"},
		{"SELECT c._file FROM clicks AS c", "_file", "column"},
		// Functions.
		{"SELECT file('/etc/passwd')", "file", "files"},
		{"SELECT `file`('/etc/passwd')", "`file`", "files"},
		{"SELECT/**/file/**/('/etc/passwd')", "file", "files"},
		{"SELECT Sleep(3)", "Sleep", "no function"},
		{"SELECT sleepEachRow(3)", "sleepEachRow", "time"},
		{"SELECT hostname()", "hostname", "server"},
		{"SELECT @@version", "", "server"},
		{"SELECT arrayMap(x -> file(x), ['a'])", "file", "files"},
		{"SELECT * APPLY(file) FROM clicks", "APPLY", "APPLY"},
		{"SELECT COLUMNS('a') APPLY(x -> file(x)) FROM clicks", "APPLY", "APPLY"},
		{"SELECT arrayReduce('groupConcat(file(\\'/etc/passwd\\'))', ['a'])", "arrayReduce", "SQL"},
		{"SELECT dictGet('a', 'b', 1)", "dictGet", "dictionaries"},
		{"SELECT dictNewOne('a')", "dictNewOne", "no function"},
		{"SELECT joinGet('a', 'b', 1)", "joinGet", "tables"},
		{"WITH x -> x AS file SELECT file('/etc/passwd')", "file", "files"},
		{"SELECT unknown(1)", "unknown", "no function"},
		{"SELECT sum(1) OVER (ORDER BY file('x'))", "file", "files"},
		{"SELECT 1 LIMIT length(file('/etc/passwd'))", "file", "files"},
		// Table functions.
		{"SELECT * FROM file('/etc/passwd')", "file", "neither"},
		{"SELECT * FROM url('http://x', 'CSV', 'a String')", "url", "neither"},
		{"WITH a AS (SELECT * FROM remote('x', 'y', 'z')) SELECT * FROM a", "remote", "neither"},
		{"SELECT 1 IN (SELECT * FROM s3('x'))", "s3", "neither"},
		{"SELECT * FROM view(SELECT 1)", "view", "neither"},
		{"SELECT * FROM page_hits(x = 1)", "page_hits", "no table function"},
		{"SELECT * FROM numbers(length(file('x')))", "file", "files"},
		{"SELECT b FROM values('a Int64, b String ALIAS file(''/etc/hostname'')', 1)", "values", "names and types"},
		{"SELECT b FROM values('a Int64, b String\tALIAS\tfile(''/etc/hostname'')', 1)", "values", "names and types"},
		{"SELECT b FROM values($x$a Int64, b String DEFAULT file('/etc/hostname')$x$, 1)", "values", "names and types"},
		{"SELECT b FROM values(concat('a Int64, b String AL', 'IAS file(''x'')'), 1)", "values", "names and types"},
		{"SELECT b FROM null('a Int64, b String ALIAS 1')", "null", "names and types"},
	} {
		_, err := vet.Select(t.Context(), enginetest.Client(t), query(tc.text))
		if err == nil {
			t.Errorf("%s: approved", tc.text)
			continue
		}
		if !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.text, err, tc.want)
		}
		var placed *sql.Error
		if errors.As(err, &placed) && tc.at != "" && !strings.HasPrefix(tc.text[placed.Pos.Offset:], tc.at) {
			t.Errorf("%s: %v points at %q, want %q", tc.text, err, tc.text[placed.Pos.Offset:], tc.at)
		}
	}
}
