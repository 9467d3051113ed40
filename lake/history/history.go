// Package history gives a query all rows of a stream: those that are sealed in the lake
// and those that are still on their way there.
//
// The one invariant: a snapshot holds every row up to the positions asked for exactly
// once, whatever the writers and compaction do meanwhile.
package history

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/parquetfile"
	"github.com/millrace/millrace/lake/seal"
	"github.com/millrace/millrace/lake/writer"
)

// Config says where the rows of a stream are.
type Config struct {
	Stream    string // stream id
	Schema    *event.Schema
	EventTime int
	Store     objstore.Store
	Index     *seal.Index
	// Open opens a partition's tail behind an entry and its arrival time.
	Open func(ctx context.Context, partition int, after uint64, arrival int64) (writer.Tail, error)
	// Progress returns what a partition's writer has written of its open epoch; nil
	// where there is no writer in this process.
	Progress func(partition int) writer.Progress
}

// History makes snapshots of one stream. It is safe for concurrent use.
type History struct {
	c        Config
	next     atomic.Uint64
	encoders sync.Pool // of *parquetfile.Writer: their memory is worth keeping
}

// prefix is where the rows that no seal holds are written for the time of a query.
func (h *History) prefix() string { return "lake/" + h.c.Stream + "/unsealed/" }

// Open returns the history of a stream and removes what queries left behind that a crash
// ended.
func Open(ctx context.Context, c Config) (*History, error) {
	h := &History{c: c}
	left, err := c.Store.List(ctx, h.prefix())
	for _, o := range left {
		if err == nil {
			err = c.Store.Delete(ctx, o.Name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open history of %s: %w", c.Stream, err)
	}
	return h, nil
}

// Snapshot is a set of files that together hold each row once.
type Snapshot struct {
	Files     []seal.File // sealed ones first, then those of Release
	Rows      int64
	Positions []uint64 // last entry of each partition that is in it

	store     objstore.Store
	pin       *seal.Pin
	temporary []string // objects that Release deletes
}

// Snapshot returns the stream's rows up to at least the given entry of each partition:
// the heads of the log, to see all that was acknowledged. It blocks until those entries
// have been read, and writes the ones that no file holds to a temporary file. The caller
// must Release it.
func (h *History) Snapshot(ctx context.Context, upTo []uint64) (_ *Snapshot, err error) {
	n := h.c.Index.Partitions()
	if len(upTo) != n {
		return nil, fmt.Errorf("snapshot of %s: %d positions for %d partitions", h.c.Stream, len(upTo), n)
	}
	s := &Snapshot{store: h.c.Store, pin: h.c.Index.Pin(), Positions: make([]uint64, n)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("snapshot of %s: %w", h.c.Stream, err), s.Release(context.WithoutCancel(ctx)))
		}
	}()
	rest := make([]*seal.File, n)
	var sealed, closed []seal.File
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for p := range n {
		from := h.written(p)
		sealed = append(sealed, from.sealed...)
		closed = append(closed, from.progress.Files...)
		s.Positions[p] = max(upTo[p], from.progress.Seq)
		if upTo[p] <= from.progress.Seq {
			continue
		}
		name := h.prefix() + strconv.FormatUint(h.next.Add(1), 10) + ".parquet"
		s.temporary = append(s.temporary, name)
		g.Go(func() error {
			f, err := h.writeRest(gctx, name, p, from.progress, upTo[p])
			rest[p] = f
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	s.Files = slices.Concat(sealed, closed)
	for _, f := range rest {
		if f != nil {
			s.Files = append(s.Files, *f)
		}
	}
	for _, f := range s.Files {
		s.Rows += f.Rows
	}
	return s, nil
}

// written is what files hold of one partition.
type written struct {
	sealed   []seal.File
	progress writer.Progress
}

// written reads seals and progress so that they fit together. The writer may seal between
// the two readings; then its closed chunks are in the seal, or will be read from the log.
func (h *History) written(partition int) written {
	var open writer.Progress
	if h.c.Progress != nil {
		open = h.c.Progress(partition)
	}
	var w written
	var last seal.Seal
	for _, s := range h.c.Index.Seals(partition) {
		w.sealed = append(w.sealed, s.Files...)
		last = s
	}
	if open.Sealed == last.LastSeq && open.Seq > last.LastSeq {
		w.progress = open
	} else {
		w.progress = writer.Progress{Sealed: last.LastSeq, Seq: last.LastSeq, Arrival: last.Arrival}
	}
	return w
}

// writeRest writes the rows of the entries after from.Seq to upTo into one file; nil where
// there are none.
func (h *History) writeRest(ctx context.Context, name string, partition int, from writer.Progress, upTo uint64) (_ *seal.File, err error) {
	tail, err := h.c.Open(ctx, partition, from.Seq, from.Arrival)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tail.Close()) }()
	encoder, ok := h.encoders.Get().(*parquetfile.Writer)
	if !ok {
		if encoder, err = parquetfile.NewWriter(h.c.Schema, h.c.EventTime); err != nil {
			return nil, err
		}
	}
	defer h.encoders.Put(encoder)
	out, err := h.c.Store.Create(ctx, name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, out.Abort()) }()
	encoder.Start(out)
	for seq := from.Seq; seq < upTo; {
		d, err := tail.Next(ctx)
		if err != nil {
			return nil, err
		}
		if seq = d.Seq; seq <= upTo && d.Count() > 0 {
			if err := encoder.Append(d.Batch, d.Rows, partition, d.Seq, d.Arrival); err != nil {
				return nil, err
			}
		}
	}
	if encoder.Rows() == 0 {
		return nil, nil
	}
	sum, err := encoder.Close()
	if err == nil {
		err = out.Commit()
	}
	if err != nil {
		return nil, err
	}
	return &seal.File{Name: name, Rows: sum.Rows, SizeBytes: sum.SizeBytes, Checksum: sum.Checksum, Days: sum.Days}, nil
}

// Release deletes the snapshot's temporary files and lets compaction delete the others
// when their time comes.
func (s *Snapshot) Release(ctx context.Context) error {
	s.pin.Release()
	var errs []error
	for _, name := range s.temporary {
		errs = append(errs, s.store.Delete(ctx, name))
	}
	return errors.Join(errs...)
}
