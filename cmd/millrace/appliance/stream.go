package appliance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/ingest/appender"
	"github.com/millrace/millrace/ingest/decode"
	ingesthttp "github.com/millrace/millrace/ingest/httpapi"
	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/rate"
	"github.com/millrace/millrace/lake/compact"
	"github.com/millrace/millrace/lake/history"
	"github.com/millrace/millrace/lake/retention"
	"github.com/millrace/millrace/lake/seal"
	"github.com/millrace/millrace/lake/writer"
	"github.com/millrace/millrace/speed/worker"
)

// cachedEntries is how many decoded entries of a partition are kept for the readers that
// run side by side: the speed worker and the lake writer.
const cachedEntries = 8

// running is a stream at work: everything between its log and the layers.
type running struct {
	def      *catalog.Stream
	log      *ackedLog
	cache    *stream.Cache
	index    *seal.Index
	appender *appender.Appender
	writers  []*writer.Writer
	workers  []*worker.Worker
	history  *history.History
	target   *ingesthttp.Target
	events   rate.Meter // acknowledged since the process started
	rejected rate.Meter // dead letters since then
	failure  atomic.Pointer[string]
	cuts     map[string]*superseded   // by view id; of the maintenance alone
	boards   map[string]*boardsAtWork // by view id; guarded by Appliance.mu

	compactor   *compact.Compactor
	retention   *retention.Retention
	reading     context.Context // of what works in the background; ends with stopReading
	stopReading context.CancelFunc
	wg          sync.WaitGroup
}

// startStream opens a stream's log and lake and starts its readers.
func (a *Appliance) startStream(ctx context.Context, def *catalog.Stream) (_ *running, err error) {
	p := def.Plan
	r := &running{def: def, cache: stream.NewCache(cachedEntries), cuts: map[string]*superseded{}, boards: map[string]*boardsAtWork{}}
	log, err := a.backend.Open(ctx, def.ID, p.Partitions)
	if err != nil {
		return nil, fmt.Errorf("open log of stream %s: %w", p.Name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, log.Close())
		}
	}()
	if r.log, err = rememberAcked(ctx, log); err != nil {
		return nil, err
	}
	if r.index, err = seal.Load(ctx, a.store, def.ID, p.Partitions); err != nil {
		return nil, fmt.Errorf("load seals of stream %s: %w", p.Name, err)
	}
	for partition := range p.Partitions {
		w, err := writer.New(writer.Config{
			Stream: def.ID, Partition: partition, Schema: p.Schema, EventTime: p.EventTime, EpochLength: a.o.Config.Epoch,
			Store: a.store, Index: r.index, Metrics: a.metrics.writer, Log: a.o.Log.With("stream", p.Name, "partition", partition),
		})
		if err != nil {
			return nil, fmt.Errorf("make lake writer of stream %s: %w", p.Name, err)
		}
		r.writers = append(r.writers, w)
		fence, err := a.backend.Fence(ctx, fmt.Sprintf("speed.%s.%d", def.ID, partition))
		if err != nil {
			return nil, fmt.Errorf("get fencing token of stream %s: %w", p.Name, err)
		}
		r.workers = append(r.workers, worker.New(worker.Options{
			Tail: a.tailOptions(r, partition), Store: a.speed, Fence: fence,
			Cut:        func(ctx context.Context, view string) (worker.Cut, error) { return a.cut(ctx, view, partition) },
			FlushEvery: a.o.Config.Flush, Metrics: a.metrics.worker,
			Logger: a.o.Log.With("stream", p.Name, "partition", partition),
		}))
	}
	r.history, err = history.Open(ctx, history.Config{
		Stream: def.ID, Schema: p.Schema, EventTime: p.EventTime, Store: a.store, Index: r.index,
		Open: func(ctx context.Context, partition int, after uint64, arrival int64) (writer.Tail, error) {
			return a.openTail(ctx, r, partition, after, arrival)
		},
		Progress: func(partition int) writer.Progress { return r.writers[partition].Progress() },
	})
	if err != nil {
		return nil, err
	}
	r.compactor = compact.New(compact.Config{
		Stream: def.ID, Schema: p.Schema, EventTime: p.EventTime, EpochLength: a.o.Config.Epoch, Store: a.store, Index: r.index,
		Grace: a.o.Config.Grace, Metrics: a.metrics.compact, Log: a.o.Log.With("stream", p.Name),
	})
	r.retention, err = retention.New(retention.Config{
		Stream: def.ID, Store: a.store, Index: r.index, Grace: a.o.Config.Grace, Metrics: a.metrics.registry,
	})
	if err != nil {
		return nil, fmt.Errorf("make retention of stream %s: %w", p.Name, err)
	}
	r.appender = appender.New(appender.Options{
		StreamID: def.ID, Stream: p, Log: r.log, Linger: a.o.Config.Linger, Budget: a.budget,
		Metrics: a.metrics.appender, Logger: a.o.Log.With("stream", p.Name),
	})
	r.target = &ingesthttp.Target{ID: def.ID, Decoders: decode.NewPool(p, a.limits()), Appender: counting{r.appender, &r.events}, Requests: &rate.Meter{}, Bytes: &rate.Meter{}}
	a.startReaders(r)
	return r, nil
}

// startReaders starts what works on the stream in the background.
func (a *Appliance) startReaders(r *running) {
	ctx, cancel := context.WithCancel(context.Background())
	r.reading, r.stopReading = ctx, cancel
	for partition := range r.def.Plan.Partitions {
		r.wg.Go(func() {
			r.fail(r.writers[partition].Run(ctx, func(ctx context.Context, after uint64, arrival int64) (writer.Tail, error) {
				return a.openTail(ctx, r, partition, after, arrival)
			}))
		})
		r.wg.Go(func() { r.fail(r.workers[partition].Run(ctx)) })
	}
	r.wg.Go(func() {
		r.fail(stream.RunTicker(ctx, stream.TickerOptions{Log: r.log, EpochLength: a.o.Config.Epoch, Logger: a.o.Log}))
	})
	r.wg.Go(func() { a.maintain(ctx, r) })
}

// fail keeps the error that ended a reader, for the status.
func (r *running) fail(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	text := err.Error()
	r.failure.Store(&text)
}

// stop ends the stream's work in the order of the way of an event: nothing new comes in,
// what was read is flushed, the log is closed last.
func (r *running) stop(ctx context.Context) error {
	err := r.appender.Close(ctx)
	r.stopReading()
	r.wg.Wait()
	for _, b := range r.boards {
		b.stop()
	}
	return errors.Join(err, r.log.Close())
}

func (a *Appliance) tailOptions(r *running, partition int) stream.TailOptions {
	p := r.def.Plan
	return stream.TailOptions{
		Log: r.log, Partition: partition, Schema: p.Schema, EpochLength: a.o.Config.Epoch,
		DedupeKey: p.DedupeKey, DedupeWindow: p.DedupeWindow, Cache: r.cache,
	}
}

func (a *Appliance) openTail(ctx context.Context, r *running, partition int, after uint64, arrival int64) (writer.Tail, error) {
	o := a.tailOptions(r, partition)
	o.After, o.ArrivalFrom = after, arrival
	return stream.OpenTail(ctx, o)
}

// cut tells the speed layer where the batch layer's part of a view ends.
func (a *Appliance) cut(ctx context.Context, view string, partition int) (worker.Cut, error) {
	m, err := a.publications.Current(ctx, view)
	if err != nil {
		return worker.Cut{}, err
	}
	if m == nil {
		return worker.Cut{}, fmt.Errorf("view %s has no publication yet", view)
	}
	return cutOf(m, partition), nil
}

func cutOf(m *publication.Manifest, partition int) worker.Cut {
	cut := worker.Cut{Epoch: m.Cut}
	if partition < len(m.Positions) {
		cut.Seq, cut.Arrival = m.Positions[partition].Seq, m.Positions[partition].Arrival
	}
	return cut
}

// maintainEvery is how often a stream is trimmed, compacted and its leftovers removed; more
// often where the grace is shorter.
const maintainEvery = 30 * time.Second

// maintain keeps the log and the lake of a stream in bounds until ctx ends.
func (a *Appliance) maintain(ctx context.Context, r *running) {
	ticker := time.NewTicker(min(maintainEvery, a.o.Config.Grace))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := errors.Join(a.collect(ctx, r), a.trim(ctx, r), a.tidy(ctx, r)); err != nil && ctx.Err() == nil {
			a.o.Log.Warn("maintain stream; it is tried again", "stream", r.def.Plan.Name, "error", err)
		}
	}
}

// trim deletes entries of the log that nobody needs any more: sealed in the lake, under
// the cut of every view, older than the stream's retention, and before everything that a
// reader would look back on to tell duplicates.
func (a *Appliance) trim(ctx context.Context, r *running) error {
	for partition := range r.def.Plan.Partitions {
		last, ok := r.index.Last(partition)
		if !ok {
			continue
		}
		before, oldest := last.LastSeq+1, last.Arrival
		for _, v := range a.viewsOf(r.def.ID) {
			cut, err := a.cut(ctx, v.ID, partition)
			if err != nil {
				return fmt.Errorf("trim %s/%d: %w", r.def.Plan.Name, partition, err)
			}
			before, oldest = min(before, cut.Seq+1), min(oldest, cut.Arrival)
		}
		o := a.tailOptions(r, partition)
		o.After, o.ArrivalFrom = before-1, oldest
		for _, at := range []time.Time{o.WarmupFrom(), time.Now().Add(-r.def.Plan.Retention)} {
			seq, err := r.log.SeqAt(ctx, partition, at)
			if err != nil {
				return fmt.Errorf("trim %s/%d: %w", r.def.Plan.Name, partition, err)
			}
			before = min(before, seq)
		}
		if before <= 1 {
			continue
		}
		if err := r.log.Trim(ctx, partition, before); err != nil {
			return fmt.Errorf("trim %s/%d before %d: %w", r.def.Plan.Name, partition, before, err)
		}
	}
	return nil
}

// tidy compacts the lake's past hours under the cut of every view, and deletes what is
// older than the stream's lake_ttl.
func (a *Appliance) tidy(ctx context.Context, r *running) error {
	through := r.index.Complete()
	for _, v := range a.viewsOf(r.def.ID) {
		cut, err := a.cut(ctx, v.ID, 0)
		if err != nil {
			return fmt.Errorf("tidy %s: %w", r.def.Plan.Name, err)
		}
		through = min(through, cut.Epoch)
	}
	if err := r.compactor.Run(ctx, through); err != nil {
		return fmt.Errorf("compact %s: %w", r.def.Plan.Name, err)
	}
	if ttl := r.def.Plan.LakeTTL; ttl > 0 {
		if err := r.retention.Run(ctx, time.Now().Add(-ttl)); err != nil {
			return fmt.Errorf("expire %s: %w", r.def.Plan.Name, err)
		}
	}
	return nil
}

// startView starts the speed layer of a view on every partition.
func (a *Appliance) startView(ctx context.Context, r *running, v *catalog.View) error {
	for partition, w := range r.workers {
		if err := w.AddView(ctx, v.ID, v.Plan); err != nil {
			return fmt.Errorf("start view %s on partition %d: %w", v.Plan.Name, partition, err)
		}
	}
	return nil
}

// stopView ends the speed layer of a view and removes what it left in Redis.
func (a *Appliance) stopView(ctx context.Context, r *running, v *catalog.View) error {
	for partition, w := range r.workers {
		if err := w.RemoveView(ctx, v.ID); err != nil && !errors.Is(err, worker.ErrUnknown) {
			return fmt.Errorf("stop view %s on partition %d: %w", v.Plan.Name, partition, err)
		}
	}
	return a.speed.Drop(ctx, v.ID, len(r.workers))
}

// complete returns the newest epoch that the lake holds whole, nil where there is none.
func (r *running) complete() *event.Epoch {
	e := r.index.Complete()
	if e == event.NoEpoch {
		return nil
	}
	return &e
}

// lakeRows returns the rows that are sealed.
func (r *running) lakeRows() int64 { return r.index.Rows(math.MinInt64, math.MaxInt64) }
