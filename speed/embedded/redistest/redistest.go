// Package redistest gives tests a Redis of their own, of both kinds that an appliance may
// run on.
//
// The one invariant: a Redis is one test's alone and ends with it.
package redistest

import (
	"context"
	"log/slog"
	"os/exec"
	"testing"

	"github.com/millrace/millrace/speed/embedded"
)

// Each runs a test on a real redis-server and on one in the process.
func Each(t *testing.T, test func(t *testing.T, url string)) {
	for name, inProcess := range map[string]bool{"redis-server": false, "miniredis": true} {
		t.Run(name, func(t *testing.T) { test(t, Start(t, inProcess).URL()) })
	}
}

// Start starts a Redis that ends with the test.
func Start(tb testing.TB, inProcess bool) *embedded.Server {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil && !inProcess {
		tb.Skip("no redis-server on the PATH: install it to run this test")
	}
	server, err := embedded.Start(context.Background(), embedded.Options{
		Dir: tb.TempDir(), InProcess: inProcess, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Stop)
	return server
}
