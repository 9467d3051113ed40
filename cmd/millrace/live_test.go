package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/serving/client"
)

// followed is what a follower of a stream has seen.
type followed[T any] struct {
	mu       sync.Mutex
	last     T
	problems []string // kinds
	ended    error
}

// follow reads a stream in the background until it ends.
func follow[T any](wg *sync.WaitGroup, events iter.Seq2[T, error]) *followed[T] {
	f := &followed[T]{}
	wg.Go(func() {
		for value, err := range events {
			var e *client.Error
			f.mu.Lock()
			switch {
			case err == nil:
				f.last = value
			case errors.As(err, &e):
				f.problems = append(f.problems, e.Kind())
			default:
				f.ended = err
			}
			f.mu.Unlock()
		}
	})
	return f
}

func (f *followed[T]) now() (last T, problems []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, slices.Clone(f.problems)
}

// TestLiveStreams follows the pulse, a view and a leaderboard from many clients at once,
// one of which never reads, while events come in and parts stall and die: everybody is told
// what fails, gets the right answer again, and is let go when the server stops.
func TestLiveStreams(t *testing.T) {
	s := newServer(t, "--epoch", "1s", "--flush", "20ms", "--live.max_streams", "101")
	c, err := client.New(s.url, client.Options{Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	s.sql(`CREATE STREAM seen (ts DateTime64(3), who String) WITH (event_time = 'ts', partition_by = 'who');
		CREATE VIEW totals AS SELECT count() AS n FROM seen WITH (batch = '@yearly');
		CREATE LEADERBOARD busiest AS SELECT who, count() AS n FROM seen GROUP BY who WITH (windows = 'all', batch = '@yearly')`)
	total := 0
	add := func(n int) {
		t.Helper()
		if r, _, err := s.post("seen", "application/x-ndjson", []byte(strings.Repeat(`{"ts":"2026-01-02T03:04:05Z","who":"ann"}`+"\n", n)), ""); err != nil || r.Accepted != n {
			t.Fatalf("append: %+v %v", r, err)
		}
		total += n
	}
	add(1)

	stalled, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer stalled.Close()
	if _, err := io.WriteString(stalled, "GET /v1/views/totals/live?every=200ms HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var views []*followed[*client.Answer]
	var boards []*followed[*client.Standing]
	var pulses []*followed[*client.Pulse]
	for range 60 {
		views = append(views, follow(&wg, c.WatchView(t.Context(), "totals", client.ViewQuery{}, 200*time.Millisecond)))
	}
	for range 20 {
		boards = append(boards, follow(&wg, c.WatchTop(t.Context(), "busiest", client.TopQuery{N: 1}, 200*time.Millisecond)))
		pulses = append(pulses, follow(&wg, c.Pulses(t.Context())))
	}
	allSee := func(when string) {
		t.Helper()
		eventually(t, fmt.Sprintf("everybody sees %d %s", total, when), func() bool {
			for _, f := range views {
				if a, _ := f.now(); a == nil || len(a.Rows) != 1 || a.Rows[0][0] != uint64(total) {
					return false
				}
			}
			for _, f := range boards {
				if b, _ := f.now(); b == nil || len(b.Rows) != 1 || b.Rows[0].Score.String() != fmt.Sprint(total) {
					return false
				}
			}
			return true
		})
	}
	pulse := func(what string, holds func(*client.Pulse) bool) {
		t.Helper()
		eventually(t, "every pulse says "+what, func() bool {
			for _, f := range pulses {
				if p, _ := f.now(); p == nil || !holds(p) {
					return false
				}
			}
			return true
		})
	}
	healthy := func(p *client.Pulse) bool { return p.Healthy && len(p.Problems) == 0 }
	broken := func(part string) func(p *client.Pulse) bool {
		return func(p *client.Pulse) bool {
			return !p.Healthy && slices.ContainsFunc(p.Problems, func(x client.Problem) bool { return x.Part == part })
		}
	}
	allSee("at the start")
	pulse("that all is well", healthy)
	if status, text, err := s.do(t.Context(), http.MethodGet, "/v1/live", "", nil); err != nil || status != http.StatusTooManyRequests || !strings.Contains(string(text), "live.max_streams") {
		t.Errorf("one stream too many: %d %s %v", status, text, err)
	}
	for range 5 {
		add(100)
	}
	allSee("when there is more")
	pulse("how many there are", func(p *client.Pulse) bool {
		return len(p.Streams) == 1 && p.Streams[0].Events == int64(total) && p.Streams[0].EventsPerSecond > 0 && len(p.Views) == 1 && p.Views[0].Complete && len(p.Boards) == 1
	})
	pulse("that nothing comes any more", func(p *client.Pulse) bool { return p.Streams[0].EventsPerSecond == 0 })

	var status struct{ Pids map[string]int }
	s.get("/v1/status", &status)
	send := func(child string, sig syscall.Signal) {
		t.Helper()
		if pid := status.Pids[child]; pid < 2 || syscall.Kill(pid, sig) != nil {
			t.Fatalf("send %v to %s, %v", sig, child, status.Pids)
		}
	}
	ready := func(want int, says string) {
		t.Helper()
		if got, text, err := s.do(t.Context(), http.MethodGet, "/readyz", "", nil); err != nil || got != want || !strings.Contains(string(text), says) {
			t.Errorf("/readyz: %d %s %v, want %d %s", got, text, err, want, says)
		}
	}
	ready(http.StatusOK, "ready")

	send("redis", syscall.SIGSTOP)
	add(10)
	ready(http.StatusServiceUnavailable, "Redis does not answer")
	pulse("that Redis stalls", broken("redis"))
	eventually(t, "everybody is told why there are no answers", func() bool {
		for _, f := range views {
			if _, problems := f.now(); !slices.Contains(problems, "busy") {
				return false
			}
		}
		for _, f := range boards {
			if _, problems := f.now(); !slices.Contains(problems, "busy") {
				return false
			}
		}
		return true
	})
	send("redis", syscall.SIGCONT)
	allSee("when Redis answers again")
	pulse("that all is well again", healthy)

	send("query_engine", syscall.SIGSTOP)
	ready(http.StatusServiceUnavailable, "the query engine does not answer")
	pulse("that the query engine stalls", broken("query_engine"))
	send("query_engine", syscall.SIGCONT)
	send("engine", syscall.SIGKILL)
	send("redis", syscall.SIGKILL)
	add(10)
	allSee("when the engine and Redis were killed")
	pulse("that all is well at last", healthy)
	if _, err := c.RunBatch(t.Context(), "totals"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "everybody sees the new generation", func() bool {
		for _, f := range views {
			if a, _ := f.now(); a.Sources[0].Generation != 2 {
				return false
			}
		}
		return true
	})

	began := time.Now()
	s.stop()
	wg.Wait()
	if took := time.Since(began); took > drainTimeout {
		t.Errorf("the server took %s to stop", took)
	}
	for _, f := range views {
		if !errors.Is(f.ended, io.ErrUnexpectedEOF) {
			t.Errorf("a stream ended by %v", f.ended)
		}
	}
}

// TestALiveStreamEndsWithItsToken revokes the token of who listens.
func TestALiveStreamEndsWithItsToken(t *testing.T) {
	s := newServer(t, "--auth.required", "true", "--epoch", "1s", "--flush", "20ms")
	admin := s.firstToken()
	for _, statement := range []string{"CREATE STREAM visits (ts DateTime64(3)) WITH (event_time = 'ts')", "CREATE VIEW hits AS SELECT count() AS n FROM visits", "CREATE VIEW hidden AS SELECT count() AS n FROM visits"} {
		if status, text := s.as(admin, http.MethodPost, "/v1/sql", "text/plain", statement); status != http.StatusOK {
			t.Fatalf("%s: %d %s", statement, status, text)
		}
	}
	owner, err := client.New(s.url, client.Options{Token: admin})
	if err != nil {
		t.Fatal(err)
	}
	made, err := owner.CreateToken(t.Context(), client.NewToken{Name: "wall", Role: "read", Objects: []string{"hits"}})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := client.New(s.url, client.Options{Token: made.Secret, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	pulses, told := 0, false
	for p, err := range reader.Pulses(ctx) {
		var e *client.Error
		switch {
		case errors.As(err, &e):
			told = e.Kind() == "token-revoked"
		case err != nil:
			if !told || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("it ended by %v, told: %t", err, told)
			}
		default:
			if len(p.Streams) != 0 || len(p.Views) != 1 || p.Views[0].Name != "hits" || strings.Contains(string(p.Raw), "hidden") || !strings.Contains(string(p.Raw), `"serving":null`) {
				t.Errorf("shown to a reader of one view: %s", p.Raw)
			}
			if pulses++; pulses == 2 {
				if err := owner.RevokeToken(ctx, made.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if pulses != 2 || !told {
		t.Errorf("%d pulses, told: %t", pulses, told)
	}
	for _, err := range reader.WatchView(ctx, "hits", client.ViewQuery{}, 0) {
		var e *client.Error
		if !errors.As(err, &e) || e.Kind() != "token-revoked" {
			t.Errorf("a new stream: %v", err)
		}
	}
}

// TestStatusWatch reads what the command prints until it is interrupted.
func TestStatusWatch(t *testing.T) {
	s := newServer(t, "--epoch", "1s", "--flush", "20ms")
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "status", "--watch", "--url", s.url)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := 0; i < 2 && lines.Scan(); i++ {
		var p client.Pulse
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil || !p.Healthy || p.Version == "" {
			t.Errorf("%s: %v", lines.Bytes(), err)
		}
	}
	_ = cmd.Process.Signal(os.Interrupt)
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("interrupted, it ends by %v", err)
	}
}
