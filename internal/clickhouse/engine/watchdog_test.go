package engine_test

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/clickhouse/engine"
)

// startWatched starts an engine of the test's own with a watchdog that is soon done.
func startWatched(t *testing.T, hungAfter time.Duration) (*engine.Engine, *clickhouse.Client) {
	t.Helper()
	return start(t, func(o *engine.Options) { o.HungAfter, o.MaxConcurrent = hungAfter, 1 })
}

// TestHungChildIsReplaced stops the child in its tracks.
func TestHungChildIsReplaced(t *testing.T) {
	e, c := startWatched(t, 1500*time.Millisecond)
	pid := e.Pid()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	within(t, 30*time.Second, "another child", func() bool { p := e.Pid(); return p != 0 && p != pid })
	if e.Restarts() == 0 {
		t.Error("the restart was not counted")
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Errorf("the new child does not answer: %v", err)
	}
}

// TestBusyChildIsLeftAlone keeps the one session busy for longer than the silence that is
// allowed.
func TestBusyChildIsLeftAlone(t *testing.T) {
	e, c := startWatched(t, 1500*time.Millisecond)
	pid := e.Pid()
	if err := c.Exec(t.Context(), "SELECT sleep(3)"); err != nil {
		t.Errorf("busy for three seconds: %v", err)
	}
	if e.Restarts() != 0 || e.Pid() != pid {
		t.Errorf("%d restarts of a child that was busy", e.Restarts())
	}
}

// TestStopOfHungChild does not give time to end to a child that cannot hear of it.
func TestStopOfHungChild(t *testing.T) {
	e, _ := startWatched(t, time.Hour)
	pid := e.Pid()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// Until the signal has reached every thread the child may still answer a ping.
	within(t, 10*time.Second, "the child is stopped", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err == nil && bytes.Contains(stat, []byte(") T "))
	})
	began := time.Now()
	e.Stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("Stop took %v", took)
	}
	if alive(pid) {
		t.Errorf("child %d still runs", pid)
	}
}
