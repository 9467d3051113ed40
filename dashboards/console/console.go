// Package console serves the web console: one page at "/", whose addresses within are
// behind a '#', and its assets under /console/.
//
// The one invariant: the console knows nothing that the HTTP API does not say, and what
// is served is what `make console` built from src/; nothing is loaded from another host.
package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/route"
)

//go:embed dist
var dist embed.FS

// policy lets the page load what this server serves and nothing else: no script or style
// in the page itself, no frames, and no HTML made from text by scripts.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// index is the page's name in dist; every other file there is named by its content.
const index = "index.html"

// asset is one file as it is sent.
type asset struct {
	mediaType  string
	tag        string
	body       []byte
	compressed []byte // by gzip; nil where that would not be smaller
}

// Routes returns the routes of the page and of its assets.
func Routes() route.Table {
	assets, err := load()
	if err != nil {
		panic(fmt.Sprintf("console: %v", err)) // the files are in the binary: it was built wrongly
	}
	return route.Table{
		{Method: http.MethodGet, Path: "/{$}", Right: access.Public, Handler: page(assets[index])},
		{Method: http.MethodGet, Path: "/console/{file}", Right: access.Public, Handler: files(assets)},
	}
}

// load reads the embedded files and compresses each once.
func load() (map[string]asset, error) {
	entries, err := dist.ReadDir("dist")
	if err != nil {
		return nil, err
	}
	assets := map[string]asset{}
	for _, e := range entries {
		body, err := dist.ReadFile(path.Join("dist", e.Name()))
		if err != nil {
			return nil, err
		}
		compressed, err := compress(body)
		if err != nil {
			return nil, fmt.Errorf("compress %s: %w", e.Name(), err)
		}
		sum := sha256.Sum256(body)
		assets[e.Name()] = asset{mediaType(e.Name()), `"` + hex.EncodeToString(sum[:8]) + `"`, body, compressed}
	}
	return assets, nil
}

func compress(body []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if b.Len() >= len(body) {
		return nil, nil
	}
	return b.Bytes(), nil
}

// mediaType does not ask the machine's tables, which may say anything of .js.
func mediaType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".woff2":
		return "font/woff2"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(path.Ext(name))
}

// page serves the page itself, which the browser asks for each time.
func page(a asset) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		a.serve(w, r)
	})
}

// files serves what the page loads. A name is made from the content, so that a copy of it
// is good for ever.
func files(assets map[string]asset) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := assets[r.PathValue("file")]
		if !ok || r.PathValue("file") == index {
			w.Header().Set("Cache-Control", "no-store") // a later release may have it
			http.Error(w, "the console has no such file; load the page again", http.StatusNotFound)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		a.serve(w, r)
	})
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.mediaType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("ETag", a.tag)
	body := a.body
	if a.compressed != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			h.Set("Content-Encoding", "gzip")
			body = a.compressed
		}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reports whether the request names gzip; browsers do, without weights.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		if name, weight, _ := strings.Cut(strings.TrimSpace(part), ";"); strings.TrimSpace(name) == "gzip" {
			return strings.ReplaceAll(weight, " ", "") != "q=0"
		}
	}
	return false
}
