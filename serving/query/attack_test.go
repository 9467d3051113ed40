package query

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/clickhouse/engine"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/sql"
)

// scene is what an attack would like to reach: a file outside of the lake, and a port.
type scene struct {
	dir     string // outside of the lake
	secret  string // a file in it that holds XYZZY
	address string // of a listener
	met     atomic.Int32
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{dir: t.TempDir()}
	s.secret = filepath.Join(s.dir, "secret.csv")
	if err := os.WriteFile(s.secret, []byte("XYZZY\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			s.met.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return s
}

// unharmed fails the test where an attack has left a trace.
func (s *scene) unharmed(t *testing.T) {
	t.Helper()
	if n := s.met.Load(); n != 0 {
		t.Errorf("the engine opened %d connections", n)
	}
	if entries, err := os.ReadDir(s.dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder outside holds %v, %v", entries, err)
	}
	if text, err := os.ReadFile(s.secret); err != nil || string(text) != "XYZZY\n" {
		t.Errorf("the file outside is %q, %v", text, err)
	}
}

// names runs a query and returns its first column.
func names(t *testing.T, query string) []string {
	t.Helper()
	b, err := enginetest.Client(t).QueryBatch(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, b.Rows)
	for i := range out {
		out[i] = string(b.Columns[0].Str.At(i))
	}
	return out
}

// TestEveryDangerousFunctionIsRefused tries every table function of the engine but the
// pure ones, and every scalar function that touches files, network, environment, other
// queries, tables or time, in every place of a statement.
func TestEveryDangerousFunctionIsRefused(t *testing.T) {
	s, scene := newSetting(t), newScene(t)
	try := func(place, call string) {
		text := fmt.Sprintf(place, call)
		_, err := s.try(Request{Text: text})
		var refused *sql.Error
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v, want a refusal with its place", text, err)
		}
	}
	tableFunctions := names(t, "SELECT name FROM system.table_functions WHERE name NOT IN ('numbers', 'numbers_mt', 'zeros', 'zeros_mt', 'primes', 'generateSeries', 'generate_series', 'values', 'SQLStandardValues', 'null')")
	if len(tableFunctions) < 80 {
		t.Fatalf("there are only %d table functions", len(tableFunctions))
	}
	for _, f := range tableFunctions {
		call := f + "('" + scene.secret + "', 'CSV', 'a String')"
		if f == "view" || f == "viewIfPermitted" || f == "viewExplain" {
			call = f + "(SELECT 1)"
		}
		for _, place := range []string{
			"SELECT * FROM %s", "SELECT * FROM v JOIN %s AS x ON 1 = 1", "SELECT * FROM (SELECT * FROM %s)", "SELECT 1 IN (SELECT * FROM %s)",
			"WITH x AS (SELECT * FROM %s) SELECT * FROM x", "SELECT (SELECT * FROM %s LIMIT 1)", "SELECT 1 UNION ALL SELECT * FROM %s",
			"CREATE VIEW w AS SELECT count() AS n FROM %s", "SELECT * FROM %s INTO OUTFILE '" + scene.dir + "/out'", "INSERT INTO FUNCTION %s SELECT 1",
		} {
			try(place, call)
		}
	}
	scalars := []string{
		"file('" + scene.secret + "')", "FILE('" + scene.secret + "')", "filesystemAvailable()", "filesystemCapacity()", "filesystemUnreserved()", "catboostEvaluate('x', 1)", "showCertificate()",
		"addressToLine(1)", "addressToLineWithInlines(1)", "addressToSymbol(1)", "aiClassify('a', ['b'])", "aiEmbed('a')", "aiGenerate('a')", "aiExtract('a', 'b')", "aiTranslate('a', 'b')",
		"sleep(1)", "sleepEachRow(1)", "getSetting('x')", "getSettingOrDefault('x', 1)", "getServerSetting('x')", "getMergeTreeSetting('x')", "hostName(1)", "fullHostName()",
		"getMacro('x')", "uptime()", "tcpPort()", "getServerPort('tcp_port')", "serverUUID()", "getOSKernelVersion()", "buildId()", "globalVariable('version')",
		"queryID()", "query_id()", "initialQueryID()", "currentQueryID()", "connectionId()", "currentRoles()", "enabledRoles()", "defaultRoles()", "currentProfiles()", "authenticatedUser()", "getClientHTTPHeader('x')",
		"transactionID()", "dictGet('d', 'x', 1)", "dictHas('d', 1)", "dictGetOrNull('d', 'x', 1)", "joinGet('t', 'x', 1)", "hasColumnInTable('d', 't', 'c')", "evalMLMethod(1)", "regionToName(1)",
		"naiveBayesClassifier('x', 'y')", "arrayReduce('groupConcat(file(\\'" + scene.secret + "\\'))', ['a', 'b'])", "initializeAggregation('countState')", "logTrace('x')", "tid()", "generateSerialID('x')", "zookeeperSessionUptime()",
	}
	for _, call := range scalars {
		for _, place := range []string{
			"SELECT %s", "SELECT n FROM s WHERE 1 = %s", "SELECT n FROM s PREWHERE toString(%s) = 'x'", "SELECT * FROM s JOIN v ON s.page = toString(%s)", "SELECT n FROM (SELECT n FROM s ORDER BY %s)",
			"WITH %s AS x SELECT x", "WITH x AS (SELECT %s) SELECT * FROM x", "SELECT n FROM s GROUP BY n HAVING toString(%s) = 'x'", "SELECT n FROM s LIMIT length(toString(%s))",
			"SELECT arrayMap(x -> %s, [1])", "SELECT sum(n) OVER (PARTITION BY %s) FROM s", "SELECT * REPLACE (%s AS n) FROM s", "SELECT * FROM numbers(length(toString(%s)))",
			"CREATE VIEW w AS SELECT count() AS n FROM s WHERE toString(%s) = 'x'", "SELECT %s INTO OUTFILE '" + scene.dir + "/out'", "SELECT n FROM s ORDER BY n WITH FILL FROM %s",
		} {
			try(place, call)
		}
	}
	// Those that clients ask whom they talk to have a constant in their place.
	if got := s.ask("SELECT hostName(), hostname(), FQDN(), displayName(), revision() > 54000"); !strings.HasSuffix(got, "\nmillrace millrace millrace millrace 1") {
		t.Errorf("the server says of itself %q", got)
	}
	scene.unharmed(t)
}

// TestInjections tries to get around the parser.
func TestInjections(t *testing.T) {
	s, scene := newSetting(t), newScene(t)
	file := "file('" + scene.secret + "')"
	for _, text := range []string{
		"SELECT 1) UNION ALL SELECT " + file + " FROM (SELECT 1", "SELECT 1 -- x\n) UNION ALL (SELECT " + file, "SELECT 1 /* */ ) ; SELECT " + file + " /*",
		"SELECT $$x$$ || " + file, "SELECT $a$ $$ $a$, " + file, "SELECT '\\'' || " + file + " || '\\''", "SELECT \"a\" FROM (SELECT 1 AS a) WHERE " + file + " = ''",
		"SELECT /*/ */ " + file + " /*/ */", "SELECT # comment\n " + file, "SELECT #! comment\n " + file, "SELECT 1 AS `a\n`, " + file, "SELECT `a\n  Function sum` FROM s",
		"SELECT 1;SELECT " + file + " FROM (SELECT 1", "SELECT * FROM view(SELECT " + file + ")", "SELECT * FROM (EXPLAIN SELECT " + file + ")", "EXPLAIN ESTIMATE SELECT 1",
		"SELECT 1 IN system.users", "SELECT 1 IN (system.users)", "SELECT * FROM `system`.`processes`", "SELECT * FROM SYSTEM.processes", "SELECT * FROM system /**/ . /**/ processes", "SELECT query FROM information_schema.tables",
		"SELECT 1 FROM s, system.processes", "SELECT * FROM merge('system', '.*')", "SELECT file FROM (SELECT 1 AS file) WHERE " + file + " = ''", "WITH file AS (SELECT 1) SELECT " + file,
		"WITH (x -> x) AS file SELECT " + file, "SELECT * APPLY file FROM s", "SELECT COLUMNS('.*') APPLY(x -> " + file + ") FROM s", "SELECT * FROM {t:Identifier}", "SELECT {f:Identifier}('x')",
		"SELECT * FROM s SETTINGS readonly = 0, allow_ddl = 1", "SELECT * FROM (SELECT 1 SETTINGS log_comment = 'x')", "SELECT \u2018x\u2019 || " + file, "SELECT \u201cfile\u201d('" + scene.secret + "')",
		"SELECT * FROM values('a String ALIAS " + strings.ReplaceAll(file, "'", "''") + "', 1)", "SELECT CAST('x', 'Enum8(' || " + file + " || ')')", "SELECT x'66' || " + file,
		"SELECT " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000), "SELECT " + strings.Repeat("[", 3000) + strings.Repeat("]", 3000), "SELECT 1" + strings.Repeat(" + 1", 60_000), "SELECT " + strings.Repeat("-", 100_001) + "1", "SELECT '\x00' || " + file,
		"SELECT 1 FROM s FORMAT Null", "SELECT 1 INTO OUTFILE '" + scene.dir + "/x' FORMAT CSV", "SELECT 1 INTO OUTFILE '" + scene.dir + "/x' TRUNCATE AND STDOUT", "SELECT 1 PARALLEL WITH SELECT " + file,
		"SYSTEM SHUTDOWN", "KILL QUERY WHERE 1", "SET readonly = 0", "USE system", "ATTACH TABLE x FROM '/tmp' (a Int8) ENGINE = File(CSV)", "BACKUP DATABASE default TO File('" + scene.dir + "/b')", "CREATE FUNCTION f AS x -> x", "GRANT ALL ON *.* TO default",
	} {
		got, err := s.try(Request{Text: text})
		p := problem.From(err)
		if err == nil || p.Status != http.StatusBadRequest || strings.Contains(got+p.Detail+p.Hint, "XYZZY") {
			t.Errorf("%.120s: %.200q, %.300v", text, got, err)
		}
	}
	scene.unharmed(t)
	if got := s.ask("SELECT 1 AS x"); got != "x\n1" || leftovers(t) != 0 {
		t.Errorf("afterwards: %q, %d things are left", got, leftovers(t))
	}
}

// TestLayersBelowHoldAlone leaves out the check of the text: what reaches a session of a
// confined engine neither reads files outside of the lake, nor writes, nor connects, also
// where a setting inside the query lifts readonly.
func TestLayersBelowHoldAlone(t *testing.T) {
	scene := newScene(t)
	lake := t.TempDir()
	inside := filepath.Join(lake, "events.csv")
	if err := os.WriteFile(inside, []byte("fine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	opts := enginetest.Options(t, filepath.Join(t.TempDir(), "engine"))
	opts.Confine = &engine.Confinement{ReadOnly: []string{lake}}
	e, err := engine.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	c, err := e.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask := func(text string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		session := c.NewSession()
		defer func() { _ = session.Close(context.WithoutCancel(ctx)) }()
		if err := session.Exec(ctx, "CREATE TEMPORARY TABLE s (a String) ENGINE = File('CSV', '"+inside+"')"); err != nil {
			t.Fatal(err)
		}
		reply, err := session.Ask(ctx, clickhouse.Question{Text: text, Format: "TSV"})
		if err != nil {
			return "", err
		}
		text2, err := io.ReadAll(reply.Body)
		return string(text2), errors.Join(err, reply.Body.Close())
	}
	if got, err := ask("SELECT * FROM s"); got != "fine\n" || err != nil {
		t.Fatalf("the lake itself: %q, %v", got, err)
	}
	const free = " SETTINGS readonly = 0, http_max_tries = 1, http_connection_timeout = 1, s3_max_redirects = 1, connect_timeout = 1, connect_timeout_with_failover_ms = 100, connections_with_failover_max_tries = 1, s3_request_timeout_ms = 500, s3_retry_attempts = 0, postgresql_connection_attempt_timeout = 1, external_storage_connect_timeout_sec = 1)"
	a := scene.address
	for _, text := range []string{
		"SELECT * FROM file('" + scene.secret + "', 'CSV', 'a String')", "SELECT file('" + scene.secret + "')", "SELECT file('/etc/hostname')", "SELECT file('/proc/self/environ')",
		"SELECT * FROM url('http://" + a + "', 'CSV', 'a String')", "SELECT * FROM s3('http://" + a + "/b/k', 'CSV', 'a String')", "SELECT * FROM remote('" + a + "', system.one)",
		"SELECT * FROM mysql('" + a + "', 'd', 't', 'u', 'p')", "SELECT * FROM postgresql('" + a + "', 'd', 't', 'u', 'p')", "SELECT * FROM redis('" + a + "', 'k', 'k String, v String')", "SELECT * FROM sqlite('" + scene.secret + "', 't')",
		"SELECT * FROM executable('cat " + scene.secret + "', 'TSV', 'a String')", "SELECT * FROM values('a Int8, b String ALIAS file(''" + scene.secret + "'')', 1)",
	} {
		got, err := ask(text)
		if strings.Contains(got, "XYZZY") || err == nil && strings.Contains(text, "file(") && !strings.Contains(text, "ALIAS") {
			t.Errorf("%s: %q, %v", text, got, err)
		}
		// A subquery's settings are not checked by the engine: readonly goes, Landlock stays.
		if engine.Confinable() > 0 {
			if got, err := ask("SELECT * FROM (" + text + free); err == nil && !strings.Contains(text, "ALIAS") {
				t.Errorf("%s with readonly = 0: %q", text, got)
			}
		}
	}
	for _, text := range []string{
		"INSERT INTO FUNCTION file('" + filepath.Join(scene.dir, "new") + "', 'CSV', 'a String') SELECT 'x'", "INSERT INTO FUNCTION file('" + filepath.Join(lake, "new") + "', 'CSV', 'a String') SELECT 'x'",
		"CREATE TABLE t (a Int8) ENGINE = Memory", "CREATE TABLE t (a Int8) ENGINE = File('CSV', '" + filepath.Join(lake, "t") + "')", "CREATE DATABASE d", "DROP DATABASE default", "CREATE FUNCTION f AS x -> x", "SET readonly = 0",
	} {
		if got, err := ask(text); err == nil {
			t.Errorf("%s: %q", text, got)
		}
	}
	if engine.Confinable() > 0 {
		// A temporary table may be inserted into, read only or not; the lake's file may not.
		if _, err := ask("INSERT INTO s SELECT 'x'"); err == nil {
			t.Error("INSERT into the lake's file went through")
		}
		if _, err := ask("SELECT 1 INTO OUTFILE '" + filepath.Join(scene.dir, "out") + "'"); err == nil {
			t.Error("INTO OUTFILE went through")
		}
		scene.unharmed(t)
	}
	if entries, err := os.ReadDir(lake); err != nil || len(entries) != 1 {
		t.Errorf("the lake holds %v, %v", entries, err)
	}
	if text, err := os.ReadFile(inside); err != nil || string(text) != "fine\n" {
		t.Errorf("the lake's file is %q, %v", text, err)
	}
}
