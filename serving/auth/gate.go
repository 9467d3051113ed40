package auth

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"golang.org/x/time/rate"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/serving/audit"
)

// Options configure a Gate. Tokens and Audit are needed.
type Options struct {
	Tokens *Tokens
	Audit  audit.Recorder
	// Anonymous is who comes without a token from this machine: nobody where the server
	// listens beyond it or demands tokens.
	Anonymous access.Principal
	// Origins are the web origins whose pages may ask and read answers; "*" is every one.
	Origins []string
	// Requests is how many requests a second a token, or an address without one, may send
	// on the average, and Burst how many at once. 0 requests: as many as it likes.
	Requests, Burst int
}

// Gate lets requests pass or refuses them. It is safe for concurrent use.
type Gate struct {
	o      Options
	limits *limits
}

// New returns a Gate.
func New(o Options) *Gate {
	return &Gate{o: o, limits: newLimits(rate.Limit(o.Requests), o.Burst)}
}

// Identify says who sent a request, by the token that it carries: Authorization: Bearer,
// the password of Authorization: Basic, or X-ClickHouse-Key. Without a token that is the
// local principal, or nobody: a Principal without any right but Public. A token that is
// not valid is a problem with status 401, whatever is asked for.
func (g *Gate) Identify(r *http.Request) (access.Principal, error) {
	secret, err := credential(r)
	if err != nil {
		return access.Principal{}, err
	}
	if secret == "" {
		if g.local(r) {
			return g.o.Anonymous, nil
		}
		return access.Principal{}, nil
	}
	return g.find(secret)
}

// Enter is for listeners that have no route table. It identifies the caller, counts the
// request for its rate (429 where there are too many; one with a bad token counts for its
// address), and returns the request with a context that carries the caller and its address.
// What the caller may do is left to the listener: nobody has the zero Principal.
func (g *Gate) Enter(r *http.Request) (*http.Request, error) {
	p, err := g.Identify(r)
	if lerr := g.limits.take(g.caller(p, err, r)); lerr != nil {
		return nil, lerr
	}
	if err != nil {
		return nil, err
	}
	return r.WithContext(access.With(audit.WithAddress(r.Context(), audit.Host(r.RemoteAddr)), p)), nil
}

// Still returns why the caller of a request that passed the gate may not ask any more: its
// token has expired or was revoked. Long answers ask now and then.
func (g *Gate) Still(r *http.Request) error {
	p, err := g.Identify(r)
	if err == nil && p.ID != access.From(r.Context()).ID {
		err = Unauthorized(r)
	}
	return err
}

// caller is whom a request counts for: its token, or its address without a valid one.
func (g *Gate) caller(p access.Principal, err error, r *http.Request) string {
	if err != nil || p.Role == "" || p.ID == g.o.Anonymous.ID {
		return "address " + network(r.RemoteAddr)
	}
	return "token " + p.ID
}

func (g *Gate) find(secret string) (access.Principal, error) {
	if !wellFormed(secret) {
		return access.Principal{}, unauthorized("malformed", "what was sent is no token of this server",
			"a token begins with mr_ and is sent whole, as Authorization: Bearer mr_…")
	}
	p, err := g.o.Tokens.Find(secret)
	var invalid errInvalid
	if errors.As(err, &invalid) {
		return p, unauthorized(invalid.why, invalid.Error(), "ask an administrator of this server for a new one: millrace token create")
	}
	return p, err
}

// Unauthorized is what somebody without a token is told.
func Unauthorized(r *http.Request) error {
	hint := "send one as Authorization: Bearer mr_…; an administrator makes it by millrace token create"
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		hint += ". A web page needs one even on this machine, unless it came from this server or its origin is in cors.origins"
	}
	return unauthorized("missing", "this needs a token", hint)
}

func unauthorized(kind, detail, hint string) error {
	return problem.New(http.StatusUnauthorized, "token-"+kind, detail, hint)
}

// Forbidden is what somebody is told who lacks a right: the same whether or not there is
// an object of that name.
func Forbidden(p access.Principal, right access.Right, object string) error {
	what := string(right)
	if object != "" {
		what += " on " + fmt.Sprintf("%q", object)
	}
	return problem.New(http.StatusForbidden, "forbidden",
		fmt.Sprintf("token %q (role %s) lacks the right %s", p.Name, p.Role, what),
		"use a token whose role and objects have it: "+holders(right))
}

// holders says which roles have a right.
func holders(right access.Right) string {
	var roles []string
	for _, role := range access.Roles {
		if (access.Principal{Role: role}).May(right, "") {
			roles = append(roles, string(role))
		}
	}
	return strings.Join(roles, ", ")
}

// Wrap puts a route behind the gate: the order is who, how often, which right.
func (g *Gate) Wrap(r route.Route, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		g.answerOrigin(w, req, r)
		ctx := audit.WithAddress(req.Context(), audit.Host(req.RemoteAddr))
		p, err := g.Identify(req)
		if key := writeKey(r, req); key != "" {
			if err == nil && !presented(req) {
				p, err = g.byKey(r, key)
			}
			req = withoutKey(req)
		}
		if lerr := g.limits.take(g.caller(p, err, req)); lerr != nil {
			problem.Write(w, lerr)
			return
		}
		if err != nil {
			g.refuse(w, err)
			return
		}
		object := ""
		if r.Object != "" {
			object = req.PathValue(r.Object)
		}
		ctx = access.With(ctx, p)
		if !p.May(r.Right, object) {
			if p.Role == "" {
				g.refuse(w, Unauthorized(req))
				return
			}
			err := Forbidden(p, r.Right, object)
			if r.Right == access.Manage || r.Right == access.Query {
				// What somebody tried belongs to the log; that it could not be written does not
				// make the refusal less of one.
				_ = g.o.Audit.Record(ctx, audit.Entry{Kind: "refused", Text: req.Method + " " + req.URL.Path, Outcome: audit.OutcomeOf(err)})
			}
			problem.Write(w, err)
			return
		}
		next.ServeHTTP(w, req.WithContext(ctx))
	})
}

// refuse answers with 401 and how to do better.
func (g *Gate) refuse(w http.ResponseWriter, err error) {
	p := problem.From(err)
	if p.Status == http.StatusUnauthorized {
		// Never Basic: a browser would ask for a password, and send it with every request
		// from any page from then on.
		challenge := `Bearer realm="millrace"`
		if p.Type != "/problems/token-missing" {
			challenge += `, error="invalid_token", error_description="` + p.Detail + `"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	problem.Write(w, p)
}

// keyParameter carries a write key where no header can be sent: sendBeacon of a browser.
const keyParameter = "key"

// writeKey returns the token in a request's address. Elsewhere than where events are
// appended a parameter of that name may mean something else, unless it is a token.
func writeKey(r route.Route, req *http.Request) string {
	if req.URL.RawQuery == "" {
		return ""
	}
	key := req.URL.Query().Get(keyParameter)
	if r.Right == access.Append || strings.HasPrefix(key, secretPrefix) {
		return key
	}
	return ""
}

// byKey finds the caller by a token in the address. Addresses end up in logs and
// histories, so that only what can do no more than append is taken from there.
func (g *Gate) byKey(r route.Route, key string) (access.Principal, error) {
	p, err := g.find(key)
	if err != nil {
		return p, err
	}
	if r.Right != access.Append || p.Role != access.Ingest {
		return access.Principal{}, unauthorized("in-address", "only a token with the role ingest may be sent as ?key=, and only to append events",
			"send it as Authorization: Bearer mr_…; and replace it, as addresses are logged")
	}
	return p, nil
}

// withoutKey returns the request without its key, so that no handler and no log has it.
func withoutKey(r *http.Request) *http.Request {
	clean := r.Clone(r.Context())
	values := clean.URL.Query()
	values.Del(keyParameter)
	clean.URL.RawQuery = values.Encode()
	clean.RequestURI = clean.URL.RequestURI()
	return clean
}

// clickHouseKey is the header by which clients of ClickHouse send a password.
const clickHouseKey = "X-ClickHouse-Key"

func presented(r *http.Request) bool {
	secret, err := credential(r)
	return err != nil || secret != ""
}

// credential returns the secret that a request carries in its headers; empty: none. A
// Basic password may be empty, as clients of ClickHouse send it: that is none.
func credential(r *http.Request) (string, error) {
	malformed := func(detail string) (string, error) {
		return "", unauthorized("malformed", detail, "send Authorization: Bearer mr_…")
	}
	sent := r.Header.Values("Authorization")
	if len(sent) > 1 {
		return malformed("there are several Authorization headers")
	}
	if len(sent) == 1 {
		scheme, value, _ := strings.Cut(sent[0], " ")
		switch strings.ToLower(scheme) {
		case "bearer":
			value = strings.TrimSpace(value)
			if value == "" {
				return malformed("the Authorization header has no token")
			}
			return value, nil
		case "basic":
			_, password, ok := r.BasicAuth()
			if !ok {
				return malformed("the Authorization header cannot be read")
			}
			return cmp.Or(password, r.Header.Get(clickHouseKey)), nil
		}
		return malformed("the Authorization header is neither Bearer nor Basic")
	}
	return r.Header.Get(clickHouseKey), nil
}

// network is what a rate is kept for: an IPv4 address, or the /64 of an IPv6 address, of
// which one client has as many addresses as it likes.
func network(remote string) string {
	a, err := netip.ParseAddr(audit.Host(remote))
	if err != nil {
		return audit.Host(remote)
	}
	if a = a.Unmap(); a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
