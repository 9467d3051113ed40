package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// showcase is a server whose console has something on every page.
type showcase struct {
	*server
	admin   string // a token
	refused int
}

// newShowcase starts a server with a stream, two views, a leaderboard, refused events of two
// reasons, of which one is mended by waiting, and a published batch run.
func newShowcase(t *testing.T) *showcase {
	t.Helper()
	s := &showcase{server: newServer(t, "--auth.required", "true", "--epoch", "1s", "--flush", "20ms", "--ingest.future_skew", "0s")}
	s.admin = s.firstToken()
	s.as200(http.MethodPost, "/v1/sql", "text/plain", `CREATE STREAM visits (ts DateTime64(3), visitor String, page String, ms Int64) WITH (event_time = 'ts', partition_by = 'visitor', partitions = 1);
		CREATE VIEW hits AS SELECT page, count() AS n, avg(ms) AS mean FROM visits GROUP BY page, tumble(ts, INTERVAL 1 MINUTE) WITH (batch = '@yearly');
		CREATE VIEW total AS SELECT count() AS n FROM visits WITH (batch = '@yearly');
		CREATE LEADERBOARD top_visitors AS SELECT visitor, count() AS visits FROM visits GROUP BY visitor WITH (windows = 'all, day', batch = '@yearly')`)
	for i, page := range []string{"/start", "/start", "/start", "/prices", "/prices", "/help"} {
		s.visit(fmt.Sprintf("visitor %d", i%3), page)
	}
	s.send(`{"ts":"tomorrow","visitor":"eve","page":"/"}`, 0)
	s.send(`{"ts":"next week","visitor":"eve","page":"/"}`, 0)
	s.send(fmt.Sprintf(`{"ts":"%s","visitor":"early","page":"/soon"}`, time.Now().Add(2*time.Second).UTC().Format(time.RFC3339Nano)), 0)
	s.refused = 3
	eventually(t, "all events are sealed", func() bool {
		var status struct {
			Streams []struct {
				LakeRows int `json:"lake_rows"`
			}
		}
		if err := json.Unmarshal([]byte(s.as200(http.MethodGet, "/v1/status", "", "")), &status); err != nil {
			t.Fatal(err)
		}
		return status.Streams[0].LakeRows == 6
	})
	s.as200(http.MethodPost, "/v1/views/hits/batch", "", "")
	return s
}

func (s *showcase) as200(method, path, contentType, body string) string {
	s.t.Helper()
	status, text := s.as(s.admin, method, path, contentType, body)
	if status != http.StatusOK {
		s.t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	return text
}

// send sends one event, of which so many are accepted.
func (s *showcase) send(line string, accepted int) {
	s.t.Helper()
	var r reply
	if err := json.Unmarshal([]byte(s.as200(http.MethodPost, "/v1/streams/visits/events", "application/x-ndjson", line)), &r); err != nil || r.Accepted != accepted {
		s.t.Fatalf("%s: %+v %v", line, r, err)
	}
}

func (s *showcase) visit(visitor, page string) {
	s.t.Helper()
	s.send(fmt.Sprintf(`{"ts":"%s","visitor":"%s","page":"%s","ms":12}`, time.Now().Add(-time.Second).UTC().Format(time.RFC3339Nano), visitor, page), 1)
}

// open opens a console that asks for a token, and signs in by typing it.
func (s *showcase) open(browser context.Context, t *testing.T, width, height int64) *console {
	t.Helper()
	c := newConsole(browser, t, width, height)
	c.colours("light")
	c.open(s.url + "/")
	c.until(`document.activeElement?.id === "token"`)
	c.press(s.admin + kb.Enter)
	c.until(`document.querySelector("#top-row")`)
	return c
}

// TestConsolePaths goes the main ways of the console by the keyboard alone.
func TestConsolePaths(t *testing.T) {
	s := newShowcase(t)
	c := s.open(startBrowser(t), t, 1280, 900)
	c.keep("overview")

	// A view moves while one looks.
	c.press("gv")
	c.until(`document.querySelector("h1").textContent === "Views"`)
	c.tabTo("the view total", hasText("a", "total"))
	c.press(kb.Enter)
	const cell = `document.querySelector("#v-rows")?.closest("section").querySelector("td")?.textContent`
	c.until(cell + ` === "6"`)
	s.visit("visitor 2", "/start")
	c.until(cell + ` === "7"`)
	c.press("gv")
	c.tabTo("the view hits", hasText("a", "hits"))
	c.press(kb.Enter)
	c.until(`document.querySelector(".plot canvas") && document.querySelector("h1").textContent === "hits"`)
	c.tabTo("the ranges", `e.matches("input[type=radio]")`)
	c.press(kb.ArrowRight)
	c.until(`location.hash.includes("range=")`)
	c.until(`document.querySelector(".plot canvas")`)
	c.keep("view")

	// SQL, run and drawn.
	c.press("gq")
	c.until(`document.querySelector(".editor")?.shadowRoot?.activeElement`)
	c.press("SELECT window_start, sum(n) AS visits FROM hits GROUP BY window_start ORDER BY window_start")
	c.press(kb.Enter, chromedp.ModifierCtrl)
	c.until(`document.querySelector("#result td") && document.querySelector("#sql-status").textContent.includes("row")`)
	c.keep("sql-table")
	c.tabTo("how the result is shown", `e.matches("#result input[type=radio]")`)
	c.press(kb.ArrowRight)
	c.until(`document.querySelector("#result .plot canvas")`)
	c.keep("sql-chart")
	c.expected = append(c.expected, "the server responded with a status of 400") // to the wrong statement
	c.tabTo("the editor", `e.closest(".cm-editor")`)
	c.press("a", chromedp.ModifierCtrl)
	c.press("SELEC 1") // over the selection
	c.press(kb.Enter, chromedp.ModifierCtrl)
	c.until(`document.querySelector("main [role=alert]")?.textContent.includes("line 1, column 1")`)
	c.press(kb.Escape)
	c.tabTo("the pages, out of the editor", `e.closest("nav") || e.matches(".brand")`)

	// A leaderboard, and where somebody stands.
	c.press("gl")
	c.tabTo("the leaderboard", hasText("h2 a", "top_visitors"))
	c.press(kb.Enter)
	c.until(`document.querySelector("tr[data-member='visitor 2'] .rank")?.textContent === "1"`)
	c.press("/")
	c.until(`document.activeElement?.dataset.search !== undefined`)
	c.press("visitor 1" + kb.Enter)
	c.until(`document.querySelector("#standing .answer-main")`)
	c.keep("leaderboard")

	// What was refused is sent again.
	c.press(kb.Escape)
	c.tabTo("something else than the field", `!e.matches("input")`)
	c.press("gd")
	c.until(`document.querySelector("main").textContent.includes("3 refused events")`)
	c.keep("dead-letters")
	c.tabTo("Replay", hasText("button", "Replay"))
	c.press(kb.Enter)
	c.until(`document.querySelector("dialog[open]")`)
	c.tabTo("the confirmation", hasText("dialog button.primary", "Replay"))
	c.keep("replay")
	c.press(kb.Enter)
	c.until(`document.querySelector("main [role=status]")?.textContent.includes("1 event taken in now, 2 refused again")`)
	c.until(`document.querySelector("main").textContent.includes("2 refused events")`)

	// How batch and speed compared.
	c.press("gb")
	c.until(`document.querySelectorAll("main tbody tr").length >= 4`)
	c.tabTo("the drift of the newest run", `e.matches("button[aria-expanded]")`)
	c.press(kb.Enter)
	c.until(`document.querySelector("#drift-report")`)
	if report := c.text(`document.querySelector("#drift-report").innerText`); !strings.Contains(report, "events by batch") {
		t.Errorf("the drift report: %s", report)
	}
	c.keep("drift")

	// The keys are listed, and the page is left as it was found.
	c.press("?")
	c.until(`document.querySelector("dialog[open]")?.textContent.includes("Batch runs")`)
	c.press(kb.Escape)
	c.until(`!document.querySelector("dialog[open]")`)
	c.tabTo("Sign out", `e.id === "signout"`)
	c.press(kb.Enter)
	c.until(`document.getElementById("signin") && !document.body.innerText.includes("visits")`)
}
