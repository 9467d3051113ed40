package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cli runs the binary as a user would and returns what it printed and its exit code.
func cli(t *testing.T, env []string, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// expect tells whether each pattern is found in text.
func expect(t *testing.T, what, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(text) {
			t.Errorf("%s does not say %q:\n%s", what, p, text)
		}
	}
}

func TestCommandsWithoutServer(t *testing.T) {
	for _, args := range [][]string{{}, {"help"}, {"-h"}, {"--help"}} {
		out, _, code := cli(t, nil, "", args...)
		if code != 0 {
			t.Errorf("%v: exit code %d", args, code)
		}
		for _, c := range commands {
			expect(t, "help", out, `(?m)^  `+c.name+`.*(\n +)?`+regexp.QuoteMeta(c.about))
		}
	}
	if out, _, code := cli(t, nil, "", "version"); code != 0 || strings.TrimSpace(out) == "" {
		t.Errorf("version: %d, %q", code, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String()
	_ = listener.Close()
	config := filepath.Join(t.TempDir(), "millrace.yaml")
	if err := os.WriteFile(config, []byte("epoch: 1ms\nredis:\n  url: ftp://here\n  colour: red\nlog: {level: loud}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		env    []string
		code   int
		stderr []string
	}{
		{[]string{"dance"}, nil, 2, []string{`unknown command "dance"`, "usage: millrace"}},
		{[]string{"ingest"}, nil, 2, []string{"usage: millrace ingest STREAM"}},
		{[]string{"batch", "walk"}, nil, 2, []string{"usage: millrace batch run"}},
		{[]string{"errors", "burn", "s"}, nil, 2, []string{"usage: millrace errors list"}},
		{[]string{"rebuild"}, nil, 2, []string{"usage: millrace rebuild VIEW"}},
		{[]string{"sql", "--url", "http://" + nobody, "SELECT 1"}, nil, 1, []string{"is the server up"}},
		{[]string{"status"}, []string{"MILLRACE_URL=http://" + nobody}, 1, []string{"is the server up"}},
		{[]string{"up", "--no-such-flag"}, nil, 1, []string{"no-such-flag"}},
		{[]string{"up", "--config", config + ".missing"}, nil, 1, []string{"millrace.yaml.missing"}},
		// Everything that is wrong is said at once, with where it came from.
		{
			[]string{"up", "--config", config, "--flush", "soon", "--listen", "nowhere"}, []string{"MILLRACE_QUERY_MAX_ROWS=0", "MILLRACE_LINGER=1h"}, 1,
			[]string{
				`epoch: 1ms is outside`, `redis\.url: "ftp://here"`, `millrace\.yaml:4: unknown key "redis\.colour"`, `log\.level: "loud"`,
				`flag: flush: "soon"`, `listen: "nowhere"`, `query\.max_rows: 0 is outside`, `linger: 1h0m0s is outside`,
			},
		},
	} {
		_, stderr, code := cli(t, c.env, "", c.args...)
		if code != c.code {
			t.Errorf("%v: exit code %d, want %d", c.args, code, c.code)
		}
		expect(t, strings.Join(c.args, " "), stderr, c.stderr...)
	}
}

func TestDoctor(t *testing.T) {
	out, stderr, code := cli(t, nil, "", "doctor", "--data", t.TempDir())
	if code != 0 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	expect(t, "doctor", out, `ok +clock`, `(ok|warn) +files`, `(ok|warn) +disk`, `ok +stream +embedded`, `(ok|warn) +redis`, `ok +clickhouse +version 2\d\.`)
	out, stderr, code = cli(t, nil, "", "doctor", "--data", t.TempDir(), "--redis.url", "redis://127.0.0.1:1", "--clickhouse.dsn", "http://127.0.0.1:1/default")
	if code != 1 {
		t.Errorf("with parts that are not there: exit code %d", code)
	}
	expect(t, "doctor", out+stderr, `FAIL +redis .*redis\.url`, `FAIL +clickhouse .*clickhouse\.dsn`, `2 checks failed`)
}

// TestCommands runs every command that speaks to a server, in the order of a first hour
// with Millrace.
func TestCommands(t *testing.T) {
	s := newServer(t, "--epoch", "1s", "--flush", "20ms", "--grace", "1s")
	env := []string{"MILLRACE_URL=" + s.url}
	ok := func(t *testing.T, stdin string, args ...string) (stdout, stderr string) {
		t.Helper()
		stdout, stderr, code := cli(t, env, stdin, args...)
		if code != 0 {
			t.Fatalf("millrace %v: exit code %d\n%s%s", args, code, stdout, stderr)
		}
		return stdout, stderr
	}
	dir := t.TempDir()
	file := func(t *testing.T, name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	count := func(t *testing.T, stream string) string {
		t.Helper()
		out, _ := ok(t, "", "sql", "-format", "csv", "SELECT count() AS n FROM "+stream)
		return strings.TrimSpace(strings.TrimPrefix(strings.ReplaceAll(out, `"`, ""), "n"))
	}

	t.Run("sql", func(t *testing.T) {
		ddl := file(t, "schema.sql", `-- two streams and a view
			CREATE STREAM visits (ts DateTime64(3), page String, ms Int64) WITH (event_time = 'ts', partitions = 2);
			CREATE STREAM copies (ts DateTime64(3), page String, ms Int64) WITH (event_time = 'ts');
			CREATE VIEW pages AS SELECT page, count() AS hits, sum(ms) AS ms FROM visits GROUP BY page WITH (batch = '0 0 1 1 *');`)
		ok(t, "", "sql", "-f", ddl)
		out, _ := ok(t, "SHOW STREAMS", "sql") // from a pipe
		expect(t, "SHOW STREAMS", out, "visits", "copies", "2 rows")
		out, _ = ok(t, "", "sql", "-format", "ndjson", "DESCRIBE visits")
		expect(t, "DESCRIBE", out, `"page"`, `"String"`)
		_, stderr, code := cli(t, env, "", "sql", "SELECT nothing\nFRO visits")
		if code != 1 {
			t.Errorf("wrong statement: exit code %d", code)
		}
		expect(t, "wrong statement", stderr, `line 2, column \d`)
	})
	t.Run("ingest", func(t *testing.T) {
		lines := func(from, to int) string {
			var b strings.Builder
			for i := from; i < to; i++ {
				fmt.Fprintf(&b, "{\"ts\":\"2024-01-01T00:00:00Z\",\"page\":\"/%d\",\"ms\":%d}\n", i%3, i)
			}
			return b.String()
		}
		var gz bytes.Buffer
		z := gzip.NewWriter(&gz)
		_, _ = z.Write([]byte(lines(100, 200)))
		_ = z.Close()
		array := "[" + strings.ReplaceAll(strings.TrimSpace(lines(200, 300)), "\n", ",\n") + "]"
		csv := "ts,page,ms\n"
		for i := 300; i < 400; i++ {
			csv += fmt.Sprintf("2024-01-01 00:00:00,\"/%d\",%d\r\n", i%3, i)
		}
		for i, c := range []struct{ name, text string }{
			{"a.ndjson", lines(0, 100)}, {"b.ndjson.gz", gz.String()}, {"c.json", array}, {"d.csv", csv},
		} {
			_, stderr := ok(t, "", "ingest", "visits", file(t, c.name, c.text))
			expect(t, "ingest of "+c.name, stderr, "100 accepted, 0 refused")
			if n := count(t, "visits"); n != strconv.Itoa(100*(i+1)) {
				t.Errorf("after %s: %s events", c.name, n)
			}
		}
		_, stderr := ok(t, lines(400, 450)+"{broken\n"+lines(450, 500), "ingest", "visits", "-")
		expect(t, "ingest from a pipe", stderr, "100 accepted, 1 refused", "line 51: ")
		if _, stderr, code := cli(t, env, "", "ingest", "visit", file(t, "e.ndjson", lines(0, 1))); code != 1 || !strings.Contains(stderr, "visit") {
			t.Errorf("unknown stream: exit code %d, %s", code, stderr)
		}
	})
	t.Run("parquet", func(t *testing.T) {
		s.untilSealed(t, "visits", 500)
		files, err := filepath.Glob(filepath.Join(filepath.Dir(s.log.Name()), "data", "lake", "lake", "visits*", "*", "*", "*.parquet"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in the lake: %v", err)
		}
		for _, f := range files {
			ok(t, "", "ingest", "copies", f)
		}
		if n := count(t, "copies"); n != "500" {
			t.Errorf("%s rows came from %d Parquet files of the lake, want 500", n, len(files))
		}
		const sum = "SELECT page, count() AS n, sum(ms) AS ms FROM %s GROUP BY page ORDER BY page"
		was, _ := ok(t, "", "sql", fmt.Sprintf(sum, "visits"))
		if now, _ := ok(t, "", "sql", fmt.Sprintf(sum, "copies")); strings.Split(now, " rows")[0] != strings.Split(was, " rows")[0] {
			t.Errorf("the copy differs:\n%s\n%s", was, now)
		}
	})
	t.Run("table", func(t *testing.T) {
		out, _ := ok(t, "", "sql", "SELECT page, hits, ms FROM pages ORDER BY page")
		want := " page │ hits │    ms\n──────┼──────┼───────\n /0   │  167 │ 41583\n /1   │  167 │ 41750\n /2   │  166 │ 41417\n3 rows · pages: generation "
		if !strings.HasPrefix(out, want) {
			t.Errorf("table:\n%s\nwant\n%s", out, want)
		}
		for format, want := range map[string]string{
			"vertical": "── row 1 ─+\n page │ /0\n hits │ 167\n1 row",
			"markdown": `^\| page \| hits \|\n\| --- \| ---: \|\n\| /0 \| 167 \|\n$`,
			"tsv":      "^page\thits\n/0\t167\n$",
			"csv":      `^"page","hits"\r?\n"/0",167\r?\n$`,
			"ndjson":   `^\{"page":"/0","hits":167\}\n$`,
		} {
			out, _ := ok(t, "", "sql", "-e", "SELECT page, hits FROM pages ORDER BY page LIMIT 1", "--format", format)
			expect(t, format, out, want)
		}
		for _, c := range []struct{ args, says []string }{
			{[]string{"--format", "xml", "SELECT 1"}, []string{`unknown format "xml": use one of table, `}},
			{[]string{"-e", "SELECT 1", "SELECT 2"}, []string{"use one of -e, -f and the argument"}},
			{[]string{"SELECT page\n  FRO pages WHERE 'é' = "}, []string{`(?m)^ +FRO pages`, `(?m)^ *\^$`, `line 2, column \d`}},
			{[]string{"--token-file", filepath.Join(dir, "none"), "SELECT 1"}, []string{"read token: .*none"}},
			{[]string{"--token", "a b", "SELECT 1"}, []string{"token: it has white space"}},
			{[]string{"--url", "here", "SELECT 1"}, []string{`address of the server: "here" is not one such as`}},
		} {
			_, stderr, code := cli(t, env, "", append([]string{"sql"}, c.args...)...)
			if code != 1 {
				t.Errorf("%v: exit code %d", c.args, code)
			}
			expect(t, strings.Join(c.args, " "), stderr, c.says...)
		}
	})
	t.Run("batch", func(t *testing.T) {
		before, _ := ok(t, "", "sql", "-format", "csv", "SELECT page, hits, ms FROM pages ORDER BY page")
		out, _ := ok(t, "", "batch", "run", "pages")
		expect(t, "batch run", out, `^pages: generation \d+, cut \d+, \d+ rows, drift `)
		out, _ = ok(t, "", "batch", "run")
		expect(t, "batch run of all", out, `^pages: generation `)
		out, _ = ok(t, "", "rebuild", "pages")
		expect(t, "rebuild", out, `^pages: generation \d+`)
		if after, _ := ok(t, "", "sql", "-format", "csv", "SELECT page, hits, ms FROM pages ORDER BY page"); after != before {
			t.Errorf("after batch runs:\n%s\nbefore:\n%s", after, before)
		}
		if _, stderr, code := cli(t, env, "", "rebuild", "nothing"); code != 1 || !strings.Contains(stderr, "nothing") {
			t.Errorf("rebuild of no view: exit code %d, %s", code, stderr)
		}
	})
	t.Run("status", func(t *testing.T) {
		out, _ := ok(t, "", "status")
		expect(t, "status", out, `"healthy": true`, `"name": "visits"`, `"name": "pages"`, `"generation": \d`, `"rejected": 1\b`)
	})
	t.Run("errors", func(t *testing.T) {
		out, _ := ok(t, "", "errors", "list", "visits")
		expect(t, "errors list", out, `^\{.*"line":\d+.*"reason":".+".*"raw":"\{broken"`)
		out, _ = ok(t, "", "errors", "replay", "visits")
		expect(t, "errors replay", out, "^0 accepted, 1 refused again")
		out, _ = ok(t, "", "errors", "list", "visits")
		if n := strings.Count(out, "\n"); n != 1 {
			t.Errorf("%d dead letters after a replay that refused 1:\n%s", n, out)
		}
	})
	t.Run("stop and start", func(t *testing.T) {
		before, _ := ok(t, "", "sql", "-format", "csv", "SELECT page, hits, ms FROM pages ORDER BY page")
		data := filepath.Join(filepath.Dir(s.log.Name()), "data")
		_, stderr, code := cli(t, nil, "", "up", "--data", data, "--listen", strings.TrimPrefix(s.url, "http://"), "--clickhouse.listen", "")
		if code != 1 {
			t.Errorf("a second server at the same address: exit code %d", code)
		}
		expect(t, "a second server at the same address", stderr, "address already in use")
		start, process := time.Now(), s.cmd
		s.stop()
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("it took %s to stop", took)
		}
		if code := process.ProcessState.ExitCode(); code != 0 {
			t.Errorf("exit code %d after SIGTERM", code)
		}
		_, stderr, code = cli(t, nil, "", "up", "--data", data, "--listen", "127.0.0.1:0", "--clickhouse.listen", "127.0.0.1:0", "--epoch", "2s")
		if code != 1 {
			t.Errorf("another epoch on the same data: exit code %d", code)
		}
		expect(t, "another epoch on the same data", stderr, "epoch is 2s", "made with 1s", "--epoch 1s")
		s.start()
		if after, _ := ok(t, "", "sql", "-format", "csv", "SELECT page, hits, ms FROM pages ORDER BY page"); after != before {
			t.Errorf("after a restart:\n%s\nbefore:\n%s", after, before)
		}
		if n := count(t, "visits"); n != "500" {
			t.Errorf("%s events after a restart, want 500", n)
		}
	})
}
