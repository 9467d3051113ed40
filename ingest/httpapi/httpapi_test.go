package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/ingest/appender"
	"github.com/millrace/millrace/ingest/decode"
	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/ingest/stream/memstream"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fixture is a handler over one stream, "clicks", in memory.
type fixture struct {
	http.Handler
	stream  *plan.Stream
	backend *memstream.Backend
	log     stream.Log
	target  *Target
	budget  *appender.Budget

	mu      sync.Mutex
	letters []string
	last    []Letter // of the last Write, with copies of Raw
	fail    error    // of DeadLetters
}

func (f *fixture) Lookup(name string) (*Target, error) {
	if name != "clicks" {
		return nil, fmt.Errorf("stream %q %w; is it clicks?", name, catalog.ErrNotFound)
	}
	return f.target, nil
}

func (f *fixture) Write(_ context.Context, streamID string, letters []Letter) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return f.fail
	}
	f.last = nil
	for _, l := range letters {
		l.Raw = bytes.Clone(l.Raw)
		f.last = append(f.last, l)
		f.letters = append(f.letters, fmt.Sprintf("%s %d %s %s", streamID, l.Line, l.Raw, l.Arrival.Format(time.DateOnly)))
	}
	return nil
}

func newFixture(t testing.TB, limits decode.Limits) *fixture {
	t.Helper()
	schema, err := event.NewSchema(
		event.Column{Name: "ts", Type: event.Type{Kind: event.DateTime64, Precision: 3}},
		event.Column{Name: "user_id", Type: event.Type{Kind: event.String}},
		event.Column{Name: "page", Type: event.Type{Kind: event.String}},
		event.Column{Name: "latency_ms", Type: event.Type{Kind: event.Int64}},
		event.Column{Name: "price", Type: event.Type{Kind: event.Float64}},
		event.Column{Name: "ok", Type: event.Type{Kind: event.Bool}},
		event.Column{Name: event.ExtraColumn, Type: event.Type{Kind: event.String}},
	)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{backend: memstream.New(), budget: appender.NewBudget(256 << 20)}
	f.stream = &plan.Stream{Name: "clicks", Schema: schema, Partitions: 2, PartitionBy: []int{1}}
	if f.log, err = f.backend.Open(context.Background(), "clicks.1", 2); err != nil {
		t.Fatal(err)
	}
	a := appender.New(appender.Options{StreamID: "clicks.1", Stream: f.stream, Log: f.log, Budget: f.budget})
	t.Cleanup(func() {
		if err := a.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if used := f.budget.Used(); used != 0 {
			t.Errorf("%d bytes of the budget were not released", used)
		}
	})
	limits.FutureSkew = time.Hour
	f.target = &Target{ID: "clicks.1", Decoders: decode.NewPool(f.stream, limits), Appender: a}
	mux := http.NewServeMux()
	mux.Handle("POST "+Path, New(Options{
		Streams: f, DeadLetters: f, Limits: limits, Budget: f.budget, Now: func() time.Time { return testNow },
	}))
	f.Handler = mux
	return f
}

// rows counts the rows in the log that count.
func (f *fixture) rows(t testing.TB) int {
	t.Helper()
	n := 0
	for p := range f.stream.Partitions {
		head, err := f.log.Head(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		tail, err := stream.OpenTail(context.Background(), stream.TailOptions{Log: f.log, Partition: p, Schema: f.stream.Schema, EpochLength: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		for seq := uint64(0); seq < head; {
			d, err := tail.Next(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			seq = d.Seq
			n += d.Count()
		}
		if err := tail.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// post sends a body; headers come as name, value pairs.
func (f *fixture) post(body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/v1/streams/clicks/events", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-ndjson")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

func zstded(s string, o ...zstd.EOption) string {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, o...)
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

const twoRows = `{"ts":1,"user_id":"a"}` + "\n" + `{"ts":2,"user_id":"b"}` + "\n"

func TestFormatsAndEncodings(t *testing.T) {
	cases := []struct {
		name, body string
		headers    []string
	}{
		{"ndjson", twoRows, nil},
		{"ndjson, other name", twoRows, []string{"Content-Type", "application/jsonl; charset=UTF-8"}},
		{"array", `[{"ts":1},{"ts":2}]`, []string{"Content-Type", "application/json"}},
		{"csv", "ts,user_id\n1,a\n2,b\n", []string{"Content-Type", "text/csv; header=present"}},
		{"gzip", gzipped(twoRows), []string{"Content-Encoding", "gzip"}},
		{"two gzip members", gzipped(twoRows[:23]) + gzipped(twoRows[23:]), []string{"Content-Encoding", "gzip"}},
		{"zstd", zstded(twoRows), []string{"Content-Encoding", "zstd"}},
	}
	f := newFixture(t, decode.Limits{})
	for i, c := range cases {
		for range 2 { // the second time with pooled memory
			w := f.post(c.body, c.headers...)
			if want := `{"accepted":2,"rejected":0,"errors":[]}` + "\n"; w.Code != 200 || w.Body.String() != want {
				t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
			}
		}
		if n := f.rows(t); n != 4*(i+1) {
			t.Fatalf("%s: %d rows stored, want %d", c.name, n, 4*(i+1))
		}
	}
}

func TestRefusals(t *testing.T) {
	big := strings.Repeat(" ", 20_001)
	cases := []struct {
		name    string
		body    string
		headers []string
		status  int
		text    string
	}{
		{"no content type", twoRows, []string{"Content-Type", ""}, 415, "application/x-ndjson"},
		{"form", twoRows, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "is not taken"},
		{"charset", twoRows, []string{"Content-Type", "text/csv; charset=latin1"}, 415, "is not taken"},
		{"encoding", twoRows, []string{"Content-Encoding", "br"}, 415, "is not taken"},
		{"no gzip", twoRows, []string{"Content-Encoding", "gzip"}, 400, "not whole gzip"},
		{"cut gzip", gzipped(twoRows)[:30], []string{"Content-Encoding", "gzip"}, 400, "not whole gzip"},
		{"no zstd", twoRows, []string{"Content-Encoding", "zstd"}, 400, "not whole zstd"},
		{"cut zstd", zstded(twoRows)[:20], []string{"Content-Encoding", "zstd"}, 400, "not whole zstd"},
		{"too large", big, nil, 413, "20001 bytes"},
		{"gzip bomb", gzipped(strings.Repeat("\n", 10<<20)), []string{"Content-Encoding", "gzip"}, 413, "more than 20000 bytes"},
		{"zstd bomb", zstded(strings.Repeat("\n", 10<<20)), []string{"Content-Encoding", "zstd"}, 413, "more than 20000 bytes"},
		{"not JSON", `[{"ts":1},`, []string{"Content-Type", "application/json"}, 400, `"offset":10`},
		{"too many rows", strings.Repeat("{}\n", 21), nil, 413, "more than 20 rows"},
		{"key too long", twoRows, []string{"Idempotency-Key", strings.Repeat("k", 256)}, 400, "256 bytes"},
	}
	f := newFixture(t, decode.Limits{MaxBodyBytes: 20_000, MaxRows: 20})
	for _, c := range cases {
		w := f.post(c.body, c.headers...)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.text) || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
	}
	if n := f.rows(t); n != 0 || len(f.letters) != 0 {
		t.Errorf("%d rows and letters %v stored of refused requests", n, f.letters)
	}
}

func TestChunkedBodyOverTheLimit(t *testing.T) {
	f := newFixture(t, decode.Limits{MaxBodyBytes: 1000})
	r := httptest.NewRequest(http.MethodPost, "/v1/streams/clicks/events", io.MultiReader(strings.NewReader(strings.Repeat(" ", 100<<20))))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	if f.ServeHTTP(w, r); w.Code != 413 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestUnknownStream(t *testing.T) {
	f := newFixture(t, decode.Limits{})
	w := httptest.NewRecorder()
	f.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/streams/cliks/events", nil))
	if w.Code != 404 || !strings.Contains(w.Body.String(), "is it clicks?") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestRejectedRows(t *testing.T) {
	f := newFixture(t, decode.Limits{})
	w := f.post(`{"ts":1}` + "\n" + `{"ts":"bad"}` + "\n\n" + `nonsense`)
	if want := `{"accepted":1,"rejected":2,"errors":[{"line":2,"reason":"column \"ts\" takes a time like \"2001-02-03T04:05:06Z\" or seconds since 1970, from 1900 to 2299, not \"\\\"bad\\\"\""},{"line":4,"reason":"invalid JSON at byte 1: invalid character 'o' in literal null (expecting 'u')"}]}` + "\n"; w.Code != 200 || w.Body.String() != want {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if got := strings.Join(f.letters, "; "); got != `clicks.1 2 {"ts":"bad"} 2026-01-02; clicks.1 4 nonsense 2026-01-02` {
		t.Errorf("letters %s", got)
	}
	// All rejected is a success too: each row's fate is known.
	if w := f.post("{}\n"); w.Code != 200 || !strings.HasPrefix(w.Body.String(), `{"accepted":0,"rejected":1,`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	var reply Reply
	w = f.post(strings.Repeat("{}\n", 101))
	if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil || len(reply.Errors) != 100 || !reply.Truncated || reply.Rejected != 101 {
		t.Errorf("%v %d %s", err, w.Code, w.Body)
	}
}

// TestLettersCanBeDecodedAlone: a letter carries what its row needs to be read again.
func TestLettersCanBeDecodedAlone(t *testing.T) {
	for _, tc := range []struct{ name, contentType, body, raw, format, header string }{
		{"NDJSON", "application/x-ndjson", `{"ts":"bad"}`, `{"ts":"bad"}`, "ndjson", ""},
		{"JSON", "application/json", `[{"ts":1},{"ts":"bad"}]`, `{"ts":"bad"}`, "json", ""},
		{"CSV", "text/csv", "ts,page\n1,a\nbad,b\n", "bad,b", "csv", "ts,page"},
		{"CSV with CRLF", "text/csv", "ts,page\r\nbad,b\r\n", "bad,b", "csv", "ts,page"},
		{"quoted CSV", "text/csv", "ts,\"a \"\"b\"\"\nc\"\n\nbad,\"x\ny\"", "bad,\"x\ny\"", "csv", "ts,\"a \"\"b\"\"\nc\""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, decode.Limits{})
			if w := f.post(tc.body, "Content-Type", tc.contentType); w.Code != 200 || len(f.last) != 1 {
				t.Fatalf("%d %s, %d letters", w.Code, w.Body, len(f.last))
			}
			if l := f.last[0]; string(l.Raw) != tc.raw || l.Format != tc.format || l.Header != tc.header {
				t.Errorf("raw %q, format %q, header %q; want %q, %q, %q", l.Raw, l.Format, l.Header, tc.raw, tc.format, tc.header)
			}
		})
	}
}

func TestDeadLettersComeBeforeTheEvents(t *testing.T) {
	f := newFixture(t, decode.Limits{})
	f.fail = errors.New("disk full")
	w := f.post(twoRows + "nonsense")
	if w.Code != 503 || w.Header().Get("Retry-After") != "1" || f.rows(t) != 0 {
		t.Errorf("%d %s, %d rows", w.Code, w.Body, f.rows(t))
	}
	f.fail = nil
	if w := f.post(twoRows + "nonsense"); w.Code != 200 || f.rows(t) != 2 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestIdempotency(t *testing.T) {
	f := newFixture(t, decode.Limits{})
	body := twoRows + "nonsense"
	first := f.post(body, "Idempotency-Key", "k")
	again := f.post(body, "Idempotency-Key", "k")
	if want := strings.TrimSuffix(first.Body.String(), "}\n") + `,"duplicate":true}` + "\n"; again.Code != 200 || again.Body.String() != want || again.Header().Get("Idempotent-Replayed") != "true" {
		t.Errorf("%d %s", again.Code, again.Body)
	}
	if f.rows(t) != 2 || len(f.letters) != 1 {
		t.Errorf("%d rows, letters %v", f.rows(t), f.letters)
	}
	if w := f.post(twoRows, "Idempotency-Key", "k"); w.Code != 422 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// What failed is not remembered.
	f.backend.Store().Inject(f.backend.Store().FailAppend(1, memstream.Fault{Err: errors.New("lost"), TakesEffect: true}))
	if w := f.post(twoRows, "Idempotency-Key", "l"); w.Code != 503 || !strings.Contains(w.Body.String(), "same Idempotency-Key") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.post(twoRows, "Idempotency-Key", "l"); w.Code != 200 || strings.Contains(w.Body.String(), "duplicate") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if f.rows(t) != 4 {
		t.Errorf("%d rows count", f.rows(t))
	}
}

func TestBusy(t *testing.T) {
	f := newFixture(t, decode.Limits{})
	other := f.budget.Reserve()
	if err := other.Resize(256 << 20); err != nil {
		t.Fatal(err)
	}
	if w := f.post(twoRows); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	other.Release()
	f.backend.Store().Inject(memstream.Faults{Append: func(memstream.Append) memstream.Fault { return memstream.Fault{Err: stream.ErrBusy} }})
	if w := f.post(twoRows); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	f.backend.Store().Inject(memstream.Faults{})
	if w := f.post(twoRows); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func BenchmarkHandler(b *testing.B) {
	const rows = 10_000
	var body []byte
	for i := range rows {
		body = fmt.Appendf(body, `{"ts":"2024-05-01T12:%02d:%02d.%03dZ","user_id":"user-%06d","page":"/products/%d","latency_ms":%d,"price":%d.%02d,"ok":%t}`+"\n",
			i/60%60, i%60, i%1000, i*7919%100000, i%500, i%900, i%200, i%100, i%10 != 0)
	}
	f := newFixture(b, decode.Limits{})
	for _, c := range []struct{ name, body, encoding string }{
		{"plain", string(body), ""}, {"gzip", gzipped(string(body)), "gzip"}, {"zstd", zstded(string(body)), "zstd"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if w := f.post(c.body, "Content-Encoding", c.encoding); w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
			b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds()/1e6, "Mevents/s")
		})
	}
}
