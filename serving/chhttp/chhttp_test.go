package chhttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/query"
)

func TestRequestsThatAClickHouseServerAnswers(t *testing.T) {
	e, _ := onEngine(t)
	q := url.QueryEscape
	for name, c := range map[string]struct {
		method, target, body string
		header               []string
		want                 string
	}{
		"ping":                    {"GET", "/ping", "", nil, "Ok.\n"},
		"replicas":                {"GET", "/replicas_status", "", nil, "Ok.\n"},
		"looking in":              {"GET", "/", "", nil, "Ok.\n"},
		"head":                    {"HEAD", "/?query=" + q("SELECT 1"), "", nil, ""},
		"query in the URL":        {"GET", "/?query=" + q("SELECT 1"), "", nil, "1\n"},
		"query as the body":       {"POST", "/", "SELECT count() FROM clicks", nil, "1000\n"},
		"query in both":           {"POST", "/?query=" + q("SELECT count()"), "FROM clicks", nil, "1000\n"},
		"default_format":          {"POST", "/?default_format=CSV", "SELECT 'a'", nil, "\"a\"\n"},
		"format by header":        {"POST", "/", "SELECT 'a'", []string{"X-ClickHouse-Format", "CSV"}, "\"a\"\n"},
		"FORMAT wins":             {"POST", "/?default_format=CSV", "SELECT 1 AS a FORMAT JSONEachRow", nil, "{\"a\":1}\n"},
		"parameters":              {"POST", "/?param_p=%2F3&param_n=100", "SELECT count() FROM clicks WHERE page = {p:String} AND n < {n:UInt64}", nil, "14\n"},
		"database":                {"POST", "/?database=default", "SELECT 1", nil, "1\n"},
		"database by header":      {"POST", "/", "SELECT 1", []string{"X-ClickHouse-Database", "system"}, "1\n"},
		"setting":                 {"POST", "/?output_format_json_quote_64bit_integers=1", "SELECT toUInt64(1) AS a FORMAT JSONEachRow", nil, "{\"a\":\"1\"}\n"},
		"session and quota":       {"POST", "/?session_id=s&session_timeout=60&quota_key=k&log_comment=c", "SELECT 1", nil, "1\n"},
		"who I am":                {"POST", "/", "SELECT currentUser()", []string{"X-ClickHouse-User", "ann", "X-ClickHouse-Key", "mr_sql"}, "ann\\'s notebook\n"},
		"tables":                  {"POST", "/", "SHOW TABLES", nil, "clicks\n"},
		"tables of a database":    {"POST", "/", "show tables from default like '%ick%' FORMAT CSV;", nil, "\"clicks\"\n"},
		"tables not alike":        {"POST", "/?database=default", "SHOW TABLES NOT ILIKE '%ICK%'", nil, ""},
		"as a whole":              {"POST", "/?wait_end_of_query=1", "SELECT sum(n) FROM clicks", nil, "499500\n"},
		"use":                     {"POST", "/", "USE default", nil, ""},
		"nothing read back empty": {"POST", "/?default_format=CSVWithNames", "SELECT n FROM clicks WHERE n < 0", nil, "\"n\"\n"},
	} {
		t.Run(name, func(t *testing.T) {
			reply, text := e.call(t, c.method, c.target, []byte(c.body), c.header...)
			if reply.StatusCode != http.StatusOK || text != c.want {
				t.Errorf("%d %q, want 200 %q", reply.StatusCode, text, c.want)
			}
			if got := reply.Header.Get("X-ClickHouse-Server-Display-Name"); got != "millrace" {
				t.Errorf("display name %q", got)
			}
		})
	}
}

func TestHeadersOfAnAnswer(t *testing.T) {
	e, _ := onEngine(t)
	reply, _ := e.query(t, "/?query_id=mine&default_format=JSONEachRow", "SELECT 1")
	for name, want := range map[string]string{
		"X-ClickHouse-Query-Id": "mine", "X-ClickHouse-Format": "JSONEachRow", "X-ClickHouse-Timezone": "UTC",
		"Millrace-Provenance": `[{"stream":"clicks","positions":[1,2]}]`, "Content-Type": "application/x-ndjson; charset=UTF-8",
	} {
		if got := reply.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if s := reply.Header.Get("X-ClickHouse-Summary"); !strings.Contains(s, `"read_rows":"0"`) {
		t.Errorf("summary %q", s)
	}
	if first, _ := e.query(t, "/", "SELECT 1"); first.Header.Get("X-ClickHouse-Query-Id") == "" {
		t.Error("a query without an id got none")
	}
}

func TestTokenStandsWhereAPasswordDoes(t *testing.T) {
	e, _ := onEngine(t)
	const text = "SELECT currentUser()"
	for name, c := range map[string]struct {
		target string
		header []string
		status int
		want   string // of the answer, or of the text of the exception
	}{
		"none":                  {"/", nil, 200, "local\n"},
		"bearer":                {"/", []string{"Authorization", "Bearer mr_sql"}, 200, "ann\\'s notebook\n"},
		"key":                   {"/", []string{"X-ClickHouse-User", "default", "X-ClickHouse-Key", "mr_sql"}, 200, "ann\\'s notebook\n"},
		"basic":                 {"/", []string{"Authorization", "Basic ZGVmYXVsdDptcl9zcWw="}, 200, "ann\\'s notebook\n"},
		"basic, empty password": {"/", []string{"Authorization", "Basic ZGVmYXVsdDo="}, 200, "local\n"},
		"url":                   {"/?user=x&password=mr_sql", nil, 200, "ann\\'s notebook\n"},
		"unknown":               {"/?password=mr_x", nil, 401, "Code: 516. DB::Exception: the token is not known. (AUTHENTICATION_FAILED)\n"},
		"without the right":     {"/?password=mr_ingest", nil, 403, "Code: 497. DB::Exception: token \"page\" (role ingest) lacks the right query; use a token whose role and objects have it: sql, admin. (ACCESS_DENIED)\n"},
		"nobody":                {"/?password=mr_nobody", nil, 401, "Code: 516. DB::Exception: this needs a token; send one as Authorization: Bearer mr_…; an administrator makes it by millrace token create. (AUTHENTICATION_FAILED)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			reply, got := e.query(t, c.target, text, c.header...)
			if reply.StatusCode != c.status || got != c.want {
				t.Errorf("%d %q, want %d %q", reply.StatusCode, got, c.status, c.want)
			}
			if (c.status == 401) != (reply.Header.Get("WWW-Authenticate") != "") {
				t.Errorf("WWW-Authenticate: %q", reply.Header.Get("WWW-Authenticate"))
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	e, _ := onEngine(t)
	for name, c := range map[string]struct {
		method, target, body string
		header               []string
		status               int
		code                 string
		want                 string // in the text
	}{
		"insert":                  {"POST", "/", "INSERT INTO clicks VALUES ('a', 1, 2)", nil, 403, "164", "INSERT is refused; send events to POST /v1/streams/{stream}/events. (READONLY)"},
		"insert behind comments":  {"POST", "/?query=" + url.QueryEscape("/* x */ -- y\n insert into clicks"), "VALUES (1)", nil, 403, "164", "read-only"},
		"create":                  {"POST", "/", "CREATE TABLE x (a Int8) ENGINE = Memory", nil, 403, "164", "read-only"},
		"set":                     {"POST", "/", "SET max_threads = 1", nil, 403, "164", "send a setting along"},
		"kill":                    {"POST", "/", "KILL QUERY WHERE 1", nil, 403, "164", "read-only"},
		"unknown database":        {"POST", "/?database=prod", "SELECT 1", nil, 404, "81", "no database 'prod'"},
		"use of another":          {"POST", "/", "USE `prod`", nil, 404, "81", "no database 'prod'"},
		"no statement":            {"POST", "/", " ", nil, 400, "62", "there is no statement"},
		"format":                  {"POST", "/?default_format=Nope", "SELECT 1", nil, 400, "73", "Nope"},
		"syntax":                  {"POST", "/", "SELEC 1", nil, 400, "62", "Syntax error"},
		"unknown table":           {"POST", "/", "SELECT * FROM nowhere", nil, 400, "60", "nowhere"},
		"too long":                {"POST", "/", "SELECT '" + strings.Repeat("x", sql.MaxTextBytes) + "'", nil, 413, "62", "the limit is"},
		"much too long":           {"POST", "/", strings.Repeat("x", maxBodyBytes+1), nil, 413, "62", "more than"},
		"role":                    {"POST", "/?role=r", "SELECT 1", nil, 501, "48", "leave role out"},
		"readonly off":            {"POST", "/?readonly=0", "SELECT 1", nil, 403, "164", "readonly cannot be 0"},
		"revision":                {"POST", "/?client_protocol_version=x", "SELECT 1", nil, 400, "36", "is not a number"},
		"method of compression":   {"POST", "/?compress=1&network_compression_method=rot13", "SELECT 1", nil, 501, "48", "use LZ4"},
		"encoding of the body":    {"POST", "/", "SELECT 1", []string{"Content-Encoding", "br"}, 501, "48", "gzip, zstd or none"},
		"broken gzip":             {"POST", "/", "SELECT 1", []string{"Content-Encoding", "gzip"}, 400, "36", "cannot be read"},
		"broken blocks":           {"POST", "/?decompress=1", "SELECT 1", nil, 400, "36", "cannot be read"},
		"escape in the URL":       {"POST", "/?a=%zz", "SELECT 1", nil, 400, "36", "parameters of the URL"},
		"a table in a form":       {"POST", "/", "--b\r\nContent-Disposition: form-data; name=\"t\"; filename=\"t\"\r\n\r\n1\r\n--b--\r\n", []string{"Content-Type", "multipart/form-data; boundary=b"}, 501, "48", "ingest the rows"},
		"a form that breaks off":  {"POST", "/", "--b\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT 1", []string{"Content-Type", "multipart/form-data; boundary=b"}, 400, "36", "cannot be read"},
		"too long, with the wait": {"POST", "/?wait_end_of_query=1", "SELECT repeat('x', 1000) FROM numbers(20000)", nil, 422, "307", "leave wait_end_of_query out"},
	} {
		t.Run(name, func(t *testing.T) {
			reply, text := e.call(t, c.method, c.target, []byte(c.body), c.header...)
			if reply.StatusCode != c.status || reply.Header.Get("X-ClickHouse-Exception-Code") != c.code ||
				!strings.HasPrefix(text, "Code: "+c.code+". DB::Exception: ") || !strings.Contains(text, c.want) {
				t.Errorf("%d, code %s: %.300s", reply.StatusCode, reply.Header.Get("X-ClickHouse-Exception-Code"), text)
			}
		})
	}
	if reply, text := e.call(t, "PUT", "/", nil); reply.StatusCode != http.StatusMethodNotAllowed || reply.Header.Get("Allow") == "" {
		t.Errorf("PUT: %d %s", reply.StatusCode, text)
	}
	if reply, text := e.call(t, "GET", "/play", nil); reply.StatusCode != http.StatusNotFound || !strings.Contains(text, `"/play"`) {
		t.Errorf("/play: %d %s", reply.StatusCode, text)
	}
}

func TestProblemsHaveClickHousesCodes(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		want   string
	}{
		"syntax":        {&sql.Error{Pos: sql.Pos{Line: 2, Column: 5}, Msg: "expected FROM"}, 400, "Code: 62. DB::Exception: expected FROM (line 2, col 5). (SYNTAX_ERROR)"},
		"timeout":       {problem.New(504, "query-timeout", "too long", ""), 504, "Code: 159. DB::Exception: too long. (TIMEOUT_EXCEEDED)"},
		"rows":          {problem.New(422, "too-many-rows", "too many", "add a LIMIT"), 422, "Code: 396. DB::Exception: too many; add a LIMIT. (TOO_MANY_ROWS_OR_BYTES)"},
		"forbidden":     {problem.New(403, "forbidden", "no", ""), 403, "Code: 497. DB::Exception: no. (ACCESS_DENIED)"},
		"busy":          {problem.Busy("full", 2*time.Second), 503, "Code: 202. DB::Exception: full; try again after the time in Retry-After. (TOO_MANY_SIMULTANEOUS_QUERIES)"},
		"bytes":         {problem.New(422, "query-too-heavy", "the limit of 7 (query.max_bytes)", ""), 422, "Code: 307. DB::Exception: the limit of 7 (query.max_bytes). (TOO_MANY_BYTES)"},
		"memory":        {problem.New(422, "query-too-heavy", "the limit of 7 bytes (query.max_memory_bytes)", ""), 422, "Code: 241. DB::Exception: the limit of 7 bytes (query.max_memory_bytes). (MEMORY_LIMIT_EXCEEDED)"},
		"unknown table": {&sql.Error{Pos: sql.Pos{Line: 1, Column: 15}, Msg: `there is no stream or view "x"`}, 400, `Code: 60. DB::Exception: there is no stream or view "x" (line 1, col 15). (UNKNOWN_TABLE)`},
		"of the engine": {&clickhouse.Error{Code: 241, Message: "memory"}, 400, "Code: 241. DB::Exception: memory. (MEMORY_LIMIT_EXCEEDED)"},
		"a defect":      {errors.New("boom"), 500, "Code: 1002. DB::Exception: boom; see the log of the server. (UNKNOWN_EXCEPTION)"},
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, fixedExecutor{func(context.Context, query.Request) (*query.Response, error) { return nil, c.err }})
			reply, text := e.query(t, "/", "SELECT 1")
			if reply.StatusCode != c.status || text != c.want+"\n" {
				t.Errorf("%d %q, want %d %q", reply.StatusCode, text, c.status, c.want)
			}
			if (c.status == 503) != (reply.Header.Get("Retry-After") == "2") {
				t.Errorf("Retry-After: %q", reply.Header.Get("Retry-After"))
			}
			if e.outcomes[0].Err == nil {
				t.Error("the outcome has no error")
			}
		})
	}
}

// breaking is a body that fails behind its text.
type breaking struct {
	io.Reader
	err error
}

func (b *breaking) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}

func (*breaking) Close() error { return nil }

func TestFailureBehindRowsIsToldInAFrameAndTheBodyIsNotWhole(t *testing.T) {
	failure := problem.New(504, "query-timeout", "ran out of time", "")
	rows := strings.Repeat("0123456789\n", chunkBytes/8)
	e := serve(t, fixedExecutor{func(context.Context, query.Request) (*query.Response, error) {
		return &query.Response{Body: &breaking{strings.NewReader(rows), failure}, Format: "TSV", ContentType: "text/plain"}, nil
	}})
	r, err := http.Post(e.URL, "", strings.NewReader("SELECT 1"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err == nil {
		t.Error("the body that failed reads as whole")
	}
	tag := r.Header.Get("X-ClickHouse-Exception-Tag")
	const message = "Code: 159. DB::Exception: ran out of time. (TIMEOUT_EXCEEDED)\n"
	want := "\r\n__exception__\r\n" + tag + "\r\n" + message + "62 " + tag + "\r\n__exception__\r\n"
	if len(tag) != tagBytes || !strings.HasSuffix(string(text), want) || !strings.HasPrefix(string(text), rows[:chunkBytes]) {
		t.Errorf("tag %q, the body ends in %q", tag, text[max(0, len(text)-200):])
	}
	if len(message) != 62 {
		t.Fatalf("the message has %d bytes", len(message))
	}
	// Before the first row it is an HTTP error, and with the wait too.
	for _, target := range []string{"/?wait_end_of_query=1"} {
		if reply, text := e.query(t, target, "SELECT 1"); reply.StatusCode != http.StatusGatewayTimeout || text != message {
			t.Errorf("%s: %d %.100q", target, reply.StatusCode, text)
		}
	}
}

// endless is a body that goes on until it is closed.
type endless struct{ closed chan struct{} }

func (b endless) Read(p []byte) (int, error) {
	select {
	case <-b.closed:
		return 0, errors.New("closed")
	default:
		return len(p), nil
	}
}

func (b endless) Close() error { close(b.closed); return nil }

func TestClientThatGoesFreesItsQuery(t *testing.T) {
	body := endless{make(chan struct{})}
	waiting := make(chan struct{})
	e := serve(t, fixedExecutor{func(ctx context.Context, r query.Request) (*query.Response, error) {
		if r.Text == "SELECT rows" {
			return &query.Response{Body: body}, nil
		}
		close(waiting)
		<-ctx.Done() // before the first row
		return nil, ctx.Err()
	}})
	ctx, cancel := context.WithCancel(context.Background())
	get := func(text string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return http.DefaultClient.Do(r)
	}
	failed := make(chan error)
	go func() {
		reply, err := get("SELECT nothing yet")
		if err == nil {
			_ = reply.Body.Close()
		}
		failed <- err
	}()
	<-waiting
	reply, err := get("SELECT rows")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_ = reply.Body.Close()
	<-body.closed
	if err := <-failed; err == nil {
		t.Error("a cancelled request was answered")
	}
	<-e.done
	<-e.done // both were told of
}

func TestOutcomes(t *testing.T) {
	e, x := onEngine(t)
	e.query(t, "/?query_id=q7&password=mr_sql&max_threads=1", "SELECT currentUser()")
	<-e.done
	o, who := e.outcomes[0], e.who[0]
	if o.Text != "SELECT currentUser()" || o.Kind != "select" || o.QueryID != "q7" || o.Bytes != int64(len("ann\\'s notebook\n")) || o.Err != nil || o.Duration <= 0 {
		t.Errorf("outcome %+v", o)
	}
	if who.ID != "1" {
		t.Errorf("told of %+v", who)
	}
	if got := x.seen; got.QueryID != "q7" || len(got.Settings) != 1 || got.Settings["max_threads"] != "1" {
		t.Errorf("the executor got %+v", got)
	}
}

func TestNoPrincipalWithoutIdentify(t *testing.T) {
	e := serve(t, fixedExecutor{func(ctx context.Context, _ query.Request) (*query.Response, error) {
		t.Errorf("ran for %+v", access.From(ctx))
		return nil, errors.New("ran")
	}})
	e.query(t, "/?password=wrong", "SELECT 1")
	e.query(t, "/?password=mr_ingest", "SELECT 1")
}
