// Package worker keeps the views over one stream partition fresh: it reads the log,
// aggregates every entry once per view, and flushes what changed to Redis.
//
// The one invariant: what Redis holds of a view is the aggregation of exactly the
// entries between the cut that it was begun at and its checkpoint. Everything in this
// package's memory may be lost at any moment, since the log says it all again.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/speed/redisview"
)

// DefaultFlushEvery is how often changed partials go to Redis.
const DefaultFlushEvery = 100 * time.Millisecond

// Limits of what a view keeps in memory before it is in Redis.
const (
	// flushBytes of changed partials begin a flush before its time. One flush is one
	// transaction, which Redis holds in memory whole.
	flushBytes = 8 << 20
	// maxDirtyBytes of changed partials stop the reading of the log until a flush
	// succeeds, as while Redis is down.
	maxDirtyBytes = 64 << 20
	// readAhead is how many entries wait decoded for the aggregation.
	readAhead = 4
)

// Times of the worker's dealings with Redis and the log.
const (
	// attemptTimeout bounds one start or flush of a view; then it is tried again.
	attemptTimeout = 30 * time.Second
	// firstBackoff and maxBackoff bound the pause after a failure, which doubles. The
	// embedded Redis is back in well under a second, and so must the worker be.
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = time.Second
	// verifyAfter is how many flush periods an idle view waits before it looks whether
	// Redis still holds its checkpoint, so that a FLUSHALL is noticed without new events.
	verifyAfter = 10
)

// Errors of the worker's methods.
var (
	ErrStopped = errors.New("worker has stopped")
	ErrExists  = errors.New("view is running already")
	ErrUnknown = errors.New("view is not running")
	ErrRemoved = errors.New("view was removed")
)

// Cut is where the speed layer begins in one partition: after what the batch layer has
// published. The zero position with event.NoEpoch is the beginning of the log.
type Cut struct {
	Epoch   event.Epoch
	Seq     uint64 // an entry at or under the cut, the last one where that is known
	Arrival int64  // its arrival time, ns
}

// Options configure a worker.
type Options struct {
	// Tail says what to read; After and ArrivalFrom are the worker's to set.
	Tail stream.TailOptions
	// Store is where the partials go.
	Store *redisview.Store
	// Fence is the worker's token, newer than that of any worker of this partition before.
	Fence uint64
	// Cut returns the published cut of a view in this partition.
	Cut func(ctx context.Context, view string) (Cut, error)
	// FlushEvery is how often changed partials are written; default DefaultFlushEvery.
	FlushEvery time.Duration
	// Metrics counts what the worker does; nil: nobody looks.
	Metrics *Metrics
	// Logger; nil: slog.Default.
	Logger *slog.Logger
}

// Worker reads one partition for any number of views. Its methods are safe for
// concurrent use.
type Worker struct {
	o        Options
	log      *slog.Logger
	commands chan command
	stopped  chan struct{}

	mu       sync.Mutex
	statuses map[string]Status
}

// New returns a worker; Run makes it work.
func New(o Options) *Worker {
	if o.FlushEvery <= 0 {
		o.FlushEvery = DefaultFlushEvery
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Worker{
		o:        o,
		log:      o.Logger.With("layer", "speed", "partition", o.Tail.Partition),
		commands: make(chan command),
		stopped:  make(chan struct{}),
		statuses: make(map[string]Status),
	}
}

// command asks the loop to add (plan set) or remove a view.
type command struct {
	view  string
	plan  *plan.View
	reply chan error // buffered, so that the loop never waits
}

// AddView starts a view and returns when its state stands in Redis and it reads on from
// there. It waits for Run, for Redis and for the cut as long as ctx lasts; where ctx ends
// first, the view goes on starting.
func (w *Worker) AddView(ctx context.Context, id string, view *plan.View) error {
	if err := w.ask(ctx, command{view: id, plan: view}); err != nil {
		return fmt.Errorf("add view %s to partition %d: %w", id, w.o.Tail.Partition, err)
	}
	return nil
}

// RemoveView ends a view's work and returns when nothing of it writes any more. What it
// has in Redis stays; see redisview's Drop.
func (w *Worker) RemoveView(ctx context.Context, id string) error {
	if err := w.ask(ctx, command{view: id}); err != nil {
		return fmt.Errorf("remove view %s from partition %d: %w", id, w.o.Tail.Partition, err)
	}
	return nil
}

func (w *Worker) ask(ctx context.Context, c command) error {
	c.reply = make(chan error, 1)
	select {
	case w.commands <- c:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stopped:
		return ErrStopped
	}
	select {
	case err := <-c.reply:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stopped:
		return ErrStopped
	}
}

// Run works until ctx ends, and then returns nil, or until a newer worker has taken
// over the partition, and then returns an error of kind redisview.ErrFenced. It is
// called once.
func (w *Worker) Run(ctx context.Context) error {
	defer close(w.stopped)
	l := newLoop(ctx, w)
	defer l.stop()
	if err := l.run(); err != nil {
		return fmt.Errorf("speed worker of partition %d: %w", w.o.Tail.Partition, err)
	}
	return nil
}
