package shell

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/serving/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeServer answers statements by their text, as the HTTP surface does.
type fakeServer struct {
	t  *testing.T
	mu sync.Mutex
	// tables are those that there are; CREATE adds one.
	tables []string
	seen   []string      // statements, without those of completion
	slow   chan struct{} // closed when the statement SLOW has come
	gone   chan struct{} // closed when its client has gone
}

func (f *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	statement := strings.TrimSpace(string(text))
	switch {
	case statement == "SHOW TABLES":
		rows := make([][]any, len(f.tables))
		for i, name := range f.tables {
			rows[i] = []any{name, "view"}
		}
		f.answer(w, "", []string{"name", "kind"}, rows...)
		return
	case statement == "SHOW FUNCTIONS":
		f.answer(w, "", []string{"name", "kind", "usage"}, []any{"count", "aggregate", ""})
		return
	case strings.HasPrefix(statement, "DESCRIBE "):
		f.answer(w, "", []string{"name", "type", "default_type", "comment"}, []any{"c_of_" + strings.Fields(statement)[1], "Int64", "", "key"})
		return
	case strings.HasPrefix(statement, "SHOW CREATE "):
		f.answer(w, "", []string{"statement"}, []any{"CREATE VIEW v AS\nSELECT 1"})
		return
	}
	f.seen = append(f.seen, statement)
	switch {
	case strings.HasPrefix(statement, "CREATE VIEW "):
		f.tables = append(f.tables, strings.Fields(statement)[2])
		f.answer(w, "", []string{"kind", "name", "status"}, []any{"view", "x", "created"})
	case strings.Contains(statement, "WRONG"):
		offset := strings.Index(string(text), "WRONG")
		line, column := place(string(text), offset)
		problem.Write(w, &problem.Problem{Type: "/problems/sql", Status: 400, Detail: "WRONG is wrong", Hint: "do right", Line: line, Column: column, Offset: &offset})
	case statement == "SLOW":
		close(f.slow)
		f.mu.Unlock()
		<-r.Context().Done()
		f.mu.Lock()
		close(f.gone)
	case statement == "MANY":
		rows := make([][]any, shownRows+500)
		for i := range rows {
			rows[i] = []any{i, "x"}
		}
		f.answer(w, "", []string{"n", "s"}, rows...)
	case r.URL.Query().Get("format") == "csv":
		fmt.Fprintln(w, "a,b")
	default:
		f.answer(w, `,"provenance":[{"view":"v","generation":12,"complete":true}]`, []string{"n", "text"}, []any{1, "one\x1b[2J"}, []any{22, nil})
	}
}

// answer writes rows in ClickHouse's JSON; columns whose first value is a number are
// Int64, the others String.
func (f *fakeServer) answer(w io.Writer, more string, columns []string, rows ...[]any) {
	var meta []client.Column
	for i, name := range columns {
		typ := "Nullable(String)"
		if len(rows) > 0 {
			if _, ok := rows[0][i].(int); ok {
				typ = "Int64"
			}
		}
		meta = append(meta, client.Column{Name: name, Type: typ})
	}
	encode := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			f.t.Error(err)
		}
		return string(text)
	}
	fmt.Fprintf(w, `{"meta":%s,"data":[`, encode(meta))
	for n, row := range rows {
		if n > 0 {
			fmt.Fprint(w, ",")
		}
		for i, v := range row {
			fmt.Fprintf(w, "%s%s:%s", map[bool]string{true: "{", false: ","}[i == 0], encode(columns[i]), encode(v))
		}
		fmt.Fprint(w, "}")
	}
	fmt.Fprintf(w, `],"rows":%d%s}`, len(rows), more)
}

// script is an editor whose inputs are known.
type script struct {
	inputs []string
	before func(input string) // called before an input is returned
}

func (s *script) read() (string, error) {
	if len(s.inputs) == 0 {
		return "", io.EOF
	}
	input := s.inputs[0]
	s.inputs = s.inputs[1:]
	if s.before != nil {
		s.before(input)
	}
	if input == "^C" {
		return "", errInterrupted
	}
	return input, nil
}

// start returns a session of a script on a fake server, and what it prints.
func start(t *testing.T, inputs ...string) (*session, *fakeServer, *bytes.Buffer, chan os.Signal) {
	t.Helper()
	f := &fakeServer{t: t, tables: []string{"v"}, slow: make(chan struct{}), gone: make(chan struct{})}
	web := httptest.NewServer(f)
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		web.Close()
	})
	c, err := client.New(web.URL, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	names := newCatalog(t.Context(), c)
	t.Cleanup(names.close)
	var out bytes.Buffer
	interrupts := make(chan os.Signal, 1)
	return &session{
		server: c, catalog: names, interrupts: interrupts, editor: &script{inputs: inputs},
		Printer: Printer{Out: &out, Format: "table", Expanded: Auto, Rows: shownRows, Width: func() int { return 60 }},
	}, f, &out, interrupts
}

func TestSession(t *testing.T) {
	const answer = "" +
		"  n │ text\n────┼────────────\n  1 │ one\\x1b[2J\n 22 │ NULL\n2 rows · v: generation 12 merged with speed, complete\n"
	for _, c := range []struct {
		name   string
		inputs []string
		seen   string // by the server
		want   string // printed
	}{
		{"a statement", []string{"SELECT 1;"}, "SELECT 1", answer + "\n"},
		{"several in one input", []string{"SELECT 1; SELECT 2;"}, "SELECT 1|SELECT 2", answer + answer + "\n"},
		{"what follows an error is left out", []string{"SELECT 1;\n  SELECT é WRONG;\n SELECT 3;", "SELECT 4;"}, "SELECT 1|SELECT é WRONG|SELECT 4", answer +
			"  SELECT é WRONG;\n           ^\nerror: line 2, column 12: WRONG is wrong\nhint:  do right\n" + answer + "\n"},
		{"Ctrl-C at the prompt", []string{"^C", "SELECT 1;"}, "SELECT 1", answer + "\n"},
		{"nothing", []string{"", ";", "-- so"}, "", "\n"},
		{"leave", []string{`\q`, "SELECT 1;"}, "", ""},
		{"list", []string{`\d`}, "", " name │ kind\n──────┼──────\n v    │ view\n1 row\n\n"},
		{"describe", []string{`\d v`}, "", " name   │ type  │ comment\n────────┼───────┼─────────\n c_of_v │ Int64 │ key\n1 row\n\nCREATE VIEW v AS\nSELECT 1\n\n"},
		{"one value a line", []string{`\x on`, "SELECT 1;"}, "SELECT 1", "expanded is on\n" +
			"── row 1 ──────────────────\n n    │ 1\n text │ one\\x1b[2J\n── row 2 ──────────────────\n n    │ 22\n text │ NULL\n" +
			"2 rows · v: generation 12 merged with speed, complete\n\n"},
		{"another format", []string{`\f csv`, "SELECT 1;", `\f`}, "SELECT 1", "format is csv\na,b\nformat is csv\n\n"},
		{"wrong commands", []string{`\dance`, `\f xml`, `\f arrow`, `\x maybe`, `\rows -1`, `\wait long`, `\q 1`, `\`}, "", "" +
			"error: there is no command \\dance; \\? lists them\n" +
			"error: unknown format \"xml\": use one of table, vertical, markdown, tsv, json, ndjson, csv, arrow, parquet\n" +
			"error: format arrow is binary and would garble the terminal: send it to a file with > answer.arrow\n" +
			"error: expanded is one of on, off, auto\n" +
			"error: rows: \"-1\" is not a number of 0 or more\n" +
			"error: wait: \"long\" is not a span from 0s to 1m0s\n" +
			"error: it is \\q\n" +
			"error: there is no command \\; \\? lists them\n\n"},
		{"settings", []string{`\rows 5`, `\wait 2s`, `\timing on`, `\timing`}, "", "rows is 5\nwait is 2s\ntiming is on\ntiming is off\n\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, server, out, _ := start(t, c.inputs...)
			if err := s.loop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(server.seen, "|"); got != c.seen {
				t.Errorf("the server saw %q, want %q", got, c.seen)
			}
			if out.String() != c.want {
				t.Errorf("printed\n%s\nwant\n%s\n%q", out, c.want, out)
			}
		})
	}
}

// TestLongAnswer draws the beginning of an answer and says how long it is.
func TestLongAnswer(t *testing.T) {
	s, _, out, _ := start(t, "MANY;", `\rows 0`, "MANY;")
	if err := s.loop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "\n 999 │ x\nthe first 1,000 of 1,500 rows\n") || !strings.Contains(out.String(), "\n 1499 │ x\n1,500 rows\n") {
		t.Errorf("printed %q", out.String()[max(0, out.Len()-300):])
	}
}

// TestCancelStatement sends an interrupt while a statement runs: the server's end of it
// ends, and the next statement runs.
func TestCancelStatement(t *testing.T) {
	s, server, out, interrupts := start(t, "SLOW;", "SELECT 1;")
	interrupts <- os.Interrupt // of before: it must not cancel what comes
	go func() {
		<-server.slow
		interrupts <- os.Interrupt
	}()
	if err := s.loop(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-server.gone
	if got := strings.Join(server.seen, "|"); got != "SLOW|SELECT 1" || !strings.Contains(out.String(), "cancelled after ") || !strings.Contains(out.String(), "2 rows") {
		t.Errorf("the server saw %q, printed\n%s", got, out)
	}
}

// TestNewNames completes a view that was created a moment ago.
func TestNewNames(t *testing.T) {
	s, _, _, _ := start(t, "CREATE VIEW fresh AS SELECT 1;")
	if has(s.catalog.names(), "fresh") || !has(s.catalog.names(), "v") {
		t.Fatalf("names before: %+v", s.catalog.names())
	}
	if err := s.loop(t.Context()); err != nil {
		t.Fatal(err)
	}
	known := s.catalog.names()
	if !has(known, "fresh") || known.tables[1].columns[0].name != "c_of_fresh" {
		t.Errorf("names after: %+v", known)
	}
}

func has(known names, table string) bool {
	for _, t := range known.tables {
		if t.name == table {
			return true
		}
	}
	return false
}

// TestNoServer keeps the prompt when nobody answers.
func TestNoServer(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	c, err := client.New(web.URL, client.Options{Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	web.Close()
	names := newCatalog(t.Context(), c)
	defer names.close()
	var out bytes.Buffer
	s := &session{server: c, catalog: names, editor: &script{inputs: []string{"SELECT 1;", `\d`}}, Printer: Printer{Out: &out, Format: "table"}}
	if err := s.loop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), "is the server up?") != 2 || len(names.names().tables) != 0 {
		t.Errorf("printed\n%s", &out)
	}
}

func TestExcerpt(t *testing.T) {
	const text = "SELECT 1,\n\t'日本' AS \x1b a,  wrong FROM a_very_long_name\nLIMIT 1"
	at := strings.Index(text, "wrong")
	line, column := place(text, at)
	if line != 2 || column != 16 {
		t.Fatalf("line %d, column %d", line, column)
	}
	for _, c := range []struct {
		width, offset int
		want          string
	}{
		{0, at, " '日本' AS \\x1b a,  wrong FROM a_very_long_name\n                    ^\n"},
		{25, at, "…' AS \\x1b a,  wrong FR…\n               ^\n"},
		{0, len(text), "LIMIT 1\n       ^\n"},
		{0, len(text) + 1, ""},
		{0, -1, ""},
	} {
		if got := Excerpt(&client.Error{Line: 1, Offset: c.offset}, text, c.width); got != c.want {
			t.Errorf("at %d in %d columns:\n%s\nwant\n%s", c.offset, c.width, got, c.want)
		}
	}
}
