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

// log implements stream.Log.
type log struct {
	backend *Backend
	id      string
	name    string
	streams []jetstream.Stream // by partition
}

func (l *log) Partitions() int { return len(l.streams) }

// Close implements stream.Log: a log holds nothing of its own.
func (l *log) Close() error { return nil }

// Append implements stream.Log.
func (l *log) Append(ctx context.Context, partition int, payload []byte) (uint64, error) {
	start := time.Now()
	seq, err := l.append(ctx, partition, payload)
	l.backend.metrics.appended(time.Since(start), len(payload), err)
	if err != nil {
		return 0, fmt.Errorf("append entry to %s/%d: %w", l.id, partition, err)
	}
	return seq, nil
}

func (l *log) append(ctx context.Context, partition int, payload []byte) (uint64, error) {
	if err := l.check(ctx, partition); err != nil {
		return 0, err
	}
	if len(payload) > stream.MaxEntryBytes {
		return 0, fmt.Errorf("payload of %d bytes, more than %d: %w", len(payload), stream.MaxEntryBytes, stream.ErrTooLarge)
	}
	if l.backend.server != nil {
		if err := l.backend.server.checkRoom(); err != nil {
			return 0, fmt.Errorf("%w: %w", stream.ErrBusy, err)
		}
	}
	timed, cancel := context.WithTimeout(ctx, l.backend.o.AppendTimeout)
	defer cancel()
	guarded, done := l.backend.link.guard(timed)
	defer done()
	// No attempts of the client's own: each of them could append.
	ack, err := l.backend.js.PublishMsg(guarded,
		&nats.Msg{Subject: subject(l.name, partition), Data: payload},
		jetstream.WithRetryAttempts(0))
	if err != nil {
		if cause := context.Cause(guarded); cause != nil {
			return 0, cause // the client says no more than "canceled"
		}
		return 0, l.classify(ctx, partition, err)
	}
	return ack.Sequence, nil
}

// check rejects a call before it has any effect.
func (l *log) check(ctx context.Context, partition int) error {
	if partition < 0 || partition >= len(l.streams) {
		return fmt.Errorf("partition %d is not in 0..%d", partition, len(l.streams)-1)
	}
	return ctx.Err()
}

// classify marks the errors after which nothing was appended for certain. A timeout is
// none: the entry may have been on its way.
func (l *log) classify(ctx context.Context, partition int, err error) error {
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		// Nobody listened: JetStream is down or away, or the log was dropped.
		if _, infoErr := l.streams[partition].Info(ctx); errors.Is(infoErr, jetstream.ErrStreamNotFound) {
			return infoErr
		}
		return fmt.Errorf("%w: %w", stream.ErrBusy, err)
	}
	var api *jetstream.APIError
	if errors.Is(err, nats.ErrReconnectBufExceeded) || (errors.As(err, &api) && refused(api)) {
		return fmt.Errorf("%w: %w", stream.ErrBusy, err)
	}
	return err
}

// Error codes of JetStream that an append can meet; see errors.json of nats-server.
const (
	codeAccountResources = 10002
	codeResources        = 10023
	codeStorageResources = 10047
	codeStoreFailed      = 10077
	codeTooManyRequests  = 10167
)

// refused reports whether JetStream refused a message before it wrote any of it.
func refused(e *jetstream.APIError) bool {
	switch e.ErrorCode {
	case codeAccountResources, codeResources, codeStorageResources, codeTooManyRequests:
		return true
	case codeStoreFailed: // also said after a failed write
		return e.Description == "maximum bytes exceeded" || e.Description == "maximum messages exceeded"
	}
	return false
}

// Read implements stream.Log. The reader has a connection of its own, so that a slow one
// holds up neither the others nor appends.
func (l *log) Read(ctx context.Context, partition int, after uint64) (stream.Reader, error) {
	if err := l.check(ctx, partition); err != nil {
		return nil, fmt.Errorf("read %s/%d: %w", l.id, partition, err)
	}
	conn, err := l.backend.dial("millrace read " + streamName(l.name, partition))
	if err != nil {
		return nil, fmt.Errorf("read %s/%d: %w", l.id, partition, err)
	}
	js, err := l.backend.jetStream(conn)
	if err != nil {
		l.backend.hangUp(conn)
		return nil, fmt.Errorf("read %s/%d: %w", l.id, partition, err)
	}
	return &reader{log: l, partition: partition, last: after, conn: conn, js: js}, nil
}

// Head implements stream.Log.
func (l *log) Head(ctx context.Context, partition int) (uint64, error) {
	state, err := l.state(ctx, partition)
	if err != nil {
		return 0, fmt.Errorf("head of %s/%d: %w", l.id, partition, err)
	}
	return state.LastSeq, nil
}

func (l *log) state(ctx context.Context, partition int) (jetstream.StreamState, error) {
	if err := l.check(ctx, partition); err != nil {
		return jetstream.StreamState{}, err
	}
	info, err := l.streams[partition].Info(ctx)
	if err != nil {
		return jetstream.StreamState{}, err
	}
	return info.State, nil
}

// SeqAt implements stream.Log. The server finds the place, by bisection: where its clock
// stepped back, the answer may be off by the entries of that step.
func (l *log) SeqAt(ctx context.Context, partition int, t time.Time) (uint64, error) {
	seq, err := l.seqAt(ctx, partition, t)
	if err != nil {
		return 0, fmt.Errorf("find time in %s/%d: %w", l.id, partition, err)
	}
	return seq, nil
}

func (l *log) seqAt(ctx context.Context, partition int, t time.Time) (seq uint64, err error) {
	state, err := l.state(ctx, partition)
	if err != nil {
		return 0, err
	}
	s := l.streams[partition]
	consumer, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartTimePolicy,
		OptStartTime:      &t,
		AckPolicy:         jetstream.AckNonePolicy,
		HeadersOnly:       true,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: consumerLinger,
	})
	if err != nil {
		return 0, err
	}
	info := consumer.CachedInfo()
	defer func() { err = errors.Join(err, s.DeleteConsumer(ctx, info.Name)) }()
	if info.NumPending == 0 {
		return state.LastSeq + 1, nil
	}
	batch, err := consumer.Fetch(1, jetstream.FetchContext(ctx))
	if err != nil {
		return 0, err
	}
	msg, delivered := <-batch.Messages()
	if !delivered {
		return 0, errors.Join(errors.New("the server delivered nothing"), batch.Error())
	}
	meta, err := msg.Metadata()
	if err != nil {
		return 0, err
	}
	return meta.Sequence.Stream, nil
}

// Trim implements stream.Log.
func (l *log) Trim(ctx context.Context, partition int, before uint64) error {
	if err := l.trim(ctx, partition, before); err != nil {
		return fmt.Errorf("trim %s/%d: %w", l.id, partition, err)
	}
	return nil
}

func (l *log) trim(ctx context.Context, partition int, before uint64) error {
	state, err := l.state(ctx, partition)
	if err != nil {
		return err
	}
	// Beyond the head JetStream would skip sequences.
	before = min(before, state.LastSeq+1)
	if before <= max(state.FirstSeq, 1) {
		return nil
	}
	return l.streams[partition].Purge(ctx, jetstream.WithPurgeSequence(before))
}
