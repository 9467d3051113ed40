package route

import (
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/millrace/millrace/internal/problem"
)

// Handler serves the routes, each handler wrapped by wrap, and nothing else: a path that
// is not written as in the table (with //, /./ or /../) is not cleaned and redirected, as
// net/http would do, but unknown; so is one of another case or with a slash at its end.
// What is refused is refused by problem JSON.
func (t Table) Handler(wrap func(Route, http.Handler) http.Handler) http.Handler {
	mux := t.Mux(wrap)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !exact(r) {
			unknown(w, r)
			return
		}
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		answer := refusal{header: http.Header{}}
		h.ServeHTTP(&answer, r) // net/http's: it writes no more than a line
		allow := answer.header.Get("Allow")
		if allow == "" {
			unknown(w, r)
			return
		}
		w.Header().Set("Allow", allow)
		problem.Write(w, problem.New(http.StatusMethodNotAllowed, "method-not-allowed",
			fmt.Sprintf("%s is not a method of %s", r.Method, r.URL.Path), "use one of "+allow))
	})
}

func unknown(w http.ResponseWriter, r *http.Request) {
	problem.Write(w, problem.New(http.StatusNotFound, "no-route",
		fmt.Sprintf("there is no %s", r.URL.Path), "GET /openapi.json lists every route; paths are taken as they are written"))
}

// exact reports whether a request's path is clean as it was sent. An escaped dot or slash
// is part of a name and matches nothing but a wildcard.
func exact(r *http.Request) bool {
	sent := r.URL.EscapedPath()
	if r.Method == http.MethodConnect || !strings.HasPrefix(sent, "/") {
		return false
	}
	clean := path.Clean(sent)
	return sent == clean || clean != "/" && sent == clean+"/"
}

// refusal takes what net/http answers to a request without a route.
type refusal struct{ header http.Header }

// Header implements http.ResponseWriter.
func (a *refusal) Header() http.Header { return a.header }

// Write implements http.ResponseWriter.
func (a *refusal) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader implements http.ResponseWriter.
func (a *refusal) WriteHeader(int) {}
