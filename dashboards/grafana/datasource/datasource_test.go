package datasource

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// open makes a data source of settings.
func open(t *testing.T, url, options string, secrets map[string]string) *Datasource {
	t.Helper()
	made, err := New(t.Context(), backend.DataSourceInstanceSettings{UID: "u", Type: PluginID, URL: url, JSONData: []byte(options), DecryptedSecureJSONData: secrets})
	if err != nil {
		t.Fatal(err)
	}
	d := made.(*Datasource)
	t.Cleanup(d.Dispose)
	return d
}

// ask sends one query over the last hour.
func ask(d *Datasource, query string) backend.DataResponse {
	now := time.Now()
	reply, err := d.QueryData(context.Background(), &backend.QueryDataRequest{Queries: []backend.DataQuery{{
		RefID: "A", JSON: []byte(query), Interval: time.Minute, TimeRange: backend.TimeRange{From: now.Add(-time.Hour), To: now},
	}}})
	if err != nil {
		return backend.DataResponse{Error: err}
	}
	return reply.Responses["A"]
}

// pretend is a server that answers paths with texts.
func pretend(t *testing.T, answers map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

const (
	viewList   = `{"views":[{"name":"v","pane":60,"state":%q,"columns":[{"name":"city","type":"String","role":"group"},{"name":"n","type":"UInt64","role":"measure"}]}]}`
	viewAnswer = `{"meta":[{"name":"time","type":"DateTime"},{"name":"n","type":"UInt64"}],"data":[{"time":"2026-01-02 03:04:00","n":%d}],"rows":1,
		"provenance":{"view":"v","generation":3,"cut":7,"cut_time":"2026-01-02T03:00:00Z","partitions":[{"partition":0,"position":5,"head":9,"lag_ms":%d},{"partition":1,"position":4,"head":4}],"lag_ms":%[2]d,"complete":%v,"rejected":%d}}`
)

// TestWhatIsMissingIsSaid asks a view in every state that is not the whole truth.
func TestWhatIsMissingIsSaid(t *testing.T) {
	for _, c := range []struct {
		state    string
		lag      int
		complete bool
		rejected int
		want     []string
	}{
		{"ready", 0, true, 0, nil},
		{"ready", 4999, true, 0, nil},
		{"ready", 61_234, true, 0, []string{"1 v lags by 1m1.2s: 1 of 2 partitions have newer events than it shows"}},
		{"ready", 1500, false, 0, []string{"1 v is incomplete: 1 of 2 partitions have not reached what was acknowledged when it was asked, by 1.5s at most; everything that arrived before 2026-01-02T03:00:00Z is in it (generation 3)"}},
		{"backfilling", 0, true, 0, []string{"1 v is backfilling: what it shows is not its whole history yet"}},
		{"stalled", 9000, true, 2, []string{"1 v is stalled: ", "1 v lags by 9s", "0 v does not hold 2 rows that the stream refused"}},
	} {
		d := open(t, pretend(t, map[string]string{
			"/v1/views": fmt.Sprintf(viewList, c.state), "/v1/views/v": fmt.Sprintf(viewAnswer, 1, c.lag, c.complete, c.rejected),
		}), `{}`, nil)
		reply := ask(d, `{"mode":"view","view":"v","by":[]}`)
		if reply.Error != nil {
			t.Fatal(reply.Error)
		}
		got := reply.Frames[0].Meta.Notices
		if len(got) != len(c.want) {
			t.Errorf("%+v: %v", c, got)
			continue
		}
		for i, want := range c.want {
			if text := fmt.Sprintf("%d %s", got[i].Severity, got[i].Text); !strings.HasPrefix(text, want) {
				t.Errorf("%+v: %q, want %q", c, text, want)
			}
		}
	}
}

// TestLaterFailureIsShown follows a view whose second answer fails: the first stays, and
// says that it is not current; the third is.
func TestLaterFailureIsShown(t *testing.T) {
	event := func(kind, text string) string {
		return "event: " + kind + "\ndata: " + strings.ReplaceAll(text, "\n", " ") + "\n\n"
	}
	d := open(t, pretend(t, map[string]string{
		"/v1/views": fmt.Sprintf(viewList, "ready"),
		"/v1/views/v/live": event("answer", fmt.Sprintf(viewAnswer, 1, 0, true, 0)) + event("problem", `{"status":503,"type":"/problems/busy","detail":"Redis is away"}`) +
			event("answer", fmt.Sprintf(viewAnswer, 2, 0, true, 0)),
	}), `{}`, nil)
	q := &Query{Mode: modeView, View: "v", By: []string{}, Format: formatTimeSeries}
	q.scope.From, q.scope.To, q.scope.Interval = time.Now().Add(-time.Hour), time.Now(), time.Minute
	var got []string
	err := d.follow(t.Context(), q, func(f *data.Frame) error {
		n, _ := f.Fields[1].FloatAt(0)
		text := fmt.Sprint(n)
		for _, notice := range f.Meta.Notices {
			text += " " + notice.Text
		}
		got = append(got, text)
		return nil
	})
	if want := "1|1 this is not current any more: Redis is away|2"; strings.Join(got, "|") != want {
		t.Errorf("%q, want %q", strings.Join(got, "|"), want)
	}
	if err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("the stream broke off: %v", err)
	}
}

// TestLiveRangeSlides: a live panel's range ends now, whenever that is.
func TestLiveRangeSlides(t *testing.T) {
	asked := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/views/v/live" {
			asked <- r.URL.RawQuery
			return
		}
		_, _ = fmt.Fprintf(w, viewList, "ready")
	}))
	defer s.Close()
	q := &Query{Mode: modeView, View: "v", Format: formatTimeSeries}
	q.scope.From, q.scope.To, q.scope.Interval = time.Now().Add(-time.Hour), time.Now(), time.Minute
	_ = open(t, s.URL, `{}`, nil).follow(t.Context(), q, func(*data.Frame) error { return nil })
	if got, want := <-asked, "every=1s&from=-3600s&step=60s"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		url, options string
		secrets      map[string]string
		says         string
	}{
		{"", `{}`, nil, "no URL"},
		{"http://127.0.0.1:1", `{"timeoutSeconds":0.5}`, nil, "timeout of 0.5 seconds is out of range; set one of 1 to 3600"},
		{"http://127.0.0.1:1", `{"timeoutSeconds":4000}`, nil, "out of range"},
		{"http://127.0.0.1:1", `{"timeoutSeconds":"x"}`, nil, "settings cannot be read"},
		{"http://127.0.0.1:1", `{}`, map[string]string{"tlsCACert": "no PEM"}, "the CA certificate is not one in PEM"},
		{"http://u:secret@127.0.0.1:1", `{}`, nil, "the token apart"},
	} {
		reply := ask(open(t, c.url, c.options, c.secrets), `{"mode":"sql","sql":"SELECT 1"}`)
		if reply.Error == nil || !strings.Contains(reply.Error.Error(), c.says) || reply.ErrorSource != backend.ErrorSourceDownstream || reply.Status != backend.StatusBadRequest {
			t.Errorf("%s %s: %d %v, want %q", c.url, c.options, reply.Status, reply.Error, c.says)
		}
		if reply.Error != nil && strings.Contains(reply.Error.Error(), "secret") {
			t.Errorf("the password is told: %v", reply.Error)
		}
	}
}

// TestTLS asks a server whose certificate is its own.
func TestTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"meta":[{"name":"n","type":"UInt8"}],"data":[{"n":1}],"rows":1}`)
	}))
	defer s.Close()
	ca := certificate(s)
	for _, c := range []struct {
		options string
		secrets map[string]string
		ok      bool
	}{
		{`{}`, nil, false}, {`{"tlsSkipVerify":true}`, nil, true}, {`{}`, map[string]string{"tlsCACert": ca}, true},
	} {
		reply := ask(open(t, s.URL, c.options, c.secrets), `{"mode":"sql","format":"table","sql":"SELECT 1 AS n"}`)
		if (reply.Error == nil) != c.ok {
			t.Errorf("%s: %v", c.options, reply.Error)
		}
		if !c.ok && (reply.Status != backend.StatusBadGateway || !strings.Contains(reply.Error.Error(), "certificate")) {
			t.Errorf("%s: %d %v", c.options, reply.Status, reply.Error)
		}
	}
}

// TestTimeout asks a server that never answers.
func TestTimeout(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer s.Close()
	reply := ask(open(t, s.URL, `{"timeoutSeconds":1}`, nil), `{"mode":"sql","sql":"SELECT 1"}`)
	if reply.Status != backend.StatusTimeout || reply.ErrorSource != backend.ErrorSourceDownstream || !strings.Contains(reply.Error.Error(), "timeout") {
		t.Errorf("%d %v", reply.Status, reply.Error)
	}
}

// TestChannels: the same question has the same channel, another another; the oldest is
// forgotten; a range in the past has none.
func TestChannels(t *testing.T) {
	d := &Datasource{uid: "u"}
	now := time.Now()
	question := func(view string, span time.Duration) *Query {
		q := &Query{Mode: modeView, View: view}
		q.scope.From, q.scope.To, q.scope.Interval = now.Add(-span), now, time.Minute
		return q
	}
	name := func(q *Query) string {
		c, err := d.channel(q)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := name(question("v", time.Hour))
	if name(question("v", time.Hour)) != first || name(question("w", time.Hour)) == first || name(question("v", 2*time.Hour)) == first {
		t.Error("channels do not follow questions")
	}
	path := strings.TrimPrefix(first, "ds/u/")
	if q := d.channels.find(path); q == nil || q.View != "v" {
		t.Errorf("%s is %v", path, q)
	}
	for i := range maxChannels {
		name(question(fmt.Sprint("x", i), time.Hour))
	}
	if d.channels.find(path) != nil || len(d.channels.queries) != maxChannels || len(d.channels.order) != maxChannels {
		t.Errorf("%d channels are kept", len(d.channels.queries))
	}
	old := question("v", time.Hour)
	old.scope.To = now.Add(-time.Hour)
	if _, err := d.channel(old); err == nil || !strings.Contains(err.Error(), "ended 1h0m0s ago") {
		t.Errorf("%v", err)
	}
}

func TestAutoStep(t *testing.T) {
	for _, c := range []struct {
		interval time.Duration
		pane     int64
		want     string
	}{
		{time.Millisecond, 1, "1s"}, {1500 * time.Millisecond, 1, "2s"}, {time.Second, 60, "60s"}, {61 * time.Second, 60, "120s"},
		{time.Minute, 86400, "86400s"}, {100 * time.Second, 7, "105s"}, {90 * 24 * time.Hour, 60, "7776000s"}, {0, 0, "1s"}, {100 * time.Second, 2160, "2160s"},
	} {
		if got := autoStep(c.interval, c.pane); got != c.want {
			t.Errorf("%s over panes of %d: %s, want %s", c.interval, c.pane, got, c.want)
		}
	}
}

// TestListingIsRemembered: a dashboard's panels ask for the views once.
func TestListingIsRemembered(t *testing.T) {
	asked := 0
	l := listing[string]{
		ask:  func(context.Context) ([]string, error) { asked++; return []string{"a"}, nil },
		name: func(s string) string { return s },
	}
	for range 3 {
		if list, err := l.get(t.Context()); err != nil || list["a"] != "a" {
			t.Fatal(list, err)
		}
	}
	l.read = l.read.Add(-2 * listingAge)
	if _, err := l.get(t.Context()); err != nil || asked != 2 {
		t.Errorf("asked %d times, %v", asked, err)
	}
}

// TestQueryKeepsItsJSON: what the editors write comes back as it was.
func TestQueryKeepsItsJSON(t *testing.T) {
	for _, text := range []string{
		`{"mode":"view","view":"v"}`, `{"mode":"view","view":"v","by":[]}`, `{"mode":"view","live":true,"view":"v","measures":["n"],"by":["a"],"where":"w","order":"-n","limit":3,"step":"5m"}`,
		`{"mode":"leaderboard","board":"b","window":"day","n":10}`, `{"mode":"sql","format":"logs","sql":"SELECT 1"}`, `{"mode":"operations","table":"pulse"}`,
	} {
		var q Query
		if err := json.Unmarshal([]byte(text), &q); err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(q); err != nil || string(again) != text {
			t.Errorf("%s became %s, %v", text, again, err)
		}
	}
}

func certificate(s *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}
