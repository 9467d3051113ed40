package auth

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/route"
)

// BenchmarkGate is what the gate costs a request, among 1,000 tokens and with a rate.
func BenchmarkGate(b *testing.B) {
	tokens := open(b, newStore(), newClock())
	var secret string
	for range 1000 {
		_, secret = create(b, tokens, Request{Name: "x", Role: access.Read, Objects: []string{"v"}})
	}
	g := New(Options{Tokens: tokens, Audit: &ledger{}, Requests: 1_000_000, Burst: 1_000_000})
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	handler := route.Table{{Method: http.MethodGet, Path: "/v1/views/{view}", Right: access.Look, Object: "view", Handler: h}}.Handler(g.Wrap)
	r := httptest.NewRequest(http.MethodGet, "/v1/views/v?limit=3", nil)
	r.Header.Set("Authorization", "Bearer "+secret)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(w, r)
	}
	if w.Code != http.StatusOK {
		b.Fatalf("%d %s", w.Code, w.Body)
	}
}
