// Package board keeps one leaderboard of one stream partition ranked: it reads the log,
// adds up what changed, and writes totals and order to Redis.
//
// The one invariant: what Redis holds of a leaderboard is a function of the log up to its
// checkpoint alone. A publication of the batch layer changes nothing in it: it is only
// where the state begins once it was lost.
package board

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/speed/redisboard"
	"github.com/millrace/millrace/speed/redisview"
	"github.com/millrace/millrace/speed/worker"
)

const (
	// flushGroups of changed members begin a flush before its time. One flush is one
	// transaction, which Redis holds in memory whole.
	flushGroups = 20_000
	// readAhead is how many entries wait decoded for the aggregation.
	readAhead = 4
	// firstBackoff and maxBackoff bound the pause after a failure, which doubles.
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = time.Second
	// verifyAfter is how many flush periods an idle leaderboard waits before it looks
	// whether Redis still holds its checkpoint, so that a FLUSHALL is noticed.
	verifyAfter = 10
	// floorStep is by what the floor rises, in seconds: windows are dropped once an hour.
	floorStep = 3600
)

// History reads what the batch layer has published of a leaderboard, in batches of
// (pane, member, a text for each state) in which each member's rows are in one batch. The
// cut is that of all that was read.
type History func(ctx context.Context, each func(*event.Batch) error) (worker.Cut, error)

// Options configure a worker.
type Options struct {
	// Tail says what to read; After and ArrivalFrom are the worker's to set.
	Tail stream.TailOptions
	// Store is where the leaderboard is kept, under the id.
	Store *redisboard.Store
	ID    string
	Plan  *plan.Board
	// Fence is the worker's token, newer than that of any worker before of this
	// leaderboard's partition.
	Fence   uint64
	History History
	// FlushEvery is how often changes are written; default worker.DefaultFlushEvery.
	FlushEvery time.Duration
	Now        func() time.Time // default time.Now; of the floor alone
	Metrics    *Metrics         // nil: nobody looks
	Logger     *slog.Logger     // nil: slog.Default
}

// Worker keeps one leaderboard of one partition.
type Worker struct {
	o     Options
	board redisboard.Board
	log   *slog.Logger
	ready chan struct{} // closed once the state has stood in Redis
	stood bool
	state statusBox
}

// New returns a worker; Run makes it work.
func New(o Options) *Worker {
	if o.FlushEvery <= 0 {
		o.FlushEvery = worker.DefaultFlushEvery
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Worker{
		o:     o,
		board: redisboard.Board{ID: o.ID, Plan: o.Plan, Partition: o.Tail.Partition},
		log:   o.Logger.With("layer", "speed", "leaderboard", o.ID, "partition", o.Tail.Partition),
		ready: make(chan struct{}),
	}
}

// Ready is closed once the leaderboard can be read for the first time.
func (w *Worker) Ready() <-chan struct{} { return w.ready }

// Run works until ctx ends, and then returns nil, or until a newer worker has taken over,
// and then returns an error of kind redisview.ErrFenced. It is called once.
func (w *Worker) Run(ctx context.Context) error {
	pause := time.Duration(0)
	anew := false // the state is of no use: unreadable, or the log no longer has what follows it
	for {
		s := newSession(w)
		err := s.run(ctx, anew)
		select {
		case <-ctx.Done():
			return nil
		default:
		}
		var trimmed *stream.TrimmedError
		switch {
		case errors.Is(err, redisview.ErrFenced):
			return fmt.Errorf("leaderboard %s of partition %d: %w", w.o.ID, w.o.Tail.Partition, err)
		case errors.Is(err, redisview.ErrLost):
			w.log.Warn("leaderboard was lost and is built again")
			anew, pause = false, 0
			continue
		}
		anew = errors.As(err, &trimmed) || errors.Is(err, redisboard.ErrUnreadable)
		if s.progressed {
			pause = 0
		}
		pause = min(max(2*pause, firstBackoff), maxBackoff)
		w.o.Metrics.failures.WithLabelValues(w.o.ID).Inc()
		w.noteFailure(err)
		w.log.Warn("leaderboard stands still and tries again", "pause", pause, "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// floor is the time before which windows are not kept now.
func (w *Worker) floor() int64 {
	for _, k := range w.o.Plan.Windows {
		if k.Window.Unit != plan.NoUnit {
			return event.FloorDiv(w.o.Now().Add(-w.o.Plan.Keep).Unix(), floorStep) * floorStep
		}
	}
	return math.MinInt64
}

// stands notes that the state can be read.
func (w *Worker) stands() {
	if !w.stood {
		w.stood = true
		close(w.ready)
	}
}
