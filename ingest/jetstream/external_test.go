package jetstream_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/ingest/jetstream"
	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/ingest/stream/streamtest"
)

// natsServer is an external nats-server on loopback.
type natsServer struct {
	dir  string
	port string // "-1" until the first start chose one
	cmd  *exec.Cmd
}

// startNATS starts the nats-server of the machine, or skips the test where there is none.
func startNATS(t *testing.T) *natsServer {
	t.Helper()
	if _, err := natsBinary(); err != nil {
		t.Skip("nats-server is not installed: apt-get install nats-server enables this test")
	}
	s := &natsServer{dir: t.TempDir(), port: "-1"}
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

// natsBinary also looks where Debian keeps servers, which a user's PATH may lack.
func natsBinary() (string, error) {
	if path, err := exec.LookPath("nats-server"); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/nats-server")
}

func (s *natsServer) start(t *testing.T) {
	t.Helper()
	config := fmt.Sprintf("listen: 127.0.0.1:%s\nmax_payload: 8MB\nports_file_dir: %q\njetstream { store_dir: %q }\n",
		s.port, s.dir, filepath.Join(s.dir, "store"))
	file := filepath.Join(s.dir, "nats.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	binary, err := natsBinary()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command(binary, "-c", file)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ports := filepath.Join(s.dir, fmt.Sprintf("nats-server_%d.ports", s.cmd.Process.Pid))
	deadline := time.Now().Add(10 * time.Second)
	for {
		var found struct{ Nats []string }
		text, err := os.ReadFile(ports)
		if err == nil && json.Unmarshal(text, &found) == nil && len(found.Nats) > 0 {
			at, err := url.Parse(found.Nats[0])
			if err != nil {
				t.Fatal(err)
			}
			s.port = at.Port()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nats-server did not start")
		}
		time.Sleep(10 * time.Millisecond) // polling
	}
}

func (s *natsServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *natsServer) options() jetstream.Options {
	return jetstream.Options{URL: "nats://127.0.0.1:" + s.port}
}

func TestExternalContract(t *testing.T) {
	s := startNATS(t)
	b := open(t, s.options())
	streamtest.Exercise(t, func(*testing.T) stream.Backend { return b })
}

func TestExternalRestart(t *testing.T) {
	streamtest.ExerciseRestart(t, func(t *testing.T) (stream.Backend, func() stream.Backend) {
		s := startNATS(t)
		b := open(t, s.options())
		return b, func() stream.Backend {
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			s.kill()
			s.start(t)
			return open(t, s.options())
		}
	})
}

// TestExternalOutage: while the cluster is away appends are refused, and when it is back
// appenders and readers go on without being opened again.
func TestExternalOutage(t *testing.T) {
	s := startNATS(t)
	log, err := open(t, s.options()).Open(t.Context(), "outage", 1)
	if err != nil {
		t.Fatal(err)
	}
	r, err := log.Read(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	appendNext := func(want uint64) {
		t.Helper()
		if seq, err := log.Append(t.Context(), 0, []byte{byte(want)}); err != nil || seq != want {
			t.Fatalf("append gave %d, %v; want %d", seq, err, want)
		}
	}
	readNext := func(want uint64) {
		t.Helper()
		if e, err := r.Next(t.Context()); err != nil || e.Seq != want || e.Payload[0] != byte(want) {
			t.Fatalf("read entry %d, %v; want %d", e.Seq, err, want)
		}
	}
	appendNext(1)
	readNext(1)
	s.kill()
	eventually(t, func() bool {
		_, err := log.Append(t.Context(), 0, []byte{99})
		return errors.Is(err, stream.ErrBusy)
	})
	s.start(t)
	eventually(t, func() bool {
		_, err := log.Head(t.Context(), 0)
		return err == nil
	})
	appendNext(2)
	readNext(2)
}

// eventually polls a condition.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen in 30 s")
		}
		time.Sleep(10 * time.Millisecond) // polling
	}
}

// TestExternalSmallPayload: a cluster that cannot take the largest entry is refused at
// once, with what to do.
func TestExternalSmallPayload(t *testing.T) {
	s := startNATS(t)
	s.kill()
	binary, err := natsBinary()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command(binary, "-a", "127.0.0.1", "-p", s.port, "-js", "-sd", filepath.Join(s.dir, "other"))
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		_, err := jetstream.Open(t.Context(), s.options())
		return err != nil && strings.Contains(err.Error(), "max_payload")
	})
}
