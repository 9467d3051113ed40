package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/millrace/millrace/cmd/millrace/webserver/certtest"
	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/config"
	"github.com/millrace/millrace/serving/auth"
)

var firstToken = regexp.MustCompile(`first admin token, shown only now: (mr_[A-Za-z0-9_-]{43})\n`)

// as sends a request with a token.
func (s *server) as(token, method, path, contentType, body string) (int, string) {
	s.t.Helper()
	var header []string
	if token != "" {
		header = []string{"Authorization", "Bearer " + token}
	}
	status, text, err := s.do(s.t.Context(), method, path, contentType, []byte(body), header...)
	if err != nil {
		s.t.Fatal(err)
	}
	return status, string(text)
}

// firstToken is the admin token that the server printed at its first start, and only then.
func (s *server) firstToken() string {
	s.t.Helper()
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		s.t.Fatal(err)
	}
	found := firstToken.FindAllSubmatch(text, -1)
	if len(found) != 1 {
		s.t.Fatalf("%d first tokens were printed", len(found))
	}
	return string(found[0][1])
}

// makeToken makes a token by a request in JSON.
func (s *server) makeToken(admin, request string) string {
	s.t.Helper()
	var made struct{ Token string }
	status, text := s.as(admin, http.MethodPost, "/v1/tokens", "application/json", request)
	if err := json.Unmarshal([]byte(text), &made); err != nil || status != http.StatusCreated {
		s.t.Fatalf("make token %s: %d %s", request, status, text)
	}
	return made.Token
}

// TestAccess walks the way of an operator: a server that demands tokens prints its first
// one, others are made with it, each does what its role may, they survive a restart, and
// where all are lost a stopped server's data directory gives a new one.
func TestAccess(t *testing.T) {
	s := newServer(t, "--auth.required", "true", "--epoch", "1s", "--flush", "20ms")
	admin := s.firstToken()
	expect := func(token, method, path, body string, want int) string {
		t.Helper()
		status, text := s.as(token, method, path, "text/plain", body)
		if status != want {
			t.Errorf("%s %s: %d %s, want %d", method, path, status, text, want)
		}
		return text
	}
	make := func(request string) (id, token string) {
		t.Helper()
		var made struct{ ID, Token string }
		if err := json.Unmarshal([]byte(expect(admin, "POST", "/v1/tokens", request, http.StatusCreated)), &made); err != nil {
			t.Fatal(err)
		}
		return made.ID, made.Token
	}
	for _, sql := range []string{
		"CREATE STREAM visits (ts DateTime64(3), page String) WITH (event_time = 'ts')", "CREATE STREAM secrets (ts DateTime64(3)) WITH (event_time = 'ts')",
		"CREATE VIEW hits AS SELECT page, count() AS n FROM visits GROUP BY page",
	} {
		expect(admin, "POST", "/v1/sql", sql, http.StatusOK)
	}
	_, writer := make(`{"name":"site","role":"ingest","objects":["visits"]}`)
	readerID, reader := make(`{"name":"board","role":"read","objects":["hits"],"expires":"1h"}`)
	post := func(path string) int {
		status, _ := s.as("", "POST", path, "application/x-ndjson", `{"ts":"2026-01-01","page":"/"}`)
		return status
	}
	if got := post("/v1/streams/visits/events?key=" + writer); got != http.StatusOK {
		t.Errorf("append by write key: %d", got)
	}
	if got := post("/v1/streams/secrets/events?key=" + writer); got != http.StatusForbidden {
		t.Errorf("append elsewhere by write key: %d", got)
	}
	if got := post("/v1/streams/visits/events"); got != http.StatusUnauthorized {
		t.Errorf("append without a token: %d", got)
	}
	if text := expect(reader, "GET", "/v1/views/hits?wait=30s", "", http.StatusOK); !strings.Contains(text, `"n":1`) {
		t.Errorf("the view says %s", text)
	}
	status := expect(reader, "GET", "/v1/status", "", http.StatusOK)
	if strings.Contains(status, "secrets") || strings.Contains(status, `"visits","events"`) || strings.Contains(status, "pids") || !strings.Contains(status, `"name":"hits"`) {
		t.Errorf("a reader of one view sees the status %s", status)
	}
	expect(reader, "GET", "/metrics", "", http.StatusForbidden)
	expect(reader, "POST", "/v1/sql", "SELECT 1", http.StatusForbidden)
	expect(reader, "GET", "/v1/audit", "", http.StatusForbidden)
	_, analyst := make(`{"name":"analyst","role":"sql"}`)
	expect(analyst, "POST", "/v1/sql", "SELECT count() FROM visits", http.StatusOK)
	expect(analyst, "POST", "/v1/sql", "SELECT number FROM numbers(12)", http.StatusOK)
	for _, sql := range []string{"DROP VIEW hits", "CREATE STREAM mine (ts DateTime64(3)) WITH (event_time = 'ts')", "DROP STREAM IF EXISTS secrets"} {
		if text := expect(analyst, "POST", "/v1/sql", sql, http.StatusForbidden); !strings.Contains(text, "manage") {
			t.Errorf("%s: %s does not name the right", sql, text)
		}
	}
	expect(writer, "GET", "/v1/views/hits", "", http.StatusForbidden)
	expect("", "GET", "/v1/status", "", http.StatusUnauthorized)
	expect("", "GET", "/readyz", "", http.StatusOK)

	// Everything holds after a crash; no second first token is made.
	s.kill()
	s.start()
	expect(reader, "GET", "/v1/views/hits", "", http.StatusOK)
	expect(admin, "DELETE", "/v1/tokens/"+readerID, "", http.StatusNoContent)
	if text := expect(reader, "GET", "/v1/views/hits", "", http.StatusUnauthorized); !strings.Contains(text, "token-revoked") {
		t.Errorf("a revoked token gets %s", text)
	}
	if again := s.firstToken(); again != admin {
		t.Error("another first token was printed")
	}
	var listed struct{ Tokens []auth.Token }
	if err := json.Unmarshal([]byte(expect(admin, "GET", "/v1/tokens", "", http.StatusOK)), &listed); err != nil || len(listed.Tokens) != 4 {
		t.Fatalf("%v: %+v", err, listed)
	}
	for _, token := range listed.Tokens {
		if token.Role == access.Admin {
			if text := expect(admin, "DELETE", "/v1/tokens/"+token.ID, "", http.StatusConflict); !strings.Contains(text, "make another admin token first") {
				t.Errorf("the last admin: %s", text)
			}
		}
	}

	// The log has who did what, and no secret.
	log := expect(admin, "GET", "/v1/audit?limit=1000", "", http.StatusOK)
	for _, want := range []string{
		`"name":"first","role":"admin","address":"127.0.0.1","kind":"define","text":"CREATE STREAM visits`, `"kind":"sql","text":"CREATE VIEW hits`,
		`"text":"SELECT number FROM numbers(12)","outcome":"ok","rows":12,`, `"kind":"token.create"`, `"kind":"token.revoke","text":"` + readerID + `","outcome":"ok"`, `"outcome":"/problems/last-admin"`,
		`"name":"board","role":"read","address":"127.0.0.1","kind":"refused","text":"POST /v1/sql","outcome":"/problems/forbidden"`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the audit log lacks %s:\n%s", want, log)
		}
	}
	if strings.Contains(log, "mr_") {
		t.Errorf("the audit log has a secret:\n%s", log)
	}

	// The way back in.
	create := []string{"token", "create", "--data", s.args[3], "--role", "admin", "rescue"}
	if out, errs, code := cli(t, nil, "", create...); code != 1 || out != "" || !strings.Contains(errs, "in use by another millrace") {
		t.Errorf("while the server runs: %d %s %s", code, out, errs)
	}
	s.stop()
	out, errs, code := cli(t, nil, "", create...)
	if code != 0 || !strings.Contains(errs, "shown only now") {
		t.Fatalf("offline: %d %s %s", code, out, errs)
	}
	s.start()
	expect(strings.TrimSpace(out), "GET", "/v1/tokens", "", http.StatusOK)
	create[3] = t.TempDir()
	if out, errs, code := cli(t, nil, "", create...); code != 1 || out != "" || !strings.Contains(errs, "name the server's data_dir by --data") {
		t.Errorf("where no server was: %d %s %s", code, out, errs)
	}
	for _, args := range [][]string{{"token"}, {"token", "create"}, {"token", "make", "x"}} {
		if _, _, code := cli(t, nil, "", args...); code != 2 {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}

// TestServeOverTLS runs the server in this process with a certificate.
func TestServeOverTLS(t *testing.T) {
	dir := t.TempDir()
	certificate, key := certtest.Pair(t, 1)
	cfg := config.Default()
	cfg.DataDir, cfg.Listen, cfg.ClickHouseDSN = filepath.Join(dir, "data"), "127.0.0.1:0", enginetest.Engine(t).DSN()
	cfg.TLSCert, cfg.TLSKey = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	// What is wrong with the certificate is said before anything starts.
	quiet := slog.New(slog.DiscardHandler)
	if err := serve(t.Context(), cfg, quiet, nil); err == nil || !strings.Contains(err.Error(), "tls.cert") {
		t.Errorf("without its files: %v", err)
	}
	for path, data := range map[string][]byte{cfg.TLSCert: certificate, cfg.TLSKey: key} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificate)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}}}
	ctx, cancel := context.WithCancel(t.Context())
	err := serve(ctx, cfg, quiet, func(_ context.Context, url string) error {
		defer cancel()
		defer client.CloseIdleConnections()
		reply, err := client.Get(url + "/v1/whoami")
		if err != nil {
			return err
		}
		defer reply.Body.Close()
		text, err := io.ReadAll(reply.Body)
		if err != nil || reply.StatusCode != http.StatusOK || !strings.Contains(string(text), `"id":"local"`) || !strings.HasPrefix(url, "https://") {
			return fmt.Errorf("%s: %d %s %w", url, reply.StatusCode, text, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestExposureIsWarnedOf(t *testing.T) {
	cfg := config.Default()
	if w := exposure(cfg); w != "" {
		t.Errorf("on loopback: %s", w)
	}
	cfg.Listen = "0.0.0.0:8080"
	if w := exposure(cfg); !strings.Contains(w, "tls.cert") {
		t.Errorf("beyond it: %q", w)
	}
	cfg.TLSCert, cfg.TLSKey = "cert.pem", "key.pem"
	if w := exposure(cfg); w != "" {
		t.Errorf("with TLS: %s", w)
	}
}
