package appender

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/internal/event"
)

// writer appends to one partition, one entry at a time. While an append is under way
// small parts gather behind it, so the slower the store, the larger the entries.
type writer struct {
	a         *Appender
	partition int
	parts     chan *part
	head      atomic.Uint64

	// The entry being gathered.
	group    *event.Batch
	waiting  []*part
	segments []stream.Segment
	buf      []byte
}

func newWriter(a *Appender, partition int) *writer {
	return &writer{a: a, partition: partition, parts: make(chan *part, queueParts), group: event.NewBatch(a.o.Stream.Schema)}
}

// run appends what comes until the channel of parts is closed and empty.
func (w *writer) run() {
	var big *part
	for {
		p := big
		if big = nil; p == nil {
			var ok bool
			if p, ok = <-w.parts; !ok {
				return
			}
		}
		if p.payload != nil {
			w.appendBig(p)
			continue
		}
		big = w.gather(p)
		w.flush()
	}
}

// gather collects small parts into the group until it is full, its oldest part has
// waited for the linger, or a big part comes in between, which it returns.
func (w *writer) gather(first *part) (big *part) {
	size := w.add(first)
	wait := w.a.o.Linger - time.Since(first.arrived)
	var expired <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		expired = t.C
	}
	for size < entryBytes {
		var p *part
		var ok bool
		select {
		case p, ok = <-w.parts:
		default:
			if expired == nil {
				return nil
			}
			select {
			case p, ok = <-w.parts:
			case <-expired:
				expired = nil
				continue
			}
		}
		if !ok || p.payload != nil {
			return p
		}
		size += w.add(p)
	}
	return nil
}

// add puts a small part into the group and returns its size.
func (w *writer) add(p *part) int {
	if p.ctx.Err() != nil {
		p.finish(0, errExpired)
		return 0
	}
	if p.rows == nil {
		w.group.AppendRange(p.batch, 0, p.count)
	} else {
		w.group.AppendRows(p.batch, p.rows)
	}
	w.waiting = append(w.waiting, p)
	w.segments = append(w.segments, stream.Segment{Rows: p.count, Key: p.key})
	return p.bytes
}

// flush appends the group as one entry and tells all who wait for it.
func (w *writer) flush() {
	if len(w.waiting) == 0 {
		return
	}
	payload, err := stream.EncodeEntry(w.buf[:0], w.group, w.segments)
	w.buf = payload
	var seq uint64
	if err != nil {
		err = fmt.Errorf("encode entry for %s/%d: %w", w.a.o.StreamID, w.partition, err)
	} else if seq, err = w.append(payload, w.group.Rows); err != nil {
		w.buf = nil // the log's client may still be holding it
	}
	for _, p := range w.waiting {
		p.finish(seq, err)
	}
	clear(w.waiting)
	w.waiting, w.segments = w.waiting[:0], w.segments[:0]
	w.group.Reset()
}

func (w *writer) appendBig(p *part) {
	if p.ctx.Err() != nil {
		p.finish(0, errExpired)
		return
	}
	p.finish(w.append(*p.payload, p.count))
}

// append appends one payload.
func (w *writer) append(payload []byte, rows int) (uint64, error) {
	ctx, cancel := context.WithTimeout(w.a.ctx, w.a.o.AppendTimeout)
	defer cancel()
	m := w.a.o.Metrics
	start := time.Now()
	seq, err := w.a.o.Log.Append(ctx, w.partition, payload)
	m.appendSeconds.Observe(time.Since(start).Seconds())
	if err != nil {
		m.failures.Inc()
		return 0, err
	}
	m.entries.Inc()
	m.entryRows.Observe(float64(rows))
	m.entryBytes.Add(float64(len(payload)))
	w.head.Store(seq)
	return seq, nil
}
