package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Access is who may reach the server, and how.
type Access struct {
	// AuthRequired demands a token of everybody, also on loopback. Default false; a
	// server that listens beyond loopback demands one in any case.
	AuthRequired bool
	// TLSCert and TLSKey are PEM files of a certificate chain and its key; both or
	// neither. They are read again when they change. Default empty: no TLS.
	TLSCert, TLSKey string
	// CORSOrigins are the web origins whose pages may read answers, by comma, such as
	// https://app.example.org; "*" is every one. Default empty: none.
	CORSOrigins string
	// RateRequests is how many requests a second a token, or an address without one, may
	// send on the average. Default 0: no limit; 0 to 1,000,000.
	RateRequests int64
	// RateBurst is how many it may send at once. Default 100, 1 to 1,000,000.
	RateBurst int64
}

func (a *Access) keys() []key {
	return []key{
		{"auth.required", "demand a token on loopback too", truth(&a.AuthRequired)},
		{"tls.cert", "PEM file of the certificate chain; empty: no TLS", text(&a.TLSCert)},
		{"tls.key", "PEM file of the certificate's key", text(&a.TLSKey)},
		{"cors.origins", "web origins whose pages may read answers, by comma; * is every one", text(&a.CORSOrigins)},
		{"rate.requests", "most requests a second of a token or address; 0: no limit", integer(&a.RateRequests)},
		{"rate.burst", "most requests at once", integer(&a.RateBurst)},
	}
}

func truth(p *bool) func(string) error {
	return func(s string) error {
		b, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", s)
		}
		*p = b
		return nil
	}
}

// Origins lists the web origins of CORSOrigins.
func (a *Access) Origins() []string {
	var origins []string
	for o := range strings.SplitSeq(a.CORSOrigins, ",") {
		if o = strings.TrimSpace(o); o != "" {
			origins = append(origins, o)
		}
	}
	return origins
}

func (a *Access) validate(fail func(name, format string, args ...any), within func(name string, n, low, high int64)) {
	if a.TLSCert != "" && a.TLSKey == "" {
		fail("tls.cert", "is given without tls.key")
	}
	if a.TLSKey != "" && a.TLSCert == "" {
		fail("tls.key", "is given without tls.cert")
	}
	for _, o := range a.Origins() {
		u, err := url.Parse(o)
		if o != "*" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Scheme+"://"+u.Host != o || strings.ToLower(o) != o) {
			fail("cors.origins", "%q is not an origin as browsers send it, like https://app.example.org, in small letters and without a path", o)
		}
	}
	within("rate.requests", a.RateRequests, 0, 1_000_000)
	within("rate.burst", a.RateBurst, 1, 1_000_000)
}

// addresses are those that the server listens on.
func (c *Config) addresses() []string { return []string{c.Listen, c.ClickHouseListen} }

// Exposed reports whether the server listens beyond this machine.
func (c *Config) Exposed() bool {
	for _, address := range c.addresses() {
		if address != "" && !loopback(address) {
			return true
		}
	}
	return false
}

// DemandsTokens reports whether nobody is trusted without a token.
func (c *Config) DemandsTokens() bool { return c.AuthRequired || c.Exposed() }

// loopback reports whether an address to listen on is of this machine only. A name other
// than localhost may mean any address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
