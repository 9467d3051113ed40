package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// console is a tab with the console in it, worked by the keyboard alone. What the page
// writes to the browser's console as a warning or worse fails the test.
type console struct {
	*tab
	mu       sync.Mutex
	said     []string
	expected []string // parts of messages that the test provokes
}

// newConsole opens a tab for a console of a size.
func newConsole(browser context.Context, t *testing.T, width, height int64) *console {
	t.Helper()
	c := &console{tab: newTab(browser, t, tellViolations)}
	messages := chromedp.Console(c.ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return // the tab is closed
			}
			if m.IsException() || m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning {
				c.mu.Lock()
				c.said = append(c.said, fmt.Sprintf("%s (%s:%d)", m, m.URL, m.Line))
				c.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, m := range c.said {
			if !slices.ContainsFunc(c.expected, func(text string) bool { return strings.Contains(m, text) }) {
				t.Errorf("the page says: %s", m)
			}
		}
	})
	c.size(width, height)
	return c
}

// size gives the page a window of a size.
func (c *console) size(width, height int64) {
	c.t.Helper()
	call(c.tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
}

// frames waits until the page has been laid out a few times: what has a size of its own, as a
// chart, learns of the window's in the frame after.
func (c *console) frames() {
	c.t.Helper()
	c.do(`globalThis.laidOut = 0; (function next() { if (++globalThis.laidOut < 4) requestAnimationFrame(next) })(); undefined`)
	c.until(`globalThis.laidOut === 4`)
}

// tellViolations says where a page goes against its policy, which the browser's own message
// does not.
const tellViolations = `addEventListener("securitypolicyviolation", e => console.warn("against the policy:", e.effectiveDirective, e.blockedURI, e.sourceFile, e.lineNumber, e.columnNumber))`

// colours has the page believe that its user prefers light or dark, without motion, so that
// what is looked at does not depend on the moment.
func (c *console) colours(scheme string) {
	c.t.Helper()
	call(c.tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// press presses keys one after another. Each is one event that types its text unless the
// page says otherwise, as a keyboard's is; chromedp would type the text in any case.
func (c *console) press(keys string, with ...chromedp.Modifier) {
	c.t.Helper()
	for _, r := range keys {
		var down, up input.DispatchKeyEventParams
		for _, k := range kb.Encode(r) {
			chromedp.KeyModifiers(with...)(k)
			switch k.Type {
			case kb.KeyChar:
				if len(with) == 0 {
					down.Text = k.Text
				}
			case kb.KeyUp:
				up = *k
			default:
				down = *k
			}
		}
		down.Type = input.DispatchKeyEventTypeKeyDown
		call(c.tab, input.DispatchKeyEvent, down)
		call(c.tab, input.DispatchKeyEvent, up)
	}
}

// focused is the element that has the focus, also within a shadow tree.
const focused = `(() => { let e = document.activeElement; while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement; return e })()`

// mostTabs is how many presses of Tab lead through a page: more than it has to focus.
const mostTabs = 120

// tabTo presses Tab until an element has the focus that a condition on e holds for, and
// waits until it shows that it has it.
func (c *console) tabTo(what, condition string) {
	c.t.Helper()
	for range mostTabs {
		c.press(kb.Tab)
		if c.text(`(() => { const e = `+focused+`; return String(!!(`+condition+`)) })()`) != "true" {
			continue
		}
		c.until(`(() => {
			const e = ` + focused + `, shows = x => x && getComputedStyle(x).outlineStyle !== "none";
			return shows(e) || shows(e.nextElementSibling) || shows(e.closest("label")) || shows(e.closest(".cm-editor"));
		})()`)
		return
	}
	c.t.Fatalf("no way by Tab to %s; the focus is on %s", what, c.text(focused+`.outerHTML.slice(0, 200)`))
}

// hasText is a condition of tabTo: the element of a kind has the text.
func hasText(selector, text string) string {
	return `e.matches(` + quote(selector) + `) && e.textContent.includes(` + quote(text) + `)`
}

// screenshots is where pictures of the pages are kept: below bin, which git ignores, or
// where MILLRACE_SCREENSHOTS says, from where CI takes them as artefacts.
func screenshots(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("MILLRACE_SCREENSHOTS")
	if dir == "" {
		dir = filepath.Join("..", "..", "bin", "screenshots")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// keep keeps a picture of the page under a name.
func (c *console) keep(name string) {
	c.t.Helper()
	png, err := step(c.tab, chromedp.CaptureScreenshot())
	if err != nil {
		c.t.Fatalf("picture of %s: %v", name, err)
	}
	if err := os.WriteFile(filepath.Join(screenshots(c.t), name+".png"), png, 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// axe is the source of axe-core, at the version and checksum of the lock file.
var axe = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "millrace-axe-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "axe"))); err != nil {
		return "", err
	}
	npm := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("this test needs npm, and installs axe-core: %w %s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	return string(text), err
})

// violation is one rule of axe that a page breaks.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct {
		HTML           string
		FailureSummary string
	}
}

// accessible fails where axe finds a serious or critical fault in the page as it is.
func (c *console) accessible(what string) {
	c.t.Helper()
	source, err := axe()
	if err != nil {
		c.t.Fatal(err)
	}
	if c.text(`typeof globalThis.axe`) == "undefined" {
		c.do(source + "; undefined")
	}
	c.do(`globalThis.found = undefined; axe.run(document, { resultTypes: ["violations"] }).then(r => globalThis.found = JSON.stringify({ rules: r.passes.length, violations: r.violations }), e => globalThis.found = JSON.stringify({ error: String(e) })); undefined`)
	c.until(`globalThis.found`)
	var found struct {
		Rules      int
		Error      string
		Violations []violation
	}
	if err := json.Unmarshal([]byte(c.text(`globalThis.found`)), &found); err != nil || found.Error != "" || found.Rules < 10 {
		c.t.Fatalf("axe on %s: %v %s, %d rules passed", what, err, found.Error, found.Rules)
	}
	for _, v := range found.Violations {
		var at []string
		for _, n := range v.Nodes[:min(len(v.Nodes), 3)] {
			at = append(at, strings.Join(strings.Fields(n.HTML+" "+n.FailureSummary), " "))
		}
		text := fmt.Sprintf("%s: %s %s: %s\n\t%s", what, v.Impact, v.ID, v.Help, strings.Join(at, "\n\t"))
		if slices.Contains([]string{"serious", "critical"}, v.Impact) {
			c.t.Error(text)
		} else {
			c.t.Log(text)
		}
	}
}
