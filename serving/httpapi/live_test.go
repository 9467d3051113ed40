package httpapi

import (
	"bufio"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/serving/live"
	"github.com/millrace/millrace/serving/query"
)

// newLive is a server of the view v and the leaderboards of newRanks.
func newLive(t *testing.T) (*parts, *httptest.Server) {
	t.Helper()
	p := &parts{view: build(t, "CREATE VIEW v AS SELECT page, count() AS n FROM s GROUP BY page, tumble(ts, INTERVAL 5 MINUTE)")}
	ranks := newRanks(t)
	hub := live.New(live.Options{MaxStreams: 100, Still: func(*http.Request) error { return nil }, Log: slog.New(slog.DiscardHandler)})
	routes := Routes(Options{
		Views: p, Merger: merger{p}, Boards: ranks, Ranks: ranks, Operator: p, Metrics: prometheus.NewRegistry(), Queried: func(time.Duration) {}, Live: hub,
		Log: slog.New(slog.DiscardHandler), Limits: query.RoleLimits{access.SQL: {Time: time.Second, Rows: 9, Prefix: "query."}},
	})
	server := httptest.NewServer(routes.Mux(func(_ route.Route, h http.Handler) http.Handler { return h }))
	t.Cleanup(server.Close)
	t.Cleanup(hub.Close)
	return p, server
}

func TestLiveParameters(t *testing.T) {
	_, server := newLive(t)
	for _, c := range []struct {
		target string
		status int
		says   string
	}{
		{"/v1/views/v/live", 200, "event: answer\ndata: {\"meta\":"},
		{"/v1/views/v/live?from=-1h&by=page&order=-n&limit=3&step=5m&every=200ms&wait=1s", 200, "event: answer\n"},
		{"/v1/views/v/live?every=1m", 200, "event: answer\n"},
		{"/v1/views/v/live?every=199ms", 400, "every: "},
		{"/v1/views/v/live?every=61s", 400, "every: "},
		{"/v1/views/v/live?every=now", 400, "every: "},
		{"/v1/views/v/live?format=csv", 400, "format: "},
		{"/v1/views/v/live?from=soon", 400, "from: "},
		{"/v1/views/v/live?evry=1s", 400, "unknown parameter"},
		{"/v1/views/none/live", 404, "unknown-view"},
		{"/v1/leaderboards/b/live", 200, `"member":"now0stop10 0"`},
		{"/v1/leaderboards/b/live?n=3&offset=2&window=day&every=1s", 200, `"member":"daynow0stop3 2"`},
		{"/v1/leaderboards/b/live?n=0", 400, "n: "},
		{"/v1/leaderboards/b/live?after=QUJD", 400, "after: "},
		{"/v1/leaderboards/b/live?every=1h", 400, "every: "},
		{"/v1/leaderboards/none/live", 404, "unknown-leaderboard"},
	} {
		reply, err := http.Get(server.URL + c.target)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for lines := bufio.NewReader(reply.Body); ; {
			line, err := lines.ReadString('\n')
			text += line
			if err != nil || reply.StatusCode == http.StatusOK && line == "\n" && strings.Contains(text, "data: ") {
				break
			}
		}
		_ = reply.Body.Close()
		if reply.StatusCode != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d %s\nwant %d %s", c.target, reply.StatusCode, text, c.status, c.says)
		}
	}
}

// TestAnUnmovedAnswerIsNotReckonedAgain counts how often the merger is asked.
func TestAnUnmovedAnswerIsNotReckonedAgain(t *testing.T) {
	p, _ := newLive(t)
	p.unmoved = true
	q := &viewQuestion{s: &server{Options: Options{Views: p, Merger: merger{p}, Queried: func(time.Duration) {}}}, view: "v", limits: query.Limits{Time: time.Second}}
	ask := func() string {
		t.Helper()
		text, err := q.answer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	first := ask()
	for range 3 {
		if again := ask(); again != first {
			t.Errorf("%s\nbecame %s", first, again)
		}
	}
	if p.runs != 1 {
		t.Errorf("it was reckoned %d times", p.runs)
	}
	p.unmoved = false
	ask()
	p.err = io.ErrNoProgress
	if _, err := q.answer(t.Context()); err == nil {
		t.Error("a failure is no answer")
	}
	p.err, p.unmoved = nil, true
	ask() // after a failure it is reckoned anew
	if p.runs != 4 {
		t.Errorf("it was reckoned %d times", p.runs)
	}
}

func TestOneKeyForOneQuestion(t *testing.T) {
	key := func(parameters string, every time.Duration, prefix string) string {
		values, err := url.ParseQuery(parameters)
		if err != nil {
			t.Fatal(err)
		}
		return questionKey("view", "v", values, every, query.Limits{Prefix: prefix})
	}
	base := key("from=-1h&by=page", time.Second, "query.")
	if key("by=page&from=-1h", time.Second, "query.") != base {
		t.Error("the order of parameters matters")
	}
	for what, other := range map[string]string{
		"parameters": key("by=page&from=-2h", time.Second, "query."), "pace": key("from=-1h&by=page", time.Minute, "query."), "limits": key("from=-1h&by=page", time.Second, "query.admin."),
	} {
		if other == base {
			t.Errorf("questions with other %s are one", what)
		}
	}
}
