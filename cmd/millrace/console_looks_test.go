package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestConsoleIsAccessible has axe look at every page in light and dark, and makes each as
// narrow as a phone, where nothing may stick out.
func TestConsoleIsAccessible(t *testing.T) {
	s := newShowcase(t)
	browser := startBrowser(t)
	signedOut := newConsole(browser, t, 1280, 900)
	for _, scheme := range []string{"light", "dark"} {
		signedOut.colours(scheme)
		signedOut.open(s.url + "/")
		signedOut.until(`document.activeElement?.id === "token"`)
		signedOut.accessible("signing in, " + scheme)
		signedOut.keep("signin-" + scheme)
	}
	c := s.open(browser, t, 1280, 900)
	c.expected = append(c.expected, "the server responded with a status of 404") // of what is not there
	for _, page := range []struct{ name, hash, ready string }{
		{"overview", "#/", `document.querySelector("#top-row")`},
		{"streams", "#/streams", `document.querySelector("main td")`},
		{"stream", "#/streams/visits", `document.querySelector("main td")`},
		{"views", "#/views", `document.querySelector("main td")`},
		{"view", "#/views/hits", `document.querySelector(".plot canvas") && document.querySelector("#v-rows")`},
		{"view without time", "#/views/total", `document.querySelector("main h1").textContent.includes("total") && document.querySelector("#v-rows")`},
		{"leaderboards", "#/leaderboards", `document.querySelector(".runners li")`},
		{"leaderboard", "#/leaderboards/top_visitors", `document.querySelector("tr[data-member]")`},
		{"sql", "#/sql?q=SELECT+1", `document.querySelector(".editor")?.shadowRoot?.activeElement`},
		{"batches", "#/batches", `document.querySelector("main tbody tr")`},
		{"dead letters", "#/dead-letters", `document.querySelector("main tbody tr")`},
		{"dead letters of a stream", "#/dead-letters/visits", `document.querySelector("main").textContent.includes("Single letters")`},
		{"reports", "#/reports", `document.querySelector("main h1") && !document.querySelector(".loading")`},
		{"nothing", "#/no-such-page", `document.querySelector("main .empty")`},
		{"no such view", "#/views/none", `document.querySelector("main .empty")`},
	} {
		for _, scheme := range []string{"light", "dark"} {
			c.colours(scheme)
			c.size(1280, 900)
			c.do(`location.hash = ` + quote(page.hash))
			c.until(`document.documentElement.dataset.theme === ` + quote(scheme))
			c.until(page.ready)
			file := strings.ReplaceAll(page.name, " ", "-") + "-" + scheme
			c.accessible(page.name + ", " + scheme)
			c.keep(file)
			c.size(390, 844)
			c.until(`innerWidth === 390`)
			c.frames()
			if wide := c.text(tooWide); wide != "" {
				t.Errorf("%s, %s: on a phone it is too wide: %s", page.name, scheme, wide)
			}
			c.accessible(page.name + " on a phone, " + scheme)
			c.keep(file + "-phone")
		}
	}
	c.size(1280, 900)
	c.press("?")
	c.until(`document.querySelector("dialog[open]")`)
	c.accessible("the list of keys")
}

// tooWide says what makes the page wider than its window; empty: nothing does.
const tooWide = `(() => {
	const root = document.documentElement;
	if (root.scrollWidth <= innerWidth) return "";
	const out = [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, nav, dialog")).slice(0, 3);
	return root.scrollWidth + " pixels: " + out.map(e => e.outerHTML.slice(0, 120)).join(" | ");
})()`

const (
	// maxPageBytes bounds what the first page loads, as it is sent: a budget, with room for
	// another page of the size of those that there are.
	maxPageBytes = 110_000
	// grossPaint is far beyond the second that the first paint may take: a machine that runs
	// other tests beside this one is slow, a page that waits for something is slower.
	grossPaint = 5 * time.Second
)

// TestConsoleAtFirstSight opens the console as somebody who has never seen it: its first
// page alone says whether all is well, how fresh it is, what leads, and what was refused
// and why. It is painted at once, and it is light.
func TestConsoleAtFirstSight(t *testing.T) {
	s := newShowcase(t)
	browser := startBrowser(t)
	c := s.open(browser, t, 1280, 900)
	section := func(question string) string {
		t.Helper()
		return c.text(`[...document.querySelectorAll("section")].find(s => s.querySelector("h2")?.textContent === ` + quote(question) + `)?.innerText ?? "not there"`)
	}
	for question, answers := range map[string][]string{
		"Is it healthy?":           {"Healthy"},
		"How fresh is it?":         {"behind"},
		"What is the top row now?": {"visitor 0", "top_visitors"},
		"What was refused?":        {"3 events", "takes a time like"},
	} {
		for _, answer := range answers {
			eventually(t, fmt.Sprintf("%s says %s: %s", question, answer, section(question)), func() bool { return strings.Contains(section(question), answer) })
		}
	}
	// And it is seen without scrolling.
	if below := c.text(`[...document.querySelectorAll(".answers section")].filter(s => s.getBoundingClientRect().bottom > innerHeight).map(s => s.innerText).join("|")`); below != "" {
		t.Errorf("one has to scroll for: %s", below)
	}

	var load struct {
		Paint float64 // ms since the page was asked for
		Bytes int64   // of page and assets, as they were sent
		Files []string
	}
	const measure = `JSON.stringify({
		paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
		files: performance.getEntriesByType("resource").filter(e => e.name.includes("/console/")).map(e => e.name.split("/").pop()),
		bytes: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].filter(e => !e.name.includes("/v1/")).reduce((n, e) => n + e.encodedBodySize, 0),
	})`
	if err := json.Unmarshal([]byte(c.text(measure)), &load); err != nil {
		t.Fatal(err)
	}
	paint := time.Duration(load.Paint * float64(time.Millisecond))
	t.Logf("first paint after %s; %d bytes in %q", paint.Round(time.Millisecond), load.Bytes, load.Files)
	if paint == 0 || paint > grossPaint {
		t.Errorf("the first paint came after %s", paint)
	}
	// The weight is that of the files that the browser asked for, to the byte.
	want := s.weight("/")
	for _, file := range load.Files {
		want += s.weight("/console/" + file)
	}
	if load.Bytes != want || load.Bytes > maxPageBytes {
		t.Errorf("the first page weighs %d bytes, its files %d, and it may weigh %d", load.Bytes, want, maxPageBytes)
	}
}

// weight is how many bytes a file is, as it is sent to a browser.
func (s *showcase) weight(path string) int64 {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	reply, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer reply.Body.Close()
	size, err := io.Copy(io.Discard, reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: %d %v", path, reply.StatusCode, err)
	}
	return size
}
