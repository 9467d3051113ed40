package schedule

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

func stop(t *testing.T, s *Scheduler) {
	t.Helper()
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRunsAgainAfterAFailure(t *testing.T) {
	var text bytes.Buffer
	var mu sync.Mutex
	s := Start(slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return text.Write(p)
	}), nil)))
	runs := make(chan struct{})
	err := s.Add("view.1", "@every 1s", func(ctx context.Context) error {
		runs <- struct{}{}
		return errors.New("out of luck")
	})
	if err != nil {
		t.Fatal(err)
	}
	if next := s.Next("view.1"); next.IsZero() || next.Location() != time.UTC {
		t.Errorf("next run is at %s", next)
	}
	<-runs
	<-runs
	stop(t, s)
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(text.String(), "out of luck") || !strings.Contains(text.String(), "view.1") {
		t.Errorf("the log says %q", text.String())
	}
}

// writer is a function as an io.Writer.
type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestRunsDoNotOverlap(t *testing.T) {
	s := Start(quiet)
	var under, started atomic.Int32
	release, first := make(chan struct{}), make(chan struct{})
	err := s.Add("slow", "@every 1s", func(context.Context) error {
		if under.Add(1) > 1 {
			t.Error("two runs at once")
		}
		defer under.Add(-1)
		if started.Add(1) == 1 {
			close(first)
			<-release
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ticks := make(chan struct{}, 16)
	if err := s.Add("beat", "@every 1s", func(context.Context) error { ticks <- struct{}{}; return nil }); err != nil {
		t.Fatal(err)
	}
	<-first
	<-ticks
	<-ticks // the other job's next time has come while the slow one runs
	if n := started.Load(); n != 1 {
		t.Errorf("%d runs began", n)
	}
	close(release)
	stop(t, s)
}

func TestStopEndsRuns(t *testing.T) {
	s := Start(quiet)
	began := make(chan struct{})
	var ended atomic.Bool
	err := s.Add("view.1", "@every 1s", func(ctx context.Context) error {
		close(began)
		<-ctx.Done()
		ended.Store(true)
		return ctx.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	<-began
	stop(t, s)
	if !ended.Load() {
		t.Error("Stop did not wait for the run")
	}
}

func TestStopGivesUpWithItsContext(t *testing.T) {
	s := Start(quiet)
	began, release := make(chan struct{}), make(chan struct{})
	if err := s.Add("stuck", "@every 1s", func(context.Context) error { close(began); <-release; return nil }); err != nil {
		t.Fatal(err)
	}
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stop: %v", err)
	}
	close(release)
	stop(t, s)
}

func TestAddAndRemove(t *testing.T) {
	s := Start(quiet)
	defer stop(t, s)
	nothing := func(context.Context) error { return nil }
	for _, spec := range []string{"*/15 * * * *", "@hourly", "@every 90s"} {
		if err := s.Add(spec, spec, nothing); err != nil {
			t.Error(err)
		}
		if err := s.Add(spec, spec, nothing); err == nil {
			t.Errorf("%s was added twice", spec)
		}
		s.Remove(spec)
		s.Remove(spec)
		if !s.Next(spec).IsZero() {
			t.Errorf("%s is still scheduled", spec)
		}
	}
	for _, spec := range []string{"", "61 * * * *", "whenever", "* * * * * *"} {
		if err := s.Add("bad", spec, nothing); err == nil {
			t.Errorf("%q was accepted", spec)
		}
	}
}
