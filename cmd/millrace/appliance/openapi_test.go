package appliance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/serving/auth"
	"github.com/millrace/millrace/serving/live"
	"github.com/millrace/millrace/serving/openapi"
)

// apiFixture is what the operations of the description work on.
const apiFixture = `
CREATE STREAM api_clicks (ts DateTime64(3), user_id String, page String, latency_ms Int64) WITH (event_time = 'ts', partition_by = 'user_id');
CREATE VIEW page_hits AS SELECT page, count() AS hits FROM api_clicks GROUP BY page, tumble(ts, INTERVAL 1 MINUTE);
CREATE LEADERBOARD api_top AS SELECT user_id, count() AS clicks FROM api_clicks GROUP BY user_id WITH (windows = 'all,day');
CREATE REPORT api_report SCHEDULE '@yearly' AS SELECT page, hits FROM page_hits WITH (format = 'csv');`

// api is a described server under test.
type api struct {
	t        *testing.T
	a        *Appliance
	url      string
	admin    string            // a token
	values   map[string]string // of path parameters
	document openapi.Document
	check    validator.Validator
	lines    map[string]*jsonschema.Resolved // schemas of lines by component
}

func newAPI(t *testing.T) *api {
	t.Helper()
	x := &api{t: t, a: start(t, nil), lines: map[string]*jsonschema.Resolved{}}
	server := httptest.NewServer(x.a.Handler())
	t.Cleanup(server.Close)
	t.Cleanup(x.a.EndStreams) // which the server would wait for
	x.url = server.URL
	x.admin = makeToken(t, x.a, caller{name: "api", role: access.Admin}, "")
	revoked, _, err := x.a.guard.tokens.Create(t.Context(), auth.Request{Name: "to be revoked", Role: access.Read})
	if err != nil {
		t.Fatal(err)
	}
	// A path parameter of another name needs its value here, and what it names above.
	x.values = map[string]string{"stream": "api_clicks", "view": "page_hits", "id": revoked.ID, "board": "api_top", "member": "u1"}
	if status, _, body := x.send(x.request("POST", "/v1/sql", strings.NewReader(apiFixture), "Content-Type", "text/plain")); status != http.StatusOK {
		t.Fatalf("fixture: %d %s", status, body)
	}
	var run struct{ ID string }
	status, _, body := x.send(x.request("POST", "/v1/reports/api_report/run", nil))
	if err := json.Unmarshal(body, &run); err != nil || status != http.StatusOK {
		t.Fatalf("run of a report: %d %s", status, body)
	}
	x.values["report"], x.values["run"] = "api_report", run.ID
	// A member to be ranked, and two dead letters to list and replay.
	if status, _, body := x.send(x.request("POST", "/v1/streams/api_clicks/events", strings.NewReader(`{"ts":"2026-01-02T03:04:05Z","user_id":"u1","page":"/"}`), "Content-Type", "application/x-ndjson")); status != http.StatusOK {
		t.Fatalf("events: %d %s", status, body)
	}
	if status, _, body := x.send(x.request("POST", "/v1/streams/api_clicks/events", strings.NewReader("{}\nnot JSON\n"), "Content-Type", "application/x-ndjson")); status != http.StatusOK {
		t.Fatalf("dead letters: %d %s", status, body)
	}

	status, _, text := x.send(x.request("GET", "/openapi.json", nil))
	if err := json.Unmarshal(text, &x.document); err != nil || status != http.StatusOK {
		t.Fatalf("the description: %d %v", status, err)
	}
	parsed, err := libopenapi.NewDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(parsed)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	x.check = v
	return x
}

func (x *api) request(method, target string, body io.Reader, headers ...string) *http.Request {
	x.t.Helper()
	r, err := http.NewRequestWithContext(x.t.Context(), method, x.url+target, body)
	if err != nil {
		x.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+x.admin)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func (x *api) send(r *http.Request) (int, http.Header, []byte) {
	x.t.Helper()
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		x.t.Fatal(err)
	}
	defer reply.Body.Close()
	var body []byte
	if reply.Header.Get("Content-Type") == live.ContentType {
		body, err = firstEvent(reply.Body)
	} else {
		body, err = io.ReadAll(reply.Body)
	}
	if err != nil {
		x.t.Fatal(err)
	}
	return reply.StatusCode, reply.Header, body
}

// firstEvent reads a stream up to the end of its first event that has data.
func firstEvent(r io.Reader) ([]byte, error) {
	var body []byte
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadBytes('\n')
		body = append(body, line...)
		if err != nil || string(line) == "\n" && bytes.Contains(body, []byte("\ndata: ")) {
			return body, err
		}
	}
}

// build makes an operation's request from the description alone; change replaces values
// of parameters.
func (x *api) build(method, path string, op *openapi.Operation, change map[string]string) *http.Request {
	x.t.Helper()
	query := url.Values{}
	var headers []string
	for _, p := range op.Parameters {
		value := ""
		if p.Example != nil {
			value = strings.Trim(fmt.Sprint(p.Example), "[]")
		}
		if p.In == "path" {
			fixed, ok := x.values[p.Name]
			if !ok {
				x.t.Fatalf("%s %s: which %s is there? Add it to values and fixture of this test", method, path, p.Name)
			}
			value = fixed
		}
		if changed, ok := change[p.Name]; ok {
			value = changed
		}
		switch {
		case p.In == "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(value))
		case value == "":
		case p.In == "query":
			query.Set(p.Name, value)
		case p.In == "header":
			headers = append(headers, p.Name, value)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	var body io.Reader
	if op.RequestBody != nil {
		found := false
		for _, media := range slices.Sorted(maps.Keys(op.RequestBody.Content)) {
			if e := op.RequestBody.Content[media].Example; e != nil && !found {
				found = true
				text, ok := e.(string)
				if !ok {
					encoded, err := json.Marshal(e)
					if err != nil {
						x.t.Fatal(err)
					}
					text = string(encoded)
				}
				body = strings.NewReader(text)
				headers = append(headers, "Content-Type", media)
			}
		}
		if !found {
			x.t.Fatalf("%s %s: its Body has no Example; give one that works on the fixture of this test", method, path)
		}
	}
	return x.request(strings.ToUpper(method), path, body, headers...)
}

// answers sends a request and checks its answer against the description: the status is
// listed, the body has the schema, each line of NDJSON too.
func (x *api) answers(op *openapi.Operation, r *http.Request) (int, http.Header, []byte) {
	x.t.Helper()
	what := r.Method + " " + r.URL.RequestURI()
	status, header, body := x.send(r)
	described := op.Responses[fmt.Sprint(status)]
	if described == nil {
		x.t.Errorf("%s (%s): the description does not list %d: %s", op.OperationID, what, status, body)
		return status, header, body
	}
	if described.Ref != "" {
		described = x.document.Components.Responses[described.Ref[strings.LastIndexByte(described.Ref, '/')+1:]]
	}
	media := header.Get("Content-Type")
	m, listed := described.Content[media]
	if !listed {
		m, listed = described.Content[strings.Split(media, ";")[0]]
	}
	if !listed && len(body) > 0 {
		x.t.Errorf("%s (%s): the description does not list %q with %d", op.OperationID, what, media, status)
	}
	reply := &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Request: r}
	if ok, errs := x.check.ValidateHttpResponse(r, reply); !ok {
		for _, e := range errs {
			x.t.Errorf("%s (%s): %d %s: %v %v", op.OperationID, what, status, body, e.Message, e.SchemaValidationErrors)
		}
	}
	if m.Line != nil {
		for line := range bytes.Lines(body) {
			var v any
			if err := json.Unmarshal(line, &v); err != nil {
				x.t.Errorf("%s: %q: %v", op.OperationID, line, err)
			} else if err := x.lineSchema(m.Line).Validate(v); err != nil {
				x.t.Errorf("%s: %s: %v", op.OperationID, line, err)
			}
		}
	}
	if m.Event != nil {
		var data []byte
		for line := range bytes.Lines(body) {
			if text, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
				data = append(data, text...)
			}
		}
		var v any
		if err := json.Unmarshal(data, &v); err != nil {
			x.t.Errorf("%s: %q: %v", op.OperationID, body, err)
		} else if err := x.lineSchema(m.Event).Validate(v); err != nil {
			x.t.Errorf("%s: %s: %v", op.OperationID, data, err)
		}
	}
	return status, header, body
}

// lineSchema makes a schema of a component that stands alone.
func (x *api) lineSchema(s *jsonschema.Schema) *jsonschema.Resolved {
	x.t.Helper()
	if r := x.lines[s.Ref]; r != nil {
		return r
	}
	text, err := json.Marshal(map[string]any{"$defs": x.document.Components.Schemas, "$ref": s.Ref})
	if err != nil {
		x.t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("#/components/schemas/"), []byte("#/$defs/"))
	var alone jsonschema.Schema
	if err := json.Unmarshal(text, &alone); err != nil {
		x.t.Fatal(err)
	}
	r, err := alone.Resolve(nil)
	if err != nil {
		x.t.Fatal(err)
	}
	x.lines[s.Ref] = r
	return r
}

// each runs a test of every operation, those that revoke or drop last.
func (x *api) each(run func(method, path string, op *openapi.Operation)) {
	for _, last := range []bool{false, true} {
		for _, path := range slices.Sorted(maps.Keys(x.document.Paths)) {
			for _, method := range slices.Sorted(maps.Keys(x.document.Paths[path])) {
				if (method == "delete") == last {
					run(method, path, x.document.Paths[path][method])
				}
			}
		}
	}
}

// TestDescription checks the document itself: by OpenAPI's own schema, and that it has
// every route that is no page, and every type of problem.
func TestDescription(t *testing.T) {
	x := newAPI(t)
	if ok, errs := x.check.ValidateDocument(); !ok {
		for _, e := range errs {
			t.Errorf("%s: %s %v", e.Message, e.Reason, e.SchemaValidationErrors)
		}
	}
	described := 0
	for _, r := range x.a.Routes() {
		op := x.document.Paths[r.Path][strings.ToLower(r.Method)]
		if r.Doc.ID == "" {
			continue
		}
		described++
		if op == nil || op.OperationID != r.Doc.ID || op.Right != r.Right || op.Object != r.Object {
			t.Errorf("%s %s is described as %+v", r.Method, r.Path, op)
		}
	}
	operations := 0
	x.each(func(string, string, *openapi.Operation) { operations++ })
	if operations != described || operations < 10 {
		t.Errorf("%d operations for %d routes", operations, described)
	}
	kinds := x.document.Components.Schemas["Problem"].Properties["type"].Enum
	if len(kinds) != len(x.document.Problems) || len(kinds) < 20 {
		t.Errorf("the schema of problems knows %d types, the list %d", len(kinds), len(x.document.Problems))
	}
	// The page shows all of it, and asks no other host.
	status, header, page := x.send(x.request("GET", "/docs/api", nil))
	if status != http.StatusOK || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the page: %d %v", status, header)
	}
	for _, sign := range []string{"<script", "<link", "src=", "@import", "url(", "ZgotmplZ"} {
		if bytes.Contains(page, []byte(sign)) {
			t.Errorf("the page has %s", sign)
		}
	}
	x.each(func(_, path string, op *openapi.Operation) {
		for _, text := range append([]string{`id="` + op.OperationID + `"`, path}, string(op.Right)) {
			if !bytes.Contains(page, []byte(text)) {
				t.Errorf("%s: the page does not show %s", op.OperationID, text)
			}
		}
	})
	for name := range x.document.Components.Schemas {
		if !bytes.Contains(page, []byte(`id="schema-`+name+`"`)) {
			t.Errorf("the page does not show the schema %s", name)
		}
	}
}

// TestEveryOperationAsDescribed calls each operation by a request made from the
// description, in every media type that it may answer in.
func TestEveryOperationAsDescribed(t *testing.T) {
	x := newAPI(t)
	x.each(func(method, path string, op *openapi.Operation) {
		r := x.build(method, path, op, nil)
		if ok, errs := x.check.ValidateHttpRequest(x.build(method, path, op, nil)); !ok {
			for _, e := range errs {
				t.Errorf("%s: the request is not as described: %s %s", op.OperationID, e.Message, e.Reason)
			}
		}
		if status, _, body := x.answers(op, r); status >= 300 {
			t.Errorf("%s (%s): %d %s", op.OperationID, r.URL.RequestURI(), status, body)
		}
		success := op.Responses["200"]
		if success == nil || len(success.Content) < 2 || op.OperationID == "getReportDocument" { // its type is the report's
			return
		}
		for media := range success.Content {
			r := x.build(method, path, op, map[string]string{"format": ""})
			r.Header.Set("Accept", media)
			if _, header, _ := x.answers(op, r); header.Get("Content-Type") != media {
				t.Errorf("%s: Accept %s gives %s", op.OperationID, media, header.Get("Content-Type"))
			}
		}
	})
}

// TestEveryErrorAsDescribed asks each operation wrongly: without a right, without a valid
// token, for names that are not there, with bad values of every parameter, and with bad
// bodies. Each answer is one that the description lists, and has the schema of problems.
func TestEveryErrorAsDescribed(t *testing.T) {
	x := newAPI(t)
	other := makeToken(t, x.a, caller{name: "other", role: access.Ingest, objects: []string{"api_other"}}, "")
	met := map[int]bool{}
	x.each(func(method, path string, op *openapi.Operation) {
		wrong := func(what string, want int, r *http.Request) {
			t.Helper()
			status, _, body := x.answers(op, r)
			met[status] = true
			if want != 0 && status != want {
				t.Errorf("%s, %s: %d %s, want %d", op.OperationID, what, status, body, want)
			}
		}
		r := x.build(method, path, op, nil)
		r.Header.Set("Authorization", "Bearer mr_"+strings.Repeat("A", 43))
		wrong("unknown token", http.StatusUnauthorized, r)
		if op.Right != access.Public {
			r = x.build(method, path, op, nil)
			r.Header.Set("Authorization", "Bearer "+other)
			wrong("no right", http.StatusForbidden, r)
		}
		for _, p := range op.Parameters {
			switch p.In {
			case "path":
				wrong("no such "+p.Name, http.StatusNotFound, x.build(method, path, op, map[string]string{p.Name: "no/such"}))
			case "query":
				for _, value := range []string{"~", "-1", "99999999999999999999", "\x00", "é", strings.Repeat("x", 5000)} {
					wrong("bad "+p.Name, 0, x.build(method, path, op, map[string]string{p.Name: value}))
				}
			case "header":
				wrong("long "+p.Name, 0, x.build(method, path, op, map[string]string{p.Name: strings.Repeat("x", 5000)}))
			}
		}
		if op.RequestBody == nil {
			return
		}
		for _, body := range []string{"", "\x00", "{", "[]", "SELEC 1", strings.Repeat("x", 2<<20)} {
			for _, media := range []string{"", "text/plain", "application/json", "application/x-ndjson", "text/csv", "image/png"} {
				r := x.build(method, path, op, nil)
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
				r.Header.Set("Content-Type", media)
				r.Header.Del("Idempotency-Key")
				wrong("bad body", 0, r)
			}
		}
		r = x.build(method, path, op, nil)
		r.Header.Set("Content-Encoding", "gzip")
		wrong("not gzip", 0, r)
	})
	for _, status := range []int{400, 401, 403, 404, 413, 415} {
		if !met[status] {
			t.Errorf("no operation answered with %d", status)
		}
	}
}
