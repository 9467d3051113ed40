package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/plan/plantest"
	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/serving/leaderboard"
	"github.com/millrace/millrace/serving/query"
)

// ranks answers with what it was asked.
type ranks struct {
	boards map[string]*catalog.View
	slow   bool
}

func newRanks(t *testing.T) *ranks {
	t.Helper()
	const stream = "CREATE STREAM s (ts DateTime64(3), user String) WITH (partition_by = 'user')"
	r := &ranks{boards: map[string]*catalog.View{}}
	for _, text := range []string{
		"CREATE LEADERBOARD b AS SELECT user, count() AS score FROM s GROUP BY user WITH (windows = 'all,day', tie = 'first', order = 'asc')",
		"CREATE LEADERBOARD c AS SELECT user, count() AS score FROM s GROUP BY user WITH (batch = '@daily')",
	} {
		b := plantest.Board(t, stream, text)
		r.boards[b.View.Name] = &catalog.View{ID: b.View.Name + ".1", SQL: text, Plan: b.View, Board: b}
	}
	return r
}

func (r *ranks) Leaderboard(name string) (*catalog.View, error) {
	if v, ok := r.boards[name]; ok {
		return v, nil
	}
	return nil, fmt.Errorf("leaderboard %q: %w", name, catalog.ErrNotFound)
}

func (r *ranks) Leaderboards() []*catalog.View {
	return []*catalog.View{r.boards["b"], r.boards["c"]}
}

// answer says what was asked, in the place of the first member.
func (r *ranks) answer(ctx context.Context, s leaderboard.Scope, asked ...any) (*leaderboard.Answer, error) {
	if r.slow {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	at := "now"
	if s.At != nil {
		at = s.At.Format(time.RFC3339)
	}
	text, err := json.Marshal(fmt.Sprint(append([]any{s.Window, at, s.Wait}, asked...)...))
	return &leaderboard.Answer{Rows: []leaderboard.Row{{Member: text, Score: []byte("1")}}}, err
}

func (r *ranks) Top(ctx context.Context, s leaderboard.Scope, n, offset int, cursor string) (*leaderboard.Answer, error) {
	return r.answer(ctx, s, "top", n, offset, cursor)
}

func (r *ranks) Rank(ctx context.Context, s leaderboard.Scope, member string) (*leaderboard.Standing, error) {
	a, err := r.answer(ctx, s, "rank", member)
	if err != nil {
		return nil, err
	}
	return &leaderboard.Standing{Row: a.Rows[0]}, nil
}

func (r *ranks) Around(ctx context.Context, s leaderboard.Scope, member string, n int) (*leaderboard.Answer, error) {
	return r.answer(ctx, s, "around", member, n)
}

func (r *ranks) Members(ctx context.Context, s leaderboard.Scope, members []string) (*leaderboard.Answer, error) {
	return r.answer(ctx, s, "members", strings.Join(members, "|"))
}

func (r *ranks) Size(_ context.Context, s leaderboard.Scope) (*leaderboard.Size, error) {
	return &leaderboard.Size{Window: leaderboard.Window{Name: s.Window}, Members: 3}, nil
}

func (r *ranks) serve(as access.Principal, method, target, body string) *httptest.ResponseRecorder {
	routes := Routes(Options{
		Queried: func(time.Duration) {},
		Boards:  r, Ranks: r, Operator: &parts{}, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
		Limits: query.RoleLimits{access.SQL: {Time: 30 * time.Millisecond, Prefix: "query."}},
	})
	w := httptest.NewRecorder()
	request := httptest.NewRequest(method, target, strings.NewReader(body))
	routes.Mux(func(_ route.Route, h http.Handler) http.Handler { return h }).ServeHTTP(w, request.WithContext(access.With(request.Context(), as)))
	return w
}

func TestLeaderboardQuestions(t *testing.T) {
	r := newRanks(t)
	for _, c := range []struct{ method, target, body, want string }{
		{"GET", "/v1/leaderboards/b/top", "", `"member":"now0stop10 0"`},
		{"GET", "/v1/leaderboards/b/top?n=1000&offset=10000&after=QUJD&window=day&at=2026-01-02&wait=3s", "", `"member":"day2026-01-02T00:00:00Z3stop1000 10000QUJD"`},
		{"GET", "/v1/leaderboards/b/rank/a%2Fb%20c?at=1970-01-01T00:00:00Z", "", `"member":"1970-01-01T00:00:00Z0sranka/b c"`},
		{"GET", "/v1/leaderboards/b/around/u1?n=500", "", `"member":"now0saroundu1500"`},
		{"GET", "/v1/leaderboards/b/around/u1", "", `"member":"now0saroundu15"`},
		{"GET", "/v1/leaderboards/b/members?m=x&m=&m=x", "", `"member":"now0smembersx||x"`},
		{"POST", "/v1/leaderboards/b/members?window=all", `["x", 18446744073709551615, true]`, `"member":"all` + `now0smembersx|18446744073709551615|true"`},
		{"GET", "/v1/leaderboards/b", "", `"member_type":"String","score":"score","order":"asc","tie":"first","windows":["all","day"],"keep":"90d"`},
		{"GET", "/v1/leaderboards/b", "", `"now":[{"name":"all","members":3,`},
		{"GET", "/v1/leaderboards/c", "", `"order":"desc","tie":"shared","windows":["all"],"batch":"@daily"`},
	} {
		w := r.serve(access.Root, c.method, c.target, c.body)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s: %d %s\nwant %s", c.method, c.target, w.Code, w.Body, c.want)
		}
	}
}

func TestLeaderboardRefusals(t *testing.T) {
	r := newRanks(t)
	many := strings.Repeat("&m=x", leaderboard.MaxMembers+1)
	for _, c := range []struct {
		method, target, body string
		status               int
		want                 string
	}{
		{"GET", "/v1/leaderboards/x/top", "", 404, "unknown-leaderboard"},
		{"GET", "/v1/leaderboards/b/top?limit=3", "", 400, "unknown parameter; there are window, at, wait, n, offset, after"},
		{"GET", "/v1/leaderboards/b/top?n=0", "", 400, "from 1 to 1000"},
		{"GET", "/v1/leaderboards/b/top?n=x", "", 400, "from 1 to 1000"},
		{"GET", "/v1/leaderboards/b/top?offset=10001", "", 400, "from 0 to 10000"},
		{"GET", "/v1/leaderboards/b/around/u?n=501", "", 400, "from 1 to 500"},
		{"GET", "/v1/leaderboards/b/top?at=soon", "", 400, "is not a time"},
		{"GET", "/v1/leaderboards/b/top?wait=2m", "", 400, "is not a duration"},
		{"GET", "/v1/leaderboards/b/members", "", 400, "give 1 to 1000 members"},
		{"GET", "/v1/leaderboards/b/members?" + many, "", 400, "give 1 to 1000 members"},
		{"POST", "/v1/leaderboards/b/members", "{}", 400, "is no JSON list"},
		{"POST", "/v1/leaderboards/b/members", `["a", null]`, 400, "member 2 of the body"},
		{"POST", "/v1/leaderboards/b/members", `["` + strings.Repeat("x", maxMembersBytes) + `"]`, 413, "longer than"},
	} {
		w := r.serve(access.Root, c.method, c.target, c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %.80s: %d %s\nwant %d %s", c.method, c.target, w.Code, w.Body, c.status, c.want)
		}
	}
	r.slow = true
	if w := r.serve(access.Root, "GET", "/v1/leaderboards/b/rank/u", ""); w.Code != http.StatusGatewayTimeout {
		t.Errorf("a slow answer: %d %s", w.Code, w.Body)
	}
}

// TestLeaderboardList names only what the caller may look at.
func TestLeaderboardList(t *testing.T) {
	r := newRanks(t)
	for want, as := range map[string]access.Principal{
		"b c": access.Root,
		"c":   {Role: access.Read, Objects: []string{"c", "other"}},
		"":    {Role: access.Ingest},
	} {
		var list BoardList
		w := r.serve(as, "GET", "/v1/leaderboards", "")
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || list.Leaderboards == nil {
			t.Fatalf("%v in %s", err, w.Body)
		}
		var names []string
		for _, b := range list.Leaderboards {
			names = append(names, b.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%+v sees %q, not %q", as, got, want)
		}
	}
}
