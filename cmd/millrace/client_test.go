package main

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/serving/client"
)

// TestClientPackage asks the real binary through the Go client package: what the package's
// own tests take for the server's answers must be the server's answers.
func TestClientPackage(t *testing.T) {
	s := newServer(t, "--epoch", "1s", "--flush", "20ms")
	ctx := t.Context()
	c, err := client.New(s.url+"/", client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	made, err := c.Query(ctx, `CREATE STREAM visits (ts DateTime64(3), page String, ms Int64, ok Nullable(Bool)) WITH (event_time = 'ts', partitions = 2);
		CREATE VIEW pages AS SELECT page, count() AS hits, sum(ms) AS ms, max(ts) AS newest FROM visits GROUP BY page WITH (batch = '0 0 1 1 *')`, client.SQLOptions{})
	if err != nil || !reflect.DeepEqual(made.Rows, [][]any{{"view", "pages", "created"}}) {
		t.Fatalf("%+v, %v", made, err)
	}
	events := strings.NewReader(`{"ts":"2024-01-01T10:00:00.250Z","page":"/a","ms":5,"ok":true}
{"ts":"2024-01-02T10:00:00Z","page":"/a","ms":-7}
{"ts":"2024-01-02T10:00:00Z","page":"/b","ms":1}
{"ts":"2024-01-02T10:00:00Z","page":"/b","ms":"slow"}
`)
	for range 2 { // the second time it is a repetition
		r, err := c.Append(ctx, "visits", events, client.AppendOptions{IdempotencyKey: "once"})
		if err != nil {
			t.Fatal(err)
		}
		if r.Accepted != 3 || r.Rejected != 1 || r.Errors[0].Line != 4 || r.Errors[0].Reason == "" {
			t.Errorf("append: %+v", r)
		}
		_, _ = events.Seek(0, io.SeekStart)
	}
	day := func(d, h, ms int) time.Time { return time.Date(2024, 1, d, h, 0, 0, ms*1e6, time.UTC) }

	v, err := c.View(ctx, "pages", client.ViewQuery{Order: []string{"-page"}, Wait: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]any{{"/b", uint64(1), int64(1), day(2, 10, 0)}, {"/a", uint64(2), int64(-2), day(2, 10, 0)}}
	if !reflect.DeepEqual(v.Rows, want) {
		t.Errorf("view: %v, want %v", v.Rows, want)
	}
	if len(v.Sources) != 1 || v.Sources[0].View != "pages" || !v.Sources[0].Complete || len(v.Sources[0].Partitions) != 2 {
		t.Errorf("sources of the view: %+v", v.Sources)
	}
	v, err = c.View(ctx, "pages", client.ViewQuery{From: "2024-01-01", To: "2024-01-02", By: []string{}, Where: "page = '/a'", Step: "1d", Limit: 5})
	if err != nil || !reflect.DeepEqual(v.Rows, [][]any{{day(1, 0, 0), uint64(1), int64(5), day(1, 10, 250)}}) {
		t.Errorf("a day of the view: %+v, %v", v, err)
	}

	rows, err := c.Rows(ctx, "SELECT ts, page, ms, ok FROM visits ORDER BY ts, page", client.SQLOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got [][]any
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, values)
	}
	want = [][]any{{day(1, 10, 250), "/a", int64(5), true}, {day(2, 10, 0), "/a", int64(-7), nil}, {day(2, 10, 0), "/b", int64(1), nil}}
	if err := rows.Err(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("events: %v, %v; want %v", got, err, want)
	}
	if list := rows.Sources(); len(list) != 1 || len(list[0].Positions) != 2 {
		t.Errorf("sources of the events: %+v", list)
	}
	result, err := c.SQL(ctx, "SELECT page FROM pages ORDER BY page", client.SQLOptions{Format: "csv", Wait: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer result.Body.Close()
	text, err := io.ReadAll(result.Body)
	if err != nil || !strings.Contains(string(text), "/b") || len(result.Sources) != 1 || !strings.HasPrefix(result.ContentType, "text/csv") {
		t.Errorf("CSV: %q, %v, %+v", text, err, result)
	}

	for range 2 {
		letters := 0
		for l, err := range c.DeadLetters(ctx, "visits") {
			if err != nil {
				t.Fatal(err)
			}
			letters++
			if l.Line != 4 && l.Line != 1 || l.Reason == "" || !strings.Contains(l.Raw, "slow") || time.Since(l.Arrival) > time.Hour {
				t.Errorf("dead letter: %+v", l)
			}
		}
		if letters == 0 {
			t.Error("there is no dead letter")
		}
		if r, err := c.Replay(ctx, "visits"); err != nil || r.Replayed != 0 || r.Refused != letters {
			t.Errorf("replay: %+v, %v", r, err)
		}
	}

	b, err := c.RunBatch(ctx, "pages")
	if err != nil || b.Generation == 0 {
		t.Errorf("batch: %+v, %v", b, err)
	}
	again, err := c.Rebuild(ctx, "pages")
	if err != nil || again.Generation <= b.Generation || len(again.Drift) == 0 {
		t.Errorf("rebuild: %+v, %v", again, err)
	}
	st, err := c.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !st.Healthy || st.EpochSeconds != 1 || len(st.Parts) == 0 || time.Since(st.Started) > time.Hour ||
		len(st.Streams) != 1 || st.Streams[0].Events != 3 || st.Streams[0].Rejected == 0 ||
		len(st.Views) != 1 || st.Views[0].Generation < again.Generation || st.Views[0].Stream != "visits" {
		t.Errorf("status: %+v", st)
	}
	metrics, err := c.Metrics(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer metrics.Body.Close()
	if text, err := io.ReadAll(metrics.Body); err != nil || !strings.Contains(string(text), "millrace_serving_query_seconds") {
		t.Errorf("metrics: %v\n%.300s", err, text)
	}

	_, err = c.View(ctx, "page", client.ViewQuery{})
	var e *client.Error
	if !errors.As(err, &e) || e.Status != 404 || e.Kind() != "unknown-view" || e.Offset != -1 {
		t.Errorf("unknown view: %#v", err)
	}
	_, err = c.Query(ctx, "SELECT 1;\nSELECT é FRO pages WHERE", client.SQLOptions{})
	if !errors.As(err, &e) || e.Status != 400 || e.Line != 2 || e.Offset < len("SELECT 1;\n") {
		t.Errorf("wrong statement: %#v", err)
	}
	_, err = c.View(ctx, "pages", client.ViewQuery{Where: "hits > 1"})
	if !errors.As(err, &e) || e.Detail == "" {
		t.Errorf("wrong condition: %#v", err)
	}
	if _, err = c.Append(ctx, "visit", strings.NewReader("{}"), client.AppendOptions{}); !errors.As(err, &e) || e.Status != 404 {
		t.Errorf("unknown stream: %#v", err)
	}
}
