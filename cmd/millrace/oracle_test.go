package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/serving/format"
)

// check is one view and its recomputation, written by hand for the engine: the test must
// not use the compiler that it tests.
type check struct {
	stream string
	view   string // name
	ddl    string // SELECT of the view
	keys   []string
	oracle string // SELECT over {t}; a column NAME__lo / NAME__hi bounds a quantile
}

var streams = map[string]string{
	"wiki": `time DateTime64(3), channel LowCardinality(String), user String, page String, isRobot Bool, isNew Bool,
		countryName Nullable(String), metroCode Nullable(Int64), delta Int64, added Int64, deleted Int64`,
	"flights": `date DateTime64(0), delay Int64, distance UInt64, origin LowCardinality(String), destination String`,
	"orders":  `id String, at DateTime64(6), day Date, amount Float64, qty Nullable(UInt64), shop String, ok Bool`,
}

var checks = []check{
	{
		stream: "wiki", view: "channels", keys: []string{"window_start", "channel"},
		ddl: `SELECT channel, count() AS edits, uniq(user) AS users, sum(added) AS added, avg(delta) AS mean, min(time) AS first, max(delta) AS most
			FROM wiki GROUP BY channel, tumble(time, INTERVAL 1 HOUR)`,
		oracle: `SELECT toDateTime64(toStartOfInterval(time, INTERVAL 1 HOUR), 0, 'UTC') AS window_start, toString(channel) AS channel, count() AS edits,
			uniq(user) AS users, sum(wiki.added) AS added, avg(delta) AS mean, min(time) AS first, max(delta) AS most FROM {t} AS wiki GROUP BY window_start, channel`,
	},
	{
		stream: "wiki", view: "robots", keys: []string{"isRobot"},
		ddl: `SELECT isRobot, count() AS n, countIf(isNew) AS fresh, sumIf(delta, delta > 0) AS grown, min(page) AS least, max(user) AS most, uniq(page) AS pages,
			quantile(0.9)(added) AS p90 FROM wiki WHERE deleted < 1000 GROUP BY isRobot`,
		oracle: `SELECT isRobot, count() AS n, countIf(isNew) AS fresh, sumIf(delta, delta > 0) AS grown, min(page) AS least, max(user) AS most, uniq(page) AS pages,
			quantileExactLow(0.86)(added) AS p90__lo, quantileExactHigh(0.94)(added) AS p90__hi FROM {t} WHERE deleted < 1000 GROUP BY isRobot`,
	},
	{
		stream: "wiki", view: "countries", keys: []string{"window_start", "country"},
		ddl: `SELECT coalesce(countryName, 'none') AS country, count(metroCode) AS metros, uniqIf(page, isNew) AS fresh, avg(metroCode) AS metro,
			sum(metroCode) AS codes, min(metroCode) AS least FROM wiki GROUP BY country, tumble(time, INTERVAL 1 DAY)`,
		oracle: `SELECT toDateTime64(toStartOfInterval(time, INTERVAL 1 DAY), 0, 'UTC') AS window_start, coalesce(countryName, 'none') AS country, count(metroCode) AS metros,
			uniqIf(page, isNew) AS fresh, avg(metroCode) AS metro, sum(metroCode) AS codes, min(metroCode) AS least FROM {t} GROUP BY window_start, country`,
	},
	{
		stream: "flights", view: "airports", keys: []string{"window_start", "origin"},
		ddl: `SELECT origin, count() AS flights, sum(distance) AS miles, avg(delay) AS mean, countIf(delay > 15) AS late, quantile(0.5)(delay) AS median
			FROM flights GROUP BY origin, tumble(date, INTERVAL 1 MONTH)`,
		oracle: `SELECT toDateTime64(toDateTime(toStartOfInterval(date, INTERVAL 1 MONTH), 'UTC'), 0, 'UTC') AS window_start, toString(origin) AS origin, count() AS flights, sum(distance) AS miles,
			avg(delay) AS mean, countIf(delay > 15) AS late, quantileExactLow(0.44)(delay) AS median__lo, quantileExactHigh(0.56)(delay) AS median__hi
			FROM {t} GROUP BY window_start, origin`,
	},
	{
		stream: "flights", view: "routes", keys: []string{"route", "far"},
		ddl: `SELECT concat(lower(origin), '-', substring(destination, 1, 2)) AS route, distance > 1000 AS far, count() AS n, sum(delay) / count() AS mean,
			max(date) AS last FROM flights WHERE origin IN ('ATL', 'LAX', 'ORD', 'DFW', 'PHX', 'LAS') OR destination LIKE 'S%' GROUP BY route, far`,
		oracle: `SELECT concat(lower(toString(origin)), '-', substring(destination, 1, 2)) AS route, toBool(distance > 1000) AS far, count() AS n, sum(delay) / count() AS mean,
			max(date) AS last FROM {t} WHERE origin IN ('ATL', 'LAX', 'ORD', 'DFW', 'PHX', 'LAS') OR destination LIKE 'S%' GROUP BY route, far`,
	},
	{
		stream: "orders", view: "shops", keys: []string{"window_start", "shop"},
		ddl: `SELECT shop, count() AS n, sum(amount) AS total, avgIf(amount, ok) AS mean, sum(qty) AS qty, max(day) AS last, uniq(id) AS ids
			FROM orders GROUP BY shop, tumble(at, INTERVAL 1 WEEK)`,
		oracle: `SELECT toDateTime64(toDate32(at) - toIntervalDay(toDayOfWeek(toDate32(at)) - 1), 0, 'UTC') AS window_start, shop, count() AS n, sum(amount) AS total, avgIf(amount, ok) AS mean,
			sum(qty) AS qty, max(day) AS last, uniq(id) AS ids FROM {t} GROUP BY window_start, shop`,
	},
}

// oracle holds exactly the acknowledged events, in an engine of its own that read them by
// itself.
type oracle struct {
	client *clickhouse.Client
	dir    string
	files  int
	rows   map[string]int
}

func newOracle(t testing.TB) *oracle {
	t.Helper()
	o := &oracle{client: enginetest.Client(t), dir: t.TempDir(), rows: map[string]int{}}
	for name, columns := range streams {
		for _, ddl := range []string{"DROP TABLE IF EXISTS oracle_" + name, fmt.Sprintf("CREATE TABLE oracle_%s (%s) ENGINE = Memory", name, columns)} {
			if err := o.client.Exec(context.Background(), ddl); err != nil {
				t.Fatal(err)
			}
		}
	}
	return o
}

// add takes acknowledged lines.
func (o *oracle) add(t testing.TB, stream string, lines [][]byte) {
	t.Helper()
	if len(lines) == 0 {
		return
	}
	o.files++
	path := filepath.Join(o.dir, fmt.Sprintf("%d.ndjson", o.files))
	if err := os.WriteFile(path, bytes.Join(lines, []byte("\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	query := fmt.Sprintf(`INSERT INTO oracle_%[1]s SELECT * FROM file('%[2]s', 'JSONEachRow', '%[3]s')
		SETTINGS date_time_input_format = 'best_effort', input_format_skip_unknown_fields = 1, session_timezone = 'UTC'`,
		stream, path, strings.ReplaceAll(streams[stream], "\n", " "))
	if err := o.client.Exec(context.Background(), query); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	o.rows[stream] += len(lines)
}

// table is rows of an answer by their key.
type table map[string]map[string]any

func tableOf(t testing.TB, body []byte, keys []string) table {
	t.Helper()
	var a struct{ Data []map[string]any }
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&a); err != nil {
		t.Fatalf("decode answer: %v in %.500s", err, body)
	}
	rows := table{}
	for _, row := range a.Data {
		key := ""
		for _, k := range keys {
			key += fmt.Sprint(row[k]) + "|"
		}
		if _, twice := rows[key]; twice {
			t.Errorf("group %s stands in the answer twice", key)
		}
		rows[key] = row
	}
	return rows
}

// recompute is the oracle's answer.
func (o *oracle) recompute(t testing.TB, c check) table {
	t.Helper()
	b, err := o.client.QueryBatch(context.Background(), strings.ReplaceAll(c.oracle, "{t}", "oracle_"+c.stream)+" SETTINGS session_timezone = 'UTC'")
	if err != nil {
		t.Fatalf("recompute %s: %v", c.view, err)
	}
	var body bytes.Buffer
	asJSON, err := format.Named("json")
	if err != nil {
		t.Fatal(err)
	}
	if err := asJSON.Write(&body, b); err != nil {
		t.Fatal(err)
	}
	return tableOf(t, body.Bytes(), c.keys)
}

// differences compares an answer with its recomputation.
func differences(got, want table) []string {
	var diffs []string
	for key, w := range want {
		g, ok := got[key]
		if !ok {
			diffs = append(diffs, fmt.Sprintf("group %s is missing", key))
			continue
		}
		for name, value := range w {
			if base, ok := strings.CutSuffix(name, "__lo"); ok {
				if !within(g[base], value, w[base+"__hi"]) {
					diffs = append(diffs, fmt.Sprintf("group %s: %s is %v, outside %v to %v", key, base, g[base], value, w[base+"__hi"]))
				}
			} else if !strings.HasSuffix(name, "__hi") && !same(g[name], value) {
				diffs = append(diffs, fmt.Sprintf("group %s: %s is %v, not %v", key, name, g[name], value))
			}
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			diffs = append(diffs, fmt.Sprintf("group %s should not be there", key))
		}
	}
	return diffs
}

// same compares integers and text exactly and floats to 1e-9 relative.
func same(a, b any) bool {
	x, okx := a.(json.Number)
	y, oky := b.(json.Number)
	if !okx || !oky {
		return a == b
	}
	if x == y {
		return true
	}
	if !strings.ContainsAny(string(x)+string(y), ".e") {
		return false
	}
	f, _ := x.Float64()
	g, _ := y.Float64()
	return math.Abs(f-g) <= 1e-9*max(math.Abs(f), math.Abs(g))
}

// within tells whether a quantile lies between two exact ones, whose levels are a
// t-digest's error apart; it interpolates between neighbours.
func within(v, lo, hi any) bool {
	f, err1 := v.(json.Number).Float64()
	l, err2 := lo.(json.Number).Float64()
	h, err3 := hi.(json.Number).Float64()
	slack := 1e-6 * (math.Abs(l) + math.Abs(h) + 1)
	return err1 == nil && err2 == nil && err3 == nil && f >= l-slack && f <= h+slack
}

// ask reads a view from the server, with everything acknowledged so far in it.
func ask(t testing.TB, s *server, c check) (table, json.RawMessage) {
	t.Helper()
	path := fmt.Sprintf("/v1/views/%s?wait=60s&by=%s", c.view, url.QueryEscape(strings.Join(byOf(c), ",")))
	status, body, err := s.do(context.Background(), http.MethodGet, path, "", nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("ask %s: %d %v %s", c.view, status, err, body)
	}
	var a struct {
		Provenance json.RawMessage
	}
	var p struct{ Complete bool }
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(a.Provenance, &p); err != nil {
		t.Fatal(err)
	}
	if !p.Complete {
		t.Fatalf("%s was not complete in time: %s", c.view, a.Provenance)
	}
	return tableOf(t, body, c.keys), a.Provenance
}

func byOf(c check) []string { return c.keys }

// sharedData is the folder of real input beside the module root.
const sharedData = "../../../shared/data"

// realLines reads a gzipped NDJSON file of real input; nil where it is not there.
func realLines(t testing.TB, name string) [][]byte {
	t.Helper()
	f, err := os.Open(filepath.Join(sharedData, name))
	if err != nil {
		t.Logf("real input %s is not here: generated rows take its place", name)
		return nil
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]byte
	scanner := bufio.NewScanner(z)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		lines = append(lines, bytes.Clone(scanner.Bytes()))
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// inputs returns the rows of each stream.
func inputs(t testing.TB, random *rand.Rand) map[string][][]byte {
	wiki := realLines(t, "wiki_edits/wikiticker_2015-09-12_part1.ndjson.gz")
	if wiki == nil {
		for i := range 19_599 {
			wiki = append(wiki, fmt.Appendf(nil, `{"time":"2015-09-12T%02d:%02d:%02d.%03dZ","channel":"#%c.wikipedia","user":"u%d","page":"Page %d ü","isRobot":%t,"isNew":%t,"countryName":%s,"metroCode":%s,"delta":%d,"added":%d,"deleted":%d}`,
				i*24/19_599, random.IntN(60), random.IntN(60), random.IntN(1000), 'a'+rune(random.IntN(20)), random.IntN(3000), random.IntN(9000),
				random.IntN(2) == 0, random.IntN(5) == 0, pick(random, "null", `"Italy"`, `"Perù"`), pick(random, "null", "501", "819"),
				random.IntN(4000)-1000, random.IntN(3000), random.IntN(2000)))
		}
	}
	flights := realLines(t, "flights/flights_part1.ndjson.gz")
	if flights == nil {
		airports := []string{"ATL", "LAX", "ORD", "DFW", "PHX", "LAS", "SFO", "SEA", "MSP"}
		for range 10_000 {
			flights = append(flights, fmt.Appendf(nil, `{"date":"2001/0%d/%02d %02d:%02d","delay":%d,"distance":%d,"origin":"%s","destination":"%s"}`,
				1+random.IntN(3), 1+random.IntN(28), random.IntN(24), random.IntN(60), random.IntN(200)-30, random.IntN(2500),
				airports[random.IntN(9)], airports[random.IntN(9)]))
		}
	}
	var orders [][]byte
	for i := range 6_000 {
		orders = append(orders, fmt.Appendf(nil, `{"id":"o-%d","at":"202%d-%02d-%02dT%02d:%02d:%02d.%06dZ","day":"2024-02-%02d","amount":%g,"qty":%s,"shop":"%s","ok":%t}`,
			i, random.IntN(3), 1+random.IntN(12), 1+random.IntN(28), random.IntN(24), random.IntN(60), random.IntN(60), random.IntN(1e6),
			1+random.IntN(29), math.Round(random.NormFloat64()*1e4)/100, pick(random, "null", "1", "7", "18446744073709551615"),
			pick(random, "", "north", "süd", "日本"), random.IntN(3) > 0))
	}
	return map[string][][]byte{"wiki": wiki, "flights": flights, "orders": orders}
}

func pick(random *rand.Rand, of ...string) string { return of[random.IntN(len(of))] }
