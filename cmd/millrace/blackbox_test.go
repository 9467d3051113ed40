package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/clickhouse/enginetest"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// binary builds the command once for all black-box tests. MILLRACE_TEST_BINARY names
// another one: how the mutation check drives this test against a broken build.
var binary = sync.OnceValues(func() (string, error) {
	if given := os.Getenv("MILLRACE_TEST_BINARY"); given != "" {
		return given, nil
	}
	dir, err := os.MkdirTemp("", "millrace-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "millrace")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build millrace: %w\n%s", err, out)
	}
	return path, nil
})

// server is a millrace process under test. Its address and data outlive the process.
type server struct {
	t    testing.TB
	args []string
	url  string
	log  *os.File
	cmd  *exec.Cmd
	done chan error
}

// newServer prepares a server with its own data directory and starts it.
func newServer(t testing.TB, args ...string) *server {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	logged, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{
		t: t, url: "http://" + address, log: logged,
		args: append([]string{path, "up", "--data", filepath.Join(dir, "data"), "--listen", address, "--clickhouse.listen", "127.0.0.1:0", "--log.level", "warn"}, args...),
	}
	s.start()
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			_ = logged.Sync()
			if text, err := os.ReadFile(logged.Name()); err == nil {
				t.Logf("log of the server:\n%s", text[max(0, len(text)-20_000):])
			}
		}
		_ = logged.Close()
	})
	return s
}

// start starts the process and waits until every part answers.
func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.args[0], s.args[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan error) { done <- cmd.Wait() }(s.cmd, s.done)
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		select {
		case err := <-s.done:
			text, _ := os.ReadFile(s.log.Name())
			s.t.Fatalf("the server ended: %v\n%s", err, text)
		case <-time.After(20 * time.Millisecond):
		}
		reply, err := http.Get(s.url + "/readyz")
		if err != nil {
			continue
		}
		_ = reply.Body.Close()
		if reply.StatusCode == http.StatusOK {
			return
		}
	}
	s.t.Fatal("the server was not ready in a minute")
}

// kill ends the process as a power cut would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
	s.cmd = nil
}

// stop ends the process as an operator would.
func (s *server) stop() {
	if s.cmd == nil {
		return
	}
	defer func() { s.cmd = nil }()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(time.Minute):
		s.t.Error("the server did not stop in a minute")
		_ = s.cmd.Process.Kill()
	}
}

// do sends a request and returns status and body.
func (s *server) do(ctx context.Context, method, path, contentType string, body []byte, header ...string) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	return reply.StatusCode, text, err
}

// sql runs statements that must succeed and returns the JSON answer.
func (s *server) sql(text string) []byte {
	s.t.Helper()
	status, body, err := s.do(context.Background(), http.MethodPost, "/v1/sql?wait=30s", "text/plain", []byte(text))
	if err != nil || status != http.StatusOK {
		s.t.Fatalf("sql %s: %d %v %s", text, status, err, body)
	}
	return body
}

// get reads a JSON answer that must succeed.
func (s *server) get(path string, into any) {
	s.t.Helper()
	status, body, err := s.do(context.Background(), http.MethodGet, path, "", nil)
	if err != nil || status != http.StatusOK {
		s.t.Fatalf("GET %s: %d %v %s", path, status, err, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		s.t.Fatalf("GET %s: %v in %s", path, err, body)
	}
}

// reply is the answer of the door.
type reply struct {
	Accepted, Rejected int
	Errors             []struct {
		Line   int
		Reason string
	}
}

// post sends rows once.
func (s *server) post(stream, contentType string, body []byte, key string) (reply, int, error) {
	var header []string
	if key != "" {
		header = []string{"Idempotency-Key", key}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	status, text, err := s.do(ctx, http.MethodPost, "/v1/streams/"+url.PathEscape(stream)+"/events", contentType, body, header...)
	if err != nil {
		return reply{}, 0, err
	}
	var r reply
	if status == http.StatusOK {
		err = json.Unmarshal(text, &r)
	} else {
		err = fmt.Errorf("%d: %s", status, text)
	}
	return r, status, err
}
