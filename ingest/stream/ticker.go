package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/millrace/millrace/internal/event"
)

// The timing of ticks.
const (
	// maxTickDelay is how long after an epoch's boundary its tick is appended: enough
	// for the log's clock, which may be another machine's, to have passed it too.
	maxTickDelay = 100 * time.Millisecond
	// tickDelayParts bounds that delay for short epochs to their 20th part.
	tickDelayParts = 20
	// minTickRetry and maxTickRetry bound the wait after a failed append.
	minTickRetry = 50 * time.Millisecond
	maxTickRetry = 5 * time.Second
)

// TickerOptions says which log RunTicker keeps moving.
type TickerOptions struct {
	Log         Log
	EpochLength time.Duration
	Logger      *slog.Logger
}

// RunTicker appends a tick to each partition once an epoch, just after its boundary, so
// that every epoch is sealed also where no events come. It returns when ctx has ended
// and all of its goroutines have. A failed append is logged and tried again until the
// next boundary; a tick more or less changes no answer.
func RunTicker(ctx context.Context, o TickerOptions) error {
	if o.EpochLength <= 0 {
		return fmt.Errorf("run ticker: epoch length %s is not positive", o.EpochLength)
	}
	payload, err := EncodeEntry(nil, nil, nil)
	if err != nil {
		return fmt.Errorf("run ticker: %w", err)
	}
	// One goroutine each, so that a stalled partition does not hold up the others.
	var all sync.WaitGroup
	for p := range o.Log.Partitions() {
		all.Go(func() { o.tick(ctx, p, payload) })
	}
	all.Wait()
	return nil
}

func (o *TickerOptions) tick(ctx context.Context, partition int, payload []byte) {
	delay := min(maxTickDelay, o.EpochLength/tickDelayParts)
	for {
		now := time.Now()
		next := event.EpochOf(now.UnixNano(), o.EpochLength) + 1
		boundary := next.Start(o.EpochLength)
		if !wait(ctx, boundary.Add(delay).Sub(now)) {
			return
		}
		o.appendTick(ctx, partition, payload, boundary.Add(o.EpochLength))
	}
}

// appendTick appends one tick, trying again until it succeeds or the time is over.
func (o *TickerOptions) appendTick(ctx context.Context, partition int, payload []byte, until time.Time) {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for retry := minTickRetry; ; retry = min(2*retry, maxTickRetry) {
		_, err := o.Log.Append(ctx, partition, payload)
		if err == nil || errors.Is(ctx.Err(), context.Canceled) {
			return
		}
		o.Logger.Warn("append tick", "partition", partition, "error", err)
		if !wait(ctx, retry) {
			return
		}
	}
}

// wait waits and reports whether the time passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
