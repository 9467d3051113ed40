package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/speed/redisview"
)

// view is one view in the worker's loop, which alone touches it; while a job runs, the
// job's goroutine reads what is named so and nothing else.
type view struct {
	id       string
	plan     *plan.View // read by jobs
	pipeline *plan.Pipeline
	metrics  viewMetrics
	ctx      context.Context // of its jobs; ends with the view
	cancel   context.CancelFunc
	state    State
	rows     uint64
	added    chan error // answered when the view first runs; nil afterwards
	removed  chan error // answered when its last job has ended; nil while it lives

	// table holds the groups of epoch applied.Epoch as of applied; base is the cut,
	// whose epochs are not stored.
	table   *agg.Table
	applied redisview.Checkpoint
	base    event.Epoch
	// unflushed and staged are the arrival times of the first entry that is only in the
	// table, and of the first one in buffer; 0 for none.
	unflushed, staged int64

	// stored is what Redis holds, next what the flush in hand brings it to. Both are
	// read by jobs, and so is buffer, the changed partials between them.
	stored, next redisview.Checkpoint
	buffer       buffer
	flushing     bool // buffer is not in Redis yet, or nobody knows
	unknown      bool // the last attempt to flush may have succeeded

	busy       bool // a job runs
	failure    error
	backoff    time.Duration
	retryAt    time.Time
	verifiedAt time.Time // last sign that Redis holds stored
	groupBytes int       // mean bytes of a partial in the last flush
}

// initialGroupBytes is the size of a partial that is assumed before the first flush.
const initialGroupBytes = 64

// dirtyBytes estimates what the changed groups of the table take as partials.
func (v *view) dirtyBytes() int { return len(v.table.Dirty()) * v.groupBytes }

// ready reports whether the delivery can be applied now: not where it needs a flush that
// has to wait for the one in hand.
func (v *view) ready(d *stream.Delivery) bool {
	if v.state != Running || !v.flushing && !v.busy {
		return true
	}
	if d.Epoch > v.applied.Epoch && len(v.table.Dirty()) > 0 {
		return false
	}
	return v.dirtyBytes() < maxDirtyBytes
}

// apply aggregates a delivery. The rest of an epoch before the delivery's has been handed
// to a flush already.
func (v *view) apply(d *stream.Delivery) error {
	if d.Epoch > v.applied.Epoch {
		v.table.Reset()
		v.applied.Epoch = d.Epoch
	}
	if n := d.Count(); n > 0 && !d.Epoch.CoveredBy(v.base) {
		if err := v.pipeline.Apply(d.Batch, d.Rows, v.table); err != nil {
			return fmt.Errorf("aggregate entry %d: %w", d.Seq, err)
		}
		v.rows += uint64(n)
		v.metrics.rows.Add(float64(n))
	}
	v.applied.Seq, v.applied.Arrival = d.Seq, d.Arrival
	if v.unflushed == 0 {
		v.unflushed = d.Arrival
	}
	return nil
}

// stage puts the changed groups into the buffer, for a flush to take them to Redis.
func (v *view) stage() {
	v.buffer.fill(v.table)
	v.table.ClearDirty()
	if n := len(v.buffer.partials); n > 0 {
		v.groupBytes = max(1, len(v.buffer.data)/n)
	}
	v.next, v.flushing, v.unknown = v.applied, true, false
	v.staged, v.unflushed = v.unflushed, 0
}

// started takes over the state that a start job has found or made.
func (v *view) started(o opened) {
	v.table = o.table
	v.applied, v.stored = o.at, o.at
	v.base = o.at.Base
	v.unflushed, v.staged, v.flushing, v.unknown = 0, 0, false, false
	v.verifiedAt = time.Now()
	v.state = Running
	v.succeeded()
	if o.begun {
		v.metrics.rebuilds.Inc()
	}
}

// flush is one attempt of a job to bring the buffer to Redis. After an error other than
// ErrLost and ErrFenced it may have succeeded; the next attempt asks first.
func (v *view) flush(ctx context.Context, s *redisview.Store, partition int) error {
	if v.unknown {
		applied, err := s.Settle(ctx, v.id, partition, v.stored, v.next)
		if applied || err != nil {
			return err
		}
	}
	began := time.Now()
	err := s.Flush(ctx, v.id, partition, v.stored, v.next, v.buffer.partials)
	v.metrics.flushSeconds.Observe(time.Since(began).Seconds())
	return err
}

// flushed ends a successful flush.
func (v *view) flushed() {
	v.metrics.flushFields.Add(float64(len(v.buffer.partials)))
	v.stored = v.next
	v.flushing, v.unknown = false, false
	v.verifiedAt = time.Now()
	v.succeeded()
}

func (v *view) succeeded() {
	v.failure, v.backoff, v.retryAt = nil, 0, time.Time{}
}

// failed notes a failure, to be repeated after a pause that doubles.
func (v *view) failed(err error) {
	v.metrics.failures.Inc()
	v.failure = err
	v.backoff = min(max(2*v.backoff, firstBackoff), maxBackoff)
	v.retryAt = time.Now().Add(v.backoff)
}

// lost reports whether an error says that Redis lost the view's state.
func lost(err error) bool { return errors.Is(err, redisview.ErrLost) }

// status is the view's status as others see it.
func (v *view) status() Status {
	s := Status{
		View: v.id, State: v.state, Rows: v.rows,
		Seq: v.stored.Seq, Arrival: v.stored.Arrival, Epoch: v.stored.Epoch,
	}
	if v.failure != nil {
		s.Error = v.failure.Error()
	}
	switch {
	case v.state != Running:
		s.since = v.stored.Arrival
	case v.flushing:
		s.since = v.staged
	default:
		s.since = v.unflushed
	}
	return s
}
