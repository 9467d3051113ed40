// Package compact merges the small sealed files of past hours.
//
// The one invariant: at every moment the seals name each row once. A durable plan is
// written first; each of its steps can be taken again after a crash; one seal replaces the
// old ones in one step; and the old files go only when nobody can be reading them.
package compact

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/parquetfile"
	"github.com/millrace/millrace/lake/seal"
	"github.com/millrace/millrace/lake/writer"
)

// DefaultGrace is how long replaced files stay: longer than any query may run. Readers
// that take longer hold a seal.Pin.
const DefaultGrace = 15 * time.Minute

// mergeBelowRows: a file with as many rows is worth keeping as it is. A merged file ends
// at or after writer.ChunkRows rows, so that no file grows without bound.
const mergeBelowRows = writer.ChunkRows / 2

// Config says what to compact.
type Config struct {
	Stream      string // stream id
	Schema      *event.Schema
	EventTime   int
	EpochLength time.Duration
	Store       objstore.Store
	Index       *seal.Index
	Grace       time.Duration // 0: DefaultGrace
	Metrics     *Metrics      // nil: not counted
	Log         *slog.Logger  // nil: silent
}

// Compactor compacts one stream. It is used by one goroutine; one per stream.
type Compactor struct {
	c   Config
	now func() time.Time
}

// New returns a compactor.
func New(c Config) *Compactor {
	if c.Grace == 0 {
		c.Grace = DefaultGrace
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	return &Compactor{c: c, now: time.Now}
}

// plan is one hour of one partition: the seals to replace, all of it that a restart needs.
type plan struct {
	Stream    string      `json:"stream"`
	Partition int         `json:"partition"`
	Sources   []seal.Seal `json:"sources"`
	Swapped   *time.Time  `json:"swapped,omitempty"` // when readers stopped to see the sources
}

func (c *Compactor) planRoot() string { return "lake/" + c.c.Stream + "/compaction/" }

func (c *Compactor) planName(p *plan) string {
	return fmt.Sprintf("%s%05d-%012d.json", c.planRoot(), p.Partition, p.Sources[0].From)
}

// Run takes up unfinished plans, then compacts every whole hour that ends at or before
// the epoch through. Pass the least cut of the stream's published views: seals of the
// epochs after a cut must stay apart, as epochs do.
func (c *Compactor) Run(ctx context.Context, through event.Epoch) error {
	if err := c.Resume(ctx); err != nil {
		return err
	}
	for partition := range c.c.Index.Partitions() {
		for _, sources := range c.hours(partition, through) {
			p := &plan{Stream: c.c.Stream, Partition: partition, Sources: sources}
			if err := c.save(ctx, p); err != nil {
				return err
			}
			if err := c.advance(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// Resume goes on with the plans that are there, as far as they can go now.
func (c *Compactor) Resume(ctx context.Context) error {
	list, err := c.c.Store.List(ctx, c.planRoot())
	if err != nil {
		return fmt.Errorf("compact %s: %w", c.c.Stream, err)
	}
	for _, o := range list {
		data, err := objstore.Get(ctx, c.c.Store, o.Name)
		if err != nil {
			return fmt.Errorf("compact %s: %w", c.c.Stream, err)
		}
		var p plan
		if err := json.Unmarshal(data, &p); err != nil || len(p.Sources) == 0 {
			return fmt.Errorf("compact %s: plan %s is broken: %w", c.c.Stream, o.Name, err)
		}
		if err := c.advance(ctx, &p); err != nil {
			return err
		}
	}
	return nil
}

// hours returns the groups of seals that are worth a plan: two or more of one hour, none
// of which is the partition's newest.
func (c *Compactor) hours(partition int, through event.Epoch) [][]seal.Seal {
	hour := func(e event.Epoch) int64 { return e.Start(c.c.EpochLength).Unix() / 3600 }
	seals := c.c.Index.Seals(partition)
	var out [][]seal.Seal
	for i := 0; i < len(seals); {
		j := i + 1
		for j < len(seals) && hour(seals[j].From) == hour(seals[i].From) {
			j++
		}
		if j < len(seals) && j-i > 1 && seals[j-1].To <= through {
			out = append(out, slices.Clone(seals[i:j]))
		}
		i = j
	}
	return out
}

func (c *Compactor) save(ctx context.Context, p *plan) error {
	data, err := json.Marshal(p)
	if err == nil {
		err = c.c.Store.Put(ctx, c.planName(p), data)
	}
	if err != nil {
		return fmt.Errorf("save compaction plan of %s/%d: %w", p.Stream, p.Partition, err)
	}
	return nil
}

// advance takes the steps of a plan that are still to be taken.
func (c *Compactor) advance(ctx context.Context, p *plan) error {
	if err := c.steps(ctx, p); err != nil {
		return fmt.Errorf("compact %s/%d epochs %d to %d: %w", p.Stream, p.Partition,
			p.Sources[0].From, p.Sources[len(p.Sources)-1].To, err)
	}
	return nil
}

func (c *Compactor) steps(ctx context.Context, p *plan) error {
	parts := layout(p.Sources)
	if p.Swapped == nil {
		if !c.swapped(p) {
			if !c.current(p) {
				return c.abandon(ctx, p, parts)
			}
			if err := c.merge(ctx, p, parts); err != nil {
				return err
			}
		}
		now := c.now().UTC()
		p.Swapped = &now
		if err := c.save(ctx, p); err != nil {
			return err
		}
	}
	merged := seal.Seal{Stream: p.Stream, Partition: p.Partition, From: p.Sources[0].From, To: p.Sources[len(p.Sources)-1].To}
	for _, s := range p.Sources {
		if seal.Name(&s) == seal.Name(&merged) {
			return errors.New("a source has the name of its replacement")
		}
		if err := c.c.Store.Delete(ctx, seal.Name(&s)); err != nil {
			return err
		}
	}
	if c.now().Before(p.Swapped.Add(c.c.Grace)) || c.c.Index.PinnedBefore(*p.Swapped) {
		return nil // later
	}
	for _, part := range parts {
		if len(part) == 1 {
			continue // kept
		}
		for _, f := range part {
			if err := c.c.Store.Delete(ctx, f.Name); err != nil {
				return err
			}
		}
	}
	return c.c.Store.Delete(ctx, c.planName(p))
}

// fileName is the object name of a plan's i-th part.
func (c *Compactor) fileName(p *plan, i int) string {
	from, to := p.Sources[0].From, p.Sources[len(p.Sources)-1].To
	return writer.FileName(p.Stream, from, c.c.EpochLength, fmt.Sprintf("%d-%d-%d-%d", from, to, p.Partition, i))
}

// abandon ends a plan whose sources retention has removed before the swap.
func (c *Compactor) abandon(ctx context.Context, p *plan, parts [][]seal.File) error {
	for i := range parts {
		if err := c.c.Store.Delete(ctx, c.fileName(p, i)); err != nil {
			return err
		}
	}
	return c.c.Store.Delete(ctx, c.planName(p))
}

// swapped reports whether the index has the sources' replacement already.
func (c *Compactor) swapped(p *plan) bool {
	from, to := p.Sources[0].From, p.Sources[len(p.Sources)-1].To
	return slices.ContainsFunc(c.c.Index.Seals(p.Partition), func(s seal.Seal) bool { return s.From == from && s.To == to })
}

// current reports whether the index still has all the sources.
func (c *Compactor) current(p *plan) bool {
	seals := c.c.Index.Seals(p.Partition)
	for _, want := range p.Sources {
		if !slices.ContainsFunc(seals, func(s seal.Seal) bool { return s.From == want.From && s.To == want.To }) {
			return false
		}
	}
	return true
}

// layout cuts the sources' files into runs that become one file each, in order of
// position; a run of one file is kept as it is.
func layout(sources []seal.Seal) [][]seal.File {
	var out [][]seal.File
	var rows int64 // of the open run; 0: none is open
	for _, s := range sources {
		for _, f := range s.Files {
			if f.Rows >= mergeBelowRows {
				out, rows = append(out, []seal.File{f}), 0
				continue
			}
			if rows == 0 || rows >= writer.ChunkRows {
				out, rows = append(out, nil), 0
			}
			out[len(out)-1] = append(out[len(out)-1], f)
			rows += f.Rows
		}
	}
	return out
}

// merge writes the new files and swaps the seals.
func (c *Compactor) merge(ctx context.Context, p *plan, parts [][]seal.File) error {
	began := c.now()
	first, last := p.Sources[0], p.Sources[len(p.Sources)-1]
	s := seal.Seal{
		Stream: p.Stream, Partition: p.Partition, From: first.From, To: last.To, Files: []seal.File{},
		LastSeq: last.LastSeq, Arrival: last.Arrival, LastEpoch: last.LastEpoch,
	}
	for _, source := range p.Sources {
		if source.Rows == 0 {
			continue
		}
		if s.Rows == 0 {
			s.First = source.First
		}
		s.Last = source.Last
		s.Rows += source.Rows
	}
	encoder, err := parquetfile.NewWriter(c.c.Schema, c.c.EventTime)
	if err != nil {
		return err
	}
	var rows int64
	for i, part := range parts {
		f := part[0]
		if len(part) > 1 {
			if f, err = c.mergeFiles(ctx, encoder, c.fileName(p, i), part); err != nil {
				return err
			}
			c.c.Metrics.files.Add(float64(len(part)))
			c.c.Metrics.bytes.Add(float64(f.SizeBytes))
		}
		s.Files = append(s.Files, f)
		rows += f.Rows
	}
	if rows != s.Rows {
		return fmt.Errorf("the files hold %d rows, their seals say %d", rows, s.Rows)
	}
	if err := c.c.Index.Add(ctx, s); err != nil {
		return err
	}
	c.c.Metrics.seals.Add(float64(len(p.Sources)))
	c.c.Log.Info("compacted an hour of the lake", "stream", p.Stream, "partition", p.Partition,
		"seals", len(p.Sources), "files", len(s.Files), "rows", s.Rows, "took", c.now().Sub(began))
	return nil
}

// mergeFiles copies the rows of files, in their order, into one file.
func (c *Compactor) mergeFiles(ctx context.Context, encoder *parquetfile.Writer, name string, files []seal.File) (_ seal.File, err error) {
	out, err := c.c.Store.Create(ctx, name)
	if err != nil {
		return seal.File{}, err
	}
	defer func() { err = errors.Join(err, out.Abort()) }()
	encoder.Start(out)
	for _, f := range files {
		if err := c.copyFile(ctx, encoder, f); err != nil {
			return seal.File{}, fmt.Errorf("merge %s: %w", f.Name, err)
		}
	}
	sum, err := encoder.Close()
	if err == nil {
		err = out.Commit()
	}
	if err != nil {
		return seal.File{}, err
	}
	return seal.File{Name: name, Rows: sum.Rows, SizeBytes: sum.SizeBytes, Checksum: sum.Checksum, Days: sum.Days}, nil
}

func (c *Compactor) copyFile(ctx context.Context, encoder *parquetfile.Writer, f seal.File) (err error) {
	in, err := c.c.Store.Open(ctx, f.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	r, err := parquetfile.NewStoredReader(ctx, in, c.c.Schema)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return r.Each(encoder.AppendStored)
}

// Metrics counts what the compactors of a process do.
type Metrics struct{ seals, files, bytes prometheus.Counter }

// NewMetrics makes the counters and registers them; a nil registerer leaves them unseen.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &Metrics{
		seals: counter("millrace_lake_compacted_seals_total", "Seals that compaction replaced."),
		files: counter("millrace_lake_compacted_files_total", "Files that compaction merged."),
		bytes: counter("millrace_lake_compacted_bytes_total", "Bytes of merged files written by compaction."),
	}
	if r != nil {
		r.MustRegister(m.seals, m.files, m.bytes)
	}
	return m
}
