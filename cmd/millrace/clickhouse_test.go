package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/millrace/millrace/serving/chhttp/chhttptest"
)

// freeAddress returns a loopback address that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// pageHit is a row of the view that the stock clients read.
type pageHit struct {
	page    string
	hits    uint64
	revenue float64
}

// statementOfHits is what each of them asks.
const statementOfHits = "SELECT page, hits, revenue FROM page_hits ORDER BY page"

// stockClient asks the endpoint; it returns rows and the provenance that came with them.
type stockClient struct {
	name string
	ask  func(t *testing.T) ([]pageHit, string)
}

// TestStockClients: clickhouse-go, curl and @clickhouse/client list databases, tables and
// columns through the ClickHouse endpoint and read a view there; at the positions at
// which the view API answers, they have its numbers, while events come in, before and
// after batch runs.
func TestStockClients(t *testing.T) {
	address := freeAddress(t)
	s := newServer(t, "--epoch", "1s", "--flush", "20ms", "--grace", "1s", "--clickhouse.listen", address)
	s.sql(`CREATE STREAM clicks (ts DateTime64(3), page String, price Float64, ok Bool)
		WITH (event_time = 'ts', partition_by = 'page', partitions = 2)`)
	s.sql(`CREATE VIEW page_hits AS SELECT page, count() AS hits, sum(price) AS revenue FROM clicks WHERE ok GROUP BY page
		WITH (batch = '0 0 1 1 *')`)
	javascript := chhttptest.InstallJavaScript(t)
	sent := 0
	send := func(n int) {
		t.Helper()
		var lines [][]byte
		for range n {
			lines = append(lines, fmt.Appendf(nil, `{"ts":"2026-01-02T03:04:05Z","page":"/%d","price":%d.25,"ok":%t}`, sent%7, sent%100, sent%5 != 0))
			sent++
		}
		deliver(t, s, "clicks", lines, "clicks "+strconv.Itoa(sent))
	}
	clients := []stockClient{
		{"clickhouse-go", func(t *testing.T) ([]pageHit, string) { return askClickHouseGo(t, address) }},
		{"curl", func(t *testing.T) ([]pageHit, string) { return askCurl(t, address) }},
		{"@clickhouse/client", func(t *testing.T) ([]pageHit, string) { return askJavaScript(t, javascript, address) }},
	}
	for round := range 3 {
		send(500)
		if round == 1 {
			s.untilSealed(t, "clicks", int64(sent))
			s.runBatch(t, "page_hits")
			send(100)
		}
		for _, c := range clients {
			t.Run(fmt.Sprintf("%s %d", c.name, round), func(t *testing.T) {
				// Ticks move the positions on between two questions: ask until they are equal.
				eventually(t, "the client and the view API answer at the same positions", func() bool {
					got, provenance := c.ask(t)
					want, positions := askViewAPI(t, s)
					if positionsOf(t, []byte(provenance)) != positions {
						return false
					}
					if !slices.Equal(got, want) {
						t.Errorf("at positions %s: %v, the view API has %v", positions, got, want)
					}
					return true
				})
				send(10)
			})
		}
	}
	// The same under a stream of events: an answer of the endpoint lies between the view
	// API's before it and after it.
	stop, sending := make(chan struct{}), sync.WaitGroup{}
	sending.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				_, _, _ = s.post("clicks", "application/x-ndjson", []byte(`{"ts":"2026-01-02T03:04:05Z","page":"/live","price":1,"ok":true}`), fmt.Sprint("live ", i))
			}
		}
	})
	matched := 0
	eventually(t, "five answers of the endpoint, each between two of the view API", func() bool {
		before, from := askViewAPI(t, s)
		got, provenance := askClickHouseGo(t, address)
		after, to := askViewAPI(t, s)
		switch at := positionsOf(t, []byte(provenance)); at {
		case from:
			matched++
			if !slices.Equal(got, before) {
				t.Errorf("at positions %s: %v, the view API has %v", at, got, before)
			}
		case to:
			matched++
			if !slices.Equal(got, after) {
				t.Errorf("at positions %s: %v, the view API has %v", at, got, after)
			}
		default:
			// In between: no page has fewer hits than before, none more than after.
			for i, row := range got {
				if i < len(before) && before[i].hits > row.hits || i < len(after) && after[i].hits < row.hits {
					t.Errorf("between %s and %s, at %s: %v, not between %v and %v", from, to, at, row, before[i], after[i])
				}
			}
			matched++
		}
		return matched >= 5
	})
	close(stop)
	sending.Wait()
}

// askViewAPI reads the view by its own route, everything acknowledged in it.
func askViewAPI(t *testing.T, s *server) (rows []pageHit, positions string) {
	t.Helper()
	var answer struct {
		Data []struct {
			Page    string
			Hits    uint64
			Revenue float64
		}
		Provenance json.RawMessage
	}
	s.get("/v1/views/page_hits?order=page&wait=30s", &answer)
	for _, r := range answer.Data {
		rows = append(rows, pageHit{r.Page, r.Hits, r.Revenue})
	}
	return rows, positionsOf(t, answer.Provenance)
}

// positionsOf reads the positions out of a provenance: an object of the view API, or a
// list with one for each view of a statement.
func positionsOf(t *testing.T, provenance []byte) string {
	t.Helper()
	type views []struct{ Partitions []struct{ Position uint64 } }
	text := bytes.TrimSpace(provenance)
	if !bytes.HasPrefix(text, []byte("[")) {
		text = slices.Concat([]byte("["), text, []byte("]"))
	}
	var of views
	if err := json.Unmarshal(text, &of); err != nil {
		t.Fatalf("read provenance: %v in %q", err, provenance)
	}
	if len(of) != 1 || len(of[0].Partitions) != 2 {
		t.Fatalf("the provenance %q is not that of one view of two partitions", provenance)
	}
	return fmt.Sprint(of[0].Partitions)
}

// provenanceOf is a transport that keeps the header of the last answer that has one.
type provenanceOf struct {
	http.RoundTripper
	last string
}

func (p *provenanceOf) RoundTrip(r *http.Request) (*http.Response, error) {
	reply, err := p.RoundTripper.RoundTrip(r)
	if err == nil && reply.Header.Get("Millrace-Provenance") != "" {
		p.last = reply.Header.Get("Millrace-Provenance")
	}
	return reply, err
}

func askClickHouseGo(t *testing.T, address string) (rows []pageHit, provenance string) {
	t.Helper()
	kept := &provenanceOf{}
	conn, err := ch.Open(&ch.Options{
		Protocol: ch.HTTP, Addr: []string{address}, Auth: ch.Auth{Database: "millrace", Username: "default"},
		Compression: &ch.Compression{Method: ch.CompressionLZ4},
		TransportFunc: func(next *http.Transport) (http.RoundTripper, error) {
			kept.RoundTripper = next
			return kept, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	column := func(text string) (values []string) {
		t.Helper()
		r, err := conn.Query(context.Background(), text)
		if err != nil {
			t.Fatalf("clickhouse-go: %s: %v", text, err)
		}
		for r.Next() {
			var v string
			if err := r.Scan(&v); err != nil {
				t.Fatalf("clickhouse-go: %s: %v", text, err)
			}
			values = append(values, v)
		}
		if err := errors.Join(r.Err(), r.Close()); err != nil {
			t.Fatalf("clickhouse-go: %s: %v", text, err)
		}
		return values
	}
	for text, want := range map[string][]string{
		"SHOW DATABASES": {"millrace"},
		"SHOW TABLES":    {"clicks", "page_hits"},
		"SELECT name FROM system.tables WHERE database = 'millrace' ORDER BY name": {"clicks", "page_hits"},
		"SELECT type FROM system.columns WHERE table = 'page_hits' ORDER BY name":  {"UInt64", "String", "Float64"},
	} {
		got := column(text)
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("clickhouse-go: %s: %q, want %q in it", text, got, want)
			}
		}
	}
	r, err := conn.Query(context.Background(), statementOfHits)
	if err != nil {
		t.Fatalf("clickhouse-go: %v", err)
	}
	for r.Next() {
		var row pageHit
		if err := r.Scan(&row.page, &row.hits, &row.revenue); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	if err := errors.Join(r.Err(), r.Close()); err != nil {
		t.Fatal(err)
	}
	return rows, kept.last
}

func askCurl(t *testing.T, address string) (rows []pageHit, provenance string) {
	t.Helper()
	curl := func(text string) (header, body string) {
		out, err := exec.Command("curl", "-sS", "--max-time", "30", "-i", "-u", "default:", "http://"+address+"/?database=millrace", "--data-binary", text).CombinedOutput()
		if err != nil {
			t.Fatalf("curl: %v %s", err, out)
		}
		header, body, _ = strings.Cut(string(out), "\r\n\r\n")
		if !strings.HasPrefix(header, "HTTP/1.1 200") {
			t.Fatalf("curl: %s: %s", text, out)
		}
		return header, body
	}
	for text, want := range map[string]string{
		"SHOW DATABASES": "millrace\n",
		"SHOW TABLES":    "page_hits\n",
		"SELECT type FROM system.columns WHERE database = currentDatabase() AND table = 'page_hits' AND name = 'revenue'": "Float64\n",
	} {
		if _, body := curl(text); !strings.Contains(body, want) {
			t.Errorf("curl: %s: %q, want %q in it", text, body, want)
		}
	}
	header, body := curl(statementOfHits)
	for line := range strings.SplitSeq(header, "\r\n") {
		if value, ok := strings.CutPrefix(line, "Millrace-Provenance: "); ok {
			provenance = value
		}
	}
	for line := range strings.Lines(body) {
		var row pageHit
		if _, err := fmt.Sscan(line, &row.page, &row.hits, &row.revenue); err != nil {
			t.Fatalf("curl: row %q: %v", line, err)
		}
		rows = append(rows, row)
	}
	return rows, provenance
}

func askJavaScript(t *testing.T, client chhttptest.JavaScript, address string) (rows []pageHit, provenance string) {
	t.Helper()
	got := client.Ask(t, "http://"+address, "millrace", "page_hits", statementOfHits, "")
	if !got.Ping || !got.Select || !slices.Contains(got.Databases, "millrace") || !slices.Contains(got.Tables, "page_hits") || len(got.Columns) != 3 {
		t.Errorf("@clickhouse/client: %+v", got)
	}
	if got.Refusal.Code != "164" {
		t.Errorf("@clickhouse/client: CREATE was not refused as read-only: %+v", got.Refusal)
	}
	if len(got.Compressed) != len(got.Data) {
		t.Errorf("@clickhouse/client: %d rows, and %d compressed", len(got.Data), len(got.Compressed))
	}
	for _, r := range got.Data {
		// ClickHouse's JSON quotes 64-bit integers unless it is told otherwise.
		hits, err := strconv.ParseUint(fmt.Sprint(r["hits"]), 10, 64)
		if err != nil {
			t.Fatalf("@clickhouse/client: row %v: %v", r, err)
		}
		rows = append(rows, pageHit{fmt.Sprint(r["page"]), hits, r["revenue"].(float64)})
	}
	return rows, got.Provenance
}

// TestClickHouseEndpointAsksWho: the endpoint stands behind the same gate as the main
// port, with the same limits, and what was asked there is in the audit log.
func TestClickHouseEndpointAsksWho(t *testing.T) {
	address := freeAddress(t)
	s := newServer(t, "--epoch", "1s", "--flush", "20ms", "--clickhouse.listen", address, "--query.max_rows", "1000", "--query.timeout", "2s")
	for _, name := range []string{"clicks", "secrets"} {
		s.sql("CREATE STREAM " + name + " (ts DateTime64(3), page String)")
	}
	token := func(role, object string) string {
		t.Helper()
		status, body, err := s.do(context.Background(), http.MethodPost, "/v1/tokens", "application/json",
			fmt.Appendf(nil, `{"name":"%s of %s","role":%q,"objects":[%q]}`, role, object, role, object))
		var made struct{ Token string }
		if err != nil || status != http.StatusCreated || json.Unmarshal(body, &made) != nil {
			t.Fatalf("make a token: %d %v %s", status, err, body)
		}
		return made.Token
	}
	ask := func(text string, header ...string) (status int, code, body string) {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, "http://"+address+"/", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		reply, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer reply.Body.Close()
		all, err := io.ReadAll(reply.Body)
		if err != nil {
			t.Fatal(err)
		}
		return reply.StatusCode, reply.Header.Get("X-ClickHouse-Exception-Code"), string(all)
	}
	reader, writer := token("sql", "clicks"), token("ingest", "clicks")
	for name, c := range map[string]struct {
		text   string
		header []string
		code   string // "" is success
		want   string
	}{
		"its own tables":           {"SHOW TABLES", []string{"X-ClickHouse-Key", reader}, "", "clicks\n"},
		"its own columns":          {"SELECT DISTINCT table FROM system.columns", []string{"X-ClickHouse-Key", reader}, "", "clicks\n"},
		"everything, locally":      {"SHOW TABLES", nil, "", "clicks\nsecrets\n"},
		"its own name":             {"SELECT currentUser()", []string{"X-ClickHouse-User", "root", "X-ClickHouse-Key", reader}, "", "sql of clicks\n"},
		"another's table":          {"SELECT * FROM secrets", []string{"X-ClickHouse-Key", reader}, "60", "there is no stream or view"},
		"a table that is not":      {"SELECT * FROM nothing", []string{"X-ClickHouse-Key", reader}, "60", "there is no stream or view"},
		"a token for events":       {"SELECT 1", []string{"X-ClickHouse-Key", writer}, "497", "lacks the right query"},
		"a token that is not":      {"SELECT 1", []string{"X-ClickHouse-Key", reader[:len(reader)-1] + "~"}, "516", "token"},
		"a page of another origin": {"SELECT 1", []string{"Origin", "https://evil.example"}, "516", "this needs a token"},
		"writing":                  {"DROP STREAM clicks", nil, "164", "read-only"},
		"too many rows":            {"SELECT number FROM numbers(1001)", nil, "396", "query.max_rows"},
		"too long":                 {"SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1", nil, "159", "query.timeout"},
		"a file":                   {"SELECT * FROM file('/etc/passwd')", nil, "62", "file"},
	} {
		t.Run(name, func(t *testing.T) {
			status, code, body := ask(c.text, c.header...)
			if code != c.code || (status == http.StatusOK) != (c.code == "") || c.code == "" && body != c.want || !strings.Contains(body, c.want) {
				t.Errorf("%d, code %q: %s", status, code, body)
			}
		})
	}
	// What clients that do not run here send before anything of their users: JDBC drivers
	// and what is built on them, and clickhouse-connect.
	for text, want := range map[string]string{
		"SELECT currentUser() AS user, timezone() AS timezone, substring(version(), 1, 1) AS version LIMIT 1": "sql of clicks\tUTC\t2\n",
		"SELECT version() != '', timezone()":                                                                        "1\tUTC\n",
		"SELECT name, value, readonly as readonly FROM system.settings LIMIT 10000":                                 "",
		"select toInt8(ifnull((select value from system.settings where name = 'readonly'), '0')) AS readonly":       "0\n",
		"SELECT name AS TABLE_SCHEM, NULL AS TABLE_CATALOG FROM system.databases WHERE name LIKE '%' ORDER BY name": "millrace\t\\N\n",
		`SELECT t.database AS TABLE_SCHEM, t.name AS TABLE_NAME, if(t.is_temporary = 1, concat('Temporary', t.engine), t.engine) AS TABLE_TYPE, t.comment AS REMARKS
			FROM system.tables t JOIN system.databases d ON system.tables.database = system.databases.name
			WHERE t.database LIKE '%' AND t.name LIKE '%' AND NOT t.engine LIKE 'System%' AND t.is_temporary = 0`: "millrace\tclicks\tMillraceStream\tstream\n",
		"SELECT table, name, type, position, default_kind, is_in_primary_key FROM system.columns WHERE database = database() AND name = 'page'": "clicks\tpage\tString\t2\t\t0\n",
		"SELECT hostName(), displayName(), revision() > 54000": "millrace\tmillrace\t1\n",
	} {
		if status, _, body := ask(text, "X-ClickHouse-Key", reader); status != http.StatusOK || body != want {
			t.Errorf("%s: %d %q, want %q", text, status, body, want)
		}
	}
	_, log, err := s.do(context.Background(), http.MethodGet, "/v1/audit?limit=100", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"name":"sql of clicks","role":"sql","address":"127.0.0.1","kind":"sql","text":"SELECT currentUser()","outcome":"ok"`, `"kind":"refused","text":"DROP STREAM clicks","outcome":"/problems/readonly"`} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the audit log has no %s:\n%s", want, log)
		}
	}
}

// TestClickHousePortInUse: the default is the port of every ClickHouse server, so the
// refusal names the key.
func TestClickHousePortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, stderr, code := cli(t, nil, "", "up", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--clickhouse.listen", l.Addr().String())
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	expect(t, "up", stderr, "clickhouse.listen", "address already in use", "an empty one to do without")
}
