package stream_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/ingest/stream/memstream"
	"github.com/millrace/millrace/internal/event"
)

// runTicker runs a ticker over two partitions in a bubble whose clock is false.
func runTicker(t *testing.T, faults memstream.Faults, check func(log stream.Log)) {
	synctest.Test(t, func(t *testing.T) {
		b := memstream.New()
		b.Store().Inject(faults)
		log, err := b.Open(t.Context(), "ticking", 2)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- stream.RunTicker(ctx, stream.TickerOptions{
				Log: log, EpochLength: epochLength, Logger: slog.New(slog.DiscardHandler),
			})
		}()
		check(log)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

// expectTicks checks that each partition has exactly one tick in each of n epochs.
func expectTicks(t *testing.T, log stream.Log, n int) {
	t.Helper()
	for p := range log.Partitions() {
		tail, err := stream.OpenTail(t.Context(), stream.TailOptions{
			Log: log, Partition: p, Schema: events(t), EpochLength: epochLength,
		})
		if err != nil {
			t.Fatal(err)
		}
		first := event.NoEpoch
		for i := range n {
			d, err := tail.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = d.Epoch
			}
			if d.Batch != nil || d.Epoch != first+event.Epoch(i) {
				t.Fatalf("partition %d: tick %d is in epoch %d, want %d", p, i, d.Epoch, first+event.Epoch(i))
			}
		}
		if head, err := log.Head(t.Context(), p); err != nil || head != uint64(n) {
			t.Fatalf("partition %d: %d ticks, %v; want %d", p, head, err, n)
		}
	}
}

func TestTickerTicksOncePerEpoch(t *testing.T) {
	runTicker(t, memstream.Faults{}, func(log stream.Log) {
		time.Sleep(5*epochLength + time.Second)
		expectTicks(t, log, 5)
	})
}

// TestTickerRetries: failed appends cost nothing but tries, and a partition that hangs
// does not hold up the other.
func TestTickerRetries(t *testing.T) {
	t.Run("busy", func(t *testing.T) {
		runTicker(t, memstream.Faults{Append: func(a memstream.Append) memstream.Fault {
			if a.Try%3 != 0 {
				return memstream.Fault{Err: stream.ErrBusy}
			}
			return memstream.Fault{}
		}}, func(log stream.Log) {
			time.Sleep(4*epochLength + 3*time.Second)
			expectTicks(t, log, 4)
		})
	})
	t.Run("partition hangs", func(t *testing.T) {
		runTicker(t, memstream.Faults{Append: func(a memstream.Append) memstream.Fault {
			if a.Partition == 0 {
				return memstream.Fault{Delay: time.Hour, Err: errors.New("hung")}
			}
			return memstream.Fault{}
		}}, func(log stream.Log) {
			time.Sleep(3*epochLength + time.Second)
			if head, err := log.Head(t.Context(), 1); err != nil || head != 3 {
				t.Fatalf("%d ticks, %v; want 3", head, err)
			}
		})
	})
}

func TestTickerNeedsAnEpoch(t *testing.T) {
	if err := stream.RunTicker(t.Context(), stream.TickerOptions{}); err == nil {
		t.Fatal("runs without an epoch length")
	}
}
