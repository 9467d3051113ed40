package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"

	"github.com/millrace/millrace/dashboards/grafana/datasource"
	"github.com/millrace/millrace/dashboards/grafana/datasource/frames"
	"github.com/millrace/millrace/internal/config"
	"github.com/millrace/millrace/serving/client"
)

var update = flag.Bool("update", false, "write the golden files from what the plugin answers")

// trips are what the tests ask about: two cities over a quarter of an hour.
const (
	tripsSQL = `
CREATE STREAM trips (ts DateTime64(3), city LowCardinality(String), minutes Nullable(Int64), ok Bool)
  WITH (event_time = 'ts', partition_by = 'city', partitions = 2);
CREATE VIEW per_city AS SELECT city, count() AS trips, avg(minutes) AS mean, max(minutes) AS longest
  FROM trips GROUP BY city, tumble(ts, INTERVAL 1 MINUTE);
CREATE LEADERBOARD busiest AS SELECT city, count() AS trips FROM trips GROUP BY city WITH (windows = 'all');`

	tripsRows = `{"ts":"2026-01-02 10:00:05.000","city":"Oslo","minutes":10,"ok":true}
{"ts":"2026-01-02 10:00:40.250","city":"Bern","minutes":null,"ok":false}
{"ts":"2026-01-02 10:01:05.000","city":"Oslo","minutes":30,"ok":true}
{"ts":"2026-01-02 10:07:00.000","city":"Oslo","minutes":20,"ok":true}
{"ts":"2026-01-02 10:14:59.999","city":"Bern","minutes":5,"ok":true}
{"ts":"never","city":"Bern","minutes":5,"ok":true}
`
)

var (
	quarterFrom = time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	quarterTo   = quarterFrom.Add(15 * time.Minute)
)

// startTrips starts an appliance with the trips in it, all of them in its answers.
func startTrips(t *testing.T) (url string, c *client.Client) {
	t.Helper()
	url, c = startMillrace(t, nil)
	ctx := t.Context()
	if _, err := c.Query(ctx, tripsSQL, client.SQLOptions{}); err != nil {
		t.Fatal(err)
	}
	reply, err := c.Append(ctx, "trips", strings.NewReader(tripsRows), client.AppendOptions{})
	if err != nil || reply.Accepted != 5 || reply.Rejected != 1 {
		t.Fatalf("append: %+v, %v", reply, err)
	}
	settle(t, c)
	return url, c
}

// settle waits until everything acknowledged is in the answers of view and leaderboard.
func settle(t *testing.T, c *client.Client) {
	t.Helper()
	if _, err := c.View(t.Context(), "per_city", client.ViewQuery{Wait: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Top(t.Context(), "busiest", client.TopQuery{Scope: client.Scope{Wait: time.Minute}}); err != nil {
		t.Fatal(err)
	}
}

// TestFrames asks in every mode and format over the real protocol and compares the frames.
func TestFrames(t *testing.T) {
	url, _ := startTrips(t)
	g, from := startPlugin(t), settings(url, "")
	sql := func(format, text string) datasource.Query {
		return datasource.Query{Mode: "sql", Format: format, SQL: text}
	}
	for _, c := range []struct {
		name     string
		interval time.Duration
		query    datasource.Query
	}{
		{"view_series", 5 * time.Minute, datasource.Query{Mode: "view", View: "per_city"}},
		{"view_series_step_of_the_interval", 90 * time.Second, datasource.Query{Mode: "view", View: "per_city", Measures: []string{"trips"}, By: []string{}}},
		{"view_series_where", time.Minute, datasource.Query{Mode: "view", View: "per_city", Measures: []string{"longest"}, Where: "city = 'Oslo'", Step: "5m"}},
		{"view_numbers", time.Minute, datasource.Query{Mode: "view", View: "per_city", Step: "none", Order: "-trips"}},
		{"view_table", time.Minute, datasource.Query{Mode: "view", Format: "table", View: "per_city", Order: "-trips", Limit: 1, Measures: []string{"mean"}}},
		{"view_empty", time.Minute, datasource.Query{Mode: "view", View: "per_city", Where: "city = 'Rome'"}},
		{"leaderboard", time.Minute, datasource.Query{Mode: "leaderboard", Board: "busiest", N: 10}},
		{"sql_series", 5 * time.Minute, sql("", "SELECT $__timeInterval(ts) AS time, city, count() AS n, sum(minutes) AS m FROM trips WHERE $__timeFilter(ts) GROUP BY time, city ORDER BY n")},
		{"sql_range", time.Minute, sql("table", "SELECT $__timeFrom() AS a, $__timeTo() AS b, $__fromTime AS c, $__toTime AS d, $__interval_ms AS e, count() AS n FROM trips WHERE ts >= $__timeFrom() AND ts < $__timeTo() AND $__dateFilter(toDate(ts))")},
		{"sql_types", time.Minute, sql("table", `SELECT toInt8(-1) AS i8, toUInt64(18446744073709551615) AS u64, toFloat32(1.5) AS f, nan AS nan, true AS b, 'x' AS s, toNullable('y') AS ns, NULL AS nothing,
  toDate('2026-01-02') AS d, toDateTime64('2026-01-02 03:04:05.678', 3, 'UTC') AS t, [1, 2] AS array, map('k', 'v') AS map, toDecimal64('1.25', 2) AS dec, toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0') AS id, toInt128('170141183460469231731687303715884105727') AS wide`)},
		{"sql_logs", time.Minute, sql("logs", "SELECT ts AS time, concat('trip in ', city) AS body, if(ok, 'info', 'warning') AS level, minutes FROM trips ORDER BY ts")},
		{"sql_annotations", time.Minute, sql("annotations", "SELECT ts AS time, ts + INTERVAL 1 MINUTE AS timeEnd, city AS text, ['trip', city] AS tags FROM trips WHERE NOT ok")},
		{"sql_variable", time.Minute, sql("table", "SELECT DISTINCT city FROM per_city ORDER BY city")},
		{"operations_errors", time.Minute, datasource.Query{Mode: "operations", Table: "errors"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g.t = t
			compare(t, c.name, describe(t, g.frame(g.ask(from, panel{quarterFrom, quarterTo, c.interval, c.query}))))
		})
	}
}

// describe writes a frame as text, without what differs from run to run: where the
// batch layer stood, and when something was refused.
func describe(t *testing.T, f *data.Frame) string {
	t.Helper()
	var out strings.Builder
	fmt.Fprintf(&out, "type %s %v, shown as %s\nasked %s\n", f.Meta.Type, f.Meta.TypeVersion, f.Meta.PreferredVisualization, f.Meta.ExecutedQueryString)
	for _, n := range f.Meta.Notices {
		fmt.Fprintf(&out, "notice %d: %s\n", n.Severity, n.Text)
	}
	for _, s := range provenance(t, f).Sources {
		if s.Stream != "" {
			fmt.Fprintf(&out, "made of the stream %s\n", s.Stream)
			continue
		}
		fmt.Fprintf(&out, "made of %s%s, complete %v, rejected %d\n", s.View, s.Leaderboard, s.Complete, s.Rejected)
	}
	if i := len(f.Fields); i > 0 && f.Meta.ExecutedQueryString == "GET /v1/errors" {
		f.Fields[0] = data.NewField("time", nil, make([]time.Time, f.Rows()))
	}
	table, err := f.StringTable(-1, -1)
	if err != nil {
		t.Fatal(err)
	}
	return out.String() + table
}

// provenance is what a frame says of itself.
func provenance(t *testing.T, f *data.Frame) frames.Provenance {
	t.Helper()
	var p frames.Provenance
	text, err := json.Marshal(f.Meta.Custom)
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s: run with -update and look at the difference\n--- want\n%s\n--- got\n%s", path, want, got)
	}
}

// TestQueryErrors sends what cannot be answered: each error says what, where and what to
// do, has the right status, and is not taken for a defect of the plugin.
func TestQueryErrors(t *testing.T) {
	url, _ := startTrips(t)
	g, from := startPlugin(t), settings(url, "")
	for _, c := range []struct {
		query  string
		status int32
		says   []string
	}{
		{`{"mode":"sql","sql":"SELECT 1\n WHERE $__timefilter(ts)"}`, 400, []string{"line 2, column 8", "no macro $__timefilter", "$__timeFilter"}},
		{`{"mode":"sql","sql":"SELECT $__timeInterval(ts) AS t FROM trips\nWHERE $__timeFilter(ts) AND AND 1"}`, 400, []string{"line 2, column 33"}},
		{`{"mode":"sql","sql":"SELECT * FROM nowhere"}`, 400, []string{"line 1, column 15", "nowhere"}},
		{`{"mode":"sql","sql":"SELECT nope FROM trips"}`, 400, []string{"nope"}},
		{`{"mode":"sql","sql":"DROP VIEW per_city"}`, 400, []string{"line 1, column 1", "only reads"}},
		{`{"mode":"sql","sql":"SELECT 1; DROP VIEW per_city"}`, 400, []string{"line 1, column 11", "second statement"}},
		{`{"mode":"sql","sql":"SELECT city FROM trips"}`, 400, []string{"needs a column that is a time", "choose the format table"}},
		{`{"mode":"sql","sql":"SELECT ts, [1] AS a, 1 AS n FROM trips"}`, 400, []string{"column a is of type Array"}},
		{`{"mode":"sql","format":"logs","sql":"SELECT 1 AS n"}`, 400, []string{"logs need a column that is a time"}},
		{`{"mode":"sql","format":"annotations","sql":"SELECT 1 AS time"}`, 400, []string{"annotations need a column time"}},
		{`{"mode":"sql","format":"pie","sql":"SELECT 1 AS time"}`, 400, []string{`"pie" is not a format`}},
		{`{"mode":"sql","sql":"SELECT now() AS time, 1 AS n","live":true}`, 400, []string{"SQL cannot be followed live"}},
		{`{"mode":"view","view":"nowhere"}`, 404, []string{"nowhere"}},
		{`{"mode":"view"}`, 400, []string{"names no view"}},
		{`{"mode":"view","view":"per_city","measures":["nope"]}`, 400, []string{`no measure "nope"`}},
		{`{"mode":"view","view":"per_city","where":"city = "}`, 400, []string{"line 1, column 8"}},
		{`{"mode":"view","view":"per_city","step":"7s"}`, 400, []string{"7s is not a multiple"}},
		{`{"mode":"leaderboard","board":"nowhere"}`, 404, []string{"nowhere"}},
		{`{"mode":"leaderboard"}`, 400, []string{"names no leaderboard"}},
		{`{"mode":"operations","table":"nope"}`, 400, []string{`"nope" is not a table`}},
		{`{"mode":"guess"}`, 400, []string{`"guess" is not a mode`}},
		{`{"mode":7}`, 400, []string{"the query cannot be read"}},
	} {
		reply := g.askJSON(from, panel{from: quarterFrom, to: quarterTo, interval: time.Minute}, []byte(c.query))
		if reply.Status != c.status || reply.ErrorSource != "downstream" || len(reply.Frames) != 0 {
			t.Errorf("%s: status %d of %q with %d frames, want %d of downstream: %s", c.query, reply.Status, reply.ErrorSource, len(reply.Frames), c.status, reply.Error)
		}
		for _, part := range c.says {
			if !strings.Contains(reply.Error, part) {
				t.Errorf("%s: %q does not say %q", c.query, reply.Error, part)
			}
		}
	}
	if logged := g.logged.String(); strings.Contains(logged, "statusSource=plugin") || strings.Contains(logged, "panic") {
		t.Errorf("errors of users are logged as the plugin's:\n%s", logged)
	}
}

// TestHealth checks a good server, tokens of every kind, one that is down, and settings
// that cannot be used.
func TestHealth(t *testing.T) {
	url, admin := startMillrace(t, func(c *config.Config) { c.AuthRequired = true })
	g := startPlugin(t)
	token := func(role string) string {
		made, err := admin.CreateToken(t.Context(), client.NewToken{Name: "of " + role, Role: role})
		if err != nil {
			t.Fatal(err)
		}
		return made.Secret
	}
	revoked := token("sql")
	who, err := admin.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range who {
		if k.Name == "of sql" {
			if err := admin.RevokeToken(t.Context(), k.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	const unknown = "mr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, c := range []struct {
		name, url, token string
		ok               bool
		says             []string
	}{
		{"sql", url, token("sql"), true, []string{"Millrace test answers", "role sql"}},
		{"read", url, token("read"), true, []string{"role read", "SQL needs a token of role sql"}},
		{"admin", url, token("admin"), true, []string{"role admin", "safer"}},
		{"ingest", url, token("ingest"), false, []string{"role ingest", "millrace token create --role sql"}},
		{"revoked", url, revoked, false, []string{"revoked", "millrace token create --role sql"}},
		{"unknown", url, unknown, false, []string{"refuses the token"}},
		{"none", url, "", false, []string{"refuses the token", "millrace token create"}},
		{"spaces", url, "mr_a b", false, []string{"white space"}},
		{"down", "http://127.0.0.1:1", "", false, []string{"http://127.0.0.1:1 cannot be reached", "millrace up"}},
		{"no URL", "", "", false, []string{"no URL", "http://127.0.0.1:8080"}},
		{"no address", "millrace:8080", "", false, []string{"is not one such as"}},
	} {
		reply := g.health(settings(c.url, c.token))
		if ok := reply.Status == pluginv2.CheckHealthResponse_OK; ok != c.ok {
			t.Errorf("%s: %v %s", c.name, reply.Status, reply.Message)
		}
		for _, part := range c.says {
			if !strings.Contains(reply.Message, part) {
				t.Errorf("%s: %q does not say %q", c.name, reply.Message, part)
			}
		}
		if c.token != "" && strings.Contains(reply.Message+string(reply.JsonDetails)+g.logged.String(), c.token) {
			t.Errorf("%s: the token is told", c.name)
		}
	}
}

// TestResources calls what the editors call.
func TestResources(t *testing.T) {
	url, _ := startTrips(t)
	g, from := startPlugin(t), settings(url, "")
	for _, c := range []struct {
		method, url, body string
		status            int
		says              []string
	}{
		{"GET", "streams", "", 200, []string{`"name":"trips"`, `"event_time":"ts"`}},
		{"GET", "views", "", 200, []string{`"name":"per_city"`, `"pane":60`, `"role":"measure"`}},
		{"GET", "leaderboards", "", 200, []string{`"name":"busiest"`}},
		{"GET", "columns?table=per_city", "", 200, []string{`{"name":"city","type":"String","role":"group"}`, `"role":"measure"`}},
		{"GET", "columns?table=trips", "", 200, []string{`{"name":"ts","type":"DateTime64(3, 'UTC')","role":"time"}`, `"role":"column"`}},
		{"GET", "columns?table=busiest", "", 200, []string{`{"name":"city","type":"String","role":"group"}`, `"name":"trips"`}},
		{"GET", "columns?table=nowhere", "", 404, []string{`"error":`, `nowhere`, `"hint":`}},
		{"GET", "values?view=per_city&column=city", "", 200, []string{`["Bern","Oslo"]`}},
		{"GET", "values?view=per_city&column=city&prefix=O", "", 200, []string{`["Oslo"]`}},
		{"GET", "values?view=per_city&column=nope", "", 400, []string{"nope"}},
		{"GET", "macros", "", 200, []string{`{"name":"$__timeFilter","args":["column"],"help":`}},
		{"POST", "check-sql", `{"sql":"SELECT city FROM trips WHERE $__timeFilter(ts) -- end"}`, 200, []string{`{"ok":true}`}},
		{"POST", "check-sql", `{"sql":"SHOW VIEWS"}`, 200, []string{`{"ok":true}`}},
		{"POST", "check-sql", `{"sql":"SELECT city FROM trips;"}`, 200, []string{`{"ok":true}`}},
		{"POST", "check-sql", `{"sql":"SELECT city\n FROM trips WHERE $__timeFilter(ts) AND nope"}`, 200, []string{`"ok":false`, "nope"}},
		{"POST", "check-sql", `{"sql":"SELECT * FROM\n nowhere"}`, 200, []string{`"ok":false,"line":2,"column":2`, `nowhere`}},
		{"POST", "check-sql", `{"sql":"SELECT $__nope"}`, 200, []string{`"ok":false,"line":1,"column":8`, `$__nope`}},
		{"POST", "check-sql", `{"sql":"DROP VIEW per_city"}`, 200, []string{`"ok":false,"line":1,"column":1`, `only reads`}},
		{"POST", "check-sql", `no JSON`, 400, []string{`"error":`}},
		{"GET", "functions", "", 200, []string{`"count"`, `"quantileTDigest"`, `"toStartOfInterval"`}},
		{"POST", "check-where", `{"view":"per_city","where":"city = 'Oslo'"}`, 200, []string{`{"ok":true}`}},
		{"POST", "check-where", `{"view":"per_city","where":""}`, 200, []string{`{"ok":true}`}},
		{"POST", "check-where", `{"view":"per_city","where":"city = 'Oslo' AND nope = 1"}`, 200, []string{`"ok":false,"line":1,"column":19`, "nope"}},
		{"POST", "check-where", `{"view":"nowhere","where":"1"}`, 200, []string{`"ok":false`, "nowhere"}},
		{"POST", "check-where", `{"where":"1"}`, 400, []string{`"error":`}},
		{"GET", "nothing", "", 404, nil},
	} {
		status, text := g.call(from, c.method, c.url, c.body)
		if status != c.status {
			t.Errorf("%s %s %s: %d %s", c.method, c.url, c.body, status, text)
		}
		for _, part := range c.says {
			if !strings.Contains(text, part) {
				t.Errorf("%s %s %s: %s does not say %s", c.method, c.url, c.body, text, part)
			}
		}
	}
	if status, text := g.call(settings("http://127.0.0.1:1", ""), "GET", "views", ""); status != 502 || !strings.Contains(text, "cannot be reached") {
		t.Errorf("a server that is down: %d %s", status, text)
	}
}

// TestAlertQuery sends what Grafana's alerting sends: no user, and a header that says so.
// The frame has to be a time series or numbers, also where there is no row.
func TestAlertQuery(t *testing.T) {
	url, _ := startTrips(t)
	g, from := startPlugin(t), settings(url, "")
	for _, c := range []struct {
		query string
		kind  data.FrameType
		rows  int
	}{
		{`{"mode":"view","view":"per_city","measures":["trips"]}`, data.FrameTypeTimeSeriesWide, 4},
		{`{"mode":"view","view":"per_city","measures":["trips"],"where":"city = 'Rome'"}`, data.FrameTypeTimeSeriesWide, 0},
		{`{"mode":"view","view":"per_city","measures":["trips"],"step":"none"}`, data.FrameTypeNumericLong, 2},
		{`{"mode":"sql","sql":"SELECT $__timeInterval(ts) AS time, count() AS n FROM trips WHERE $__timeFilter(ts) GROUP BY time"}`, data.FrameTypeTimeSeriesWide, 4},
		{`{"mode":"sql","sql":"SELECT $__timeInterval(ts) AS time, city, count() AS n FROM trips WHERE $__timeFilter(ts) AND 0 GROUP BY time, city"}`, data.FrameTypeTimeSeriesWide, 0},
		{`{"mode":"leaderboard","board":"busiest","format":"time_series"}`, data.FrameTypeNumericLong, 2},
	} {
		reply, err := g.data.QueryData(t.Context(), &pluginv2.QueryDataRequest{
			PluginContext: from, Headers: map[string]string{"FromAlert": "true"},
			Queries: []*pluginv2.DataQuery{{
				RefId: "A", IntervalMS: 60_000, MaxDataPoints: 100, Json: []byte(c.query),
				TimeRange: &pluginv2.TimeRange{FromEpochMS: quarterFrom.UnixMilli(), ToEpochMS: quarterTo.UnixMilli()},
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		f := g.frame(reply.Responses["A"])
		if f.Meta.Type != c.kind || f.Rows() != c.rows || f.Meta.TypeVersion.IsZero() {
			t.Errorf("%s: %s %v with %d rows, want %s with %d", c.query, f.Meta.Type, f.Meta.TypeVersion, f.Rows(), c.kind, c.rows)
		}
	}
}

// TestStream follows a view live: an answer at once, and another when an event has come.
func TestStream(t *testing.T) {
	url, c := startTrips(t)
	g, from := startPlugin(t), settings(url, "")
	now := time.Now()
	reply := g.ask(from, panel{now.Add(-time.Hour), now, time.Minute, datasource.Query{Mode: "view", View: "per_city", By: []string{}, Measures: []string{"trips"}, Live: true}})
	first := g.frame(reply)
	path, ok := strings.CutPrefix(first.Meta.Channel, "ds/"+uid+"/")
	if !ok || provenance(t, first).Stream != "replace" || len(path) > 100 {
		t.Fatalf("channel %q, %+v", first.Meta.Channel, first.Meta.Custom)
	}
	if s, err := g.stream.SubscribeStream(t.Context(), &pluginv2.SubscribeStreamRequest{PluginContext: from, Path: path}); err != nil || s.Status != pluginv2.SubscribeStreamResponse_OK {
		t.Fatalf("subscribe: %v, %v", s, err)
	}
	if s, err := g.stream.SubscribeStream(t.Context(), &pluginv2.SubscribeStreamRequest{PluginContext: from, Path: "view/nothing"}); err != nil || s.Status != pluginv2.SubscribeStreamResponse_NOT_FOUND {
		t.Fatalf("subscribe to nothing: %v, %v", s, err)
	}
	if s, err := g.stream.PublishStream(t.Context(), &pluginv2.PublishStreamRequest{PluginContext: from, Path: path}); err != nil || s.Status != pluginv2.PublishStreamResponse_PERMISSION_DENIED {
		t.Fatalf("publish: %v, %v", s, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream, err := g.stream.RunStream(ctx, &pluginv2.RunStreamRequest{PluginContext: from, Path: path})
	if err != nil {
		t.Fatal(err)
	}
	receive := func() *data.Frame {
		t.Helper()
		packet, err := stream.Recv()
		if err != nil {
			t.Fatalf("the stream ended: %v\n%s", err, g.logged)
		}
		f := &data.Frame{}
		if err := json.Unmarshal(packet.Data, f); err != nil {
			t.Fatalf("%v in %s", err, packet.Data)
		}
		return f
	}
	if f := receive(); f.Rows() != 0 {
		t.Fatalf("there are trips of the last hour already: %v", f)
	}
	row := fmt.Sprintf(`{"ts":%q,"city":"Bern","minutes":1,"ok":true}`, time.Now().UTC().Format("2006-01-02 15:04:05.000"))
	if _, err := c.Append(t.Context(), "trips", strings.NewReader(row), client.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	for f := receive(); ; f = receive() {
		if f.Rows() == 1 && len(f.Fields) == 2 {
			if n, _ := f.Fields[1].FloatAt(0); n != 1 {
				t.Fatalf("%v trips", n)
			}
			break
		}
	}
	cancel()
	for {
		if _, err := stream.Recv(); err != nil {
			if errors.Is(err, io.EOF) || ctx.Err() != nil {
				return
			}
			t.Fatal(err)
		}
	}
}

// TestPulse follows the operations of the server.
func TestPulse(t *testing.T) {
	url, _ := startTrips(t)
	g, from := startPlugin(t), settings(url, "")
	now := time.Now()
	for _, c := range []struct {
		table  string
		rows   int
		fields []string
	}{
		{"pulse", 1, []string{"time", "events_per_s", "speed_lag_ms", "sealed_epoch", "healthy"}},
		{"streams", 1, []string{"time", "stream", "events_per_s"}},
		{"views", 1, []string{"time", "view", "lag_ms", "state"}},
		{"leaderboards", 1, []string{"time", "view", "lag_ms"}},
		{"batches", 2, []string{"time", "view", "state", "drift"}},
		{"parts", 5, []string{"part", "is"}},
	} {
		f := g.frame(g.ask(from, panel{now.Add(-time.Hour), now, time.Minute, datasource.Query{Mode: "operations", Table: c.table}}))
		if f.Rows() != c.rows {
			t.Errorf("%s has %d rows: %v", c.table, f.Rows(), f)
		}
		for _, name := range c.fields {
			if field, _ := f.FieldByName(name); field == nil {
				t.Errorf("%s has no field %s", c.table, name)
			}
		}
	}
}
