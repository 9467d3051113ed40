package engine_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/millrace/millrace/internal/clickhouse/enginetest"
)

// answer is what the engine said to one request.
type answer struct {
	status int
	code   string
	body   string
	err    error // of reading the body
	header http.Header
}

// ask sends one request by plain HTTP; params are URL parameters, "key=value&…".
func ask(t *testing.T, method, params string, body io.Reader) answer {
	t.Helper()
	u, err := url.Parse(enginetest.Engine(t).DSN())
	if err != nil {
		t.Fatal(err)
	}
	u.Path, u.RawQuery = "/", params
	req, err := http.NewRequestWithContext(t.Context(), method, u.String(), body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return answer{resp.StatusCode, resp.Header.Get("X-ClickHouse-Exception-Code"), string(data), err, resp.Header}
}

func post(t *testing.T, params, body string) answer {
	t.Helper()
	return ask(t, http.MethodPost, params, strings.NewReader(body))
}

func TestAnswers(t *testing.T) {
	for _, tc := range []struct {
		name, method, params, body string
		status                     int
		code, want                 string
	}{
		{"body", "POST", "", "SELECT 1, 'a'", 200, "", "1\ta\n"},
		{"url", "GET", "query=SELECT%202", "", 200, "", "2\n"},
		{"url and body", "POST", "query=SELECT%202", "+ 3", 200, "", "5\n"},
		{"default format", "POST", "default_format=CSV", "SELECT 'a', NULL", 200, "", "\"a\",\\N\n"},
		{"format clause", "POST", "default_format=CSV", "SELECT 1 AS x FORMAT JSONCompactEachRow", 200, "", "[1]\n"},
		{"one document", "POST", "", "SELECT count() FROM numbers(200000) GROUP BY number % 2 FORMAT Values", 200, "", "(100000),(100000)"},
		{"show", "POST", "", "SHOW DATABASES LIKE 'default'", 200, "", "default\n"},
		{"with", "POST", "", "/* c */ -- d\nWITH 3 AS x SELECT x", 200, "", "3\n"},
		{"explain", "POST", "", "EXPLAIN SYNTAX SELECT 1", 200, "", "SELECT 1\nFROM system.one\n"},
		{"parameter", "POST", "param_n=7&param_s=a%27b", "SELECT {n:Int64} + 1, {s:String}", 200, "", "8\ta\\'b\n"},
		{"parameter of a whole result", "POST", "param_n=7&default_format=JSONCompactColumns", "SELECT {n:Int64}", 200, "", "[\n\t[7]\n]\n"},
		{"setting", "POST", "max_threads=1", "SELECT getSetting('max_threads')", 200, "", "1\n"},
		{"setting has not stayed", "POST", "", "SELECT changed FROM system.settings WHERE name = 'max_threads'", 200, "", "0\n"},
		{"zone", "POST", "", "SELECT timezone()", 200, "", "UTC\n"},
		{"no rows", "POST", "", "SELECT 1 WHERE 0", 200, "", ""},
		{"statement without result", "POST", "", "SET max_threads = 1", 200, "", ""},
		{"ping", "GET", "", "", 400, "62", "Empty query"},
		{"syntax", "POST", "", "SELECT FROM WHERE", 400, "62", "Code: 62. DB::Exception: Syntax error"},
		{"unknown table", "POST", "", "SELECT * FROM nope", 404, "60", "Code: 60. DB::Exception: Unknown table"},
		{"unknown database", "POST", "database=nope", "SELECT 1", 404, "81", "Code: 81."},
		{"unknown setting", "POST", "no_such_setting=1", "SELECT 1", 500, "115", "no_such_setting"},
		{"no setting", "POST", "a%20b=1", "SELECT 1", 400, "36", "a b"},
		{"error at once", "POST", "", "SELECT throwIf(number = 0) FROM numbers(10)", 500, "395", "Code: 395."},
		{"missing parameter", "POST", "", "SELECT {n:Int64}", 500, "456", "Code: 456."},
		{"compression", "POST", "compress=1", "SELECT 1", 501, "48", "compress"},
		{"bad time limit", "POST", "max_execution_time=NaN", "SELECT 1", 400, "36", "max_execution_time"},
		{"method", "DELETE", "", "", 405, "", "method not allowed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := ask(t, tc.method, tc.params, strings.NewReader(tc.body))
			if a.err != nil || a.status != tc.status || a.code != tc.code {
				t.Fatalf("got %+v, want status %d, code %q", a, tc.status, tc.code)
			}
			if ok := a.body == tc.want || (tc.status != 200 && strings.Contains(a.body, tc.want)); !ok {
				t.Errorf("got %q, want %q", a.body, tc.want)
			}
		})
	}
}

func TestSecret(t *testing.T) {
	u, err := url.Parse(enginetest.Engine(t).DSN())
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []*url.Userinfo{nil, url.User("millrace"), url.UserPassword("millrace", "guess")} {
		u.User, u.Path = user, "/"
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u.String(), strings.NewReader("SELECT 1"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("X-ClickHouse-Exception-Code") != "516" {
			t.Errorf("%v: got %s, %v", user, resp.Status, resp.Header)
		}
	}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
}

// TestLateError has an error come after rows have been sent: the body must not look whole.
func TestLateError(t *testing.T) {
	const query = "SELECT throwIf(number = 300000), toString(number) FROM numbers(400000) SETTINGS max_threads = 1"
	a := post(t, "default_format=TSV", query)
	if a.status != http.StatusOK || a.err == nil {
		t.Errorf("status %d, reading gave %v; want an answer that breaks off", a.status, a.err)
	}
	tag := a.header.Get("X-ClickHouse-Exception-Tag")
	if i := strings.LastIndex(a.body, "\r\n__exception__\r\n"+tag+"\r\nCode: 395."); tag == "" || i < 0 {
		t.Errorf("no exception at the end: %q", a.body[max(0, len(a.body)-300):])
	}
	rows, err := enginetest.Client(t).Query(t.Context(), query)
	if err == nil {
		for rows.Next() {
		}
		err = errors.Join(rows.Err(), rows.Close())
	}
	if err == nil || !strings.Contains(err.Error(), "code 395") {
		t.Errorf("driver saw %v", err)
	}
}

func TestInsertFormats(t *testing.T) {
	c := enginetest.Client(t)
	if err := c.Exec(t.Context(), "CREATE TABLE inserted (a Int64, s String) ENGINE = MergeTree ORDER BY a"); err != nil {
		t.Fatal(err)
	}
	count := func() string { return post(t, "", "SELECT count(), sum(a) FROM inserted").body }
	insert := url.Values{"query": {"INSERT INTO inserted (a, s) FORMAT CSV"}}.Encode()
	for _, step := range []struct {
		name   string
		answer answer
		status int
		count  string
	}{
		{"csv", post(t, insert, "1,x\n2,\"y\n\"\n"), 200, "2\t3\n"},
		{"bad row", post(t, insert, "3,x\nthree,y\n"), 500, "2\t3\n"},
		{"values in the text", post(t, "", "INSERT INTO inserted VALUES (4, 'x'), (5, 'y')"), 200, "4\t12\n"},
		{"select", post(t, "", "INSERT INTO inserted SELECT number, '' FROM numbers(6, 2)"), 200, "6\t25\n"},
		{"no rows", post(t, insert, ""), 200, "6\t25\n"},
		{"unknown table", post(t, "query=INSERT%20INTO%20nope%20FORMAT%20CSV", "1\n"), 404, "6\t25\n"},
	} {
		if step.answer.status != step.status {
			t.Errorf("%s: %+v", step.name, step.answer)
		}
	}
	if got := count(); got != "6\t25\n" {
		t.Errorf("count and sum %q", got)
	}
}

// TestBrokenInsert breaks off the body of an insert behind a whole row.
func TestBrokenInsert(t *testing.T) {
	c := enginetest.Client(t)
	if err := c.Exec(t.Context(), "CREATE TABLE broken (a Int64) ENGINE = MergeTree ORDER BY a"); err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	go func() {
		_, _ = io.WriteString(w, strings.Repeat("1\n", 1<<20))
		w.CloseWithError(errors.New("the client dies"))
	}()
	if a := ask(t, http.MethodPost, "query=INSERT%20INTO%20broken%20FORMAT%20CSV", r); a.err == nil {
		t.Errorf("answered %+v", a)
	}
	// The engine's sessions must be in order again, all of them, and no row there.
	for range 16 {
		if got := post(t, "", "SELECT count() FROM broken"); got.body != "0\n" {
			t.Fatalf("rows: %+v", got)
		}
	}
}

func TestTimeLimit(t *testing.T) {
	for _, query := range []string{
		"SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1",
		"SELECT sleepEachRow(1) FROM numbers(1000) SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0",
		"CREATE TABLE long ENGINE = Memory AS SELECT sleepEachRow(0.01) FROM numbers(1000000) SETTINGS max_block_size = 1",
	} {
		a := post(t, "max_execution_time=0.2", query)
		if a.code != "159" && !strings.Contains(a.body, "Code: 159.") {
			t.Errorf("%s: %+v", query, a)
		}
	}
}

// TestDriver goes through clickhouse-go alone, as a user's program would.
func TestDriver(t *testing.T) {
	opts, err := ch.ParseDSN(enginetest.Engine(t).DSN())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ch.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := conn.Exec(t.Context(), "CREATE TABLE driven (a Array(Int64), m Map(String, UInt8), t Tuple(x Int8, y String), l LowCardinality(Nullable(String)), e Enum8('u' = 1), d Decimal(9, 2), u UUID) ENGINE = Memory"); err != nil {
		t.Fatal(err)
	}
	batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO driven (a, m, t, l, e, d, u)")
	if err != nil {
		t.Fatal(err)
	}
	const id = "61f0c404-5cb3-11e7-907b-a6006ad3dba0"
	for range 2 {
		if err := batch.Append([]int64{1, -2}, map[string]uint8{"k": 3}, []any{int8(4), "five"}, "six", "u", "7.25", id); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	var got string
	row := conn.QueryRow(t.Context(), "SELECT toString((a, m, t, l, e, d, u)) FROM driven WHERE l = {l:String} LIMIT 1", ch.Named("l", "six"))
	if err := row.Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := "([1,-2],{'k':3},(4,'five'),'six','u',7.25,'" + id + "')"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var a []int64
	var m map[string]uint8
	var l *string
	if err := conn.QueryRow(t.Context(), "SELECT a, m, l FROM driven LIMIT 1").Scan(&a, &m, &l); err != nil {
		t.Fatal(err)
	}
	if len(a) != 2 || a[1] != -2 || m["k"] != 3 || l == nil || *l != "six" {
		t.Errorf("got %v %v %v", a, m, l)
	}
	rows, err := conn.Query(t.Context(), "SELECT l, a FROM driven WHERE 0")
	if err != nil {
		t.Fatal(err)
	}
	if got := rows.Columns(); len(got) != 2 || got[0] != "l" || rows.Next() {
		t.Errorf("columns of an empty result: %v", got)
	}
	_ = rows.Close()
	var refused *ch.Exception
	if err := conn.Exec(t.Context(), "DROP TABLE nope"); !errors.As(err, &refused) || refused.Code != 60 {
		t.Errorf("got %v, want code 60", err)
	}
}

func TestConcurrent(t *testing.T) {
	c := enginetest.Client(t)
	if err := c.Exec(t.Context(), "CREATE TABLE many (worker UInt64, n UInt64) ENGINE = MergeTree ORDER BY n"); err != nil {
		t.Fatal(err)
	}
	const workers, rounds = 24, 5
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range rounds {
				b, err := c.QueryBatch(t.Context(), "SELECT toUInt64("+strconv.Itoa(w)+") AS worker, number AS n FROM numbers(1000)")
				if err == nil {
					err = c.Insert(t.Context(), "many", b)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := post(t, "", "SELECT count(), uniqExact(worker), sum(n) FROM many"); got.body != "120000\t24\t59940000\n" {
		t.Errorf("got %+v", got)
	}
}

// within polls until the condition holds.
func within(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}
