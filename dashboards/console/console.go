// Package console serves the page at "/": streams, views, lag and the hottest rows, moving.
//
// The one invariant: the page knows nothing that the HTTP API does not say; it is one file
// without a build step and without any other host.
package console

import (
	_ "embed"
	"net/http"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/route"
)

//go:embed index.html
var page []byte

// Routes returns the route of the page.
func Routes() route.Table {
	return route.Table{{Method: http.MethodGet, Path: "/{$}", Right: access.Public, Handler: http.HandlerFunc(serve)}}
}

func serve(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'; form-action 'self'; base-uri 'none'")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(page) // the client has gone if this fails
}
