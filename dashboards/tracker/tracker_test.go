package tracker

import (
	"bytes"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/millrace/millrace/internal/route"
)

var update = flag.Bool("update", false, "write millrace.min.js from millrace.js")

// TestScriptIsTheSourceMadeSmall also makes it: see `make tracker`.
func TestScriptIsTheSourceMadeSmall(t *testing.T) {
	source, err := os.ReadFile("millrace.js")
	if err != nil {
		t.Fatal(err)
	}
	made := api.Transform(string(source), api.TransformOptions{
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true, Target: api.ES2021, Charset: api.CharsetUTF8,
	})
	if len(made.Errors)+len(made.Warnings) > 0 {
		t.Fatalf("millrace.js: %v %v", made.Errors, made.Warnings)
	}
	if *update {
		if err := os.WriteFile("millrace.min.js", made.Code, 0o644); err != nil {
			t.Fatal(err)
		}
		script = made.Code
	}
	if !bytes.Equal(script, made.Code) {
		t.Error("millrace.min.js is not what millrace.js gives: run `make tracker` and commit both")
	}
}

func get(t *testing.T, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/millrace.js", nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Routes().Mux(func(_ route.Route, h http.Handler) http.Handler { return h }).ServeHTTP(w, r)
	return w
}

func TestScriptIsServedSmallAndCacheable(t *testing.T) {
	first := get(t)
	size := first.Body.Len()
	if first.Code != http.StatusOK || size <= 0 || size >= MaxBytes {
		t.Errorf("%d with %d bytes; it must stay below %d", first.Code, size, MaxBytes)
	}
	t.Logf("/millrace.js has %d bytes", size)
	for name, want := range map[string]string{
		"Content-Type": "text/javascript; charset=utf-8", "Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=3600",
		"Cross-Origin-Resource-Policy": "cross-origin", "Content-Encoding": "",
	} {
		if got := first.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if again := get(t, "If-None-Match", first.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("with the ETag %s: %d, want 304", first.Header().Get("ETag"), again.Code)
	}
	if other := get(t, "If-None-Match", `"other"`); other.Code != http.StatusOK {
		t.Errorf("with another ETag: %d, want 200", other.Code)
	}
}

// TestScriptDependsOnNothing: no import, and no other host than the one that served it.
func TestScriptDependsOnNothing(t *testing.T) {
	for _, part := range []string{"import", "require", "http:", "https:", "eval(", "document.write"} {
		if strings.Contains(string(script), part) {
			t.Errorf("the script has %q in it", part)
		}
	}
}
