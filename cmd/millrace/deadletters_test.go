package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func testDeadLetters(t *testing.T, s *server) {
	s.sql("CREATE STREAM letters (ts DateTime64(3), k String, n Int64, o Nullable(Int64)) WITH (event_time = 'ts', partitions = 2)")
	soon := time.Now().Add(6 * time.Second).UTC()
	bad := []struct{ row, reason string }{
		{`{"ts":"2024-01-01","n":1`, "JSON"},
		{`not JSON at all`, "JSON"},
		{`["an","array"]`, "object"},
		{`{"n":1}`, "ts"},
		{`{"ts":null,"n":1}`, "ts"},
		{`{"ts":"yesterday","n":1}`, "ts"},
		{`{"ts":"2024-01-01","n":"many"}`, "n"},
		{`{"ts":"2024-01-01","n":1.5}`, "n"},
		{`{"ts":"2024-01-01","n":9223372036854775808}`, "n"},
		{`{"ts":"2024-01-01","n":NaN}`, "NaN|JSON|invalid"},
		{`{"ts":"2024-01-01","n":{"a":1}}`, "n"},
		{`{"ts":"2024-01-01","k":"` + strings.Repeat("x", badMaxRow) + `"}`, "long|bytes|limit"},
		{`{"ts":"2024-01-01","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "deep|nest"},
		{`{"ts":"` + soon.Format(time.RFC3339Nano) + `","k":"soon"}`, "future|ahead"},
		{"{\"ts\":\"2024-01-01\",\"\xff\":1}", "UTF-8"},
	}
	var body bytes.Buffer
	for _, b := range bad {
		body.WriteString(b.row + "\n" + `{"ts":"2024-01-01","k":"good","n":1}` + "\n")
	}
	r, _, err := s.post("letters", "application/x-ndjson", body.Bytes(), "letters")
	if err != nil {
		t.Fatal(err)
	}
	if r.Accepted != len(bad) || r.Rejected != len(bad) || len(r.Errors) != len(bad) {
		t.Fatalf("accepted %d, refused %d, named %d; want %d of each: %v", r.Accepted, r.Rejected, len(r.Errors), len(bad), r.Errors)
	}
	for i, e := range r.Errors {
		if e.Line != 2*i+1 {
			t.Errorf("refused row %d: line %d, want %d", i, e.Line, 2*i+1)
		}
		if !regexp.MustCompile(bad[i].reason).MatchString(e.Reason) {
			t.Errorf("reason of %.60s: %q does not say %q", bad[i].row, e.Reason, bad[i].reason)
		}
	}
	listed := s.letters(t, "letters")
	if len(listed) != len(bad) {
		t.Fatalf("%d dead letters, want %d", len(listed), len(bad))
	}
	for i, l := range listed { // newest first
		want := bad[len(bad)-1-i]
		raw := l.Raw
		if l.RawBase64 != nil {
			raw = string(l.RawBase64)
		}
		if raw != want.row || l.Line != 2*(len(bad)-1-i)+1 || l.Reason == "" {
			t.Errorf("dead letter %d: line %d, %q, %.80q", i, l.Line, l.Reason, l.Raw)
		}
		if _, err := time.Parse(time.RFC3339Nano, l.Arrival); err != nil {
			t.Errorf("dead letter %d: arrival: %v", i, err)
		}
	}
	count := func() string {
		return fmt.Sprint(tableOf(t, s.sql("SELECT 'all' AS k, count() AS n FROM letters"), []string{"k"})["all|"]["n"])
	}
	if n := count(); n != strconv.Itoa(len(bad)) {
		t.Errorf("%s events, want %d", n, len(bad))
	}

	// What was too far in the future passes when its time has come; the others are refused
	// again and stay.
	time.Sleep(time.Until(soon.Add(-2 * time.Second)))
	status, text, err := s.do(context.Background(), http.MethodPost, "/v1/streams/letters/errors/replay", "", nil)
	var replayed struct{ Replayed, Refused int }
	if err != nil || status != http.StatusOK || json.Unmarshal(text, &replayed) != nil {
		t.Fatalf("replay: %d %v %s", status, err, text)
	}
	if replayed.Replayed != 1 || replayed.Refused != len(bad)-1 {
		t.Errorf("replay: %s, want 1 accepted and %d refused", text, len(bad)-1)
	}
	if n := len(s.letters(t, "letters")); n != len(bad)-1 {
		t.Errorf("%d dead letters after the replay, want %d", n, len(bad)-1)
	}
	if n := count(); n != strconv.Itoa(len(bad)+1) {
		t.Errorf("%s events after the replay, want %d", n, len(bad)+1)
	}
}

// TestReplayOfEveryFormat refuses rows of each format that are too far in the future, and
// replays them after a restart that allows more.
func TestReplayOfEveryFormat(t *testing.T) {
	s := newServer(t, "--epoch", "1s", "--flush", "20ms", "--ingest.future_skew", "2s")
	s.sql("CREATE STREAM later (ts DateTime64(3), k String, n Int64) WITH (event_time = 'ts')")
	ts := time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano)
	for contentType, body := range map[string]string{
		"text/csv":             "k,\"ts\",n\r\n\"a \"\"b\"\",\r\nc\"," + ts + ",7\r\nshort," + ts + "\r\n",
		"application/json":     "[{\n\"k\": \"json\",\n\"ts\": \"" + ts + "\", \"n\": 8}, [{\"ts\": 1}]]",
		"application/x-ndjson": `{"k":"ndjson","ts":"` + ts + `","n":9}`,
	} {
		if r, _, err := s.post("later", contentType, []byte(body), ""); err != nil || r.Accepted != 0 || r.Rejected == 0 {
			t.Fatalf("%s: %+v, %v; want all refused", contentType, r, err)
		}
	}
	headers := map[string]string{"csv": "k,\"ts\",n"}
	for _, l := range s.letters(t, "later") {
		if l.Format == "" || l.Header != headers[l.Format] {
			t.Errorf("dead letter %q: format %q, header %q", l.Raw, l.Format, l.Header)
		}
	}
	s.stop()
	s.args = append(s.args, "--ingest.future_skew", "2h")
	s.start()
	for round, want := range []struct{ Replayed, Refused int }{{3, 2}, {0, 2}} {
		status, text, err := s.do(context.Background(), http.MethodPost, "/v1/streams/later/errors/replay", "", nil)
		var got struct{ Replayed, Refused int }
		if err != nil || status != http.StatusOK || json.Unmarshal(text, &got) != nil || got != want {
			t.Fatalf("replay %d: %d %v %s, want %+v", round, status, err, text, want)
		}
	}
	rows := tableOf(t, s.sql("SELECT k, n FROM later"), []string{"k"})
	for k, n := range map[string]string{"a \"b\",\nc|": "7", "json|": "8", "ndjson|": "9"} {
		if got := fmt.Sprint(rows[k]["n"]); got != n {
			t.Errorf("row %q: n = %s, want %s: %v", k, got, n, rows)
		}
	}
}

// letter is one row of GET …/errors.
type letter struct {
	Arrival, Reason, Raw string
	Format, Header       string
	RawBase64            []byte `json:"raw_base64"`
	Line                 int
}

func (s *server) letters(t *testing.T, stream string) (letters []letter) {
	t.Helper()
	status, text, err := s.do(context.Background(), http.MethodGet, "/v1/streams/"+stream+"/errors", "", nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("list errors: %d %v %s", status, err, text)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	for d.More() {
		var l letter
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		letters = append(letters, l)
	}
	return letters
}
