package auth

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/route"
)

// LoopbackHost reports whether a host name or address means this machine to everybody: a
// name that a name server answers for does not.
func LoopbackHost(name string) bool {
	name = strings.ToLower(name)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && a.Unmap().IsLoopback()
}

// forwarded are the headers of a proxy: what comes through one does not come from here.
var forwarded = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"}

// local reports whether a request without a token may be taken for one of this machine's
// own user. The listener takes care that it comes from this machine; this takes care that
// it is not a web page that makes the user's browser ask:
//
//   - by a name of its own that it lets point here (DNS rebinding): Host is not loopback;
//   - by a script or form: Origin is neither this server nor one of cors.origins;
//   - by an image, script tag or link, which say no origin: Sec-Fetch-Site.
func (g *Gate) local(r *http.Request) bool {
	if g.o.Anonymous.Role == "" {
		return false
	}
	name, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		name = r.Host
	}
	if !LoopbackHost(name) {
		return false
	}
	for _, h := range forwarded {
		if len(r.Header.Values(h)) > 0 {
			return false
		}
	}
	origin := r.Header.Get("Origin")
	if origin != "" && g.named(origin) {
		return true
	}
	if origin != "" && !sameOrigin(origin, r) {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	}
	return false
}

func sameOrigin(origin string, r *http.Request) bool {
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return u.Scheme == scheme && u.Host == r.Host
}

// named reports whether an origin is in the list by its name.
func (g *Gate) named(origin string) bool {
	return origin != "*" && slices.Contains(g.o.Origins, origin)
}

// readable reports whether pages of an origin may read answers. "*" lets every page read
// what its token may see; it does not make every page trusted, as named does.
func (g *Gate) readable(origin string) bool {
	return g.named(origin) || slices.Contains(g.o.Origins, "*")
}

const (
	allowedMethods = "GET, HEAD, POST, PUT, DELETE"
	allowedHeaders = "Authorization, Content-Type, Content-Encoding, Idempotency-Key"
	exposedHeaders = "Millrace-Provenance, Idempotent-Replayed, Retry-After, WWW-Authenticate"
	// preflightSeconds is how long a browser remembers a preflight.
	preflightSeconds = "600"
)

// answerOrigin tells a browser that the page may read the answer. A page with a write key
// may be of any origin: such a key is made to be public, and can do no more than append.
// Nothing is ever allowed by cookie, hence no Access-Control-Allow-Credentials.
func (g *Gate) answerOrigin(w http.ResponseWriter, req *http.Request, r route.Route) {
	origin := req.Header.Get("Origin")
	w.Header().Add("Vary", "Origin")
	if origin == "" {
		return
	}
	if g.readable(origin) || r.Right == access.Append && req.URL.Query().Has(keyParameter) {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", exposedHeaders)
	}
}

// Preflight answers the question that a browser asks before a request of another origin,
// and leaves everything else to next. It says nothing of rights: the request itself meets
// the gate.
func (g *Gate) Preflight(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin, method := r.Header.Get("Origin"), r.Header.Get("Access-Control-Request-Method")
		if r.Method != http.MethodOptions || origin == "" || method == "" {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Add("Vary", "Origin")
		writeKey := method == http.MethodPost && r.URL.Query().Has(keyParameter)
		if !g.readable(origin) && !writeKey {
			problem.Write(w, problem.New(http.StatusForbidden, "origin", "pages of "+origin+" may not ask this server", "add the origin to cors.origins"))
			return
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", allowedMethods)
		h.Set("Access-Control-Allow-Headers", allowedHeaders)
		h.Set("Access-Control-Max-Age", preflightSeconds)
		w.WriteHeader(http.StatusNoContent)
	})
}
