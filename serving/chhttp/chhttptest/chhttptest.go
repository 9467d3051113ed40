// Package chhttptest runs a stock ClickHouse client from npm against an endpoint.
//
// The one invariant: the client is the published one, at the version and checksum of the
// lock file, and nothing of it is replaced.
package chhttptest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// JavaScriptAnswer is what @clickhouse/client was told.
type JavaScriptAnswer struct {
	Ping, Select bool
	Databases    []string
	Tables       []string
	Columns      []struct{ Name, Type string }
	Data         []map[string]any // of the statement
	Rows         int
	Compressed   []map[string]any // of the statement, over a compressed connection
	Provenance   string           // of the statement's answer, JSON
	Refusal      struct{ Code, Type string }
}

// JavaScript is an installed @clickhouse/client.
type JavaScript struct{ dir string }

// InstallJavaScript installs @clickhouse/client for the time of the test.
func InstallJavaScript(tb testing.TB) JavaScript {
	tb.Helper()
	_, here, _, _ := runtime.Caller(0)
	dir := tb.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(filepath.Dir(here), "..", "testdata", "stockclients"))); err != nil {
		tb.Fatal(err)
	}
	npm := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		tb.Fatalf("this test needs node and npm, and installs @clickhouse/client: %v %s", err, out)
	}
	return JavaScript{dir}
}

// Ask asks the endpoint at url: databases, tables, columns of a table, the statement
// twice, and a CREATE that must be refused.
func (j JavaScript) Ask(tb testing.TB, url, database, table, statement, token string) JavaScriptAnswer {
	tb.Helper()
	node := exec.Command("node", "client.mjs", url, database, table, statement, token)
	node.Dir = j.dir
	node.Stderr = os.Stderr
	out, err := node.Output()
	if err != nil {
		tb.Fatalf("run the JavaScript client: %v %s", err, out)
	}
	var answer JavaScriptAnswer
	if err := json.Unmarshal(out, &answer); err != nil {
		tb.Fatalf("read what the JavaScript client printed: %v in %s", err, out)
	}
	return answer
}
