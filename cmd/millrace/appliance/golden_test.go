package appliance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// TestGolden runs testdata/*.golden against one appliance, each with streams and views of
// its own names. A script is commands at the start of a line, with lines of their own
// below them, indented by two spaces; # begins a comment:
//
//	sql                                 statements
//	load STREAM accepted=N [rejected=N] [key=IDEMPOTENCY-KEY]   NDJSON
//	epoch                               wait until every epoch so far is sealed
//	batch VIEW                          run its batch job
//	rebuild VIEW                        run it from the beginning
//	eval GET /v1/views/…                the answer's rows in CSV
//	eval SELECT …                       likewise
//	refuse STATUS GET … or a statement  the refusal holds the line below
//
// Every eval waits until all acknowledged events are in the answer.
func TestGolden(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	a := start(t, nil)
	for _, path := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".golden"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range parseScript(t, string(text)) {
				(&script{t: t, a: a, at: fmt.Sprintf("%s:%d", path, c.line)}).run(c)
			}
		})
	}
}

// command is one command of a script with the lines below it.
type command struct {
	line int
	text string
	body []string
}

func parseScript(t *testing.T, text string) []command {
	t.Helper()
	var commands []command
	for i, line := range strings.Split(text, "\n") {
		body, indented := strings.CutPrefix(line, "  ")
		switch {
		case strings.HasPrefix(line, "#"), strings.TrimSpace(line) == "":
		case !indented:
			commands = append(commands, command{line: i + 1, text: line})
		case len(commands) == 0:
			t.Fatalf("line %d belongs to no command", i+1)
		default:
			last := &commands[len(commands)-1]
			last.body = append(last.body, body)
		}
	}
	return commands
}

// script runs one command.
type script struct {
	t  *testing.T
	a  *Appliance
	at string
}

func (s *script) run(c command) {
	s.t.Helper()
	name, rest, _ := strings.Cut(c.text, " ")
	body := strings.Join(c.body, "\n")
	switch name {
	case "sql":
		s.ok(s.ask(http.MethodPost, "/v1/sql", body, nil))
	case "load":
		s.load(strings.Fields(rest), body)
	case "epoch":
		s.epoch()
	case "batch":
		s.ok(s.ask(http.MethodPost, "/v1/views/"+rest+"/batch", "", nil))
	case "rebuild":
		s.ok(s.ask(http.MethodPost, "/v1/views/"+rest+"/batch?rebuild=true", "", nil))
	case "eval":
		answer := s.ok(s.query(rest))
		if got := strings.TrimSpace(strings.ReplaceAll(answer, "\r\n", "\n")); got != body {
			s.t.Fatalf("%s: %s gives\n%s\nwant\n%s", s.at, rest, got, body)
		}
	case "refuse":
		status, query, _ := strings.Cut(rest, " ")
		reply := s.query(query)
		if fmt.Sprint(reply.Code) != status || !strings.Contains(reply.Body.String(), body) {
			s.t.Fatalf("%s: %s gives %d %s, want %s holding %s", s.at, query, reply.Code, reply.Body, status, body)
		}
	default:
		s.t.Fatalf("%s: there is no command %s", s.at, name)
	}
}

func (s *script) ask(method, target, body string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(s.t.Context(), method, target, strings.NewReader(body))
	r.Host = "localhost"
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	s.a.Handler().ServeHTTP(w, r)
	return w
}

func (s *script) ok(w *httptest.ResponseRecorder) string {
	s.t.Helper()
	if w.Code != http.StatusOK {
		s.t.Fatalf("%s: %d %s", s.at, w.Code, w.Body)
	}
	return w.Body.String()
}

// query asks GET path?name=value&… , whose values are written plainly, or SQL.
func (s *script) query(text string) *httptest.ResponseRecorder {
	target, isGet := strings.CutPrefix(text, "GET ")
	if !isGet {
		return s.ask(http.MethodPost, "/v1/sql?format=csv&wait=30s", text, nil)
	}
	path, parameters, _ := strings.Cut(target, "?")
	values := url.Values{"format": {"csv"}, "wait": {"30s"}}
	for pair := range strings.SplitSeq(parameters, "&") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			values.Set(name, value)
		}
	}
	return s.ask(http.MethodGet, path+"?"+values.Encode(), "", nil)
}

func (s *script) load(arguments []string, body string) {
	s.t.Helper()
	header := http.Header{"Content-Type": {"application/x-ndjson"}}
	want := map[string]string{"accepted": "0", "rejected": "0"}
	for _, a := range arguments[1:] {
		name, value, _ := strings.Cut(a, "=")
		if name == "key" {
			header.Set("Idempotency-Key", value)
			continue
		}
		want[name] = value
	}
	var reply struct{ Accepted, Rejected int }
	text := s.ok(s.ask(http.MethodPost, "/v1/streams/"+arguments[0]+"/events", body, header))
	if err := json.Unmarshal([]byte(text), &reply); err != nil {
		s.t.Fatalf("%s: %v", s.at, err)
	}
	if fmt.Sprint(reply.Accepted) != want["accepted"] || fmt.Sprint(reply.Rejected) != want["rejected"] {
		s.t.Fatalf("%s: %s, want %v", s.at, text, want)
	}
}

// epoch waits until every stream has sealed an epoch that began after the call.
func (s *script) epoch() {
	s.t.Helper()
	now := time.Now().UnixNano() / int64(time.Second)
	deadline := time.Now().Add(30 * time.Second)
	for {
		sealed := true
		for _, stream := range s.a.Status(access.With(s.t.Context(), access.Root)).(Status).Streams {
			sealed = sealed && stream.CompleteEpoch != nil && int64(*stream.CompleteEpoch) >= now
		}
		if sealed {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: no epoch was sealed", s.at)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
