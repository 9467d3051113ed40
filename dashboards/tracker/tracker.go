// Package tracker serves /millrace.js: page views and custom events of any web page into a
// stream.
//
// The one invariant: what is served is what millrace.js says, made small, below MaxBytes,
// and it depends on nothing else.
package tracker

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/route"
)

// MaxBytes bounds the script as it is served: pages load it before anything of theirs.
const MaxBytes = 3 << 10

// maxAge is how long a browser takes its copy for current, in seconds: an hour, so that a
// new release reaches every page within one.
const maxAge = "3600"

// script is millrace.js made small; `make tracker` writes it.
//
//go:embed millrace.min.js
var script []byte

// tag names this very script.
var tag = func() string {
	sum := sha256.Sum256(script)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}()

// Routes returns the route of the script.
func Routes() route.Table {
	return route.Table{{Method: http.MethodGet, Path: "/millrace.js", Right: access.Public, Handler: http.HandlerFunc(serve)}}
}

func serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Cache-Control", "public, max-age="+maxAge)
	h.Set("ETag", tag)
	// The script is for pages of every origin, also for those that ask for its checksum
	// (integrity=…) or have shut themselves off (Cross-Origin-Embedder-Policy).
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(script))
}
