package worker

import (
	"context"

	"github.com/millrace/millrace/ingest/stream"
)

// reader reads a tail ahead of the loop, in a goroutine of its own.
type reader struct {
	items  chan item
	cancel context.CancelFunc
	done   chan struct{}
	// position is the sequence of the newest entry that the loop took.
	position uint64
}

// item is one delivery, or the error that ended the reading.
type item struct {
	delivery stream.Delivery
	err      error
}

// read opens a tail and reads it until it fails or stop is called. The error, that of
// opening too, comes as the last item.
func read(ctx context.Context, o stream.TailOptions) *reader {
	ctx, cancel := context.WithCancel(ctx)
	r := &reader{items: make(chan item, readAhead), cancel: cancel, done: make(chan struct{}), position: o.After}
	go func() {
		defer close(r.done)
		err := r.copy(ctx, o)
		select {
		case r.items <- item{err: err}:
		case <-ctx.Done():
		}
	}()
	return r
}

func (r *reader) copy(ctx context.Context, o stream.TailOptions) error {
	tail, err := stream.OpenTail(ctx, o)
	if err != nil {
		return err
	}
	defer tail.Close() // a reader holds nothing that could be lost
	for {
		d, err := tail.Next(ctx)
		if err != nil {
			return err
		}
		select {
		case r.items <- item{delivery: d}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stop ends the reading and waits for it.
func (r *reader) stop() {
	r.cancel()
	<-r.done
}
