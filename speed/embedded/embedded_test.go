package embedded

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a server and a client of it, both stopped at the test's end.
func start(t *testing.T, o Options) (*Server, *redis.Client) {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	ro, err := redis.ParseURL(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(ro)
	t.Cleanup(func() { client.Close() })
	return s, client
}

func needsBinary(t *testing.T, s *Server) {
	t.Helper()
	if s.Kind() != Child {
		t.Skip("no redis-server on the PATH: install it to run this test")
	}
}

// await polls until ok.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestServes(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	for name, o := range map[string]Options{
		"socket":     {Dir: t.TempDir()},
		"port":       {Dir: long},
		"in process": {Dir: t.TempDir(), InProcess: true},
	} {
		t.Run(name, func(t *testing.T) {
			s, client := start(t, o)
			if err := client.Set(t.Context(), "a", "b", 0).Err(); err != nil {
				t.Fatal(err)
			}
			if o.InProcess && s.Kind() != InProcess {
				t.Errorf("kind is %s", s.Kind())
			}
		})
	}
}

func TestPortIsGuarded(t *testing.T) {
	for name, o := range map[string]Options{
		"child":      {Dir: filepath.Join(t.TempDir(), strings.Repeat("d", 120))},
		"in process": {InProcess: true},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := start(t, o)
			intruder := redis.NewClient(&redis.Options{Addr: client.Options().Addr})
			defer intruder.Close()
			if err := intruder.Set(t.Context(), "a", "b", 0).Err(); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
				t.Errorf("without the password: %v", err)
			}
		})
	}
}

func TestConfiguration(t *testing.T) {
	s, client := start(t, Options{Dir: t.TempDir()})
	needsBinary(t, s)
	for name, want := range map[string]string{"save": "", "appendonly": "no", "maxmemory-policy": "noeviction"} {
		got, err := client.ConfigGet(t.Context(), name).Result()
		if err != nil || got[name] != want {
			t.Errorf("%s is %q, %v", name, got[name], err)
		}
	}
	if fi, err := os.Stat(client.Options().Addr); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("socket: %v, %v", fi, err)
	}
}

func TestRestartsAtTheSameAddress(t *testing.T) {
	s, client := start(t, Options{Dir: t.TempDir()})
	needsBinary(t, s)
	for range 3 {
		old := s.Pid()
		if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		await(t, "the server is back", func() bool {
			p := s.Pid()
			return p != 0 && p != old && client.Ping(t.Context()).Err() == nil
		})
		t.Logf("back after %s", time.Since(began))
	}
}

func TestStopEndsTheChild(t *testing.T) {
	s, client := start(t, Options{Dir: t.TempDir()})
	needsBinary(t, s)
	pid := s.Pid()
	s.Stop()
	s.Stop()
	if err := syscall.Kill(pid, 0); err == nil {
		t.Error("the child lives on")
	}
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Error("it still answers")
	}
}

func TestStopEndsAStoppedChild(t *testing.T) {
	s, _ := start(t, Options{Dir: t.TempDir()})
	needsBinary(t, s)
	pid := s.Pid()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s.Stop()
	if took := time.Since(began); took >= stopWithin {
		t.Errorf("it had to be killed, after %s", took)
	}
	if syscall.Kill(pid, 0) == nil {
		t.Error("the child lives on")
	}
}

func TestStartTakesOverAStaleSocket(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	_, client := start(t, Options{Dir: dir})
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestStartReportsFailure(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "redis-server")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho out of luck\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Start(context.Background(), Options{Dir: dir, Binary: broken, Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "out of luck") {
		t.Errorf("error is %v", err)
	}
}
