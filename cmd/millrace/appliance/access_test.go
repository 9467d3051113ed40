package appliance

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/config"
	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/serving/auth"
)

// start starts an appliance on the tests' engine. Its streams and views need names that no
// other test of this package uses, as the engine is shared.
func start(t *testing.T, change func(*config.Config)) *Appliance {
	t.Helper()
	a := startOnce(t, change)
	t.Cleanup(func() {
		if err := a.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return a
}

// startOnce is start for a test that stops the appliance itself.
func startOnce(t *testing.T, change func(*config.Config)) *Appliance {
	t.Helper()
	c := config.Default()
	c.DataDir, c.Epoch, c.Flush, c.Grace = t.TempDir(), time.Second, 20*time.Millisecond, time.Second
	c.ClickHouseDSN = enginetest.Engine(t).DSN()
	if change != nil {
		change(&c)
	}
	a, err := Start(t.Context(), Options{Config: c, Log: slog.New(slog.DiscardHandler), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// caller is somebody in the table: a role, and the objects of its token.
type caller struct {
	name    string
	role    access.Role // empty: nobody
	objects []string
	local   bool // without a token, where the own machine is trusted
	// may is what the caller may do on the object "own", and other on "other". It is
	// written out here: the test is no test of the code against itself.
	may, other []access.Right
}

var callers = []caller{
	{name: "anonymous on loopback", role: access.Admin, local: true, may: access.Rights, other: access.Rights},
	{name: "anonymous", may: []access.Right{access.Public}, other: []access.Right{access.Public}},
	{name: "ingest own", role: access.Ingest, objects: []string{"own"}, may: []access.Right{access.Public, access.Append}, other: []access.Right{access.Public}},
	{name: "ingest other", role: access.Ingest, objects: []string{"other"}, may: []access.Right{access.Public}, other: []access.Right{access.Public, access.Append}},
	{name: "ingest all", role: access.Ingest, may: []access.Right{access.Public, access.Append}, other: []access.Right{access.Public, access.Append}},
	{name: "read own", role: access.Read, objects: []string{"own"}, may: []access.Right{access.Public, access.Look}, other: []access.Right{access.Public}},
	{name: "read other", role: access.Read, objects: []string{"other"}, may: []access.Right{access.Public}, other: []access.Right{access.Public, access.Look}},
	{name: "read all", role: access.Read, may: []access.Right{access.Public, access.Look, access.Watch}, other: []access.Right{access.Public, access.Look, access.Watch}},
	{name: "sql own", role: access.SQL, objects: []string{"own"}, may: []access.Right{access.Public, access.Look, access.Query}, other: []access.Right{access.Public}},
	{name: "sql all", role: access.SQL, may: []access.Right{access.Public, access.Look, access.Query, access.Watch}, other: []access.Right{access.Public, access.Look, access.Query, access.Watch}},
	{name: "admin", role: access.Admin, may: access.Rights, other: access.Rights},
}

// allowed reports whether the table lets a caller do what a route asks for. A route without
// an object asks for the right on none in particular, which a token for any has.
func (c caller) allowed(r route.Route, object string) bool {
	switch {
	case r.Object == "":
		return slices.Contains(c.may, r.Right) || slices.Contains(c.other, r.Right)
	case object == "own":
		return slices.Contains(c.may, r.Right)
	case object == "other":
		return slices.Contains(c.other, r.Right)
	}
	return c.objects == nil && slices.Contains(c.may, r.Right)
}

// tokenStates makes a secret in each state that a token may be in.
var tokenStates = map[string]func(*testing.T, *Appliance, caller) string{
	"valid": func(t *testing.T, a *Appliance, c caller) string { return makeToken(t, a, c, "") },
	// It is cut to whole seconds, and so it is over when it is made.
	"expired": func(t *testing.T, a *Appliance, c caller) string { return makeToken(t, a, c, "1ns") },
	"revoked": func(t *testing.T, a *Appliance, c caller) string {
		secret := makeToken(t, a, c, "")
		p, err := a.guard.tokens.Find(secret)
		if err == nil {
			err = a.guard.tokens.Revoke(t.Context(), p.ID, false)
		}
		if err != nil {
			t.Fatal(err)
		}
		return secret
	},
	"unknown":   func(*testing.T, *Appliance, caller) string { return "mr_" + strings.Repeat("A", 43) },
	"malformed": func(*testing.T, *Appliance, caller) string { return "mr_short" },
}

func makeToken(t *testing.T, a *Appliance, c caller, expires string) string {
	t.Helper()
	_, secret, err := a.guard.tokens.Create(t.Context(), auth.Request{Name: c.name, Role: c.role, Objects: c.objects, Expires: expires})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// carriers are the ways to send a token.
var carriers = map[string]func(*http.Request, string){
	"bearer": func(r *http.Request, secret string) { r.Header.Set("Authorization", "Bearer "+secret) },
	"basic": func(r *http.Request, secret string) {
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("u:"+secret)))
	},
	"clickhouse": func(r *http.Request, secret string) { r.Header.Set("X-ClickHouse-Key", secret) },
}

// reached is the answer of the stub that stands for every handler. No handler gives it.
const reached = 299

// stubbed is a table whose handlers tell that they were reached, and as whose route.
func stubbed(routes route.Table) route.Table {
	out := slices.Clone(routes)
	for i := range out {
		pattern := out[i].Method + " " + out[i].Path
		out[i].Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Route", pattern)
			w.WriteHeader(reached)
		})
	}
	return out
}

// pathOf fills in a route's wildcards: its object, and x for the others.
func pathOf(r route.Route, object string) string {
	segments := strings.Split(strings.TrimSuffix(r.Path, "{$}"), "/")
	for i, s := range segments {
		if name, ok := strings.CutPrefix(s, "{"); ok {
			segments[i] = "x"
			if strings.TrimSuffix(name, "}") == r.Object {
				segments[i] = object
			}
		}
	}
	return strings.Join(segments, "/")
}

func send(h http.Handler, method, path string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Host = "localhost"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// surfaces are the appliance's routes with stubs for handlers, behind its own gate and
// behind one that trusts the own machine.
func surfaces(a *Appliance) (demanding, trusting http.Handler) {
	local := auth.New(auth.Options{Tokens: a.guard.tokens, Audit: a.guard.audit, Anonymous: localPrincipal})
	routes := stubbed(a.Routes())
	return a.surface(routes), local.Preflight(routes.Handler(local.Wrap))
}

// TestRouteRoleTokenState asks every route of the appliance as every caller with a token in
// every state, sent in every way. What is expected follows from the route's right alone.
func TestRouteRoleTokenState(t *testing.T) {
	a := start(t, func(c *config.Config) { c.AuthRequired = true })
	if a.FirstAdminToken() == "" {
		t.Error("no first admin token was made")
	}
	demanding, trusting := surfaces(a)
	asked := 0
	ask := func(h http.Handler, c caller, r route.Route, object, state string, change func(*http.Request)) {
		t.Helper()
		asked++
		want := http.StatusForbidden
		switch {
		case state != "valid":
			want = http.StatusUnauthorized
		case c.allowed(r, object):
			want = reached
		case c.role == "":
			want = http.StatusUnauthorized
		}
		w := send(h, r.Method, pathOf(r, object), change)
		if w.Code != want {
			t.Errorf("%s %s (%s on %q) as %s, token %s: %d %s, want %d", r.Method, pathOf(r, object), r.Right, object, c.name, state, w.Code, w.Body, want)
		}
		if (w.Code == http.StatusUnauthorized) != (w.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("%s %s as %s: %d with WWW-Authenticate %q", r.Method, r.Path, c.name, w.Code, w.Header().Get("WWW-Authenticate"))
		}
		if want >= 400 { // the appliance's own handlers are not reached either
			if w := send(a.Handler(), r.Method, pathOf(r, object), change); !c.local && w.Code != want {
				t.Errorf("%s %s as %s, token %s: the appliance answers %d, want %d", r.Method, pathOf(r, object), c.name, state, w.Code, want)
			}
		}
	}
	for _, c := range callers {
		for _, r := range a.Routes() {
			for _, object := range []string{"own", "other"} {
				switch {
				case c.local:
					ask(trusting, c, r, object, "valid", nil)
				case c.role == "":
					ask(demanding, c, r, object, "valid", nil)
				}
			}
		}
		if c.local || c.role == "" {
			continue
		}
		for state, make := range tokenStates {
			secret := make(t, a, c)
			for _, carry := range carriers {
				for _, r := range a.Routes() {
					for _, object := range []string{"own", "other"} {
						ask(demanding, c, r, object, state, func(r *http.Request) { carry(r, secret) })
						// A token that is sent counts on the own machine as well: it never falls
						// back to more.
						ask(trusting, c, r, object, state, func(r *http.Request) { carry(r, secret) })
					}
				}
			}
		}
	}
	t.Logf("%d requests to %d routes", asked, len(a.Routes()))
}

// tricks are other ways to write a path, of which net/http or a proxy may think that they
// are the same.
var tricks = map[string]func(path string) string{
	"double slash at the start": func(p string) string { return "/" + p },
	"double slash within":       func(p string) string { return strings.Replace(p, "/v1/", "/v1//", 1) },
	"dot segment":               func(p string) string { return "/." + p },
	"dot segment within":        func(p string) string { return strings.Replace(p, "/v1/", "/v1/./", 1) },
	"parent segment":            func(p string) string { return "/healthz/.." + p },
	"escaped dot":               func(p string) string { return "/%2e" + p },
	"escaped parent":            func(p string) string { return "/healthz/%2e%2e" + p },
	"doubly escaped parent":     func(p string) string { return "/healthz/%252e%252e" + p },
	"escaped slash":             func(p string) string { return strings.Replace(p, "/v1/", "/v1%2f", 1) },
	"escaped slashes":           func(p string) string { return "/" + strings.ReplaceAll(p[1:], "/", "%2F") },
	"escaped letter":            func(p string) string { return strings.Replace(p, "v1", "%761", 1) },
	"backslash":                 func(p string) string { return "/" + strings.ReplaceAll(p[1:], "/", "%5c") },
	"capitals":                  strings.ToUpper,
	"slash at the end":          func(p string) string { return p + "/" },
	"slashes at the end":        func(p string) string { return p + "//" },
	"dot at the end":            func(p string) string { return p + "." },
	"dots at the end":           func(p string) string { return p + "/.." },
	"dot segment at the end":    func(p string) string { return p + "/." },
	"escaped dot at the end":    func(p string) string { return p + "%2e" },
	"escaped slash at the end":  func(p string) string { return p + "%2f" },
	"semicolon":                 func(p string) string { return p + ";a=b" },
	"semicolon within":          func(p string) string { return strings.Replace(p, "/v1/", "/v1;x/", 1) },
	"NUL at the end":            func(p string) string { return p + "%00" },
	"space at the end":          func(p string) string { return p + "%20" },
	"extension":                 func(p string) string { return p + ".json" },
	"fragment":                  func(p string) string { return p + "%23" },
	"question mark":             func(p string) string { return p + "%3f" },
	"full width":                func(p string) string { return strings.Replace(p, "/v1", "/%EF%BD%961", 1) },
	"public prefix":             func(p string) string { return "/healthz" + p },
	"public name after":         func(p string) string { return p + "/healthz" },
	"absolute":                  func(p string) string { return "http://localhost" + p },
}

// TestPathTricks writes every route's path in every other way. Whoever may not use the
// route still may not, nobody is redirected, and what reaches a handler has the right that
// this handler's route asks for, on the object that the handler sees.
func TestPathTricks(t *testing.T) {
	a := start(t, func(c *config.Config) { c.AuthRequired = true })
	demanding, trusting := surfaces(a)
	byPattern := map[string]route.Route{}
	for _, r := range a.Routes() {
		byPattern[r.Method+" "+r.Path] = r
	}
	for _, c := range callers {
		h, carry := demanding, func(*http.Request) {}
		if c.local {
			h = trusting
		} else if c.role != "" {
			secret := makeToken(t, a, c, "")
			carry = func(r *http.Request) { carriers["bearer"](r, secret) }
		}
		for _, r := range a.Routes() {
			for _, object := range []string{"own", "other"} {
				for name, trick := range tricks {
					for _, method := range []string{r.Method, http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete, http.MethodOptions, "get", http.MethodConnect, "PROPFIND"} {
						path := trick(pathOf(r, object))
						w := send(h, method, path, carry)
						switch w.Code {
						case reached:
							// The handler of this pattern was reached: with which object?
							got := byPattern[w.Header().Get("Route")]
							if !c.allowed(got, objectOf(got, path)) {
								t.Errorf("%s: %s %s reaches %s as %s", name, method, path, w.Header().Get("Route"), c.name)
							}
						case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
							if w.Header().Get("Content-Type") != "application/problem+json" {
								t.Errorf("%s: %s %s: %d is no problem JSON", name, method, path, w.Code)
							}
						default:
							t.Errorf("%s: %s %s as %s: %d %v", name, method, path, c.name, w.Code, w.Header())
						}
					}
				}
			}
		}
	}
	// The ways that change nothing at all, for somebody who may do everything.
	for _, r := range a.Routes() {
		path := pathOf(r, "own")
		for _, name := range []string{"double slash at the start", "dot segment", "parent segment", "capitals", "slash at the end", "semicolon within", "public prefix"} {
			if tricked := tricks[name](path); tricked != path && !strings.HasPrefix(path, "/{") && path != "/" {
				if w := send(trusting, r.Method, tricked, nil); w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
					t.Errorf("%s: %s %s: %d, want no such route", name, r.Method, tricked, w.Code)
				}
			}
		}
	}
}

// objectOf reads a route's object out of a path as it was sent, on its own.
func objectOf(r route.Route, path string) string {
	path = strings.TrimPrefix(path, "http://localhost")
	sent, pattern := strings.Split(path, "/"), strings.Split(r.Path, "/")
	for i, s := range pattern {
		if r.Object != "" && s == "{"+r.Object+"}" && i < len(sent) {
			return sent[i]
		}
	}
	return ""
}

// TestEveryRouteIsDescribed: a right that exists, an object that the path names, a
// description unless it is a page; and no two with one name.
func TestEveryRouteIsDescribed(t *testing.T) {
	a := start(t, nil)
	ids := map[string]bool{}
	for _, r := range a.Routes() {
		name := r.Method + " " + r.Path
		if !slices.Contains(access.Rights, r.Right) {
			t.Errorf("%s: %q is no right; choose one of internal/access", name, r.Right)
		}
		if r.Object != "" && !strings.Contains(r.Path, "{"+r.Object+"}") {
			t.Errorf("%s: its path has no {%s}", name, r.Object)
		}
		if ids[r.Doc.ID] && r.Doc.ID != "" {
			t.Errorf("%s: another route is called %s too", name, r.Doc.ID)
		}
		ids[r.Doc.ID] = true
		if r.Doc.ID == "" && strings.HasPrefix(r.Path, "/v1/") {
			t.Errorf("%s has no Doc: give it an ID, a tag, a summary, parameters, replies and errors", name)
		}
	}
	var public []string
	for _, r := range a.Routes() {
		switch {
		case r.Right == access.Public:
			public = append(public, r.Method+" "+r.Path)
		case r.Method != http.MethodGet && r.Right == access.Watch:
			t.Errorf("%s %s asks for %s only", r.Method, r.Path, r.Right)
		}
	}
	slices.Sort(public)
	// What is public is decided here as well as in the table.
	if want := []string{"GET /console/{file}", "GET /docs/api", "GET /healthz", "GET /millrace.js", "GET /openapi.json", "GET /readyz", "GET /unsubscribe/{report}", "GET /v1/whoami", "GET /{$}", "POST /unsubscribe/{report}"}; !slices.Equal(public, want) {
		t.Errorf("public are %q, want %q: a route for everybody has to be listed in this test too", public, want)
	}
	if len(a.Routes()) < 10 {
		t.Errorf("there are %d routes only", len(a.Routes()))
	}
}
