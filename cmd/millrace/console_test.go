package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestConsoleSignsIn opens the page of a server that demands tokens: it asks for one, says
// what is wrong with a wrong one, shows a reader what it may read and no more, keeps the
// token over a reload, and forgets it.
func TestConsoleSignsIn(t *testing.T) {
	s := newServer(t, "--auth.required", "true", "--epoch", "1s", "--flush", "20ms")
	admin := s.firstToken()
	for _, statement := range []string{
		"CREATE STREAM visits (ts DateTime64(3), page String) WITH (event_time = 'ts')",
		"CREATE VIEW hits AS SELECT page, count() AS n FROM visits GROUP BY page", "CREATE VIEW hidden AS SELECT count() AS n FROM visits",
	} {
		if status, text := s.as(admin, http.MethodPost, "/v1/sql", "text/plain", statement); status != http.StatusOK {
			t.Fatalf("%s: %d %s", statement, status, text)
		}
	}
	if status, text := s.as(admin, http.MethodPost, "/v1/streams/visits/events", "application/x-ndjson", `{"ts":"2026-01-02T03:04:05Z","page":"/start"}`); status != http.StatusOK {
		t.Fatalf("append: %d %s", status, text)
	}
	reader := s.makeToken(admin, `{"name":"wall","role":"read","objects":["hits"]}`)

	p := newTab(startBrowser(t), t)
	p.open(s.url + "/")
	p.until(`!document.getElementById("signin").hidden && document.getElementById("console").hidden`)
	signIn := func(token string) {
		p.do(`document.getElementById("token").value = "` + token + `"; document.getElementById("signin").requestSubmit()`)
	}
	signIn("mr_" + strings.Repeat("A", 43))
	p.until(`document.getElementById("why").textContent.includes("the token is unknown")`)
	signIn(reader)
	const shown = `!document.getElementById("console").hidden && document.getElementById("views").textContent.includes("/start")`
	p.until(shown)
	p.until(`document.getElementById("name").textContent.includes("wall")`)
	if text := p.text(`document.body.innerText`); strings.Contains(text, "hidden") {
		t.Errorf("a reader of one view sees another:\n%s", text)
	}
	p.open(s.url + "/")
	p.until(shown)
	p.do(`document.getElementById("signout").click()`)
	p.until(`!document.getElementById("signin").hidden && document.getElementById("views").textContent === ""`)
}
