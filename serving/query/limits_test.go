package query

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/clickhouse/engine"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/problem"
)

// forever is a query that runs for hours, and yields to a cancellation between blocks.
const forever = "SELECT count() AS c FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))"

// stubborn computes one value for minutes and looks for no cancellation meanwhile.
const stubborn = "SELECT arrayFold((a, x) -> a + sipHash64(x, a), range(materialize(20000000)), toUInt64(0)) AS x"

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// with gives every role the changed limits.
func (s *setting) with(change func(*Limits)) {
	l := testLimits
	change(&l)
	s.Limits = RoleLimits{access.SQL: l, access.Admin: l}
}

func TestLimits(t *testing.T) {
	s := newSetting(t)
	for _, c := range []struct {
		text   string
		change func(*Limits)
		status int
		says   string
	}{
		{"SELECT number FROM numbers(6)", func(*Limits) {}, http.StatusUnprocessableEntity, "query.max_rows"},
		{"SELECT n FROM s, numbers(4) AS four", func(*Limits) {}, http.StatusUnprocessableEntity, "query.max_rows"},
		{"SELECT repeat('x', 1000000) FROM numbers(4)", func(*Limits) {}, http.StatusUnprocessableEntity, "query.max_bytes"},
		{"SELECT sum(length(a)) FROM (SELECT groupArray(number) AS a FROM numbers(100000000))", func(*Limits) {}, http.StatusUnprocessableEntity, "query.max_memory_bytes"},
		{"SELECT * FROM v", func(l *Limits) { l.ViewRows = 1 }, http.StatusUnprocessableEntity, "query.max_view_rows"},
		{"SELECT * FROM v", func(l *Limits) { l.MemoryBytes = 1 }, http.StatusUnprocessableEntity, "query.max_memory_bytes"},
		{forever, func(l *Limits) { l.Time = 300 * time.Millisecond }, http.StatusGatewayTimeout, "query.timeout"},
		{"SELECT count() FROM numbers(1000000) AS a, numbers(1000000) AS b WHERE NOT ignore(sipHash64(a.number, b.number))", func(l *Limits) { l.Time = 300 * time.Millisecond }, http.StatusGatewayTimeout, "query.timeout"},
	} {
		s.with(c.change)
		_, err := s.try(Request{Text: c.text})
		if p := problem.From(err); p.Status != c.status || !strings.Contains(p.Detail, c.says) || p.Hint == "" {
			t.Errorf("%s: %v, want %d naming %s", c.text, err, c.status, c.says)
		}
	}
	s.with(func(*Limits) {})
	if got := s.ask("SELECT number AS n FROM numbers(6) LIMIT 5"); got != "n\n0\n1\n2\n3\n4" {
		t.Error(got)
	}
	eventually(t, "the engine is idle", func() bool { return leftovers(t) == 0 })
}

// TestLateErrorsComeFromTheBody: what fails after the first bytes does not end like a
// whole answer.
func TestLateErrorsComeFromTheBody(t *testing.T) {
	s := newSetting(t)
	s.with(func(l *Limits) { l.Rows, l.Bytes = 1e9, 1<<40 })
	r, err := s.Stream(s.ctx, Request{Text: "SELECT throwIf(number = 5000000, 'late') FROM numbers(10000000)", Format: "TSV"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err == nil || !strings.Contains(err.Error(), "late") {
		t.Errorf("got %v", err)
	}
	if err := r.Body.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Body.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a closed body gives %v", err)
	}
}

// TestConcurrency: past the limit of a role a query is refused; another role has its own.
func TestConcurrency(t *testing.T) {
	s := newSetting(t)
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	var running sync.WaitGroup
	for range testLimits.Concurrency {
		running.Go(func() {
			if _, err := s.Run(ctx, Request{Text: forever}); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
	eventually(t, "all run", func() bool { return len(s.slots[access.Admin]) == testLimits.Concurrency })
	_, err := s.try(Request{Text: "SELECT 1"})
	if p := problem.From(err); p.Status != http.StatusTooManyRequests || p.RetryAfter == 0 || !strings.Contains(p.Detail, "query.concurrency") {
		t.Errorf("got %v", err)
	}
	root := s.ctx
	s.ctx = access.With(root, access.Principal{Name: "ann", Role: access.SQL})
	if got := s.ask("SELECT 1 AS x"); got != "x\n1" {
		t.Error(got)
	}
	s.ctx = root
	cancel()
	running.Wait()
	if got := s.ask("SELECT 1 AS x"); got != "x\n1" {
		t.Error(got)
	}
}

// TestSlowReaderFreesTheEngine: a caller that reads no further, and does not close, holds
// the engine and its place up to the limit of time.
func TestSlowReaderFreesTheEngine(t *testing.T) {
	s := newSetting(t)
	s.with(func(l *Limits) { l.Rows, l.Bytes, l.Time = 1e12, 1<<50, 2*time.Second })
	r, err := s.Stream(s.ctx, Request{Text: "SELECT number, toString(number) FROM numbers(1000000000)", Format: "TSV"})
	if err != nil {
		t.Fatal(err)
	}
	if leftovers(t) == 0 {
		t.Error("the query does not run any more, although nobody has read it")
	}
	eventually(t, "the engine is free", func() bool { return leftovers(t) == 0 && len(s.slots[access.Admin]) == 0 })
	_, err = io.Copy(io.Discard, r.Body)
	if p := problem.From(err); p.Status != http.StatusGatewayTimeout {
		t.Errorf("reading on gives %v", err)
	}
	if err := r.Body.Close(); err != nil {
		t.Error(err)
	}
}

// own starts a confined engine of the test's own and lets the executor use it.
func (s *setting) own(stuckAfter time.Duration) *engine.Engine {
	s.tb.Helper()
	opts := enginetest.Options(s.tb, filepath.Join(s.tb.TempDir(), "engine"))
	opts.Confine = &engine.Confinement{ReadOnly: []string{filepath.Dir(s.history.path)}}
	opts.StuckAfter, opts.Wipe = stuckAfter, true
	e, err := engine.Start(s.tb.Context(), opts)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(e.Stop)
	x := &Engine{}
	for suffix, use := range map[string]func(*clickhouse.Client){"": func(c *clickhouse.Client) { x.Sessions = c }, "?readonly=1": func(c *clickhouse.Client) { x.Parser = c }} {
		c, err := clickhouse.Open(e.DSN() + suffix)
		if err != nil {
			s.tb.Fatal(err)
		}
		s.tb.Cleanup(func() { _ = c.Close() })
		use(c)
	}
	s.Engine = x
	return e
}

// TestStubbornQueryIsKilled has a query that cannot be cancelled: the engine is started
// again, another query there is told to come again, and the next one runs.
func TestStubbornQueryIsKilled(t *testing.T) {
	s := newSetting(t)
	e := s.own(500 * time.Millisecond)
	s.with(func(l *Limits) { l.Time = time.Hour })
	var other error
	var beside sync.WaitGroup
	beside.Go(func() { _, other = s.Run(s.ctx, Request{Text: forever}) })
	runs := func(mark string) bool {
		b, err := s.Engine.Parser.QueryBatch(s.ctx, "SELECT count() FROM system.processes WHERE elapsed > 0.5 AND query LIKE '%"+mark+"%' AND query NOT LIKE '%processes%' AND query NOT LIKE 'EXPLAIN%'")
		return err == nil && b.Columns[0].U64[0] > 0
	}
	eventually(t, "the other query runs", func() bool { return runs("1000000000000") })
	s.with(func(l *Limits) { l.Time, l.MemoryBytes = 5*time.Second, 8<<30 })
	var stuck error
	beside.Go(func() { _, stuck = s.try(Request{Text: stubborn}) })
	eventually(t, "the stubborn query runs", func() bool { return runs("arrayFold") })
	beside.Wait()
	if p := problem.From(stuck); p.Status != http.StatusGatewayTimeout || !strings.Contains(p.Detail, "query.timeout") {
		t.Errorf("the stubborn query: %v", stuck)
	}
	if p := problem.From(other); p.Status != http.StatusServiceUnavailable || p.RetryAfter == 0 {
		t.Errorf("the query beside it: %v", other)
	}
	eventually(t, "the engine was started again", func() bool { return e.Restarts() == 1 })
	s.with(func(*Limits) {})
	if got := s.ask("SELECT sum(n) AS m FROM s"); got != "m\n6" {
		t.Error(got)
	}
}

// TestAThousandCancelledQueriesLeakNothing cancels queries in every state.
func TestAThousandCancelledQueriesLeakNothing(t *testing.T) {
	s := newSetting(t)
	e := s.own(30 * time.Second)
	s.Log = slog.New(slog.NewTextHandler(t.Output(), nil)) // what is behind a 503
	if got := s.ask("SELECT sum(n) AS m FROM s, v"); got != "m\n12" {
		t.Fatal(got)
	}
	files := func() int {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", e.Pid()))
		if err != nil {
			t.Fatal(err)
		}
		own, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries) + len(own)
	}
	filesBefore, goroutinesBefore := files(), runtime.NumGoroutine()
	texts := []string{forever, "SELECT * FROM s, v, numbers(1000000000) AS many", "SELECT number FROM numbers(100000000000)", "SELECT 1"}
	var callers sync.WaitGroup
	for caller := range 4 {
		callers.Go(func() {
			for i := range 250 {
				ctx, cancel := context.WithCancel(s.ctx)
				timer := time.AfterFunc(time.Duration((i*37+caller*11)%40)*time.Millisecond, cancel)
				r, err := s.Run(ctx, Request{Text: texts[i%len(texts)], Format: "TSV"})
				if err == nil {
					_, _ = io.Copy(io.Discard, r.Body) // it breaks off, or not
					err = r.Body.Close()
				}
				if err != nil && !errors.Is(err, context.Canceled) && problem.From(err).Status >= http.StatusInternalServerError {
					t.Errorf("%s: %v", texts[i%len(texts)], err)
				}
				timer.Stop()
				cancel()
			}
		})
	}
	callers.Wait()
	eventually(t, "nothing is left in the engine", func() bool {
		b, err := s.Engine.Sessions.QueryBatch(s.ctx, "SELECT (SELECT count() FROM system.processes) - 1 + (SELECT count() FROM system.tables WHERE is_temporary) + (SELECT countIf(database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema')) FROM system.tables)")
		return err == nil && b.Columns[0].I64[0] == 0
	})
	t.Logf("files %d -> %d, goroutines %d -> %d", filesBefore, files(), goroutinesBefore, runtime.NumGoroutine())
	eventually(t, "files and goroutines are as before", func() bool { return files() <= filesBefore+16 && runtime.NumGoroutine() <= goroutinesBefore+16 })
	if e.Restarts() != 0 {
		t.Errorf("the engine was started again %d times", e.Restarts())
	}
	if n := s.history.released.Load(); n == 0 || len(s.slots[access.Admin]) != 0 {
		t.Errorf("%d histories released, %d places taken", n, len(s.slots[access.Admin]))
	}
	if got := s.ask("SELECT sum(n) AS m FROM s, v"); got != "m\n12" {
		t.Error(got)
	}
}
