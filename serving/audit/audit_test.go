package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/route"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

func openLog(t testing.TB, dir string, size int64, files int) *Log {
	t.Helper()
	now := start
	l, err := Open(Options{
		Dir: dir, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), FileBytes: size, Files: files,
		Now: func() time.Time { now = now.Add(time.Second); return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// newest returns the texts of the newest entries.
func newest(t testing.TB, l *Log, limit int, since time.Time) []string {
	t.Helper()
	texts := []string{}
	err := l.List(limit, since, func(line []byte) bool {
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil || line[len(line)-1] != '\n' {
			t.Fatalf("%q: %v", line, err)
		}
		texts = append(texts, e.Text)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

func record(t testing.TB, l *Log, text string) {
	t.Helper()
	if err := l.Record(t.Context(), Entry{Kind: "sql", Text: text, Outcome: OK}); err != nil {
		t.Fatal(err)
	}
}

func TestNewestFirstOverFilesAndRestarts(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, 400, 3)
	var want []string
	for i := range 40 {
		text := fmt.Sprint("entry ", i)
		record(t, l, text)
		want = append([]string{text}, want...)
		if i%7 == 0 {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = openLog(t, dir, 400, 3)
		}
	}
	defer l.Close()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Size() > 400 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d bytes, %v, %v", f.Name(), info.Size(), info.Mode(), err)
		}
	}
	kept := newest(t, l, 1000, time.Time{})
	if len(kept) < 4 || fmt.Sprint(kept) != fmt.Sprint(want[:len(kept)]) {
		t.Errorf("kept %v", kept)
	}
	for limit := 1; limit <= len(kept); limit++ {
		if got := newest(t, l, limit, time.Time{}); fmt.Sprint(got) != fmt.Sprint(want[:limit]) {
			t.Errorf("limit %d: %v", limit, got)
		}
	}
	if got := newest(t, l, 100, start.Add(24*time.Hour)); len(got) != 0 {
		t.Errorf("since tomorrow: %v", got)
	}
}

func TestEntriesSayWhoAndKeepNoSecret(t *testing.T) {
	l := openLog(t, t.TempDir(), 0, 0)
	defer l.Close()
	ctx := WithAddress(access.With(t.Context(), access.Principal{ID: "a1", Name: "ann", Role: access.SQL}), "192.0.2.7")
	secret := "mr_" + strings.Repeat("Ab1_-", 8) + "abc"
	Query(ctx, l, "SELECT '"+secret+"'")(7, problem.New(http.StatusBadRequest, "sql", "wrong", ""))
	err := l.List(1, time.Time{}, func(line []byte) bool {
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		e.Millis = 0
		want := Entry{Time: start.Add(time.Second), ID: "a1", Name: "ann", Role: access.SQL, Address: "192.0.2.7", Kind: "sql", Text: "SELECT 'mr_(hidden)'", Outcome: "/problems/sql", Rows: 7}
		if e != want {
			t.Errorf("got %+v, want %+v", e, want)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{strings.Repeat("é", MaxTextBytes), "x" + strings.Repeat("é", MaxTextBytes), strings.Repeat("\x00", 2*MaxTextBytes), strings.Repeat("<", 3*MaxTextBytes)} {
		record(t, l, text)
		got := newest(t, l, 1, time.Time{})
		if len(got) != 1 || !utf8.ValidString(got[0]) || len(got[0]) > MaxTextBytes+40 || !strings.Contains(got[0], fmt.Sprintf("(%d bytes)", len(text))) {
			t.Errorf("a text of %d bytes is kept as %d entries: %.60q", len(text), len(got), got)
		}
	}
	if err := l.Record(t.Context(), Entry{Kind: "sql"}); err == nil {
		t.Error("an entry without an outcome is taken")
	}
}

// TestAnActIsWrittenDownBeforeItBegins: at the moment it runs, its entry is there.
func TestAnActIsWrittenDownBeforeItBegins(t *testing.T) {
	l := openLog(t, t.TempDir(), 0, 0)
	failure := errors.New("the act failed")
	outcomes := func() (all []string) {
		if err := l.List(10, time.Time{}, func(line []byte) bool {
			var e Entry
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatal(err)
			}
			all = append(all, e.Kind+" "+e.Outcome)
			return true
		}); err != nil {
			t.Fatal(err)
		}
		return all
	}
	err := Act(t.Context(), l, "drop", "x", func(context.Context) (int64, error) {
		if got := outcomes(); len(got) != 1 || got[0] != "drop begun" {
			t.Errorf("while it runs the log has %v", got)
		}
		return 0, failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	if got := fmt.Sprint(outcomes()); got != "[drop /problems/internal drop begun]" {
		t.Errorf("afterwards %s", got)
	}
	// What is not on the disk has not been written down.
	lost, syncs := errors.New("the disk is gone"), 0
	l.o.Sync = func(*os.File) error { syncs++; return lost }
	if err := Act(t.Context(), l, "drop", "y", func(context.Context) (int64, error) { t.Error("it ran"); return 0, nil }); !errors.Is(err, lost) || syncs != 1 {
		t.Errorf("%d syncs, %v", syncs, err)
	}
	if Query(t.Context(), l, "SELECT 1")(1, nil); syncs != 1 {
		t.Errorf("%d syncs for a query", syncs)
	}
	// With a log that cannot be written nothing is done, and a query goes on.
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ran := false
	run := func(context.Context) (int64, error) { ran = true; return 1, nil }
	if err := Act(t.Context(), l, "drop", "x", run); ran || problem.From(err).Status != http.StatusServiceUnavailable || problem.From(err).RetryAfter == 0 {
		t.Errorf("ran %v, %v", ran, err)
	}
	Query(t.Context(), l, "SELECT 1")(1, nil) // neither fails nor panics
}

// TestATornLineIsSkipped: what a crash left in the middle of an entry hides no other.
func TestATornLineIsSkipped(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, 0, 0)
	record(t, l, "before")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "audit-00000001.ndjson")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(data) {
		if err := os.WriteFile(path, append(bytes.Clone(data), data[:cut]...), 0o600); err != nil {
			t.Fatal(err)
		}
		l := openLog(t, dir, 0, 0)
		record(t, l, "after")
		want := "[after before]"
		if cut == len(data)-1 {
			want = "[after before before]" // whole but for its end of line
		}
		if got := fmt.Sprint(newest(t, l, 10, time.Time{})); got != want {
			t.Errorf("cut at %d: %s", cut, got)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, append(bytes.Repeat([]byte("x"), 3*maxLineBytes), '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, dir, 0, 0)
	defer l.Close()
	record(t, l, "after")
	if got := fmt.Sprint(newest(t, l, 10, time.Time{})); got != "[after]" {
		t.Errorf("after rubbish: %s", got)
	}
}

func TestManyWritersAndReaders(t *testing.T) {
	l := openLog(t, t.TempDir(), 2000, 100)
	l.o.Now = time.Now
	defer l.Close()
	const writers, each = 8, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				record(t, l, fmt.Sprint(w, "/", i))
			}
		})
		wg.Go(func() {
			for range 5 {
				newest(t, l, 10, time.Time{})
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, text := range newest(t, l, 10_000, time.Time{}) {
		seen[text] = true
	}
	if len(seen) != writers*each {
		t.Errorf("%d entries of %d", len(seen), writers*each)
	}
}

func TestRoute(t *testing.T) {
	l := openLog(t, t.TempDir(), 0, 0)
	defer l.Close()
	for i := range 3 {
		record(t, l, fmt.Sprint(i))
	}
	h := l.Routes().Handler(func(_ route.Route, h http.Handler) http.Handler { return h })
	for target, want := range map[string]string{
		"/v1/audit": "210", "/v1/audit?limit=2": "21", "/v1/audit?since=2026-05-04T03:02:03Z": "21", "/v1/audit?since=1h": "210",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		got := ""
		for line := range strings.Lines(w.Body.String()) {
			var e Entry
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			got += e.Text
		}
		if w.Code != http.StatusOK || got != want || w.Header().Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("%s: %d %s, want %s", target, w.Code, w.Body, want)
		}
	}
	for _, target := range []string{"/v1/audit?limit=0", "/v1/audit?limit=1001", "/v1/audit?limit=x", "/v1/audit?since=yesterday", "/v1/audit?since=-1h"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		if w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}
