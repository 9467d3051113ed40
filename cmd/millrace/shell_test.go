package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// terminal is the binary on a pseudo terminal, as a person has it.
type terminal struct {
	t    *testing.T
	cmd  *exec.Cmd
	file *os.File

	mu      sync.Mutex
	out     []byte        // all that it wrote, without sequences
	news    chan struct{} // closed when there is more
	seen    int           // how much of it was expected already
	drained chan struct{}
}

// sequences are those of ANSI terminals, and what a shell writes beside them.
var sequences = regexp.MustCompile(`\x1b\[[0-9;?]*[ ]?[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[=>]|\v`)

// openTerminal runs the binary on a terminal of 100 columns.
func openTerminal(t *testing.T, env []string, args ...string) *terminal {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{t: t, cmd: exec.Command(path, args...), news: make(chan struct{}), drained: make(chan struct{})}
	// A home of its own: a user's inputrc must not change the test.
	x.cmd.Env = append(append(os.Environ(), "TERM=xterm-256color", "HOME="+t.TempDir()), env...)
	if x.file, err = pty.StartWithSize(x.cmd, &pty.Winsize{Rows: 40, Cols: 100}); err != nil {
		t.Fatal(err)
	}
	go x.drain()
	t.Cleanup(func() {
		_ = x.cmd.Process.Kill()
		_ = x.file.Close()
		<-x.drained
		if t.Failed() {
			t.Logf("the terminal got:\n%s", x.out)
		}
	})
	return x
}

// drain reads what the binary writes.
func (x *terminal) drain() {
	defer close(x.drained)
	var raw []byte
	buffer := make([]byte, 4096)
	for {
		n, err := x.file.Read(buffer)
		raw = append(raw, buffer[:n]...)
		x.mu.Lock()
		x.out = sequences.ReplaceAll(raw, nil)
		close(x.news)
		x.news = make(chan struct{})
		x.mu.Unlock()
		if err != nil {
			return // it has ended
		}
	}
}

// keys presses keys.
func (x *terminal) keys(keys string) {
	x.t.Helper()
	if _, err := x.file.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// expect waits for a pattern in what comes after the last one.
func (x *terminal) expect(pattern string) {
	x.t.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	for {
		x.mu.Lock()
		news := x.news
		at := re.FindIndex(x.out[x.seen:])
		if at != nil {
			x.seen += at[1]
		}
		x.mu.Unlock()
		if at != nil {
			return
		}
		select {
		case <-news:
		case <-x.drained:
			x.t.Fatalf("it ended and did not write %q", pattern)
		case <-deadline.C:
			x.t.Fatalf("it did not write %q in a minute", pattern)
		}
	}
}

// end waits for the end of the process and returns its exit code.
func (x *terminal) end() int {
	x.t.Helper()
	done := make(chan error, 1)
	go func() { done <- x.cmd.Wait() }()
	select {
	case err := <-done:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			x.t.Fatal(err)
		}
	case <-time.After(time.Minute):
		x.t.Fatal("it did not end in a minute")
	}
	return x.cmd.ProcessState.ExitCode()
}

// TestShell works with millrace sql as a person does: completion, a query, \d, Ctrl-C
// during a long query, and a history that outlives the process.
func TestShell(t *testing.T) {
	s := newServer(t, "--epoch", "1s", "--flush", "20ms")
	s.sql(`CREATE STREAM visits (ts DateTime64(3), page String, ms Int64) WITH (event_time = 'ts', partitions = 2);
		CREATE VIEW page_times AS SELECT page, count() AS hits, sum(ms) AS ms FROM visits GROUP BY page WITH (batch = '0 0 1 1 *')`)
	if _, _, err := s.post("visits", "application/x-ndjson", []byte(`{"ts":"2024-01-01T00:00:00Z","page":"/日本","ms":41}`+"\n"), ""); err != nil {
		t.Fatal(err)
	}
	history := filepath.Join(t.TempDir(), "state", "history")
	env := []string{"MILLRACE_URL=" + s.url, "MILLRACE_HISTORY=" + history}
	const prompt = `millrace> $`

	x := openTerminal(t, env, "sql")
	x.expect(`Millrace dev at ` + regexp.QuoteMeta(s.url) + `: 1 stream, 1 view`)
	x.expect(prompt)
	x.keys("\\wait 30s\r")
	x.expect(`wait is 30s`)
	x.expect(prompt)
	x.keys("SELECT page, ms\rFROM page_t\t") // over two lines; Tab completes the name
	x.expect(`page_times`)
	x.keys("ORDER BY page;\r")
	x.expect(` page +│ ms *\r\n─+┼─+\r\n /日本 │ 41\r\n1 row · page_times: generation \d+ merged with speed, complete · \d+ ms`)
	x.expect(prompt)
	x.keys("\\d page_times\r")
	x.expect(`hits +│ UInt64 +│ aggregate`)
	x.expect(`CREATE VIEW page_times AS`)
	x.expect(prompt)
	x.keys("SELECT 1 +\rFRO 'x;\r") // in a string: not yet the end
	x.keys("';\r")
	x.expect(`error: `)
	x.expect(prompt)

	// With Redis stopped a query that waits for a complete answer takes as long as it may.
	var state struct{ Pids map[string]int }
	s.get("/v1/status", &state)
	redis := state.Pids["redis"]
	if redis == 0 {
		t.Fatalf("there is no redis-server to stop: %v", state.Pids)
	}
	if err := syscall.Kill(redis, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	goOn := sync.OnceFunc(func() { _ = syscall.Kill(redis, syscall.SIGCONT) })
	t.Cleanup(goOn)
	x.keys("SELECT page FROM page_times;\r")
	x.expect(`\d s \(Ctrl-C cancels\)`)
	x.keys("\x03")
	x.expect(`cancelled after \d`)
	x.expect(prompt)
	goOn()
	x.keys("unfinished \x03") // and at the prompt it drops what was typed
	x.expect(prompt)
	x.keys("SELECT count() + 40 AS n FROM visits;\r")
	x.expect(`│? *n\r\n─+\r\n 41\r\n1 row`)
	x.expect(prompt)
	x.keys("\x04")
	if code := x.end(); code != 0 {
		t.Errorf("exit code %d after Ctrl-D", code)
	}

	x = openTerminal(t, env, "sql", "--format", "vertical")
	x.expect(prompt)
	x.keys("\x1b[A") // up
	x.expect(`SELECT count\(\) \+ 40 AS n FROM visits;`)
	x.keys("\r")
	x.expect(`── row 1 ─+\r\n n │ 41\r\n`)
	x.expect(prompt)
	if err := x.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := x.end(); code != 1 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	text, err := os.ReadFile(history)
	if err != nil || strings.Contains(string(text), "unfinished") || !strings.Contains(string(text), `"SELECT page, ms\nFROM page_times ORDER BY page;"`) {
		t.Errorf("history: %v\n%s", err, text)
	}

	x = openTerminal(t, []string{"MILLRACE_URL=http://127.0.0.1:1"}, "sql")
	x.expect(`is the server up\?`)
	if code := x.end(); code != 1 {
		t.Errorf("exit code %d without a server", code)
	}
}

// TestNoOtherHTTP reads the sources of the command: requests are made by the client
// package alone. up.go has the server's side of HTTP, and doctor none.
func TestNoOtherHTTP(t *testing.T) {
	// What of net/http makes requests. A method of a client is behind one of these.
	requests := []string{
		"Client", "DefaultClient", "DefaultTransport", "Get", "Head", "NewRequest", "NewRequestWithContext", "Post", "PostForm", "Request", "Transport", "RoundTripper",
	}
	files := 0
	for _, pattern := range []string{"*.go", "shell/*.go", "tabular/*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			files++
			for _, found := range usesOf(t, name, nil, "net/http", requests) {
				t.Errorf("%s: requests are made by serving/client only", found)
			}
			for _, found := range usesOf(t, name, nil, "net", []string{"Dial", "DialTimeout", "Dialer", "DialTCP"}) {
				t.Errorf("%s: connections are made by serving/client only", found)
			}
		}
	}
	if files < 10 {
		t.Fatalf("%d files were looked at", files)
	}
	// The check itself finds what it looks for.
	const guilty = "package x\nimport web \"net/http\"\nvar a = web.Get\nfunc b() { _ = &web.Client{}; _ = web.StatusOK }\n"
	if found := usesOf(t, "guilty.go", guilty, "net/http", requests); len(found) != 2 {
		t.Errorf("in a file that makes requests the check finds %q", found)
	}
}

// usesOf finds the uses of some names of a package in a file. A dot import counts as one.
func usesOf(t *testing.T, name string, source any, path string, names []string) (found []string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range file.Imports {
		if spec.Path.Value != fmt.Sprintf("%q", path) {
			continue
		}
		local := filepath.Base(path)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		if local == "." {
			found = append(found, name+": dot import of "+path)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == local && slices.Contains(names, s.Sel.Name) {
					found = append(found, set.Position(s.Pos()).String()+": "+path+"."+s.Sel.Name)
				}
			}
			return true
		})
	}
	return found
}
