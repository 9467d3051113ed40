package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
)

const clicks = `CREATE STREAM clicks (
	ts DateTime64(3), user_id String, page String, country LowCardinality(Nullable(String)), s0 String,
	latency_ms Int64, price Float64, ok Bool, born Date
) WITH (event_time = 'ts', partition_by = 'user_id')`

func view(t testing.TB, s *plan.Stream, text string) *plan.View {
	t.Helper()
	v, err := plan.BuildView(statement[*sql.CreateView](t, text), s)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// shape shows a view's plan in a few lines.
func shape(v *plan.View) string {
	var b strings.Builder
	if v.Filter != nil {
		fmt.Fprintf(&b, "where %s\n", plan.Condition(v.Filter))
	}
	for _, k := range v.Keys {
		fmt.Fprintf(&b, "key %s %s = %s\n", k.Name, k.Type, k.Expr.ClickHouse())
	}
	fmt.Fprintf(&b, "window %d %d, pane %d\n", v.Window.N, v.Window.Unit, v.Pane)
	for _, a := range v.Aggregates {
		var args []string
		for _, arg := range a.Args {
			args = append(args, arg.ClickHouse())
		}
		fmt.Fprintf(&b, "state %s = %s(%s)\n", a.Name, a.Func.Batch, strings.Join(args, ", "))
	}
	for _, o := range v.Outputs {
		fmt.Fprintf(&b, "output %s %s = %s agg=%v\n", o.Name, o.Type, o.Expr.ClickHouse(), o.Agg)
	}
	return b.String()
}

func TestBuildView(t *testing.T) {
	s := stream(t, clicks)
	tests := []struct{ name, query, want string }{
		{"the first example", `SELECT page, count() AS hits, uniq(user_id) AS users, sum(price) AS revenue, quantile(0.95)(latency_ms) AS p95
			FROM clicks WHERE ok GROUP BY page, tumble(ts, INTERVAL 1 MINUTE)`, `
where ok
key page String = page
window 1 2, pane 60
state s0 = uniq(user_id)
state s1 = sum(price)
state s2 = quantileTDigest(0.95)(latency_ms)
state _rows = count()
output window_start DateTime64(0, 'UTC') = window_start agg=false
output page String = page agg=false
output hits UInt64 = _rows agg=true
output users UInt64 = s0 agg=true
output revenue Float64 = s1 agg=true
output p95 Float64 = s2 agg=true
`},
		{"no group by", `SELECT sum(latency_ms), sum(latency_ms) / COUNT(*) AS mean FROM clicks`, `
window 0 0, pane 86400
state s0 = sum(latency_ms)
state _rows = count()
output sum(latency_ms) Int64 = s0 agg=true
output mean Float64 = s0 / _rows agg=true
`},
		{"alias, place and expression", `SELECT lower(page) AS p, country, toDate(ts) AS day, count() FROM clicks GROUP BY p, 2, toDate(ts)`, `
key p String = lower(page)
key country Nullable(String) = country
key day Date = toDate(ts)
window 0 0, pane 86400
state _rows = count()
output p String = p agg=false
output country Nullable(String) = country agg=false
output day Date = day agg=false
output count() UInt64 = _rows agg=true
`},
		{"an alias hides its column but in itself", `SELECT lower(page) AS page, concat(page, '!') AS loud FROM clicks WHERE page = 'x' GROUP BY page`, `
where lower(page) = 'x'
key page String = lower(page)
window 0 0, pane 86400
state _rows = count()
output page String = page agg=false
output loud String = concat(page, '!') agg=false
`},
		{"aliases of aggregates", `SELECT sum(price) AS price, count() AS n, price / n AS mean FROM clicks`, `
window 0 0, pane 86400
state s0 = sum(price)
state _rows = count()
output price Float64 = s0 agg=true
output n UInt64 = _rows agg=true
output mean Float64 = s0 / _rows agg=true
`},
		{"the window by alias", `SELECT tumble(ts, INTERVAL 2 WEEK) AS w, toDate(w) AS d, count() FROM clicks GROUP BY w`, `
window 2 5, pane 86400
state _rows = count()
output w DateTime64(0, 'UTC') = window_start agg=false
output d Date = toDate(window_start) agg=false
output count() UInt64 = _rows agg=true
`},
		{"the window by name", `SELECT window_start, count() AS n FROM clicks GROUP BY tumble(ts, INTERVAL 2 DAY)`, `
window 2 4, pane 86400
state _rows = count()
output window_start DateTime64(0, 'UTC') = window_start agg=false
output n UInt64 = _rows agg=true
`},
		{"tumbleStart", `SELECT count() AS n, tumbleStart(ts, INTERVAL 15 minute) FROM clicks GROUP BY tumble(ts, INTERVAL 15 MINUTE)`, `
window 15 2, pane 900
state _rows = count()
output n UInt64 = _rows agg=true
output window_start DateTime64(0, 'UTC') = window_start agg=false
`},
		{"conditions", `SELECT sumIf(price, latency_ms) AS a, countIf(ok) AS b, countIf(latency_ms != 0) AS c FROM clicks WHERE latency_ms`, `
where latency_ms != 0
window 0 0, pane 86400
state s0 = sumIf(price, CAST(latency_ms != 0 AS Bool))
state s1 = countIf(ok)
state s2 = countIf(CAST(latency_ms != 0 AS Bool))
state _rows = count()
output a Float64 = s0 agg=true
output b UInt64 = s1 agg=true
output c UInt64 = s2 agg=true
`},
		{"a key named like a state", `SELECT s0, sum(price) AS a FROM clicks GROUP BY s0`, `
key s0 String = s0
window 0 0, pane 86400
state s1 = sum(price)
state _rows = count()
output s0 String = s0 agg=false
output a Float64 = s1 agg=true
`},
		{"one state for equal aggregates", `SELECT quantile(0.5)(price) AS a, quantile(price) + 1 AS b, max(price) AS c, MAX(price) AS d FROM clicks`, `
window 0 0, pane 86400
state s0 = quantileTDigest(0.5)(price)
state s1 = max(price)
state _rows = count()
output a Float64 = s0 agg=true
output b Float64 = s0 + 1 agg=true
output c Float64 = s1 agg=true
output d Float64 = s1 agg=true
`},
		{"only groups", `SELECT page FROM clicks GROUP BY page, country`, `
key page String = page
key country Nullable(String) = country
window 0 0, pane 86400
state _rows = count()
output page String = page agg=false
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := shape(view(t, s, "CREATE VIEW v AS "+tt.query))
			if want := strings.TrimPrefix(tt.want, "\n"); got != want {
				t.Errorf("%s\n got:\n%s\nwant:\n%s", tt.query, got, want)
			}
		})
	}
}

func TestBuildViewOptions(t *testing.T) {
	s := stream(t, clicks)
	v := view(t, s, "CREATE VIEW v AS SELECT count() FROM clicks")
	if v.Cron != "*/15 * * * *" || v.TTL != 0 || v.Name != "v" || v.Stream != s {
		t.Errorf("%+v", v)
	}
	v = view(t, s, "CREATE VIEW v AS SELECT count() FROM clicks WITH (batch = '@every 10m', ttl = '400d')")
	if v.Cron != "@every 10m" || v.TTL != 400*24*time.Hour {
		t.Errorf("%+v", v)
	}
}

func TestBuildViewErrors(t *testing.T) {
	s := stream(t, clicks)
	tests := []struct{ text, at, message string }{
		{"SELECT count() FROM other", "other", "the view reads other, not clicks"},
		{"SELECT count()", "SELECT", "a view needs a stream to read; add FROM clicks"},
		{"SELECT count() FROM (SELECT 1) AS clicks", "(SELECT 1", "a view cannot read a subquery"},
		{"SELECT * FROM clicks", "*", "a view cannot select *"},
		{"SELECT DISTINCT page FROM clicks", "SELECT", "a view has no DISTINCT; group by the columns instead"},
		{"SELECT count() FROM clicks HAVING 1", "1", "a view has no HAVING; put it in the query that reads the view"},
		{"SELECT count() FROM clicks ORDER BY page", "page", "a view has no ORDER BY"},
		{"SELECT count() FROM clicks LIMIT 5", "LIMIT", "a view has no LIMIT"},
		{"SELECT page, count() FROM clicks", "page", "column page is neither grouped nor aggregated; add it to GROUP BY"},
		{"SELECT lower(page), count() FROM clicks GROUP BY country", "page", "column page is neither grouped nor aggregated"},
		{"SELECT page, nosuch(price) AS x FROM clicks GROUP BY page", "nosuch", "there is no function nosuch in views; SHOW FUNCTIONS lists those of views"},
		{"SELECT page, abs(summ(price)) AS x FROM clicks GROUP BY page", "summ", "there is no function summ in views; did you mean sum?"},
		{"SELECT page, lowr(country) AS x FROM clicks GROUP BY page", "lowr", "there is no function lowr in views; did you mean lower?"},
		{"SELECT page, today(price) AS x FROM clicks GROUP BY page", "today", "today is refused"},
		{"SELECT pag, count() FROM clicks GROUP BY page", "pag", "there is no column pag; did you mean page?"},
		{"SELECT count() AS a, sum(price) AS a FROM clicks", "sum", "two columns of the view are named a"},
		{"SELECT count(), count() FROM clicks", "count() FROM", "two columns of the view are named `count()`"},
		{"SELECT count() FROM clicks WHERE count() > 1", "count() > 1", "count() cannot be in WHERE"},
		{"SELECT count() AS n FROM clicks WHERE n > 1", "count() AS", "count() cannot be in WHERE"},
		{"SELECT count() FROM clicks WHERE page", "page", "a condition must be Bool or a number, not"},
		{"SELECT sum(max(price)) FROM clicks", "max(price)", "max(price) is inside of another aggregate"},
		{"SELECT sum(price) AS price, avg(price) AS a FROM clicks", "sum(price)", "sum(price) is inside of another aggregate; an alias hides the column"},
		{"SELECT sum(page) FROM clicks", "sum", "sum"},
		{"SELECT sum(price)(1) FROM clicks", "price", ""},
		{"SELECT quantile('x')(price) FROM clicks", "'x'", "a parameter of quantile must be a number"},
		{"SELECT quantile(2)(price) FROM clicks", "quantile", "from 0 to 1"},
		{"SELECT sumIf(price, page) FROM clicks", "page", "a condition must be Bool or a number"},
		{"SELECT count() FROM clicks GROUP BY count()", "count()", "a view cannot be grouped by the aggregate count()"},
		{"SELECT count() AS n FROM clicks GROUP BY n", "n", "a view cannot be grouped by the aggregate"},
		{"SELECT count() FROM clicks GROUP BY 2", "2", "GROUP BY names column 2 of SELECT, which has 1"},
		{"SELECT count() FROM clicks GROUP BY 'x'", "'x'", "a view cannot be grouped by a constant"},
		{"SELECT 5 AS five, count() FROM clicks GROUP BY five", "five", "a view cannot be grouped by a constant"},
		{"SELECT count() FROM clicks GROUP BY page, page", "page", "the view is grouped by page twice"},
		{"SELECT page AS window_start, count() FROM clicks GROUP BY window_start", "window_start", "the name window_start is Millrace's own"},
		{"SELECT page AS _pane, count() FROM clicks GROUP BY 1", "1", "the name _pane is Millrace's own"},
		{"SELECT window_start, count() FROM clicks", "window_start", "there is no column window_start"},
		{"SELECT count() FROM clicks GROUP BY tumble(born, INTERVAL 1 DAY)", "born", "tumble takes the stream's event time, which is ts; as in tumble(ts, INTERVAL 1 MINUTE)"},
		{"SELECT count() FROM clicks GROUP BY tumble(ts)", "tumble", "tumble takes the event time and an interval"},
		{"SELECT count() FROM clicks GROUP BY tumble(ts, 60)", "60", "tumble takes an INTERVAL"},
		{"SELECT count() FROM clicks GROUP BY tumble(ts, INTERVAL 7 MINUTE)", "INTERVAL", "a window must divide a day or be whole days, and INTERVAL 7 MINUTE is neither"},
		{"SELECT count() FROM clicks GROUP BY tumble(ts, INTERVAL 25 HOUR)", "INTERVAL", "a window in hours is at most a day, and INTERVAL 25 HOUR is longer; write it in days"},
		{"SELECT count() FROM clicks GROUP BY tumble(ts, INTERVAL 0 DAY)", "INTERVAL", "longer than nothing"},
		{"SELECT count() FROM clicks GROUP BY tumble(ts, INTERVAL -1 DAY)", "INTERVAL", "longer than nothing"},
		{"SELECT count() FROM clicks GROUP BY tumble(ts, INTERVAL 9223372036854775807 YEAR)", "INTERVAL", "at most a century"},
		{"SELECT count() FROM clicks GROUP BY tumble(ts, INTERVAL 1 DAY), tumble(ts, INTERVAL 2 DAY)", "tumble(ts, INTERVAL 2", "a view has one window"},
		{"SELECT tumble(ts, INTERVAL 1 DAY), count() FROM clicks", "tumble", "tumble(ts, INTERVAL 1 DAY) is not the window of GROUP BY"},
		{"SELECT tumbleStart(ts, INTERVAL 1 DAY), count() FROM clicks GROUP BY tumble(ts, INTERVAL 1 HOUR)", "tumbleStart", "is not the window of GROUP BY; add tumble(ts, INTERVAL 1 DAY) to GROUP BY"},
		{"SELECT count() FROM clicks GROUP BY toDate(tumble(ts, INTERVAL 1 DAY))", "tumble", "tumble cannot stand here; put it in GROUP BY, alone"},
		{"SELECT max(tumble(ts, INTERVAL 1 DAY)) FROM clicks", "tumble", "tumble cannot stand here"},
		{"SELECT count() FROM clicks WHERE tumble(ts, INTERVAL 1 DAY) = 1", "tumble", "tumble cannot stand here"},
		{"SELECT count() FROM clicks WITH (bach = 'x')", "bach", "unknown option bach; did you mean batch?"},
		{"SELECT count() FROM clicks WITH (batch = 'x')", "'x'", "option batch is not a schedule"},
		{"SELECT count() FROM clicks WITH (ttl = '-1d')", "'-1d'", "option ttl"},
		{"SELECT page + page AS a0, a0 + a0 AS a1, a1 + a1 AS a2, a2 + a2 AS a3, a3 + a3 AS a4, a4 + a4 AS a5, a5 + a5 AS a6, a6 + a6 AS a7," +
			"a7 + a7 AS a8, a8 + a8 AS a9, a9 + a9 AS b0, b0 + b0 AS b1, b1 + b1 AS b2, b2 + b2 AS b3, b3 + b3 AS b4, b4 + b4 AS b5, b5 + b5 AS b6, b6 + b6 AS b7 FROM clicks",
			"", "the SELECT is too large once its aliases are replaced"},
	}
	for _, tt := range tests {
		text := "CREATE VIEW v AS " + tt.text
		statements, err := sql.Parse(text)
		if err == nil {
			_, err = plan.BuildView(statements[0].(*sql.CreateView), s)
		}
		checkRefusal(t, text, err, tt.at, tt.message)
	}
	_, err := plan.BuildView(statement[*sql.CreateView](t, "CREATE VIEW `a.b` AS SELECT count() FROM clicks"), s)
	checkRefusal(t, "CREATE VIEW `a.b` AS SELECT count() FROM clicks", err, "`a.b`", "cannot be the name")
}
