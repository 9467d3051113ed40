package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/internal/event"
)

// DefaultIdempotencyWindow is how long the key of a request is remembered by default:
// longer than any sane client goes on retrying one request.
const DefaultIdempotencyWindow = 10 * time.Minute

// Delivery is one entry as every layer sees it: decoded, with its forced-monotonic
// arrival time, and with the rows that duplicate earlier ones named.
type Delivery struct {
	Seq     uint64
	Arrival int64 // nanoseconds since 1970
	Epoch   event.Epoch
	Batch   *event.Batch // nil for a tick; shared, never to be changed
	// Rows are the batch's rows that count, ascending; nil means all of them. The rest
	// repeat a request (Idempotency-Key) or an event (dedupe_key) seen before.
	Rows []uint32
}

// Count returns the number of rows that count.
func (d *Delivery) Count() int {
	if d.Batch == nil {
		return 0
	}
	if d.Rows != nil {
		return len(d.Rows)
	}
	return d.Batch.Rows
}

// TailOptions says where a tail starts and how it reads.
type TailOptions struct {
	Log         Log
	Partition   int
	Schema      *event.Schema // the stream's columns, ExtraColumn last
	EpochLength time.Duration
	After       uint64 // deliver entries with a greater sequence
	ArrivalFrom int64  // arrival time (ns) of entry After, from a seal or a checkpoint; 0 if After is 0
	DedupeKey   []int  // columns of dedupe_key; empty: none
	// DedupeWindow is how long an event's key is remembered, rounded up to whole
	// epochs; see Duplicates in docs/formats-entry.md.
	DedupeWindow time.Duration
	// IdempotencyWindow is how long a request's key is remembered, rounded up to whole
	// epochs; 0 means DefaultIdempotencyWindow. All tails of a stream must agree on it.
	IdempotencyWindow time.Duration
	// Cache shares decoded entries between the tails of one process; may be nil.
	Cache *Cache
}

func (o *TailOptions) validate() error {
	var errs []error
	if o.Log == nil || o.Schema == nil {
		errs = append(errs, errors.New("log and schema must be given"))
	} else {
		if o.Partition < 0 || o.Partition >= o.Log.Partitions() {
			errs = append(errs, fmt.Errorf("partition %d is not in 0..%d", o.Partition, o.Log.Partitions()-1))
		}
		for _, c := range o.DedupeKey {
			if c < 0 || c >= len(o.Schema.Columns) {
				errs = append(errs, fmt.Errorf("dedupe key column %d is not in the schema", c))
			}
		}
	}
	if o.EpochLength <= 0 {
		errs = append(errs, fmt.Errorf("epoch length %s is not positive", o.EpochLength))
	}
	if o.DedupeWindow < 0 || o.IdempotencyWindow < 0 {
		errs = append(errs, errors.New("a window is negative"))
	}
	return errors.Join(errs...)
}

// windows returns the two windows in epochs.
func (o *TailOptions) windows() (idempotency, dedupe event.Epoch) {
	w := o.IdempotencyWindow
	if w == 0 {
		w = DefaultIdempotencyWindow
	}
	return epochsOf(w, o.EpochLength), epochsOf(o.DedupeWindow, o.EpochLength)
}

func epochsOf(window, length time.Duration) event.Epoch {
	return event.Epoch((window + length - 1) / length)
}

// warmupSlackEpochs is how many epochs a tail reads back beyond its windows, so that
// SeqAt may be off by that much where the log's clock stepped back.
const warmupSlackEpochs = 2

// WarmupFrom returns the time from which a tail with these options reads the log back.
// Entries of before that time may be trimmed without changing what the tail delivers;
// whoever trims a log calls it with the oldest ArrivalFrom that a tail may start from.
func (o *TailOptions) WarmupFrom() time.Time {
	idempotency, dedupe := o.windows()
	back := idempotency
	if len(o.DedupeKey) > 0 {
		back = max(back, dedupe)
	}
	first := event.EpochOf(o.ArrivalFrom, o.EpochLength) - back - warmupSlackEpochs
	return first.Start(o.EpochLength)
}

// Tail reads one partition as deliveries. It is used by one goroutine.
type Tail struct {
	o       TailOptions
	reader  Reader
	last    uint64 // sequence of the newest entry delivered or skipped
	arrival int64  // its arrival time
	dups    *duplicates
	failed  error // what no further call can mend
}

// OpenTail returns a tail. Where it starts behind the first entry, it reads back over
// the windows of idempotence and deduplication first, so that its decisions are the same
// as those of a tail that began at entry 1; what was trimmed of that region is skipped.
// The context is for opening only.
func OpenTail(ctx context.Context, o TailOptions) (*Tail, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("open tail: %w", err)
	}
	t := &Tail{o: o, last: o.After, arrival: o.ArrivalFrom, dups: newDuplicates(&o)}
	if o.After > 0 {
		if err := t.warmUp(ctx); err != nil {
			return nil, fmt.Errorf("open tail of partition %d after %d: read back: %w", o.Partition, o.After, err)
		}
	}
	reader, err := o.Log.Read(ctx, o.Partition, o.After)
	if err != nil {
		return nil, fmt.Errorf("open tail of partition %d after %d: %w", o.Partition, o.After, err)
	}
	t.reader = reader
	return t, nil
}

// Next returns the next delivery, blocking at the head of the log until ctx ends. After
// an error it may be called again; a *TrimmedError, an error of kind ErrCorrupt and a gap
// in the log are given again by every further call.
func (t *Tail) Next(ctx context.Context) (Delivery, error) {
	if t.failed != nil {
		return Delivery{}, t.failed
	}
	e, err := t.reader.Next(ctx)
	var trimmed *TrimmedError
	switch {
	case errors.As(err, &trimmed):
		return Delivery{}, t.fail(err)
	case err != nil:
		return Delivery{}, err
	case e.Seq != t.last+1:
		return Delivery{}, t.fail(fmt.Errorf("entry %d follows entry %d", e.Seq, t.last))
	}
	batch, segments, err := t.o.Cache.decode(t.o.Partition, e, t.o.Schema)
	if err != nil {
		return Delivery{}, t.fail(fmt.Errorf("entry %d: %w", e.Seq, err))
	}
	t.last = e.Seq
	t.arrival = max(t.arrival, e.Time.UnixNano())
	d := Delivery{Seq: e.Seq, Arrival: t.arrival, Epoch: event.EpochOf(t.arrival, t.o.EpochLength), Batch: batch}
	if batch != nil {
		d.Rows = t.dups.filter(d.Epoch, batch, segments)
	}
	return d, nil
}

func (t *Tail) fail(err error) error {
	t.failed = fmt.Errorf("read partition %d: %w", t.o.Partition, err)
	return t.failed
}

// Close ends the tail.
func (t *Tail) Close() error { return t.reader.Close() }

// warmUp feeds the entries between WarmupFrom and After to the memory of duplicates.
func (t *Tail) warmUp(ctx context.Context) error {
	head, err := t.o.Log.Head(ctx, t.o.Partition)
	if err != nil {
		return err
	}
	if head < t.o.After {
		return fmt.Errorf("the log ends at entry %d", head)
	}
	first, err := t.o.Log.SeqAt(ctx, t.o.Partition, t.o.WarmupFrom())
	if err != nil {
		return err
	}
	arrival := int64(0)
	for first <= t.o.After {
		err := t.replay(ctx, first, &arrival)
		var trimmed *TrimmedError
		if !errors.As(err, &trimmed) {
			return err
		}
		first = trimmed.First // trimmed meanwhile, or while it was being read
	}
	return nil
}

func (t *Tail) replay(ctx context.Context, first uint64, arrival *int64) (err error) {
	reader, err := t.o.Log.Read(ctx, t.o.Partition, first-1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	for seq := uint64(0); seq < t.o.After; {
		e, err := reader.Next(ctx)
		if err != nil {
			return err
		}
		seq = e.Seq
		*arrival = max(*arrival, e.Time.UnixNano())
		if err := t.remember(e, event.EpochOf(*arrival, t.o.EpochLength)); err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
	}
	return nil
}

// remember notes the keys of one entry before the tail's start. Without a dedupe key
// the rows are not decoded.
func (t *Tail) remember(e Entry, epoch event.Epoch) error {
	h, err := decodeHead(e.Payload)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if h.tick {
		return nil
	}
	var batch *event.Batch
	if len(t.o.DedupeKey) > 0 {
		if batch, err = h.decodeBatch(t.o.Schema); err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	t.dups.remember(epoch, batch, h.segments)
	return nil
}
