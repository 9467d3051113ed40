package seal

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/lake/objstore"
)

// loadParallel is how many seals are read at once at start: enough to hide an object
// store's latency, few enough not to run into limits on open files.
const loadParallel = 32

// Index holds the seals of one stream in memory. It is safe for concurrent use: every
// method sees one state, in which an epoch is there whole or not at all.
type Index struct {
	store  objstore.Store
	stream string

	mu      sync.RWMutex
	parts   [][]Seal // by partition, ascending, disjoint; what readers may hold is never changed
	changed chan struct{}
	pins    map[*Pin]struct{}
}

// Load reads the seals of a stream. A seal that a wider one covers was left behind by an
// unfinished compaction; it is deleted, so that it cannot come back to life once the
// wider one has gone.
func Load(ctx context.Context, store objstore.Store, stream string, partitions int) (*Index, error) {
	list, err := store.List(ctx, Prefix(stream))
	if err != nil {
		return nil, fmt.Errorf("load seals of %s: %w", stream, err)
	}
	seals := make([]Seal, len(list))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(loadParallel)
	for i, o := range list {
		g.Go(func() error {
			data, err := objstore.Get(gctx, store, o.Name)
			if err == nil {
				seals[i], err = decode(data)
			}
			if err != nil {
				return fmt.Errorf("load seal %s: %w", o.Name, err)
			}
			if got := Name(&seals[i]); got != o.Name {
				return fmt.Errorf("load seal %s: %w: it belongs to %s", o.Name, ErrCorrupt, got)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	x := &Index{
		store: store, stream: stream,
		parts:   make([][]Seal, partitions),
		changed: make(chan struct{}),
		pins:    make(map[*Pin]struct{}),
	}
	slices.SortStableFunc(seals, order)
	for i := range seals {
		s := &seals[i]
		if s.Partition < 0 || s.Partition >= partitions {
			return nil, fmt.Errorf("load seals of %s: %w: partition %d of %d", stream, ErrCorrupt, s.Partition, partitions)
		}
		p := x.parts[s.Partition]
		if n := len(p); n > 0 {
			last := &p[n-1]
			if last.covers(s) {
				if err := store.Delete(ctx, Name(s)); err != nil {
					return nil, fmt.Errorf("load seals of %s: %w", stream, err)
				}
				continue
			}
			if s.From <= last.To {
				return nil, fmt.Errorf("load seals of %s: %w: %s overlaps %s", stream, ErrCorrupt, Name(s), Name(last))
			}
		}
		x.parts[s.Partition] = append(p, *s)
	}
	return x, nil
}

// Add writes a seal durably and puts it into the index. The same seal again is harmless.
// A seal must follow the partition's newest, or replace whole seals (compaction).
func (x *Index) Add(ctx context.Context, s Seal) error {
	if s.Stream != x.stream || s.Partition < 0 || s.Partition >= len(x.parts) {
		return fmt.Errorf("add seal %s: it is not of stream %s with %d partitions", Name(&s), x.stream, len(x.parts))
	}
	// A partition has one writer, and compaction touches only what the writer has left
	// behind, so that what is checked here still holds after the write.
	x.mu.RLock()
	_, _, err := x.place(&s)
	x.mu.RUnlock()
	if err != nil {
		return fmt.Errorf("add seal %s: %w", Name(&s), err)
	}
	data, err := encode(&s)
	if err == nil {
		_, err = decode(data)
	}
	if err == nil {
		err = x.store.Put(ctx, Name(&s), data)
	}
	if err != nil {
		return fmt.Errorf("add seal %s: %w", Name(&s), err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	i, j, err := x.place(&s)
	if err != nil {
		return fmt.Errorf("add seal %s: %w", Name(&s), err)
	}
	if old := x.parts[s.Partition]; i == len(old) {
		x.parts[s.Partition] = append(old, s) // beyond what readers of old look at
	} else {
		x.parts[s.Partition] = slices.Concat(old[:i], []Seal{s}, old[j:])
	}
	x.wake()
	return nil
}

// place returns which of the partition's seals s replaces: those from i to before j.
func (x *Index) place(s *Seal) (i, j int, err error) {
	old := x.parts[s.Partition]
	i, _ = slices.BinarySearchFunc(old, s.From, func(t Seal, e event.Epoch) int {
		if t.To < e {
			return -1
		}
		return 1
	})
	for j = i; j < len(old) && old[j].From <= s.To; j++ {
		if !s.covers(&old[j]) {
			return 0, 0, fmt.Errorf("it overlaps %s", Name(&old[j]))
		}
	}
	return i, j, nil
}

func (x *Index) wake() {
	close(x.changed)
	x.changed = make(chan struct{})
}

// Remove takes seals out of the index and deletes their objects; their files stay. It
// never removes a partition's newest seal, which says where its writer goes on.
func (x *Index) Remove(ctx context.Context, seals []Seal) error {
	for _, s := range seals {
		x.mu.Lock()
		p := x.parts[s.Partition]
		i := slices.IndexFunc(p, func(t Seal) bool { return t.From == s.From && t.To == s.To })
		if i == len(p)-1 && i >= 0 {
			x.mu.Unlock()
			return fmt.Errorf("remove seal %s: it is the newest of its partition", Name(&s))
		}
		if i >= 0 {
			x.parts[s.Partition] = slices.Concat(p[:i], p[i+1:])
		}
		x.mu.Unlock()
		if err := x.store.Delete(ctx, Name(&s)); err != nil {
			return fmt.Errorf("remove seal %s: %w", Name(&s), err)
		}
	}
	return nil
}

// Seals returns a partition's seals, ascending. The slice must not be changed.
func (x *Index) Seals(partition int) []Seal {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.parts[partition]
}

// Partitions returns the stream's number of partitions.
func (x *Index) Partitions() int { return len(x.parts) }

// Last returns the newest seal of a partition.
func (x *Index) Last(partition int) (Seal, bool) {
	p := x.Seals(partition)
	if len(p) == 0 {
		return Seal{}, false
	}
	return p[len(p)-1], true
}

// At returns the newest seal of the partition whose last entry is of epoch e or before:
// its LastSeq and Arrival are where the epochs after e begin in the log. Where e lies
// inside a compacted seal, that is the seal before it, and the reader passes over the
// entries of epochs up to e itself.
func (x *Index) At(partition int, e event.Epoch) (Seal, bool) {
	p := x.Seals(partition)
	for i := len(p) - 1; i >= 0; i-- {
		if p[i].LastEpoch <= e {
			return p[i], true
		}
	}
	return Seal{}, false
}

// Complete returns the newest epoch that every partition has sealed, or event.NoEpoch.
func (x *Index) Complete() event.Epoch {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.complete()
}

func (x *Index) complete() event.Epoch {
	if len(x.parts) == 0 {
		return event.NoEpoch
	}
	var least event.Epoch
	for i, p := range x.parts {
		if len(p) == 0 {
			return event.NoEpoch
		}
		if to := p[len(p)-1].To; i == 0 || to < least {
			least = to
		}
	}
	return least
}

// Wait blocks until Complete is at least e.
func (x *Index) Wait(ctx context.Context, e event.Epoch) error {
	for {
		x.mu.RLock()
		done, changed := x.complete() >= e, x.changed
		x.mu.RUnlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for epoch %d of %s: %w", e, x.stream, ctx.Err())
		}
	}
}

// each calls f with the seals that hold entries of the epochs from..to, by partition and
// epoch, in one state of the index. A compacted seal counts as soon as it touches them.
func (x *Index) each(from, to event.Epoch, f func(*Seal)) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, p := range x.parts {
		i, _ := slices.BinarySearchFunc(p, from, func(s Seal, e event.Epoch) int {
			if s.LastEpoch < e {
				return -1
			}
			return 1
		})
		for ; i < len(p) && p[i].From <= to; i++ {
			f(&p[i])
		}
	}
}

// Files returns the files of the epochs from..to (inclusive) that hold any of the days;
// nil days means all. Order: partition, epoch, chunk.
func (x *Index) Files(from, to event.Epoch, days []int32) []File {
	wanted := make(map[int32]bool, len(days))
	for _, d := range days {
		wanted[d] = true
	}
	var out []File
	x.each(from, to, func(s *Seal) {
		for _, f := range s.Files {
			if days == nil || slices.ContainsFunc(f.Days, func(d int32) bool { return wanted[d] }) {
				out = append(out, f)
			}
		}
	})
	return out
}

// Days returns the event days touched by the epochs from..to, ascending.
func (x *Index) Days(from, to event.Epoch) []int32 {
	seen := make(map[int32]bool)
	out := []int32{}
	x.each(from, to, func(s *Seal) {
		for _, f := range s.Files {
			for _, d := range f.Days {
				if !seen[d] {
					seen[d] = true
					out = append(out, d)
				}
			}
		}
	})
	slices.Sort(out)
	return out
}

// Rows returns the number of rows of the epochs from..to.
func (x *Index) Rows(from, to event.Epoch) int64 {
	var n int64
	x.each(from, to, func(s *Seal) { n += s.Rows })
	return n
}

// Size is what the lake holds of a stream.
type Size struct {
	Files int
	Rows  int64
	Bytes int64
}

// Size returns how much the sealed epochs are.
func (x *Index) Size() Size {
	var size Size
	x.each(math.MinInt64, math.MaxInt64, func(s *Seal) {
		size.Files += len(s.Files)
		size.Rows += s.Rows
		for _, f := range s.Files {
			size.Bytes += f.SizeBytes
		}
	})
	return size
}

// Pin says that someone reads files which the index named.
type Pin struct {
	index *Index
	since time.Time
}

// Pin keeps the files that the index names from now on from being deleted until Release.
// Whoever reads files for longer than compaction's grace period must hold one, taken
// before Files is called.
func (x *Index) Pin() *Pin {
	p := &Pin{index: x, since: time.Now()}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.pins[p] = struct{}{}
	return p
}

// Since returns when the pin began.
func (p *Pin) Since() time.Time { return p.since }

// Release ends the pin. Releasing twice is harmless.
func (p *Pin) Release() {
	p.index.mu.Lock()
	defer p.index.mu.Unlock()
	delete(p.index.pins, p)
}

// PinnedBefore reports whether a reader that began before t still reads.
func (x *Index) PinnedBefore(t time.Time) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for p := range x.pins {
		if p.since.Before(t) {
			return true
		}
	}
	return false
}
