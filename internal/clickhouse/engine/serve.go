package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"
)

const (
	// defaultConcurrent statements run side by side by default; further ones wait.
	defaultConcurrent = 8
	// readHeaderTimeout bounds how long a client may take over its request line and headers.
	readHeaderTimeout = 10 * time.Second
	// shutdownTimeout is what statements in flight get to finish when the child ends.
	shutdownTimeout = 5 * time.Second
	// lockTimeout is how long a new child waits for the one before it to let the data go.
	lockTimeout = 15 * time.Second
	// listenerFD is where the child finds the parent's listening socket.
	listenerFD = 3
	// readyLine on the child's standard output says that the engine answers.
	readyLine = "ready"
)

// ServeOptions say what an engine child serves. The parent sends them as one line of
// JSON on the child's standard input, so that the secret is in no argument list.
type ServeOptions struct {
	Library        string // path of libchdb
	DataDir        string // of the database; made if absent, locked while in use
	Secret         string // the password that every request must bring
	MaxConcurrent  int    // statements side by side; 0 means 8
	MaxMemoryBytes int64  // of one statement; 0 means the engine's own limit
	// StuckAfter is how long a cancelled statement may go on before the child gives itself
	// up; 0 means 30 seconds.
	StuckAfter time.Duration
}

// Serve runs the engine behind listener until ctx ends, then lets statements in flight
// finish for five seconds. The engine can be started once per process. It calls ready,
// if not nil, when it answers.
func Serve(ctx context.Context, listener net.Listener, opts ServeOptions, log *slog.Logger, ready func()) error {
	if opts.Secret == "" {
		return errors.New("serve engine: no secret")
	}
	if opts.MaxConcurrent == 0 {
		opts.MaxConcurrent = defaultConcurrent
	}
	if opts.StuckAfter == 0 {
		opts.StuckAfter = stuckAfter
	}
	if err := os.MkdirAll(opts.DataDir, 0o700); err != nil {
		return fmt.Errorf("serve engine: make data directory: %w", err)
	}
	unlock, err := lockDir(opts.DataDir, lockTimeout)
	if err != nil {
		return fmt.Errorf("serve engine: %w", err)
	}
	defer unlock()
	lib, err := load(opts.Library)
	if err != nil {
		return fmt.Errorf("serve engine: %w", err)
	}
	pool, err := newPool(lib, opts)
	if err != nil {
		return fmt.Errorf("serve engine: %w", err)
	}
	stuck := make(chan struct{}, 1)
	h := &handler{pool: pool, sessions: newSessions(pool), secret: opts.Secret, onStuck: func() {
		select {
		case stuck <- struct{}{}:
		default:
		}
	}}
	server := &http.Server{Handler: h, ReadHeaderTimeout: readHeaderTimeout, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if ready != nil {
		ready()
	}
	select {
	case err := <-served:
		return fmt.Errorf("serve engine: %w", err)
	case <-stuck:
		return fmt.Errorf("serve engine: a statement did not end %v after it was cancelled", opts.StuckAfter)
	case <-ctx.Done():
	}
	// The deadline must outlive ctx, which has ended.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return fmt.Errorf("serve engine: statements still ran after %v: %w", shutdownTimeout, err)
	}
	h.sessions.close()
	pool.close()
	return nil
}

// RunChild is the whole main function of the child process that [Start] makes: it reads
// its options from stdin, serves on the inherited socket, and ends when stdin ends, so
// that it never outlives its parent, however that dies. The caller exits with an error
// status when it returns an error; it must not install signal handlers, and calls it
// first of all, from main or TestMain.
func RunChild(stdin io.Reader, stdout, stderr io.Writer) error {
	// The engine asks for the bounds of the stack that it runs on, and for the first thread's
	// the C library reads /proc, which a confined child must not: so that thread waits here.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	log := slog.New(slog.NewTextHandler(stderr, nil))
	in := bufio.NewReader(stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read options of engine child: %w", err)
	}
	var opts ServeOptions
	if err := json.Unmarshal(line, &opts); err != nil {
		return fmt.Errorf("read options of engine child: %w", err)
	}
	file := os.NewFile(listenerFD, "listener")
	listener, err := net.FileListener(file)
	if err != nil {
		return fmt.Errorf("use inherited socket: %w", err)
	}
	_ = file.Close() // FileListener has its own copy
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	served := make(chan error)
	go func() { served <- Serve(ctx, listener, opts, log, func() { fmt.Fprintln(stdout, readyLine) }) }()
	return <-served
}
