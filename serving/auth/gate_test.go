package auth

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/serving/audit"
)

// ledger is an audit log in memory.
type ledger struct {
	mu      sync.Mutex
	entries []audit.Entry
	err     error
}

func (l *ledger) Record(ctx context.Context, e audit.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	e.ID = access.From(ctx).ID
	l.entries = append(l.entries, e)
	return nil
}

var local = access.Principal{ID: "local", Name: "local", Role: access.Admin}

// world is a gate before two routes; handled keeps who came through, and by which address.
type world struct {
	tokens  *Tokens
	clock   *clock
	ledger  *ledger
	handler http.Handler
	handled []access.Principal
	url     string
}

func newWorld(t testing.TB, o Options) *world {
	t.Helper()
	w := &world{clock: newClock(), ledger: &ledger{}}
	w.tokens = open(t, newStore(), w.clock)
	o.Tokens, o.Audit = w.tokens, w.ledger
	g := New(o)
	h := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.handled = append(w.handled, access.From(r.Context()))
		w.url = r.URL.String() + " " + r.RequestURI
		rw.WriteHeader(http.StatusNoContent)
	})
	table := append(route.Table{
		{Method: http.MethodPost, Path: "/append/{stream}", Right: access.Append, Object: "stream", Handler: h},
		{Method: http.MethodGet, Path: "/look/{view}", Right: access.Look, Object: "view", Handler: h},
		{Method: http.MethodPost, Path: "/manage", Right: access.Manage, Handler: h},
		{Method: http.MethodGet, Path: "/public", Right: access.Public, Handler: h},
	}, Routes(RoutesOptions{Tokens: w.tokens, Audit: w.ledger, Log: slog.New(slog.DiscardHandler)})...)
	w.handler = g.Preflight(table.Handler(g.Wrap))
	return w
}

func (w *world) ask(method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "localhost:8080"
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	reply := httptest.NewRecorder()
	w.handler.ServeHTTP(reply, r)
	return reply
}

func kind(w *httptest.ResponseRecorder) string {
	var p problem.Problem
	_ = json.Unmarshal(w.Body.Bytes(), &p)
	return strings.TrimPrefix(p.Type, "/problems/")
}

// TestWebPagesAreNotLocal: what a page of another origin can make a browser send has no
// right but Public, unless its origin is listed.
func TestWebPagesAreNotLocal(t *testing.T) {
	w := newWorld(t, Options{Anonymous: local, Origins: []string{"https://friend.example", "*"}})
	for _, c := range []struct {
		name    string
		local   bool
		headers []string
	}{
		{"curl", true, nil},
		{"127.0.0.1", true, []string{"Host", "127.0.0.1:8080"}},
		{"IPv6", true, []string{"Host", "[::1]:8080"}},
		{"no port", true, []string{"Host", "localhost"}},
		{"the own page", true, []string{"Origin", "http://localhost:8080", "Sec-Fetch-Site", "same-origin"}},
		{"typed by the user", true, []string{"Sec-Fetch-Site", "none"}},
		{"listed", true, []string{"Origin", "https://friend.example", "Sec-Fetch-Site", "cross-site"}},

		{"rebound name", false, []string{"Host", "evil.example:8080"}},
		{"rebound name, same origin", false, []string{"Host", "evil.example:8080", "Origin", "http://evil.example:8080", "Sec-Fetch-Site", "same-origin"}},
		{"name that looks local", false, []string{"Host", "localhost.evil.example"}},
		{"address in a name", false, []string{"Host", "127.0.0.1.evil.example"}},
		{"other address", false, []string{"Host", "10.0.0.1:8080"}},
		{"no host", false, []string{"Host", ""}},
		{"script of another site", false, []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}},
		{"form of an old browser", false, []string{"Origin", "https://evil.example"}},
		{"other port", false, []string{"Origin", "http://localhost:3000", "Sec-Fetch-Site", "same-site"}},
		{"other scheme", false, []string{"Origin", "https://localhost:8080"}},
		{"sandboxed page", false, []string{"Origin", "null"}},
		{"any origin", false, []string{"Origin", "*"}},
		{"image", false, []string{"Sec-Fetch-Site", "cross-site"}},
		{"image of another port", false, []string{"Sec-Fetch-Site", "same-site"}},
		{"new kind of site", false, []string{"Sec-Fetch-Site", "near-site"}},
		{"proxy", false, []string{"X-Forwarded-For", "10.0.0.1"}},
		{"standard proxy", false, []string{"Forwarded", "for=10.0.0.1"}},
	} {
		for _, ask := range [][2]string{{"GET", "/look/v"}, {"POST", "/append/s"}, {"POST", "/manage"}} {
			w.handled = nil
			reply := w.ask(ask[0], ask[1], c.headers...)
			switch {
			case c.local && (reply.Code != http.StatusNoContent || len(w.handled) != 1 || w.handled[0].ID != "local"):
				t.Errorf("%s: %s %s: %d %s", c.name, ask[0], ask[1], reply.Code, reply.Body)
			case !c.local && (reply.Code != http.StatusUnauthorized || kind(reply) != "token-missing" || len(w.handled) != 0):
				t.Errorf("%s: %s %s: %d %s", c.name, ask[0], ask[1], reply.Code, reply.Body)
			}
		}
		if reply := w.ask("GET", "/public", c.headers...); reply.Code != http.StatusNoContent {
			t.Errorf("%s: public: %d", c.name, reply.Code)
		}
	}
	// A token makes a page's request good, wherever the page is from.
	_, secret := create(t, w.tokens, Request{Name: "page", Role: access.Read})
	if reply := w.ask("GET", "/look/v", "Host", "evil.example", "Origin", "https://evil.example", "Authorization", "Bearer "+secret); reply.Code != http.StatusNoContent {
		t.Errorf("with a token: %d %s", reply.Code, reply.Body)
	}
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// TestCredentials: a token counts by every way that it may be sent, and a bad one never
// falls back to the local principal.
func TestCredentials(t *testing.T) {
	w := newWorld(t, Options{Anonymous: local})
	made, secret := create(t, w.tokens, Request{Name: "t", Role: access.Read, Objects: []string{"v"}})
	for _, c := range []struct {
		name    string
		status  int
		kind    string
		headers []string
	}{
		{"bearer", 204, made.ID, []string{"Authorization", "Bearer " + secret}},
		{"small letters", 204, made.ID, []string{"Authorization", "bearer " + secret}},
		{"basic", 204, made.ID, []string{"Authorization", basic("anybody", secret)}},
		{"clickhouse", 204, made.ID, []string{"X-ClickHouse-User", "default", "X-ClickHouse-Key", secret}},
		{"clickhouse without a password", 204, "local", []string{"X-ClickHouse-User", "default", "X-ClickHouse-Key", ""}},
		{"basic without a password", 204, "local", []string{"Authorization", basic("default", "")}},
		{"unknown", 401, "token-unknown", []string{"Authorization", "Bearer " + newSecret()}},
		{"no token", 401, "token-malformed", []string{"Authorization", "Bearer "}},
		{"cut", 401, "token-malformed", []string{"Authorization", "Bearer " + secret[:len(secret)-1]}},
		{"more", 401, "token-malformed", []string{"Authorization", "Bearer " + secret + "A"}},
		{"password", 401, "token-malformed", []string{"Authorization", basic("admin", "admin")}},
		{"not base64", 401, "token-malformed", []string{"Authorization", "Basic ***"}},
		{"digest", 401, "token-malformed", []string{"Authorization", "Digest x"}},
		{"nothing", 401, "token-malformed", []string{"Authorization", ""}},
		{"two", 401, "token-malformed", []string{"Authorization", "Bearer " + secret, "Authorization", "Bearer " + secret}},
		{"in the address", 401, "token-in-address", nil},
	} {
		w.handled = nil
		target := "/look/v"
		if c.kind == "token-in-address" {
			target += "?key=" + secret
		}
		reply := w.ask("GET", target, c.headers...)
		got := kind(reply)
		if len(w.handled) == 1 {
			got = w.handled[0].ID
		}
		if reply.Code != c.status || got != c.kind {
			t.Errorf("%s: %d %s %s, want %d %s", c.name, reply.Code, got, reply.Body, c.status, c.kind)
		}
		challenge := reply.Header().Get("WWW-Authenticate")
		if (c.status == 401) != strings.HasPrefix(challenge, "Bearer ") || c.status == 401 && !strings.Contains(challenge, "invalid_token") {
			t.Errorf("%s: WWW-Authenticate %q", c.name, challenge)
		}
		if strings.Contains(reply.Body.String(), secret[3:20]) {
			t.Errorf("%s: the answer shows the token: %s", c.name, reply.Body)
		}
	}
}

func TestWriteKeys(t *testing.T) {
	w := newWorld(t, Options{Anonymous: local})
	_, key := create(t, w.tokens, Request{Name: "web", Role: access.Ingest, Objects: []string{"pages"}})
	_, reader := create(t, w.tokens, Request{Name: "r", Role: access.Read})
	_, admin := create(t, w.tokens, Request{Name: "a", Role: access.Admin})
	page := []string{"Host", "m.example", "Origin", "https://site.example", "Sec-Fetch-Site", "cross-site"}
	for _, c := range []struct {
		target string
		status int
		kind   string
	}{
		{"/append/pages?key=" + key, 204, ""},
		{"/append/other?key=" + key, 403, "forbidden"},
		{"/append/pages?key=" + reader, 401, "token-in-address"},
		{"/append/pages?key=" + admin, 401, "token-in-address"},
		{"/append/pages?key=" + newSecret(), 401, "token-unknown"},
		{"/append/pages?key=rubbish", 401, "token-malformed"},
	} {
		reply := w.ask("POST", c.target+"&x=1", page...)
		if reply.Code != c.status || kind(reply) != c.kind || reply.Header().Get("Access-Control-Allow-Origin") != "https://site.example" {
			t.Errorf("%s: %d %s %v", c.target, reply.Code, reply.Body, reply.Header())
		}
	}
	if reply := w.ask("POST", "/append/pages?x=1&key="+key); reply.Code != 204 || w.url != "/append/pages?x=1 /append/pages?x=1" {
		t.Errorf("%d: the handler sees %s", reply.Code, w.url)
	}
	// A header goes before the address.
	if reply := w.ask("POST", "/append/pages?key="+key, "Authorization", "Bearer "+reader); reply.Code != 403 {
		t.Errorf("header and key: %d", reply.Code)
	}
}

func TestForbiddenNamesTheRight(t *testing.T) {
	w := newWorld(t, Options{})
	_, secret := create(t, w.tokens, Request{Name: "narrow", Role: access.Read, Objects: []string{"v"}})
	bearer := []string{"Authorization", "Bearer " + secret}
	for target, says := range map[string]string{
		"GET /look/w": `lacks the right look on "w"`, "POST /append/s": `lacks the right append on "s"`, "POST /manage": "lacks the right manage",
	} {
		method, path, _ := strings.Cut(target, " ")
		reply := w.ask(method, path, bearer...)
		if reply.Code != 403 || !strings.Contains(strings.ReplaceAll(reply.Body.String(), `\"`, `"`), says) {
			t.Errorf("%s: %d %s, want %s", target, reply.Code, reply.Body, says)
		}
	}
	if len(w.ledger.entries) != 1 || w.ledger.entries[0].Kind != "refused" || w.ledger.entries[0].Outcome != "/problems/forbidden" || w.ledger.entries[0].Text != "POST /manage" {
		t.Errorf("the log has %+v", w.ledger.entries)
	}
	if reply := w.ask("POST", "/manage"); reply.Code != 401 || reply.Header().Get("WWW-Authenticate") != `Bearer realm="millrace"` {
		t.Errorf("nobody: %d %v", reply.Code, reply.Header())
	}
}

func TestRates(t *testing.T) {
	w := newWorld(t, Options{Anonymous: local, Requests: 1, Burst: 3})
	_, one := create(t, w.tokens, Request{Name: "one", Role: access.Read})
	_, two := create(t, w.tokens, Request{Name: "two", Role: access.Read})
	burst := func(who string, headers ...string) {
		t.Helper()
		for i := range 4 {
			reply := w.ask("GET", "/public", headers...)
			if limited := reply.Code == http.StatusTooManyRequests; limited != (i == 3) {
				t.Errorf("%s: request %d: %d %s", who, i, reply.Code, reply.Body)
			} else if limited && (reply.Header().Get("Retry-After") != "1" || !strings.Contains(reply.Body.String(), "rate.requests")) {
				t.Errorf("%s: %v %s", who, reply.Header(), reply.Body)
			}
		}
	}
	burst("one", "Authorization", "Bearer "+one)
	burst("two", "Authorization", "Bearer "+two)
	burst("local")
	// Bad tokens count for their address: guessing is no faster.
	if reply := w.ask("GET", "/public", "Authorization", "Bearer "+newSecret()); reply.Code != http.StatusTooManyRequests {
		t.Errorf("a guess: %d", reply.Code)
	}
}

// TestEnter is the way of a listener without routes: the same callers and rates.
func TestEnter(t *testing.T) {
	tokens := open(t, newStore(), newClock())
	made, secret := create(t, tokens, Request{Name: "t", Role: access.SQL})
	g := New(Options{Tokens: tokens, Audit: &ledger{}, Anonymous: local, Requests: 1, Burst: 2})
	enter := func(host, token string) (string, error) {
		r := httptest.NewRequest(http.MethodPost, "/?query=SELECT+1", nil)
		r.Host = host
		r.Header.Set("X-ClickHouse-Key", token)
		r, err := g.Enter(r)
		if err != nil {
			return "", err
		}
		return access.From(r.Context()).ID, nil
	}
	for _, c := range []struct{ host, token, id string }{
		{"localhost", "", "local"}, {"evil.example", "", ""}, {"evil.example", secret, made.ID}, {"localhost", secret, made.ID},
	} {
		if id, err := enter(c.host, c.token); err != nil || id != c.id {
			t.Errorf("%s with %.5q: %q, %v; want %q", c.host, c.token, id, err, c.id)
		}
	}
	_, err := enter("localhost", secret)
	refused(t, err, http.StatusTooManyRequests, "rate-limit")
	_, err = enter("localhost", newSecret())
	refused(t, err, http.StatusTooManyRequests, "rate-limit")
	g = New(Options{Tokens: tokens, Audit: &ledger{}, Anonymous: local})
	_, err = enter("localhost", newSecret())
	refused(t, err, http.StatusUnauthorized, "token-unknown")
}

func TestCallersAreBounded(t *testing.T) {
	l := newLimits(1, 1)
	if err := l.take("busy"); err != nil {
		t.Fatal(err)
	}
	for i := range 5 * maxCallers {
		_ = l.take(fmt.Sprint("caller ", i))
		if i%1000 == 0 && l.take("busy") == nil {
			t.Fatalf("after %d others a busy caller begins anew", i)
		}
	}
	if n := len(l.young) + len(l.old); n > 2*maxCallers {
		t.Errorf("%d callers are kept, the bound is %d", n, 2*maxCallers)
	}
}

func TestNetworks(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "[::ffff:192.0.2.1]:80": "192.0.2.1", "[2001:db8:1:2:3::4]:80": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80": "fe80::/64", "@": "@", "": "",
	} {
		if got := network(remote); got != want {
			t.Errorf("%q is of %q, want %q", remote, got, want)
		}
	}
}

func TestCrossOrigin(t *testing.T) {
	listed := newWorld(t, Options{Origins: []string{"https://a.example"}})
	every := newWorld(t, Options{Origins: []string{"*"}})
	for _, c := range []struct {
		w      *world
		origin string
		ok     bool
	}{
		{listed, "https://a.example", true}, {listed, "https://b.example", false}, {listed, "https://a.example.evil", false},
		{every, "https://b.example", true}, {every, "null", true},
	} {
		reply := c.w.ask("OPTIONS", "/look/v", "Origin", c.origin, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
		h := reply.Header()
		if c.ok != (reply.Code == 204 && h.Get("Access-Control-Allow-Origin") == c.origin && strings.Contains(h.Get("Access-Control-Allow-Headers"), "Authorization")) ||
			!c.ok && (reply.Code != 403 || h.Get("Access-Control-Allow-Origin") != "" || !strings.Contains(reply.Body.String(), "cors.origins")) {
			t.Errorf("preflight of %s: %d %v %s", c.origin, reply.Code, h, reply.Body)
		}
		for _, target := range []string{"/public", "/look/v"} { // also a refusal can be read
			h := c.w.ask("GET", target, "Origin", c.origin).Header()
			if got := h.Get("Access-Control-Allow-Origin"); (got == c.origin) != c.ok || h.Get("Vary") != "Origin" || h.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s for %s: %v", target, c.origin, h)
			}
		}
	}
	// A page with a write key may be of any origin, to append.
	for target, status := range map[string]int{"/append/s?key=mr_x": 204, "/append/s": 403} {
		if reply := listed.ask("OPTIONS", target, "Origin", "https://b.example", "Access-Control-Request-Method", "POST"); reply.Code != status {
			t.Errorf("preflight of %s: %d", target, reply.Code)
		}
	}
	if reply := listed.ask("OPTIONS", "/look/v"); reply.Code != http.StatusMethodNotAllowed || !strings.Contains(reply.Header().Get("Allow"), "GET") {
		t.Errorf("OPTIONS without an origin: %d %v", reply.Code, reply.Header())
	}
}

// TestTokenRoutes makes, lists and revokes a token over HTTP.
func TestTokenRoutes(t *testing.T) {
	w := newWorld(t, Options{Anonymous: local})
	post := func(body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/v1/tokens", strings.NewReader(body))
		r.Host = "localhost"
		reply := httptest.NewRecorder()
		w.handler.ServeHTTP(reply, r)
		return reply
	}
	reply := post(`{"name":"n","role":"read","objects":["v"],"expires":"720h"}`)
	var made struct {
		ID, Token, Role string
		Objects         []string
		Expires         string
	}
	if err := json.Unmarshal(reply.Body.Bytes(), &made); err != nil || reply.Code != 201 || !wellFormed(made.Token) || made.Role != "read" || len(made.Objects) != 1 || made.Expires == "" {
		t.Fatalf("%d %s %v", reply.Code, reply.Body, err)
	}
	list := w.ask("GET", "/v1/tokens")
	if !strings.Contains(list.Body.String(), made.ID) || strings.Contains(list.Body.String(), made.Token) || list.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("the list is %v %s", list.Header(), list.Body)
	}
	who := w.ask("GET", "/v1/whoami", "Authorization", "Bearer "+made.Token)
	if want := fmt.Sprintf(`{"id":%q,"name":"n","role":"read","objects":["v"]}`, made.ID); strings.TrimSpace(who.Body.String()) != want {
		t.Errorf("whoami: %s, want %s", who.Body, want)
	}
	if who := w.ask("GET", "/v1/whoami", "Host", "x.example"); strings.TrimSpace(who.Body.String()) != `{"id":"","name":"","role":"","objects":[]}` {
		t.Errorf("whoami of nobody: %s", who.Body)
	}
	if reply := w.ask("DELETE", "/v1/tokens/"+made.ID); reply.Code != 204 {
		t.Errorf("revoke: %d %s", reply.Code, reply.Body)
	}
	if reply := w.ask("GET", "/v1/whoami", "Authorization", "Bearer "+made.Token); reply.Code != 401 || kind(reply) != "token-revoked" {
		t.Errorf("revoked: %d %s", reply.Code, reply.Body)
	}
	if reply := w.ask("DELETE", "/v1/tokens/nothing"); reply.Code != 404 {
		t.Errorf("revoke nothing: %d", reply.Code)
	}
	for _, body := range []string{"", "{", "[]", `{"name":"n","role":"read"}{}`, `{"name":"n","role":"read","scope":"x"}`, `{"name":1}`} {
		if reply := post(body); reply.Code != 400 || kind(reply) != "bad-token-request" {
			t.Errorf("%s: %d %s", body, reply.Code, reply.Body)
		}
	}
	if reply := post(string(bytes.Repeat([]byte(" "), maxRequestBytes+1))); reply.Code != 413 {
		t.Errorf("too large: %d", reply.Code)
	}
	acts := map[string]int{}
	for _, e := range w.ledger.entries {
		acts[e.Kind+" "+e.Outcome]++
		if strings.Contains(e.Text, "mr_") {
			t.Errorf("the log has a secret: %s", e.Text)
		}
	}
	if fmt.Sprint(acts) != fmt.Sprint(map[string]int{
		"token.create begun": 1, "token.create ok": 1, "token.revoke begun": 2, "token.revoke ok": 1, "token.revoke /problems/unknown-token": 1,
	}) {
		t.Errorf("the log has %v", acts)
	}
	// What cannot be written down is not done.
	w.ledger.err = errors.New("disk full")
	before := len(w.tokens.List())
	if reply := post(`{"name":"n","role":"read"}`); reply.Code != 503 || reply.Header().Get("Retry-After") == "" || len(w.tokens.List()) != before {
		t.Errorf("without a log: %d %s", reply.Code, reply.Body)
	}
}
