package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/merge"
	"github.com/millrace/millrace/serving/query"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// parts is everything behind the surface; each part keeps what it was asked.
type parts struct {
	view  *catalog.View
	query merge.Query
	err   error // of every part
	slow  bool  // the merger waits for its context
	// unmoved is what the merger says of earlier answers.
	unmoved bool
	runs    int // of the merger

	request query.Request
	breaks  bool // the answer to SQL breaks off
}

func (p *parts) View(name string) (*catalog.View, error) {
	if name != p.view.Plan.Name {
		return nil, fmt.Errorf("view %q: %w", name, catalog.ErrNotFound)
	}
	return p.view, nil
}

// merger and executor have a Run each.
type merger struct{ *parts }

func (m merger) Run(ctx context.Context, q merge.Query) (*merge.Result, error) {
	m.query = q
	m.runs++
	if m.slow {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &merge.Result{Batch: answerBatch(), Provenance: merge.Provenance{View: "v", Generation: 3}}, m.err
}

func (m merger) Unmoved(context.Context, merge.Query, merge.Provenance) (bool, error) {
	return m.unmoved, nil
}

type executor struct{ *parts }

func (e executor) Run(_ context.Context, r query.Request) (*query.Response, error) {
	e.request = r
	if e.err != nil {
		return nil, e.err
	}
	body := io.MultiReader(strings.NewReader(`{"rows":1`), strings.NewReader("}\n"))
	if e.breaks {
		body = io.MultiReader(strings.NewReader(`{"rows":1`), iotest.ErrReader(errors.New("the engine is gone")))
	}
	return &query.Response{Body: io.NopCloser(body), Format: r.Format, ContentType: "text/plain", Rows: func() int64 { return 1 }, Sources: []query.Source{{Name: "s", Kind: "stream", Positions: []uint64{7}}}}, nil
}

func (p *parts) RunBatch(_ context.Context, view string, rebuild bool) (BatchResult, error) {
	if view != "v" {
		return BatchResult{}, fmt.Errorf("view %q: %w", view, catalog.ErrNotFound)
	}
	result := BatchResult{Generation: 4, Cut: 5, Rows: 6}
	if rebuild {
		result.Generation = 40
	}
	return result, p.err
}

func (p *parts) Status(context.Context) any  { return map[string]bool{"healthy": true} }
func (p *parts) StatusType() any             { return map[string]bool{} }
func (p *parts) Ready(context.Context) error { return p.err }

func answerBatch() *event.Batch {
	schema, err := event.NewSchema(event.Column{Name: "n", Type: event.Type{Kind: event.Int64}})
	if err != nil {
		panic(err)
	}
	b := event.NewBatch(schema)
	b.Columns[0].AppendInt64(1)
	b.Rows = 1
	return b
}

func build(t *testing.T, view string) *catalog.View {
	t.Helper()
	statements, err := sql.Parse("CREATE STREAM s (ts DateTime64(3), page String, n Int64) WITH (event_time = 'ts'); " + view)
	if err != nil {
		t.Fatal(err)
	}
	s, err := plan.BuildStream(statements[0].(*sql.CreateStream))
	if err != nil {
		t.Fatal(err)
	}
	v, err := plan.BuildView(statements[1].(*sql.CreateView), s)
	if err != nil {
		t.Fatal(err)
	}
	return &catalog.View{ID: "v.1", Plan: v}
}

func newSurface(t *testing.T) (*parts, http.Handler) {
	t.Helper()
	p := &parts{view: build(t, "CREATE VIEW v AS SELECT page, count() AS n FROM s GROUP BY page, tumble(ts, INTERVAL 5 MINUTE)")}
	routes := Routes(Options{
		Queried: func(time.Duration) {},
		Views:   p, Merger: merger{p}, Executor: executor{p}, Operator: p, Metrics: prometheus.NewRegistry(),
		Log: slog.New(slog.DiscardHandler), Limits: query.RoleLimits{access.SQL: {Time: 50 * time.Millisecond, Rows: 9, Prefix: "query."}},
	})
	mux := routes.Mux(func(_ route.Route, h http.Handler) http.Handler { return h })
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("a defect") })
	return p, Recover(slog.New(slog.DiscardHandler), mux)
}

func ask(h http.Handler, method, target, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)))
	return w
}

func TestParameters(t *testing.T) {
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	v := build(t, "CREATE VIEW v AS SELECT page, count() AS n FROM s GROUP BY page, tumble(ts, INTERVAL 5 MINUTE)")
	for _, c := range []struct {
		parameters string
		check      func(merge.Query) bool
	}{
		{"", func(q merge.Query) bool {
			return q.From == merge.MinTime && q.To == merge.MaxTime && q.By == nil && q.Bucketing == merge.WholeRange && q.Wait == 0
		}},
		{"from=-1h&to=now", func(q merge.Query) bool { return q.From == now.Unix()-3600 && q.To == now.Unix() }},
		{"from=-7d&to=%2B1d", func(q merge.Query) bool { return q.From == now.Unix()-7*86400 && q.To == now.Unix()+86400 }},
		{"from=1969-12-31&to=1970-01-01T00:00:00Z", func(q merge.Query) bool { return q.From == -86400 && q.To == 0 }},
		{"from=2026-01-01T00:00:00%2B02:00&to=1767225600", func(q merge.Query) bool { return q.From == 1767218400 && q.To == 1767225600 }},
		{"to=1970-01-01T00:00:00.5Z", func(q merge.Query) bool { return q.To == 1 }},
		{"from=1970-01-01T00:00:00.5Z", func(q merge.Query) bool { return q.From == 0 }},
		{"by=", func(q merge.Query) bool { return q.By != nil && len(q.By) == 0 }},
		{"by=page,+window_start", func(q merge.Query) bool { return fmt.Sprint(q.By) == "[page window_start]" }},
		{"order=-n,page&limit=3", func(q merge.Query) bool { return fmt.Sprint(q.Order) == "[{n true} {page false}]" && q.Limit == 3 }},
		{"step=1mo", func(q merge.Query) bool {
			return q.Bucketing == merge.ByStep && q.Step == plan.Window{N: 1, Unit: plan.Month}
		}},
		{"step=90m", func(q merge.Query) bool { return q.Step == plan.Window{N: 90, Unit: plan.Minute} }},
		{"where=page%3D'a'&wait=2s", func(q merge.Query) bool { return q.Where != nil && q.Wait == 2*time.Second }},
	} {
		values, err := url.ParseQuery(c.parameters)
		if err != nil {
			t.Fatal(err)
		}
		if q, err := parseQuery(v, values, now); err != nil || !c.check(q) {
			t.Errorf("%s gives %+v, %v", c.parameters, q, err)
		}
	}
}

func TestBadRequestsSayWhatToDo(t *testing.T) {
	_, h := newSurface(t)
	for _, c := range []struct {
		method, target, body string
		status               int
		says                 string
	}{
		{http.MethodGet, "/v1/views/nothing", "", http.StatusNotFound, "nothing"},
		{http.MethodGet, "/v1/views/v?form=x", "", http.StatusBadRequest, "there are from, to, by"},
		{http.MethodGet, "/v1/views/v?from=yesterday", "", http.StatusBadRequest, "use RFC 3339"},
		{http.MethodGet, "/v1/views/v?to=2026-13-01", "", http.StatusBadRequest, "use RFC 3339"},
		{http.MethodGet, "/v1/views/v?from=-99999999d", "", http.StatusBadRequest, "use RFC 3339"},
		{http.MethodGet, "/v1/views/v?from=2026-01-02&to=2026-01-01", "", http.StatusBadRequest, "is after to"},
		{http.MethodGet, "/v1/views/v?limit=0", "", http.StatusBadRequest, "1 or more"},
		{http.MethodGet, "/v1/views/v?limit=1e9", "", http.StatusBadRequest, "1 or more"},
		{http.MethodGet, "/v1/views/v?step=7m", "", http.StatusBadRequest, "multiple of the view's panes of 5m"},
		{http.MethodGet, "/v1/views/v?step=0m", "", http.StatusBadRequest, "such as 5m"},
		{http.MethodGet, "/v1/views/v?step=5", "", http.StatusBadRequest, "such as 5m"},
		{http.MethodGet, "/v1/views/v?wait=2h", "", http.StatusBadRequest, "from 0s to 1m"},
		{http.MethodGet, "/v1/views/v?wait=-1s", "", http.StatusBadRequest, "from 0s to 1m"},
		{http.MethodGet, "/v1/views/v?format=xml", "", http.StatusBadRequest, "json, ndjson, csv, arrow"},
		{http.MethodGet, "/v1/views/v?where=page", "", http.StatusBadRequest, "not a condition"},
		{http.MethodGet, "/v1/views/v?where=n%3E1", "", http.StatusBadRequest, "page"},
		{http.MethodPost, "/v1/sql?wait=x", "SELECT 1", http.StatusBadRequest, "wait"},
		{http.MethodPost, "/v1/sql", strings.Repeat("x", MaxSQLBytes+1), http.StatusRequestEntityTooLarge, "less at a time"},
		{http.MethodPost, "/v1/views/nothing/batch", "", http.StatusNotFound, "nothing"},
		{http.MethodGet, "/panic", "", http.StatusInternalServerError, "log of the server"},
	} {
		w := ask(h, c.method, c.target, c.body)
		var p problem.Problem
		err := json.Unmarshal(w.Body.Bytes(), &p)
		if w.Code != c.status || err != nil || p.Status != c.status || p.Type == "" || p.Title == "" ||
			w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(p.Detail+p.Hint, c.says) {
			t.Errorf("%s %s: %d %s, want %d saying %q", c.method, c.target, w.Code, w.Body, c.status, c.says)
		}
	}
}

func TestSQLErrorsHaveTheirPlace(t *testing.T) {
	p, h := newSurface(t)
	p.err = &sql.Error{Pos: sql.Pos{Offset: 12, Line: 2, Column: 3}, Msg: "wrong", Hint: "write it right"}
	w := ask(h, "POST", "/v1/sql", "SELECT")
	var got problem.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusBadRequest || got.Line != 2 || got.Column != 3 || got.Offset == nil || *got.Offset != 12 || got.Hint == "" {
		t.Errorf("%d %s, %v", w.Code, w.Body, err)
	}
	w = ask(h, "GET", "/v1/views/v?where=page+%3D+%3D", "")
	got = problem.Problem{}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Line != 1 || got.Column != 8 || *got.Offset != 7 {
		t.Errorf("%d %s, %v", w.Code, w.Body, err)
	}
}

func TestTimeoutAndBusy(t *testing.T) {
	p, h := newSurface(t)
	p.slow = true
	if w := ask(h, "GET", "/v1/views/v", ""); w.Code != http.StatusGatewayTimeout || !strings.Contains(w.Body.String(), "query.timeout") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	p.slow, p.err = false, errors.New("redis is gone")
	for _, target := range []string{"/readyz", "/v1/views/v"} {
		w := ask(h, "GET", target, "")
		if want := map[string]int{"/readyz": 503, "/v1/views/v": 500}[target]; w.Code != want {
			t.Errorf("%s: %d %s, want %d", target, w.Code, w.Body, want)
		}
	}
	p.err = problem.Busy("restarting", time.Second)
	if w := ask(h, "GET", "/v1/views/v", ""); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	// A client that has gone gets nothing.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/v1/views/v", nil))
	if w.Body.Len() != 0 {
		t.Errorf("a client that has gone gets %s", w.Body)
	}
}

func TestAnswers(t *testing.T) {
	p, h := newSurface(t)
	for _, c := range []struct{ method, target, contentType, holds string }{
		{http.MethodGet, "/v1/views/v", "application/json", `"provenance":{"view":"v","generation":3,"cut":null`},
		{http.MethodGet, "/v1/views/v?format=csv", "text/csv; charset=utf-8", "\"n\"\r\n1\r\n"},
		{http.MethodGet, "/v1/views/v?format=JSONEachRow", "application/x-ndjson", "{\"n\":1}\n"},
		{http.MethodGet, "/v1/views/v?format=arrow", "application/vnd.apache.arrow.stream", ""},
		{http.MethodPost, "/v1/sql?wait=3s", "application/json", `"provenance": [{"stream":"s","positions":[7]}]`},
		{http.MethodPost, "/v1/views/v/batch", "application/json", `{"generation":4,"cut":5,"rows":6,"drift":null}`},
		{http.MethodPost, "/v1/views/v/batch?rebuild=true", "application/json", `"generation":40`},
		{http.MethodGet, "/v1/status", "application/json", `"healthy":true`},
		{http.MethodGet, "/healthz", "", "ok"},
		{http.MethodGet, "/readyz", "", "ready"},
		{http.MethodGet, "/metrics", "", "millrace_serving_query_seconds"},
	} {
		w := ask(h, c.method, c.target, "SELECT 1")
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), c.holds) || c.contentType != "" && w.Header().Get("Content-Type") != c.contentType {
			t.Errorf("%s: %d %v %s, want %s", c.target, w.Code, w.Header(), w.Body, c.holds)
		}
	}
	if p.query.MaxRows != 9 || p.request.Text != "SELECT 1" || p.request.Wait != 3*time.Second {
		t.Errorf("asked %+v, %+v", p.query, p.request)
	}
	r := httptest.NewRequest(http.MethodGet, "/v1/views/v", nil)
	r.Header.Set("Accept", "text/html, text/csv;q=0.9")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/csv") || !strings.Contains(w.Header().Get("Millrace-Provenance"), `"generation":3`) {
		t.Errorf("%v", w.Header())
	}
}

// TestAbortIsNetHTTPs: the panic by which a handler ends a response goes through.
func TestAbortIsNetHTTPs(t *testing.T) {
	h := Recover(slog.New(slog.DiscardHandler), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer func() {
		if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // a recovered value
			t.Errorf("recovered %v", v)
		}
	}()
	ask(h, "GET", "/", "")
}

func TestSQLRequests(t *testing.T) {
	p, h := newSurface(t)
	for target, want := range map[string]query.Request{
		"/v1/sql":                {Format: "JSON"},
		"/v1/sql?format=parquet": {Format: "Parquet"},
		"/v1/sql?format=Pretty":  {Format: "Pretty"},
		"/v1/sql?format=csv&param_a=x&max_result_rows=5&query_id=q": {Format: "CSVWithNames", Params: map[string]string{"a": "x"}, Settings: map[string]string{"max_result_rows": "5"}, QueryID: "q"},
	} {
		w := ask(h, http.MethodPost, target, "SELECT 1")
		got := p.request
		if w.Code != http.StatusOK || got.Format != want.Format || got.QueryID != want.QueryID || fmt.Sprint(got.Params, got.Settings) != fmt.Sprint(want.Params, want.Settings) {
			t.Errorf("%s asks %+v, want %+v", target, got, want)
		}
		if w.Header().Get("Millrace-Provenance") != `[{"stream":"s","positions":[7]}]` {
			t.Errorf("%v", w.Header())
		}
	}
	// An answer that breaks off is not one that ends.
	p.breaks = true
	defer func() {
		if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // a recovered value
			t.Errorf("recovered %v", v)
		}
	}()
	ask(h, http.MethodPost, "/v1/sql", "SELECT 1")
}
