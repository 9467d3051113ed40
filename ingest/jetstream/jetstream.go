// Package jetstream is the stream contract on NATS JetStream: a server inside the
// process, or an external cluster. Each partition is one JetStream stream, so that its
// sequences are contiguous.
//
// The one invariant: Append returns success only after JetStream has acknowledged the
// entry, which the embedded server does after fsync. An external cluster must be told to
// do the same (sync_interval: always) or to keep several replicas.
package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/ingest/stream"
)

// Defaults of Options.
const (
	// DefaultAppendTimeout is far above any fsync: it ends an append only where something
	// is broken.
	DefaultAppendTimeout = 30 * time.Second
	// DefaultMinFreeBytes is the free disk space that Append leaves alone: what a few
	// seconds of the fastest ingest, and the recovery from a full disk, can need.
	DefaultMinFreeBytes = 256 << 20
)

// Options says where the logs are. Dir or URL must be given, and not both.
type Options struct {
	// Dir is where the embedded server keeps its files. One process at a time may use it.
	Dir string
	// MaxStoreBytes limits the embedded logs together; 0 means by free disk only.
	MaxStoreBytes int64
	// MinFreeBytes is the free disk space below which the embedded log refuses entries
	// with ErrBusy; 0 means DefaultMinFreeBytes, negative none.
	MinFreeBytes int64

	// URL is that of an external NATS cluster, "nats://host:4222,nats://other:4222".
	URL string
	// CredsFile holds the user's credentials for the cluster; empty means none.
	CredsFile string
	// Replicas is the number of copies of each log in the cluster; 0 means 1.
	Replicas int

	// AppendTimeout bounds each Append, beside its context; 0 means DefaultAppendTimeout.
	AppendTimeout time.Duration
	// Logger receives what the embedded server says; nil means slog.Default.
	Logger *slog.Logger
	// Metrics registers the metrics of the log; nil means nowhere.
	Metrics prometheus.Registerer
}

func (o Options) withDefaults() Options {
	if o.MinFreeBytes == 0 {
		o.MinFreeBytes = DefaultMinFreeBytes
	}
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	if o.AppendTimeout == 0 {
		o.AppendTimeout = DefaultAppendTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

func (o *Options) validate() error {
	var errs []error
	if (o.Dir == "") == (o.URL == "") {
		errs = append(errs, errors.New("exactly one of Dir and URL must be given"))
	}
	if o.MaxStoreBytes < 0 || o.AppendTimeout < 0 {
		errs = append(errs, errors.New("MaxStoreBytes and AppendTimeout must not be negative"))
	}
	if o.Replicas < 1 || (o.URL == "" && (o.Replicas > 1 || o.CredsFile != "")) {
		errs = append(errs, errors.New("replicas must be at least 1; Replicas and CredsFile are for an external cluster only"))
	}
	return errors.Join(errs...)
}

// metaBucket is the key-value bucket that holds the partition count of each log and,
// as the revisions of its keys, the fences.
const metaBucket = "millrace"

// Backend implements stream.Backend.
type Backend struct {
	o       Options
	server  *embedded // nil with an external cluster
	js      jetstream.JetStream
	meta    jetstream.KeyValue
	metrics *metrics
	link    *link // of the connection that appends

	mu     sync.Mutex
	conns  map[*nats.Conn]struct{} // of the backend and its readers
	closed bool
}

var _ stream.Backend = (*Backend)(nil)

// Open starts the embedded server, or connects to the cluster, and checks that it can
// hold the logs. The context is for opening only.
func Open(ctx context.Context, o Options) (*Backend, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("open stream backend: %w", err)
	}
	b := &Backend{o: o, link: newLink(), conns: map[*nats.Conn]struct{}{}}
	if err := b.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open stream backend: %w", err), b.Close())
	}
	return b, nil
}

func (b *Backend) open(ctx context.Context) (err error) {
	if b.metrics, err = newMetrics(b.o.Metrics); err != nil {
		return err
	}
	if b.o.URL == "" {
		if b.server, err = startEmbedded(ctx, b.o); err != nil {
			return err
		}
	}
	conn, err := b.dial("millrace append", nats.DisconnectErrHandler(func(*nats.Conn, error) { b.link.cut() }))
	if err != nil {
		return err
	}
	if conn.MaxPayload() < stream.MaxEntryBytes {
		return fmt.Errorf("the NATS server takes messages of %d bytes; set max_payload to %d", conn.MaxPayload(), stream.MaxEntryBytes)
	}
	if b.js, err = b.jetStream(conn); err != nil {
		return err
	}
	b.meta, err = b.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket:      metaBucket,
		Description: "partition counts and fences of Millrace's logs",
		Storage:     jetstream.FileStorage,
		Replicas:    b.o.Replicas,
	})
	if err != nil {
		return fmt.Errorf("open bucket %q: %w", metaBucket, err)
	}
	return nil
}

func (b *Backend) jetStream(conn *nats.Conn) (jetstream.JetStream, error) {
	js, err := jetstream.New(conn, jetstream.WithDefaultTimeout(b.o.AppendTimeout))
	if err != nil {
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	return js, nil
}

// reconnectWait is the pause between attempts to reach a server that has gone.
const reconnectWait = 100 * time.Millisecond

var errClosed = errors.New("the stream backend is closed")

// dial opens a connection that lives until it or the backend is closed, and comes back
// by itself after the server was away.
func (b *Backend) dial(name string, more ...nats.Option) (*nats.Conn, error) {
	opts := append([]nats.Option{
		nats.Name(name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		// An entry is never kept back until the server is there again: that the
		// connection is down must be a certain and immediate "not appended".
		nats.ReconnectBufSize(-1),
	}, more...)
	if b.server != nil {
		opts = append(opts, nats.InProcessServer(b.server))
	}
	if b.o.CredsFile != "" {
		opts = append(opts, nats.UserCredentials(b.o.CredsFile))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errClosed
	}
	conn, err := nats.Connect(b.o.URL, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	b.conns[conn] = struct{}{}
	return conn, nil
}

func (b *Backend) hangUp(conn *nats.Conn) {
	b.mu.Lock()
	delete(b.conns, conn)
	b.mu.Unlock()
	conn.Close()
}

// Open implements stream.Backend. Opening goes on where an earlier Open was cut short.
func (b *Backend) Open(ctx context.Context, id string, partitions int) (stream.Log, error) {
	l, err := b.openLog(ctx, id, partitions)
	if err != nil {
		return nil, fmt.Errorf("open log %q: %w", id, err)
	}
	return l, nil
}

func (b *Backend) openLog(ctx context.Context, id string, partitions int) (*log, error) {
	if partitions < 1 {
		return nil, fmt.Errorf("%d partitions", partitions)
	}
	name, err := safeName(id)
	if err != nil {
		return nil, err
	}
	_, err = b.meta.Create(ctx, countKey(name), []byte(strconv.Itoa(partitions)))
	if errors.Is(err, jetstream.ErrKeyExists) {
		var n int
		if n, err = b.partitions(ctx, name); err == nil && n != partitions {
			err = fmt.Errorf("it has %d partitions, not %d", n, partitions)
		}
	}
	if err != nil {
		return nil, err
	}
	l := &log{backend: b, id: id, name: name, streams: make([]jetstream.Stream, partitions)}
	for p := range l.streams {
		if l.streams[p], err = b.openPartition(ctx, name, p); err != nil {
			return nil, fmt.Errorf("partition %d: %w", p, err)
		}
	}
	return l, nil
}

// partitions returns the partition count of a log, 0 if there is no such log.
func (b *Backend) partitions(ctx context.Context, name string) (int, error) {
	entry, err := b.meta.Get(ctx, countKey(name))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read partition count: %w", err)
	}
	n, err := strconv.Atoi(string(entry.Value()))
	if err != nil {
		return 0, fmt.Errorf("read partition count: %w", err)
	}
	return n, nil
}

func (b *Backend) openPartition(ctx context.Context, name string, partition int) (jetstream.Stream, error) {
	s, err := b.js.CreateStream(ctx, jetstream.StreamConfig{
		Name:        streamName(name, partition),
		Description: "a partition of a Millrace log: append with millrace only",
		Subjects:    []string{subject(name, partition)},
		Storage:     jetstream.FileStorage,
		Replicas:    b.o.Replicas,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		MaxMsgSize:  stream.MaxEntryBytes,
		DenyDelete:  true, // a deleted message would be a gap
	})
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		// An operator changed its configuration, say the number of replicas.
		return b.js.Stream(ctx, streamName(name, partition))
	}
	return s, err
}

// Drop implements stream.Backend.
func (b *Backend) Drop(ctx context.Context, id string) error {
	if err := b.drop(ctx, id); err != nil {
		return fmt.Errorf("drop log %q: %w", id, err)
	}
	return nil
}

func (b *Backend) drop(ctx context.Context, id string) error {
	name, err := safeName(id)
	if err != nil {
		return err
	}
	n, err := b.partitions(ctx, name)
	if err != nil {
		return err
	}
	for p := range n {
		err := b.js.DeleteStream(ctx, streamName(name, p))
		if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("partition %d: %w", p, err)
		}
	}
	if n == 0 {
		return nil
	}
	// Last, so that a drop that was cut short is done again in full.
	return b.meta.Purge(ctx, countKey(name))
}

// Fence implements stream.Backend: the revision of a put is the sequence in the
// bucket's own stream, which only rises.
func (b *Backend) Fence(ctx context.Context, name string) (uint64, error) {
	safe, err := safeName(name)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return 0, fmt.Errorf("fence %q: %w", name, err)
	}
	revision, err := b.meta.Put(ctx, "fence."+safe, nil)
	if err != nil {
		return 0, fmt.Errorf("fence %q: %w", name, err)
	}
	return revision, nil
}

// Close implements stream.Backend. It ends all readers, then the embedded server, and
// returns when its files are closed.
func (b *Backend) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	conns := b.conns
	b.conns = nil
	b.mu.Unlock()
	for conn := range conns {
		conn.Close()
	}
	b.metrics.unregister()
	if b.server == nil {
		return nil
	}
	return b.server.stop()
}
