package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/format"
	"github.com/millrace/millrace/serving/merge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(enginetest.Wrap(m)) }

// memory is the catalog's storage.
type memory struct{ data []byte }

func (m *memory) Put(_ context.Context, _ string, data []byte) error { m.data = data; return nil }
func (m *memory) Get(context.Context, string) ([]byte, bool, error) {
	return m.data, m.data != nil, nil
}

// definer only keeps definitions.
type definer struct{ *catalog.Catalog }

func (d definer) CreateStream(ctx context.Context, s *sql.CreateStream) error {
	_, err := d.Catalog.CreateStream(ctx, s)
	return err
}

func (d definer) CreateView(ctx context.Context, v *sql.CreateView) error {
	_, err := d.Catalog.CreateView(ctx, v)
	return err
}

func (d definer) CreateLeaderboard(ctx context.Context, b *sql.CreateLeaderboard) error {
	_, err := d.Catalog.CreateLeaderboard(ctx, b)
	return err
}

func (d definer) DropLeaderboard(ctx context.Context, name string) error {
	_, err := d.Catalog.DropLeaderboard(ctx, name)
	return err
}

func (d definer) DropStream(ctx context.Context, name string) error {
	_, err := d.Catalog.DropStream(ctx, name)
	return err
}

func (d definer) DropView(ctx context.Context, name string) error {
	_, err := d.Catalog.DropView(ctx, name)
	return err
}

// tables gives every stream the same table expression.
type tables struct {
	expr     string
	released int
}

func (h *tables) Table(context.Context, *catalog.Stream) (Table, error) {
	return Table{Expr: h.expr, Positions: []uint64{3, 4}, Release: func() { h.released++ }}, nil
}

// views answers with a fixed batch and keeps the question.
type views struct {
	batch *event.Batch
	asked merge.Query
}

func (v *views) Run(_ context.Context, q merge.Query) (*merge.Result, error) {
	v.asked = q
	return &merge.Result{Batch: v.batch, Provenance: merge.Provenance{View: q.View.Plan.Name, Complete: true}}, nil
}

// setting is an executor over the real engine.
type setting struct {
	*Executor
	tb      testing.TB
	history *tables
	views   *views
}

const streamSQL = "CREATE STREAM s (ts DateTime64(3), page String, n Int64) WITH (event_time = 'ts', partitions = 2)"

const viewSQL = "CREATE VIEW v AS SELECT page, lower(page) AS low, count() AS hits FROM s GROUP BY page, tumble(ts, INTERVAL 1 HOUR)"

func newSetting(tb testing.TB) *setting {
	tb.Helper()
	c, err := catalog.Open(tb.Context(), &memory{})
	if err != nil {
		tb.Fatal(err)
	}
	s := &setting{
		tb: tb, views: &views{},
		history: &tables{expr: "values('ts DateTime64(3, \\'UTC\\'), page String, n Int64', ('2026-01-01 00:00:00', 'a', 1), ('2026-01-01 01:00:00', 'b', 2), ('1969-12-31 00:00:00', 'b', 3))"},
	}
	s.Executor = New(Options{
		Catalog: c, Definer: definer{c}, History: s.history, Engine: enginetest.Client(tb), Views: s.views,
		Log: slog.New(slog.DiscardHandler), Timeout: 20 * time.Second, MaxRows: 5,
	})
	s.ask(streamSQL + "; " + viewSQL)
	v, err := c.View("v")
	if err != nil {
		tb.Fatal(err)
	}
	columns := make([]event.Column, len(v.Plan.Outputs))
	for i, o := range v.Plan.Outputs {
		columns[i] = event.Column{Name: o.Name, Type: o.Type}
	}
	schema, err := event.NewSchema(columns...)
	if err != nil {
		tb.Fatal(err)
	}
	b := event.NewBatch(schema)
	for i, page := range []string{"A", "b"} {
		b.Columns[0].AppendInt64(1_767_225_600 + 3600*int64(i))
		b.Columns[1].AppendString([]byte(page))
		b.Columns[2].AppendString([]byte(strings.ToLower(page)))
		b.Columns[3].AppendUInt64(uint64(i + 1))
		b.Rows++
	}
	s.views.batch = b
	return s
}

// ask runs statements and returns the last answer as text.
func (s *setting) ask(text string) string {
	s.tb.Helper()
	answers, err := s.Run(s.tb.Context(), text, 0)
	if err != nil {
		s.tb.Fatalf("%s: %v", text, err)
	}
	return textOf(answers[len(answers)-1].Batch)
}

func textOf(b *event.Batch) string {
	names := make([]string, len(b.Schema.Columns))
	for i, c := range b.Schema.Columns {
		names[i] = c.Name
	}
	lines := []string{strings.Join(names, " ")}
	for row := range b.Rows {
		cells := make([]string, len(b.Columns))
		for i := range b.Columns {
			cells[i] = string(format.AppendText(nil, &b.Columns[i], row))
		}
		lines = append(lines, strings.Join(cells, " "))
	}
	return strings.Join(lines, "\n")
}

// temporary counts the tables that queries have left in the engine.
func (s *setting) temporary() uint64 {
	s.tb.Helper()
	b, err := enginetest.Client(s.tb).QueryBatch(context.Background(), "SELECT count() FROM system.tables WHERE startsWith(name, '"+TemporaryPrefix+"')")
	if err != nil {
		s.tb.Fatal(err)
	}
	return b.Columns[0].U64[0]
}

func TestStatements(t *testing.T) {
	s := newSetting(t)
	for _, c := range []struct{ text, want string }{
		{"SHOW STREAMS", "name partitions event_time\ns 2 ts"},
		{"SHOW TABLES", "name kind\ns stream\nv view"},
		{"DESCRIBE v", "name type role\nwindow_start DateTime64(0, 'UTC') key\npage String key\nlow String key\nhits UInt64 aggregate"},
		{"DESC TABLE s", "name type role\nts DateTime64(3, 'UTC') event time\npage String \nn Int64 \n_extra String undeclared fields"},
		{"SHOW CREATE VIEW v", "statement\nCREATE VIEW v AS\nSELECT page, lower(page) AS low, count() AS hits\nFROM s\nGROUP BY page, tumble(ts, INTERVAL 1 HOUR)"},
		{"CREATE STREAM IF NOT EXISTS s (ts DateTime64(3)) WITH (event_time = 'ts')", "kind name status\nstream s unchanged"},
		{"CREATE VIEW IF NOT EXISTS v AS SELECT count() AS n FROM s", "kind name status\nview v unchanged"},
		{"DROP VIEW IF EXISTS nothing", "kind name status\nview nothing unchanged"},
		{"DROP STREAM IF EXISTS nothing", "kind name status\nstream nothing unchanged"},
		{"SELECT 1 + 1 AS two", "two\n2"},
		{"SELECT page, sum(n) AS total FROM s GROUP BY page ORDER BY total DESC", "page total\nb 5\na 1"},
		{"SELECT DISTINCT page FROM s WHERE n > 1", "page\nb"},
		{"SELECT max(total) AS m FROM (SELECT page, sum(n) AS total FROM s GROUP BY page HAVING total > 1) AS x WHERE page IN ('b', 'c')", "m\n5"},
		{"SELECT n FROM s ORDER BY n LIMIT 1 OFFSET 1", "n\n2"},
		{"SELECT * FROM v ORDER BY page", "window_start page low hits\n2026-01-01 00:00:00 A a 1\n2026-01-01 01:00:00 b b 2"},
		{"SELECT sum(hits) AS hits FROM (SELECT * FROM v)", "hits\n3"},
		{"SELECT upper(page) AS page FROM v WHERE page = 'B'", "page\nB"},
		{"SELECT multiIf(hits > 1, 'many', 'one') AS much, CASE page WHEN 'A' THEN 1 ELSE 2 END AS k, page LIKE '%b%' AS has, hits::Float64 / 2 AS half FROM v ORDER BY k", "much k has half\none 1 0 0.5\nmany 2 1 1"},
		{"DROP VIEW v", "kind name status\nview v dropped"},
		{"SHOW VIEWS", "name stream batch"},
	} {
		if got := s.ask(c.text); got != c.want {
			t.Errorf("%s gives\n%s\nwant\n%s", c.text, got, c.want)
		}
	}
	if s.history.released != 4 || s.temporary() != 0 {
		t.Errorf("%d histories were released, want 4; %d tables are left", s.history.released, s.temporary())
	}
}

func TestRefusals(t *testing.T) {
	s := newSetting(t)
	for _, c := range []struct {
		text   string
		status int
		says   string
	}{
		{"", http.StatusBadRequest, "expected a statement"},
		{"SELECT *\nFROM nothing", http.StatusBadRequest, `there is no stream or view "nothing"`},
		{"DESCRIBE nothing", http.StatusBadRequest, "nothing"},
		{"SHOW CREATE nothing", http.StatusBadRequest, "nothing"},
		{streamSQL, http.StatusConflict, "s"},
		{"DROP VIEW nothing", http.StatusNotFound, "nothing"},
		{"DROP STREAM s", http.StatusConflict, "v"},
		{"SELECT pag FROM s", http.StatusBadRequest, "Maybe you meant: ['page']"},
		{"SELECT n FROM s WHERE n IN page", http.StatusBadRequest, "list"},
		{"SELECT in(n, s) FROM s", http.StatusBadRequest, "not a list"},
		{"SELECT a.n FROM s AS a, s AS b", http.StatusBadRequest, ""},
		{"SELECT n, n + 1, page FROM s, v", http.StatusBadRequest, ""},
	} {
		_, err := s.Run(t.Context(), c.text, 0)
		if p := problem.From(err); err == nil || p.Status != c.status || !strings.Contains(p.Detail, c.says) {
			t.Errorf("%s: %v, want %d saying %q", c.text, err, c.status, c.says)
		}
	}
	answers, err := s.Run(t.Context(), "SHOW VIEWS; SELECT nothing(1); DROP VIEW v", 0)
	var refused *sql.Error
	if len(answers) != 1 || !errors.As(err, &refused) || refused.Pos.Column != 20 {
		t.Errorf("%d answers and %v, want one and the place of the second statement", len(answers), err)
	}
	if got := s.ask("SHOW VIEWS"); !strings.Contains(got, "v s") {
		t.Error("a statement ran after the one that failed")
	}
}

// TestDangerousFunctionsAreRefused: nothing that opens, waits, or tells about the server.
func TestDangerousFunctionsAreRefused(t *testing.T) {
	s := newSetting(t)
	for _, call := range []string{
		"file('/etc/passwd')", "url('http://x')", "s3('http://x')", "remote('x')", "executable('x')", "mysql('x')", "jdbc('x')",
		"sleep(1)", "sleepEachRow(1)", "getSetting('x')", "getServerSetting('x')", "hostName()", "fqdn()", "currentUser()", "user()",
		"currentDatabase()", "dictGet('d', 'x', 1)", "joinGet('t', 'x', 1)", "hasColumnInTable('d', 't', 'c')", "getMacro('x')",
		"catboostEvaluate('x')", "addressToLine(1)", "version()", "uptime()", "tcpPort()", "serverUUID()", "queryID()", "evalMLMethod(1)",
		"initializeAggregation('count')", "defaultRoles()", "filesystemAvailable()", "showCertificate()", "throwIf(1)", "numbers(10)", "FILE('x')",
	} {
		for _, text := range []string{
			"SELECT  " + call + " FROM s", "SELECT n FROM s WHERE 1 = " + call, "SELECT n FROM (SELECT n FROM s ORDER BY " + call + ")",
			"SELECT n FROM s GROUP BY n HAVING lower(" + call + ") = 'x'",
		} {
			_, err := s.Run(t.Context(), text, 0)
			var refused *sql.Error
			if !errors.As(err, &refused) || refused.Pos.Offset != strings.Index(text, call) {
				t.Errorf("%s: %v, want a refusal at offset %d", text, err, strings.Index(text, call))
			}
		}
	}
	for _, text := range []string{
		"SELECT * FROM file('/etc/passwd')", "SELECT * FROM numbers(10)", "SELECT * FROM system.users", "SELECT * FROM `system.users`",
		"SELECT 1 INTO OUTFILE '/tmp/x'", "SELECT 1 FORMAT CSV", "SELECT 1 SETTINGS x = 1", "SET x = 1", "INSERT INTO s VALUES (1)",
		"SELECT 1 UNION ALL SELECT 2", "WITH x AS (SELECT 1) SELECT * FROM x", "SELECT n IN (SELECT 1) FROM s", "KILL QUERY WHERE 1", "SYSTEM SHUTDOWN",
	} {
		_, err := s.Run(t.Context(), text, 0)
		var refused *sql.Error
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v, want a refusal with its place", text, err)
		}
	}
}

func TestEngineMessagesNameNoFiles(t *testing.T) {
	s := newSetting(t)
	dir := t.TempDir()
	s.history.expr = fmt.Sprintf("file('%s/lake/a.parquet', 'Parquet', 'n Int64')", dir)
	for _, text := range []string{"SELECT n FROM s", "SELECT m FROM s", "SELECT toInt64('x') FROM s", "SELECT low + 1 FROM v"} {
		_, err := s.Run(t.Context(), text, 0)
		p := problem.From(err)
		if p.Status != http.StatusBadRequest || strings.Contains(p.Detail, dir) || strings.Contains(p.Detail, "lake") || strings.Contains(p.Detail, TemporaryPrefix) {
			t.Errorf("%s: %d %s", text, p.Status, p.Detail)
		}
	}
	if got := publicText("cannot read '2026/01/02' and 4/2 of /var/lib/x.bin: no"); got != "cannot read '2026/01/02' and 4/2 of (a file of the server): no" {
		t.Error(got)
	}
}

func TestLimits(t *testing.T) {
	s := newSetting(t)
	s.history.expr = "(SELECT number AS n FROM numbers(6))"
	_, err := s.Run(t.Context(), "SELECT n FROM s", 0)
	if p := problem.From(err); p.Status != http.StatusUnprocessableEntity || p.Hint == "" {
		t.Errorf("6 rows with a limit of 5: %v", err)
	}
	if got := s.ask("SELECT n FROM s ORDER BY n LIMIT 5"); got != "n\n0\n1\n2\n3\n4" {
		t.Error(got)
	}

	// A query past its time is refused, and ends in the engine too.
	s.Timeout = 200 * time.Millisecond
	s.history.expr = "(SELECT sleepEachRow(0.05) AS n FROM numbers(1000) SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0)"
	_, err = s.Run(t.Context(), "SELECT sum(n) FROM s", 0)
	if p := problem.From(err); p.Status != http.StatusGatewayTimeout || p.Hint == "" {
		t.Errorf("a query past its time: %v", err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		b, err := enginetest.Client(t).QueryBatch(context.Background(), "SELECT count() FROM system.processes WHERE query LIKE '%sleepEachRow%' AND query NOT LIKE '%system.processes%'")
		if err != nil {
			t.Fatal(err)
		}
		if b.Columns[0].U64[0] == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the query is still running")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := s.temporary(); n != 0 || s.history.released != 3 {
		t.Errorf("%d tables are left; %d histories were released, want 3", n, s.history.released)
	}
}

func TestPushDown(t *testing.T) {
	s := newSetting(t)
	const hour = 3600
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).Unix()
	for _, c := range []struct {
		where    string
		pushed   string
		from, to int64
	}{
		{"page = 'A'", "page = 'A'", merge.MinTime, merge.MaxTime},
		{"page = 'A' AND hits > 1 AND startsWith(page, 'A')", "(page = 'A') AND startsWith(page, 'A')", merge.MinTime, merge.MaxTime},
		{"page = 'A' OR hits > 1", "", merge.MinTime, merge.MaxTime},
		{"low = 'a'", "", merge.MinTime, merge.MaxTime},
		{"window_start >= '2026-01-01 12:00:00' AND window_start < '2026-01-01 12:30:00'", "", noon, noon + hour},
		{"'2026-01-01 12:00:00' >= window_start", "", merge.MinTime, noon + hour},
		{"window_start = '2026-01-01 12:00:00'", "", noon, noon + hour},
		{"window_start < '2026-01-01 12:00:00' AND page != 'x'", "page != 'x'", merge.MinTime, noon},
		{"hidden = 'A'", "", merge.MinTime, merge.MaxTime},
	} {
		_, err := s.Run(t.Context(), "SELECT hits, upper(page) AS hidden FROM v WHERE "+c.where, 0)
		if err != nil {
			t.Errorf("%s: %v", c.where, err)
			continue
		}
		pushed := ""
		if q := s.views.asked.Where; q != nil {
			pushed = q.ClickHouse()
		}
		plain := strings.NewReplacer("CAST(", "", " AS Bool)", "", "(", "", ")", "", "`", "")
		if plain.Replace(pushed) != plain.Replace(c.pushed) || s.views.asked.From != c.from || s.views.asked.To != c.to {
			t.Errorf("%s pushes %q from %d to %d, want %q from %d to %d", c.where, pushed, s.views.asked.From, s.views.asked.To, c.pushed, c.from, c.to)
		}
	}
	// An alias of the SELECT hides the column.
	if got := s.ask("SELECT upper(page) AS page FROM v WHERE page = 'B'"); got != "page\nB" || s.views.asked.Where != nil {
		t.Errorf("%s with %v pushed", got, s.views.asked.Where)
	}
}

func TestAllowedFunctionsAreTheEngines(t *testing.T) {
	b, err := enginetest.Client(t).QueryBatch(t.Context(), "SELECT name FROM system.functions")
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for i := range b.Rows {
		known = append(known, string(b.Columns[0].Str.At(i)))
	}
	for _, f := range engineFunctions {
		if !slices.Contains(known, f) {
			t.Errorf("the engine has no function %s", f)
		}
	}
}
