// Package route describes the routes of the HTTP surface: how each is reached, which
// right it asks for, and what the API description says of it.
//
// The one invariant: a route that is not in a Table is not served, so that whatever is
// said of all routes (rights, description, tests) is said of every one.
package route

import (
	"net/http"

	"github.com/millrace/millrace/internal/access"
)

// Route is one method on one path.
type Route struct {
	Method string // GET also answers HEAD
	Path   string // a pattern of net/http without method and host: /v1/views/{view}
	// Right is what the caller must have, on the object that the wildcard Object of Path
	// names; on none in particular where Object is empty.
	Right   access.Right
	Object  string
	Doc     Doc
	Handler http.Handler
}

// Doc is what the API description says of a route. A route without an ID is a page or a
// file for people and not part of the API.
type Doc struct {
	ID      string // operationId, such as queryView
	Tag     string // chapter, such as views
	Summary string // one line
	About   string // more; Markdown
	Params  []Param
	Body    *Body
	Replies []Reply // of success
	Errors  []int   // statuses of problem JSON beside 401, 403, 429 and 500, which every route has
}

// Param is a parameter of a route.
type Param struct {
	Name     string
	In       string // path, query or header
	Type     string // string, integer, number or boolean
	Required bool   // always so for path
	Repeated bool   // may be given several times
	About    string
	Example  string
}

// Body is what a request carries, in one of several media types.
type Body struct {
	Types   []string
	Value   any // a Go value whose type gives the JSON schema; nil: any text
	About   string
	Example string
}

// Reply is an answer of success.
type Reply struct {
	Status int
	Types  []string
	Value  any // a Go value whose type gives the JSON schema; nil: no schema
	About  string
}

// Table is a set of routes.
type Table []Route

// Mux serves the routes, each handler wrapped by wrap.
func (t Table) Mux(wrap func(Route, http.Handler) http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	for _, r := range t {
		mux.Handle(r.Method+" "+r.Path, wrap(r, r.Handler))
	}
	return mux
}
