// Package appender puts decoded batches into a stream's log: it splits them over the
// partitions, gathers small requests into one entry, and makes retries harmless.
//
// The one invariant: Append returns nil only when every row is durable, and however
// often a request is tried, by the client or in here, the same rows carry the same
// segment keys, so that readers count each of them once.
package appender

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/problem"
)

// DefaultLinger is how long small requests usually gather.
const DefaultLinger = 5 * time.Millisecond

const (
	// defaultAppendTimeout ends one append to a stalled store.
	defaultAppendTimeout = 10 * time.Second
	// defaultRequestTimeout ends the tries of one request.
	defaultRequestTimeout = 30 * time.Second
	// retryAfter is what a refused client is told to wait.
	retryAfter = time.Second
	// firstBackoff and maxBackoff bound the waits between tries of a failed part.
	firstBackoff = 20 * time.Millisecond
	maxBackoff   = time.Second
	// queueParts is how many parts may wait for a partition's writer before senders block.
	queueParts = 64
)

// ErrClosed is returned by Append after Close.
var ErrClosed = errors.New("the stream takes no more events")

// Options configure an Appender.
type Options struct {
	StreamID string // goes into the keys of segments
	Stream   *plan.Stream
	Log      stream.Log // stays the caller's to close
	// Linger is how long a small request waits for others to share its entry. 0: it
	// shares only with those that wait already. DefaultLinger is the usual value.
	Linger time.Duration
	// AppendTimeout ends one append to the log. Default 10 s.
	AppendTimeout time.Duration
	// RequestTimeout ends one Append, with its retries. Default 30 s.
	RequestTimeout time.Duration
	Budget         *Budget // bounds the bytes in flight, over all streams; nil: no bound
	Metrics        *Metrics
	Logger         *slog.Logger
}

// Appender appends batches to one stream. It is safe for concurrent use.
type Appender struct {
	o       Options
	key     []int // columns that choose the partition; empty: requests are spread
	writers []*writer
	next    atomic.Uint64 // round robin of requests without a partition key
	batches sync.Pool     // of *event.Batch
	// payloads keeps the memory of encoded entries, *[]byte.
	payloads sync.Pool

	ctx    context.Context // of the appends; ends when Close gives up
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.RWMutex // read-held while parts are handed over
	closed bool
}

// Result says what an Append did.
type Result struct {
	Rows int
}

// New returns an appender with one writer goroutine a partition; Close ends them.
func New(o Options) *Appender {
	if o.AppendTimeout == 0 {
		o.AppendTimeout = defaultAppendTimeout
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = defaultRequestTimeout
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Appender{o: o, key: o.Stream.PartitionBy}
	if len(a.key) == 0 {
		// Events of one dedupe key must meet in one partition to be told apart.
		a.key = o.Stream.DedupeKey
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.writers = make([]*writer, o.Log.Partitions())
	for i := range a.writers {
		a.writers[i] = newWriter(a, i)
		a.wg.Go(a.writers[i].run)
	}
	return a
}

// Append makes all rows of the batch durable. The batch is only read, and not after
// Append has returned. The same batch with the same idempotencyKey (any bytes, "": none)
// is counted once, however often it is appended within the stream's idempotency window.
//
// Errors are *problem.Problem: 503 "busy" where nothing was appended, 503
// "partly-appended" where some rows may have been, 413 for a row that no entry can hold;
// ErrClosed; or the context's.
func (a *Appender) Append(ctx context.Context, b *event.Batch, idempotencyKey string) (Result, error) {
	if b.Rows == 0 {
		return Result{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.o.RequestTimeout)
	defer cancel()
	if a.o.Budget != nil {
		r := a.o.Budget.Reserve()
		defer r.Release()
		// The columns and, beside them, their encoded form.
		if err := r.Resize(2 * int64(b.SizeBytes())); err != nil {
			return Result{}, err
		}
	}
	parts, err := a.split(ctx, b, a.identify(idempotencyKey))
	if err != nil {
		return Result{}, err
	}
	defer a.releaseParts(parts)
	pending, clean := parts, true // clean: no row can be in the log yet
	for backoff := firstBackoff; ; backoff = min(2*backoff, maxBackoff) {
		if err := a.deliver(pending); err != nil {
			return Result{}, err
		}
		tried := len(pending)
		var failed error
		pending, clean, failed = outcome(pending, clean)
		if failed == nil {
			return Result{Rows: b.Rows}, nil
		}
		a.o.Logger.Warn("append failed", "stream", a.o.StreamID, "parts", tried, "failed", len(pending), "error", failed)
		if clean {
			return Result{}, refused(ctx, failed)
		}
		if idempotencyKey != "" {
			return Result{}, partly("send the request again with the same Idempotency-Key: what is stored already is not counted twice")
		}
		if !sleep(ctx, backoff) {
			return Result{}, partly("some of its events may be stored; send an Idempotency-Key with every request to make retries harmless")
		}
	}
}

// outcome returns the parts that failed, whether still no row can be in the log, and an
// error of the failures.
func outcome(parts []*part, clean bool) (failed []*part, stillClean bool, err error) {
	for _, p := range parts {
		switch {
		case p.err == nil:
			clean = false
			continue
		case !p.untouched():
			clean = false
		}
		failed = append(failed, p)
		err = p.err
	}
	return failed, clean, err
}

// refused is the error of a request of which nothing was appended.
func refused(ctx context.Context, cause error) error {
	if errors.Is(cause, stream.ErrBusy) {
		return problem.Busy("the stream's store takes no events at the moment; none of this request's is stored", retryAfter)
	}
	if ctx.Err() != nil {
		return problem.Busy("the stream's store did not take the events in time; none of this request's is stored", retryAfter)
	}
	return cause
}

func partly(hint string) error {
	p := problem.New(http.StatusServiceUnavailable, "partly-appended", "the stream's store failed before it had confirmed all events of the request", hint)
	p.RetryAfter = retryAfter
	return p
}

// sleep waits for d, or returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// deliver hands the parts to their writers and waits until each has its outcome.
func (a *Appender) deliver(parts []*part) error {
	var wg sync.WaitGroup
	a.mu.RLock()
	if a.closed {
		a.mu.RUnlock()
		return ErrClosed
	}
	now := time.Now()
	for _, p := range parts {
		p.err, p.arrived, p.done = nil, now, &wg
		wg.Add(1)
		a.writers[p.partition].parts <- p
	}
	a.mu.RUnlock()
	wg.Wait()
	return nil
}

// identity stands for a request in its segments' keys.
type identity struct {
	domain byte // a client's key and a random one never meet
	key    string
}

// identify returns the request's identity; without an Idempotency-Key it is random, so
// that retries in here are harmless all the same.
func (a *Appender) identify(idempotencyKey string) identity {
	if idempotencyKey != "" {
		return identity{domain: 'k', key: idempotencyKey}
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return identity{domain: 'r', key: string(id[:])}
}

// spread chooses the partition of a whole request.
func (a *Appender) spread(id identity) int {
	n := uint64(len(a.writers))
	if id.domain == 'k' {
		return int(xxhash.Sum64String(id.key) % n)
	}
	return int(a.next.Add(1) % n)
}

// Heads returns for each partition the sequence of the newest entry that this process
// appended; 0 where there was none.
func (a *Appender) Heads() []uint64 {
	heads := make([]uint64, len(a.writers))
	for i, w := range a.writers {
		heads[i] = w.head.Load()
	}
	return heads
}

// Close lets what was handed over be appended, then ends the writers. When ctx ends
// first it gives up on the appends under way and returns an error.
func (a *Appender) Close(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.mu.Lock() // waits for parts on their way to a writer
		if !a.closed {
			a.closed = true
			for _, w := range a.writers {
				close(w.parts)
			}
		}
		a.mu.Unlock()
		a.wg.Wait()
	}()
	defer a.cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		a.cancel()
		<-done
		return fmt.Errorf("close appender of %s: %w", a.o.StreamID, ctx.Err())
	}
}
