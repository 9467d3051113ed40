// Package webserver serves HTTP on a listener, by TLS where there is a certificate.
//
// The one invariant: a certificate that cannot be read never takes the place of one that
// could, so that replacing the files under a running server never takes it down.
package webserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	// headerTimeout bounds the time that a client may take to send its headers.
	headerTimeout = 10 * time.Second
	// idleTimeout ends connections on which nothing is asked.
	idleTimeout = 2 * time.Minute
	// maxHeaderBytes bounds the headers of a request: tokens and cookies of a proxy fit.
	maxHeaderBytes = 64 << 10
)

// Options are what a server needs.
type Options struct {
	// Cert and Key are PEM files; empty: no TLS.
	Cert, Key string
	Log       *slog.Logger
}

// Server serves one listener.
type Server struct {
	http *http.Server
	tls  bool
}

// New returns a server. It fails where the certificate cannot be read.
func New(o Options) (*Server, error) {
	s := &Server{http: &http.Server{
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}}
	if o.Cert == "" {
		return s, nil
	}
	c, err := loadCertificate(o.Cert, o.Key, o.Log)
	if err != nil {
		return nil, err
	}
	s.tls = true
	// Go's own choice of ciphers and curves is a sane one and moves with its releases.
	s.http.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
	return s, nil
}

// Serve answers requests by a handler until Stop, and returns nil then.
func (s *Server) Serve(l net.Listener, h http.Handler) error {
	s.http.Handler = h
	var err error
	if s.tls {
		err = s.http.ServeTLS(l, "", "")
	} else {
		err = s.http.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", l.Addr(), err)
}

// URL is where a listener's server is found.
func (s *Server) URL(l net.Listener) string {
	if s.tls {
		return "https://" + l.Addr().String()
	}
	return "http://" + l.Addr().String()
}

// Stop lets the requests under way end until ctx does, and cuts off those that have not.
func (s *Server) Stop(ctx context.Context) {
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
}
