package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/serving/client"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { http.DefaultClient.CloseIdleConnections() }))
}

// serve runs a handler as a server and returns a client of it.
func serve(t *testing.T, h http.HandlerFunc, o client.Options) *client.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		s.Close()
	})
	c, err := client.New(s.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct{ address, token, says string }{
		{"", "", "such as http://127.0.0.1:8080"},
		{"127.0.0.1:8080", "", "address of the server"},
		{"localhost:8080", "", "such as http://127.0.0.1:8080"},
		{"ftp://here", "", "such as http://127.0.0.1:8080"},
		{"http://user:secret@here", "", "the token apart"},
		{"http://here?x=1", "", "a query"},
		{"http://here", "mr_a\n", "white space"},
	} {
		_, err := client.New(c.address, client.Options{Token: c.token})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q, %q: %v, want %q", c.address, c.token, err, c.says)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

// TestRequests sends one request by each method and compares what the server sees.
func TestRequests(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	day := client.Scope{Window: "day", At: at, Wait: time.Second}
	drain := func(result *client.Result, err error) error {
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, result.Body)
		return errors.Join(err, result.Body.Close())
	}
	const rows = `{"meta":[{"name":"n","type":"Int64"}],"data":[{"n":1}],"rows":1}`
	for _, c := range []struct {
		want, body, answer string
		call               func(ctx context.Context, c *client.Client) error
	}{
		{"POST /v1/sql?format=csv&wait=2s", "SELECT 1", "1\n", func(ctx context.Context, c *client.Client) error {
			return drain(c.SQL(ctx, "SELECT 1", client.SQLOptions{Format: "csv", Wait: 2 * time.Second}))
		}},
		{"POST /v1/sql?format=json", "SELECT 1 AS n", rows, func(ctx context.Context, c *client.Client) error {
			_, err := c.Query(ctx, "SELECT 1 AS n", client.SQLOptions{Format: "arrow"})
			return err
		}},
		{"GET /v1/views/a%2Fb%20c", "", rows, func(ctx context.Context, c *client.Client) error {
			_, err := c.View(ctx, "a/b c", client.ViewQuery{})
			return err
		}},
		{"GET /v1/views/v?by=&from=-1h&limit=5&order=-n%2Cm&step=5m&to=now&wait=1m0s&where=a+%3D+%271%27", "", rows, func(ctx context.Context, c *client.Client) error {
			_, err := c.View(ctx, "v", client.ViewQuery{
				From: "-1h", To: "now", By: []string{}, Where: "a = '1'", Order: []string{"-n", "m"}, Limit: 5, Step: "5m", Wait: time.Minute,
			})
			return err
		}},
		{"GET /v1/views/v?by=a%2Cb", "", rows, func(ctx context.Context, c *client.Client) error {
			_, err := c.View(ctx, "v", client.ViewQuery{By: []string{"a", "b"}})
			return err
		}},
		{"POST /v1/views/v/batch", "", `{"generation":7,"cut":3,"rows":1,"drift":null}`, func(ctx context.Context, c *client.Client) error {
			r, err := c.RunBatch(ctx, "v")
			if err == nil && r.Generation != 7 {
				return fmt.Errorf("generation %d", r.Generation)
			}
			return err
		}},
		{"POST /v1/views/v/batch?rebuild=true", "", `{}`, func(ctx context.Context, c *client.Client) error { _, err := c.Rebuild(ctx, "v"); return err }},
		{"POST /v1/streams/s/events application/x-ndjson", "{}\n", `{"accepted":1}`, func(ctx context.Context, c *client.Client) error {
			r, err := c.Append(ctx, "s", strings.NewReader("{}\n"), client.AppendOptions{})
			if err == nil && r.Accepted != 1 {
				return fmt.Errorf("accepted %d", r.Accepted)
			}
			return err
		}},
		{"POST /v1/streams/s/events text/csv gzip k1", "gz", `{}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.Append(ctx, "s", strings.NewReader("gz"), client.AppendOptions{ContentType: "text/csv", Encoding: "gzip", IdempotencyKey: "k1"})
			return err
		}},
		{"GET /v1/streams/s/errors", "", "{\"line\":2,\"reason\":\"r\"}\n{\"line\":1}\n", func(ctx context.Context, c *client.Client) error {
			n := 0
			for l, err := range c.DeadLetters(ctx, "s") {
				if err != nil {
					return err
				}
				if n++; l.Line != 3-n {
					return fmt.Errorf("letter %d is of line %d", n, l.Line)
				}
			}
			if n != 2 {
				return fmt.Errorf("%d letters", n)
			}
			return nil
		}},
		{"POST /v1/streams/s/errors/replay", "", `{"replayed":2,"refused":1}`, func(ctx context.Context, c *client.Client) error {
			r, err := c.Replay(ctx, "s")
			if err == nil && *r != (client.ReplayResult{Replayed: 2, Refused: 1}) {
				return fmt.Errorf("%+v", r)
			}
			return err
		}},
		{"GET /v1/streams", "", `{"streams":[{"name":"s","head":[4]}]}`, func(ctx context.Context, c *client.Client) error {
			list, err := c.Streams(ctx)
			if err == nil && (len(list) != 1 || list[0].Head[0] != 4) {
				return fmt.Errorf("%+v", list)
			}
			return err
		}},
		{"GET /v1/views", "", `{"views":[{"name":"v","window":300,"columns":[{"name":"n","role":"measure"}]}]}`, func(ctx context.Context, c *client.Client) error {
			list, err := c.Views(ctx)
			if err == nil && (len(list) != 1 || *list[0].Window != 300 || list[0].Columns[0].Role != "measure") {
				return fmt.Errorf("%+v", list)
			}
			return err
		}},
		{"GET /v1/views/v/values?column=page&limit=3&prefix=%2F", "", `{"values":["/a"],"more":true}`, func(ctx context.Context, c *client.Client) error {
			values, more, err := c.Values(ctx, "v", client.ValuesQuery{Column: "page", Prefix: "/", Limit: 3})
			if err == nil && (len(values) != 1 || !more) {
				return fmt.Errorf("%q %v", values, more)
			}
			return err
		}},
		{"GET /v1/batches?limit=2&view=v", "", `{"runs":[{"view":"v","drift":{"batch_events":3}}]}`, func(ctx context.Context, c *client.Client) error {
			runs, err := c.BatchRuns(ctx, "v", 2)
			if err == nil && (len(runs) != 1 || runs[0].Drift.Batch != 3) {
				return fmt.Errorf("%+v", runs)
			}
			return err
		}},
		{"GET /v1/errors", "", `{"streams":[{"stream":"s","rejected":2,"reasons":[{"reason":"r","count":2}]}]}`, func(ctx context.Context, c *client.Client) error {
			list, err := c.Refusals(ctx)
			if err == nil && (len(list) != 1 || list[0].Reasons[0].Count != 2) {
				return fmt.Errorf("%+v", list)
			}
			return err
		}},
		{"GET /v1/status", "", `{"healthy":true,"news":1,"views":[{"name":"v","cut":4}]}`, func(ctx context.Context, c *client.Client) error {
			s, err := c.Status(ctx)
			if err == nil && (!s.Healthy || *s.Views[0].Cut != 4 || !strings.Contains(string(s.Raw), "news")) {
				return fmt.Errorf("%+v", s)
			}
			return err
		}},
		{"GET /readyz", "", "ready\n", func(ctx context.Context, c *client.Client) error { return c.Ready(ctx) }},
		{"GET /metrics", "", "x 1\n", func(ctx context.Context, c *client.Client) error { return drain(c.Metrics(ctx)) }},
		{"GET /openapi.json", "", `{"openapi":"3.1.0"}`, func(ctx context.Context, c *client.Client) error {
			d, err := c.OpenAPI(ctx)
			if err == nil && string(d) != `{"openapi":"3.1.0"}` {
				return fmt.Errorf("%s", d)
			}
			return err
		}},
		{"GET /v1/leaderboards", "", `{"leaderboards":[{"name":"b"}]}`, func(ctx context.Context, c *client.Client) error {
			b, err := c.Boards(ctx)
			if err == nil && (len(b) != 1 || b[0].Name != "b") {
				return fmt.Errorf("%+v", b)
			}
			return err
		}},
		{"GET /v1/leaderboards/b", "", `{"name":"b","now":[{"name":"all","members":3}]}`, func(ctx context.Context, c *client.Client) error {
			b, err := c.Board(ctx, "b")
			if err == nil && (b.Name != "b" || b.Now[0].Name != "all" || b.Now[0].Members != 3) {
				return fmt.Errorf("%+v", b)
			}
			return err
		}},
		{"GET /v1/leaderboards/b/top?after=X&at=2026-01-02T03%3A04%3A05Z&n=3&offset=6&wait=1s&window=day", "",
			`{"leaderboard":"b","window":{"name":"day","start":"2026-01-02T00:00:00Z"},"members":2,
				"rows":[{"rank":1,"member":7,"score":9007199254740993}],"provenance":{"leaderboard":"b","complete":true}}`,
			func(ctx context.Context, c *client.Client) error {
				s, err := c.Top(ctx, "b", client.TopQuery{Scope: day, N: 3, Offset: 6, After: "X"})
				if err == nil && (*s.Rows[0].Rank != 1 || s.Rows[0].Score.String() != "9007199254740993" || s.Rows[0].Member != "7" || !s.Source.Complete || !s.Window.Start.Equal(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))) {
					return fmt.Errorf("%+v", s)
				}
				return err
			}},
		{"GET /v1/leaderboards/b/rank/%2E%2E?at=2026-01-02T03%3A04%3A05Z&wait=1s&window=day", "", `{"rank":4,"member":"..","score":2.5,"percentile":80}`, func(ctx context.Context, c *client.Client) error {
			r, err := c.Rank(ctx, "b", "..", day)
			if err == nil && (*r.Rank != 4 || r.Member != ".." || r.Score.String() != "2.5" || *r.Percentile != 80) {
				return fmt.Errorf("%+v", r)
			}
			return err
		}},
		{"GET /v1/leaderboards/b/around/a%2Fb?n=2", "", `{}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.Around(ctx, "b", "a/b", 2, client.Scope{})
			return err
		}},
		{"GET /v1/leaderboards/b/members?m=x&m=y", "", `{"rows":[{"rank":null,"member":"y"}]}`, func(ctx context.Context, c *client.Client) error {
			s, err := c.Members(ctx, "b", []string{"x", "y"}, client.Scope{})
			if err == nil && s.Rows[0].Rank != nil {
				return fmt.Errorf("rank of nobody: %+v", s)
			}
			return err
		}},
		{"POST /v1/tokens application/json", `{"name":"web","role":"ingest","objects":["clicks"],"expires":"720h"}`, `{"id":"1","token":"mr_x"}`, func(ctx context.Context, c *client.Client) error {
			made, err := c.CreateToken(ctx, client.NewToken{Name: "web", Role: "ingest", Objects: []string{"clicks"}, Expires: "720h"})
			if err == nil && made.Secret != "mr_x" {
				return fmt.Errorf("%+v", made)
			}
			return err
		}},
		{"GET /v1/tokens", "", `{"tokens":[{"id":"1"}]}`, func(ctx context.Context, c *client.Client) error {
			tokens, err := c.Tokens(ctx)
			if err == nil && len(tokens) != 1 {
				return fmt.Errorf("%+v", tokens)
			}
			return err
		}},
		{"DELETE /v1/tokens/1", "", "", func(ctx context.Context, c *client.Client) error { return c.RevokeToken(ctx, "1") }},
		{"GET /v1/whoami", "", `{"role":"admin"}`, func(ctx context.Context, c *client.Client) error { _, err := c.WhoAmI(ctx); return err }},
		{"GET /v1/audit?limit=9&since=2026-01-02T03%3A04%3A05Z", "", `{"kind":"sql","news":1}`, func(ctx context.Context, c *client.Client) error {
			for e, err := range c.Audit(ctx, client.AuditQuery{Limit: 9, Since: at}) {
				if err != nil {
					return err
				}
				if e.Kind != "sql" || !strings.Contains(string(e.Raw), "news") {
					return fmt.Errorf("%+v", e)
				}
			}
			return nil
		}},
	} {
		var seen, body, agent, token string
		k := serve(t, func(w http.ResponseWriter, r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			parts := []string{r.Method, r.RequestURI}
			for _, name := range []string{"Content-Type", "Content-Encoding", "Idempotency-Key"} {
				if v := r.Header.Get(name); v != "" && !strings.HasPrefix(r.URL.Path, "/v1/sql") {
					parts = append(parts, v)
				}
			}
			seen, body, agent, token = strings.Join(parts, " "), string(text), r.UserAgent(), r.Header.Get("Authorization")
			_, _ = io.WriteString(w, c.answer)
		}, client.Options{Token: "mr_secret", UserAgent: "test/1"})
		if err := c.call(t.Context(), k); err != nil {
			t.Errorf("%s: %v", c.want, err)
		}
		if seen != c.want || body != c.body || agent != "test/1" || token != "Bearer mr_secret" {
			t.Errorf("the server saw %s with %q by %s with %q, want %s with %q", seen, body, agent, token, c.want, c.body)
		}
	}
}

func TestErrors(t *testing.T) {
	offset := 9
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   client.Error
		says   string
	}{
		{"sql", func(w http.ResponseWriter, _ *http.Request) {
			problem.Write(w, &problem.Problem{
				Type: "/problems/sql", Title: "Bad Request", Status: 400, Detail: "no", Hint: "yes", Line: 2, Column: 3, Offset: &offset,
			})
		}, client.Error{Status: 400, Type: "/problems/sql", Title: "Bad Request", Detail: "no", Hint: "yes", Line: 2, Column: 3, Offset: 9}, "line 2, column 3: no; yes"},
		{"busy", func(w http.ResponseWriter, _ *http.Request) { problem.Write(w, problem.Busy("later", 90*time.Second)) }, client.Error{
			Status: 503, Type: "/problems/busy", Title: "Service Unavailable", Detail: "later", Hint: "try again after the time in Retry-After",
			Offset: -1, RetryAfter: 90 * time.Second,
		}, "later; try again"},
		{"a proxy", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "<html>bad gateway</html>", http.StatusBadGateway)
		}, client.Error{
			Status: 502, Title: "Bad Gateway", Detail: "502 Bad Gateway: <html>bad gateway</html>", Offset: -1,
		}, "502 Bad Gateway: <html>"},
		{"other JSON", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"type":"x","status":200}`)
		}, client.Error{Status: 404, Title: "Not Found", Detail: `404 Not Found: {"type":"x","status":200}`, Offset: -1,
			Hint: "what answers is no Millrace server, or an older one without /v1/sql"}, "404"},
	} {
		k := serve(t, c.answer, client.Options{Retries: -1})
		_, err := k.Query(t.Context(), "SELECT 1", client.SQLOptions{})
		var e *client.Error
		if !errors.As(err, &e) || *e != c.want || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %#v (%v), want %#v", c.name, e, err, c.want)
		}
	}
	if kind := (&client.Error{Type: "/problems/unknown-view"}).Kind(); kind != "unknown-view" {
		t.Errorf("kind %q", kind)
	}
	k := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request with an empty name was sent") }, client.Options{})
	if _, err := k.RunBatch(t.Context(), ""); err == nil {
		t.Error("an empty name was taken")
	}
}

func TestValues(t *testing.T) {
	const text = `{"meta":[
		{"name":"i","type":"Int64"},{"name":"u","type":"UInt64"},{"name":"f","type":"Float64"},{"name":"b","type":"Bool"},
		{"name":"s","type":"LowCardinality(Nullable(String))"},{"name":"d","type":"Date"},{"name":"t","type":"DateTime64(3, 'UTC')"},
		{"name":"n","type":"Nullable(Int64)"},{"name":"a","type":"Array(UInt8)"},{"name":"i","type":"Int8"}],
		"data":[{"i":-9223372036854775808,"u":"18446744073709551615","f":1e300,"b":true,"s":"é\n","d":"2026-01-02","t":"2026-01-02 03:04:05.678",
			"n":null,"a":[1,2],"i":7}],
		"rows":1,"statistics":{"elapsed":1},
		"provenance":[{"view":"v","generation":3,"cut":9,"complete":true},{"stream":"s","positions":[4,5]}]}`
	k := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }, client.Options{})
	a, err := k.Query(t.Context(), "x", client.SQLOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []any{
		int64(-1 << 63), uint64(1<<64 - 1), 1e300, true, "é\n", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), nil, []any{json.Number("1"), json.Number("2")}, int64(7),
	}
	if len(a.Rows) != 1 || fmt.Sprintf("%#v", a.Rows[0]) != fmt.Sprintf("%#v", want) {
		t.Errorf("rows are %#v, want %#v", a.Rows, want)
	}
	if len(a.Sources) != 2 || *a.Sources[0].Cut != 9 || a.Sources[1].Stream != "s" || a.Sources[1].Positions[1] != 5 {
		t.Errorf("sources are %+v", a.Sources)
	}
	for _, broken := range []string{
		``, `[]`, `{`, `{}`, `{"data":[]}`, `{"meta":[]`, text[:len(text)/2], text[:len(text)-1], strings.Replace(text, `"b":true`, `"b":"x"`, 1),
		strings.Replace(text, `"i":7`, `"i":7,"j":8`, 1), strings.Replace(text, `,"i":7`, ``, 1), strings.Replace(text, `2026-01-02"`, `x"`, 1),
		strings.Replace(text, `"rows":1`, `"rows":1,"exception":"Code: 241. DB::Exception: Memory limit"`, 1),
		strings.Replace(text, `[{"view"`, `7,[{"view"`, 1), strings.Replace(text, `"cut":9`, `"cut":"x"`, 1),
	} {
		k := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, broken) }, client.Options{})
		if a, err := k.Query(t.Context(), "x", client.SQLOptions{}); err == nil {
			t.Errorf("%q was taken as %+v", broken, a)
		}
	}
}

// TestSources reads the provenance of SQL, which is a list, and of a view, which is one.
func TestSources(t *testing.T) {
	for _, c := range []struct{ header, value, member string }{
		{"Millrace-Provenance", `{"view":"v"}`, `,"provenance":{"view":"v"}`},
		{"Millrace-Provenance", `[{"stream":"s","positions":[3]}]`, `,"provenance":[{"stream":"s","positions":[3]}]`},
		{"Millrace-Provenance", `[{"view":"v"}]`, `,"provenance":[{"view":"v"}]`},
	} {
		k := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(c.header, c.value)
			_, _ = io.WriteString(w, `{"meta":[],"data":[],"rows":0`+c.member+`}`)
		}, client.Options{})
		result, err := k.SQL(t.Context(), "x", client.SQLOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_ = result.Body.Close()
		a, err := k.Query(t.Context(), "x", client.SQLOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, list := range [][]client.Source{result.Sources, a.Sources} {
			if len(list) != 1 || (list[0].View != "v" && len(list[0].Positions) != 1) {
				t.Errorf("%s: %+v", c.value, list)
			}
		}
	}
}
