package appliance

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/config"
	"github.com/millrace/millrace/serving/httpapi"
	"github.com/millrace/millrace/serving/overview"
)

// world is an appliance behind a server, and what its callers say.
type world struct {
	t   *testing.T
	a   *Appliance
	url string
}

func newWorld(t *testing.T, change func(*config.Config)) *world {
	t.Helper()
	w := &world{t: t, a: start(t, change)}
	server := httptest.NewServer(w.a.Handler())
	t.Cleanup(server.Close)
	t.Cleanup(w.a.EndStreams) // which the server would wait for

	w.url = server.URL
	return w
}

// ask sends a request with a token, where it is not empty, and decodes its answer.
func (w *world) ask(token, method, path, body string, want int, into any) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if strings.HasSuffix(path, "/events") {
		r.Header.Set("Content-Type", "application/x-ndjson")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer reply.Body.Close()
	var text json.RawMessage
	err = json.NewDecoder(reply.Body).Decode(&text)
	if reply.StatusCode != want {
		w.t.Fatalf("%s %s: %d %s, want %d", method, path, reply.StatusCode, text, want)
	}
	if into != nil {
		if err := errOr(err, json.Unmarshal(text, into)); err != nil {
			w.t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
}

func errOr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// until waits until something holds.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("never: %s", what)
		}
	}
}

const listed = `
CREATE STREAM list_visits (ts DateTime64(3), visit String, page String, status Int64) WITH (event_time = 'ts', partition_by = 'visit', dedupe_key = 'visit', retention = '90m', partitions = 2);
CREATE STREAM list_other (ts DateTime64(3)) WITH (event_time = 'ts');
CREATE VIEW list_hits AS SELECT page, status, count() AS n, concat(page, '!') AS loud FROM list_visits GROUP BY page, status, tumble(ts, INTERVAL 5 MINUTE) WITH (batch = '@hourly');
CREATE VIEW list_total AS SELECT count() AS n FROM list_visits;
CREATE VIEW list_hidden AS SELECT count() AS n FROM list_other;
CREATE LEADERBOARD list_top AS SELECT visit, count() AS n FROM list_visits GROUP BY visit WITH (windows = 'all');`

// TestLists asks for the lists as an administrator and as somebody who may look at a part.
func TestLists(t *testing.T) {
	w := newWorld(t, nil)
	w.ask("", "POST", "/v1/sql", listed, http.StatusOK, nil)
	w.ask("", "POST", "/v1/streams/list_visits/events", `{"ts":"2026-01-02T03:04:05Z","visit":"a","page":"/start","status":200}
{"ts":"2026-01-02T03:04:05Z","visit":"b","page":"/stop","status":404}
{"ts":"2026-01-02T03:09:05Z","visit":"c","page":"/search?q=%","status":20}
{"ts":"my secret","visit":"d"}
{"ts":"another secret","visit":"e"}
{"visit":"f"}
`, http.StatusOK, nil)
	reader := makeToken(t, w.a, caller{name: "reader", role: access.Read, objects: []string{"list_visits", "list_hits"}}, "")

	var streams overview.StreamList
	w.ask("", "GET", "/v1/streams", "", http.StatusOK, &streams)
	if len(streams.Streams) != 2 {
		t.Fatalf("streams: %+v", streams)
	}
	s := streams.Streams[1]
	if s.Name != "list_visits" || !strings.HasPrefix(s.SQL, "CREATE STREAM list_visits") || s.EventTime != "ts" || s.Partitions != 2 || s.Retention != "1h30m" ||
		!slices.Equal(s.DedupeKey, []string{"visit"}) || !slices.Equal(s.PartitionBy, []string{"visit"}) || s.Events != 3 || s.Rejected != 3 || len(s.Head) != 2 || s.Head[0]+s.Head[1] == 0 ||
		len(s.Columns) != 5 || s.Columns[0] != (overview.Column{Name: "ts", Type: "DateTime64(3, 'UTC')"}) {
		t.Errorf("stream: %+v", s)
	}

	var views overview.ViewList
	w.ask("", "GET", "/v1/views", "", http.StatusOK, &views)
	if names := viewNames(views); !slices.Equal(names, []string{"list_hidden", "list_hits", "list_total"}) {
		t.Fatalf("views: %q", names)
	}
	v := views.Views[1]
	want := []overview.ViewColumn{
		{Name: "window_start", Type: "DateTime64(0, 'UTC')", Role: "window"}, {Name: "page", Type: "String", Role: "group"}, {Name: "status", Type: "Int64", Role: "group"},
		{Name: "n", Type: "UInt64", Role: "measure"}, {Name: "loud", Type: "String", Role: "derived"},
	}
	if v.Stream != "list_visits" || !strings.Contains(v.SQL, "CREATE VIEW list_hits") || !slices.Equal(v.Columns, want) || v.Window == nil || *v.Window != 300 || v.Pane != 300 ||
		v.Schedule != "@hourly" || v.Generation != 1 || v.NextRun == nil || !v.NextRun.After(time.Now()) || v.State != "ready" || v.Error != "" {
		t.Errorf("view: %+v", v)
	}
	if views.Views[2].Window != nil {
		t.Errorf("a view without a window has one: %+v", views.Views[2])
	}

	var values httpapi.ValueList
	for _, c := range []struct {
		query string
		more  bool
		want  []string
	}{
		{"column=page&wait=", false, nil}, {"column=page", false, []string{"/search?q=%", "/start", "/stop"}},
		{"column=page&prefix=/st", false, []string{"/start", "/stop"}}, {"column=page&prefix='%25", false, []string{}},
		{"column=page&limit=2", true, []string{"/search?q=%", "/start"}}, {"column=status&prefix=20", false, []string{"20", "200"}},
	} {
		if c.want == nil {
			w.ask("", "GET", "/v1/views/list_hits/values?"+c.query, "", http.StatusBadRequest, nil)
			continue
		}
		w.until(c.query+" is as wanted", func() bool { // the speed layer may have it in a moment
			values = httpapi.ValueList{}
			w.ask("", "GET", "/v1/views/list_hits/values?"+c.query, "", http.StatusOK, &values)
			return slices.Equal(values.Values, c.want) && values.More == c.more
		})
	}
	for _, bad := range []string{"column=n", "column=window_start", "column=loud", "", "column=page&limit=0"} {
		w.ask("", "GET", "/v1/views/list_hits/values?"+bad, "", http.StatusBadRequest, nil)
	}
	w.ask("", "GET", "/v1/views/list_none/values?column=page", "", http.StatusNotFound, nil)

	var refused overview.ErrorList
	w.ask("", "GET", "/v1/errors", "", http.StatusOK, &refused)
	if len(refused.Streams) != 2 || refused.Streams[0].Stream != "list_visits" || refused.Streams[0].Rejected != 3 || refused.Streams[0].Counted != 3 ||
		refused.Streams[0].Newest == nil || time.Since(*refused.Streams[0].Newest) > time.Minute || refused.Streams[1].Rejected != 0 || refused.Streams[1].Newest != nil {
		t.Fatalf("refused: %+v", refused)
	}
	reasons := refused.Streams[0].Reasons
	if len(reasons) != 2 || reasons[0].Count != 2 || !strings.HasPrefix(reasons[0].Reason, `column "ts" takes a time`) || strings.Contains(reasons[0].Reason, "secret") ||
		reasons[1].Reason != `the event time, column "ts", is missing` {
		t.Errorf("reasons: %+v", reasons)
	}

	// A caller is shown what it may look at.
	w.ask(reader, "GET", "/v1/streams", "", http.StatusOK, &streams)
	w.ask(reader, "GET", "/v1/views", "", http.StatusOK, &views)
	w.ask(reader, "GET", "/v1/errors", "", http.StatusOK, &refused)
	if len(streams.Streams) != 1 || len(refused.Streams) != 1 || !slices.Equal(viewNames(views), []string{"list_hits"}) {
		t.Errorf("shown to a reader of a part: %+v %+v %+v", streams, views, refused)
	}
	w.ask(reader, "GET", "/v1/views/list_total/values?column=page", "", http.StatusForbidden, nil)
}

func viewNames(l overview.ViewList) []string {
	var names []string
	for _, v := range l.Views {
		names = append(names, v.Name)
	}
	return names
}

// TestBatchRunsAreListedOverRestarts runs batch jobs and asks for them, before and after the
// process has ended.
func TestBatchRunsAreListedOverRestarts(t *testing.T) {
	dir := t.TempDir()
	within := func(run func(w *world)) {
		w := &world{t: t, a: startOnce(t, func(c *config.Config) { c.DataDir = dir })}
		server := httptest.NewServer(w.a.Handler())
		w.url = server.URL
		run(w)

		server.Close()
		if err := w.a.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	check := func(w *world) {
		t.Helper()
		var all, hits, one overview.RunList
		w.ask("", "GET", "/v1/batches", "", http.StatusOK, &all)
		w.ask("", "GET", "/v1/batches?view=runs_hits", "", http.StatusOK, &hits)
		w.ask("", "GET", "/v1/batches?view=runs_hits&limit=1", "", http.StatusOK, &one)
		if len(all.Runs) != 3 || all.Runs[0].View != "runs_hits" || all.Runs[2].View != "runs_hits" || len(hits.Runs) != 2 || len(one.Runs) != 1 {
			t.Fatalf("runs: %+v\nof one view: %+v\nof these one: %+v", all, hits, one)
		}
		newest, first := hits.Runs[0], hits.Runs[1]
		if newest.Kind != "rebuild" || newest.State != "published" || newest.Generation != 2 || newest.Finished == nil || newest.Finished.Before(newest.Started) || newest.Drift == nil || newest.Cut == nil || newest.CutTime == nil || newest.Rows != 1 || newest.Days != 1 {
			t.Errorf("newest: %+v", newest)
		}
		if first.Kind != "backfill" || first.Generation != 1 || first.Cut != nil || first.Drift == nil || first.Drift.From != nil {
			t.Errorf("first: %+v", first)
		}
		w.ask("", "GET", "/v1/batches?view=runs_none", "", http.StatusNotFound, nil)
		w.ask("", "GET", "/v1/batches?limit=0", "", http.StatusBadRequest, nil)
	}
	within(func(w *world) {
		w.ask("", "POST", "/v1/sql", `CREATE STREAM runs_visits (ts DateTime64(3)) WITH (event_time = 'ts', partitions = 1);
			CREATE VIEW runs_hits AS SELECT count() AS n FROM runs_visits WITH (batch = '@yearly');
			CREATE VIEW runs_other AS SELECT count() AS n FROM runs_visits WITH (batch = '@yearly')`, http.StatusOK, nil)
		w.ask("", "POST", "/v1/streams/runs_visits/events", `{"ts":"2026-01-02T03:04:05Z"}`, http.StatusOK, nil)
		w.until("the event is sealed", func() bool {
			var s Status
			w.ask("", "GET", "/v1/status", "", http.StatusOK, &s)
			return s.Streams[0].LakeRows == 1
		})
		w.ask("", "POST", "/v1/views/runs_hits/batch?rebuild=true", "", http.StatusOK, nil)
		check(w)
	})
	within(func(w *world) {
		check(w)
		w.ask("", "POST", "/v1/sql", "DROP VIEW runs_hits; DROP VIEW runs_other", http.StatusOK, nil)
		var all overview.RunList
		w.ask("", "GET", "/v1/batches", "", http.StatusOK, &all)
		if len(all.Runs) != 0 {
			t.Errorf("after the drop: %+v", all)
		}
	})
}
