package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/route"
)

// Routes returns a table with two more routes, the description of that whole table and its
// page.
func Routes(version string, table route.Table) (route.Table, error) {
	var document, page []byte
	serve := func(contentType string, body *[]byte) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Cache-Control", "no-cache")
			// The page has no script, and asks nobody for anything.
			w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
			_, _ = w.Write(*body) // the client has gone if this fails
		})
	}
	table = append(table[:len(table):len(table)],
		route.Route{Method: http.MethodGet, Path: "/openapi.json", Right: access.Public, Handler: serve("application/json", &document), Doc: route.Doc{
			ID: "getOpenAPI", Tag: "state", Summary: "This description, as OpenAPI 3.1",
			Replies: []route.Reply{{Status: http.StatusOK, Types: []string{"application/json"}, About: "the document"}},
		}},
		route.Route{Method: http.MethodGet, Path: "/docs/api", Right: access.Public, Handler: serve("text/html; charset=utf-8", &page)},
	)
	d, err := Build(version, table)
	if err != nil {
		return nil, err
	}
	if document, err = json.MarshalIndent(d, "", " "); err != nil {
		return nil, fmt.Errorf("encode API description: %w", err)
	}
	var b bytes.Buffer
	if err := draw(&b, d); err != nil {
		return nil, err
	}
	page = b.Bytes()
	return table, nil
}
