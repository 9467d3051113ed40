package route

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/millrace/millrace/internal/problem"
)

func TestPathsAreTakenAsWritten(t *testing.T) {
	seen := ""
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.PathValue("name")
		w.WriteHeader(http.StatusNoContent)
	})
	table := Table{
		{Method: http.MethodGet, Path: "/{$}", Handler: h},
		{Method: http.MethodGet, Path: "/a/{name}", Handler: h},
		{Method: http.MethodDelete, Path: "/a/{name}", Handler: h},
		{Method: http.MethodPost, Path: "/a/{name}/b", Handler: h},
	}
	wrapped := 0
	handler := table.Handler(func(_ Route, h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { wrapped++; h.ServeHTTP(w, r) })
	})
	for _, c := range []struct {
		method, target string
		status         int
		name           string // or what is allowed
	}{
		{"GET", "/", 204, ""},
		{"GET", "/a/x", 204, "x"},
		{"HEAD", "/a/x", 204, "x"},
		{"POST", "/a/x/b", 204, "x"},
		// Escaped, anything is a name.
		{"GET", "/a/x%2Fy", 204, "x/y"},
		{"GET", "/a/%2e%2e", 204, ".."},
		{"GET", "/a/..%2fx", 204, "../x"},
		{"GET", "/a/%20", 204, " "},
		{"GET", "/a/x;y", 204, "x;y"},
		{"GET", "/a/...", 204, "..."},

		{"GET", "//", 404, ""}, {"GET", "//a/x", 404, ""}, {"GET", "/a//x", 404, ""}, {"GET", "/./a/x", 404, ""},
		{"GET", "/a/./x", 404, ""}, {"GET", "/b/../a/x", 404, ""}, {"GET", "/a/x/", 404, ""}, {"GET", "/a/x/.", 404, ""},
		{"GET", "/a/x/..", 404, ""}, {"GET", "/a", 404, ""}, {"GET", "/a/", 404, ""}, {"GET", "/A/x", 404, ""},
		{"GET", "/a%2Fx", 404, ""}, {"GET", "/a/x/b/c", 404, ""}, {"CONNECT", "/a/x", 404, ""}, {"OPTIONS", "/nothing", 404, ""},
		{"POST", "/a/x", 405, "DELETE, GET, HEAD"}, {"GET", "/a/x/b", 405, "POST"}, {"OPTIONS", "/a/x", 405, "DELETE, GET, HEAD"},
		{"get", "/a/x", 405, "DELETE, GET, HEAD"}, {"POST", "/", 405, "GET, HEAD"},
	} {
		seen, wrapped = "", 0
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(c.method, c.target, nil))
		got := seen
		if c.status != 204 {
			got = w.Header().Get("Allow")
			var p problem.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != c.status || p.Hint == "" {
				t.Errorf("%s %s: %s, %v", c.method, c.target, w.Body, err)
			}
		}
		if w.Code != c.status || got != c.name || (wrapped == 1) != (c.status == 204) {
			t.Errorf("%s %s: %d %q, wrapped %d times; want %d %q", c.method, c.target, w.Code, got, wrapped, c.status, c.name)
		}
	}
}
