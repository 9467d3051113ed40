package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/speed/redisview"
)

// loop is the state of a running worker. One goroutine owns it; whatever blocks runs in
// jobs, at most one for each view, which come back through results.
type loop struct {
	*Worker
	ctx     context.Context
	cancel  context.CancelFunc
	views   []*view
	results chan result
	running int // jobs

	reader *stream.Follower
	held   *stream.Delivery // taken from the reader, waiting for a flush to end
	retry  backoff          // of the reader
	// trimmed is the oldest entry that the log still has, as far as reading has told.
	trimmed uint64
}

// backoff is the pause after a failed reading of the log.
type backoff struct {
	pause time.Duration
	until time.Time
}

func (b *backoff) failed() {
	b.pause = min(max(2*b.pause, firstBackoff), maxBackoff)
	b.until = time.Now().Add(b.pause)
}

// result is the end of a job.
type result struct {
	view   *view
	opened *opened // of a start that succeeded
	err    error
}

func newLoop(ctx context.Context, w *Worker) *loop {
	l := &loop{Worker: w, results: make(chan result)}
	l.ctx, l.cancel = context.WithCancel(ctx)
	return l
}

// stop ends the reader and the jobs and waits for them.
func (l *loop) stop() {
	l.cancel()
	if l.reader != nil {
		l.reader.Stop()
	}
	for ; l.running > 0; l.running-- {
		<-l.results
	}
}

func (l *loop) run() error {
	tick := time.NewTicker(l.o.FlushEvery)
	defer tick.Stop()
	for {
		var items chan stream.Item
		if l.reader != nil && l.held == nil {
			items = l.reader.Items
		}
		var err error
		select {
		case <-l.ctx.Done():
			return nil
		case i := <-items:
			if i.Err != nil {
				l.readerFailed(i.Err)
				break
			}
			l.reader.Position = i.Delivery.Seq
			l.held = &i.Delivery
			l.deliver()
		case r := <-l.results:
			err = l.ended(r)
			l.deliver()
		case c := <-l.commands:
			l.obey(c)
		case <-tick.C:
			l.tick(time.Now())
		}
		if err != nil {
			return err
		}
	}
}

// deliver applies the held delivery to all views, or leaves it held where one of them
// has to end a flush first.
func (l *loop) deliver() {
	d := l.held
	if d == nil {
		return
	}
	for _, v := range l.views {
		if !v.ready(d) {
			return
		}
	}
	l.held = nil
	l.retry = backoff{}
	for _, v := range l.views {
		if v.state != Running || d.Seq <= v.applied.Seq {
			continue
		}
		if d.Epoch > v.applied.Epoch && len(v.table.Dirty()) > 0 {
			l.flush(v) // what is left of the old epoch
		}
		if err := v.apply(d); err != nil {
			l.stall(v, err)
			continue
		}
		if !v.flushing && !v.busy && v.dirtyBytes() >= flushBytes {
			l.flush(v)
		}
		l.publish(v)
	}
}

// flush hands a view's changes to a job. No other is in hand.
func (l *loop) flush(v *view) {
	v.stage()
	l.startFlush(v)
}

func (l *loop) startFlush(v *view) {
	l.job(v, func(ctx context.Context) result {
		return result{err: v.flush(ctx, l.o.Store, l.o.Tail.Partition)}
	})
}

// start begins an attempt to load a view's state.
func (l *loop) start(v *view) {
	l.job(v, func(ctx context.Context) result {
		o, err := l.open(ctx, v.id, v.plan)
		if err != nil {
			return result{err: err}
		}
		return result{opened: &o}
	})
}

// verify looks whether Redis still holds what the view left there.
func (l *loop) verify(v *view) {
	at := v.stored
	l.job(v, func(ctx context.Context) result {
		_, err := l.o.Store.Settle(ctx, v.id, l.o.Tail.Partition, at, at)
		return result{err: err}
	})
}

func (l *loop) job(v *view, f func(ctx context.Context) result) {
	v.busy = true
	l.running++
	go func() {
		ctx, cancel := context.WithTimeout(v.ctx, attemptTimeout)
		defer cancel()
		r := f(ctx)
		r.view = v
		l.results <- r // stop takes it where run does not
	}()
}

// ended takes the result of a job. An error ends the worker.
func (l *loop) ended(r result) error {
	v := r.view
	l.running--
	v.busy = false
	if v.removed != nil {
		l.drop(v)
		return nil
	}
	switch {
	case errors.Is(r.err, redisview.ErrFenced):
		return r.err
	case v.state == Stalled:
	case v.state == Starting:
		l.startEnded(v, r)
	case lost(r.err):
		l.log.Warn("speed state was lost and is built again", "view", v.id, "entry", v.stored.Seq)
		v.state, v.table, v.flushing = Starting, nil, false
		l.start(v)
	case r.err != nil:
		if v.failure == nil {
			l.log.Warn("speed layer cannot reach Redis and tries again", "view", v.id, "error", r.err)
		}
		v.unknown = v.flushing
		v.failed(r.err)
	case v.flushing:
		v.flushed()
	default:
		v.verifiedAt = time.Now()
		v.succeeded()
	}
	l.publish(v)
	return nil
}

// startEnded takes the result of an attempt to load a view's state.
func (l *loop) startEnded(v *view, r result) {
	err := r.err
	if err == nil && r.opened.at.Seq+1 < l.trimmed {
		err = fmt.Errorf("the log was trimmed up to entry %d and the view's state ends at entry %d: it needs a batch run", l.trimmed-1, r.opened.at.Seq)
	}
	if err != nil {
		if v.failure == nil {
			l.log.Warn("view cannot start in the speed layer and tries again", "view", v.id, "error", err)
		}
		v.failed(err)
		return
	}
	v.started(*r.opened)
	if v.added != nil {
		v.added <- nil
		v.added = nil
	}
	if l.reader != nil && v.applied.Seq < l.reader.Position {
		l.stopReader() // tick opens it again at the least position
	}
}

// tick flushes what changed, repeats what failed, and opens the reader where there is none.
func (l *loop) tick(now time.Time) {
	starting := false
	for _, v := range l.views {
		l.publish(v)
		if v.busy || now.Before(v.retryAt) {
			starting = starting || v.busy && v.state == Starting
			continue
		}
		switch {
		case v.removed != nil || v.state == Stalled:
		case v.state == Starting:
			l.start(v)
			starting = true
		case v.flushing:
			l.startFlush(v)
		case v.applied != v.stored:
			l.flush(v)
		case now.Sub(v.verifiedAt) >= verifyAfter*l.o.FlushEvery:
			l.verify(v)
		}
	}
	// Views that start together share one opening of the tail, which may be costly.
	if l.reader == nil && !starting && !now.Before(l.retry.until) {
		l.openReader()
	}
}

// openReader reads from the least position of the running views on.
func (l *loop) openReader() {
	var least *view
	for _, v := range l.views {
		if v.state == Running && (least == nil || v.applied.Seq < least.applied.Seq) {
			least = v
		}
	}
	if least == nil {
		return
	}
	o := l.o.Tail
	o.After, o.ArrivalFrom = least.applied.Seq, least.applied.Arrival
	if o.After == 0 {
		o.ArrivalFrom = 0
	}
	l.reader = stream.Follow(l.ctx, o, readAhead)
}

func (l *loop) stopReader() {
	if l.reader != nil {
		l.reader.Stop()
	}
	l.reader, l.held = nil, nil
}

// readerFailed ends the reader; tick opens another after a pause. Views whose next
// entries were trimmed start again, in case that a cut beyond them is published.
func (l *loop) readerFailed(err error) {
	l.stopReader()
	l.retry.failed()
	if l.ctx.Err() != nil {
		return
	}
	l.log.Warn("speed layer cannot read the log and tries again", "error", err)
	var t *stream.TrimmedError
	if !errors.As(err, &t) {
		return
	}
	l.trimmed = max(l.trimmed, t.First)
	for _, v := range l.views {
		if v.state == Running && v.applied.Seq+1 < l.trimmed {
			v.state, v.table, v.flushing, v.failure = Starting, nil, false, nil
			v.failed(err)
		}
	}
}

// stall takes a view out of work after its aggregation failed.
func (l *loop) stall(v *view, err error) {
	l.log.Error("view stalls in the speed layer", "view", v.id, "error", err)
	v.state, v.failure, v.table = Stalled, err, nil
	v.metrics.stalled.Set(1)
	l.publish(v)
}

// publish makes a view's status visible.
func (l *loop) publish(v *view) {
	if v.removed != nil {
		return
	}
	s := v.status()
	v.metrics.lag.Set(s.lag(time.Now().UnixNano()).Seconds())
	l.setStatus(s)
}
