package engine_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/clickhouse/engine"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
)

// start starts an engine of the test's own, with options changed.
func start(t *testing.T, change ...func(*engine.Options)) (*engine.Engine, *clickhouse.Client) {
	t.Helper()
	opts := enginetest.Options(t, filepath.Join(t.TempDir(), "data"))
	for _, c := range change {
		c(&opts)
	}
	e, err := engine.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	c, err := e.Client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return e, c
}

func number(t *testing.T, c *clickhouse.Client, query string) uint64 {
	t.Helper()
	b, err := c.QueryBatch(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	return b.Columns[0].U64[0]
}

// TestKilledWhileBusy kills the child again and again while rows are written and read:
// every read succeeds, and what was acknowledged is there in the end.
func TestKilledWhileBusy(t *testing.T) {
	e, c := start(t)
	if err := c.Exec(t.Context(), "CREATE TABLE kept (n UInt64) ENGINE = MergeTree ORDER BY n"); err != nil {
		t.Fatal(err)
	}
	dsn := e.DSN()
	var stop atomic.Bool
	var wg sync.WaitGroup
	defer func() { stop.Store(true); wg.Wait() }()
	acknowledged := map[uint64]bool{}
	var count atomic.Int64 // of acknowledged
	wg.Go(func() {
		for n := uint64(0); !stop.Load(); n++ {
			b, err := c.QueryBatch(t.Context(), fmt.Sprintf("SELECT toUInt64(%d) AS n", n))
			if err != nil {
				t.Errorf("read for insert: %v", err)
				return
			}
			if c.Insert(t.Context(), "kept", b) == nil {
				acknowledged[n] = true
				count.Add(1)
			}
		}
	})
	for range 3 {
		wg.Go(func() {
			for !stop.Load() {
				b, err := c.QueryBatch(t.Context(), "SELECT sum(number) FROM numbers(1000000)")
				if err != nil || b.Columns[0].U64[0] != 499999500000 {
					t.Errorf("read: %v", err)
					return
				}
			}
		})
	}
	const kills, rowsBetween = 3, 5
	for n := range kills {
		before := count.Load()
		within(t, 20*time.Second, "rows are written", func() bool { return count.Load() >= before+rowsBetween })
		pid := e.Pid()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		killed := time.Now()
		within(t, 20*time.Second, "restart", func() bool { return e.Restarts() == n+1 && e.Pid() != pid })
		if err := c.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("answers %v after being killed", time.Since(killed).Round(time.Millisecond))
	}
	stop.Store(true)
	wg.Wait()
	b, err := c.QueryBatch(t.Context(), "SELECT DISTINCT n FROM kept")
	if err != nil {
		t.Fatal(err)
	}
	found := map[uint64]bool{}
	for _, n := range b.Columns[0].U64 {
		found[n] = true
	}
	for n := range acknowledged {
		if !found[n] {
			t.Errorf("row %d was acknowledged and is lost", n)
		}
	}
	if e.DSN() != dsn {
		t.Errorf("the address has changed")
	}
	t.Logf("%d kills, %d rows acknowledged, %d found", kills, len(acknowledged), len(found))
}

// TestCancel ends a long query in the engine when its caller gives up, and the session
// serves others again.
func TestCancel(t *testing.T) {
	c := enginetest.Client(t)
	for _, tc := range []struct {
		name string
		run  func(ctx context.Context, query string) error
	}{
		{"batch", func(ctx context.Context, query string) error { _, err := c.QueryBatch(ctx, query); return err }},
		{"rows", func(ctx context.Context, query string) error {
			rows, err := c.Query(ctx, query)
			if err == nil {
				err = rows.Close()
			}
			return err
		}},
		{"exec", func(ctx context.Context, query string) error {
			return c.Exec(ctx, "CREATE TABLE never ENGINE = Memory AS "+query)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mark := "4321" + strconv.Itoa(len(tc.name)) + "9876"
			query := "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = " + mark
			running := "SELECT count() FROM system.processes WHERE query LIKE '%= " + mark + "' AND query NOT LIKE '%system.processes%'"
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result := make(chan error, 1)
			go func() { result <- tc.run(ctx, query) }()
			within(t, 10*time.Second, "query starts", func() bool { return number(t, c, running) == 1 })
			cancel()
			if err := <-result; !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want the context's", err)
			}
			within(t, 10*time.Second, "query ends", func() bool { return number(t, c, running) == 0 })
		})
	}
}

func TestStop(t *testing.T) {
	e, c := start(t)
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	pid := e.Pid()
	e.Stop()
	e.Stop()
	if alive(pid) {
		t.Errorf("child %d still runs", pid)
	}
	// The client tries again, since nothing was sent, until its context ends.
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := c.Exec(ctx, "SELECT 1"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want connection refused", err)
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// TestStateSurvivesStop starts a second engine on the data of a first one.
func TestStateSurvivesStop(t *testing.T) {
	opts := enginetest.Options(t, filepath.Join(t.TempDir(), "data"))
	for round := range uint64(2) {
		e, err := engine.Start(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		c, err := e.Client()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Exec(t.Context(), "CREATE TABLE IF NOT EXISTS rounds (n UInt64) ENGINE = MergeTree ORDER BY n"); err != nil {
			t.Fatal(err)
		}
		if got := number(t, c, "SELECT count() FROM rounds"); got != round {
			t.Errorf("round %d found %d rows", round, got)
		}
		if err := c.Exec(t.Context(), "INSERT INTO rounds VALUES (1)"); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		e.Stop()
	}
}

// TestDiesWithParent kills the parent of an engine: its child must end by itself.
func TestDiesWithParent(t *testing.T) {
	enginetest.Options(t, t.TempDir()) // fails here, with the advice, where there is no library
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(self)
	parent.Env = append(os.Environ(), parentVariable+"="+filepath.Join(t.TempDir(), "data"))
	stdin, err := parent.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close() }()
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || !alive(pid) {
		t.Fatalf("child %q: %v", line, err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	within(t, 20*time.Second, "child ends", func() bool { return !alive(pid) })
}

func TestStartFails(t *testing.T) {
	text := filepath.Join(t.TempDir(), "libchdb.so")
	if err := os.WriteFile(text, []byte("no library"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		change func(*engine.Options)
		want   string
	}{
		{"no library", func(o *engine.Options) { o.Library = filepath.Join(t.TempDir(), "absent.so") }, "absent.so"},
		{"not a library", func(o *engine.Options) { o.Library = text }, "load engine library"},
		{"no executable", func(o *engine.Options) { o.Executable = filepath.Join(t.TempDir(), "absent") }, "absent"},
		{"another program", func(o *engine.Options) { o.Executable = "/bin/true" }, "child ended at its start"},
		{"nothing given", func(o *engine.Options) { o.DataDir = "" }, "must be given"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opts := enginetest.Options(t, t.TempDir())
			tc.change(&opts)
			e, err := engine.Start(t.Context(), opts)
			if err == nil {
				e.Stop()
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestLibrary(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	if _, err := engine.Library(""); !errors.Is(err, engine.ErrNoLibrary) || !strings.Contains(err.Error(), "millrace engine fetch") {
		t.Errorf("empty cache: %v", err)
	}
	if _, err := engine.Library(t.TempDir()); err == nil {
		t.Error("a directory was taken for the library")
	}
}
