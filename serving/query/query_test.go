package query

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/sql"
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

func (d definer) CreateReport(ctx context.Context, r *sql.CreateReport) error {
	_, err := d.Catalog.CreateReport(ctx, r)
	return err
}

func (d definer) DropReport(ctx context.Context, name string) error {
	_, err := d.Catalog.DropReport(ctx, name)
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

// tables gives every stream the same table. Its engine is a File, as of the lake's.
type tables struct {
	path     string
	engine   string // in place of a File of path
	released atomic.Int64
}

func (h *tables) Table(context.Context, *catalog.Stream) (Table, error) {
	engine := "File('CSV', '" + h.path + "')"
	if h.engine != "" {
		engine = h.engine
	}
	return Table{Columns: "ts DateTime64(3, 'UTC'), page String, n Int64", Engine: engine, Positions: []uint64{3, 4}, Release: func() { h.released.Add(1) }}, nil
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
	ctx     context.Context // of the caller
}

const streamSQL = "CREATE STREAM s (ts DateTime64(3), page String, n Int64) WITH (event_time = 'ts', partitions = 2)"

const viewSQL = "CREATE VIEW v AS SELECT page, lower(page) AS low, count() AS hits FROM s GROUP BY page, tumble(ts, INTERVAL 1 HOUR)"

func newSetting(tb testing.TB) *setting {
	tb.Helper()
	c, err := catalog.Open(tb.Context(), &memory{})
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(tb.TempDir(), "events.csv")
	if err := os.WriteFile(path, []byte("2026-01-01 00:00:00,a,1\n2026-01-01 01:00:00,b,2\n1969-12-31 00:00:00,b,3\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	s := &setting{
		tb: tb, views: &views{}, history: &tables{path: path}, ctx: access.With(tb.Context(), access.Root),
	}
	s.Executor = New(Options{
		Catalog: c, Definer: definer{c}, History: s.history, Engine: testEngine(tb), Views: s.views,
		Log: slog.New(slog.DiscardHandler), Limits: RoleLimits{access.SQL: testLimits, access.Admin: testLimits},
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

// testLimits are small ones.
var testLimits = Limits{Rows: 5, Bytes: 1 << 20, MemoryBytes: 256 << 20, ViewRows: 10, Time: 20 * time.Second, Concurrency: 4, Prefix: "query."}

// testEngine is the shared engine, as an appliance opens it.
func testEngine(tb testing.TB) *Engine {
	tb.Helper()
	parser, err := clickhouse.Open(enginetest.Engine(tb).DSN() + "?readonly=1")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = parser.Close() })
	return &Engine{Parser: parser, Sessions: enginetest.Client(tb)}
}

// ask runs statements and returns the last answer as text: names, then rows, with blanks
// between the cells.
func (s *setting) ask(text string) string {
	s.tb.Helper()
	got, err := s.try(Request{Text: text, Format: "TabSeparatedWithNames"})
	if err != nil {
		s.tb.Fatalf("%s: %v", text, err)
	}
	return got
}

// try runs statements and reads the whole of the last answer.
func (s *setting) try(r Request) (string, error) {
	response, err := s.Run(s.ctx, r)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return "", err
	}
	return strings.ReplaceAll(strings.TrimSpace(string(text)), "\t", " "), nil
}

// leftovers counts what queries have left in the engine: sessions' tables and statements.
func leftovers(tb testing.TB) uint64 {
	tb.Helper()
	b, err := enginetest.Client(tb).QueryBatch(context.Background(), "SELECT (SELECT count() FROM system.processes) - 1 + (SELECT count() FROM system.tables WHERE is_temporary)")
	if err != nil {
		tb.Fatal(err)
	}
	return uint64(b.Columns[0].I64[0])
}

func TestStatements(t *testing.T) {
	s := newSetting(t)
	for _, c := range []struct{ text, want string }{
		{"SHOW STREAMS", "name partitions event_time\ns 2 ts"},
		{"SHOW TABLES", "name kind\ns stream\nv view"},
		{"SHOW TABLES FROM millrace LIKE 'v%'", "name kind\nv view"},
		{"SHOW TABLES NOT ILIKE 'V'", "name kind\ns stream"},
		{"SHOW DATABASES", "name\nmillrace"},
		{"EXISTS TABLE millrace.v", "result\n1"},
		{"EXISTS nothing FORMAT CSV", "0"},
		{"DESCRIBE v", "name type default_type default_expression comment codec_expression ttl_expression\nwindow_start DateTime64(0, \\'UTC\\')   key  \npage String   key  \nlow String   key  \nhits UInt64   aggregate"},
		{"SHOW CREATE VIEW v FORMAT TabSeparatedRaw", "CREATE VIEW v AS\nSELECT page, lower(page) AS low, count() AS hits\nFROM s\nGROUP BY page, tumble(ts, INTERVAL 1 HOUR)"},
		{"CREATE STREAM IF NOT EXISTS s (ts DateTime64(3)) WITH (event_time = 'ts')", "kind name status\nstream s unchanged"},
		{"CREATE VIEW IF NOT EXISTS v AS SELECT count() AS n FROM s", "kind name status\nview v unchanged"},
		{"DROP VIEW IF EXISTS nothing", "kind name status\nview nothing unchanged"},
		{"DROP STREAM IF EXISTS nothing", "kind name status\nstream nothing unchanged"},
		{"SELECT 1 + 1 AS two", "two\n2"},
		{"SELECT 1; SELECT 2 AS two;", "two\n2"},
		{"SELECT page, sum(n) AS total FROM s GROUP BY page ORDER BY total DESC", "page total\nb 5\na 1"},
		{"SELECT DISTINCT page FROM s WHERE n > 1", "page\nb"},
		{"SELECT n FROM s ORDER BY n LIMIT 1 OFFSET 1", "n\n2"},
		{"SELECT * FROM v ORDER BY page", "window_start page low hits\n2026-01-01 00:00:00 A a 1\n2026-01-01 01:00:00 b b 2"},
		{"SELECT v.page, sum(s.n) AS total FROM millrace.v JOIN s ON v.low = s.page GROUP BY v.page ORDER BY total", "page total\nA 1\nb 5"},
		{"WITH x AS (SELECT page FROM v WHERE hits > 1) SELECT count() AS c FROM s WHERE page IN x", "c\n2"},
		{"SELECT page, row_number() OVER (ORDER BY hits DESC) AS r FROM v ORDER BY r", "page r\nb 1\nA 2"},
		{"SELECT * FROM (SELECT n FROM s UNION ALL SELECT toInt64(hits) AS n FROM v) ORDER BY n", "n\n1\n1\n2\n2\n3"},
		{"SELECT sum(n) AS m FROM s WHERE n IN (SELECT hits FROM v)", "m\n3"},
		{"SELECT groupArray(n) AS a, map('k', 1) AS m, (1, 'x') AS t, toDecimal64(1.5, 2) AS d FROM (SELECT n FROM s ORDER BY n)", "a m t d\n[1,2,3] {'k':1} (1,'x') 1.5"},
		{"SELECT currentDatabase(), currentUser() AS u", "currentDatabase() u\nmillrace root"},
		{"SELECT database, name, engine FROM system.tables ORDER BY name", "database name engine\nmillrace s MillraceStream\nmillrace v MillraceView"},
		{"SELECT name, type FROM system.columns WHERE table = 'v' AND comment = 'aggregate'", "name type\nhits UInt64"},
		{"SELECT name FROM system.databases", "name\nmillrace"},
		{"SELECT count() AS c FROM system.functions WHERE name IN ('abs', 'file', 'sleep')", "c\n1"},
		{"DROP VIEW v", "kind name status\nview v dropped"},
		{"SHOW VIEWS", "name stream batch"},
	} {
		if got := s.ask(c.text); got != c.want {
			t.Errorf("%s gives\n%s\nwant\n%s", c.text, got, c.want)
		}
	}
	if n := s.history.released.Load(); n != 8 || leftovers(t) != 0 {
		t.Errorf("%d histories were released, want 8; %d things are left", n, leftovers(t))
	}
}

// TestOrder holds the order of a query against that of the engine without parentheses.
func TestOrder(t *testing.T) {
	s := newSetting(t)
	limits := testLimits
	limits.Rows, limits.Bytes = 1_000_000, 64<<20
	s.Limits = RoleLimits{access.Admin: limits}
	for _, text := range []string{
		"SELECT number, cityHash64(number) AS h FROM numbers_mt(300000) ORDER BY h DESC",
		"SELECT number % 7 AS k FROM numbers_mt(1000) ORDER BY k DESC LIMIT 3 WITH TIES",
		"SELECT number FROM numbers_mt(500000) ORDER BY number DESC LIMIT 100 OFFSET 5",
		"SELECT * FROM (SELECT number AS n FROM numbers(3) UNION ALL SELECT number + 10 AS n FROM numbers(3)) ORDER BY n DESC",
		"(SELECT 2 AS a ORDER BY a) UNION ALL (SELECT 1)",
		"SELECT number % 100 AS k, count() AS c FROM numbers_mt(1000000) GROUP BY k ORDER BY c, k DESC",
		"SELECT number % 3 AS k, max(number) FROM numbers(10) GROUP BY k WITH TOTALS ORDER BY k DESC",
		"SELECT number AS x, number AS y, x FROM numbers(3) ORDER BY y DESC",
		"SELECT number FROM numbers(20) ORDER BY number % 5, number LIMIT 1 BY number % 5",
	} {
		got, err := s.try(Request{Text: text, Format: "TabSeparatedWithNames"})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		body, err := enginetest.Client(t).QueryRaw(t.Context(), text, "TabSeparatedWithNames")
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(body)
		if err := errors.Join(err, body.Close()); err != nil {
			t.Fatal(err)
		}
		if want := strings.ReplaceAll(strings.TrimSpace(string(plain)), "\t", " "); got != want {
			t.Errorf("%s: another order or other rows than the engine's own", text)
		}
	}
}

func TestAnswersNameTheirSources(t *testing.T) {
	s := newSetting(t)
	response, err := s.Stream(s.ctx, Request{Text: "SELECT count(), nan AS x FROM v, s"})
	if err != nil {
		t.Fatal(err)
	}
	body, err := response.WithProvenance()
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Data       []map[string]any
		Rows       int
		Provenance []map[string]any
	}
	if err := json.NewDecoder(iotest.OneByteReader(body)).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(answer); got != "{[map[count():6 x:<nil>]] 1 [map[complete:true cut:<nil> cut_time:<nil> generation:0 lag_ms:0 partitions:<nil> rejected:0 view:v] map[positions:[3 4] stream:s]]}" {
		t.Error(got)
	}
	if response.Statement != "select" || response.ContentType != "application/json; charset=UTF-8" {
		t.Errorf("%s of %s", response.ContentType, response.Statement)
	}
}

func TestRequests(t *testing.T) {
	s := newSetting(t)
	for _, c := range []struct {
		r    Request
		want string
	}{
		{Request{Text: "SELECT {n:Int64} + 1 AS x, {s:String} AS y", Format: "CSV", Params: map[string]string{"n": "41", "s": "a'b; DROP"}}, "42,\"a'b; DROP\""},
		{Request{Text: "SELECT 1 AS x FORMAT JSONCompactEachRow", Format: "CSV"}, "[1]"},
		{Request{Text: "SELECT toUInt64(1) AS x", Format: "JSONEachRow", Settings: map[string]string{"output_format_json_quote_64bit_integers": "1", "readonly": "2"}}, `{"x":"1"}`},
		{Request{Text: "SELECT number FROM numbers(3)", Format: "TSV", Settings: map[string]string{"max_result_rows": "3"}}, "0\n1\n2"},
	} {
		if got, err := s.try(c.r); err != nil || got != c.want {
			t.Errorf("%+v: %q, %v, want %q", c.r, got, err, c.want)
		}
	}
	for name, r := range map[string]Request{
		"file":          {Text: "SELECT 1", Settings: map[string]string{"format_schema": "/etc/passwd"}},
		"template":      {Text: "SELECT 1", Settings: map[string]string{"format_template_row": "/etc/passwd"}},
		"setting":       {Text: "SELECT 1", Settings: map[string]string{"max_execution_time_leaf": "1"}},
		"threads":       {Text: "SELECT 1", Settings: map[string]string{"max_threads": "100000"}},
		"format":        {Text: "SELECT 1", Format: "Template"},
		"format clause": {Text: "SELECT 1 FORMAT SQLInsert"},
		"lower limit":   {Text: "SELECT number FROM numbers(3)", Settings: map[string]string{"max_result_rows": "2"}},
		"higher limit":  {Text: "SELECT number FROM numbers(7)", Settings: map[string]string{"max_result_rows": "1000"}},
		"no limit":      {Text: "SELECT number FROM numbers(7)", Settings: map[string]string{"max_result_rows": "0"}},
		"identifier":    {Text: "SELECT * FROM {t:Identifier}", Params: map[string]string{"t": "s"}},
	} {
		_, err := s.try(r)
		if p := problem.From(err); err == nil || p.Status >= 500 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Stream(s.ctx, Request{Text: "SELECT 1; SELECT 2"}); err == nil {
		t.Error("Stream takes two statements")
	}
	r, err := s.Stream(s.ctx, Request{Text: "SELECT toInt64(5) AS a, 'x' AS b", Format: "Native", Revision: 54460, QueryID: "q"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if block, err := io.ReadAll(r.Body); err != nil || !bytes.Contains(block, []byte("Int64")) || r.Header.Get("X-ClickHouse-Query-Id") != "q" {
		t.Errorf("%q, %v, %v", block, r.Header, err)
	}
}

func TestRefusals(t *testing.T) {
	s := newSetting(t)
	for _, c := range []struct {
		text   string
		status int
		says   string
	}{
		{"", http.StatusBadRequest, "no statement"},
		{"SELECT *\nFROM nothing", http.StatusBadRequest, `there is no stream or view "nothing"`},
		{"DESCRIBE nothing", http.StatusBadRequest, "nothing"},
		{"SHOW CREATE nothing", http.StatusBadRequest, "nothing"},
		{"SHOW TABLES FROM system", http.StatusBadRequest, "database"},
		{"EXPLAIN SELECT 1", http.StatusBadRequest, "EXPLAIN"},
		{"INSERT INTO s VALUES (1)", http.StatusBadRequest, "expected"},
		{"SET x = 1", http.StatusBadRequest, "expected"},
		{streamSQL, http.StatusConflict, "s"},
		{"DROP VIEW nothing", http.StatusNotFound, "nothing"},
		{"DROP STREAM s", http.StatusConflict, "v"},
		{"SELECT pag FROM s", http.StatusBadRequest, "Maybe you meant: ['page']"},
		{"SELECT throwIf(1, 'mine')", http.StatusBadRequest, "mine"},
	} {
		_, err := s.try(Request{Text: c.text})
		if p := problem.From(err); err == nil || p.Status != c.status || !strings.Contains(p.Detail, c.says) {
			t.Errorf("%s: %v, want %d saying %q", c.text, err, c.status, c.says)
		}
	}
	_, err := s.try(Request{Text: "SHOW VIEWS;\n SELECT no_such(1); DROP VIEW v"})
	var refused *sql.Error
	if !errors.As(err, &refused) || refused.Pos.Line != 2 || refused.Pos.Column != 9 {
		t.Errorf("%v, want the place in the second statement", err)
	}
	if got := s.ask("SHOW VIEWS"); !strings.Contains(got, "v s") {
		t.Error("a statement ran after the one that failed")
	}
}

// TestRights: what a caller may not read is to it as what does not exist.
func TestRights(t *testing.T) {
	s := newSetting(t)
	root := s.ctx
	s.ctx = access.With(root, access.Principal{Name: "ann", Role: access.SQL, Objects: []string{"v"}})
	for text, want := range map[string]string{
		"SHOW TABLES":                               "name kind\nv view",
		"SELECT name FROM system.tables":            "name\nv",
		"SELECT DISTINCT table FROM system.columns": "table\nv",
		"EXISTS s": "result\n0",
		"SELECT count() AS c, currentUser() AS u FROM v": "c u\n2 ann",
	} {
		if got := s.ask(text); got != want {
			t.Errorf("%s gives %q, want %q", text, got, want)
		}
	}
	unknown := regexp.MustCompile("[a-z_.]+\"")
	for _, pair := range [][2]string{{"SELECT * FROM s", "SELECT * FROM x"}, {"DESCRIBE s", "DESCRIBE x"}, {"SHOW CREATE s", "SHOW CREATE x"}, {"SELECT 1 FROM v WHERE 1 IN (SELECT n FROM s)", "SELECT 1 FROM v WHERE 1 IN (SELECT n FROM x)"}} {
		_, forbidden := s.try(Request{Text: pair[0]})
		_, absent := s.try(Request{Text: pair[1]})
		if forbidden == nil || absent == nil || unknown.ReplaceAllString(forbidden.Error(), "") != unknown.ReplaceAllString(absent.Error(), "") {
			t.Errorf("%s: %v; %s: %v", pair[0], forbidden, pair[1], absent)
		}
	}
	for _, c := range []struct {
		role access.Role
		text string
		says string
	}{
		{access.SQL, streamSQL, "manage"}, {access.SQL, "DROP VIEW v", "manage"}, {access.Read, "SELECT 1", "query"},
		{access.Ingest, "SHOW TABLES", "look"}, {"", "SELECT 1", "query"},
	} {
		s.ctx = access.With(root, access.Principal{Name: "ann", Role: c.role})
		_, err := s.try(Request{Text: c.text})
		if p := problem.From(err); p.Status != http.StatusForbidden || !strings.Contains(p.Detail, c.says) {
			t.Errorf("%s as %s: %v", c.text, c.role, err)
		}
	}
}

func TestEngineMessagesNameNoFiles(t *testing.T) {
	s := newSetting(t)
	dir := filepath.Dir(s.history.path)
	s.history.path = filepath.Join(dir, "lake", "missing.csv")
	for _, text := range []string{"SELECT n FROM s", "SELECT m FROM s", "SELECT _path FROM s", "SELECT low + 1 FROM v"} {
		_, err := s.try(Request{Text: text})
		p := problem.From(err)
		if p.Status != http.StatusBadRequest || strings.Contains(p.Detail, dir) || strings.Contains(p.Detail, "missing") {
			t.Errorf("%s: %d %s", text, p.Status, p.Detail)
		}
	}
	if got := publicText("cannot read '2026/01/02' and 4/2 of /var/lib/x.bin: no"); got != "cannot read '2026/01/02' and 4/2 of (a file of the server): no" {
		t.Error(got)
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
		_, err := s.try(Request{Text: "SELECT hits, upper(page) AS hidden FROM v WHERE " + c.where})
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
