// Package config reads Millrace's one configuration: defaults, then a YAML file, then
// MILLRACE_* variables, then flags; the later wins.
//
// The one invariant: nothing is guessed. An unknown key is refused, and every violation
// is reported, all together and by the name under which it was given.
package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Config is the whole configuration. Empty URLs mean the embedded part.
type Config struct {
	// DataDir holds everything the appliance keeps: stream, lake, engine. Default "data".
	DataDir string
	// Listen is the HTTP address. Default "127.0.0.1:8080". Port 0 picks a free one.
	Listen string
	// Epoch is the length of an epoch: how often the batch layer may move its cut, and how
	// much the speed layer holds in memory. Default 60s, 100ms to 24h. It is fixed once the
	// data directory has events.
	Epoch time.Duration
	// Flush is how often the speed layer writes to Redis. Default 100ms, 5ms to 10s.
	Flush time.Duration
	// Linger is how long ingest gathers small requests into one entry. Default 5ms, 0 to 1s.
	Linger time.Duration
	// Grace is how long superseded epochs, generations and files stay for queries under
	// way. Default 30s, 1s to 24h.
	Grace time.Duration
	// FutureSkew is how far an event time may lie ahead. Default 1h, 0 to 8760h.
	FutureSkew time.Duration
	// MaxBodyBytes bounds a request's body, decompressed. Default 64 MiB, 1 KiB to 1 GiB.
	MaxBodyBytes int64
	// MaxRowBytes bounds one row. Default 1 MiB, 16 B to 64 MiB.
	MaxRowBytes int64
	// MaxDepth is the deepest nesting of an event. Default 64, 1 to 1000.
	MaxDepth int64
	// MaxFields is the most fields of an event. Default 1000, 1 to 100,000.
	MaxFields int64
	// MaxInFlightBytes bounds the bodies being worked on. Default 256 MiB, 1 MiB to 64 GiB.
	MaxInFlightBytes int64
	// SQL, Admin and Read are the limits of queries by role: query.KEY, query.admin.KEY and
	// query.read.KEY. What is 0 in the latter two is as in SQL.
	SQL, Admin, Read QueryLimits
	// LiveMaxStreams is how many live streams may be open. Default 512, 1 to 100,000.
	LiveMaxStreams int64
	// RedisURL: redis://, rediss://; several hosts by commas mean Redis Cluster.
	RedisURL string
	// ClickHouseDSN: http://, https:// or clickhouse://.
	ClickHouseDSN string
	// ClickHouseListen is the address of the endpoint that speaks ClickHouse's HTTP
	// protocol. Default "127.0.0.1:8123"; empty is none; port 0 picks a free one.
	ClickHouseListen string
	// ClickHouseLakePath is the lake's path as an external ClickHouse server sees it.
	ClickHouseLakePath string
	// StreamURL: nats://.
	StreamURL string
	// LakeURL: file:///path; empty is lake/ in DataDir.
	LakeURL string
	// EngineLibrary is the path of libchdb; empty is the user's cache.
	EngineLibrary string
	Access
	Reports
	// LogLevel is debug, info, warn or error. Default info.
	LogLevel string
	// LogFormat is text or json. Default text.
	LogFormat string
}

// Default returns the configuration that an empty file means.
func Default() Config {
	return Config{
		DataDir: "data", Listen: "127.0.0.1:8080", ClickHouseListen: "127.0.0.1:8123",
		Epoch: time.Minute, Flush: 100 * time.Millisecond, Linger: 5 * time.Millisecond,
		Grace: 30 * time.Second, FutureSkew: time.Hour,
		MaxBodyBytes: 64 << 20, MaxRowBytes: 1 << 20, MaxDepth: 64, MaxFields: 1000, MaxInFlightBytes: 256 << 20,
		SQL: defaultLimits, LiveMaxStreams: 512,
		Access:   Access{RateBurst: 100},
		Reports:  defaultReports,
		LogLevel: "info", LogFormat: "text",
	}
}

// key is one setting: its name in the file, what it means, and how to set it.
type key struct {
	name  string
	usage string
	set   func(string) error
}

// keys lists every setting of c. The name gives the flag too, and the variable:
// redis.url is --redis.url and MILLRACE_REDIS_URL.
func (c *Config) keys() []key {
	return slices.Concat(c.Access.keys(), c.Reports.keys(), []key{
		{"data_dir", "directory of all data", text(&c.DataDir)},
		{"listen", "HTTP address", text(&c.Listen)},
		{"epoch", "length of an epoch", duration(&c.Epoch)},
		{"flush", "interval of the speed layer's writes to Redis", duration(&c.Flush)},
		{"linger", "how long small requests gather into one entry", duration(&c.Linger)},
		{"grace", "how long superseded data stays for queries under way", duration(&c.Grace)},
		{"ingest.future_skew", "how far an event time may lie ahead", duration(&c.FutureSkew)},
		{"ingest.max_body_bytes", "largest request body, decompressed", integer(&c.MaxBodyBytes)},
		{"ingest.max_row_bytes", "largest row", integer(&c.MaxRowBytes)},
		{"ingest.max_depth", "deepest nesting of an event", integer(&c.MaxDepth)},
		{"ingest.max_fields", "most fields of an event", integer(&c.MaxFields)},
		{"ingest.max_in_flight_bytes", "most bytes of requests being worked on", integer(&c.MaxInFlightBytes)},
		{"live.max_streams", "most live streams that are open at a time", integer(&c.LiveMaxStreams)},
		{"redis.url", "external Redis; empty: embedded", text(&c.RedisURL)},
		{"clickhouse.dsn", "external ClickHouse; empty: the embedded engine", text(&c.ClickHouseDSN)},
		{"clickhouse.listen", "address for clients of ClickHouse; empty: none", text(&c.ClickHouseListen)},
		{"clickhouse.lake_path", "the lake's path as an external ClickHouse sees it", text(&c.ClickHouseLakePath)},
		{"stream.url", "external NATS; empty: embedded", text(&c.StreamURL)},
		{"lake.url", "where the lake is; empty: lake/ in data_dir", text(&c.LakeURL)},
		{"engine.library", "path of libchdb; empty: the user's cache", text(&c.EngineLibrary)},
		{"log.level", "debug, info, warn or error", text(&c.LogLevel)},
		{"log.format", "text or json", text(&c.LogFormat)},
	}, c.SQL.keys("query.", ""), c.Admin.keys("query.admin.", " of the role admin"), c.Read.keys("query.read.", " of the role read"))
}

func text(p *string) func(string) error {
	return func(s string) error { *p = s; return nil }
}

func duration(p *time.Duration) func(string) error {
	return func(s string) error {
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("%q is not a duration like 60s or 5m", s)
		}
		*p = d
		return nil
	}
}

func integer(p *int64) func(string) error {
	return func(s string) error {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", s)
		}
		*p = n
		return nil
	}
}

// shortFlags are flags that stand for a key under a shorter name.
var shortFlags = map[string]string{"data": "data_dir", "library": "engine.library"}

// Flags registers --config and a flag for every key with fs. After fs.Parse, call the
// returned function with the process's environment for the configuration.
func Flags(fs *flag.FlagSet) func(environ []string) (Config, error) {
	var file string
	fs.StringVar(&file, "config", "", "YAML file of settings")
	given := map[string]string{}
	var scratch Config
	remember := func(name string) func(string) error {
		return func(v string) error { given[name] = v; return nil }
	}
	for _, k := range scratch.keys() {
		fs.Func(k.name, k.usage, remember(k.name))
	}
	for short, name := range shortFlags {
		fs.Func(short, "short for --"+name, remember(name))
	}
	return func(environ []string) (Config, error) { return Load(file, environ, given) }
}

// Load reads the configuration: file may be empty, environ is as os.Environ gives it,
// given are flags by key. The error joins everything that is wrong.
func Load(file string, environ []string, given map[string]string) (Config, error) {
	c := Default()
	byName := map[string]key{}
	for _, k := range c.keys() {
		byName[k.name] = k
	}
	var errs []error
	apply := func(source, name, value string) {
		k, ok := byName[name]
		if !ok {
			errs = append(errs, fmt.Errorf("%s: unknown key %q", source, name))
			return
		}
		if err := k.set(value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", source, name, err))
		}
	}
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return c, fmt.Errorf("read configuration: %w", err)
		}
		settings, err := flatten(data)
		if err != nil {
			return c, fmt.Errorf("read configuration %s: %w", file, err)
		}
		for _, s := range settings {
			apply(fmt.Sprintf("%s:%d", file, s.line), s.name, s.value)
		}
	}
	variables := map[string]string{}
	for name := range byName {
		variables["MILLRACE_"+strings.ToUpper(strings.ReplaceAll(name, ".", "_"))] = name
	}
	variables["MILLRACE_LIBCHDB"] = "engine.library"
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if k, ok := variables[name]; ok {
			apply(name, k, value)
		}
	}
	for name, value := range given {
		apply("flag", name, value)
	}
	errs = append(errs, c.validate()...)
	return c, errors.Join(errs...)
}

type setting struct {
	name, value string
	line        int
}

// flatten turns nested YAML mappings into dotted names.
func flatten(data []byte) ([]setting, error) {
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&doc); err != nil {
		if len(bytes.TrimSpace(data)) == 0 {
			return nil, nil
		}
		return nil, err
	}
	var out []setting
	var walk func(prefix string, n *yaml.Node) error
	walk = func(prefix string, n *yaml.Node) error {
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i < len(n.Content); i += 2 {
				name := n.Content[i].Value
				if prefix != "" {
					name = prefix + "." + name
				}
				if err := walk(name, n.Content[i+1]); err != nil {
					return err
				}
			}
			return nil
		case yaml.ScalarNode:
			if prefix == "" && n.Tag == "!!null" {
				return nil
			}
			if n.Tag == "!!null" {
				out = append(out, setting{prefix, "", n.Line})
				return nil
			}
			out = append(out, setting{prefix, n.Value, n.Line})
			return nil
		}
		return fmt.Errorf("line %d: %s must be a single value", n.Line, prefix)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return out, walk("", doc.Content[0])
}

// LakeDir is where the lake is.
func (c *Config) LakeDir() string {
	if u, err := url.Parse(c.LakeURL); err == nil && u.Path != "" {
		return u.Path
	}
	return filepath.Join(c.DataDir, "lake")
}

// validate returns every violation.
func (c *Config) validate() []error {
	var errs []error
	fail := func(name, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: "+format, append([]any{name}, args...)...))
	}
	between := func(name string, d, low, high time.Duration) {
		if d < low || d > high {
			fail(name, "%s is outside %s to %s", d, low, high)
		}
	}
	within := func(name string, n, low, high int64) {
		if n < low || n > high {
			fail(name, "%d is outside %d to %d", n, low, high)
		}
	}
	address := func(name, s string, schemes ...string) {
		if s == "" {
			return
		}
		scheme, rest, ok := strings.Cut(s, "://")
		if ok && rest != "" {
			for _, want := range schemes {
				if scheme == want {
					if _, err := url.Parse(strings.Split(s, ",")[0]); err == nil {
						return
					}
				}
			}
		}
		fail(name, "%q is not a URL of %s", redact(s), strings.Join(schemes, ", "))
	}
	if c.DataDir == "" {
		fail("data_dir", "must not be empty")
	}
	hostPort := func(name, s string) {
		if _, port, err := net.SplitHostPort(s); err != nil {
			fail(name, "%q is not host:port", s)
		} else if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
			fail(name, "%q has no port from 0 to 65535", s)
		}
	}
	hostPort("listen", c.Listen)
	if c.ClickHouseListen != "" {
		hostPort("clickhouse.listen", c.ClickHouseListen)
	}
	between("epoch", c.Epoch, 100*time.Millisecond, 24*time.Hour)
	between("flush", c.Flush, 5*time.Millisecond, 10*time.Second)
	between("linger", c.Linger, 0, time.Second)
	between("grace", c.Grace, time.Second, 24*time.Hour)
	between("ingest.future_skew", c.FutureSkew, 0, 8760*time.Hour)
	within("ingest.max_body_bytes", c.MaxBodyBytes, 1<<10, 1<<30)
	within("ingest.max_row_bytes", c.MaxRowBytes, 16, 64<<20)
	within("ingest.max_depth", c.MaxDepth, 1, 1000)
	within("ingest.max_fields", c.MaxFields, 1, 100_000)
	within("ingest.max_in_flight_bytes", c.MaxInFlightBytes, 1<<20, 64<<30)
	if c.MaxInFlightBytes < c.MaxBodyBytes {
		fail("ingest.max_in_flight_bytes", "%d is less than ingest.max_body_bytes, %d", c.MaxInFlightBytes, c.MaxBodyBytes)
	}
	within("live.max_streams", c.LiveMaxStreams, 1, 100_000)
	errs = append(errs, c.SQL.validate("query.")...)
	errs = append(errs, c.Admin.Or(c.SQL).validate("query.admin.")...)
	errs = append(errs, c.Read.Or(c.SQL).validate("query.read.")...)
	address("redis.url", c.RedisURL, "redis", "rediss", "unix")
	address("clickhouse.dsn", c.ClickHouseDSN, "http", "https", "clickhouse")
	address("stream.url", c.StreamURL, "nats", "tls")
	address("lake.url", c.LakeURL, "file")
	c.Access.validate(fail, within)
	c.Reports.validate(fail, within, between)
	switch c.LogLevel {
	case "debug", "info", "warn", "error":
	default:
		fail("log.level", "%q is not debug, info, warn or error", c.LogLevel)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		fail("log.format", "%q is not text or json", c.LogFormat)
	}
	return errs
}

// redact hides a password in a URL, for messages.
func redact(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.Redacted()
	}
	return "(unreadable URL)"
}
