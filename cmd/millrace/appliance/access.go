package appliance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/config"
	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/lake/objstore/local"
	"github.com/millrace/millrace/serving/audit"
	"github.com/millrace/millrace/serving/auth"
	"github.com/millrace/millrace/serving/httpapi"
)

// guard is who may do what: tokens, audit log, gate.
type guard struct {
	tokens *auth.Tokens
	audit  *audit.Log
	gate   *auth.Gate
	first  string        // secret of the first admin token, until it is shown
	stop   chan struct{} // ends the writing of last uses
	done   chan struct{}
}

// localPrincipal is who comes without a token over loopback.
var localPrincipal = access.Principal{ID: "local", Name: "local", Role: access.Admin}

// useInterval is how often the last use of tokens is written down.
const useInterval = 10 * time.Minute

// startGuard opens tokens and audit log. A server that demands tokens and has no valid
// admin token makes one.
func (a *Appliance) startGuard(ctx context.Context) error {
	var err error
	g := &guard{stop: make(chan struct{}), done: make(chan struct{})}
	if g.tokens, err = auth.Open(ctx, blobs{a.store}, time.Now); err != nil {
		return err
	}
	g.audit, err = audit.Open(audit.Options{Dir: filepath.Join(a.o.Config.DataDir, "audit"), Logger: a.o.Log, Metrics: a.metrics.registry})
	if err != nil {
		return err
	}
	c := a.o.Config
	o := auth.Options{
		Tokens: g.tokens, Audit: g.audit, Origins: c.Origins(), Requests: int(c.RateRequests), Burst: int(c.RateBurst),
	}
	if c.DemandsTokens() {
		if !g.tokens.HasAdmin() {
			if _, g.first, err = g.tokens.Create(ctx, auth.Request{Name: "first", Role: access.Admin}); err != nil {
				return fmt.Errorf("make the first admin token: %w", err)
			}
		}
	} else {
		o.Anonymous = localPrincipal
	}
	g.gate = auth.New(o)
	a.guard = g
	go g.keepUses(a)
	return nil
}

// keepUses writes down when tokens were last used, now and then and at the end.
func (g *guard) keepUses(a *Appliance) {
	defer close(g.done)
	tick := time.NewTicker(useInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := g.tokens.Flush(context.Background()); err != nil {
				a.o.Log.Warn("write last use of tokens", "error", err)
			}
		case <-g.stop:
			return
		}
	}
}

func (g *guard) close(ctx context.Context) error {
	close(g.stop)
	<-g.done
	return errors.Join(g.tokens.Flush(ctx), g.audit.Close())
}

// FirstAdminToken returns the token that this start made because the server demands tokens
// and had no admin; empty: it made none. Show it once: it is kept nowhere.
func (a *Appliance) FirstAdminToken() string { return a.guard.first }

// Routes returns every route of the main port.
func (a *Appliance) Routes() route.Table { return a.routes }

// surface is the whole way of a request to a route of a table.
func (a *Appliance) surface(routes route.Table) http.Handler {
	return httpapi.Recover(a.o.Log, a.guard.gate.Preflight(routes.Handler(a.guard.gate.Wrap)))
}

// guardRoutes are the routes of tokens and of the audit log.
func (a *Appliance) guardRoutes() route.Table {
	return append(auth.Routes(auth.RoutesOptions{
		Tokens: a.guard.tokens, Audit: a.guard.audit, Log: a.o.Log, KeepAdmin: a.o.Config.DemandsTokens(),
	}), a.guard.audit.Routes()...)
}

// lockFile is held by the process whose data directory it is in.
const lockFile = "millrace.lock"

// lockData takes the data directory for this process. The kernel frees it when the
// process ends, however it ends.
func lockData(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("data directory %s is in use by another millrace: stop that one first, or ask it over HTTP", dir)
		}
		return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
	}
	return func() { _ = f.Close() }, nil
}

// CreateTokenOffline makes a token in the data directory of a server that is stopped: the
// way back in where the last admin token is lost. It returns the token and its secret.
func CreateTokenOffline(ctx context.Context, c config.Config, r auth.Request) (auth.Token, string, error) {
	if info, err := os.Stat(c.LakeDir()); err != nil || !info.IsDir() {
		return auth.Token{}, "", fmt.Errorf("there is no lake at %s: name the server's data_dir by --data, or its file by --config", c.LakeDir())
	}
	unlock, err := lockData(c.DataDir)
	if err != nil {
		return auth.Token{}, "", err
	}
	defer unlock()
	store, err := local.Open(c.LakeDir())
	if err != nil {
		return auth.Token{}, "", err
	}
	tokens, err := auth.Open(ctx, blobs{store}, time.Now)
	if err != nil {
		return auth.Token{}, "", err
	}
	return tokens.Create(ctx, r)
}
