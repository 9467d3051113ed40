package main

import (
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// stepTimeout bounds one step of a browser; the machine may be busy with other tests.
const stepTimeout = time.Minute

// startBrowser starts a headless Chromium with a profile of its own, which ends with the
// test. The contexts of its tabs are children of the one returned.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("this test needs Chromium: apt-get install chromium: %v", err)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoFirstRun, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(stepTimeout))
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		ending, done := context.WithTimeout(ctx, stepTimeout)
		defer done()
		_ = chromedp.Cancel(ending) // by asking, so that the profile is left in order
		cancel()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return ctx
}

// tab is one page of the browser.
type tab struct {
	t      *testing.T
	ctx    context.Context
	cancel context.CancelFunc
}

// newTab opens a tab; all tabs share one profile. Scripts run in every page before its own.
func newTab(browser context.Context, t *testing.T, scripts ...string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	p := &tab{t, ctx, cancel}
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // without a limit, which would be that of the tab
		t.Fatalf("open a tab: %v", err)
	}
	call(p, network.Enable, network.EnableParams{})
	for _, s := range scripts {
		call(p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: s})
	}
	return p
}

// step runs an action of the tab within the limit.
func step[T any](p *tab, a chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, stepTimeout)
	defer cancel()
	return chromedp.Run(ctx, a)
}

// call sends a command of the DevTools protocol.
func call[P, R any](p *tab, c cdp.Command[P, R], params P) {
	p.t.Helper()
	_, err := step(p, func(ctx context.Context, target *chromedp.Target) (R, error) { return cdp.Call(ctx, target, c, params) })
	if err != nil {
		p.t.Fatalf("%s: %v", c.Method, err)
	}
}

// open goes to an address and waits until the page is loaded.
func (p *tab) open(url string) {
	p.t.Helper()
	if _, err := step(p, chromedp.Navigate(url)); err != nil {
		p.t.Fatalf("open %s: %v", url, err)
	}
}

// do evaluates a script whose value does not matter.
func (p *tab) do(script string) {
	p.t.Helper()
	if _, err := step(p, chromedp.Evaluate[any](script)); err != nil && !errors.Is(err, chromedp.ErrJSUndefined) {
		p.t.Fatalf("evaluate %s: %v", script, err)
	}
}

// text evaluates a script that gives a text.
func (p *tab) text(script string) string {
	p.t.Helper()
	s, err := step(p, chromedp.Evaluate[string](script))
	if err != nil {
		p.t.Fatalf("evaluate %s: %v", script, err)
	}
	return s
}

// until waits until an expression is true.
func (p *tab) until(expression string) {
	p.t.Helper()
	eventually(p.t, "in the page: "+expression, func() bool {
		ok, err := step(p, chromedp.Evaluate[bool]("!!("+expression+")"))
		return err == nil && ok // a page that is only coming up knows nothing yet
	})
}

// offline cuts the tab off the network, and tells it, or connects it again.
func (p *tab) offline(off bool) {
	p.t.Helper()
	call(p, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{DownloadThroughput: -1, UploadThroughput: -1, Offline: off}},
	})
	call(p, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: off, DownloadThroughput: -1, UploadThroughput: -1})
}

// close closes the tab as a visitor would.
func (p *tab) close() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, stepTimeout)
	defer cancel()
	if err := chromedp.Cancel(ctx); err != nil {
		p.t.Fatalf("close a tab: %v", err)
	}
}
