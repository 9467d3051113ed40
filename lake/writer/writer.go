// Package writer turns one partition's log into sealed Parquet files.
//
// The one invariant: files and seals are a function of the log alone. A writer that starts
// again after a crash, at the last seal, writes the same files under the same names, so
// that a row is in the lake exactly once however often its writing was interrupted.
package writer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/parquetfile"
	"github.com/millrace/millrace/lake/seal"
)

// Where a chunk ends, looked at after each entry. They are part of the lake's format: with
// other values a writer that starts again would cut its epoch into other files.
const (
	ChunkRows  = 1 << 20   // one row group
	ChunkBytes = 256 << 20 // of columns in memory: the encoder's memory with huge rows
)

// Waits between tries when the store or the stream fails.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// Tail delivers a partition's entries in order; *stream.Tail is one.
type Tail interface {
	Next(ctx context.Context) (stream.Delivery, error)
	Close() error
}

// OpenTail opens the partition's tail behind an entry and its arrival time.
type OpenTail func(ctx context.Context, after uint64, arrival int64) (Tail, error)

// Config says what a writer writes. All fields but Metrics and Log are required.
type Config struct {
	Stream      string // stream id
	Partition   int
	Schema      *event.Schema // the stream's columns
	EventTime   int           // its event-time column
	EpochLength time.Duration
	Store       objstore.Store
	Index       *seal.Index
	Metrics     *Metrics     // nil: not counted
	Log         *slog.Logger // nil: silent
}

// Writer writes one partition. Run is called once; Progress at any time.
type Writer struct {
	c        Config
	encoder  *parquetfile.Writer
	progress progress

	// The open epoch.
	open    bool        // an entry of it has been read
	epoch   event.Epoch // its number
	files   []seal.File
	rows    int64
	chunk   chunk
	first   event.Position
	last    event.Position
	lastSeq uint64
	arrival int64
}

// chunk is the file that is being gathered.
type chunk struct {
	buf   spool
	rows  int64
	bytes int64
}

// New returns a writer.
func New(c Config) (*Writer, error) {
	if c.EpochLength <= 0 {
		return nil, fmt.Errorf("lake writer of %s: epoch length %s is not positive", c.Stream, c.EpochLength)
	}
	encoder, err := parquetfile.NewWriter(c.Schema, c.EventTime)
	if err != nil {
		return nil, fmt.Errorf("lake writer of %s: %w", c.Stream, err)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	return &Writer{c: c, encoder: encoder}, nil
}

// Run writes until ctx ends, which it returns, or until going on would lose events: a
// *stream.TrimmedError. Any other failure (a full disk, a stream that is away) is logged,
// counted and tried again from the last seal, for ever.
func (w *Writer) Run(ctx context.Context, open OpenTail) error {
	retry := firstRetry
	for {
		sealed, err := w.follow(ctx, open)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var trimmed *stream.TrimmedError
		if errors.As(err, &trimmed) {
			return fmt.Errorf("write lake of %s/%d: %w", w.c.Stream, w.c.Partition, err)
		}
		if sealed > 0 {
			retry = firstRetry
		}
		w.c.Metrics.retries.Inc()
		w.c.Log.Error("lake writer starts again from its last seal", "stream", w.c.Stream, "partition", w.c.Partition, "in", retry, "error", err)
		select {
		case <-time.After(retry):
		case <-ctx.Done():
			return ctx.Err()
		}
		retry = min(2*retry, lastRetry)
	}
}

// follow reads from the last seal on until something fails; sealed is how many seals it
// added.
func (w *Writer) follow(ctx context.Context, open OpenTail) (sealed int, err error) {
	last, _ := w.c.Index.Last(w.c.Partition)
	w.reset(last)
	defer w.drop()
	tail, err := open(ctx, last.LastSeq, last.Arrival)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, tail.Close()) }()
	for {
		d, err := tail.Next(ctx)
		if err != nil {
			return sealed, err
		}
		if w.open && d.Epoch > w.epoch {
			if err := w.seal(ctx, d.Epoch-1); err != nil {
				return sealed, err
			}
			sealed++
		}
		if err := w.add(ctx, &d); err != nil {
			return sealed, err
		}
	}
}

func (w *Writer) reset(last seal.Seal) {
	w.open, w.files, w.rows = false, nil, 0
	w.first, w.last = event.Position{}, event.Position{}
	w.lastSeq, w.arrival = last.LastSeq, last.Arrival
	w.progress.set(Progress{Sealed: last.LastSeq, Seq: last.LastSeq, Arrival: last.Arrival})
}

// add takes one entry into the open epoch.
func (w *Writer) add(ctx context.Context, d *stream.Delivery) error {
	if !w.open {
		w.open, w.epoch = true, d.Epoch
	}
	if d.Count() > 0 {
		if w.chunk.rows == 0 {
			w.chunk.buf = spool{ctx: ctx, store: w.c.Store, name: w.name(len(w.files))}
			w.encoder.Start(&w.chunk.buf)
		}
		if err := w.encoder.Append(d.Batch, d.Rows, w.c.Partition, d.Seq, d.Arrival); err != nil {
			return err
		}
		n := int64(d.Count())
		firstRow, lastRow := uint32(0), uint32(d.Batch.Rows-1)
		if d.Rows != nil {
			firstRow, lastRow = d.Rows[0], d.Rows[len(d.Rows)-1]
		}
		if w.rows == 0 {
			w.first = event.Position{Seq: d.Seq, Row: firstRow}
		}
		w.last = event.Position{Seq: d.Seq, Row: lastRow}
		w.rows += n
		w.chunk.rows += n
		w.chunk.bytes += int64(d.Batch.SizeBytes())
	}
	w.lastSeq, w.arrival = d.Seq, d.Arrival
	if w.chunk.rows >= ChunkRows || w.chunk.bytes >= ChunkBytes {
		return w.closeChunk()
	}
	return nil
}

// name is the object name of the open epoch's n-th chunk.
func (w *Writer) name(n int) string {
	return FileName(w.c.Stream, w.epoch, w.c.EpochLength, fmt.Sprintf("%d-%d-%d", w.epoch, w.c.Partition, n))
}

// FileName is the object name of a Parquet file whose rows arrived in or after an epoch.
func FileName(stream string, e event.Epoch, length time.Duration, base string) string {
	t := e.Start(length)
	return fmt.Sprintf("lake/%s/date=%s/hour=%02d/%s.parquet", stream, t.Format(time.DateOnly), t.Hour(), base)
}

// closeChunk writes the gathered rows as a file. It is durable, but no reader of seals
// sees it yet.
func (w *Writer) closeChunk() error {
	if w.chunk.rows == 0 {
		return nil
	}
	began := time.Now()
	sum, err := w.encoder.Close()
	if err == nil {
		err = w.chunk.buf.commit()
	}
	if err != nil {
		return fmt.Errorf("write lake file %s: %w", w.chunk.buf.name, err)
	}
	w.files = append(w.files, seal.File{
		Name: w.chunk.buf.name, Rows: sum.Rows, SizeBytes: sum.SizeBytes, Checksum: sum.Checksum, Days: sum.Days,
	})
	w.chunk = chunk{}
	m := w.c.Metrics
	m.files.Inc()
	m.rows.Add(float64(sum.Rows))
	m.bytes.Add(float64(sum.SizeBytes))
	m.fileSeconds.Observe(time.Since(began).Seconds())
	p := w.progress.get()
	p.Files, p.Seq, p.Arrival = append(p.Files[:len(p.Files):len(p.Files)], w.files[len(w.files)-1]), w.lastSeq, w.arrival
	w.progress.set(p)
	return nil
}

// seal ends the open epoch; to is the newest epoch without further entries.
func (w *Writer) seal(ctx context.Context, to event.Epoch) error {
	if err := w.closeChunk(); err != nil {
		return err
	}
	s := seal.Seal{
		Stream: w.c.Stream, Partition: w.c.Partition, From: w.epoch, To: to,
		Files: w.files, Rows: w.rows, First: w.first, Last: w.last,
		LastSeq: w.lastSeq, Arrival: w.arrival, LastEpoch: w.epoch,
	}
	if err := w.c.Index.Add(ctx, s); err != nil {
		return err
	}
	w.c.Metrics.seals.Inc()
	w.reset(s)
	return nil
}

// drop forgets an unfinished file.
func (w *Writer) drop() {
	if err := w.chunk.buf.abort(); err != nil {
		w.c.Log.Warn("unfinished lake file stays until the next start", "error", err)
	}
	w.chunk = chunk{}
}
