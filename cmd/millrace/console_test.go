package main

import (
	"net/http"
	"net/url"
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
	p.until(`document.getElementById("signin") && document.activeElement.id === "token"`)
	signIn := func(token string) {
		p.do(`document.getElementById("token").value = "` + token + `"; document.getElementById("signin").requestSubmit()`)
	}
	signIn("mr_" + strings.Repeat("A", 43))
	p.until(`document.getElementById("why").textContent.includes("the token is unknown")`)
	signIn(reader)
	const shown = `!document.getElementById("signin") && document.getElementById("top-row").textContent.includes("/start")`
	p.until(shown)
	p.until(`document.getElementById("name").textContent.includes("wall")`)
	if text := p.text(`document.body.innerText`); strings.Contains(text, "hidden") || strings.Contains(text, "visits") {
		t.Errorf("a reader of one view sees more:\n%s", text)
	}
	p.open(s.url + "/")
	p.until(shown)
	p.do(`location.hash = "#/sql"`)
	p.until(`document.querySelector("main [role=alert]").textContent.includes("the right “query”")`)
	p.do(`document.getElementById("signout").click()`)
	p.until(`document.getElementById("signin") && !document.body.innerText.includes("hits")`)
}

// TestConsoleShowsTextAsText feeds values and names that would be markup, scripts and
// handlers anywhere else, and opens every page that shows them.
func TestConsoleShowsTextAsText(t *testing.T) {
	s := newServer(t, "--epoch", "1s", "--flush", "20ms")
	const nasty = `<img src=x onerror=window.struck=1></td><script>window.struck=1</script>`
	s.sql("CREATE STREAM visits (ts DateTime64(3), page String) WITH (event_time = 'ts', partition_by = 'page')")
	s.sql("CREATE VIEW hits AS SELECT page, count() AS n FROM visits WHERE page != '" + nasty + "x' GROUP BY page")
	s.sql("CREATE LEADERBOARD top AS SELECT page, count() AS n FROM visits GROUP BY page")
	for _, line := range []string{`{"ts":"2026-01-02T03:04:05Z","page":"` + nasty + `"}`, `{"ts":"` + nasty + `"}`} {
		if status, text, err := s.do(t.Context(), http.MethodPost, "/v1/streams/visits/events", "application/x-ndjson", []byte(line)); err != nil || status != http.StatusOK {
			t.Fatalf("append: %d %s %v", status, text, err)
		}
	}

	p := newTab(startBrowser(t), t)
	const path = "%3Cimg%20src=x%20onerror=window.struck=1%3E%3C%2Ftd%3E%3Cscript%3Ewindow.struck=1%3C%2Fscript%3E"
	for _, hash := range []string{
		"#/", "#/streams/visits", "#/views/hits", "#/leaderboards/top", "#/dead-letters/visits", "#/views/" + path, "#/streams/" + path, "#/" + path,
	} {
		p.open(s.url + "/" + hash)
		p.until("document.getElementById('main').textContent.includes(" + quote(nasty) + ")")
		p.until("!window.struck && !document.querySelector('main img, main script')")
	}
	p.open(s.url + "/#/sql?q=" + url.QueryEscape("SELECT '"+nasty+"' AS a, page AS \"b"+nasty+"\" FROM visits"))
	p.until("document.querySelector('.editor').shadowRoot?.textContent.includes('onerror')")
	p.do("document.getElementById('run').click()")
	p.until("document.querySelectorAll('#result td').length === 2 && document.querySelector('#result td').textContent === " + quote(nasty))
	p.until("!window.struck && !document.querySelector('main img, main script')")
}

// TestConsoleComesBack: while the server is away the picture stays and says that it is old;
// when it is there again, the page goes on by itself.
func TestConsoleComesBack(t *testing.T) {
	s := newServer(t, "--epoch", "1s", "--flush", "20ms")
	s.sql("CREATE STREAM visits (ts DateTime64(3), page String) WITH (event_time = 'ts')")
	p := newTab(startBrowser(t), t)
	p.open(s.url + "/")
	const live, rows = `document.querySelector("header .live").textContent === "live"`, `document.querySelector("main").textContent.includes("visits")`
	p.until(live + " && " + rows)
	s.kill()
	p.until(`document.querySelector("header .live").textContent.includes("reconnecting") && document.querySelector("main [role=status]").textContent.includes("This picture is")`)
	p.until(rows)
	s.start()
	p.until(live + " && " + rows + ` && !document.querySelector("main [role=status]")`)
}

// quote writes a text as JavaScript has it.
func quote(text string) string {
	return "`" + strings.NewReplacer("`", "\\`", "$", "\\$", `\`, `\\`).Replace(text) + "`"
}
