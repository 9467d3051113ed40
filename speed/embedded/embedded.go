// Package embedded gives the speed layer a Redis of its own: a redis-server child where
// there is one on the PATH, else miniredis in the process.
//
// The one invariant: the address never changes while the server lives, and the server
// never outlives its parent. It keeps nothing on disk, since its content is a cache of
// the log.
package embedded

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/alicebob/miniredis/v2"
)

// Kind says what serves.
type Kind string

// The kinds of servers.
const (
	Child     Kind = "redis-server" // a supervised child process
	InProcess Kind = "miniredis"    // slower, and lost with the process; for want of the former
)

// Options configure a server.
type Options struct {
	// Dir is the folder of the socket; it is created where it is missing.
	Dir string
	// Binary is the redis-server to run; empty: the one on the PATH.
	Binary string
	// InProcess leaves redis-server alone even where it is there.
	InProcess bool
	// Logger; nil: slog.Default.
	Logger *slog.Logger
}

// Server is a running Redis. Its methods are safe for concurrent use.
type Server struct {
	kind  Kind
	url   string
	child *child
	mini  *miniredis.Miniredis
}

// maxSocketPath is the longest path of a unix socket that every system takes: macOS has
// 104 bytes for it with the closing zero, Linux 108.
const maxSocketPath = 103

// socketName is the socket's name in the folder.
const socketName = "redis.sock"

// Start runs a server and returns once it answers. ctx bounds the start only.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	binary := o.Binary
	if binary == "" && !o.InProcess {
		if found, err := exec.LookPath("redis-server"); err == nil {
			binary = found
		}
	}
	if binary == "" || o.InProcess {
		return startInProcess()
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of the embedded Redis: %w", err)
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("find folder of the embedded Redis: %w", err)
	}
	at, err := chooseAddress(dir)
	if err != nil {
		return nil, err
	}
	c, err := startChild(ctx, binary, dir, at, o.Logger)
	if err != nil {
		return nil, err
	}
	return &Server{kind: Child, url: at.url(), child: c}, nil
}

func startInProcess() (*Server, error) {
	m := miniredis.NewMiniRedis()
	password := rand.Text()
	m.RequireAuth(password)
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start miniredis: %w", err)
	}
	u := url.URL{Scheme: "redis", User: url.UserPassword("", password), Host: m.Addr()}
	return &Server{kind: InProcess, url: u.String(), mini: m}, nil
}

// URL returns the address for redisview.Open. It holds for as long as the server lives,
// restarts included, and carries the password: it is not for logs.
func (s *Server) URL() string { return s.url }

// Kind returns what serves.
func (s *Server) Kind() Kind { return s.kind }

// Pid returns the process id of the child, 0 while there is none.
func (s *Server) Pid() int {
	if s.child == nil {
		return 0
	}
	return int(s.child.pid.Load())
}

// Stop ends the server and waits for it. What it held is gone. Stopping twice is harmless.
func (s *Server) Stop() {
	if s.child != nil {
		s.child.stop()
	}
	if s.mini != nil {
		s.mini.Close()
	}
}

// address is where a child listens.
type address struct {
	socket   string // path of a unix socket, or empty
	port     int    // on loopback, where there is no socket
	password string // of the port; the socket is guarded by its permissions
}

// chooseAddress takes a socket in dir, or a loopback port where its path would be too long.
func chooseAddress(dir string) (address, error) {
	if path := filepath.Join(dir, socketName); len(path) <= maxSocketPath {
		return address{socket: path}, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return address{}, fmt.Errorf("find a port for the embedded Redis: %w", err)
	}
	defer l.Close() // redis-server takes it over
	return address{port: l.Addr().(*net.TCPAddr).Port, password: rand.Text()}, nil
}

func (a address) url() string {
	if a.socket != "" {
		return (&url.URL{Scheme: "unix", Path: a.socket}).String()
	}
	host := fmt.Sprintf("127.0.0.1:%d", a.port)
	return (&url.URL{Scheme: "redis", User: url.UserPassword("", a.password), Host: host}).String()
}
