package engine

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/internal/clickhouse"
)

const (
	// startTimeout is how long a child may take to answer: most of it would be reading
	// the library of half a gigabyte from a slow disk for the first time.
	startTimeout = 60 * time.Second
	// stopTimeout is what a child gets to end by itself before it is killed.
	stopTimeout = 15 * time.Second
	// stopPing is how long a child may take over a last ping before Stop kills it at once.
	stopPing = 2 * time.Second
	// healthyAfter is the life of a child after which its end counts as the first one.
	healthyAfter = 10 * time.Second
	// firstBackoff and maxBackoff pace the restarts of a child that keeps ending; the
	// first restart is at once.
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 5 * time.Second
	// secretBytes of randomness guard the loopback port against other local users.
	secretBytes = 16
	// tailLines of what a failed child wrote go into the error of Start.
	tailLines = 8
)

// Options say how to run the engine.
type Options struct {
	Library        string       // path of libchdb, see [Library]
	DataDir        string       // of the database
	Executable     string       // of the child; "" means this program
	Args           []string     // of the child; nil means {"engine", "serve"}
	Env            []string     // added to the child's environment
	MaxConcurrent  int          // statements side by side; 0 means 8
	MaxMemoryBytes int64        // of one statement; 0 means the engine's own limit
	Log            *slog.Logger // nil means none

	// StuckAfter is how long a cancelled statement may go on before the child is given up
	// and started again; 0 means 30 seconds.
	StuckAfter time.Duration
	// Confine, if not nil, confines the child by Landlock, where the kernel has it (see
	// [Confinable]), and clears its environment.
	Confine *Confinement
	// Wipe empties DataDir at the start: it holds nothing that must last.
	Wipe bool

	// HungAfter is how long a child may leave pings unanswered before it is killed and
	// started again; 0 means 15 seconds.
	HungAfter time.Duration

	Metrics prometheus.Registerer // nil means none
}

func (o Options) withDefaults() (Options, error) {
	if o.Library == "" || o.DataDir == "" {
		return o, errors.New("library and data directory must be given")
	}
	if o.Executable == "" {
		exe, err := os.Executable()
		if err != nil {
			return o, fmt.Errorf("find own executable: %w", err)
		}
		o.Executable = exe
	}
	if o.Args == nil {
		o.Args = []string{"engine", "serve"}
	}
	if o.HungAfter == 0 {
		o.HungAfter = hungAfter
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// Engine is a running, supervised engine. It is safe for concurrent use.
type Engine struct {
	opts     Options
	secret   string
	listener *net.TCPListener
	socket   *os.File
	done     chan struct{} // closed when the supervisor has ended

	restarted prometheus.Counter

	mu       sync.Mutex
	child    *child
	restarts int
	stopping bool
	stop     chan struct{} // closed by Stop
}

// Start starts the engine and waits until it answers. From then on it restarts the child
// whenever that ends, on the same address, until Stop. ctx bounds the start alone.
func Start(ctx context.Context, opts Options) (*Engine, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start engine: %w", err)
	}
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("start engine: %w", err)
	}
	socket, err := listener.File()
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("start engine: share socket: %w", err)
	}
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret)
	e := &Engine{
		opts: opts, secret: hex.EncodeToString(secret), listener: listener, socket: socket,
		done: make(chan struct{}), stop: make(chan struct{}),
		restarted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_clickhouse_engine_restarts_total",
			Help: "Restarts of the embedded ClickHouse engine's process.",
		}),
	}
	if opts.Metrics != nil {
		if err := opts.Metrics.Register(e.restarted); err != nil {
			e.closeSocket()
			return nil, fmt.Errorf("start engine: register metrics: %w", err)
		}
	}
	c, err := e.spawn(ctx)
	if err != nil {
		e.closeSocket()
		return nil, fmt.Errorf("start engine: %w", err)
	}
	e.child = c
	go e.supervise(c)
	return e, nil
}

// DSN returns the address for [clickhouse.Open]; it holds the secret.
func (e *Engine) DSN() string {
	u := url.URL{Scheme: "http", User: url.UserPassword("millrace", e.secret), Host: e.listener.Addr().String(), Path: "/default"}
	return u.String()
}

// Client opens a client of this engine; the caller closes it.
func (e *Engine) Client() (*clickhouse.Client, error) { return clickhouse.Open(e.DSN()) }

// Pid returns the process id of the present child, 0 between two of them.
func (e *Engine) Pid() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.child == nil {
		return 0
	}
	return e.child.cmd.Process.Pid
}

// Restarts returns how often the child has been started again.
func (e *Engine) Restarts() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.restarts
}

// Stop ends the engine: statements in flight get a few seconds, then the child is killed.
// It returns when the child has gone, and is safe to call twice.
func (e *Engine) Stop() {
	e.mu.Lock()
	if !e.stopping {
		e.stopping = true
		close(e.stop)
	}
	e.mu.Unlock()
	<-e.done
}

// supervise restarts the child until Stop.
func (e *Engine) supervise(c *child) {
	defer close(e.done)
	defer e.closeSocket()
	backoff := time.Duration(0)
	for {
		if stopped := e.outlast(c); stopped {
			if e.ping(context.Background(), stopPing) == nil {
				c.end()
			} else {
				c.kill() // it would not hear the wish to end either
			}
			return
		}
		e.opts.Log.Error("engine child ended, restarting it", "pid", c.cmd.Process.Pid, "status", c.status(), "lived", time.Since(c.started), "stderr", c.tail.String())
		if time.Since(c.started) > healthyAfter {
			backoff = 0
		}
		next := e.respawn(&backoff)
		if next == nil {
			return
		}
		c = next
	}
}

// respawn starts a new child, trying for ever; it returns nil on Stop.
func (e *Engine) respawn(backoff *time.Duration) *child {
	e.setChild(nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-e.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		select {
		case <-e.stop:
			return nil
		case <-time.After(*backoff):
		}
		*backoff = min(max(2*(*backoff), firstBackoff), maxBackoff)
		c, err := e.spawn(ctx)
		if err == nil {
			e.setChild(c)
			e.opts.Log.Info("engine child answers again", "pid", c.cmd.Process.Pid, "after", time.Since(c.started))
			return c
		}
		if ctx.Err() == nil {
			e.opts.Log.Error("restart engine child", "error", err)
		}
	}
}

func (e *Engine) setChild(c *child) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.child = c
	if c != nil {
		e.restarts++
		e.restarted.Inc()
	}
}

func (e *Engine) closeSocket() {
	_ = e.socket.Close()
	_ = e.listener.Close()
}

// child is one process of the engine.
type child struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	started time.Time
	exited  chan struct{} // closed when the process has gone
	err     error         // of Wait, valid then
	tail    *tail
}

// spawn starts a child and waits until it answers.
func (e *Engine) spawn(ctx context.Context) (*child, error) {
	options, err := json.Marshal(ServeOptions{
		Library: e.opts.Library, DataDir: e.opts.DataDir, Secret: e.secret,
		MaxConcurrent: e.opts.MaxConcurrent, MaxMemoryBytes: e.opts.MaxMemoryBytes, StuckAfter: e.opts.StuckAfter,
	})
	if err != nil {
		return nil, fmt.Errorf("encode options of child: %w", err)
	}
	cmd := exec.Command(e.opts.Executable, e.opts.Args...)
	// Times without a zone mean UTC in every layer.
	cmd.Env = append(slices.Clone(e.opts.Env), "TZ=UTC")
	if e.opts.Confine == nil {
		cmd.Env = append(os.Environ(), cmd.Env...)
	}
	cmd.ExtraFiles = []*os.File{e.socket} // becomes listenerFD
	// Its own process group keeps the terminal's Ctrl-C from it: the parent stops it, last.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c := &child{cmd: cmd, started: time.Now(), exited: make(chan struct{}), tail: &tail{}}
	cmd.Stderr = c.tail
	ready := &readyWriter{seen: make(chan struct{})}
	cmd.Stdout = ready
	if c.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("make pipe to child: %w", err)
	}
	if err := e.run(cmd); err != nil {
		return nil, fmt.Errorf("run %s: %w", e.opts.Executable, err)
	}
	go func() {
		c.err = cmd.Wait()
		close(c.exited)
	}()
	if _, err := c.stdin.Write(append(options, '\n')); err != nil {
		c.kill() // most likely it has ended by itself, and its status says why
		return nil, fmt.Errorf("child ended at its start (%s): %w: %s", c.status(), err, c.tail)
	}
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case <-ready.seen:
		return c, nil
	case <-c.exited:
		return nil, fmt.Errorf("child ended at its start (%s): %s", c.status(), c.tail)
	case <-timeout.C:
		c.kill()
		return nil, fmt.Errorf("child did not answer within %v: %s", startTimeout, c.tail)
	case <-ctx.Done():
		c.kill()
		return nil, fmt.Errorf("wait for child: %w", context.Cause(ctx))
	}
}

// run starts the child's process.
func (e *Engine) run(cmd *exec.Cmd) error {
	if e.opts.Wipe {
		if err := os.RemoveAll(e.opts.DataDir); err != nil {
			return fmt.Errorf("empty data directory: %w", err)
		}
	}
	if e.opts.Confine == nil {
		return cmd.Start()
	}
	return startConfined(cmd, e.opts.DataDir, e.opts.Library, e.opts.Confine)
}

// end asks the child to end and kills it if it does not.
func (c *child) end() {
	_ = c.stdin.Close()
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case <-c.exited:
	case <-timeout.C:
		c.kill()
	}
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.exited
}

// status words how the process ended.
func (c *child) status() string {
	if c.err != nil {
		return c.err.Error()
	}
	return "exit status 0"
}

// tail keeps the last lines that a child wrote to its standard error.
type tail struct {
	mu    sync.Mutex
	lines []string
	open  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = append(t.open, p...)
	for {
		line, rest, found := bytes.Cut(t.open, []byte("\n"))
		if !found {
			return len(p), nil
		}
		t.lines = append(t.lines, string(line))
		if len(t.lines) > tailLines {
			t.lines = t.lines[1:]
		}
		t.open = append([]byte(nil), rest...)
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(append(t.lines[:len(t.lines):len(t.lines)], string(t.open)), "\n")
}

// readyWriter closes seen at the child's ready line.
type readyWriter struct {
	seen chan struct{}
	text []byte
	done bool
}

func (w *readyWriter) Write(p []byte) (int, error) {
	if !w.done {
		w.text = append(w.text, p...)
		scanner := bufio.NewScanner(bytes.NewReader(w.text))
		for scanner.Scan() {
			if scanner.Text() == readyLine && !w.done {
				w.done = true
				close(w.seen)
			}
		}
	}
	return len(p), nil
}
