package chhttp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/serving/query"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(enginetest.Wrap(m)) }

// engineExecutor gives statements to the real engine as they are: the executor of these
// tests, which are about the protocol. What a statement may read is proved elsewhere.
type engineExecutor struct {
	url *url.URL
	// seen is the last request.
	mu   sync.Mutex
	seen query.Request
}

var exceptionText = regexp.MustCompile(`^Code: (\d+)\. DB::Exception: ([^\x00]*)`)

func (x *engineExecutor) Stream(ctx context.Context, r query.Request) (*query.Response, error) {
	x.mu.Lock()
	x.seen = r
	x.mu.Unlock()
	// What the real executor puts in the place of such functions.
	for name, with := range map[string]string{
		"currentUser()": clickhouse.QuoteString(access.From(ctx).Name), "displayName()": "'millrace'", "revision()": "toUInt32(54490)",
	} {
		r.Text = strings.ReplaceAll(r.Text, name, with)
	}
	u := *x.url
	q := url.Values{"default_format": {r.Format}, "query_id": {r.QueryID}, "database": {"millrace"}}
	if r.Revision > 0 {
		q.Set("client_protocol_version", strconv.FormatUint(r.Revision, 10))
	}
	for name, value := range r.Settings {
		q.Set(name, value)
	}
	for name, value := range r.Params {
		q.Set("param_"+name, value)
	}
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(r.Text))
	if err != nil {
		return nil, err
	}
	reply, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if reply.StatusCode != http.StatusOK {
		defer reply.Body.Close()
		text, err := io.ReadAll(reply.Body)
		if err != nil {
			return nil, err
		}
		m := exceptionText.FindSubmatch(text)
		if m == nil {
			return nil, errors.New(string(text))
		}
		code, _ := strconv.Atoi(string(m[1]))
		return nil, &clickhouse.Error{Code: code, Message: string(m[2])}
	}
	return &query.Response{
		Body: reply.Body, Format: reply.Header.Get("X-ClickHouse-Format"), ContentType: reply.Header.Get("Content-Type"),
		Header: reply.Header, Sources: []query.Source{{Name: "clicks", Kind: "stream", Positions: []uint64{1, 2}}}, Statement: "select",
	}, nil
}

// fixedExecutor answers every statement with what it was given.
type fixedExecutor struct {
	response func(ctx context.Context, r query.Request) (*query.Response, error)
}

func (x fixedExecutor) Stream(ctx context.Context, r query.Request) (*query.Response, error) {
	return x.response(ctx, r)
}

// tokens are the callers of these tests; without a token a caller is "local".
var tokens = map[string]access.Principal{
	"":          {ID: "local", Name: "local", Role: access.Admin},
	"mr_sql":    {ID: "1", Name: "ann's notebook", Role: access.SQL},
	"mr_ingest": {ID: "2", Name: "page", Role: access.Ingest, Objects: []string{"clicks"}},
	"mr_nobody": {},
}

func identify(r *http.Request) (access.Principal, error) {
	p, ok := tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	if !ok {
		return access.Principal{}, problem.New(http.StatusUnauthorized, "unauthorized", "the token is not known", "")
	}
	return p, nil
}

// endpoint is a server of the endpoint with what it told of its statements.
type endpoint struct {
	*httptest.Server
	mu       sync.Mutex
	outcomes []Outcome
	who      []access.Principal
	done     chan struct{} // one for each outcome
}

func serve(t *testing.T, x Executor) *endpoint {
	t.Helper()
	e := &endpoint{done: make(chan struct{}, 1000)}
	e.Server = httptest.NewServer(New(Options{
		Executor: x, Identify: identify, Log: slog.New(slog.DiscardHandler),
		Done: func(ctx context.Context, o Outcome) {
			e.mu.Lock()
			e.outcomes = append(e.outcomes, o)
			e.who = append(e.who, access.From(ctx))
			e.mu.Unlock()
			e.done <- struct{}{}
		},
	}))
	t.Cleanup(func() {
		e.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return e
}

// onEngine serves over the engine, with a database millrace that has the table clicks of
// 1,000 rows.
func onEngine(t *testing.T) (*endpoint, *engineExecutor) {
	t.Helper()
	client := enginetest.Client(t)
	for _, text := range []string{
		"CREATE DATABASE IF NOT EXISTS millrace",
		"CREATE OR REPLACE TABLE millrace.clicks (page String, n UInt64, price Float64) ENGINE = Memory",
		"INSERT INTO millrace.clicks SELECT concat('/', toString(number % 7)), number, number / 4 FROM numbers(1000)",
	} {
		if err := client.Exec(context.Background(), text); err != nil {
			t.Fatal(err)
		}
	}
	u, err := url.Parse(enginetest.Engine(t).DSN())
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/"
	x := &engineExecutor{url: u}
	return serve(t, x), x
}

// told is what a client was told beside the body.
type told struct {
	StatusCode int
	Header     http.Header
}

// call sends a request whose header is given as names and values.
func (e *endpoint) call(t *testing.T, method, target string, body []byte, header ...string) (told, string) {
	t.Helper()
	r, err := http.NewRequest(method, e.URL+target, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	reply, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	return told{reply.StatusCode, reply.Header}, string(text)
}

// query sends a statement as the body.
func (e *endpoint) query(t *testing.T, target, text string, header ...string) (told, string) {
	t.Helper()
	return e.call(t, http.MethodPost, target, []byte(text), header...)
}
