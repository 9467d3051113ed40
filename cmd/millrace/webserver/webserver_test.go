package webserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/cmd/millrace/webserver/certtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// files is where a test keeps its certificate. Each writing has a later time of change, so
// that the clock's grain does not matter.
type files struct {
	t         *testing.T
	cert, key string
	written   int
}

func (f *files) write(path string, data []byte) {
	f.t.Helper()
	f.written++
	at := time.Now().Add(time.Duration(f.written) * time.Second)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		f.t.Fatal(err)
	}
}

func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	f := &files{t: t, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	cert1, key1 := certtest.Pair(t, 1)
	f.write(f.cert, cert1)
	f.write(f.key, key1)
	var log bytes.Buffer
	s, err := New(Options{Cert: f.cert, Key: f.key, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- s.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	}()
	serial := func() int64 {
		t.Helper()
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Errorf("serial %d, want 1", n)
	}
	cert2, key2 := certtest.Pair(t, 2)
	f.write(f.cert, cert2) // its key is still the old one
	if n := serial(); n != 1 {
		t.Errorf("half replaced: serial %d, want 1", n)
	}
	f.write(f.key, key2)
	if n := serial(); n != 2 {
		t.Errorf("replaced: serial %d, want 2", n)
	}
	f.write(f.key, []byte("rubbish"))
	if err := os.Remove(f.cert); err != nil {
		t.Fatal(err)
	}
	if n := serial(); n != 2 {
		t.Errorf("gone: serial %d, want 2", n)
	}

	// Old versions of TLS are refused; a client of today gets HTTP/2.
	if c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		_ = c.Close()
		t.Error("TLS 1.1 is spoken")
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert2)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	reply, err := (&http.Client{Transport: transport}).Get(s.URL(l))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(reply.Body)
	_ = reply.Body.Close()
	if err != nil || string(body) != "HTTP/2.0" || !strings.HasPrefix(s.URL(l), "https://") {
		t.Errorf("%s says %s, %v", s.URL(l), body, err)
	}
	transport.CloseIdleConnections()
	s.Stop(t.Context())
	if err := <-served; err != nil {
		t.Error(err)
	}
	if text := log.String(); !strings.Contains(text, "the old one stays") || !strings.Contains(text, "read again") {
		t.Errorf("the log says %s", text)
	}
}

func TestBadCertificateIsRefusedAtStart(t *testing.T) {
	dir := t.TempDir()
	cert, key := certtest.Pair(t, 1)
	other, _ := certtest.Pair(t, 2)
	path := func(name string, data []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	good, k := path("cert", cert), path("key", key)
	for name, o := range map[string]Options{
		"missing certificate":     {Cert: filepath.Join(dir, "none"), Key: k},
		"missing key":             {Cert: good, Key: filepath.Join(dir, "none")},
		"rubbish":                 {Cert: path("rubbish", []byte("x")), Key: k},
		"key of another":          {Cert: path("other", other), Key: k},
		"a key for a certificate": {Cert: k, Key: good},
	} {
		o.Log = slog.New(slog.DiscardHandler)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), "tls.cert") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStopCutsOff: a request that does not end is ended.
func TestStopCutsOff(t *testing.T) {
	asked, ended := make(chan struct{}), make(chan struct{})
	s, err := New(Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served, got := make(chan error, 1), make(chan error, 1)
	go func() {
		served <- s.Serve(l, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(asked)
			<-r.Context().Done()
			close(ended)
		}))
	}()
	go func() {
		reply, err := http.Get(s.URL(l))
		if err == nil {
			_ = reply.Body.Close()
		}
		got <- err
	}()
	<-asked
	now, cancel := context.WithCancel(t.Context())
	cancel()
	s.Stop(now)
	<-ended
	if err := <-got; err == nil {
		t.Error("the request ended well")
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}
