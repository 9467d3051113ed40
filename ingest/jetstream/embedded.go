package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/ingest/stream"
)

// The embedded server's own limits and timing.
const (
	// maxConsumerMemoryBytes bounds the state of readers, which is kept in memory.
	maxConsumerMemoryBytes = 256 << 20
	// maxPendingBytes is what the server queues for one connection before it cuts it
	// off: well above readAheadBytes, which bounds it in fact.
	maxPendingBytes = 8 * readAheadBytes
	// readyTimeout is how long the server may take from recovered to ready.
	readyTimeout = 10 * time.Second
	// healthInterval is how often the server's health is looked at, and
	// unhealthyChecks after how many bad answers in a row it is started again: one may
	// be a log that is just being made.
	healthInterval  = time.Second
	unhealthyChecks = 3
)

// embedded runs a NATS server in the process, without a listener. JetStream refuses a
// stream for good after a failed write, say on a full disk; embedded then starts the
// server again, which recovers what is on the disk.
type embedded struct {
	o         Options
	lock      *os.File
	endWatch  context.CancelFunc
	watchDone chan struct{}

	mu     sync.Mutex
	server *server.Server // nil between two starts
}

func startEmbedded(ctx context.Context, o Options) (*embedded, error) {
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("make directory of the log: %w", err)
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	e := &embedded{o: o, lock: lock, watchDone: make(chan struct{})}
	if e.server, err = e.start(ctx); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	watchCtx, cancel := context.WithCancel(context.Background())
	e.endWatch = cancel
	go e.watch(watchCtx)
	return e, nil
}

// lockDir keeps a second process from opening the same files, which NATS itself does
// not. The lock ends with the process.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, "millrace.lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("lock the log: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the log: %s is in use by another process: %w", path, err), f.Close())
	}
	return f, nil
}

func (e *embedded) start(ctx context.Context) (*server.Server, error) {
	maxStore := e.o.MaxStoreBytes
	if maxStore == 0 {
		maxStore = math.MaxInt64 / 2 // checkRoom limits it
	}
	s, err := server.NewServer(&server.Options{
		ServerName:             "millrace",
		DontListen:             true,
		NoSigs:                 true,
		JetStream:              true,
		StoreDir:               e.o.Dir,
		SyncAlways:             true,
		JetStreamMaxStore:      maxStore,
		JetStreamMaxMemory:     maxConsumerMemoryBytes,
		MaxPayload:             stream.MaxEntryBytes,
		MaxPending:             maxPendingBytes,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, fmt.Errorf("make NATS server: %w", err)
	}
	s.SetLoggerV2(serverLog{e.o.Logger}, false, false, false)
	started := make(chan struct{})
	go func() {
		s.Start() // returns when the logs are recovered, as it does not listen
		close(started)
	}()
	select {
	case <-started:
	case <-ctx.Done():
		shutDown(s)
		<-started
		return nil, fmt.Errorf("start NATS server: %w", ctx.Err())
	}
	if !s.ReadyForConnections(readyTimeout) || !s.JetStreamEnabled() {
		shutDown(s)
		return nil, fmt.Errorf("start NATS server: JetStream did not start on %s; its log says why", e.o.Dir)
	}
	return s, nil
}

func shutDown(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// InProcessConn connects a client to the server of the moment.
func (e *embedded) InProcessConn() (net.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server == nil {
		return nil, errors.New("the NATS server is being started")
	}
	return e.server.InProcessConn()
}

// checkRoom fails where the disk is nearly full: JetStream must not find out itself.
func (e *embedded) checkRoom() error {
	if e.o.MinFreeBytes < 0 {
		return nil
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(e.o.Dir, &fs); err != nil {
		return fmt.Errorf("look at free disk space: %w", err)
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < uint64(e.o.MinFreeBytes) {
		return fmt.Errorf("disk has %d bytes free, the log needs %d", free, e.o.MinFreeBytes)
	}
	return nil
}

// watch starts the server again when it is unhealthy and stays so. Beside start and
// stop, which do not run at the same time, it alone changes e.server.
func (e *embedded) watch(ctx context.Context) {
	defer close(e.watchDone)
	ticker := time.NewTicker(healthInterval)
	defer ticker.Stop()
	for bad := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		problem := e.problem()
		if problem == "" {
			bad = 0
			continue
		}
		bad++
		e.o.Logger.Warn("the embedded log is unhealthy", "problem", problem)
		if bad >= unhealthyChecks && e.checkRoom() == nil {
			bad = 0
			e.restart(ctx)
		}
	}
}

// problem returns what is wrong with the server, or nothing.
func (e *embedded) problem() string {
	if e.server == nil {
		return "the server is not running"
	}
	health := e.server.Healthz(&server.HealthzOptions{})
	if health.Error != "" {
		return health.Error
	}
	if !e.server.JetStreamEnabled() {
		return "JetStream is disabled"
	}
	return ""
}

func (e *embedded) restart(ctx context.Context) {
	e.mu.Lock()
	old := e.server
	e.server = nil
	e.mu.Unlock()
	if old != nil {
		shutDown(old)
	}
	s, err := e.start(ctx)
	if err != nil {
		e.o.Logger.Error("start the embedded log again", "error", err)
		return
	}
	e.mu.Lock()
	e.server = s
	e.mu.Unlock()
	e.o.Logger.Info("started the embedded log again")
}

// stop ends the server; its files are closed when it returns.
func (e *embedded) stop() error {
	e.endWatch()
	<-e.watchDone
	if e.server != nil {
		shutDown(e.server)
	}
	if err := e.lock.Close(); err != nil {
		return fmt.Errorf("unlock the log: %w", err)
	}
	return nil
}

// serverLog hands the server's log on.
type serverLog struct{ log *slog.Logger }

func (l serverLog) write(level slog.Level, format string, v []any) {
	l.log.Log(context.Background(), level, strings.TrimSpace(fmt.Sprintf(format, v...)), "part", "nats")
}

// Noticef is about starting and stopping, which the appliance reports itself.
func (l serverLog) Noticef(format string, v ...any) { l.write(slog.LevelDebug, format, v) }
func (l serverLog) Warnf(format string, v ...any)   { l.write(slog.LevelWarn, format, v) }
func (l serverLog) Errorf(format string, v ...any)  { l.write(slog.LevelError, format, v) }
func (l serverLog) Fatalf(format string, v ...any)  { l.write(slog.LevelError, format, v) }
func (l serverLog) Debugf(format string, v ...any)  { l.write(slog.LevelDebug, format, v) }
func (l serverLog) Tracef(format string, v ...any)  { l.write(slog.LevelDebug, format, v) }
