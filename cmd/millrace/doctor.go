package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/millrace/millrace/ingest/jetstream"
	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/clickhouse/engine"
	"github.com/millrace/millrace/internal/config"
	"github.com/millrace/millrace/lake/objstore/local"
	"github.com/millrace/millrace/speed/embedded"
	"github.com/millrace/millrace/speed/redisview"
)

const (
	// lowDiskBytes is the free space below which doctor warns: some hours of the demo.
	lowDiskBytes = 5 << 30
	// lowFiles is the limit of open files below which many partitions run into it.
	lowFiles = 4096
	// earliestClock is before this release: a clock that says less is wrong, and every
	// event of today would be refused as too far in the future.
	earliestClock = 2026
	// checkTimeout bounds the check of one part.
	checkTimeout = 30 * time.Second
)

// examination collects what doctor finds.
type examination struct {
	cfg   config.Config
	bad   int
	quiet *slog.Logger
}

func (x *examination) good(part, format string, args ...any) {
	fmt.Printf("  ok    %-10s %s\n", part, fmt.Sprintf(format, args...))
}

func (x *examination) warn(part, format string, args ...any) {
	fmt.Printf("  warn  %-10s %s\n", part, fmt.Sprintf(format, args...))
}

func (x *examination) fail(part, format string, args ...any) {
	x.bad++
	fmt.Printf("  FAIL  %-10s %s\n", part, fmt.Sprintf(format, args...))
}

// doctor checks each part of the configuration and says what to do.
func doctor(ctx context.Context, args []string) error {
	fs := flags("doctor")
	load := config.Flags(fs)
	if err := fs.Parse(args); err != nil {
		return err
	}
	cfg, err := load(os.Environ())
	if err != nil {
		return err
	}
	x := &examination{cfg: cfg, quiet: slog.New(slog.DiscardHandler)}
	for _, check := range []func(context.Context){x.machine, x.access, x.lake, x.stream, x.redis, x.clickhouse, x.sandbox} {
		bounded, cancel := context.WithTimeout(ctx, checkTimeout)
		check(bounded)
		cancel()
	}
	if x.bad > 0 {
		return fmt.Errorf("%d checks failed", x.bad)
	}
	return nil
}

func (x *examination) machine(context.Context) {
	if year := time.Now().Year(); year < earliestClock {
		x.fail("clock", "the clock says %d: set it, or events of today are refused", year)
	} else {
		x.good("clock", "%s", time.Now().UTC().Format(time.RFC3339))
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		x.warn("files", "the limit of open files cannot be read: %v", err)
	} else if files.Cur < lowFiles {
		x.warn("files", "at most %d open files: raise it (ulimit -n %d)", files.Cur, 16*lowFiles)
	} else {
		x.good("files", "at most %d open files", files.Cur)
	}
}

func (x *examination) lake(ctx context.Context) {
	dir, err := os.MkdirTemp(existing(x.cfg.DataDir), ".millrace-doctor-*")
	if err != nil {
		x.fail("data_dir", "%s cannot be written: %v; choose another with --data", x.cfg.DataDir, err)
		return
	}
	defer os.RemoveAll(dir)
	store, err := local.Open(dir)
	if err == nil {
		err = store.Put(ctx, "probe", []byte("probe"))
	}
	if err != nil {
		x.fail("lake", "a durable write failed: %v", err)
		return
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		x.warn("disk", "free space cannot be read: %v", err)
		return
	}
	if free := float64(disk.Bavail) * float64(disk.Bsize); free < lowDiskBytes {
		x.warn("disk", "%.1f GiB free at %s: make room, or ingest will be refused", free/(1<<30), x.cfg.DataDir)
	} else {
		x.good("disk", "%.0f GiB free at %s", free/(1<<30), x.cfg.DataDir)
	}
}

// existing returns the nearest folder of path that is there.
func existing(path string) string {
	path, err := filepath.Abs(path)
	for err == nil {
		if info, serr := os.Stat(path); serr == nil && info.IsDir() {
			return path
		}
		parent := filepath.Dir(path)
		if parent == path {
			break
		}
		path = parent
	}
	return path
}

func (x *examination) stream(ctx context.Context) {
	if x.cfg.StreamURL == "" {
		x.good("stream", "embedded nats-server, fsync before each acknowledgement")
		return
	}
	b, err := jetstream.Open(ctx, jetstream.Options{URL: x.cfg.StreamURL, Logger: x.quiet})
	if err != nil {
		x.fail("stream", "%v; check stream.url, and that JetStream is enabled there", err)
		return
	}
	_ = b.Close()
	x.good("stream", "external NATS answers; see that it runs with sync_interval: always, or with replicas")
}

func (x *examination) redis(ctx context.Context) {
	address := x.cfg.RedisURL
	if address == "" {
		if _, err := exec.LookPath("redis-server"); err != nil {
			x.warn("redis", "no redis-server on the PATH: an in-process stand-in is used, which is slower; install redis-server")
			return
		}
		dir, err := os.MkdirTemp("", "millrace-doctor-*")
		if err != nil {
			x.fail("redis", "%v", err)
			return
		}
		defer os.RemoveAll(dir)
		s, err := embedded.Start(ctx, embedded.Options{Dir: dir, Logger: x.quiet})
		if err != nil {
			x.fail("redis", "the embedded server does not start: %v", err)
			return
		}
		defer s.Stop()
		address = s.URL()
	}
	store, err := redisview.Open(address)
	if err != nil {
		x.fail("redis", "%v", err)
		return
	}
	defer store.Close()
	h, err := store.Check(ctx)
	if err != nil {
		x.fail("redis", "%v; check redis.url", err)
		return
	}
	for _, w := range h.Warnings {
		x.warn("redis", "%s", w)
	}
	for _, p := range h.Problems {
		x.fail("redis", "%s", p)
	}
	if len(h.Problems) == 0 {
		x.good("redis", "version %s, maxmemory-policy %s, round trip %s", h.Version, h.MaxmemoryPolicy, h.RoundTrip.Round(time.Microsecond))
	}
}

// sandbox says what holds the queries of callers.
func (x *examination) sandbox(context.Context) {
	switch version := engine.Confinable(); {
	case strings.HasPrefix(x.cfg.ClickHouseDSN, "http"):
		x.good("queries", "checked by the parser of the external ClickHouse, read only; its own limits and grants hold too")
	case version == 0:
		x.warn("queries", "this kernel has no Landlock: SQL of callers is checked by the engine's parser and read only, but the operating system does not confine it; Linux 5.13 or later does")
	default:
		x.good("queries", "checked by the engine's parser, read only, confined to the lake by Landlock %d", version)
	}
}

func (x *examination) clickhouse(ctx context.Context) {
	dsn := x.cfg.ClickHouseDSN
	if dsn == "" {
		library, err := engine.Library(x.cfg.EngineLibrary)
		if err != nil {
			x.fail("engine", "%v", err)
			return
		}
		dir, err := os.MkdirTemp("", "millrace-doctor-*")
		if err != nil {
			x.fail("engine", "%v", err)
			return
		}
		defer os.RemoveAll(dir)
		e, err := engine.Start(ctx, engine.Options{Library: library, DataDir: dir, Log: x.quiet})
		if err != nil {
			x.fail("engine", "it does not start: %v; fetch it again: millrace engine fetch", err)
			return
		}
		defer e.Stop()
		dsn = e.DSN()
	}
	c, err := clickhouse.Open(dsn)
	if err != nil {
		x.fail("clickhouse", "%v", err)
		return
	}
	defer c.Close()
	v, err := c.Version(ctx)
	if err != nil {
		x.fail("clickhouse", "%v; check clickhouse.dsn", err)
		return
	}
	x.good("clickhouse", "version %s", v)
}
