package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	badMaxBody = 16 << 20
	badMaxRow  = 4 << 10
	badTimeout = 5 * time.Second
	// badSlack is what memory may grow by beside the body: the window of a zstd decoder (8
	// MiB), and what the collector has not got to yet.
	badSlack = 32 << 20
)

// TestBadInput sends what should not be sent, to one server with small limits.
func TestBadInput(t *testing.T) {
	// The collector is to run early: the memory that is measured should be what a request
	// needs, not what the requests before it left.
	t.Setenv("GOGC", "25")
	s := newServer(t, "--epoch", "1s", "--flush", "20ms", "--grace", "1s", "--ingest.future_skew", "2s",
		"--ingest.max_row_bytes", strconv.Itoa(badMaxRow), "--ingest.max_body_bytes", strconv.Itoa(badMaxBody),
		"--query.timeout", badTimeout.String())
	for _, c := range []struct {
		name string
		run  func(*testing.T, *server)
	}{
		{"DeadLetters", testDeadLetters},
		{"Bombs", testBombs},
		{"Problems", testProblems},
		{"OddValues", testOddValues},
		{"StalledRedis", func(t *testing.T, s *server) { testStalled(t, s, "redis") }},
		{"StalledEngine", func(t *testing.T, s *server) { testStalled(t, s, "engine") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			of := *s
			of.t = t
			c.run(t, &of)
		})
	}
}

// zeros is an endless input that compresses a thousandfold.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func testBombs(t *testing.T, s *server) {
	const bombBytes = 512 << 20
	s.sql("CREATE STREAM bombs (ts DateTime64(3), k String) WITH (event_time = 'ts')")
	bomb := func(w io.WriteCloser) {
		t.Helper()
		if _, err := io.CopyN(w, zeros{}, bombBytes); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var gz, zst bytes.Buffer
	z, _ := gzip.NewWriterLevel(&gz, gzip.BestSpeed)
	bomb(z)
	w, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	bomb(w)
	plain := bytes.Repeat([]byte(`{"ts":"2024-01-01","k":"x"}`+"\n"), badMaxBody/28+100)
	bounded := func(name string, request func()) {
		t.Helper()
		before := s.peak(t, true)
		request()
		// A growing buffer and its copies take up to twice the limit.
		grown := s.peak(t, false) - before
		t.Logf("%s: memory grew by %d MiB at a limit of %d MiB", name, grown>>20, badMaxBody>>20)
		if grown > 2*badMaxBody+badSlack {
			t.Errorf("%s: memory grew by %d MiB at a limit of %d MiB", name, grown>>20, badMaxBody>>20)
		}
	}
	for _, c := range []struct {
		name, encoding string
		body           []byte
	}{
		{"too long", "", plain}, {"gzip bomb", "gzip", gz.Bytes()}, {"zstd bomb", "zstd", zst.Bytes()},
	} {
		bounded(c.name, func() {
			p := s.problem(t, http.MethodPost, "/v1/streams/bombs/events", "application/x-ndjson", c.body, http.StatusRequestEntityTooLarge, "Content-Encoding", c.encoding)
			if !strings.Contains(p.Detail, strconv.Itoa(badMaxBody)) {
				t.Errorf("%s: the problem does not name the limit: %+v", c.name, p)
			}
		})
	}
	bounded("a body of unknown length", func() {
		reply, err := http.Post(s.url+"/v1/streams/bombs/events", "application/x-ndjson", io.LimitReader(zeros{}, bombBytes))
		if err != nil {
			return // the server closed the connection while the client still sent
		}
		if reply.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("body of unknown length over the limit: %s", reply.Status)
		}
		_ = reply.Body.Close()
	})
	if n := tableOf(t, s.sql("SELECT 'all' AS k, count() AS n FROM bombs"), []string{"k"})["all|"]["n"]; fmt.Sprint(n) != "0" {
		t.Errorf("%v events of refused bodies were kept", n)
	}
}

// peak returns the most memory that the server's process held since the last call with
// reset, in bytes.
func (s *server) peak(t *testing.T, reset bool) int64 {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d/", s.cmd.Process.Pid)
	if reset {
		if err := os.WriteFile(proc+"clear_refs", []byte("5"), 0); err != nil {
			t.Skipf("memory is not measured, which needs Linux: %v", err)
		}
	}
	text, err := os.ReadFile(proc + "status")
	if err != nil {
		t.Skipf("memory is not measured, which needs Linux: %v", err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no VmHWM in %s", text)
	}
	kib, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// answered is what problem JSON says.
type answered struct {
	Type, Title, Detail, Hint string
	Status, Line, Column      int
	retryAfter                string
}

// problem sends a request that must be answered by problem JSON of a status.
func (s *server) problem(t *testing.T, method, path, contentType string, body []byte, status int, header ...string) answered {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	p, err := s.refusal(ctx, method, path, contentType, body, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if p.Status != status {
		t.Errorf("%s %s: %+v, want %d", method, path, p, status)
	}
	return p
}

// refusal sends a request and returns the problem that it is answered by.
func (s *server) refusal(ctx context.Context, method, path, contentType string, body []byte, header ...string) (p answered, err error) {
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return p, err
	}
	r.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return p, err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return p, err
	}
	if got := reply.Header.Get("Content-Type"); got != "application/problem+json" {
		return p, fmt.Errorf("answered %s as %s: %.500s", reply.Status, got, text)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("%w in %.500s", err, text)
	}
	if p.Status != reply.StatusCode || p.Type == "" || p.Title == "" || p.Detail == "" {
		return p, fmt.Errorf("a problem of status %d says too little: %s", reply.StatusCode, text)
	}
	p.retryAfter = reply.Header.Get("Retry-After")
	return p, nil
}

func testProblems(t *testing.T, s *server) {
	s.sql("CREATE STREAM fine (ts DateTime64(3), k String, n Int64) WITH (event_time = 'ts')")
	s.sql("CREATE VIEW fine_by_k AS SELECT k, count() AS n FROM fine GROUP BY k")
	const door, ndjson = "/v1/streams/fine/events", "application/x-ndjson"
	row := []byte(`{"ts":"2024-01-01","k":"a"}` + "\n")
	var gz, zst bytes.Buffer
	z := gzip.NewWriter(&gz)
	_, _ = z.Write(bytes.Repeat(row, 1000))
	_ = z.Close()
	w, _ := zstd.NewWriter(&zst)
	_, _ = w.Write(bytes.Repeat(row, 1000))
	_ = w.Close()
	garbled := bytes.Clone(gz.Bytes())
	garbled[len(garbled)-6] ^= 0xff // in the checksum
	for _, c := range []struct {
		name, path, contentType, encoding string
		body                              []byte
		status                            int
	}{
		{"not gzip", door, ndjson, "gzip", row, 400},
		{"cut gzip", door, ndjson, "gzip", gz.Bytes()[:gz.Len()/2], 400},
		{"gzip of a wrong checksum", door, ndjson, "gzip", garbled, 400},
		{"not zstd", door, ndjson, "zstd", row, 400},
		{"cut zstd", door, ndjson, "zstd", zst.Bytes()[:zst.Len()/2], 400},
		{"unknown encoding", door, ndjson, "br", row, 415},
		{"no content type", door, "", "", row, 415},
		{"wrong content type", door, "application/xml", "", row, 415},
		{"wrong charset", door, "text/csv; charset=utf-16", "", row, 415},
		{"broken JSON document", door, "application/json", "", []byte(`[{"ts":"2024-01-01"},`), 400},
		{"CSV without the event time", door, "text/csv", "", []byte("k,n\na,1\n"), 400},
		{"unknown stream", "/v1/streams/fin/events", ndjson, "", row, 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.problem(t, http.MethodPost, c.path, c.contentType, c.body, c.status, "Content-Encoding", c.encoding)
		})
	}
	for _, c := range []struct {
		path   string
		status int
	}{
		{"/v1/views/nothing", 404}, {"/v1/views/fine_by_k?limit=-1", 400}, {"/v1/views/fine_by_k?by=x", 400},
		{"/v1/views/fine_by_k?where=k%3D", 400}, {"/v1/views/fine_by_k?from=later", 400}, {"/v1/views/fine_by_k?format=xml", 400},
		{"/v1/streams/nothing/errors", 404},
	} {
		s.problem(t, http.MethodGet, c.path, "", nil, c.status)
	}
	s.problem(t, http.MethodPost, "/v1/views/nothing/batch", "", nil, 404)
	s.problem(t, http.MethodPost, "/v1/streams/nothing/errors/replay", "", nil, 404)

	for _, c := range []struct {
		text         string
		status       int
		line, column int
	}{
		{"SELEC 1", 400, 1, 1},
		{"SELECT k\n  FRM fine", 400, 2, 7},
		{"CREATE VIEW v AS\nSELECT k, nosuch(k) AS x\nFROM fine GROUP BY k", 400, 2, 11},
		{"CREATE VIEW v AS SELECT missing, count() AS n FROM fine GROUP BY missing", 400, 1, 66},
		{"CREATE STREAM x (ts DateTime64(3), y Inte64)", 400, 1, 38},
		{"CREATE STREAM x (ts DateTime64(3)) WITH (colour = 'red')", 400, 1, 42},
		{"SELECT 'unterminated", 400, 1, 8},
		{"DROP VIEW nothing", 404, 0, 0},
		{"DROP STREAM fine", 409, 0, 0},
		{"CREATE STREAM fine (ts DateTime64(3))", 409, 0, 0},
	} {
		p := s.problem(t, http.MethodPost, "/v1/sql", "text/plain", []byte(c.text), c.status)
		if p.Line != c.line || p.Column != c.column {
			t.Errorf("%q: line %d, column %d, want %d, %d: %s", c.text, p.Line, p.Column, c.line, c.column, p.Detail)
		}
	}
	for _, text := range []string{
		"SELECT count() FROM nosuch", "SELECT nosuch(k) FROM fine", "SELECT nosuch FROM fine",
		"SELECT * FROM file('/etc/passwd', 'LineAsString')", "SELECT file('/etc/passwd')", "SELECT throwIf(1)", "", ";",
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		p, err := s.refusal(ctx, http.MethodPost, "/v1/sql", "text/plain", []byte(text))
		cancel()
		if err != nil || p.Status < 400 || p.Status >= 500 {
			t.Errorf("%q: %+v, %v; want a refusal", text, p, err)
		}
	}
}

// testOddValues sends values at the edges of what is defined, and compares the speed
// layer's answer, the batch layer's, and the engine's own over the stored events.
func testOddValues(t *testing.T, s *server) {
	s.sql("CREATE STREAM odd (k String, ts DateTime64(3), s String, f Float64, i Int64, u UInt64, d Date) WITH (event_time = 'ts', partition_by = 'k', partitions = 2)")
	const columns = "count() AS n, min(ts) AS first, max(ts) AS last, min(s) AS least, max(s) AS most, uniq(s) AS texts, sum(f) AS fs, min(f) AS f0, max(f) AS f1, avg(f) AS fm, sum(i) AS ints, min(i) AS i0, sum(u) AS us, max(u) AS u1, max(d) AS day"
	s.sql("CREATE VIEW odd_by_k AS SELECT k, " + columns + " FROM odd GROUP BY k WITH (batch = '0 0 1 1 *')")
	s.sql("CREATE VIEW odd_by_day AS SELECT k, count() AS n, max(s) AS most FROM odd GROUP BY k, tumble(ts, INTERVAL 1 DAY) WITH (batch = '0 0 1 1 *')")
	rows := []struct {
		key, fields string
		want        map[string]string // what an answer says, as JSON text
	}{
		{"invalid UTF-8", "\"s\":\"a\xff\xfeb\"", map[string]string{"n": "1", "texts": "1"}},
		{"zero byte", `"s":"a\u0000b"`, map[string]string{"least": `"a\u0000b"`}},
		{"half a surrogate", `"s":"\ud800"`, map[string]string{"least": `"�"`}},
		{"same key twice", `"i":1,"i":2,"\u0069":3`, map[string]string{"ints": "3"}},
		{"largest integers", `"i":9223372036854775807,"u":18446744073709551615`, map[string]string{"ints": "9223372036854775807", "u1": "18446744073709551615"}},
		{"smallest integer", `"i":-9223372036854775808,"u":-0`, map[string]string{"i0": "-9223372036854775808", "u1": "0"}},
		{"integers with exponents", `"i":1e3,"u":1.0`, map[string]string{"ints": "1000", "us": "1"}},
		{"largest float", `"f":1.7976931348623157e308`, map[string]string{"fs": "1.7976931348623157e+308"}},
		{"too small a float", `"f":1e-400`, map[string]string{"fs": "0"}},
		{"NaN", `"f":"NaN"`, map[string]string{"fs": "null", "fm": "null"}},
		{"infinity", `"f":"-inf"`, map[string]string{"fs": "null"}},
		{"date before 1970", `"ts":"1969-12-31T23:59:59.999Z"`, map[string]string{"first": `"1969-12-31 23:59:59.999"`}},
		{"first date", `"ts":"1900-01-01T00:00:00Z"`, map[string]string{"first": `"1900-01-01 00:00:00.000"`}},
		{"number before 1970", `"ts":-1.0005`, map[string]string{"first": `"1969-12-31 23:59:58.999"`}},
		{"leap second", `"ts":"2016-12-31T23:59:60Z"`, map[string]string{"first": `"2017-01-01 00:00:00.000"`}},
		{"leap day", `"ts":"2024-02-29T23:59:59.9999Z","d":"2024-02-29"`, map[string]string{"first": `"2024-02-29 23:59:59.999"`, "day": `"2024-02-29"`}},
		{"last day", `"d":"2149-06-06"`, map[string]string{"day": `"2149-06-06"`}},
	}
	var body bytes.Buffer
	for _, r := range rows {
		if !strings.Contains(r.fields, `"ts"`) {
			r.fields = `"ts":"2024-05-01T12:00:00Z",` + r.fields
		}
		fmt.Fprintf(&body, "{\"k\":%q,%s}\n", r.key, r.fields)
		fmt.Fprintf(&body, "{\"k\":\"together\",%s}\n", r.fields)
	}
	refused := []string{`"i":9223372036854775808`, `"u":-1`, `"u":18446744073709551616`, `"f":1e400`, `"f":NaN`, `"i":0.5`, `"d":"1969-12-31"`, `"ts":"1899-12-31"`, `"ts":"2023-02-29"`, `"ts":"2016-12-31T24:00:00Z"`, `"ts":"2016-12-31T12:60:00Z"`}
	for _, fields := range refused {
		fmt.Fprintf(&body, "{\"k\":\"refused\",\"ts\":\"2024-05-01\",%s}\n", fields)
	}
	reply, _, err := s.post("odd", "application/x-ndjson", body.Bytes(), "odd")
	if err != nil || reply.Accepted != 2*len(rows) || reply.Rejected != len(refused) {
		t.Fatalf("accepted %d, refused %d, %v; want %d and %d: %v", reply.Accepted, reply.Rejected, err, 2*len(rows), len(refused), reply.Errors)
	}
	byKey, byDay := check{view: "odd_by_k", keys: []string{"k"}}, check{view: "odd_by_day", keys: []string{"window_start", "k"}}
	speed, _ := ask(t, s, byKey)
	speedDays, _ := ask(t, s, byDay)
	for _, r := range rows {
		row := speed[r.key+"|"]
		for name, want := range r.want {
			got, _ := json.Marshal(row[name])
			if string(got) != want {
				t.Errorf("%s: %s is %s, want %s", r.key, name, got, want)
			}
		}
	}
	if n := len(speed); n != len(rows)+1 {
		t.Errorf("%d groups, want %d", n, len(rows)+1)
	}
	s.untilSealed(t, "odd", int64(2*len(rows)))
	for _, view := range []string{"odd_by_k", "odd_by_day"} {
		if s.runBatch(t, view) == 0 {
			t.Errorf("the batch run of %s covers no rows", view)
		}
	}
	batch, _ := ask(t, s, byKey)
	if diffs := differences(batch, speed); len(diffs) > 0 {
		t.Errorf("the batch layer differs from the speed layer:\n%s", joinFirst(diffs, 20))
	}
	batchDays, _ := ask(t, s, byDay)
	if diffs := differences(batchDays, speedDays); len(diffs) > 0 {
		t.Errorf("by day, the batch layer differs from the speed layer:\n%s", joinFirst(diffs, 20))
	}
	engine := tableOf(t, s.sql("SELECT k, "+columns+" FROM odd GROUP BY k"), []string{"k"})
	// In JSON the engine has one U+FFFD for a run of bytes that are no UTF-8; the view API
	// has one for each.
	for _, row := range speed {
		for name, cell := range row {
			if text, ok := cell.(string); ok {
				row[name] = strings.ReplaceAll(text, "\uFFFD\uFFFD", "\uFFFD")
			}
		}
	}
	if diffs := differences(speed, engine); len(diffs) > 0 {
		t.Errorf("the view differs from the engine's own answer over the events:\n%s", joinFirst(diffs, 20))
	}
}

// testStalled stops a child in its tracks: ingest goes on, queries end in bounded time,
// and all is well once the child goes on.
func testStalled(t *testing.T, s *server, child string) {
	stream := "stall_" + child
	s.sql("CREATE STREAM " + stream + " (ts DateTime64(3), k String) WITH (event_time = 'ts', partitions = 2)")
	s.sql("CREATE VIEW " + stream + "_by_k AS SELECT k, count() AS n FROM " + stream + " GROUP BY k")
	k := check{view: stream + "_by_k", keys: []string{"k"}}
	rows := func() {
		t.Helper()
		start := time.Now()
		r, _, err := s.post(stream, "application/x-ndjson", bytes.Repeat([]byte(`{"ts":"2024-01-01","k":"a"}`+"\n"), 100), "")
		if err != nil || r.Accepted != 100 {
			t.Errorf("ingest: %+v, %v", r, err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("ingest took %s", took)
		}
	}
	rows()
	ask(t, s, k)
	var status struct{ Pids map[string]int }
	s.get("/v1/status", &status)
	pid := status.Pids[child]
	if pid <= 1 {
		t.Skipf("there is no %s child; with redis-server on the PATH there is", child)
	}
	resume := func() { _ = syscall.Kill(pid, syscall.SIGCONT) }
	defer resume()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		rows()
	}
	paths := map[string][3]string{
		"view":   {http.MethodGet, "/v1/views/" + k.view},
		"select": {http.MethodPost, "/v1/sql", "SELECT count() AS n FROM " + k.view},
		"create": {http.MethodPost, "/v1/sql", "CREATE VIEW never_" + child + " AS SELECT count() AS n FROM " + stream},
		"status": {http.MethodGet, "/v1/status"},
		"ready":  {http.MethodGet, "/readyz"},
	}
	if child == "engine" { // a batch run does without Redis
		paths["batch"] = [3]string{http.MethodPost, "/v1/views/" + k.view + "/batch"}
	}
	type outcome struct {
		name   string
		status int
		body   []byte
		took   time.Duration
		err    error
	}
	outcomes := make(chan outcome)
	for name, p := range paths {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			start := time.Now()
			status, body, err := s.do(ctx, p[0], p[1], "", []byte(p[2]))
			outcomes <- outcome{name, status, body, time.Since(start), err}
		}()
	}
	for range paths {
		o := <-outcomes
		t.Logf("%s: %d in %s", o.name, o.status, o.took.Round(time.Millisecond))
		if o.err != nil || o.took > badTimeout+10*time.Second {
			t.Errorf("%s: %v in %s", o.name, o.err, o.took)
		}
		// A view may still be answered, of what is at hand; what cannot be says so.
		mayAnswer := o.name == "view" || o.name == "select" || o.name == "status"
		right := o.status == http.StatusServiceUnavailable || o.status == http.StatusGatewayTimeout || mayAnswer && o.status == http.StatusOK
		if !right {
			t.Errorf("%s: %d %s", o.name, o.status, o.body)
		}
	}
	resume()
	eventually(t, "the server is ready again", func() bool {
		status, _, err := s.do(context.Background(), http.MethodGet, "/readyz", "", nil)
		return err == nil && status == http.StatusOK
	})
	rows()
	got, _ := ask(t, s, k)
	if n := fmt.Sprint(got["a|"]["n"]); n != "700" {
		t.Errorf("%s events after the stall, want 700", n)
	}
}
