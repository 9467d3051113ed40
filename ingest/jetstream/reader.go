package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace/millrace/ingest/stream"
)

// How a reader asks for entries.
const (
	// readAheadBytes is what a reader holds ready: more than two entries of the largest
	// size, as less than one would stall it.
	readAheadBytes = 3 * stream.MaxEntryBytes
	// pullExpiry and pullHeartbeat are how soon a reader asks again at the head, and how
	// often the server says that it is there: after two silent beats it is asked anew.
	pullExpiry    = 10 * time.Second
	pullHeartbeat = time.Second
	// consumerLinger is how long the server keeps the consumer of a reader that vanished.
	consumerLinger = time.Minute
	// closeTimeout bounds the polite part of closing a reader.
	closeTimeout = 2 * time.Second
	// minReadRetry and maxReadRetry bound the wait after a failed attempt to read.
	minReadRetry = 10 * time.Millisecond
	maxReadRetry = time.Second
)

// reader implements stream.Reader over a consumer of its own that the server may forget
// at any time: the position lives here.
type reader struct {
	log       *log
	partition int
	last      uint64 // sequence of the newest entry returned
	conn      *nats.Conn
	js        jetstream.JetStream
	consumer  string                    // its name
	messages  jetstream.MessagesContext // nil: to be started
}

// Next implements stream.Reader. While the server is away it waits for it.
func (r *reader) Next(ctx context.Context) (stream.Entry, error) {
	e, err := r.next(ctx)
	if err != nil {
		return stream.Entry{}, fmt.Errorf("read %s/%d: %w", r.log.id, r.partition, err)
	}
	return e, nil
}

func (r *reader) next(ctx context.Context) (stream.Entry, error) {
	for retry := minReadRetry; ; {
		e, err := r.try(ctx)
		switch {
		case err == nil && e.Seq == r.last+1:
			r.last = e.Seq
			return e, nil
		case err == nil && e.Seq <= r.last:
			continue // asked for a place beyond the head, the server starts at the head
		case ctx.Err() != nil:
			return stream.Entry{}, ctx.Err()
		case permanent(err):
			return stream.Entry{}, err
		}
		// Trouble on the way, or a gap, which is trouble or trimmed: start again.
		r.stop()
		select {
		case <-ctx.Done():
			return stream.Entry{}, ctx.Err()
		case <-time.After(retry):
		}
		retry = min(2*retry, maxReadRetry)
	}
}

// permanent reports whether trying again cannot help.
func permanent(err error) bool {
	var trimmed *stream.TrimmedError
	return errors.As(err, &trimmed) || errors.Is(err, jetstream.ErrStreamNotFound) ||
		errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, errReaderClosed)
}

var errReaderClosed = errors.New("the reader is closed")

// try returns the next message of the consumer, whatever its sequence.
func (r *reader) try(ctx context.Context) (stream.Entry, error) {
	if r.messages == nil {
		if err := r.start(ctx); err != nil {
			return stream.Entry{}, err
		}
	}
	msg, err := r.messages.Next(jetstream.NextContext(ctx))
	if err != nil {
		return stream.Entry{}, err
	}
	meta, err := msg.Metadata()
	if err != nil {
		return stream.Entry{}, err
	}
	return stream.Entry{Seq: meta.Sequence.Stream, Time: meta.Timestamp, Payload: msg.Data()}, nil
}

// start makes a consumer that begins behind the last entry.
func (r *reader) start(ctx context.Context) error {
	if r.conn == nil {
		return errReaderClosed
	}
	s, err := r.js.Stream(ctx, streamName(r.log.name, r.partition))
	if err != nil {
		return err
	}
	if first := s.CachedInfo().State.FirstSeq; first > r.last+1 {
		return &stream.TrimmedError{After: r.last, First: first}
	}
	consumer, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       r.last + 1,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: consumerLinger,
	})
	if err != nil {
		return err
	}
	r.consumer = consumer.CachedInfo().Name
	r.messages, err = consumer.Messages(
		jetstream.PullMaxBytes(readAheadBytes),
		jetstream.PullExpiry(pullExpiry),
		jetstream.PullHeartbeat(pullHeartbeat),
		jetstream.WithMessagesErrOnMissingHeartbeat(true),
	)
	return err
}

func (r *reader) stop() {
	if r.messages != nil {
		r.messages.Stop()
		r.messages = nil
	}
}

// Close implements stream.Reader.
func (r *reader) Close() error {
	if r.conn == nil {
		return nil
	}
	r.stop()
	if r.consumer != "" && r.conn.IsConnected() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		// If this fails, the server forgets the consumer by itself.
		_ = r.js.DeleteConsumer(ctx, streamName(r.log.name, r.partition), r.consumer)
	}
	r.log.backend.hangUp(r.conn)
	r.conn = nil
	return nil
}
