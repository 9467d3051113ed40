package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// readyPoll is how often a starting server is asked whether it answers; it takes a
	// few milliseconds to start.
	readyPoll = 5 * time.Millisecond
	// readyWithin bounds a start.
	readyWithin = 10 * time.Second
	// stopWithin is how long the server may take to end by itself; it has nothing to save.
	stopWithin = 3 * time.Second
	// steadyAfter is how long a server must have run to be restarted at once when it
	// ends; one that ends sooner is restarted after a pause, which doubles.
	steadyAfter  = time.Second
	firstRestart = 20 * time.Millisecond
	maxRestart   = time.Second
)

// child is a supervised redis-server.
type child struct {
	binary string
	config string
	log    *slog.Logger
	pid    atomic.Int64
	quit   context.CancelFunc
	done   chan struct{}
}

// startChild runs redis-server, keeps it running, and returns once it answers.
func startChild(ctx context.Context, binary, dir string, at address, log *slog.Logger) (*child, error) {
	o, err := redis.ParseURL(at.url())
	if err != nil {
		return nil, fmt.Errorf("make address of the embedded Redis: %w", err)
	}
	o.MaxRetries, o.DialerRetries = -1, 1 // the polling is the retry
	client := redis.NewClient(o)
	defer client.Close()
	if at.socket != "" {
		if err := evict(ctx, client, at.socket); err != nil {
			return nil, err
		}
	}
	life, quit := context.WithCancel(context.Background())
	c := &child{binary: binary, config: config(dir, at), log: log, quit: quit, done: make(chan struct{})}
	failed := make(chan error, 1)
	go c.supervise(life, failed)
	if err := ready(ctx, client, failed); err != nil {
		c.stop()
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	return c, nil
}

// config is the text of the server's configuration. It goes in through the standard
// input, so that the password is in no file and no process list.
func config(dir string, at address) string {
	lines := []string{
		"dir " + strconv.Quote(dir),
		`save ""`,
		"appendonly no",
		"maxmemory-policy noeviction",
		"daemonize no",
		"databases 1",
		"loglevel warning",
	}
	if at.socket != "" {
		lines = append(lines, "port 0", "unixsocket "+strconv.Quote(at.socket), "unixsocketperm 700")
	} else {
		lines = append(lines, "bind 127.0.0.1", "port "+strconv.Itoa(at.port), "requirepass "+strconv.Quote(at.password))
	}
	return strings.Join(lines, "\n") + "\n"
}

// evict ends a server that an earlier parent left behind at the socket, which can happen
// where the system knows no death signal.
func evict(ctx context.Context, client *redis.Client, socket string) error {
	if answers(ctx, client) == nil {
		_ = client.ShutdownNoSave(ctx).Err() // the connection ends with the server, which is an error
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove stale socket of the embedded Redis: %w", err)
	}
	return nil
}

// answers asks the server once. The dial of its own spares the client's pool from
// failing loudly while there is nothing to connect to.
func answers(ctx context.Context, client *redis.Client) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, client.Options().Network, client.Options().Addr)
	if err != nil {
		return err
	}
	_ = conn.Close() // it only showed that there is a listener
	return client.Ping(ctx).Err()
}

// ready polls the server until it answers.
func ready(ctx context.Context, client *redis.Client, failed <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	for {
		err := answers(ctx, client)
		if err == nil {
			return nil
		}
		select {
		case <-poll.C:
		case started := <-failed:
			return started
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		}
	}
}

// supervise runs the server again and again until life ends. The first end before any
// success goes to failed.
func (c *child) supervise(life context.Context, failed chan<- error) {
	defer close(c.done)
	// The death signal comes when the thread ends that started the child, so that this
	// goroutine must keep its thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pause := firstRestart
	for {
		began := time.Now()
		err := c.once(life)
		if life.Err() != nil {
			return
		}
		select {
		case failed <- err:
		default: // nobody waits for the start any more
		}
		if time.Since(began) >= steadyAfter {
			pause = firstRestart
		}
		c.log.Warn("embedded Redis ended and is started again", "error", err, "pause", pause)
		select {
		case <-time.After(pause):
		case <-life.Done():
			return
		}
		pause = min(2*pause, maxRestart)
	}
}

// once runs the server until it ends, by itself or with life.
func (c *child) once(life context.Context) error {
	cmd := exec.CommandContext(life, c.binary, "-")
	cmd.Stdin = strings.NewReader(c.config)
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error {
		// One that was stopped in its tracks takes no notice before it goes on.
		return errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Process.Signal(syscall.SIGCONT))
	}
	cmd.WaitDelay = stopWithin // then SIGKILL
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	c.pid.Store(int64(cmd.Process.Pid))
	defer c.pid.Store(0)
	last := c.copyLog(out)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, last)
	}
	return fmt.Errorf("it ended by itself: %s", last)
}

// copyLog passes the server's lines on and returns the last one, when the server has ended.
func (c *child) copyLog(out io.Reader) (last string) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		last = lines.Text()
		c.log.Debug("embedded Redis says", "line", last)
	}
	return last
}

// stop ends the server and waits.
func (c *child) stop() {
	c.quit()
	<-c.done
}
