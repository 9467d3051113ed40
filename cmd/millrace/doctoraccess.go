package main

import (
	"context"

	"github.com/millrace/millrace/cmd/millrace/webserver"
)

// access checks who may reach the server, and by which certificate.
func (x *examination) access(context.Context) {
	if x.cfg.TLSCert != "" {
		if _, err := webserver.New(webserver.Options{Cert: x.cfg.TLSCert, Key: x.cfg.TLSKey, Log: x.quiet}); err != nil {
			x.fail("tls", "%v", err)
		} else {
			x.good("tls", "the certificate can be read")
		}
	}
	switch warning := exposure(x.cfg); {
	case warning != "":
		x.warn("access", "%s", warning)
	case x.cfg.DemandsTokens():
		x.good("access", "a token is demanded of everybody")
	default:
		x.good("access", "this machine only, without a token")
	}
}
