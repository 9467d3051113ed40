package stream

import "context"

// Follower reads a tail ahead of its owner, in a goroutine of its own. It is used by one
// goroutine.
type Follower struct {
	// Items brings the deliveries in order; the last one is the error that ended the
	// reading, that of opening the tail too.
	Items chan Item
	// Position is the sequence of the newest entry that the owner took, which the owner
	// keeps; it begins with TailOptions.After.
	Position uint64

	cancel context.CancelFunc
	done   chan struct{}
}

// Item is one delivery, or the error that ended the reading.
type Item struct {
	Delivery Delivery
	Err      error
}

// Follow opens a tail and reads it, at most ahead entries further than its owner, until it
// fails or Stop is called.
func Follow(ctx context.Context, o TailOptions, ahead int) *Follower {
	ctx, cancel := context.WithCancel(ctx)
	f := &Follower{Items: make(chan Item, ahead), Position: o.After, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		err := f.copy(ctx, o)
		select {
		case f.Items <- Item{Err: err}:
		case <-ctx.Done():
		}
	}()
	return f
}

func (f *Follower) copy(ctx context.Context, o TailOptions) error {
	tail, err := OpenTail(ctx, o)
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
		case f.Items <- Item{Delivery: d}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Stop ends the reading and waits for it.
func (f *Follower) Stop() {
	f.cancel()
	<-f.done
}
