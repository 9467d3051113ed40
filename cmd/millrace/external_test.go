package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/millrace/millrace/internal/clickhouse/enginetest"
)

// TestExternalParts runs the appliance on a Redis, a NATS and a ClickHouse of their own,
// all reached by URL, and compares its answers with a recomputation through the end of
// each of them.
func TestExternalParts(t *testing.T) {
	const rows = 2000
	store, natsd := startRedis(t), startNATS(t)
	random := mrand.New(mrand.NewPCG(7, 1))
	oracle := newOracle(t)
	s := newServer(t, "--epoch", "1s", "--flush", "20ms", "--grace", "1s",
		"--redis.url", store.url, "--stream.url", natsd.url, "--clickhouse.dsn", enginetest.Engine(t).DSN())

	var parts struct{ Parts map[string]string }
	s.get("/v1/status", &parts)
	for part, want := range map[string]string{"redis": "external", "stream": "external NATS", "clickhouse": "external"} {
		if got := parts.Parts[part]; got != want {
			t.Errorf("part %s is %q, want %q", part, got, want)
		}
	}

	todo := inputs(t, random)
	with := map[string]string{"wiki": "event_time = 'time', partition_by = 'user'", "flights": "event_time = 'date'"}
	for name, options := range with {
		s.sql(fmt.Sprintf("CREATE STREAM %s (%s) WITH (%s, partitions = 3)", name, streams[name], options))
	}
	var over []check
	for _, k := range checks {
		if with[k.stream] != "" {
			s.sql(fmt.Sprintf("CREATE VIEW %s AS %s WITH (batch = '0 0 1 1 *')", k.view, k.ddl))
			over = append(over, k)
		}
	}
	requests := 0
	send := func() {
		t.Helper()
		for name := range with {
			lines := todo[name][:rows]
			todo[name] = todo[name][rows:]
			requests++
			deliver(t, s, name, lines, "request "+strconv.Itoa(requests))
			oracle.add(t, name, lines)
		}
	}
	compare := func(when string) {
		t.Helper()
		for _, k := range over {
			got, provenance := ask(t, s, k)
			if diffs := differences(got, oracle.recompute(t, k)); len(diffs) > 0 {
				t.Errorf("%s: view %s differs in %d places, at %s:\n%s", when, k.view, len(diffs), provenance, joinFirst(diffs, 5))
			}
		}
		for name, n := range oracle.rows {
			got := tableOf(t, s.sql("SELECT 'all' AS k, count() AS n FROM "+name), []string{"k"})
			if counted := fmt.Sprint(got["all|"]["n"]); counted != strconv.Itoa(n) {
				t.Errorf("%s: SELECT count() FROM %s: %s, want %d", when, name, counted, n)
			}
		}
	}

	send()
	compare("at first")
	for name := range with {
		s.untilSealed(t, name, rows)
	}
	for _, k := range over {
		s.runBatch(t, k.view)
	}
	send()
	compare("after a batch run and more events")
	s.kill()
	s.start()
	compare("after kill -9 of the appliance")
	store.flush(t)
	send()
	compare("after FLUSHALL")
	store.kill()
	store.start(t)
	send()
	compare("after kill -9 of Redis, which was empty then")
	natsd.kill()
	natsd.start(t)
	send()
	compare("after kill -9 of NATS")
}

// deliver sends lines again and again, under a key, until they are acknowledged.
func deliver(t testing.TB, s *server, stream string, lines [][]byte, key string) {
	t.Helper()
	body := append(bytes.Join(lines, []byte("\n")), '\n')
	deadline := time.Now().Add(time.Minute)
	for {
		got, status, err := s.post(stream, "application/x-ndjson", body, key)
		if err == nil {
			if got.Accepted != len(lines) || got.Rejected != 0 {
				t.Errorf("%s: accepted %d of %d rows, refused %d: %v", stream, got.Accepted, len(lines), got.Rejected, got.Errors)
			}
			return
		}
		if status >= 400 && status < 500 && status != http.StatusTooManyRequests || time.Now().After(deadline) {
			t.Fatalf("post to %s: %v", stream, err)
		}
		time.Sleep(20 * time.Millisecond) // polling
	}
}

// untilSealed waits until the lake holds so many rows of a stream.
func (s *server) untilSealed(t testing.TB, stream string, rows int64) {
	t.Helper()
	var lake int64
	eventually(t, "the lake holds the rows of "+stream, func() bool {
		var status struct {
			Streams []struct {
				Name     string
				LakeRows int64 `json:"lake_rows"`
			}
		}
		s.get("/v1/status", &status)
		for _, st := range status.Streams {
			if st.Name == stream {
				lake = st.LakeRows
			}
		}
		return lake >= rows
	})
}

// runBatch runs a view's batch job, which must succeed.
func (s *server) runBatch(t testing.TB, view string) (rows int64) {
	t.Helper()
	status, body, err := s.do(context.Background(), http.MethodPost, "/v1/views/"+view+"/batch", "", nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("batch run of %s: %d %v %s", view, status, err, body)
	}
	var r struct{ Rows int64 }
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	return r.Rows
}

// eventually polls until ok, for at most half a minute.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not in half a minute: %s", what)
		}
		time.Sleep(20 * time.Millisecond) // polling
	}
}

// part is an external server on loopback.
type part struct {
	url  string
	args []string
	cmd  *exec.Cmd
}

// newPart finds a server on PATH, or where Debian keeps servers, and skips the test where
// there is none.
func newPart(t *testing.T, name, scheme string) (p *part, port string) {
	t.Helper()
	binary, err := exec.LookPath(name)
	if err != nil {
		if binary, err = exec.LookPath("/usr/sbin/" + name); err != nil {
			t.Skipf("%s is not installed: apt-get install %s (or .ci/parts, as root) enables this test", name, name)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	at := url.URL{Scheme: scheme, Host: listener.Addr().String()}
	return &part{url: at.String(), args: []string{binary}}, at.Port()
}

func (p *part) start(t *testing.T) {
	t.Helper()
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, p.args[0]+" takes connections", func() bool {
		conn, err := net.Dial("tcp", at.Host)
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	})
}

func (p *part) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func startRedis(t *testing.T) *part {
	t.Helper()
	p, port := newPart(t, "redis-server", "redis")
	p.args = append(p.args, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	p.start(t)
	t.Cleanup(p.kill)
	return p
}

func (p *part) flush(t *testing.T) {
	t.Helper()
	o, err := redis.ParseURL(p.url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(o)
	defer client.Close()
	if n, err := client.DBSize(context.Background()).Result(); err != nil || n == 0 {
		t.Errorf("the external Redis holds %d keys, %v: the speed layer does not use it", n, err)
	}
	if err := client.FlushAll(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
}

func startNATS(t *testing.T) *part {
	t.Helper()
	p, port := newPart(t, "nats-server", "nats")
	dir := t.TempDir()
	jetstream := fmt.Sprintf("jetstream { store_dir: %q", filepath.Join(dir, "store"))
	config := filepath.Join(dir, "nats.conf")
	check := func(setting string) error {
		text := fmt.Sprintf("listen: 127.0.0.1:%s\nmax_payload: 8MB\n%s%s }\n", port, jetstream, setting)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return exec.Command(p.args[0], "-t", "-c", config).Run()
	}
	// Servers before 2.10, such as Debian's, do not know the setting. What this test kills
	// is a process, not the machine, so that written is as good as synced.
	if check(", sync_interval: always") != nil {
		if err := check(""); err != nil {
			t.Fatal(err)
		}
	}
	p.args = append(p.args, "-c", config)
	p.start(t)
	t.Cleanup(p.kill)
	return p
}
