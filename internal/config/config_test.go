package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLaterSourcesWin(t *testing.T) {
	file := filepath.Join(t.TempDir(), "millrace.yaml")
	if err := os.WriteFile(file, []byte("epoch: 10s\nredis:\n  url: redis://a:1\nlisten: 127.0.0.1:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file, []string{"MILLRACE_REDIS_URL=redis://b:2", "MILLRACE_LISTEN=127.0.0.1:2", "OTHER=x"},
		map[string]string{"listen": "127.0.0.1:3"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Epoch != 10*time.Second || c.RedisURL != "redis://b:2" || c.Listen != "127.0.0.1:3" {
		t.Fatalf("got epoch %s, redis %s, listen %s", c.Epoch, c.RedisURL, c.Listen)
	}
}

func TestEveryKeyRefusesABadValue(t *testing.T) {
	bad := map[string]string{
		"data_dir": "", "listen": "nowhere", "epoch": "1ms", "flush": "1m", "linger": "2s", "grace": "0s",
		"query.timeout": "soon", "query.max_rows": "0", "query.max_bytes": "1", "query.max_memory_bytes": "1", "query.max_view_rows": "0", "query.concurrency": "0",
		"query.admin.timeout": "1ms", "query.admin.max_rows": "-1", "query.admin.max_bytes": "1", "query.admin.max_memory_bytes": "1", "query.admin.max_view_rows": "-1", "query.admin.concurrency": "1000",
		"query.read.timeout": "2h", "query.read.max_rows": "-1", "query.read.max_bytes": "1", "query.read.max_memory_bytes": "1", "query.read.max_view_rows": "-1", "query.read.concurrency": "1000",
		"ingest.future_skew":    "-1s",
		"ingest.max_body_bytes": "12", "ingest.max_row_bytes": "1", "ingest.max_depth": "0", "ingest.max_fields": "many", "ingest.max_in_flight_bytes": "1",
		"live.max_streams": "0",
		"redis.url":        "localhost:6379", "clickhouse.dsn": "tcp://x", "clickhouse.listen": "here:8123456", "stream.url": "kafka://x",
		"auth.required": "perhaps", "tls.cert": "cert.pem", "tls.key": "key.pem", "cors.origins": "https://a.example/path",
		"rate.requests": "-1", "rate.burst": "0",
		"reports.scheduler": "perhaps", "reports.ledger": "s3://x", "reports.lease": "1ms", "reports.keep": "0", "reports.public_url": "millrace.example",
		"reports.s3.endpoint": "host", "reports.s3.access_key": "alone", "reports.s3.secret_key": "alone", "smtp.host": "a b", "smtp.port": "0",
		"smtp.username": "alone", "smtp.password": "alone", "smtp.from": "nobody", "smtp.tls": "perhaps",
		"lake.url": "ftp://x", "log.level": "loud", "log.format": "xml",
	}
	free := map[string]bool{"clickhouse.lake_path": true, "engine.library": true, "reports.dir": true, "reports.webhook_secret": true, "reports.s3.region": true} // any path will do
	var c Config
	for _, k := range c.keys() {
		if free[k.name] {
			continue
		}
		value, listed := bad[k.name]
		if !listed {
			t.Errorf("%s: no bad value is tested", k.name)
			continue
		}
		_, err := Load("", nil, map[string]string{k.name: value})
		if err == nil || !strings.Contains(err.Error(), k.name) || value == "alone" && strings.Contains(err.Error(), value) {
			t.Errorf("%s = %q: got %v, want an error that names the key", k.name, value, err)
		}
	}
}

func TestAllViolationsTogether(t *testing.T) {
	file := filepath.Join(t.TempDir(), "millrace.yaml")
	if err := os.WriteFile(file, []byte("epoch: 1ms\nspeed: 9\nlisten: [1]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file, nil, nil); err == nil || !strings.Contains(err.Error(), "listen must be a single value") {
		t.Fatalf("got %v", err)
	}
	if err := os.WriteFile(file, []byte("epoch: 1ms\nspeed: 9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(file, nil, nil)
	for _, want := range []string{`unknown key "speed"`, ":2:", "epoch: 1ms is outside"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
}

func TestTheShippedFileIsTheDefault(t *testing.T) {
	c, err := Load("../../deploy/millrace.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c != Default() {
		t.Errorf("deploy/millrace.yaml gives %+v, the default is %+v", c, Default())
	}
	text, err := os.ReadFile("../../deploy/millrace.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range c.keys() {
		name := k.name[strings.LastIndexByte(k.name, '.')+1:]
		if !strings.Contains(string(text), name+":") {
			t.Errorf("deploy/millrace.yaml does not name %s", k.name)
		}
	}
}

func TestWhereTokensAreDemanded(t *testing.T) {
	for listen, exposed := range map[string]bool{
		"127.0.0.1:8080": false, "127.8.9.1:0": false, "[::1]:80": false, "localhost:80": false, "[::ffff:127.0.0.1]:80": false,
		":8080": true, "0.0.0.0:80": true, "[::]:80": true, "10.0.0.1:80": true, "example.org:80": true, "localhost.example.org:80": true,
	} {
		c := Default()
		c.Listen = listen
		if c.Exposed() != exposed || c.DemandsTokens() != exposed {
			t.Errorf("%s: exposed %v, demands tokens %v; want %v", listen, c.Exposed(), c.DemandsTokens(), exposed)
		}
		c.AuthRequired = true
		if !c.DemandsTokens() {
			t.Errorf("%s: auth.required demands no tokens", listen)
		}
	}
}

func TestOriginsAreWrittenAsBrowsersSendThem(t *testing.T) {
	for value, good := range map[string]bool{
		"": true, "*": true, "https://a.example": true, "https://a.example, http://localhost:3000": true,
		"https://a.example/": false, "a.example": false, "https://A.example": false, "null": false, "ftp://a.example": false,
		"https://a.example?x": false, "https://u@a.example": false,
	} {
		if _, err := Load("", nil, map[string]string{"cors.origins": value}); (err == nil) != good {
			t.Errorf("cors.origins = %q: %v", value, err)
		}
	}
}
