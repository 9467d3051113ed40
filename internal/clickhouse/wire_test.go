package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/event"
)

// serverConfig is the least that a ClickHouse server of any age starts with.
const serverConfig = `<yandex>
  <logger><level>warning</level><console>1</console></logger>
  <listen_host>127.0.0.1</listen_host><tcp_port>%[1]d</tcp_port>
  <path>%[2]s/data/</path><tmp_path>%[2]s/tmp/</tmp_path>
  <users_config>%[2]s/users.xml</users_config>
  <default_profile>default</default_profile><default_database>default</default_database>
  <mark_cache_size>1000000</mark_cache_size>
  <timezone>UTC</timezone>
</yandex>`

const serverUsers = `<yandex>
  <profiles><default></default></profiles>
  <users><default>
    <password></password><networks><ip>127.0.0.1</ip></networks>
    <profile>default</profile><quota>default</quota>
  </default></users>
  <quotas><default></default></quotas>
</yandex>`

// wireClient starts the ClickHouse server that is on PATH, such as Debian's, and returns
// a client of its native port.
func wireClient(t *testing.T) *clickhouse.Client {
	t.Helper()
	args := []string{}
	binary, err := exec.LookPath("clickhouse-server")
	if err != nil {
		if binary, err = exec.LookPath("clickhouse"); err != nil {
			t.Skip("no ClickHouse server on PATH, so its native protocol is not tested: apt-get install clickhouse-server")
		}
		args = append(args, "server")
	}
	dir := t.TempDir()
	port := freePort(t)
	config := filepath.Join(dir, "config.xml")
	for path, text := range map[string]string{config: fmt.Sprintf(serverConfig, port, dir), filepath.Join(dir, "users.xml"): serverUsers} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, binary, append(args, "--config-file="+config)...)
	server.Dir = dir
	var output strings.Builder
	server.Stdout, server.Stderr = &output, &output
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = server.Wait() })
	c, err := clickhouse.Open(fmt.Sprintf("clickhouse://default@127.0.0.1:%d/default", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := c.Ping(t.Context())
		if err == nil {
			return c
		}
		if time.Now().After(deadline) {
			cancel()
			_ = server.Wait()
			t.Fatalf("ClickHouse server does not answer: %v\n%s", err, output.String())
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// TestNativeWire does over the native protocol what the other tests do over HTTP.
func TestNativeWire(t *testing.T) {
	c := wireClient(t)
	version, err := c.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("server %s", version)
	err = c.Exec(t.Context(), "CREATE TABLE wired (i Int64, u UInt64, f Float64, s String, d Date, t DateTime, n Nullable(Int64)) ENGINE = MergeTree ORDER BY i")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := event.NewSchema(
		event.Column{Name: "s", Type: event.Type{Kind: event.String}},
		event.Column{Name: "i", Type: event.Type{Kind: event.Int64}},
		event.Column{Name: "u", Type: event.Type{Kind: event.UInt64}},
		event.Column{Name: "f", Type: event.Type{Kind: event.Float64}},
		event.Column{Name: "d", Type: event.Type{Kind: event.Date}},
		event.Column{Name: "t", Type: event.Type{Kind: event.DateTime64, Precision: 3}},
		event.Column{Name: "n", Type: event.Type{Kind: event.Int64, Nullable: true}},
	)
	if err != nil {
		t.Fatal(err)
	}
	const rows = 1000
	in := event.NewBatch(schema)
	for i := range rows {
		in.Columns[0].AppendString(fmt.Appendf(nil, "row\x00%d\xff", i))
		in.Columns[1].AppendInt64(int64(i) - 500)
		in.Columns[2].AppendUInt64(1<<63 + uint64(i))
		in.Columns[3].AppendFloat64(float64(i) / 3)
		in.Columns[4].AppendInt64(int64(i * 40))
		in.Columns[5].AppendInt64(int64(i) * 1000 * 86399)
		if i%3 == 0 {
			in.Columns[6].AppendZero(true)
		} else {
			in.Columns[6].AppendInt64(int64(-i))
		}
		in.Rows++
	}
	if err := c.Insert(t.Context(), "wired", in); err != nil {
		t.Fatal(err)
	}
	out, err := c.QueryBatch(t.Context(), "SELECT s, i, u, f, d, t, n FROM wired ORDER BY i")
	if err != nil {
		t.Fatal(err)
	}
	if out.Rows != rows {
		t.Fatalf("%d rows", out.Rows)
	}
	for j := range in.Columns {
		for i := range rows {
			want := in.Columns[j].Value(i)
			if j == 5 {
				want = in.Columns[j].I64[i] / 1000 // DateTime holds seconds
			}
			if got := out.Columns[j].Value(i); got != want {
				t.Fatalf("column %s, row %d: got %v, want %v", schema.Columns[j].Name, i, got, want)
			}
		}
	}
	if got := out.Schema.Columns[6].Type.String(); got != "Nullable(Int64)" {
		t.Errorf("type of n: %s", got)
	}
	var refused *clickhouse.Error
	if err := c.Exec(t.Context(), "DROP TABLE nope"); !errors.As(err, &refused) || refused.Code != 60 {
		t.Errorf("unknown table: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := c.QueryBatch(ctx, "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cancelled query: %v", err)
	}
	if _, err := c.QueryRaw(t.Context(), "SELECT 1", "CSV"); err == nil {
		t.Error("the native protocol gave a format")
	}
	if b, err := c.QueryBatch(t.Context(), "SELECT toUInt8(1) AS x"); err != nil || b.Columns[0].Value(0) != uint64(1) {
		t.Errorf("after all that: %+v, %v", b, err)
	}
}
