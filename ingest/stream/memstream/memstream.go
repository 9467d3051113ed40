// Package memstream is the stream contract in memory, for tests: it does what a real
// log does, and on demand what a real log does on a bad day.
//
// The one invariant: without a fault asked for, it passes the same acceptance suite as
// the durable backends; its entries live as long as the Store behind it.
package memstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/millrace/millrace/ingest/stream"
)

// ErrClosed is returned by every call on a closed backend, log or reader.
var ErrClosed = errors.New("memstream: closed")

// Store keeps the entries and fences that several backends, one after the other or side
// by side, share: the part that outlives a restart. Use NewStore.
type Store struct {
	mu     sync.Mutex
	logs   map[string][]*partition
	fences map[string]uint64
	faults Faults
	tries  int // appends so far
	now    func() time.Time
}

// NewStore returns an empty store whose entries are stamped by now; nil means time.Now.
// The clock may step back, as a log's may.
func NewStore(now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{logs: map[string][]*partition{}, fences: map[string]uint64{}, now: now}
}

// New returns a backend over a new store with the wall clock.
func New() *Backend { return NewStore(nil).Open() }

// Open returns a backend over the store.
func (s *Store) Open() *Backend {
	return &Backend{store: s, closed: make(chan struct{})}
}

// Backend implements stream.Backend.
type Backend struct {
	store  *Store
	once   sync.Once
	closed chan struct{}
}

var _ stream.Backend = (*Backend)(nil)

// Store returns what the backend keeps its entries in.
func (b *Backend) Store() *Store { return b.store }

func (b *Backend) err(ctx context.Context) error {
	select {
	case <-b.closed:
		return ErrClosed
	default:
		return ctx.Err()
	}
}

// Open implements stream.Backend.
func (b *Backend) Open(ctx context.Context, id string, partitions int) (stream.Log, error) {
	if err := b.err(ctx); err != nil {
		return nil, fmt.Errorf("open log %q: %w", id, err)
	}
	if partitions < 1 {
		return nil, fmt.Errorf("open log %q: %d partitions", id, partitions)
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	parts, ok := b.store.logs[id]
	if !ok {
		for range partitions {
			parts = append(parts, &partition{first: 1, changed: make(chan struct{})})
		}
		b.store.logs[id] = parts
	}
	if len(parts) != partitions {
		return nil, fmt.Errorf("open log %q: it has %d partitions, not %d", id, len(parts), partitions)
	}
	return &log{backend: b, id: id, parts: parts}, nil
}

// Drop implements stream.Backend.
func (b *Backend) Drop(ctx context.Context, id string) error {
	if err := b.err(ctx); err != nil {
		return fmt.Errorf("drop log %q: %w", id, err)
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	for _, p := range b.store.logs[id] {
		p.drop()
	}
	delete(b.store.logs, id)
	return nil
}

// Fence implements stream.Backend.
func (b *Backend) Fence(ctx context.Context, name string) (uint64, error) {
	if err := b.err(ctx); err != nil {
		return 0, fmt.Errorf("fence %q: %w", name, err)
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	b.store.fences[name]++
	return b.store.fences[name], nil
}

// Close implements stream.Backend. It wakes every blocked reader.
func (b *Backend) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

// partition is one ordered run of entries.
type partition struct {
	mu      sync.Mutex
	first   uint64 // sequence of entries[0]
	entries []stream.Entry
	changed chan struct{} // closed and replaced by each change
	dropped bool
}

func (p *partition) head() uint64 { return p.first + uint64(len(p.entries)) - 1 }

func (p *partition) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *partition) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropped = true
	p.wake()
}

var errDropped = errors.New("the log was dropped")

// log implements stream.Log.
type log struct {
	backend *Backend
	id      string
	parts   []*partition
}

func (l *log) Partitions() int { return len(l.parts) }

func (l *log) Close() error { return nil }

// at returns a partition, locked; the caller unlocks it.
func (l *log) at(ctx context.Context, index int) (*partition, error) {
	if err := l.backend.err(ctx); err != nil {
		return nil, err
	}
	if index < 0 || index >= len(l.parts) {
		return nil, fmt.Errorf("partition %d is not in 0..%d", index, len(l.parts)-1)
	}
	p := l.parts[index]
	p.mu.Lock()
	if p.dropped {
		p.mu.Unlock()
		return nil, errDropped
	}
	return p, nil
}

// Append implements stream.Log.
func (l *log) Append(ctx context.Context, partition int, payload []byte) (uint64, error) {
	seq, err := l.append(ctx, partition, payload)
	if err != nil {
		return 0, fmt.Errorf("append entry to %s/%d: %w", l.id, partition, err)
	}
	return seq, nil
}

func (l *log) append(ctx context.Context, partition int, payload []byte) (uint64, error) {
	fault := l.backend.store.appendFault(l.id, partition)
	if err := fault.wait(ctx); err != nil {
		return 0, err
	}
	if fault.Err != nil && !fault.TakesEffect {
		return 0, fault.Err
	}
	if len(payload) > stream.MaxEntryBytes {
		return 0, fmt.Errorf("payload of %d bytes, more than %d: %w", len(payload), stream.MaxEntryBytes, stream.ErrTooLarge)
	}
	p, err := l.at(ctx, partition)
	if err != nil {
		return 0, err
	}
	defer p.mu.Unlock()
	p.entries = append(p.entries, stream.Entry{
		Seq:     p.head() + 1,
		Time:    l.backend.store.now(),
		Payload: slices.Clone(payload),
	})
	p.wake()
	if fault.Err != nil {
		return 0, fault.Err
	}
	return p.head(), nil
}

// Read implements stream.Log.
func (l *log) Read(ctx context.Context, partition int, after uint64) (stream.Reader, error) {
	p, err := l.at(ctx, partition)
	if err != nil {
		return nil, fmt.Errorf("read %s/%d: %w", l.id, partition, err)
	}
	p.mu.Unlock()
	return &reader{log: l, partition: partition, last: after}, nil
}

// Head implements stream.Log.
func (l *log) Head(ctx context.Context, partition int) (uint64, error) {
	p, err := l.at(ctx, partition)
	if err != nil {
		return 0, fmt.Errorf("head of %s/%d: %w", l.id, partition, err)
	}
	defer p.mu.Unlock()
	return p.head(), nil
}

// SeqAt implements stream.Log; it is exact also where the clock stepped back.
func (l *log) SeqAt(ctx context.Context, partition int, t time.Time) (uint64, error) {
	p, err := l.at(ctx, partition)
	if err != nil {
		return 0, fmt.Errorf("find time in %s/%d: %w", l.id, partition, err)
	}
	defer p.mu.Unlock()
	for _, e := range p.entries {
		if !e.Time.Before(t) {
			return e.Seq, nil
		}
	}
	return p.head() + 1, nil
}

// Trim implements stream.Log.
func (l *log) Trim(ctx context.Context, partition int, before uint64) error {
	p, err := l.at(ctx, partition)
	if err != nil {
		return fmt.Errorf("trim %s/%d: %w", l.id, partition, err)
	}
	defer p.mu.Unlock()
	before = min(before, p.head()+1)
	if before > p.first {
		p.entries = slices.Clone(p.entries[before-p.first:])
		p.first = before
	}
	return nil
}

// reader implements stream.Reader.
type reader struct {
	log       *log
	partition int
	last      uint64
	closed    bool
}

// Next implements stream.Reader.
func (r *reader) Next(ctx context.Context) (stream.Entry, error) {
	e, err := r.next(ctx)
	if err != nil {
		return stream.Entry{}, fmt.Errorf("read %s/%d: %w", r.log.id, r.partition, err)
	}
	return e, nil
}

func (r *reader) next(ctx context.Context) (stream.Entry, error) {
	for {
		if r.closed {
			return stream.Entry{}, ErrClosed
		}
		p, err := r.log.at(ctx, r.partition)
		if err != nil {
			return stream.Entry{}, err
		}
		head, first, changed := p.head(), p.first, p.changed
		var e stream.Entry
		if r.last >= first-1 && r.last < head {
			e = p.entries[r.last+1-first]
		}
		p.mu.Unlock()
		switch {
		case r.last < first-1:
			return stream.Entry{}, &stream.TrimmedError{After: r.last, First: first}
		case r.last < head:
			fault := r.log.backend.store.readFault(r.log.id, r.partition, e.Seq)
			if err := fault.wait(ctx); err != nil {
				return stream.Entry{}, err
			}
			if fault.Err != nil {
				return stream.Entry{}, fault.Err
			}
			r.last = e.Seq
			e.Payload = slices.Clone(e.Payload)
			return e, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-r.log.backend.closed:
		}
	}
}

// Close implements stream.Reader.
func (r *reader) Close() error {
	r.closed = true
	return nil
}
