package engine_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/clickhouse/engine"
)

// write makes a file with a text.
func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// firstValue returns the first value of a query's answer, as text.
func firstValue(t *testing.T, c *clickhouse.Client, query string) (string, error) {
	t.Helper()
	b, err := c.QueryBatch(t.Context(), query)
	if err != nil || b.Rows == 0 {
		return "", err
	}
	return string(b.Columns[0].Str.At(0)), nil
}

func TestConfinedEngineTouchesNothingElse(t *testing.T) {
	if engine.Confinable() == 0 {
		t.Log("this kernel has no Landlock: only the files that are allowed are tried")
	}
	t.Setenv("MILLRACE_SECRET", "in the environment")
	lake, outside := t.TempDir(), t.TempDir()
	inside := write(t, filepath.Join(lake, "deep", "inside.csv"), "inside\n")
	secret := write(t, filepath.Join(outside, "secret.csv"), "secret\n")
	_, c := start(t, func(o *engine.Options) {
		o.Confine, o.Wipe = &engine.Confinement{ReadOnly: []string{lake}}, true
	})
	if got, err := firstValue(t, c, "SELECT * FROM file('"+inside+"', 'CSV', 'a String')"); got != "inside" || err != nil {
		t.Errorf("a file of the lake: %q, %v", got, err)
	}
	if got, err := firstValue(t, c, "SELECT toString(count()) FROM numbers(3000000)"); got != "3000000" || err != nil {
		t.Errorf("a query: %q, %v", got, err)
	}
	if err := c.Exec(t.Context(), "CREATE TABLE own (a String) ENGINE = MergeTree ORDER BY a"); err != nil {
		t.Errorf("a table of its own: %v", err)
	}
	if engine.Confinable() == 0 {
		return
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var met atomic.Int32
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			met.Add(1)
			_ = conn.Close()
		}
	}()
	address := listener.Addr().String()
	for _, query := range []string{
		"SELECT * FROM file('" + secret + "', 'CSV', 'a String')",
		"SELECT file('" + secret + "')",
		"SELECT file('/proc/self/environ')",
		"SELECT file('/proc/" + fmt.Sprint(os.Getpid()) + "/environ')",
		"SELECT file('/etc/hostname')",
		"SELECT * FROM url('http://" + address + "/x', 'CSV', 'a String') SETTINGS http_max_tries = 1, http_connection_timeout = 1",
		"SELECT * FROM remote('" + address + "', 'system', 'one') SETTINGS connect_timeout_with_failover_ms = 100, connections_with_failover_max_tries = 1",
		"SELECT * FROM mysql('" + address + "', 'a', 'b', 'c', 'd') SETTINGS connect_timeout = 1, external_storage_connect_timeout_sec = 1",
		"INSERT INTO FUNCTION file('" + filepath.Join(lake, "new.csv") + "', 'CSV', 'a String') VALUES ('x')",
		"INSERT INTO FUNCTION file('" + inside + "', 'CSV', 'a String') SETTINGS engine_file_truncate_on_insert = 1 VALUES ('x')",
		"INSERT INTO FUNCTION file('" + filepath.Join(outside, "new.csv") + "', 'CSV', 'a String') VALUES ('x')",
		"SELECT 'x' INTO OUTFILE '" + filepath.Join(outside, "out.csv") + "'",
	} {
		if got, err := firstValue(t, c, query); err == nil && got != "" {
			t.Errorf("%s: gave %q", query, got)
		}
	}
	if n := met.Load(); n != 0 {
		t.Errorf("the engine opened %d connections", n)
	}
	for dir, want := range map[string]string{lake: "deep", outside: "secret.csv"} {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 || entries[0].Name() != want {
			t.Errorf("%s holds %v (%v), not only %s", dir, entries, err, want)
		}
	}
	if text, err := os.ReadFile(inside); err != nil || string(text) != "inside\n" {
		t.Errorf("the lake's file is %q, %v", text, err)
	}
	// The process that confined it is as free as before.
	if text, err := os.ReadFile(secret); err != nil || !strings.HasPrefix(string(text), "secret") {
		t.Errorf("the parent reads %q, %v", text, err)
	}
}
