package console

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/klauspost/compress/gzip"

	"github.com/millrace/millrace/internal/route"
)

func ask(t *testing.T, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Routes().Mux(func(_ route.Route, h http.Handler) http.Handler { return h }).ServeHTTP(w, r)
	return w
}

// loaded are the assets that the page names.
func loaded(t *testing.T) []string {
	t.Helper()
	names := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(ask(t, "/").Body.String(), -1)
	if len(names) == 0 {
		t.Fatal("the page names no asset")
	}
	var paths []string
	for _, n := range names {
		paths = append(paths, n[1])
	}
	return paths
}

func TestPageIsGuardedAndAskedForEachTime(t *testing.T) {
	w := ask(t, "/")
	if w.Code != http.StatusOK {
		t.Fatalf("%d", w.Code)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	policy := w.Header().Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "connect-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy lacks %q: %s", part, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("the policy lets in what it should not: %s", policy)
	}
	if page := w.Body.String(); regexp.MustCompile(`<script[^>]*>[^<]|<style|\sstyle=|\son\w+=`).MatchString(page) {
		t.Errorf("the page has a script or style within, which its policy forbids:\n%s", page)
	}
	if again := ask(t, "/", "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("with its ETag: %d, want 304", again.Code)
	}
}

func TestAssetsAreImmutableAndCompressed(t *testing.T) {
	for _, path := range loaded(t) {
		plain, packed := ask(t, path), ask(t, path, "Accept-Encoding", "br, gzip")
		if plain.Code != http.StatusOK || packed.Code != http.StatusOK {
			t.Fatalf("%s: %d, by gzip %d", path, plain.Code, packed.Code)
		}
		if got := plain.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
		if packed.Header().Get("Content-Encoding") != "gzip" {
			if !strings.HasSuffix(path, ".woff2") { // compressed by itself
				t.Errorf("%s is not sent compressed", path)
			}
			continue
		}
		r, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(r); err != nil || !bytes.Equal(text, plain.Body.Bytes()) {
			t.Errorf("%s by gzip is another text: %v", path, err)
		}
	}
	if w := ask(t, loaded(t)[0], "Accept-Encoding", "gzip;q=0"); w.Header().Get("Content-Encoding") != "" {
		t.Error("gzip is sent to a client that refuses it")
	}
	for _, path := range []string{"/console/app-OLD.js", "/console/index.html"} {
		if w := ask(t, path); w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, Cache-Control %q", path, w.Code, w.Header().Get("Cache-Control"))
		}
	}
}

// The most that a browser loads before the first page stands, and for the whole console,
// compressed; docs/console.md states what it is.
const (
	maxFirstBytes = 96 << 10
	maxAllBytes   = 320 << 10
)

func TestPageWeight(t *testing.T) {
	first := ask(t, "/", "Accept-Encoding", "gzip").Body.Len()
	for _, path := range loaded(t) {
		first += ask(t, path, "Accept-Encoding", "gzip").Body.Len()
	}
	assets, err := load()
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for name, a := range assets {
		switch {
		case name == "licences.txt": // nothing loads it
		case a.compressed != nil:
			all += len(a.compressed)
		default:
			all += len(a.body)
		}
	}
	t.Logf("first page: %d bytes, everything: %d bytes, compressed", first, all)
	if first > maxFirstBytes || all > maxAllBytes {
		t.Errorf("first page %d of %d bytes, everything %d of %d", first, maxFirstBytes, all, maxAllBytes)
	}
}

// TestNothingIsLoadedFromElsewhere: no address of another host in what is served, but for
// the names of XML and of the libraries' own pages in their messages.
func TestNothingIsLoadedFromElsewhere(t *testing.T) {
	assets, err := load()
	if err != nil {
		t.Fatal(err)
	}
	known := regexp.MustCompile(`^https?://www\.w3\.org/`)
	for name, a := range assets {
		if name == "licences.txt" {
			continue
		}
		for _, address := range regexp.MustCompile(`https?://[\w.-]+[^\s"'`+"`"+`)]*`).FindAllString(string(a.body), -1) {
			if !known.MatchString(address) {
				t.Errorf("%s has the address %s", name, address)
			}
		}
	}
}

func TestTypesAreStrict(t *testing.T) {
	install(t)
	if text, err := exec.Command("npm", "run", "--silent", "check").CombinedOutput(); err != nil {
		t.Errorf("tsc: %v\n%s", err, text)
	}
}

// TestLogic runs the unit tests of what needs no browser, by Node's own runner.
func TestLogic(t *testing.T) {
	install(t)
	tests, err := filepath.Glob("test/*.test.ts")
	if err != nil || len(tests) == 0 {
		t.Fatalf("no tests: %v", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	made := api.Build(api.BuildOptions{
		AbsWorkingDir: dir, EntryPoints: tests, Outdir: out, Bundle: true, Write: true, Platform: api.PlatformNode, Format: api.FormatESModule,
		OutExtension: map[string]string{".js": ".mjs"}, JSX: api.JSXAutomatic, JSXImportSource: "preact", Sourcemap: api.SourceMapInline,
	})
	if len(made.Errors) > 0 {
		t.Fatalf("esbuild: %s", strings.Join(api.FormatMessages(made.Errors, api.FormatMessagesOptions{}), "\n"))
	}
	if text, err := exec.Command("node", "--enable-source-maps", "--test", out).CombinedOutput(); err != nil {
		t.Errorf("node: %v\n%s", err, text)
	}
}
