package main

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
)

// shop is a web site with the tracker on its pages, at an origin of its own. Between its
// pages and the binary is a door that can lose replies, as networks do.
type shop struct {
	t        *testing.T
	s        *server
	site     *httptest.Server
	door     *httptest.Server
	lose     atomic.Int64   // replies to events that will not arrive
	cut      atomic.Bool    // nothing comes through the door
	requests atomic.Int64   // with events that came through the door
	expected map[string]int // events by type and page
}

// shopPage is every page of the shop. What goes wrong in a script of it is counted.
var shopPage = template.Must(template.New("page").Parse(`<!doctype html><title>{{.Path}}</title>
<script>
failures = 0
addEventListener('error', () => failures++)
addEventListener('unhandledrejection', () => failures++)
window.millrace = window.millrace || function () { (millrace.q = millrace.q || []).push(arguments) }
if ('{{.Path}}' == '/early') millrace('early', { at: 1 })
</script>
<script async src="{{.Tracker}}/millrace.js" data-stream="pages" data-key="{{.Key}}"></script>
<ol id="board"></ol>
{{if eq .Path "/board"}}<script>
setInterval(async () => {
  const rows = await (await fetch('/board.json')).json()
  document.getElementById('board').textContent = rows.map((r) => r.member + ' ' + r.score).join('\n')
}, 100)
</script>{{end}}`))

func openShop(t *testing.T) *shop {
	t.Helper()
	h := &shop{t: t, s: newServer(t, "--epoch", "1s", "--flush", "20ms", "--grace", "1s"), expected: map[string]int{}}
	statements, err := os.ReadFile("../../examples/web/pages.sql")
	if err != nil {
		t.Fatal(err)
	}
	h.s.sql(string(statements))
	target, err := url.Parse(h.s.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error {
			if strings.HasSuffix(r.Request.URL.Path, "/events") {
				h.requests.Add(1)
				if h.lose.Add(-1) >= 0 {
					panic(http.ErrAbortHandler)
				}
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // nobody is there
	}
	h.door = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.cut.Load() {
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(h.door.Close)
	key := h.writeKey()
	mux := http.NewServeMux()
	mux.HandleFunc("/board.json", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(h.board()) })
	mux.HandleFunc("/favicon.ico", http.NotFound)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = shopPage.Execute(w, map[string]string{"Path": r.URL.Path, "Tracker": h.door.URL, "Key": key})
	})
	h.site = httptest.NewServer(mux)
	t.Cleanup(h.site.Close)
	return h
}

// writeKey makes a token that may append to the stream and nothing else.
func (h *shop) writeKey() string {
	h.t.Helper()
	status, body, err := h.s.do(context.Background(), http.MethodPost, "/v1/tokens", "application/json",
		[]byte(`{"name":"shop","role":"ingest","objects":["pages"]}`))
	if err != nil {
		h.t.Fatal(err)
	}
	var token struct{ Token string }
	if err := json.Unmarshal(body, &token); err != nil || status != http.StatusCreated {
		h.t.Fatalf("make a write key: %d %v %s", status, err, body)
	}
	return token.Token
}

// rank is a row of the leaderboard.
type rank struct {
	Member string `json:"member"`
	Score  int    `json:"score"`
}

// board reads the top of the leaderboard; nil where that fails.
func (h *shop) board() (ranks []rank) {
	status, body, err := h.s.do(context.Background(), http.MethodGet, "/v1/leaderboards/top_pages/top?n=3", "", nil)
	var top struct{ Rows []rank }
	if err != nil || status != http.StatusOK || json.Unmarshal(body, &top) != nil {
		return nil
	}
	return top.Rows
}

// expect says that n more events of a type will come from a page.
func (h *shop) expect(typ, page string, n int) { h.expected[typ+" "+page] += n }

// counted returns the events in the stream by type and page, and how many ids came twice.
func (h *shop) counted() (events map[string]int, twice int) {
	h.t.Helper()
	var rows struct {
		Data []struct {
			Type, Page string
			N, Ids     int
		}
	}
	if err := json.Unmarshal(h.s.sql("SELECT type, page, count() AS n, uniq(id) AS ids FROM pages GROUP BY type, page"), &rows); err != nil {
		h.t.Fatal(err)
	}
	events = map[string]int{}
	for _, r := range rows.Data {
		events[r.Type+" "+r.Page] = r.N
		twice += r.N - r.Ids
	}
	return events, twice
}

// settle waits until what is expected is there.
func (h *shop) settle() {
	h.t.Helper()
	var last map[string]int
	defer func() {
		if h.t.Failed() {
			h.t.Logf("in the stream: %v\nexpected: %v", last, h.expected)
		}
	}()
	eventually(h.t, "every event has arrived", func() bool {
		last, _ = h.counted()
		for k, n := range h.expected {
			if last[k] < n {
				return false
			}
		}
		return true
	})
	h.compare()
}

// compare compares the stream with what is expected: each event once, and nothing else.
func (h *shop) compare() {
	h.t.Helper()
	got, twice := h.counted()
	if !maps.Equal(got, h.expected) || twice != 0 {
		h.t.Errorf("in the stream: %v\nexpected:      %v\n%d ids came twice", got, h.expected, twice)
	}
}

// visit opens a page and waits for the tracker.
func (h *shop) visit(p *tab, page string) {
	h.t.Helper()
	p.open(h.site.URL + page)
	p.until("millrace.on")
	h.expect("page_view", page, 1)
}

// kept is true in a page with batches that are not acknowledged.
const kept = "Object.keys(localStorage).some(k => k.startsWith('millrace:pages:'))"

// TestTracker runs the tracker in a real browser against the real binary: page views and
// events arrive once each, whatever happens to network, server and page; who asks not to
// be tracked is not; and a leaderboard moves on a page.
func TestTracker(t *testing.T) {
	h := openShop(t)
	browser := startBrowser(t)
	run := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			outer := h.t
			h.t = t
			defer func() { h.t = outer }()
			f(t)
			h.settle()
		})
	}

	run("views and events", func(t *testing.T) {
		p := newTab(browser, t)
		h.visit(p, "/early")
		h.expect("early", "/early", 1)
		p.do("for (let n = 0; n < 45; n++) millrace('click', { n, text: 'ä \\'\"' })") // more than two batches
		h.expect("click", "/early", 45)
		p.do("history.pushState({}, '', '/pushed?x=1')")
		p.until("location.pathname == '/pushed'")
		h.expect("page_view", "/pushed", 1)
		h.settle() // so that the view of /pushed is counted before the way back
		p.do("history.back()")
		h.expect("page_view", "/early", 1)
		p.until("location.pathname == '/early'")
		p.do("history.replaceState({}, '', '/early'); millrace('odd', { self: window }); millrace('odd', 10n)") // no JSON: no event
		h.settle()
		p.until("!(" + kept + ") && failures == 0")
		var row struct{ Data []map[string]any }
		if err := json.Unmarshal(h.s.sql("SELECT url, referrer, title, props, visitor, session FROM pages WHERE type = 'click' ORDER BY props LIMIT 1"), &row); err != nil {
			t.Fatal(err)
		}
		got := row.Data[0]
		if got["url"] != h.site.URL+"/early" || got["title"] != "/early" || got["props"] != `{"n":0,"text":"ä '\""}` || len(fmt.Sprint(got["visitor"])) != 32 || len(fmt.Sprint(got["session"])) != 32 {
			t.Errorf("an event is %v", got)
		}
	})

	run("offline, with a reload", func(t *testing.T) {
		p := newTab(browser, t)
		h.visit(p, "/offline")
		h.settle()
		// The emulation ends with the page, just before it could not send any more: so the
		// network is really gone too.
		h.cut.Store(true)
		p.offline(true)
		p.do("for (let n = 0; n < 25; n++) millrace('off', { n })")
		h.expect("off", "/offline", 25)
		p.until(kept)
		before := h.requests.Load()
		if _, err := step(p, chromedp.Reload()); err == nil {
			t.Error("the page reloaded without a network")
		}
		if after := h.requests.Load(); after != before {
			t.Errorf("%d requests came through without a network", after-before)
		}
		h.cut.Store(false)
		p.offline(false)
		h.visit(p, "/offline")
		h.settle()
		// And without a reload: the browser says when it is online again.
		p.offline(true)
		p.do("millrace('off again')")
		h.expect("off again", "/offline", 1)
		p.until(kept)
		p.offline(false)
		h.settle()
		p.until("!(" + kept + ") && failures == 0")
	})

	run("replies are lost", func(t *testing.T) {
		p := newTab(browser, t)
		h.lose.Store(2)
		h.visit(p, "/lossy")
		p.do("for (let n = 0; n < 21; n++) millrace('lossy', { n })")
		h.expect("lossy", "/lossy", 21)
		p.until("!(" + kept + ")") // all acknowledged in the end
		if left := h.lose.Load(); left >= 0 {
			t.Errorf("%d replies were not lost", left+1)
		}
		// A page that ends before the reply to its batch: the next one sends it again.
		h.lose.Store(1)
		p.do("millrace('unheard')")
		h.expect("unheard", "/lossy", 1)
		eventually(t, "the reply is lost", func() bool { return h.lose.Load() < 0 })
		h.visit(p, "/lossy")
		p.until("!(" + kept + ") && failures == 0")
	})

	run("the server goes away", func(t *testing.T) {
		p := newTab(browser, t)
		h.visit(p, "/away")
		h.settle()
		h.s.kill()
		p.do("millrace('away'); millrace('away')")
		h.expect("away", "/away", 2)
		p.until(kept)
		h.s.start()
		h.settle() // it comes back by itself
		p.until("!(" + kept + ") && failures == 0")
	})

	run("the page ends", func(t *testing.T) {
		p := newTab(browser, t)
		h.visit(p, "/gone")
		p.until("!(" + kept + ")")
		p.do("millrace('bye'); location.href = 'about:blank'")
		h.expect("bye", "/gone", 1)
		h.settle()
		h.visit(p, "/gone")
		p.until("!(" + kept + ")") // the beacon's batch was sent again, and counts once
		p.do("millrace('closed')")
		h.expect("closed", "/gone", 1)
		p.close()
		h.settle()
		next := newTab(browser, t)
		h.visit(next, "/gone")
		next.until("!(" + kept + ") && failures == 0")
	})

	run("two tabs send what both have kept", func(t *testing.T) {
		a, b := newTab(browser, t), newTab(browser, t)
		h.visit(a, "/tabs")
		h.visit(b, "/tabs")
		h.settle()
		for _, p := range []*tab{a, b} {
			p.offline(true)
			p.do("for (let n = 0; n < 30; n++) millrace('tabs', { n })")
			h.expect("tabs", "/tabs", 30)
		}
		a.until("Object.keys(localStorage).filter(k => k.startsWith('millrace:pages:')).length >= 4")
		var both sync.WaitGroup
		for _, p := range []*tab{a, b} {
			both.Go(func() { p.offline(false) })
		}
		both.Wait()
		h.settle()
		a.until("!(" + kept + ") && failures == 0")
	})

	run("do not track", func(t *testing.T) {
		for name, script := range map[string]string{
			"DNT": "Object.defineProperty(Navigator.prototype, 'doNotTrack', { get: () => '1' })",
			"GPC": "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true })",
		} {
			visitor := newTab(browser, t)
			h.visit(visitor, "/before")
			visitor.until("localStorage['millrace:visitor'] && !(" + kept + ")")
			visitor.close()
			h.settle()
			before := h.requests.Load()
			p := newTab(browser, t, script)
			p.open(h.site.URL + "/private")
			p.until("millrace.q === undefined && document.readyState == 'complete'") // the tracker has run
			p.do("for (let n = 0; n < 50; n++) millrace('private'); history.pushState({}, '', '/private/2')")
			if left := p.text("JSON.stringify([Object.keys(localStorage), Object.keys(sessionStorage), failures])"); left != "[[],[],0]" {
				t.Errorf("%s: the tracker keeps %s", name, left)
			}
			p.close()
			// What another tab sends later has arrived: so would have what was sent before.
			q := newTab(browser, t)
			h.visit(q, "/after")
			q.until("!(" + kept + ")")
			h.settle()
			if n := h.requests.Load() - before; n != 1 {
				t.Errorf("%s: %d requests, want the one of the other tab", name, n)
			}
		}
	})

	run("a leaderboard moves", func(t *testing.T) {
		watcher, visitor := newTab(browser, t), newTab(browser, t)
		h.visit(watcher, "/board")
		watcher.until("document.getElementById('board').textContent.includes(' ')")
		if first := watcher.text("document.getElementById('board').textContent"); strings.Contains(first, "/hot") {
			t.Fatalf("/hot leads before anybody was there: %q", first)
		}
		h.visit(visitor, "/hot")
		most := 0
		for _, n := range h.expected {
			most = max(most, n)
		}
		// By scripts of the page: as many addresses as it takes to lead.
		visitor.do(fmt.Sprintf("(async () => { for (let n = 0; n < %d; n++) { history.pushState({}, '', '/hot?' + n); await new Promise(setTimeout) } })()", most+10))
		h.expect("page_view", "/hot", most+10)
		watcher.until(fmt.Sprintf("document.getElementById('board').textContent.startsWith('/hot %d')", h.expected["page_view /hot"]))
	})

	// The view counts what the stream has, before and after a batch run.
	want := map[string]int{}
	for k, n := range h.expected {
		if page, ok := strings.CutPrefix(k, "page_view "); ok {
			want[page] = n
		}
	}
	h.s.untilSealed(t, "pages", 1)
	for _, when := range []string{"before", "after"} {
		var rows struct {
			Data []struct {
				Page  string
				Views int
			}
		}
		h.s.get("/v1/views/page_views?wait=30s", &rows)
		got := map[string]int{}
		for _, r := range rows.Data {
			got[r.Page] = r.Views
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s a batch run the view has %v, want %v; pages %v", when, got, want, slices.Sorted(maps.Keys(want)))
		}
		h.s.runBatch(t, "page_views")
	}
	h.compare()
}
